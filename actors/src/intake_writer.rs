//! Takes in alerts while their tenant is suspended or held. It knows the head, the index of repeats and the
//! quota, and nothing else: whatever made the machine fall is not here to fall over again. What it
//! writes waits in the chain until the machine is back.

use std::{sync::Arc, time::Duration};

use actix::{Actor, ActorFutureExt as _, AsyncContext as _, Handler, WrapFuture as _};
use vyrox_domain::{
    host_protocol::RepairOrdered,
    protocol::{ChainOpened, Command},
};
use vyrox_journal::AppendError;
use vyrox_supervision::{Handle, SupervisedContext};

use crate::{
    intake::{Fresh, Outcome, Taker},
    keyring::TenantKeys,
    loading::{Loaded, after, chain_opened, load_for_intake},
    messages::{AppendFailed, NotePolled, Receive, Reject, WherePolled},
    ports::World,
};

/// The actor.
pub struct IntakeWriter {
    world: Arc<World>,
    keys: Arc<TenantKeys>,
    repair: Option<RepairOrdered>,
    taker: Option<Taker>,
    /// The journal has had no room; whenever it has none again, this writer pauses.
    refused: bool,
}

const NO_ROOM_PAUSE: Duration = Duration::from_secs(1);

impl IntakeWriter {
    /// Intake alone, for this tenant; `repair` is the last order to repair its chain.
    pub fn new(world: Arc<World>, keys: Arc<TenantKeys>, repair: Option<RepairOrdered>) -> Self {
        Self {
            world,
            keys,
            repair,
            taker: None,
            refused: false,
        }
    }

    fn outcome(&self, ctx: &SupervisedContext<Self>) -> Box<dyn Outcome> {
        let epoch = self.taker.as_ref().map_or(0, |taker| taker.epoch);
        Box::new(Released {
            writer: ctx.handle(),
            epoch,
        })
    }
}

impl Actor for IntakeWriter {
    type Context = SupervisedContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.reload(ctx);
    }
}

impl IntakeWriter {
    fn reload(&mut self, ctx: &mut SupervisedContext<Self>) {
        self.taker = None;
        let (world, tenant) = (Arc::clone(&self.world), self.keys.tenant.clone());
        let pause = self.refused.then_some(NO_ROOM_PAUSE);
        let repair = self.repair.clone();
        let load = after(pause, move || {
            load_for_intake(&world, &tenant, repair.as_ref())
        });
        let go_on = load
            .into_actor(self)
            .map(|loaded, writer, ctx| match loaded {
                Ok(loaded) => writer.go_on(loaded, ctx),
                Err(error) => ctx.fail(error.to_string()),
            });
        ctx.wait(go_on);
    }

    fn go_on(&mut self, loaded: Loaded, ctx: &SupervisedContext<Self>) {
        let opened = ChainOpened {
            stands_for: loaded.stands_for.clone(),
            ..chain_opened(&self.keys)
        };
        let mut taker = Taker::new(&self.world, &self.keys, loaded);
        let (writer, epoch) = (ctx.handle(), taker.epoch);
        // Refused where the chain is open already, which is nearly always.
        let open = Command::OpenChain(opened);
        taker.carry_out(open, move |error| tell_failure(&writer, epoch, error));
        self.taker = Some(taker);
    }
}

impl Handler<Receive> for IntakeWriter {
    type Result = ();

    fn handle(&mut self, message: Receive, ctx: &mut Self::Context) {
        let outcome = self.outcome(ctx);
        if let Some(taker) = &mut self.taker {
            taker.receive(message, outcome);
            taker.state.untriaged.clear();
            taker.tidy();
        }
    }
}

impl Handler<Reject> for IntakeWriter {
    type Result = ();

    fn handle(&mut self, message: Reject, ctx: &mut Self::Context) {
        let outcome = self.outcome(ctx);
        if let Some(taker) = &mut self.taker {
            taker.reject(message, outcome);
        }
    }
}

impl Handler<WherePolled> for IntakeWriter {
    type Result = ();

    fn handle(&mut self, message: WherePolled, _: &mut Self::Context) {
        if let Some(taker) = &self.taker {
            message.answer(&taker.state);
        }
    }
}

impl Handler<NotePolled> for IntakeWriter {
    type Result = ();

    fn handle(&mut self, NotePolled(polled): NotePolled, ctx: &mut Self::Context) {
        if let Some(taker) = &mut self.taker {
            let (writer, epoch) = (ctx.handle(), taker.epoch);
            taker.carry_out(Command::NotePolled(polled), move |error| {
                tell_failure(&writer, epoch, error);
            });
        }
    }
}

impl Handler<AppendFailed> for IntakeWriter {
    type Result = ();

    fn handle(&mut self, message: AppendFailed, ctx: &mut Self::Context) {
        let ours = self
            .taker
            .as_ref()
            .is_some_and(|taker| taker.epoch == message.epoch);
        match message.error {
            _ if !ours => {}
            AppendError::Full | AppendError::Conflict { .. } => {
                self.refused = true;
                self.reload(ctx);
            }
            error => ctx.fail(format!("the journal refused an append: {error}")),
        }
    }
}

struct Released {
    writer: Handle<IntakeWriter>,
    epoch: u64,
}

impl Outcome for Released {
    /// Stage 1 waits for the machine, which finds these alerts in the chain.
    fn durable(self: Box<Self>, _: Vec<Fresh>) {}

    fn refused(self: Box<Self>, error: AppendError) {
        tell_failure(&self.writer, self.epoch, error);
    }
}

fn tell_failure(writer: &Handle<IntakeWriter>, epoch: u64, error: AppendError) {
    // If the lane is full, an earlier failure of the same epoch stands in it.
    writer.try_cast(AppendFailed { epoch, error }).ok();
}
