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

use super::{Active, Tenants, node, serving::at_rest};
use crate::{directory::Route, keyring::TenantKeys, ports::World, projector::forget_other};

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

    /// Begins holds of tenants whose chain came to be held while they were served, and ends those whose chain is held no more. Whoever had it repaired serves the tenant, unless this actor
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
            let begun = tenants.active.iter().filter(|(tenant, active)| {
                let served = matches!(active, Active::Serving(_) | Active::Suspended { .. });
                served && tenants.world.is_held(tenant.as_str())
            });
            let begun: Vec<_> = begun.map(|(tenant, _)| tenant.clone()).collect();
            for tenant in begun {
                tracing::error!(%tenant, "a chain came to be held; its tenant is served no more");
                // Nothing that its actors would bring to an end can be written down, and alerts are kept only behind them.
                if let Some(Active::Serving(serving)) = tenants.active.get(&tenant) {
                    serving.end_now();
                }
                tenants.change_over(&tenant, ctx);
            }
        });
    }

    /// An action that is under way is nobody's any more: people are told.
    fn call_for_what_is_left(
        &self,
        tenant: &TenantId,
        before: Option<&Active>,
        ctx: &mut SupervisedContext<Self>,
    ) {
        let Some(Active::Serving(serving)) = before else {
            return;
        };
        if let Some(notice) = serving.under_way.load_full() {
            self.call_for(tenant, &notice, ctx);
        }
    }

    /// What its writer took comes to an end on the chain that stands in, then the tenant is served. Gives
    /// what ends when that is so.
    pub(super) fn end_hold(
        &mut self,
        tenant: &TenantId,
        ctx: &mut SupervisedContext<Self>,
    ) -> watch::Receiver<()> {
        tracing::warn!(%tenant, "a chain is held no more; its tenant is served again");
        self.change_over(tenant, ctx)
    }

    /// What the tenant's actors took comes to an end, then it is served or held, as its chain is.
    fn change_over(
        &mut self,
        tenant: &TenantId,
        ctx: &mut SupervisedContext<Self>,
    ) -> watch::Receiver<()> {
        let (done, mending) = watch::channel(());
        self.directory.take(tenant);
        let held = Active::Mending(mending.clone());
        let before = self.active.insert(tenant.clone(), held);
        self.call_for_what_is_left(tenant, before.as_ref(), ctx);
        let tenant = tenant.clone();
        let (world, chain) = (Arc::clone(&self.world), tenant.shared());
        let drained = async move {
            if let Some(before) = before {
                drained(before).await;
            }
            let forget = move || forget_lost(&world, &chain);
            tokio::task::spawn_blocking(forget).await.ok();
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

/// Lets them finish what they took.
async fn drained(active: Active) {
    match active {
        Active::Serving(serving) | Active::Resting(serving) => at_rest(serving).await,
        Active::Suspended {
            writer, pollers, ..
        } => {
            pollers.end_now();
            writer.stop(Stop::Drain);
            writer.exited().await;
        }
        Active::Held(writer) => {
            writer.stop(Stop::Drain);
            writer.exited().await;
        }
        Active::Mending(mut done) => while done.changed().await.is_ok() {},
    }
}

fn repair(world: &World, chain: &str) -> Result<Repaired, JournalError> {
    let repaired = world.journal.repair(chain, Vec::new())?;
    forget_lost(world, chain);
    Ok(repaired)
}

/// What was derived from entries that are lost now is gone before anybody decides by it: a repeat of an alert
/// that is not there any more is none. Failing that the projector finds it.
fn forget_lost(world: &World, chain: &str) {
    if world.is_held(chain) {
        return;
    }
    let projections = (&*world.projections, &*world.progress);
    if let Err(error) = forget_other(&*world.journal, projections, chain) {
        tracing::error!(chain, %error, "what was derived of lost entries is there still");
    }
}

impl Handler<Release> for Tenants {
    type Result = ResponseActFuture<Self, Result<Repaired, JournalError>>;

    /// Whoever asks for the tenant meanwhile waits.
    fn handle(&mut self, Release(tenant): Release, ctx: &mut Self::Context) -> Self::Result {
        self.release(tenant, ctx)
    }
}

impl Tenants {
    fn release(
        &mut self,
        tenant: TenantId,
        ctx: &mut SupervisedContext<Self>,
    ) -> ResponseActFuture<Self, Result<Repaired, JournalError>> {
        match self.active.get(&tenant) {
            Some(Active::Mending(done)) => {
                let mut over = done.clone();
                let ended = async move { while over.changed().await.is_ok() {} };
                let again = ended.into_actor(self);
                return Box::pin(again.then(move |(), tenants, ctx| tenants.release(tenant, ctx)));
            }
            Some(Active::Held(_)) => {}
            // It came to be held while it was served, and nobody has noticed yet.
            Some(_) | None if self.world.is_held(tenant.as_str()) => {}
            Some(_) | None => {
                let not_held = JournalError::NotHeld(tenant.to_string());
                return Box::pin(fut::ready(Err(not_held)));
            }
        }
        let (done, mending) = watch::channel(());
        self.directory.take(&tenant);
        let mending = Active::Mending(mending);
        let before = self.active.insert(tenant.clone(), mending);
        self.call_for_what_is_left(&tenant, before.as_ref(), ctx);
        if let Some(Active::Serving(serving)) = &before {
            // As where it is noticed: what its actors would bring to an end cannot be written down.
            serving.end_now();
        }
        let (world, chain) = (Arc::clone(&self.world), tenant.shared());
        let repair = async move {
            if let Some(before) = before {
                drained(before).await;
            }
            let repaired = tokio::task::spawn_blocking(move || repair(&world, &chain)).await;
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
