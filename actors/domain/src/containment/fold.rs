//! Entries about actions, made so.

use std::sync::Arc;

use super::{
    Act, ActBegun, ActDrifted, ActOrdered, ActOutcome, ActWithheld, Acts, ClockJumped, HoldEnded,
    OutcomeKind, Stage, budget::kept_age,
};
use crate::{
    action::ActionManifest,
    ids::ActionId,
    protocol::ApprovalGranted,
    sla::{Expiry, FallbackReason},
    time::Timestamp,
};

/// The most actions that are kept, but for those that are under way or hold something down.
const ACTS_MAX: usize = 2048;
/// The most that are kept of all. The next to go are those that hold something down without an end and cut no
/// host off (a blocked file): they stay in force at the vendor's, and are known from the chain alone.
const ACTS_MAX_OF_ALL: usize = 8192;

impl Acts {
    /// People approved what was proposed.
    pub(crate) fn approve(
        &mut self,
        manifest: &ActionManifest,
        granted: &ApprovalGranted,
        at: Timestamp,
    ) {
        let last = granted.approvers.last();
        let by = last.map(|person| format!("person:{person}"));
        let what = (manifest, granted.about.manifest_sha256);
        self.insert(Act::approved(what, (&granted.jws, by), at));
    }

    /// Somebody ordered it.
    pub(crate) fn order(&mut self, ordered: &ActOrdered, at: Timestamp) {
        let act = Act::ordered(ordered, at);
        let id = act.manifest.action_id;
        if let Some(made) = &ordered.claim {
            self.make_claim(made, id);
        }
        self.is_undoing(&act);
        self.insert(act);
    }

    /// It is about to be done.
    pub(crate) fn begin(&mut self, begun: &ActBegun, at: Timestamp) {
        let Some(act) = self.act_mut(begun.about.action_id) else {
            return;
        };
        act.doubtful |= act.stage.outcome() == Some(OutcomeKind::Unknown);
        stand(
            act,
            Stage::Begun {
                manner: begun.manner,
            },
            at,
        );
        act.manner = Some(begun.manner);
        act.drives = begun.drive;
        act.why = None;
        (act.in_force_since, act.hold_ended_at, act.drifted_at) = (None, None, None);
        act.given_up = false;
        // Whoever has it driven again wants it done, whatever the first caller was told.
        if begun.by.is_some() {
            act.claim = None;
        }
        let act = act.clone();
        self.is_undoing(&act);
        let release = act.is_release();
        if !release || act.claim.is_some() {
            self.count(release, at);
        }
    }

    /// It was not begun.
    pub(crate) fn withhold(&mut self, withheld: &ActWithheld, at: Timestamp) {
        let id = withheld.about.action_id;
        let Some(act) = self.act_mut(id) else { return };
        stand(act, Stage::Withheld { why: withheld.why }, at);
        act.why.clone_from(&withheld.detail);
        if let Some(key) = act.claim.take() {
            self.drop_claim(&key, id);
        }
    }

    /// There is an outcome.
    pub(crate) fn end(&mut self, ended: &ActOutcome, at: Timestamp) {
        let (id, outcome) = (ended.about.action_id, ended.outcome);
        let Some(act) = self.act_mut(id) else { return };
        let was_unknown = act.stage.outcome() == Some(OutcomeKind::Unknown);
        let surely_ours = ended.sent > 0 || act.doubtful || was_unknown;
        // That nobody looks any more is no other outcome: people were called for this one.
        if !ended.given_up || act.stage.outcome() != Some(outcome) {
            stand(act, Stage::Done { outcome }, at);
        }
        act.given_up = ended.given_up;
        act.doubtful &= outcome == OutcomeKind::Unknown;
        act.why.clone_from(&ended.why);
        if ended.observed.is_some() {
            act.observed.clone_from(&ended.observed);
        }
        if ended.reference.is_some() {
            act.reference.clone_from(&ended.reference);
        }
        if !act.is_release() && matches!(outcome, OutcomeKind::Executed | OutcomeKind::Accepted) {
            if act.in_force_since.is_none() {
                act.perhaps_others = !surely_ours;
            }
            act.in_force_since.get_or_insert(at);
        }
        if !outcome.is_open() && !act.stage.is_redrivable() {
            act.jws.clear();
        }
        let (claim, released) = (act.claim.clone(), act.releases());
        if let Some(key) = claim {
            self.answer_claim((&key, id), outcome, at);
        }
        let undone = matches!(outcome, OutcomeKind::Executed | OutcomeKind::AlreadySo);
        let released = released.filter(|_| undone);
        let released = released.and_then(|id| self.act_mut(id));
        // One that is driven again meanwhile gets an outcome of its own.
        if let Some(released) = released.filter(|act| !act.stage.is_begun()) {
            stand(released, Stage::Undone { by: id }, at);
            released.jws.clear();
        }
    }

    /// It is no more in force, and not by us; or it is again.
    pub(crate) fn drift(&mut self, drifted: &ActDrifted, at: Timestamp) {
        if let Some(act) = self.act_mut(drifted.about.action_id) {
            act.drifted_at = (!drifted.back).then_some(at);
            act.observed = Some(drifted.observed.clone());
        }
    }

    /// Somebody was called for what became of it.
    pub(crate) fn tell_call(&mut self, reason: FallbackReason, of: Expiry) {
        if let Some(act) = self.act_mut(of.action_id) {
            act.called.insert(reason, of.at);
        }
    }

    /// Its time is over.
    pub(crate) fn end_hold(&mut self, ended: &HoldEnded, at: Timestamp) {
        if let Some(act) = self.act_mut(ended.about.action_id) {
            act.hold_ended_at = Some(at);
        }
    }

    /// The clock was set: time stands still at what it should have said.
    pub(crate) fn hold_timers(&mut self, jumped: &ClockJumped) {
        self.held_at.get_or_insert(jumped.expected_ms);
    }

    /// Somebody has looked at the clock: what it says now holds, and nothing lies ahead of it. A containment is
    /// over when the clock says so; budgets and callers' requests take no notice of what it went ahead or back.
    pub(crate) fn release_timers(&mut self, at: Timestamp) {
        let held_at = self.held_at.take();
        self.count_on(held_at, at);
        for act in self.by_id.values_mut() {
            if act.in_force_since.is_some_and(|since| since > at) {
                Arc::make_mut(act).in_force_since = Some(at);
            }
            // What is looked for is not given up because the clock went ahead.
            if act.is_open() {
                let act = Arc::make_mut(act);
                act.since = kept_age(act.since, held_at, at);
            }
        }
        for claim in self.claims.values_mut() {
            if let Some((_, answered)) = &mut claim.answered {
                *answered = kept_age(*answered, held_at, at);
            }
        }
    }

    /// Where this is an undoing, what it undoes knows of it.
    fn is_undoing(&mut self, act: &Act) {
        let released = act.releases().and_then(|id| self.act_mut(id));
        if let Some(released) = released {
            released.undoing = Some(act.manifest.action_id);
        }
    }

    fn act_mut(&mut self, id: ActionId) -> Option<&mut Act> {
        self.by_id.get_mut(&id).map(Arc::make_mut)
    }

    fn insert(&mut self, act: Act) {
        self.by_id.insert(act.manifest.action_id, Arc::new(act));
        while self.by_id.len() > ACTS_MAX {
            let Some(id) = self.goes() else { return };
            self.by_id.remove(&id);
        }
    }

    /// Which one goes first where there are too many.
    fn goes(&self) -> Option<ActionId> {
        let mut over = self.iter();
        let over = over.find(|(_, act)| !act.is_unsettled() && !act.is_lasting());
        let endless = || {
            let mut all = self.iter();
            all.find(|(_, act)| !act.is_unsettled() && !act.cuts_off())
        };
        let too_many = self.by_id.len() > ACTS_MAX_OF_ALL;
        let goes = over.or_else(|| too_many.then(endless).flatten());
        goes.map(|(id, _)| id)
    }
}

fn stand(act: &mut Act, stage: Stage, at: Timestamp) {
    act.stage = stage;
    act.since = at;
}
