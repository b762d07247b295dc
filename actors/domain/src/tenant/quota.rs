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

/// What came in on the last day on which anything did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenIn {
    /// Which day, counted from the epoch (UTC).
    pub day: u64,
    /// Alerts, and bodies that are no alerts.
    pub alerts: u64,
    /// Bytes of their evidence.
    pub bytes: u64,
    /// When it was last written down that something was refused.
    pub refusal_noted_at: Option<Timestamp>,
}

impl TakenIn {
    /// Adds what came in on another chain of the same tenant.
    pub fn add(&mut self, other: &Self) {
        if other.day > self.day {
            (self.day, self.alerts, self.bytes) = (other.day, other.alerts, other.bytes);
        } else if other.day == self.day {
            self.alerts = self.alerts.saturating_add(other.alerts);
            self.bytes = self.bytes.saturating_add(other.bytes);
        }
        self.refusal_noted_at = self.refusal_noted_at.max(other.refusal_noted_at);
    }

    /// How much came in on that day. A clock that was set back by up to a day gives nothing anew; one
    /// that was set back by more begins its own day, or a slip into the future would bar intake for good.
    fn on(&self, day: u64) -> (u64, u64) {
        let same = day <= self.day && self.day.saturating_sub(day) <= 1;
        if same {
            (self.alerts, self.bytes)
        } else {
            (0, 0)
        }
    }

    fn count(&mut self, day: u64, bytes: u64) {
        let (alerts, before) = self.on(day);
        if alerts == 0 {
            self.day = day;
        }
        self.alerts = alerts.saturating_add(1);
        self.bytes = before.saturating_add(bytes);
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
            refusal_noted_at: None,
        };
        for (mut one, other, both) in [
            (day(7, 1, 10), day(7, 2, 20), day(7, 3, 30)),
            (day(7, 1, 10), day(6, 2, 20), day(7, 1, 10)),
            (day(6, 1, 10), day(7, 2, 20), day(7, 2, 20)),
        ] {
            one.add(&other);
            assert_eq!(one, both);
        }
    }
}
