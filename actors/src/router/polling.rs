//! Which tenants are polled, and who polls them. A tenant that is polled is kept in memory from the start
//! of the process on, and is polled while it is suspended too.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix::AsyncContext as _;
use vyrox_domain::vendor::Vendor;
use vyrox_supervision::{Handle, Policy, Spec, Stop, SupervisedContext};

use super::{Active, Tenants, node};
use crate::{
    keyring::TenantKeys,
    poller::{POLLED, Poller, PollerParts, SetAside},
};

/// How often the keyring is looked through for credentials that came or went.
const LOOK: Duration = Duration::from_secs(10);

/// A tenant's pollers; copies are the same ones.
#[derive(Clone, Default)]
pub(crate) struct Pollers(Arc<Mutex<BTreeMap<Vendor, Handle<Poller>>>>);

impl Pollers {
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    pub(super) fn end_now(&self) {
        let all = std::mem::take(&mut *self.lock());
        for poller in all.values() {
            poller.stop(Stop::Now);
        }
    }

    fn vendors(&self) -> Vec<Vendor> {
        self.lock().keys().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Vendor, Handle<Poller>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tenants {
    /// Looks for credentials every so often, where anything is polled at all.
    pub(super) fn watch_credentials(&self, ctx: &mut SupervisedContext<Self>) {
        if self.polls() {
            ctx.run_interval(LOOK, Self::look_for_credentials);
        }
    }

    /// The vendors that this tenant's alerts are asked of.
    pub(super) fn to_poll(&self, keys: &TenantKeys) -> Vec<Vendor> {
        let held = self.world.is_held(keys.tenant.as_str());
        let known = |vendor: &Vendor| keys.edr.contains_key(vendor);
        let polled = POLLED.into_iter().filter(known);
        polled.filter(|_| self.polls() && !held).collect()
    }

    /// Starts the pollers that are missing, and ends those whose credential is gone.
    pub(super) fn attend(&self, keys: &Arc<TenantKeys>, ctx: &SupervisedContext<Self>) {
        let (pollers, policy) = match self.active.get(&keys.tenant) {
            Some(Active::Serving(serving)) => (&serving.pollers, self.policy()),
            Some(Active::Suspended { pollers, .. }) => (pollers, self.unending_policy()),
            Some(Active::Resting(_) | Active::Held(_) | Active::Mending(_)) | None => return,
        };
        let (there, wanted) = (pollers.vendors(), self.to_poll(keys));
        for vendor in wanted.iter().filter(|vendor| !there.contains(vendor)) {
            let poller = self.poller(keys, *vendor, policy, ctx);
            pollers.lock().insert(*vendor, poller);
        }
        for vendor in there.iter().filter(|vendor| !wanted.contains(vendor)) {
            let gone = pollers.lock().remove(vendor);
            if let Some(poller) = gone {
                poller.stop(Stop::Now);
                self.tree.remove(poller.id());
            }
        }
    }

    fn polls(&self) -> bool {
        self.world.outside.edrs.is_some() && self.world.settings.watching.poll_ms > 0
    }

    fn look_for_credentials(&mut self, ctx: &mut SupervisedContext<Self>) {
        let keyring = self.world.keyring.load_full();
        for keys in keyring.tenants() {
            if self.active.contains_key(&keys.tenant) {
                self.attend(keys, ctx);
            } else if !self.to_poll(keys).is_empty() {
                self.begin(keys, ctx);
            }
        }
    }

    fn poller(
        &self,
        keys: &TenantKeys,
        vendor: Vendor,
        policy: Policy,
        ctx: &SupervisedContext<Self>,
    ) -> Handle<Poller> {
        let tenant = keys.tenant.clone();
        let node = node(&tenant);
        let arbiter = self.arbiters.of(&tenant);
        let parts = Arc::new(PollerParts {
            world: Arc::clone(&self.world),
            tenant,
            vendor,
            directory: Arc::clone(&self.directory),
            tenants: ctx.handle(),
            set_aside: SetAside::default(),
        });
        let spec = Spec::new(format!("{node}/poller/{vendor}"), "poller").under(&node);
        let make = move |_| Poller::new(Arc::clone(&parts));
        self.tree.supervise(spec.policy(policy), &arbiter, make)
    }
}
