//! Actions on their way: begun once their approval is durable, carried once their intent is, and their
//! outcome told once that is. What the adapters do is theirs; what it means for the chain is decided here.

mod calling;
mod carrying;
mod gate;
mod ordering;
mod undoing;
mod watching;

use std::{collections::BTreeMap, sync::Arc};

use actix::Handler;
use tokio::{sync::oneshot, time::Instant};
use vyrox_domain::{
    containment::{Act, Stage, TimersReleased},
    ids::ActionId,
    protocol::{Command, Effect, Event},
    tenant::{TenantState, outstanding_effects},
};
use vyrox_journal::AppendError;
use vyrox_supervision::SupervisedContext;

use self::watching::Looks;
use super::{Machine, showing::tell, tell_failure};
use crate::{
    failpoint::{Step, reach},
    messages::{ActReported, ExecuteAnswer, ListActs, ReleaseTimers},
};

/// The most actions in one answer.
const LISTED_MAX: usize = 1_000;

/// A caller who waits for an outcome.
type Caller = oneshot::Sender<Result<ExecuteAnswer, AppendError>>;

/// What one generation of a machine knows of actions beside their state.
#[derive(Default)]
pub(super) struct Acting {
    /// Actions with which something is to be done once this entry is durable.
    due: BTreeMap<ActionId, u64>,
    /// Drives without an outcome.
    drives: BTreeMap<ActionId, Driven>,
    /// Who waits for which outcome.
    waiting: BTreeMap<ActionId, Caller>,
    /// What is read again, and when.
    looks: Looks,
    /// Containments whose time is over, with how often and until when their lifting was tried.
    lifts: BTreeMap<ActionId, (u32, Instant)>,
    /// Both clocks at the last look.
    clocks: Option<(Instant, vyrox_domain::time::Timestamp)>,
}

/// A drive without an outcome.
struct Driven {
    /// Since when this generation knows of it.
    since: Instant,
    /// It was begun by this generation, and nothing was sent before.
    fresh: bool,
    /// The generation of the adapter that was given it.
    handed: Option<u64>,
}

impl Acting {
    /// What is durable and not done: after a start, or after the journal had no room. What was known of
    /// intents that are durable is known still; whoever waits for another one is told that it is lost.
    pub(super) fn after_load(state: &TenantState, before: Self) -> Self {
        let due = outstanding_effects(state).into_iter();
        let due = due.filter_map(|effect| match effect {
            Effect::Begin { action_id } | Effect::Carry { action_id } => Some((action_id, 0)),
            Effect::Triage { .. } | Effect::Lift { .. } => None,
        });
        let begun = |id: &ActionId| {
            let act = state.acts.get(*id);
            act.is_some_and(|act| matches!(act.stage, Stage::Begun { .. }))
        };
        let (kept, lost): (BTreeMap<_, _>, BTreeMap<_, _>) =
            before.waiting.into_iter().partition(|(id, _)| begun(id));
        for caller in lost.into_values() {
            // Whoever asked may have gone.
            caller.send(Err(AppendError::Full)).ok();
        }
        let mut drives = before.drives;
        drives.retain(|id, _| begun(id));
        let handed = |id: &ActionId| drives.get(id).is_some_and(|it| it.handed.is_some());
        Self {
            due: due.filter(|(id, _)| !handed(id)).collect(),
            waiting: kept,
            drives,
            clocks: before.clocks,
            ..Self::default()
        }
    }

    /// Takes in what was decided; `seq` is the last entry's.
    pub(super) fn note(&mut self, events: &[Event], seq: u64) {
        for event in events {
            match event {
                Event::ApprovalGranted(granted) => {
                    self.due.insert(granted.facts.about.action_id, seq);
                }
                Event::ActBegun(begun) if !begun.facts.manner.is_rehearsal() => {
                    let id = begun.facts.about.action_id;
                    self.due.insert(id, seq);
                    let driven = Driven {
                        since: Instant::now(),
                        fresh: true,
                        handed: None,
                    };
                    self.drives.insert(id, driven);
                }
                Event::ActOutcome(outcome) => {
                    let id = outcome.facts.about.action_id;
                    self.due.remove(&id);
                    self.drives.remove(&id);
                    self.looks.forget(id);
                }
                _ => {}
            }
        }
    }
}

impl Machine {
    /// Makes events about actions so, and answers those who wait for the outcomes among them once they are
    /// durable.
    pub(super) fn settle(&mut self, events: &[Event], ctx: &SupervisedContext<Self>) {
        let answers: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::ActOutcome(outcome) => {
                    let caller = self.acting.waiting.remove(&outcome.facts.about.action_id)?;
                    let answer = ExecuteAnswer::Done {
                        outcome: outcome.facts.outcome,
                        rehearsal: outcome.action.dry_run,
                    };
                    Some((caller, answer))
                }
                _ => None,
            })
            .collect();
        let ended = events
            .iter()
            .any(|event| matches!(event, Event::ActOutcome(_)));
        let (machine, epoch) = (ctx.handle(), self.epoch());
        let told = Arc::clone(&self.told);
        self.commit(events, Vec::new(), move |durable, _| match durable {
            Ok(()) => {
                if ended {
                    reach(Step::OutcomeDurable);
                }
                for (caller, answer) in answers {
                    reach(Step::BeforeReply);
                    caller.send(Ok(answer)).ok();
                }
                tell(&machine, &told);
            }
            Err(error) => {
                for (caller, _) in answers {
                    caller.send(Err(error.clone())).ok();
                }
                tell_failure(&machine, epoch, error);
            }
        });
    }

    /// Tells those whose intents did not become durable that nothing was begun; all others wait for what is
    /// under way.
    pub(super) fn not_begun(&mut self, error: &AppendError) {
        let head = self.parts.world.journal.head(self.name().as_str());
        let is_durable = |seq: u64| head.is_some_and(|head| seq <= head.seq);
        let lacking = self.acting.due.iter().filter(|(id, seq)| {
            let drive = self.acting.drives.get(id);
            !is_durable(**seq) && drive.is_some_and(|drive| drive.fresh && drive.handed.is_none())
        });
        let lacking: Vec<_> = lacking.map(|(id, _)| *id).collect();
        for id in lacking {
            if let Some(caller) = self.acting.waiting.remove(&id) {
                // Whoever asked may have gone.
                caller.send(Err(error.clone())).ok();
            }
        }
    }

    /// Looks after everything that goes by time: intents that grow old, outcomes that are open, containments
    /// that are over. Called about once a second.
    pub(super) fn sweep_acts(&mut self, ctx: &SupervisedContext<Self>) {
        self.hand_again_after_falls();
        self.go_on_acting(ctx);
        self.give_up_old(ctx);
        self.lift_what_is_over(ctx);
        self.look_again(ctx);
    }
}

impl Handler<ActReported> for Machine {
    type Result = ();

    fn handle(&mut self, ActReported(report): ActReported, ctx: &mut Self::Context) {
        reach(Step::ReportTaken);
        self.idle_sweeps = 0;
        let Some(taker) = &self.taker else { return };
        if let Ok(events) = taker.decide(Command::RecordAct(Box::new(report))) {
            self.settle(&events, ctx);
        }
    }
}

impl Handler<ReleaseTimers> for Machine {
    type Result = ();

    fn handle(&mut self, ReleaseTimers { by, reply }: ReleaseTimers, ctx: &mut Self::Context) {
        self.idle_sweeps = 0;
        let Some(taker) = &self.taker else { return };
        let released = Command::ReleaseTimers(TimersReleased { by });
        let Ok(events) = taker.decide(released) else {
            reply.send(Ok(false)).ok();
            return;
        };
        let (machine, epoch) = (ctx.handle(), taker.epoch);
        self.commit(&events, Vec::new(), move |durable, _| {
            if let Err(error) = &durable {
                tell_failure(&machine, epoch, error.clone());
            }
            reply.send(durable.map(|()| true)).ok();
        });
    }
}

impl Handler<ListActs> for Machine {
    type Result = ();

    fn handle(&mut self, message: ListActs, _: &mut Self::Context) {
        let ListActs { only, limit, reply } = message;
        let Some(taker) = &self.taker else { return };
        let acts = &taker.state.acts;
        let copied = |(id, act): (ActionId, &Act)| (id, act.clone());
        let shown = if let Some(id) = only {
            let one = acts.get(id).map(|act| copied((id, act)));
            one.into_iter().collect()
        } else {
            let mut all: Vec<_> = acts.iter().collect();
            all.reverse();
            all.truncate(limit.min(LISTED_MAX));
            all.into_iter().map(copied).collect()
        };
        self.once_durable(move |durable| {
            if durable.is_ok() {
                // Whoever asked may have gone.
                reply.send(shown).ok();
            }
        });
    }
}
