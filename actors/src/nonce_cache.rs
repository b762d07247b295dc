//! Keeps the durable index of what came in before within its window. The rows are written by the
//! projector, from the chain, so they survive a restart with it; here they are let go.

use std::{sync::Arc, time::Duration};

use actix::{Actor, ActorFutureExt as _, AsyncContext as _, WrapFuture as _};
use vyrox_supervision::SupervisedContext;

use crate::ports::World;

/// How often expired rows are looked for.
const PURGE_EVERY: Duration = Duration::from_mins(1);
/// The most rows that go in one transaction, so that the projector is never held up for long.
const PURGE_ROWS: usize = 10_000;

/// The actor.
pub struct NonceCache {
    world: Arc<World>,
}

impl NonceCache {
    /// The keeper of the index.
    pub fn new(world: Arc<World>) -> Self {
        Self { world }
    }

    fn purge(&mut self, ctx: &mut SupervisedContext<Self>) {
        let world = Arc::clone(&self.world);
        let purge = tokio::task::spawn_blocking(move || {
            world.projections.purge_claims(world.now().ms(), PURGE_ROWS)
        });
        let log = purge.into_actor(self).map(|purged, _, _| match purged {
            Ok(Ok(rows)) => tracing::debug!(rows, "expired claims purged"),
            Ok(Err(error)) => tracing::error!(%error, "expired claims stay"),
            Err(error) => tracing::error!(%error, "expired claims stay"),
        });
        ctx.spawn(log);
    }
}

impl Actor for NonceCache {
    type Context = SupervisedContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(PURGE_EVERY, Self::purge);
    }
}
