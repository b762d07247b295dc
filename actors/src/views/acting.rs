//! What happens to actions that were approved, folded into the view of their alert.

use vyrox_domain::{
    containment::ActOutcome, ids::ActionId, notice::Standing, protocol::Event, time::Timestamp,
};

use super::{ActView, AlertView};

impl AlertView {
    /// Something happened to an action that was approved.
    pub(super) fn acted(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::ActOrdered(ordered) => match ordered.manifest.release {
                // Whoever ordered it is no person of ours.
                None => {
                    let approved = Standing::Approved { by: Vec::new() };
                    self.proposed(&ordered.manifest, ordered.manifest_sha256, approved);
                    let by = Some(ordered.by.clone());
                    let action = ordered.manifest.action_id;
                    self.change(action, at, |act, _| act.ordered_by.clone_from(&by));
                }
                Some(release) => {
                    let undoing = Some(ordered.manifest.action_id);
                    self.undone(release.of, at, |act| {
                        (act.undoing, act.undoing_outcome) = (undoing, None);
                    });
                }
            },
            // A rehearsal begins and ends in one breath.
            Event::ActBegun(begun) if begun.facts.manner.is_rehearsal() => {}
            Event::ActBegun(begun) => {
                let action = begun.facts.about.action_id;
                self.change(action, at, |act, _| act.begun(&begun.facts, at));
            }
            Event::ActWithheld(withheld) => {
                let action = withheld.facts.about.action_id;
                self.change(action, at, |act, _| act.withheld(&withheld.facts, at));
            }
            Event::ActOutcome(outcome) => self.ended(&outcome.facts, at),
            Event::ActDrifted(drifted) => {
                let action = drifted.facts.about.action_id;
                self.change(action, at, |act, _| {
                    act.drifted_at_ms = (!drifted.facts.back).then_some(at);
                    act.observed = Some(drifted.facts.observed.clone());
                });
            }
            Event::HoldEnded(ended) => {
                let action = ended.facts.about.action_id;
                self.change(action, at, |act, _| act.hold_ended_at_ms = Some(at));
            }
            _ => {}
        }
    }

    fn ended(&mut self, outcome: &ActOutcome, at: Timestamp) {
        match outcome.about.release {
            None => {
                let action = outcome.about.action_id;
                self.change(action, at, |act, hold| act.ended(outcome, hold, at));
            }
            Some(release) => self.undone(release.of, at, |act| act.undoing_ended(outcome, at)),
        }
    }

    /// Something is done about taking this action back.
    fn undone(&mut self, of: Option<ActionId>, at: Timestamp, change: impl Fn(&mut ActView)) {
        if let Some(action) = of {
            self.change(action, at, |act, _| change(act));
        }
    }

    /// Changes what is shown of an action, which was approved at `at` if nothing is shown yet, and of which
    /// `change` is told for how many minutes it holds.
    fn change(&mut self, action: ActionId, at: Timestamp, change: impl Fn(&mut ActView, u32)) {
        let is_last = self.is_last(action);
        let mut status = None;
        for proposal in self.shown(action) {
            let hold = proposal.hold_minutes;
            let act = proposal.act.get_or_insert_with(|| ActView::new(at));
            change(act, hold);
            status = Some(act.state.status());
        }
        if let Some(status) = status.filter(|_| is_last) {
            self.status = status;
        }
    }
}
