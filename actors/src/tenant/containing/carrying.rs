//! From an approval to an intent, from an intent to the adapter, and what becomes of intents that nobody
//! answers for.

use std::time::Duration;

use tokio::time::Instant;
use vyrox_domain::{
    containment::{Act, ActReport, Begin, Manner, OutcomeKind, Stage},
    ids::ActionId,
    protocol::{Command, Refusal},
    tenant::TenantState,
};
use vyrox_supervision::SupervisedContext;

use super::{super::Machine, Driven};
use crate::{
    failpoint::{Step, reach},
    messages::Carry,
};

/// An intent without an outcome for so long gets one: an adapter ends sooner, if it can at all.
const TOO_OLD: Duration = Duration::from_secs(57);

/// What the vendor calls the action, or the one that it takes back.
pub(super) fn reference(state: &TenantState, act: &Act) -> Option<String> {
    let released = act.manifest.release.and_then(|release| release.of);
    let released = released.and_then(|id| state.acts.get(id));
    let own = act.reference.as_ref();
    own.or_else(|| released?.reference.as_ref()).cloned()
}

/// Whether the action takes back what may still be on its way to its host.
fn is_landing(state: &TenantState, act: &Act) -> bool {
    let released = act.manifest.release.and_then(|release| release.of);
    let released = released.and_then(|id| state.acts.get(id));
    let outcome = released.and_then(|released| released.stage.outcome());
    outcome.is_some_and(OutcomeKind::is_open)
}

impl Machine {
    /// Does what is due and durable.
    pub(in super::super) fn go_on_acting(&mut self, ctx: &SupervisedContext<Self>) {
        if self.acting.due.is_empty() {
            return;
        }
        let head = self.parts.world.journal.head(self.name().as_str());
        let durable = head.map_or(0, |head| head.seq);
        let ready = self.acting.due.iter().filter(|(_, seq)| **seq <= durable);
        let ready: Vec<ActionId> = ready.map(|(id, _)| *id).collect();
        for id in ready {
            let Some(taker) = &self.taker else { return };
            let act = taker.state.acts.get(id);
            if act.is_some_and(|act| self.awaits_witnesses(act)) {
                continue;
            }
            match act.map(|act| act.stage) {
                Some(Stage::Approved) => {
                    self.acting.due.remove(&id);
                    self.begin(id, ctx);
                }
                Some(Stage::Begun {
                    manner: Manner::Live,
                }) => {
                    if self.carry(id, ctx) {
                        self.acting.due.remove(&id);
                    }
                }
                Some(
                    Stage::Begun {
                        manner: Manner::DryRun | Manner::NoCredentials,
                    }
                    | Stage::Withheld { .. }
                    | Stage::Done { .. }
                    | Stage::Undone { .. },
                )
                | None => {
                    self.acting.due.remove(&id);
                }
            }
        }
    }

    /// Whether it stays owed until the witnesses of the log were asked, and for a while longer where the word of one is
    /// needed: what is withheld or ended by a doubt that is gone in a moment would never be done. A person's order to take something back waits for nobody.
    fn awaits_witnesses(&self, act: &Act) -> bool {
        let by = act.approved_by.as_deref();
        let by_person = by.is_some_and(|by| by.starts_with("person:"));
        let is_lifted = act.manifest.release.is_some() && by_person;
        let is_owed = match act.stage {
            Stage::Approved => true,
            Stage::Begun { manner } => manner == Manner::Live && !is_lifted,
            Stage::Withheld { .. } | Stage::Done { .. } | Stage::Undone { .. } => false,
        };
        is_owed && self.parts.world.integrity.is_asking()
    }

    fn begin(&mut self, id: ActionId, ctx: &SupervisedContext<Self>) {
        reach(Step::Approved);
        self.watch_clock(ctx);
        let Some(taker) = &self.taker else { return };
        let Some(act) = taker.state.acts.get(id) else {
            return;
        };
        let begin = Begin {
            action_id: id,
            flaw: self.flaw(&act.jws),
            gate: self.gate(act.manifest.vendor, act.manifest.dry_run),
        };
        match taker.decide(Command::Begin(Box::new(begin))) {
            Ok(events) => {
                reach(Step::BeforeIntent);
                self.settle(&events, ctx);
            }
            // Its turn comes when something else has its outcome, or its manifest runs out.
            Err(Refusal::Withheld(_)) => {
                self.acting.due.insert(id, 0);
            }
            Err(refusal) => {
                tracing::warn!(tenant = %self.name(), action_id = %id, %refusal, "an approved action is not begun");
            }
        }
    }

    /// Hands a durable intent to its adapter; false if that has no room, or is not there.
    fn carry(&mut self, id: ActionId, ctx: &SupervisedContext<Self>) -> bool {
        reach(Step::IntentDurable);
        let Some(taker) = &self.taker else {
            return false;
        };
        let Some(act) = taker.state.acts.get(id) else {
            return false;
        };
        let driven = self.acting.drives.entry(id).or_insert_with(|| Driven {
            since: Instant::now(),
            fresh: false,
            handed: None,
        });
        let Some(adapter) = self.parts.adapters.get(act.manifest.vendor) else {
            return false;
        };
        let carry = Carry {
            action_id: id,
            drive: act.drives,
            jws: act.jws.clone(),
            manifest: act.manifest.clone(),
            reference: reference(&taker.state, act),
            // What an adapter was given before, it may have begun.
            reconcile: !driven.fresh || driven.handed.is_some() || act.doubtful,
            // A caller who was told of an error may have turned to somebody else by now.
            may_send: driven.fresh || act.claim.is_none(),
            waited_for: act.claim.as_ref().map(|_| ctx.generation()),
            // However often it was handed over: the machine counts from the first time.
            send_before: driven.since + TOO_OLD,
            landing: is_landing(&taker.state, act),
            machine: ctx.handle(),
        };
        let generation = adapter.snapshot().generation;
        let handed = adapter.try_cast(carry).is_ok();
        if handed {
            driven.handed = Some(generation);
        }
        handed
    }

    /// What an adapter had when it fell is handed to it again: the message may have gone with it. One that
    /// has it all the same takes it for what it is.
    pub(super) fn hand_again_after_falls(&mut self) {
        let Some(taker) = &self.taker else { return };
        for (id, driven) in &self.acting.drives {
            let act = taker.state.acts.get(*id);
            let adapter = act.and_then(|act| self.parts.adapters.get(act.manifest.vendor));
            let now = adapter.map(|adapter| adapter.snapshot().generation);
            if driven.handed.is_some() && driven.handed != now {
                self.acting.due.insert(*id, 0);
            }
        }
    }

    /// An intent that no adapter answers for in time gets its outcome here; what the adapter says later
    /// counts all the same.
    pub(super) fn give_up_old(&mut self, ctx: &SupervisedContext<Self>) {
        // By the time since it was handed over, which after a fall is the load: what reads the vendor must not be
        // overtaken, or it would send what has its outcome already.
        let old = self.acting.drives.iter();
        let old = old.filter(|(_, driven)| driven.since.elapsed() >= TOO_OLD);
        let old: Vec<_> = old
            .map(|(id, driven)| (*id, driven.handed.is_some() || !driven.fresh))
            .collect();
        for (id, maybe_sent) in old {
            self.acting.drives.remove(&id);
            let Some(taker) = &self.taker else { return };
            let Some(act) = taker.state.acts.get(id) else {
                continue;
            };
            let (outcome, why) = if maybe_sent {
                (OutcomeKind::Unknown, "its adapter gives no answer")
            } else {
                (OutcomeKind::Unreachable, "there is no adapter to carry it")
            };
            let report = ActReport {
                action_id: id,
                drive: act.drives,
                outcome,
                observed: None,
                reference: None,
                status: None,
                why: Some(why.into()),
                sent: 0,
                reconciled: false,
            };
            if let Ok(events) = taker.decide(Command::RecordAct(Box::new(report))) {
                self.settle(&events, ctx);
            }
        }
    }
}
