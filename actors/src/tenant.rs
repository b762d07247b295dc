//! A tenant's machine: the only writer of its chain. It decides and applies at memory speed; the
//! journal's callback releases answers and effects once their entries are durable. When an append
//! fails, everything since is discarded: the generation ends and the next one is rebuilt from what
//! is durable.

mod loading;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actix::{Actor, ActorFutureExt as _, AsyncContext as _, Handler, WrapFuture as _};
use vyrox_domain::{
    ids::{AlertId, TenantId},
    protocol::{AlertTriaged, ChainOpened, Command, Effect, Undecided},
    tenant::{decide, outstanding_effects},
};
use vyrox_journal::{AppendError, Done};
use vyrox_supervision::{Handle, SupervisedContext};

use self::loading::{Loaded, load};
use crate::{
    claims::Overlay,
    faults,
    intake::{Fresh, Outcome, Taker},
    keyring::TenantKeys,
    messages::{AppendFailed, Assess, Receive, RecordVerdict, Reject},
    ports::World,
    router::{Passivate, Tenants},
    triage_engine::TriageEngine,
};

const SWEEP: Duration = Duration::from_secs(1);
/// How often stage 1 is asked about one alert before the alert is left to people.
const ASKS_MAX: u32 = 3;
/// Sweeps that an alert may be with stage 1 before it is asked again.
const PATIENCE: u32 = 20;

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
}

/// The actor.
pub struct Machine {
    parts: Arc<MachineParts>,
    taker: Option<Taker>,
    asked: HashMap<AlertId, Asked>,
    /// The generation of stage 1 that was asked.
    stage1: u64,
    idle_sweeps: u64,
}

#[derive(Default)]
struct Asked {
    times: u32,
    sweeps: u32,
}

impl Machine {
    /// A machine that knows nothing yet; it loads its state when it starts.
    pub fn new(parts: Arc<MachineParts>) -> Self {
        Self {
            parts,
            taker: None,
            asked: HashMap::new(),
            stage1: 0,
            idle_sweeps: 0,
        }
    }

    fn name(&self) -> &TenantId {
        &self.parts.keys.tenant
    }

    fn begin(&mut self, loaded: Loaded, ctx: &mut SupervisedContext<Self>) {
        let taker = Taker {
            world: Arc::clone(&self.parts.world),
            tenant: self.name().clone(),
            data_key: Arc::clone(&self.parts.keys.data_key),
            state: loaded.state,
            epoch: loaded.epoch,
            overlay: Overlay::default(),
            in_flight: Arc::default(),
        };
        self.taker = Some(taker);
        self.open_chain(ctx);
        self.stage1 = self.parts.triage.snapshot().generation;
        self.ask_outstanding(ctx);
        ctx.run_interval(SWEEP, Self::sweep);
    }

    fn open_chain(&mut self, ctx: &SupervisedContext<Self>) {
        let opened = ChainOpened {
            opaque_id: self.parts.keys.opaque_id.clone(),
            format_version: 1,
            key_ids: vec![self.parts.keys.data_key.id()],
        };
        self.carry_out(Command::OpenChain(opened), ctx);
    }

    /// Decides, applies and appends a command that nobody waits for.
    fn carry_out(&mut self, command: Command, ctx: &SupervisedContext<Self>) {
        let Some(taker) = &mut self.taker else { return };
        let expected_last = taker.state.next_seq.checked_sub(1);
        let Ok(events) = decide(&taker.state, command) else {
            return;
        };
        let drafts = taker.happen(&events, taker.world.now(), Vec::new());
        let in_flight = taker.departs();
        let (machine, epoch) = (ctx.handle(), taker.epoch);
        let done: Done = Box::new(move |result| {
            in_flight.fetch_sub(1, Ordering::AcqRel);
            if let Err(error) = result {
                tell_failure(&machine, epoch, error);
            }
        });
        taker.append(expected_last, drafts, done);
    }

    fn outcome(&self, ctx: &SupervisedContext<Self>) -> Option<Box<dyn Outcome>> {
        let taker = self.taker.as_ref()?;
        Some(Box::new(Released {
            machine: ctx.handle(),
            triage: self.parts.triage.clone(),
            epoch: taker.epoch,
        }))
    }

    /// Asks stage 1 about whatever it has not answered: at the start, and after it lost a message.
    fn ask_outstanding(&mut self, ctx: &SupervisedContext<Self>) {
        let Some(taker) = &self.taker else { return };
        let mut hopeless = Vec::new();
        for Effect::Triage { alert_id, seq } in outstanding_effects(&taker.state) {
            let asked = self.asked.entry(alert_id).or_default();
            asked.sweeps = asked.sweeps.saturating_add(1);
            if asked.times > 0 && asked.sweeps < PATIENCE {
                continue;
            }
            if asked.times >= ASKS_MAX {
                hopeless.push(alert_id);
                continue;
            }
            let machine = ctx.handle();
            let assess = Assess {
                alert_id,
                seq,
                alert: None,
                machine,
            };
            if self.parts.triage.try_cast(assess).is_err() {
                break;
            }
            *asked = Asked {
                times: asked.times.saturating_add(1),
                sweeps: 0,
            };
        }
        for alert_id in hopeless {
            tracing::error!(tenant = %self.name(), %alert_id, "stage 1 never answered; left to people");
            let rules = self.parts.world.rules.load().digest();
            let triaged = AlertTriaged::undecided(Undecided::Stage1Unavailable, rules);
            self.carry_out(Command::RecordVerdict { alert_id, triaged }, ctx);
        }
    }

    fn sweep(&mut self, ctx: &mut SupervisedContext<Self>) {
        let Some(taker) = &mut self.taker else { return };
        taker.tidy();
        let owed = taker.state.untriaged.len() as u64;
        let busy = owed > 0 || taker.in_flight.load(Ordering::Acquire) > 0;
        self.parts.owed.store(owed, Ordering::Release);
        if owed > 0 {
            // An alert that came in meanwhile is with stage 1 already; its patience starts here.
            self.adopt_new();
            self.notice_fall_of_stage1();
            self.ask_outstanding(ctx);
        } else {
            self.asked.clear();
        }
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

    /// A new generation of stage 1 does not know what the old one had in hand: nobody has to be
    /// patient with it, as long as it may be asked again at all.
    fn notice_fall_of_stage1(&mut self) {
        let generation = self.parts.triage.snapshot().generation;
        if std::mem::replace(&mut self.stage1, generation) == generation {
            return;
        }
        for asked in self.asked.values_mut() {
            if asked.times < ASKS_MAX {
                asked.sweeps = PATIENCE;
            }
        }
    }

    fn adopt_new(&mut self) {
        let Some(taker) = &self.taker else { return };
        for alert_id in taker.state.untriaged.keys() {
            self.asked.entry(*alert_id).or_insert(Asked {
                times: 1,
                sweeps: 0,
            });
        }
        self.asked
            .retain(|alert_id, _| taker.state.untriaged.contains_key(alert_id));
    }
}

impl Actor for Machine {
    type Context = SupervisedContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        faults::strike("machine", self.name(), faults::Place::Started);
        let (world, tenant) = (Arc::clone(&self.parts.world), self.name().clone());
        let load = tokio::task::spawn_blocking(move || load(&world, &tenant));
        let begin = load
            .into_actor(self)
            .map(|loaded, machine, ctx| match loaded {
                Ok(Ok(loaded)) => machine.begin(loaded, ctx),
                Ok(Err(error)) => ctx.fail(error),
                Err(error) => ctx.fail(format!("the load of the state fell: {error}")),
            });
        // The lanes hold their messages until the state is there.
        ctx.wait(begin);
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
        faults::strike("machine", self.name(), faults::Place::Message);
        self.idle_sweeps = 0;
        let outcome = self.outcome(ctx);
        if let (Some(taker), Some(outcome)) = (&mut self.taker, outcome) {
            taker.receive(message, outcome);
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
        self.asked.remove(&message.alert_id);
        let RecordVerdict { alert_id, triaged } = message;
        self.carry_out(Command::RecordVerdict { alert_id, triaged }, ctx);
    }
}

impl Handler<AppendFailed> for Machine {
    type Result = ();

    fn handle(&mut self, message: AppendFailed, ctx: &mut Self::Context) {
        let ours = self
            .taker
            .as_ref()
            .is_some_and(|taker| taker.epoch == message.epoch);
        if ours {
            ctx.fail(format!("the journal refused an append: {}", message.error));
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
            alert_id,
            seq,
            alert,
        } in fresh
        {
            let machine = self.machine.clone();
            // A full lane loses nothing: the machine's sweep asks again for what is owed.
            self.triage
                .try_cast(Assess {
                    alert_id,
                    seq,
                    alert: Some(alert),
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
