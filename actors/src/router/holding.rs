//! A tenant whose chain is held: its alerts are taken in on a chain that stands in, and nothing is
//! decided, until the chain is repaired. Then it is served again, without a restart.

use std::{sync::Arc, time::Duration};

use actix::{
    ActorFutureExt as _, AsyncContext as _, Handler, Message, ResponseActFuture, WrapFuture as _,
    fut,
};
use tokio::sync::watch;
use vyrox_domain::ids::TenantId;
use vyrox_journal::{JournalError, Repaired};
use vyrox_supervision::{Class, Classified, Stop, SupervisedContext};

use super::{Active, Tenants, node};
use crate::{directory::Route, keyring::TenantKeys};

/// How often it is looked whether tenants are held still.
const LOOK: Duration = Duration::from_secs(1);

/// Let this tenant's held chain go on behind what is left of it. The order must be on the host's chain.
#[derive(Message)]
#[rtype(result = "Result<Repaired, JournalError>")]
pub struct Release(pub TenantId);

impl Classified for Release {
    const CLASS: Class = Class::Control;
}

impl Tenants {
    /// Takes a held tenant's alerts in, and nothing else.
    pub(super) fn hold(&mut self, keys: &Arc<TenantKeys>) -> Route {
        let tenant = keys.tenant.clone();
        let node = node(&tenant);
        // An earlier generation of this actor may have left one behind.
        self.tree.remove(&format!("{node}/intake_writer"));
        self.tree.group_under("tenants", &node, "tenant");
        let writer = self.intake_writer(keys);
        let route = Route::Intake(writer.clone());
        self.directory.put(tenant.clone(), route.clone(), None);
        self.active.insert(tenant, Active::Held(writer));
        route
    }

    /// Ends holds whose chain is held no more. Whoever had it repaired serves the tenant, unless this actor
    /// fell in the meantime: the repair goes on then, and nobody is told when it is done.
    pub(super) fn watch_holds(ctx: &mut SupervisedContext<Self>) {
        ctx.run_interval(LOOK, |tenants: &mut Self, ctx| {
            let over = tenants.active.iter().filter(|(tenant, active)| {
                matches!(active, Active::Held(_)) && !tenants.world.is_held(tenant.as_str())
            });
            let over: Vec<_> = over.map(|(tenant, _)| tenant.clone()).collect();
            for tenant in over {
                tenants.end_hold(&tenant, ctx);
            }
        });
    }

    /// What its writer took comes to an end on the chain that stands in, then the tenant is served. Gives
    /// what ends when that is so.
    pub(super) fn end_hold(
        &mut self,
        tenant: &TenantId,
        ctx: &mut SupervisedContext<Self>,
    ) -> watch::Receiver<()> {
        tracing::warn!(%tenant, "a chain is held no more; its tenant is served again");
        let (done, mending) = watch::channel(());
        self.directory.take(tenant);
        let held = Active::Mending(mending.clone());
        let before = self.active.insert(tenant.clone(), held);
        let tenant = tenant.clone();
        let drained = async move {
            if let Some(Active::Held(writer)) = before {
                writer.stop(Stop::Drain);
                writer.exited().await;
            }
        };
        let again = drained.into_actor(self).map(move |(), tenants, ctx| {
            tenants.released(&tenant, ctx);
            drop(done);
        });
        ctx.spawn(again);
        mending
    }

    /// Serves the tenant, or holds it if its chain still is.
    fn released(&mut self, tenant: &TenantId, ctx: &mut SupervisedContext<Self>) {
        self.active.remove(tenant);
        self.tree.remove(&node(tenant));
        let keys = self.world.keyring.load().tenant(tenant.as_str()).cloned();
        if let Some(keys) = keys {
            self.tree.group_under("tenants", &node(tenant), "tenant");
            self.begin(&keys, ctx);
        }
    }
}

impl Handler<Release> for Tenants {
    type Result = ResponseActFuture<Self, Result<Repaired, JournalError>>;

    /// Whoever asks for the tenant meanwhile waits.
    fn handle(&mut self, Release(tenant): Release, _: &mut Self::Context) -> Self::Result {
        let not_held = |tenant: &TenantId| JournalError::NotHeld(tenant.to_string());
        let writer = match self.active.get(&tenant) {
            Some(Active::Held(writer)) => Some(writer.clone()),
            None if self.world.is_held(tenant.as_str()) => None,
            Some(_) | None => return Box::pin(fut::ready(Err(not_held(&tenant)))),
        };
        let (done, mending) = watch::channel(());
        self.directory.take(&tenant);
        self.active.insert(tenant.clone(), Active::Mending(mending));
        let (journal, chain) = (Arc::clone(&self.world.journal), tenant.shared());
        let repair = async move {
            if let Some(writer) = writer {
                writer.stop(Stop::Drain);
                writer.exited().await;
            }
            let repair = move || journal.repair(&chain, Vec::new());
            let repaired = tokio::task::spawn_blocking(repair).await;
            repaired.unwrap_or_else(|fell| Err(JournalError::Io(fell.to_string())))
        };
        let again = repair.into_actor(self).map(move |repaired, tenants, ctx| {
            tenants.released(&tenant, ctx);
            drop(done);
            repaired
        });
        Box::pin(again)
    }
}
