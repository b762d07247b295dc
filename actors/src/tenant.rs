//! A tenant's machine: the only writer of its chain. It decides and applies at memory speed; the journal's callback
//! releases answers and effects once their entries are durable. When an append fails, everything since is discarded:
//! the generation ends and the next one is rebuilt from what is durable.

mod kept;
mod outstanding;
mod owed;

mod answering;
mod asking;
mod cases;
mod containing;
mod deciding;
mod enriching;
mod erasing;
mod noting;
mod polled;
mod released;
mod showing;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use actix::{Actor, ActorFutureExt as _, AsyncContext as _, Handler, WrapFuture as _};
use arc_swap::ArcSwapOption;
use vyrox_domain::{
    host_protocol::RepairOrdered,
    ids::{AlertId, TenantId},
    notice::Notice,
    protocol::{Command, Event, Undecided},
    tenant::outstanding_effects,
};
use vyrox_journal::{AppendError, Class};
use vyrox_supervision::{Handle, SupervisedContext};

pub use self::answering::ListIncidents;
use self::{
    cases::InReview,
    containing::Acting,
    deciding::Refused,
    enriching::Enriching,
    outstanding::outstanding,
    owed::Owed,
    released::{Released, tell_failure},
    showing::{Handed, concerned, tell},
};
use crate::{
    edr_adapter::Adapters,
    intake::{Outcome, Taker},
    keyring::TenantKeys,
    loading::{LoadError, Loaded, after, chain_opened, load},
    messages::{AppendFailed, Receive, Reject},
    notifier::Notifier,
    ports::World,
    reviewer::Reviewer,
    router::{Passivate, Tenants},
    triage_engine::TriageEngine,
};

const SWEEP: Duration = Duration::from_secs(1);

/// What a machine is made of; the factory keeps it over all generations.
pub struct MachineParts {
    /// The world.
    pub world: Arc<World>,
    /// The tenant.
    pub keys: Arc<TenantKeys>,
    /// Stage 1 of this tenant.
    pub triage: Handle<TriageEngine>,
    /// Stage 2 of this tenant, where a model is configured.
    pub reviewer: Option<Handle<Reviewer>>,
    /// Who tells people, where there is a way to.
    pub notifier: Option<Handle<Notifier>>,
    /// Who carries actions out.
    pub adapters: Adapters,
    /// Who is told when there is nothing more to do.
    pub tenants: Handle<Tenants>,
    /// What is still to be done or waited for; read by whoever decides whether the tenant may rest.
    pub owed: Arc<AtomicU64>,
    /// Since when the machine knows its state, in Unix milliseconds; 0 while it loads.
    pub loaded_at_ms: Arc<AtomicU64>,
    /// The last order to repair its chain.
    pub repair: Option<RepairOrdered>,
    /// An action that is under way, for whoever suspends the tenant.
    pub under_way: Arc<ArcSwapOption<Notice>>,
}

/// The actor.
pub struct Machine {
    parts: Arc<MachineParts>,
    taker: Option<Taker>,
    owed: Owed,
    /// Alerts that stage 2 has been asked about.
    in_review: HashMap<AlertId, InReview>,
    enriching: Enriching,
    /// What the notifier has.
    handed: Handed,
    /// Actions on their way.
    acting: Acting,
    /// Evidence is being erased.
    erasing: bool,
    /// Refused decisions of late.
    refused: Refused,
    /// A word that people must be told is on its way to this machine.
    told: Arc<AtomicBool>,
    /// The generation of stage 1 at the last look.
    stage1: u64,
    /// Refusals for want of room since an append was last not refused.
    refusals: u32,
    refused_lately: bool,
    idle_sweeps: u64,
}

/// The first pause before a machine starts over because the journal had no room; each further one is
/// twice as long, up to 4 s.
const NO_ROOM_PAUSE: Duration = Duration::from_millis(250);
/// So often a disk is asked again before the machine falls: intake goes on without it.
const ASKED_AGAIN: u32 = 4;

impl Machine {
    /// A machine that knows nothing yet; it loads its state when it starts.
    pub fn new(parts: Arc<MachineParts>) -> Self {
        Self {
            parts,
            taker: None,
            owed: Owed::default(),
            in_review: HashMap::new(),
            enriching: Enriching::new(),
            handed: Handed::default(),
            acting: Acting::default(),
            erasing: false,
            refused: Refused::default(),
            told: Arc::default(),
            stage1: 0,
            refusals: 0,
            refused_lately: false,
            idle_sweeps: 0,
        }
    }

    fn name(&self) -> &TenantId {
        &self.parts.keys.tenant
    }

    /// Rebuilds everything from the journal, under a new epoch. The lanes hold their messages until
    /// that is done.
    fn reload(&mut self, ctx: &mut SupervisedContext<Self>) {
        self.taker = None;
        self.parts.loaded_at_ms.store(0, Ordering::Release);
        let (world, tenant) = (Arc::clone(&self.parts.world), self.name().clone());
        let pause = self
            .refusals
            .checked_sub(1)
            .map(|n| NO_ROOM_PAUSE * (1 << n.min(4)));
        let repair = self.parts.repair.clone();
        let load = after(pause, move || load(&world, &tenant, repair.as_ref()));
        let go_on = load
            .into_actor(self)
            .map(|loaded, machine, ctx| match loaded {
                Ok(loaded) => machine.go_on(loaded, ctx),
                Err(LoadError::NoRoom) => machine.pause(ctx),
                Err(LoadError::NoAnswer(_)) if machine.refusals < ASKED_AGAIN => machine.pause(ctx),
                Err(error) => ctx.fail(error.to_string()),
            });
        ctx.wait(go_on);
    }

    /// Starts over in a while: there was no room, or a disk that gave no answer.
    fn pause(&mut self, ctx: &mut SupervisedContext<Self>) {
        self.refusals = self.refusals.saturating_add(1);
        self.refused_lately = true;
        self.reload(ctx);
    }

    /// Goes on from what is durable: at the start, and after the journal had no room.
    fn go_on(&mut self, loaded: Loaded, ctx: &mut SupervisedContext<Self>) {
        self.owed = Owed::new(cases::owed(&outstanding_effects(&loaded.state)));
        self.in_review.clear();
        self.enriching.clear();
        let acting = std::mem::take(&mut self.acting);
        self.acting = Acting::after_load(&loaded.state, acting);
        self.stage1 = self.parts.triage.snapshot().generation;
        let parts = &self.parts;
        self.taker = Some(Taker::new(&parts.world, &parts.keys, loaded));
        let now_ms = parts.world.now().ms();
        parts.loaded_at_ms.store(now_ms, Ordering::Release);
        self.carry_out(Command::OpenChain(chain_opened(&self.parts.keys)), ctx);
        self.show_under_way();
        self.hand_anew();
        self.tell_people();
        self.compare_clock(ctx);
        self.watch_clock(ctx);
        self.go_on_acting(ctx);
        self.complete_erasure(ctx);
        self.ask_next(ctx);
    }

    /// Decides, applies and appends a command that nobody waits for; gives what happened.
    fn carry_out(&mut self, command: Command, ctx: &SupervisedContext<Self>) -> Vec<Event> {
        self.carry_out_with(command, Vec::new(), ctx)
    }

    /// The same with what is kept beside the entries.
    fn carry_out_with(
        &mut self,
        command: Command,
        attachments: Vec<Vec<u8>>,
        ctx: &SupervisedContext<Self>,
    ) -> Vec<Event> {
        let decided = self.taker.as_ref().map(|taker| taker.decide(command));
        let Some(Ok(events)) = decided else {
            return Vec::new();
        };
        let (machine, epoch) = (ctx.handle(), self.epoch());
        let told = Arc::clone(&self.told);
        self.commit(
            &events,
            attachments,
            move |durable, matters| match durable {
                Ok(()) if matters => tell(&machine, &told),
                Ok(()) => {}
                Err(error) => tell_failure(&machine, epoch, error),
            },
        );
        events
    }

    /// Makes events so and appends them. `then` learns whether they are durable, and whether they say
    /// something that people must see.
    fn commit(
        &mut self,
        events: &[Event],
        attachments: Vec<Vec<u8>>,
        then: impl FnOnce(Result<(), AppendError>, bool) + Send + 'static,
    ) {
        let Some(taker) = &mut self.taker else { return };
        // The callback may run before this returns, and asks the machine by a message: what it finds is
        // noted by then.
        let grown = showing::grown(events);
        let will_matter = showing::may_concern(events);
        taker.commit(events, attachments, move |durable| {
            then(durable, will_matter);
        });
        self.handed.due.extend(concerned(&taker.state, events));
        self.acting
            .note(events, taker.state.next_seq.saturating_sub(1));
        self.handed.grown.extend(grown);
        self.call_for_acts(events);
        if events.iter().any(|event| event.about_act().is_some()) {
            self.show_under_way();
        }
    }

    /// Calls `then` once everything that was decided so far is durable: an answer may rest on it. An error
    /// says that some of it is not, and comes to nothing.
    fn once_durable(&self, then: impl FnOnce(Result<(), AppendError>) + Send + 'static) {
        let Some(taker) = &self.taker else { return };
        let (world, chain) = (Arc::clone(&self.parts.world), Arc::clone(&taker.chain));
        let expected = taker.state.next_seq.checked_sub(1);
        let reached = move || {
            let actual = world.journal.head(&chain).map(|head| head.seq);
            let behind = AppendError::Conflict { expected, actual };
            (actual >= expected).then_some(()).ok_or(behind)
        };
        if reached().is_ok() {
            return then(Ok(()));
        }
        let done = Box::new(move |passed: Result<_, _>| then(passed.and_then(|_none| reached())));
        // It adds nothing, so it needs no room: what is kept for containment does.
        taker.append(Class::Containment, expected, Vec::new(), done);
    }

    /// The place of the last entry that was decided.
    fn last_seq(&self) -> u64 {
        let next = self.taker.as_ref().map_or(0, |taker| taker.state.next_seq);
        next.saturating_sub(1)
    }

    fn epoch(&self) -> u64 {
        self.taker.as_ref().map_or(0, |taker| taker.epoch)
    }

    fn outcome(&self, ctx: &SupervisedContext<Self>) -> Option<Box<dyn Outcome>> {
        let taker = self.taker.as_ref()?;
        Some(Box::new(Released {
            machine: ctx.handle(),
            triage: self.parts.triage.clone(),
            epoch: taker.epoch,
        }))
    }

    fn sweep(&mut self, ctx: &mut SupervisedContext<Self>) {
        let Some(taker) = &mut self.taker else { return };
        taker.tidy();
        if !std::mem::take(&mut self.refused_lately) {
            self.refusals = 0;
        }
        let owed = outstanding(&taker.state, &self.parts);
        let busy = owed > 0 || taker.in_flight.load(Ordering::Acquire) > 0;
        self.parts.owed.store(owed, Ordering::Release);
        let generation = self.parts.triage.snapshot().generation;
        let fell = std::mem::replace(&mut self.stage1, generation) != generation;
        let head = self.parts.world.journal.head(self.name().as_str());
        for alert_id in self.owed.sweep(fell, head.map(|head| head.seq)) {
            self.leave_to_people(alert_id, Undecided::Stage1Unavailable, ctx);
        }
        self.ask_next(ctx);
        self.sweep_reviews(ctx);
        self.sweep_enriching(ctx);
        // Before anything ends by a clock that somebody has set.
        self.watch_clock(ctx);
        self.tick(ctx);
        self.sweep_acts(ctx);
        self.tell_people();
        self.refresh();
        self.idle_sweeps = if busy {
            0
        } else {
            self.idle_sweeps.saturating_add(1)
        };
        let idle_ms = self.idle_sweeps.saturating_mul(1000);
        if idle_ms >= self.parts.world.limits.idle_passivate_ms.max(1000) {
            let (tenant, generation) = (self.name().clone(), ctx.fence().generation());
            self.parts
                .tenants
                .try_cast(Passivate { tenant, generation })
                .ok();
            self.idle_sweeps = 0;
        }
    }
}

impl Actor for Machine {
    type Context = SupervisedContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(SWEEP, Self::sweep);
        self.reload(ctx);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        if let Some(taker) = &self.taker {
            self.parts
                .owed
                .store(outstanding(&taker.state, &self.parts), Ordering::Release);
        }
    }
}

impl Handler<Receive> for Machine {
    type Result = ();

    fn handle(&mut self, message: Receive, ctx: &mut Self::Context) {
        self.idle_sweeps = 0;
        let outcome = self.outcome(ctx);
        if let (Some(taker), Some(outcome)) = (&mut self.taker, outcome) {
            for case in taker.receive(message, outcome) {
                self.owed.handed(case);
            }
        }
    }
}

impl Handler<Reject> for Machine {
    type Result = ();

    fn handle(&mut self, message: Reject, ctx: &mut Self::Context) {
        self.idle_sweeps = 0;
        let outcome = self.outcome(ctx);
        if let (Some(taker), Some(outcome)) = (&mut self.taker, outcome) {
            taker.reject(message, outcome);
        }
    }
}

impl Handler<AppendFailed> for Machine {
    type Result = ();

    fn handle(&mut self, message: AppendFailed, ctx: &mut Self::Context) {
        let ours = self
            .taker
            .as_ref()
            .is_some_and(|taker| taker.epoch == message.epoch);
        match message.error {
            _ if !ours => {}
            // Nothing fell: there was no room, and what was decided since has to be forgotten.
            AppendError::Full | AppendError::Conflict { .. } => self.pause(ctx),
            error => {
                self.not_begun(&error);
                ctx.fail(format!("the journal refused an append: {error}"));
            }
        }
    }
}
