//! Orders to let a held chain go on: on the host's chain before anything is done.

use std::sync::Arc;

use actix::{ActorFutureExt as _, AsyncContext as _, Handler, Message, WrapFuture as _};
use vyrox_domain::{
    host_protocol::{HostCommand, HostEvent, HostRepaired, RepairOrdered},
    ids::HOST_CHAIN,
};
use vyrox_journal::vault::Vault;
use vyrox_supervision::{Class, Classified, SupervisedContext};

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

/// Somebody orders that the host's own chain goes on. It takes no entry before it does, so the order waits
/// elsewhere, and is the next one on it, whatever falls in between.
#[derive(Message)]
#[rtype(result = "()")]
pub struct OrderHostRepair {
    /// What is ordered, and by whom.
    pub repaired: HostRepaired,
    /// Answered once it is durable.
    pub reply: ChangeReply<()>,
}

impl Classified for OrderHostRepair {
    const CLASS: Class = Class::Control;
}

impl Handler<OrderHostRepair> for Registry {
    type Result = ();

    fn handle(&mut self, message: OrderHostRepair, ctx: &mut Self::Context) {
        let OrderHostRepair { repaired, reply } = message;
        let vault = Arc::clone(&self.parts.vault);
        let keep = tokio::task::spawn_blocking(move || {
            let note = serde_json::to_vec(&repaired).map_err(|error| error.to_string())?;
            let kept = vault.put_note(HOST_CHAIN, &note);
            kept.map_err(|error| error.to_string())
        });
        let answer = keep.into_actor(self).map(|kept, _, _| {
            let kept = kept.unwrap_or_else(|fell| Err(fell.to_string()));
            reply.send(kept.map_err(RegistryError::NotDurable)).ok();
        });
        ctx.wait(answer);
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
                    registry.take_up(loaded, ctx);
                    registry.note_released(repaired, reply, ctx);
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

impl Registry {
    fn note_released(
        &mut self,
        repaired: HostRepaired,
        reply: ChangeReply<()>,
        ctx: &mut SupervisedContext<Self>,
    ) {
        // Whoever asked may have gone.
        let noted = |result| drop(reply.send(result));
        if self.state.next_seq > 0 {
            return self.note_repair(repaired, noted, ctx);
        }
        // Nothing was left of it.
        let open = self.chain_opened();
        self.change(open, ctx, |registry, opened, ctx| match opened {
            Ok(()) => registry.note_repair(repaired, noted, ctx),
            Err(error) => {
                noted(Err(error));
                ctx.fail("the host's chain could not be begun");
            }
        });
    }

    /// Says on the host's chain that it was held and goes on; then nobody has to remember it any more.
    pub(super) fn note_repair(
        &mut self,
        repaired: HostRepaired,
        noted: impl FnOnce(Result<(), RegistryError>) + 'static,
        ctx: &mut SupervisedContext<Self>,
    ) {
        let command = HostCommand::NoteRepair(repaired);
        self.change(command, ctx, move |registry, result, ctx| {
            match &result {
                Ok(()) => registry.forget_note(ctx),
                Err(error) => {
                    tracing::error!(%error, "that the host's chain was repaired is noted by the next load");
                }
            }
            noted(result);
            registry.give_keys(None, ctx);
        });
    }

    fn forget_note(&self, ctx: &mut SupervisedContext<Self>) {
        let vault = Arc::clone(&self.parts.vault);
        let forget = tokio::task::spawn_blocking(move || vault.remove_note(HOST_CHAIN));
        let log = forget.into_actor(self).map(|forgotten, _, _| {
            if let Ok(Err(error)) = forgotten {
                tracing::warn!(%error, "a note that is on the host's chain is kept still");
            }
        });
        ctx.wait(log);
    }
}

/// What was ordered about the host's chain, unless nobody has to remember it any more.
pub(super) fn noted(vault: &Vault) -> Result<Option<HostRepaired>, String> {
    let note = vault.note(HOST_CHAIN).map_err(|error| error.to_string())?;
    note.map(|note| serde_json::from_slice(&note).map_err(|error| error.to_string()))
        .transpose()
}

/// Whether the chain says of itself that it was repaired as ordered: it cannot be held at the same place again,
/// and still have this.
pub(super) fn says(event: &HostEvent, due: &HostRepaired) -> bool {
    matches!(event, HostEvent::Repaired(repaired) if repaired.held == due.held)
}
