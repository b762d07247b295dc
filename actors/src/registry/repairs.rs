//! Orders to let a held chain go on: on the host's chain before anything is done.

use actix::{ActorFutureExt as _, AsyncContext as _, Handler, Message, WrapFuture as _};
use vyrox_domain::host_protocol::{HostCommand, HostRepaired, RepairOrdered};
use vyrox_supervision::{Class, Classified};

use super::{ChangeReply, Registry, RegistryError, loading::load};

/// Write down that somebody orders a tenant's chain to be restored or to go on.
#[derive(Message)]
#[rtype(result = "()")]
pub struct OrderRepair {
    /// What is ordered, and by whom.
    pub ordered: RepairOrdered,
    /// Answered once it is durable.
    pub reply: ChangeReply<()>,
}

impl Classified for OrderRepair {
    const CLASS: Class = Class::Control;
}

impl Handler<OrderRepair> for Registry {
    type Result = ();

    fn handle(&mut self, message: OrderRepair, ctx: &mut Self::Context) {
        let OrderRepair { ordered, reply } = message;
        let command = HostCommand::OrderRepair(ordered);
        self.change(command, ctx, move |_, result, _| {
            // Whoever asked may have gone; the order stands all the same.
            reply.send(result).ok();
        });
    }
}

/// The host's own chain was released: read it anew, and write that down.
#[derive(Message)]
#[rtype(result = "()")]
pub struct HostReleased {
    /// What was done, and by whom.
    pub repaired: HostRepaired,
    /// Answered once it is durable.
    pub reply: ChangeReply<()>,
}

impl Classified for HostReleased {
    const CLASS: Class = Class::Control;
}

impl Handler<HostReleased> for Registry {
    type Result = ();

    fn handle(&mut self, message: HostReleased, ctx: &mut Self::Context) {
        let HostReleased { repaired, reply } = message;
        let parts = self.parts.clone();
        let load = tokio::task::spawn_blocking(move || load(&parts));
        let begin = load
            .into_actor(self)
            .map(move |loaded, registry, ctx| match loaded {
                Ok(Ok(loaded)) => {
                    registry.begin(loaded, ctx);
                    let command = HostCommand::NoteRepair(repaired);
                    registry.change(command, ctx, move |_, result, _| drop(reply.send(result)));
                }
                Ok(Err(error)) => {
                    reply
                        .send(Err(RegistryError::NotDurable(error.clone())))
                        .ok();
                    ctx.fail(error);
                }
                Err(error) => ctx.fail(format!("the load of the host's chain fell: {error}")),
            });
        ctx.wait(begin);
    }
}
