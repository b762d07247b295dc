//! What is over by the clock alone.

use super::{
    Act, Acts, HoldEnded, Manner, OutcomeKind, Stage, Withheld,
    decide::{about, by_itself, decided, not_begun, rehearsed},
};
use crate::{action::OnExpiry, ids::ActionId, protocol::Event, time::Timestamp};

impl Acts {
    /// Containments whose time is over and that were approved to be lifted without a question, as long as no
    /// undoing of them is under way; none while timers are held. Whoever lifts them sees to it that
    /// containment is not halted.
    pub fn lifts_due(&self) -> impl Iterator<Item = ActionId> {
        let all = self.iter().filter(|_| self.held_at().is_none());
        let due = all.filter(|(_, act)| {
            act.hold_ended_at.is_some()
                && act.on_expiry() == OnExpiry::Lift
                && act.is_effective()
                && !self.is_being_undone(act)
        });
        due.map(|(id, _)| id)
    }

    /// When the next containment that is lifted without a question comes to its end, or should have; `None` where
    /// there is none, or timers are held.
    pub fn next_lift(&self) -> Option<Timestamp> {
        let all = self.iter().filter(|_| self.held_at().is_none());
        let lifted = all.filter(|(_, act)| act.on_expiry() == OnExpiry::Lift);
        lifted.filter_map(|(_, act)| self.ends_at(act)).min()
    }

    /// When it is to be found that its time is over.
    fn ends_at(&self, act: &Act) -> Option<Timestamp> {
        let ends_at = act.hold_ends_at().filter(|_| act.hold_ended_at.is_none());
        ends_at.filter(|_| !self.is_being_undone(act))
    }
}

/// What is over: the time of containments, and approvals that nothing came of. An approval is good for as long as
/// its manifest is, and one that a caller waited for only while that call was answered, so where such a one is
/// found, a fall lies between.
pub(crate) fn over(acts: &Acts, now: Timestamp) -> impl Iterator<Item = Event> {
    acts.iter().filter_map(move |(_, act)| match act.stage {
        Stage::Approved if act.claim.is_some() => {
            let detail = "it was not begun while its caller waited";
            Some(not_begun(act, Withheld::Manifest, Some(detail)))
        }
        Stage::Approved if now > act.manifest.expires_at_ms => {
            let detail = "it was not begun before it expired";
            Some(not_begun(act, Withheld::Manifest, Some(detail)))
        }
        Stage::Begun {
            manner: Manner::DryRun | Manner::NoCredentials,
        } => Some(rehearsed(act)),
        Stage::Done { .. } => given_up(acts, act, now).or_else(|| hold_over(acts, act, now)),
        Stage::Approved
        | Stage::Begun {
            manner: Manner::Live,
        }
        | Stage::Withheld { .. }
        | Stage::Undone { .. } => None,
    })
}

/// What was looked for in vain for so long is looked for no more. What is to be lifted is followed until it is.
fn given_up(acts: &Acts, act: &Act, now: Timestamp) -> Option<Event> {
    let over = act.is_open() && act.followed_until() <= now && acts.held_at().is_none();
    let why = "it was looked for in vain until nobody looked any more";
    (over && !act.has_an_end_to_come()).then(|| by_itself(act, OutcomeKind::Unknown, why, true))
}

fn hold_over(acts: &Acts, act: &Act, now: Timestamp) -> Option<Event> {
    let ends_at = acts.ends_at(act).filter(|_| acts.held_at().is_none())?;
    let facts = HoldEnded {
        about: about(act),
        on_expiry: act.on_expiry(),
    };
    (ends_at <= now).then(|| Event::HoldEnded(decided(act, facts)))
}
