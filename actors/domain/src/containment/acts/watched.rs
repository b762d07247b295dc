//! What is looked at again at the vendor's.

use super::{Act, Acts, FOLLOWED_MS, UNDOING_HANGS_MS};
use crate::{containment::OutcomeKind, time::Timestamp};

impl Acts {
    /// Whether its undoing was taken by the vendor a while ago and the host does not comply: a person may have it
    /// undone once more.
    pub(in crate::containment) fn undoing_hangs(&self, act: &Act, now: Timestamp) -> bool {
        let undoing = act.undoing.and_then(|id| self.get(id));
        undoing.is_some_and(|undoing| {
            undoing.stage.outcome() == Some(OutcomeKind::Accepted)
                && undoing.since.plus_ms(UNDOING_HANGS_MS) <= now
        })
    }

    /// Whether it is in force as far as we know, and somebody may release it behind our back.
    pub fn is_watched(&self, act: &Act) -> bool {
        let executed = act.stage.outcome() == Some(OutcomeKind::Executed);
        executed && act.is_lasting() && !self.is_being_undone(act)
    }

    /// Whether it was found released behind our back lately, so that it may yet be found in force again.
    pub fn may_come_back(&self, act: &Act, now: Timestamp) -> bool {
        let executed = act.stage.outcome() == Some(OutcomeKind::Executed) && !act.is_release();
        let lately = |at: Timestamp| at.plus_ms(FOLLOWED_MS) > now;
        executed && act.drifted_at.is_some_and(lately) && !self.is_being_undone(act)
    }

    /// How many hosts' containments are watched.
    pub fn watched(&self) -> usize {
        let all = self.by_id.values();
        all.filter(|act| act.cuts_off() && self.is_watched(act))
            .count()
    }
}
