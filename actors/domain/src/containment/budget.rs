//! How many actions begin within an hour and a day, how many at once, and how many hosts are cut off.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::{Act, Acts, ContainmentLimits, Withheld, acts::cuts_off};
use crate::{ids::ActionId, time::Timestamp};

/// Milliseconds of an hour.
pub(super) const HOUR_MS: u64 = 60 * 60 * 1000;
/// Milliseconds of a day.
pub(super) const DAY_MS: u64 = 24 * HOUR_MS;
/// The most beginnings that are remembered, and so the most that any budget is worth.
const BEGUN_MAX: usize = 100_000;

/// When actions of one kind were begun, the last day's, never falling.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Begun(VecDeque<Timestamp>);

impl ContainmentLimits {
    /// What callers may use of these limits: three quarters, rounded up. The rest is kept for what people have
    /// approved, so that a flood of requests cannot use up what an incident needs.
    #[must_use]
    pub fn callers_share(&self) -> Self {
        let share = |limit: u32| limit.saturating_sub(limit / 4);
        Self {
            per_hour: share(self.per_hour),
            per_day: share(self.per_day),
            concurrent: share(self.concurrent),
            contained_hosts: share(self.contained_hosts),
            protected_hosts: share(self.protected_hosts),
            claim_ms: self.claim_ms,
        }
    }
}

impl Acts {
    /// When the budgets of the hour and the day have room for one more; not after `now` where they have it
    /// already. `None` where nobody can tell: a budget is none at all, or timers are held.
    pub fn room_again(&self, now: Timestamp, limits: &ContainmentLimits) -> Option<Timestamp> {
        self.room_beside(&self.begun, now, limits)
    }

    /// The same for what callers have undone, which has budgets of its own of the same size.
    pub fn room_to_undo_again(
        &self,
        now: Timestamp,
        limits: &ContainmentLimits,
    ) -> Option<Timestamp> {
        self.room_beside(&self.undone, now, limits)
    }

    fn room_beside(
        &self,
        begun: &Begun,
        now: Timestamp,
        limits: &ContainmentLimits,
    ) -> Option<Timestamp> {
        let hour = begun.room_in(HOUR_MS, limits.per_hour)?;
        let day = begun.room_in(DAY_MS, limits.per_day)?;
        let again = hour.max(day);
        (self.held_at.is_none() || again <= self.trusted(now)).then_some(again)
    }

    /// Which budget has no room for this action, if any. What a caller waits for (`for_caller`) has less room, and
    /// its undoings are counted: a person or a timer that takes something back is never short of room for it but
    /// where too much is under way.
    pub(super) fn over_budget(
        &self,
        act: &Act,
        (limits, for_caller): (&ContainmentLimits, bool),
        now: Timestamp,
    ) -> Option<Withheld> {
        let own = act.manifest.action_id;
        let release = act.is_release();
        let share = limits.callers_share();
        let limits = if for_caller { &share } else { limits };
        let begun = if release { &self.undone } else { &self.begun };
        if !release || for_caller {
            let now = self.trusted(now);
            if !begun.has_room(HOUR_MS, limits.per_hour, now) {
                return Some(Withheld::HourBudget);
            }
            if !begun.has_room(DAY_MS, limits.per_day, now) {
                return Some(Withheld::DayBudget);
            }
        }
        let begun = self.iter().filter(|(_, act)| act.stage.is_begun()).count();
        if begun >= size(limits.concurrent) {
            return Some(Withheld::Concurrent);
        }
        if release || !cuts_off(act.manifest.action_type) {
            return None;
        }
        let target = act.manifest.target_urn.as_str();
        if is_one_too_many(&self.cut_off(own, false), target, limits.contained_hosts) {
            return Some(Withheld::ContainedHosts);
        }
        let protected = act.manifest.protected.is_some();
        let one_too_many =
            || is_one_too_many(&self.cut_off(own, true), target, limits.protected_hosts);
        (protected && one_too_many()).then_some(Withheld::ProtectedHosts)
    }

    /// One more was begun: a deed, or the undoing of one.
    pub(super) fn count(&mut self, release: bool, at: Timestamp) {
        let at = self.trusted(at);
        if release {
            self.undone.count(at);
        } else {
            self.begun.count(at);
        }
    }

    /// Timers run again at `at`. What was begun keeps its age, as though no time had gone by meanwhile, so that
    /// setting the clock gives no budget anew; and nothing lies ahead of a clock that somebody has looked at.
    pub(super) fn count_on(&mut self, held_at: Option<Timestamp>, at: Timestamp) {
        for begun in self.begun.0.iter_mut().chain(&mut self.undone.0) {
            *begun = kept_age(*begun, held_at, at);
        }
    }

    /// Whether a beginning is written down that lies ahead of the clock.
    pub(super) fn is_ahead_of(&self, now: Timestamp) -> bool {
        let last = [self.begun.0.back(), self.undone.0.back()];
        last.into_iter().flatten().any(|last| *last > now)
    }

    /// Hosts that other actions cut off, or are about to.
    fn cut_off(&self, own: ActionId, protected: bool) -> BTreeSet<&str> {
        let others = self.iter().filter(|(id, act)| *id != own && act.cuts_off());
        let others = others.filter(|(_, act)| !protected || act.manifest.protected.is_some());
        others
            .map(|(_, act)| act.manifest.target_urn.as_str())
            .collect()
    }
}

impl Begun {
    /// One more was begun. A clock that went back makes nothing older than it is.
    fn count(&mut self, at: Timestamp) {
        let at = self.0.back().map_or(at, |last| at.max(*last));
        while self.0.len() >= BEGUN_MAX {
            self.0.pop_front();
        }
        let over = |first: &Timestamp| first.plus_ms(DAY_MS) <= at;
        while self.0.front().is_some_and(over) {
            self.0.pop_front();
        }
        self.0.push_back(at);
    }

    fn has_room(&self, window_ms: u64, limit: u32, now: Timestamp) -> bool {
        let again = self.room_in(window_ms, limit);
        again.is_some_and(|again| again <= now)
    }

    /// From when on the window has room: once the one that fills it is as old as the window is long.
    fn room_in(&self, window_ms: u64, limit: u32) -> Option<Timestamp> {
        let limit = size(limit).min(BEGUN_MAX);
        if limit == 0 {
            return None;
        }
        let at = self.0.len().checked_sub(limit);
        let fills = at.and_then(|at| self.0.get(at));
        Some(fills.map_or(Timestamp::from_ms(0), |at| at.plus_ms(window_ms)))
    }
}

/// The moment that is as long before `at` as `then` was before the clock stood still; where it did not stand still,
/// `then`, but not after `at`.
pub(super) fn kept_age(then: Timestamp, held_at: Option<Timestamp>, at: Timestamp) -> Timestamp {
    match held_at {
        Some(held) => {
            let age_ms = held.ms().saturating_sub(then.ms());
            Timestamp::from_ms(at.ms().saturating_sub(age_ms))
        }
        None => then.min(at),
    }
}

/// A host that is cut off already is no further one.
fn is_one_too_many(hosts: &BTreeSet<&str>, target: &str, limit: u32) -> bool {
    !hosts.contains(target) && hosts.len() >= size(limit)
}

fn size(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
