//! What a tenant may send in a day, and hold in all.
//!
//! The counts are folds over the chain, so no restart gives anything anew.

use serde::{Deserialize, Serialize};

use super::{TenantState, verdict::day};
use crate::{
    protocol::{Event, HeldReceipt, IntakeRejected, Refusal, RejectReason},
    time::Timestamp,
    vendor::Vendor,
};

/// What is refused for a quota is written down once in so long.
const NOTED_EVERY_MS: u64 = 3_600_000;

/// A tenant's limits; `None` for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// The most bytes of evidence that it may hold.
    pub bytes: Option<u64>,
    /// The most alerts, and bodies that are no alerts, of one day (UTC).
    pub daily_alerts: Option<u64>,
    /// The most bytes of evidence that may come in on one day.
    pub daily_bytes: Option<u64>,
}

/// So many days are known beside the last one. A clock has to be set back and forth more often than that, with something
/// coming in each time, before a day is forgotten that it comes back to.
const OTHER_DAYS: usize = 30;

/// What came in on the last day on which anything did, and on those before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenIn {
    /// Which day, counted from the epoch (UTC).
    pub day: u64,
    /// Alerts, and bodies that are no alerts.
    pub alerts: u64,
    /// Bytes of their evidence.
    pub bytes: u64,
    /// When it was last written down that something was refused.
    pub refusal_noted_at: Option<Timestamp>,
    /// Other days, the one that was last in use at the end: a clock that is set does not count them anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<DayTakenIn>,
}

/// What came in on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayTakenIn {
    /// Which day, counted from the epoch (UTC).
    pub day: u64,
    /// Alerts, and bodies that are no alerts.
    pub alerts: u64,
    /// Bytes of their evidence.
    pub bytes: u64,
}

impl TakenIn {
    /// Adds what came in on another chain of the same tenant.
    pub fn add(&mut self, other: &Self) {
        let newest = self.day.max(other.day);
        for counted in other.others.iter().chain([&other.current()]) {
            if counted.alerts == 0 {
                continue;
            }
            self.turn_to(counted.day);
            self.alerts = self.alerts.saturating_add(counted.alerts);
            self.bytes = self.bytes.saturating_add(counted.bytes);
        }
        self.turn_to(newest);
        self.refusal_noted_at = self.refusal_noted_at.max(other.refusal_noted_at);
    }

    /// How much came in on that day. On a day that is not known, a clock that was set back by up to a day gives nothing
    /// anew; one that was set back by more begins its own day, or a slip into the future would bar intake for good.
    fn on(&self, day: u64) -> (u64, u64) {
        let day = self.counted_as(day);
        let known = self
            .others
            .iter()
            .chain([&self.current()])
            .find(|it| it.day == day)
            .copied();
        known.map_or((0, 0), |it| (it.alerts, it.bytes))
    }

    fn count(&mut self, day: u64, bytes: u64) {
        self.turn_to(self.counted_as(day));
        self.alerts = self.alerts.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// The day that counts in the place of that one.
    fn counted_as(&self, day: u64) -> u64 {
        let is_known = self.others.iter().any(|other| other.day == day);
        let is_before = day.saturating_add(1) == self.day && self.alerts > 0;
        if is_before && !is_known {
            self.day
        } else {
            day
        }
    }

    fn current(&self) -> DayTakenIn {
        DayTakenIn {
            day: self.day,
            alerts: self.alerts,
            bytes: self.bytes,
        }
    }

    /// Goes on with another day, where that one stood.
    fn turn_to(&mut self, day: u64) {
        if day == self.day {
            return;
        }
        if self.alerts > 0 {
            self.others.push(self.current());
        }
        let before = self.others.iter().position(|other| other.day == day);
        let before = before.map(|at| self.others.remove(at));
        self.day = day;
        (self.alerts, self.bytes) = before.map_or((0, 0), |it| (it.alerts, it.bytes));
        let forgotten = self.others.len().saturating_sub(OTHER_DAYS);
        self.others.drain(..forgotten);
    }
}

/// Whether so many bytes of evidence more may come in.
pub(super) fn within(
    state: &TenantState,
    more: u64,
    quota: &Quota,
    now: Timestamp,
) -> Result<(), Refusal> {
    let over = |sum: u64, most: Option<u64>| most.is_some_and(|most| sum > most);
    if over(state.evidence_bytes.saturating_add(more), quota.bytes) {
        return Err(Refusal::QuotaExceeded);
    }
    let (alerts, bytes) = state.taken_in.on(day(now));
    let daily = over(alerts.saturating_add(1), quota.daily_alerts)
        || over(bytes.saturating_add(more), quota.daily_bytes);
    if daily {
        return Err(Refusal::DailyQuota);
    }
    Ok(())
}

/// Writes down that something was refused for a quota, unless it was lately.
pub(super) fn note_refused(
    state: &TenantState,
    vendor: Vendor,
    reason: RejectReason,
    now: Timestamp,
) -> Result<Vec<Event>, Refusal> {
    let noted = state.taken_in.refusal_noted_at;
    let lately = |at: Timestamp| now.ms().abs_diff(at.ms()) < NOTED_EVERY_MS;
    if !reason.is_quota() || noted.is_some_and(lately) {
        return Err(Refusal::NothingNew);
    }
    Ok(vec![Event::IntakeRejected(IntakeRejected {
        vendor,
        detail: "the tenant's quota is used up; said once an hour".into(),
        reason: Some(reason),
        vendor_alert_ids: Vec::new(),
        evidence: Vec::new(),
        held_receipt: None,
    })])
}

/// Counts evidence that was asked for, and did not come in by itself.
pub(super) fn hold(state: &mut TenantState, bytes: u64) {
    state.evidence_bytes = state.evidence_bytes.saturating_add(bytes);
}

/// Counts what came in; `held` for what was kept elsewhere and is taken over. That may be days old, and then says
/// nothing of the clock: it is no part of what came in today, and does not make today begin anew.
pub(super) fn keep(
    state: &mut TenantState,
    bytes: u64,
    (at, held): (Timestamp, Option<&HeldReceipt>),
) {
    hold(state, bytes);
    let (day, newest) = (day(at), state.taken_in.day);
    if held.is_none() || day.saturating_add(1) >= newest {
        state.taken_in.count(day, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 86_400_000;

    fn at(day: u64, ms: u64) -> Timestamp {
        Timestamp::from_ms(day.saturating_mul(DAY_MS).saturating_add(ms))
    }

    fn checked(
        state: &TenantState,
        more: u64,
        quota: Quota,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        within(state, more, &quota, now)
    }

    #[test]
    fn a_day_has_its_alerts_and_its_bytes_and_the_next_one_has_them_anew() {
        let quota = Quota {
            bytes: None,
            daily_alerts: Some(3),
            daily_bytes: Some(100),
        };
        let mut state = TenantState::default();
        for _ in 0..2 {
            assert_eq!(checked(&state, 50, quota, at(7, 0)), Ok(()));
            keep(&mut state, 50, (at(7, 0), None));
        }
        assert_eq!(
            checked(&state, 1, quota, at(7, 9)),
            Err(Refusal::DailyQuota)
        );
        assert_eq!(checked(&state, 0, quota, at(7, 9)), Ok(()));
        keep(&mut state, 0, (at(7, 9), None));
        assert_eq!(
            checked(&state, 0, quota, at(7, 9)),
            Err(Refusal::DailyQuota)
        );
        // A clock that went back gives nothing anew, unless it had slipped far into the future.
        assert_eq!(
            checked(&state, 0, quota, at(6, 0)),
            Err(Refusal::DailyQuota)
        );
        assert_eq!(checked(&state, 0, quota, at(5, 0)), Ok(()));
        assert_eq!(checked(&state, 100, quota, at(8, 0)), Ok(()));
        keep(&mut state, 100, (at(8, 0), None));
        assert_eq!(
            checked(&state, 1, quota, at(8, 1)),
            Err(Refusal::DailyQuota)
        );
        assert_eq!(state.evidence_bytes, 200);
        assert_eq!(
            checked(&state, u64::MAX, Quota::default(), at(8, 1)),
            Ok(())
        );
    }

    /// A chain was repaired in the evening, and an alert of last week taken over: the day's quota was there once more.
    #[test]
    fn what_is_taken_over_late_gives_no_day_anew() {
        let quota = Quota {
            bytes: None,
            daily_alerts: Some(1),
            daily_bytes: None,
        };
        let receipt = HeldReceipt {
            chain: "acme+held-1".into(),
            seq: 1,
            hash: crate::digest::Digest([7; 32]),
            evidence_lost: None,
        };
        let mut state = TenantState::default();
        keep(&mut state, 50, (at(9, 0), None));
        keep(&mut state, 50, (at(3, 0), Some(&receipt)));
        assert_eq!(
            checked(&state, 0, quota, at(9, 9)),
            Err(Refusal::DailyQuota)
        );
        assert_eq!(state.evidence_bytes, 100, "it is held all the same");
        // A clock that was set back is another thing.
        keep(&mut state, 0, (at(3, 0), None));
        assert_eq!(state.taken_in.day, 3);
        keep(&mut state, 0, (at(4, 0), Some(&receipt)));
        assert_eq!(state.taken_in.alerts, 1, "a day of its own");
        assert_eq!(state.taken_in.day, 4);
    }

    /// A clock had slipped into the future and was set back. What had been kept elsewhere in the meantime was taken over
    /// with its own time, and today's quota, which was used up, was there once more.
    #[test]
    fn what_came_in_ahead_of_the_clock_gives_no_day_anew() {
        let quota = Quota {
            bytes: None,
            daily_alerts: Some(2),
            daily_bytes: None,
        };
        let receipt = HeldReceipt {
            chain: "acme+held-1".into(),
            seq: 1,
            hash: crate::digest::Digest([7; 32]),
            evidence_lost: None,
        };
        for held in [None, Some(&receipt)] {
            let mut state = TenantState::default();
            for _ in 0..2 {
                keep(&mut state, 0, (at(9, 0), None));
            }
            for ahead in 20..=40 {
                keep(&mut state, 0, (at(ahead, 0), held));
            }
            let full = Err(Refusal::DailyQuota);
            assert_eq!(checked(&state, 0, quota, at(9, 9)), full, "{held:?}");
            assert_eq!(checked(&state, 0, quota, at(10, 0)), Ok(()), "{held:?}");
            keep(&mut state, 0, (at(10, 0), None));
            keep(&mut state, 0, (at(10, 1), None));
            assert_eq!(checked(&state, 0, quota, at(10, 2)), full, "{held:?}");
            // Who comes to a day that was counted ahead of its time finds what came in on it.
            assert_eq!(checked(&state, 0, quota, at(20, 0)), Ok(()), "{held:?}");
            keep(&mut state, 0, (at(20, 0), None));
            assert_eq!(checked(&state, 0, quota, at(20, 1)), full, "{held:?}");
        }
    }

    #[test]
    fn so_many_days_are_known_and_no_more() {
        let mut state = TenantState::default();
        for day in 0..1000 {
            keep(&mut state, 7, (at(day, 0), None));
        }
        assert_eq!(state.taken_in.others.len(), OTHER_DAYS);
        assert_eq!(state.taken_in.on(998), (1, 7));
        assert_eq!(state.taken_in.on(999 - 31), (0, 0));
    }

    #[test]
    fn a_refusal_is_written_down_once_an_hour() {
        let mut state = TenantState::default();
        let note = |state: &TenantState, now| {
            note_refused(state, Vendor::Generic, RejectReason::DailyQuota, now)
        };
        let first = note(&state, at(7, 0)).expect("an entry");
        for event in &first {
            super::super::apply(&mut state, event, at(7, 0));
        }
        assert_eq!(state.taken_in.alerts, 0, "nothing came in");
        assert_eq!(state.counts.rejected, 0);
        let soon = at(7, NOTED_EVERY_MS.saturating_sub(1));
        assert_eq!(note(&state, soon), Err(Refusal::NothingNew));
        assert!(note(&state, at(7, NOTED_EVERY_MS)).is_ok());
        let other = note_refused(&state, Vendor::Generic, RejectReason::Quarantined, at(9, 0));
        assert_eq!(other, Err(Refusal::NothingNew));
    }

    #[test]
    fn two_chains_of_one_day_count_together() {
        let day = |day, alerts, bytes| TakenIn {
            day,
            alerts,
            bytes,
            ..TakenIn::default()
        };
        for (mut one, other, both) in [
            (day(7, 1, 10), day(7, 2, 20), (7, 3, 30)),
            (day(7, 1, 10), day(6, 2, 20), (7, 1, 10)),
            (day(6, 1, 10), day(7, 2, 20), (7, 2, 20)),
            (TakenIn::default(), day(7, 2, 20), (7, 2, 20)),
            (day(7, 1, 10), TakenIn::default(), (7, 1, 10)),
        ] {
            one.add(&other);
            assert_eq!((one.day, one.alerts, one.bytes), both);
        }
        let mut one = day(6, 1, 10);
        one.add(&day(7, 2, 20));
        one.add(&day(6, 3, 30));
        assert_eq!((one.on(7), one.on(6)), ((2, 20), (4, 40)));
    }
}
