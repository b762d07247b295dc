//! Stands in the tree for the journal's writer, whose thread owns the disk: watches it, and ends
//! the process when it is poisoned. Appends do not pass through here: a machine hands them to the
//! journal's bounded queue itself, under its writer epoch, which the journal checks. One hop less
//! for each alert, and nothing that a mailbox could lose.

use std::{sync::Arc, time::Duration};

use actix::{Actor, AsyncContext as _};
use vyrox_supervision::SupervisedContext;

use crate::ports::World;

const LOOK: Duration = Duration::from_millis(200);

/// Called once with the reason when the journal can no longer be trusted in this process.
pub type OnPoison = Arc<dyn Fn(&str) + Send + Sync>;

/// The actor.
pub struct AuditWriter {
    world: Arc<World>,
    on_poison: OnPoison,
    told: bool,
}

impl AuditWriter {
    /// Watches the world's journal.
    pub fn new(world: Arc<World>, on_poison: OnPoison) -> Self {
        Self {
            world,
            on_poison,
            told: false,
        }
    }
}

impl Actor for AuditWriter {
    type Context = SupervisedContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(LOOK, |writer, _| {
            let poisoned = writer.world.journal.status().poisoned;
            if let (Some(why), false) = (poisoned, writer.told) {
                writer.told = true;
                tracing::error!(
                    why,
                    "the journal failed; the process ends and recovers from disk"
                );
                (writer.on_poison)(&why);
            }
        });
    }
}
