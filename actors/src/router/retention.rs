//! Evidence that was kept for as long as it is to be kept: every tenant is looked at once a day, one
//! after the other, and only one that has something to let go of is woken for it.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use actix::{ActorFutureExt as _, AsyncContext as _, WrapFuture as _};
use vyrox_domain::{
    entry::Recorded,
    ids::TenantId,
    tenant::{SNAPSHOT_VERSION, TenantState},
    time::Timestamp,
};
use vyrox_supervision::SupervisedContext;

use super::Tenants;
use crate::{directory::Route, messages::SweepEvidence, ports::World, projector::is_of_the_chain};

/// How often the next tenant is looked at, or the day is looked for.
const STEP: Duration = Duration::from_secs(1);
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Who is still to be looked at today.
#[derive(Default)]
pub(super) struct Retention {
    day: Option<u64>,
    left: VecDeque<TenantId>,
    looking: bool,
}

impl Tenants {
    /// Looks through the tenants day by day, where evidence is not kept for ever.
    pub(super) fn watch_retention(&self, ctx: &mut SupervisedContext<Self>) {
        if self.world.limits.retention_ms.is_some() {
            ctx.run_interval(STEP, Self::look_at_next);
        }
    }

    fn look_at_next(&mut self, ctx: &mut SupervisedContext<Self>) {
        let today = self.world.now().ms() / DAY_MS;
        if self.retention.looking {
            return;
        }
        if self.retention.left.is_empty() && self.retention.day != Some(today) {
            let keyring = self.world.keyring.load();
            let tenants = keyring.tenants().map(|keys| keys.tenant.clone());
            self.retention.left = tenants.collect();
            self.retention.day = Some(today);
        }
        let Some(tenant) = self.retention.left.pop_front() else {
            return;
        };
        self.retention.looking = true;
        let (world, of) = (Arc::clone(&self.world), tenant.clone());
        let look = tokio::task::spawn_blocking(move || has_aged(&world, &of));
        let sweep = look.into_actor(self).map(move |aged, tenants, ctx| {
            tenants.retention.looking = false;
            if aged.unwrap_or(false) {
                tenants.sweep_evidence(&tenant, ctx);
            }
        });
        ctx.spawn(sweep);
    }

    fn sweep_evidence(&mut self, tenant: &TenantId, ctx: &mut SupervisedContext<Self>) {
        let keys = self.world.keyring.load().tenant(tenant.as_str()).cloned();
        let Some(keys) = keys else { return };
        let route = match self.directory.get(tenant) {
            Some(route) => route,
            None if self.active.contains_key(tenant) => return,
            None => self.begin(&keys, ctx),
        };
        // A suspended tenant is looked at again tomorrow, and a lane that is full as well.
        if let Route::Machine(machine) = route {
            machine.try_cast(SweepEvidence).ok();
        }
    }
}

/// Whether the first entry that retention has not passed yet is older than evidence is kept. A snapshot
/// that is not there or of another release leaves that to the machine.
fn has_aged(world: &World, tenant: &TenantId) -> bool {
    let Some(kept_ms) = world.limits.retention_ms else {
        return false;
    };
    let older_than = Timestamp::from_ms(world.now().ms().saturating_sub(kept_ms));
    let chain = tenant.as_str();
    let row = world.projections.snapshot(chain).ok().flatten();
    let row = row.filter(|row| row.version == SNAPSHOT_VERSION);
    let row = row.filter(|row| is_of_the_chain(&*world.journal, chain, row.at));
    let state = row.and_then(|row| serde_json::from_slice::<TenantState>(&row.value).ok());
    let from = state.map_or(0, |state| state.retained_from);
    first_at(world, chain, from).is_some_and(|at| at < older_than)
}

fn first_at(world: &World, chain: &str, from: u64) -> Option<Timestamp> {
    let mut lines = world.journal.read(chain, from, Some(from)).ok()?;
    let line = lines.next()?.ok()?;
    Some(Recorded::parse(&line.bytes).ok()?.timestamp_ms)
}
