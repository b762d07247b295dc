//! A tenant that is served no more comes to rest, and nobody wakes it again.

use actix::{ActorFutureExt as _, Handler, Message, ResponseActFuture, WrapFuture as _, fut};
use vyrox_domain::ids::TenantId;
use vyrox_supervision::{Class, Classified, Stop};

use super::{Active, Tenants, node, serving::at_rest};

/// The tenant was removed: let what it took in hand come to its end. Answered when nobody writes to its
/// chain any more.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Remove(pub TenantId);

impl Classified for Remove {
    const CLASS: Class = Class::Control;
}

impl Handler<Remove> for Tenants {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, Remove(tenant): Remove, _: &mut Self::Context) -> Self::Result {
        self.leave(tenant)
    }
}

impl Tenants {
    fn leave(&mut self, tenant: TenantId) -> ResponseActFuture<Self, ()> {
        // Out of the directory first: who still asks finds no such tenant among the keys.
        self.directory.take(&tenant);
        let node = node(&tenant);
        match self.active.remove(&tenant) {
            Some(Active::Serving(serving) | Active::Resting(serving)) => {
                let rest = at_rest(serving).into_actor(self);
                Box::pin(rest.map(move |(), tenants, _| {
                    tenants.tree.remove(&node);
                }))
            }
            Some(Active::Suspended {
                writer, pollers, ..
            }) => {
                pollers.end_now();
                writer.stop(Stop::Drain);
                let drained = async move { writer.exited().await };
                Box::pin(drained.into_actor(self).map(move |_, tenants, _| {
                    tenants.tree.remove(&node);
                }))
            }
            Some(Active::Held(writer)) => {
                writer.stop(Stop::Drain);
                let drained = async move { writer.exited().await };
                Box::pin(drained.into_actor(self).map(move |_, tenants, _| {
                    tenants.tree.remove(&node);
                }))
            }
            // A repair that was ordered comes to its end first.
            Some(Active::Mending(done)) => {
                let mut over = done.clone();
                self.active.insert(tenant.clone(), Active::Mending(done));
                let ended = async move { while over.changed().await.is_ok() {} };
                let again = ended.into_actor(self);
                Box::pin(again.then(move |(), tenants, _| tenants.leave(tenant)))
            }
            None => {
                self.tree.remove(&node);
                Box::pin(fut::ready(()))
            }
        }
    }
}
