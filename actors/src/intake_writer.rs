//! Takes in alerts while their tenant is suspended. It knows the head, the index of repeats and the
//! quota, and nothing else: whatever made the machine fall is not here to fall over again. What it
//! writes waits in the chain until the machine is back.

use std::sync::Arc;

use actix::{Actor, ActorFutureExt as _, AsyncContext as _, Handler, WrapFuture as _};
use vyrox_domain::tenant::TenantState;
use vyrox_journal::AppendError;
use vyrox_supervision::{Handle, SupervisedContext};

use crate::{
    claims::Overlay,
    intake::{Fresh, Outcome, Taker},
    keyring::TenantKeys,
    messages::{AppendFailed, Receive, Reject},
    ports::World,
};

/// The actor.
pub struct IntakeWriter {
    world: Arc<World>,
    keys: Arc<TenantKeys>,
    taker: Option<Taker>,
}

impl IntakeWriter {
    /// Intake alone, for this tenant.
    pub fn new(world: Arc<World>, keys: Arc<TenantKeys>) -> Self {
        Self {
            world,
            keys,
            taker: None,
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
        let (world, keys) = (Arc::clone(&self.world), Arc::clone(&self.keys));
        let open = tokio::task::spawn_blocking(move || begin(world, &keys));
        let begin = open
            .into_actor(self)
            .map(|opened, writer, ctx| match opened {
                Ok(Ok(taker)) => writer.taker = Some(taker),
                Ok(Err(error)) => ctx.fail(error),
                Err(error) => ctx.fail(format!("the intake could not begin: {error}")),
            });
        ctx.wait(begin);
    }
}

fn begin(world: Arc<World>, keys: &TenantKeys) -> Result<Taker, String> {
    let chain = keys.tenant.as_str();
    let opened = world
        .journal
        .open(chain)
        .map_err(|error| error.to_string())?;
    let snapshot = world.projections.snapshot(chain).ok().flatten();
    let kept: TenantState = snapshot
        .and_then(|row| serde_json::from_slice(&row.value).ok())
        .unwrap_or_default();
    let state = TenantState {
        next_seq: opened.head.map_or(0, |head| head.seq.saturating_add(1)),
        evidence_bytes: kept.evidence_bytes,
        ..TenantState::default()
    };
    Ok(Taker {
        tenant: keys.tenant.clone(),
        data_key: Arc::clone(&keys.data_key),
        world,
        state,
        epoch: opened.epoch,
        overlay: Overlay::default(),
        in_flight: Arc::default(),
    })
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

impl Handler<AppendFailed> for IntakeWriter {
    type Result = ();

    fn handle(&mut self, message: AppendFailed, ctx: &mut Self::Context) {
        if self
            .taker
            .as_ref()
            .is_some_and(|taker| taker.epoch == message.epoch)
        {
            ctx.fail(format!("the journal refused an append: {}", message.error));
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
        self.writer
            .try_cast(AppendFailed {
                epoch: self.epoch,
                error,
            })
            .ok();
    }
}
