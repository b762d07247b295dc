//! A tenant's machine: the only writer of its chain. It decides and applies at memory speed; the
//! journal's callback releases answers and effects once their entries are durable. When an append
//! fails, everything since is discarded: the generation ends and the next one is rebuilt from what
//! is durable.

mod kept;
mod owed;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actix::{Actor, ActorFutureExt as _, AsyncContext as _, Handler, WrapFuture as _};
use vyrox_domain::{
    alert::Alert,
    ids::{AlertId, TenantId},
    protocol::{AlertTriaged, Command, Effect, Undecided},
    tenant::outstanding_effects,
};
use vyrox_journal::AppendError;
use vyrox_supervision::{Handle, SupervisedContext};

use self::{
    kept::read_all,
    owed::{Case, Owed},
};
use crate::{
    intake::{Fresh, Outcome, Taker},
    keyring::TenantKeys,
    loading::{Loaded, after, chain_opened, load},
    messages::{AppendFailed, Assess, LeaveToPeople, Receive, RecordVerdict, Reject},
    ports::World,
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
    /// Who is told when there is nothing more to do.
    pub tenants: Handle<Tenants>,
    /// Alerts that stage 1 still owes; read by whoever decides whether the tenant may rest.
    pub owed: Arc<AtomicU64>,
    /// Since when the machine knows its state, in Unix milliseconds; 0 while it loads.
    pub loaded_at_ms: Arc<AtomicU64>,
}

/// The actor.
pub struct Machine {
    parts: Arc<MachineParts>,
    taker: Option<Taker>,
    owed: Owed,
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

impl Machine {
    /// A machine that knows nothing yet; it loads its state when it starts.
    pub fn new(parts: Arc<MachineParts>) -> Self {
        Self {
            parts,
            taker: None,
            owed: Owed::default(),
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
        let load = after(pause, move || load(&world, &tenant));
        let go_on = load
            .into_actor(self)
            .map(|loaded, machine, ctx| match loaded {
                Ok(loaded) => machine.go_on(loaded, ctx),
                Err(error) => ctx.fail(error),
            });
        ctx.wait(go_on);
    }

    /// Goes on from what is durable: at the start, and after the journal had no room.
    fn go_on(&mut self, loaded: Loaded, ctx: &mut SupervisedContext<Self>) {
        let effects = outstanding_effects(&loaded.state).into_iter();
        let cases = effects.map(|Effect::Triage { alert_id, seq }| (alert_id, seq));
        self.owed = Owed::new(cases);
        self.stage1 = self.parts.triage.snapshot().generation;
        let parts = &self.parts;
        self.taker = Some(Taker::new(&parts.world, &parts.keys, loaded));
        let now_ms = parts.world.now().ms();
        parts.loaded_at_ms.store(now_ms, Ordering::Release);
        self.carry_out(Command::OpenChain(chain_opened(&self.parts.keys)), ctx);
        self.ask_next(ctx);
    }

    fn carry_out(&mut self, command: Command, ctx: &SupervisedContext<Self>) {
        if let Some(taker) = &mut self.taker {
            let (machine, epoch) = (ctx.handle(), taker.epoch);
            taker.carry_out(command, move |error| tell_failure(&machine, epoch, error));
        }
    }

    fn outcome(&self, ctx: &SupervisedContext<Self>) -> Option<Box<dyn Outcome>> {
        let taker = self.taker.as_ref()?;
        Some(Box::new(Released {
            machine: ctx.handle(),
            triage: self.parts.triage.clone(),
            epoch: taker.epoch,
        }))
    }

    /// Asks stage 1 about the next alerts whose evidence has to be read, if it has answered the last.
    /// One job for all of them: however much is owed, a tenant takes one thread.
    fn ask_next(&mut self, ctx: &mut SupervisedContext<Self>) {
        let cases = self.owed.next();
        if cases.is_empty() {
            return;
        }
        let parts = Arc::clone(&self.parts);
        let read = tokio::task::spawn_blocking(move || read_all(&parts.world, &parts.keys, cases));
        let ask = read.into_actor(self).map(|read, machine, ctx| {
            // It is cancelled only where the whole process ends.
            for (case, alert) in read.unwrap_or_default() {
                machine.ask(case, alert, ctx);
            }
            machine.ask_next(ctx);
        });
        ctx.spawn(ask);
    }

    /// A question of its own for each alert, so that a fall of stage 1 is put down to that one alone.
    fn ask(&mut self, case: Case, alert: Result<Alert, String>, ctx: &mut SupervisedContext<Self>) {
        let (alert_id, _) = case;
        if !self.owed.sent(alert_id) {
            return; // answered meanwhile
        }
        let alert = match alert {
            Ok(alert) => Arc::new(alert),
            Err(error) => {
                tracing::warn!(tenant = %self.name(), %alert_id, error, "no evidence to triage by");
                return self.leave_to_people(alert_id, Undecided::EvidenceUnavailable, ctx);
            }
        };
        let machine = ctx.handle();
        let question = Assess {
            alert_id,
            alert,
            machine,
        };
        if self.parts.triage.try_cast(question).is_err() {
            self.owed.refused(case);
        }
    }

    /// Nothing is closed that nobody has judged.
    fn leave_to_people(
        &mut self,
        alert_id: AlertId,
        why: Undecided,
        ctx: &mut SupervisedContext<Self>,
    ) {
        tracing::error!(tenant = %self.name(), %alert_id, ?why, "left to people");
        self.owed.answered(alert_id);
        let rules = self.parts.world.rules.load().digest();
        let triaged = AlertTriaged::undecided(why, rules);
        self.carry_out(Command::RecordVerdict { alert_id, triaged }, ctx);
    }

    fn sweep(&mut self, ctx: &mut SupervisedContext<Self>) {
        let Some(taker) = &mut self.taker else { return };
        taker.tidy();
        if !std::mem::take(&mut self.refused_lately) {
            self.refusals = 0;
        }
        let owed = taker.state.untriaged.len() as u64;
        let busy = owed > 0 || taker.in_flight.load(Ordering::Acquire) > 0;
        self.parts.owed.store(owed, Ordering::Release);
        let generation = self.parts.triage.snapshot().generation;
        let fell = std::mem::replace(&mut self.stage1, generation) != generation;
        let head = self.parts.world.journal.head(self.name().as_str());
        for alert_id in self.owed.sweep(fell, head.map(|head| head.seq)) {
            self.leave_to_people(alert_id, Undecided::Stage1Unavailable, ctx);
        }
        self.ask_next(ctx);
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
                .store(taker.state.untriaged.len() as u64, Ordering::Release);
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

impl Handler<RecordVerdict> for Machine {
    type Result = ();

    fn handle(&mut self, message: RecordVerdict, ctx: &mut Self::Context) {
        self.owed.answered(message.alert_id);
        let RecordVerdict { alert_id, triaged } = message;
        self.carry_out(Command::RecordVerdict { alert_id, triaged }, ctx);
        self.ask_next(ctx);
    }
}

impl Handler<LeaveToPeople> for Machine {
    type Result = ();

    fn handle(&mut self, LeaveToPeople { alert_id }: LeaveToPeople, ctx: &mut Self::Context) {
        self.leave_to_people(alert_id, Undecided::Stage1Unavailable, ctx);
        self.ask_next(ctx);
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
            AppendError::Full | AppendError::Conflict { .. } => {
                self.refusals = self.refusals.saturating_add(1);
                self.refused_lately = true;
                self.reload(ctx);
            }
            error => ctx.fail(format!("the journal refused an append: {error}")),
        }
    }
}

/// What a machine's append sets free.
struct Released {
    machine: Handle<Machine>,
    triage: Handle<TriageEngine>,
    epoch: u64,
}

impl Outcome for Released {
    fn durable(self: Box<Self>, fresh: Vec<Fresh>) {
        for Fresh {
            alert_id, alert, ..
        } in fresh
        {
            let machine = self.machine.clone();
            // A full lane loses nothing: the machine's sweep asks again for what is owed.
            self.triage
                .try_cast(Assess {
                    alert_id,
                    alert,
                    machine,
                })
                .ok();
        }
    }

    fn refused(self: Box<Self>, error: AppendError) {
        tell_failure(&self.machine, self.epoch, error);
    }
}

fn tell_failure(machine: &Handle<Machine>, epoch: u64, error: AppendError) {
    // If the lane is full, an earlier failure of the same epoch stands in it.
    machine.try_cast(AppendFailed { epoch, error }).ok();
}
