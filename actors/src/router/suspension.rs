//! A tenant that falls too often is suspended: its alerts are still taken in, by a writer that has
//! nothing in common with what fell, and probes try the machine again, further and further apart.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use actix::{ActorFutureExt as _, AsyncContext as _, WrapFuture as _};
use vyrox_domain::{host_protocol::TenantHealth, ids::TenantId};
use vyrox_supervision::{Exit, Handle, Policy, Spec, Stop, SupervisedContext};

use super::{Active, Pollers, Tenants, node};
use crate::{
    directory::Route, intake_writer::IntakeWriter, keyring::TenantKeys, registry::NoteTenant,
};

/// Probes of a suspended tenant are never further apart than this.
const PROBE_MAX_MS: u64 = 600_000;
/// A tenant that was probed and has served so long without a fall is well again.
const HEALTHY_AFTER: Duration = Duration::from_secs(10);
/// How often a tenant on probation is looked at while its machine is not in service.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// More falls in a period than the pauses between them leave room for.
const WRITER_INTENSITY: u32 = 10_000;

impl Tenants {
    /// Activates a tenant. One that was suspended when the server stopped gets its probe by this.
    pub(super) fn begin(
        &mut self,
        keys: &Arc<TenantKeys>,
        ctx: &mut SupervisedContext<Self>,
    ) -> Route {
        let view = self.view.load();
        let record = view.tenants.get(&keys.tenant);
        let was_suspended = record.is_some_and(|record| record.suspended_since.is_some());
        if self.world.is_held(keys.tenant.as_str()) {
            return self.hold(keys);
        }
        let route = self.serve(keys, u32::from(was_suspended), ctx);
        self.attend(keys, ctx);
        if was_suspended {
            self.put_on_probation(&keys.tenant, ctx);
        }
        route
    }

    pub(super) fn ended(
        &mut self,
        tenant: &TenantId,
        life: u64,
        exit: &Exit,
        ctx: &mut SupervisedContext<Self>,
    ) {
        let serving = match self.active.get(tenant) {
            Some(Active::Serving(serving)) if serving.life == life => serving.clone(),
            _ => return,
        };
        let Exit::GaveUp(why) = exit else {
            // The whole tree is going down, or somebody stopped it: its next message brings it back.
            self.directory.take(tenant);
            self.active.remove(tenant);
            return;
        };
        tracing::error!(%tenant, why, "tenant suspended; its alerts are still taken in");
        serving.end_now();
        if let Some(notice) = serving.under_way.load_full() {
            self.call_for(tenant, &notice, ctx);
        }
        let keys = self.world.keyring.load().tenant(tenant.as_str()).cloned();
        if self.world.is_held(tenant.as_str()) {
            self.hold_from_now(tenant, keys.as_ref());
            return;
        }
        self.note(tenant, TenantHealth::Suspended);
        if let Some(keys) = keys {
            self.suspend(&keys, serving.probe.load(Ordering::Acquire), ctx);
        }
    }

    /// Intake goes on without the machine, until the next probe.
    fn suspend(&mut self, keys: &Arc<TenantKeys>, probe: u32, ctx: &mut SupervisedContext<Self>) {
        let (tenant, node) = (keys.tenant.clone(), node(&keys.tenant));
        let wait_ms = self
            .world
            .limits
            .probe_ms
            .saturating_mul(1_u64.checked_shl(probe.min(20)).unwrap_or(u64::MAX))
            .min(PROBE_MAX_MS);
        let writer = self.intake_writer(keys);
        self.tree
            .set_suspended(&node, Some(self.world.now().plus_ms(wait_ms).ms()));
        self.directory
            .put(tenant.clone(), Route::Intake(writer.clone()), None);
        let suspended = Active::Suspended {
            writer,
            probe,
            pollers: Pollers::default(),
        };
        self.active.insert(tenant.clone(), suspended);
        self.attend(keys, ctx);
        ctx.run_later(Duration::from_millis(wait_ms), move |tenants, ctx| {
            tenants.probe(&tenant, ctx);
        });
    }

    /// Starts the writer that takes a tenant's alerts in without its machine.
    pub(super) fn intake_writer(&self, keys: &Arc<TenantKeys>) -> Handle<IntakeWriter> {
        let node = node(&keys.tenant);
        let (world, repair) = (Arc::clone(&self.world), self.repair_of(&keys.tenant));
        let arbiter = self.arbiters.of(&keys.tenant);
        let spec = Spec::new(format!("{node}/intake_writer"), "intake_writer").under(&node);
        let keys = Arc::clone(keys);
        let make =
            move |_| IntakeWriter::new(Arc::clone(&world), Arc::clone(&keys), repair.clone());
        let policy = self.unending_policy();
        self.tree.supervise(spec.policy(policy), &arbiter, make)
    }

    /// Who works while a tenant is suspended or held has no one to fall back on, so it is never given up.
    pub(super) fn unending_policy(&self) -> Policy {
        Policy {
            intensity: WRITER_INTENSITY,
            ..self.policy()
        }
    }

    /// Tries a suspended tenant again: its intake ends in order, then a new machine begins.
    fn probe(&mut self, tenant: &TenantId, ctx: &mut SupervisedContext<Self>) {
        let Some(Active::Suspended { writer, probe, .. }) = self.active.get(tenant) else {
            return;
        };
        let (writer, probe, tenant) = (writer.clone(), *probe, tenant.clone());
        writer.stop(Stop::Drain);
        let drained = async move { writer.exited().await };
        let again = drained
            .into_actor(self)
            .map(move |_, tenants, ctx| tenants.try_again(&tenant, probe, ctx));
        ctx.spawn(again);
    }

    fn try_again(&mut self, tenant: &TenantId, probe: u32, ctx: &mut SupervisedContext<Self>) {
        // Its chain may have come to be held meanwhile, or the tenant have been removed.
        if !matches!(self.active.get(tenant), Some(Active::Suspended { .. })) {
            return;
        }
        let keys = self.world.keyring.load().tenant(tenant.as_str()).cloned();
        if self.world.is_held(tenant.as_str()) {
            self.hold_from_now(tenant, keys.as_ref());
            return;
        }
        let Some(keys) = keys else { return };
        self.note(tenant, TenantHealth::Probed);
        self.serve(&keys, probe.saturating_add(1), ctx);
        self.attend(&keys, ctx);
        self.put_on_probation(tenant, ctx);
    }

    /// Holds a tenant whose chain came to be held while it was served: its files could not be written.
    fn hold_from_now(&mut self, tenant: &TenantId, keys: Option<&Arc<TenantKeys>>) {
        self.active.remove(tenant);
        self.tree.remove(&node(tenant));
        if let Some(keys) = keys {
            self.hold(keys);
        }
    }

    /// Calls the tenant well once this activation of it has lasted.
    pub(super) fn put_on_probation(&self, tenant: &TenantId, ctx: &mut SupervisedContext<Self>) {
        look_after(HEALTHY_AFTER, tenant.clone(), self.lives, ctx);
    }

    /// A machine may fall and come back all the time without ever being given up: only one that has
    /// been in service for long enough is well, any other is looked at again.
    fn end_probation(&self, tenant: TenantId, life: u64, ctx: &mut SupervisedContext<Self>) {
        let serving = match self.active.get(&tenant) {
            Some(Active::Serving(serving)) if serving.life == life => serving,
            _ => return,
        };
        let served = serving
            .in_service_for_ms(self.world.now())
            .map(Duration::from_millis);
        match served.map(|served| HEALTHY_AFTER.saturating_sub(served)) {
            None => look_after(BETWEEN_LOOKS, tenant, life, ctx),
            Some(Duration::ZERO) => {
                serving.probe.store(0, Ordering::Release);
                tracing::info!(%tenant, "tenant serves again");
                self.note(&tenant, TenantHealth::Resumed);
            }
            Some(left) => look_after(left, tenant, life, ctx),
        }
    }

    fn note(&self, tenant: &TenantId, health: TenantHealth) {
        let note = NoteTenant {
            tenant: tenant.clone(),
            health,
        };
        if self.registry.try_cast(note).is_err() {
            tracing::error!(%tenant, "the registry takes no notes; see its state in the tree");
        }
    }
}

fn look_after(pause: Duration, tenant: TenantId, life: u64, ctx: &mut SupervisedContext<Tenants>) {
    ctx.run_later(pause, move |tenants, ctx| {
        tenants.end_probation(tenant, life, ctx);
    });
}
