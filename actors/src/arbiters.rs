//! The threads that tenants are spread over.

use std::sync::Arc;

use actix::ArbiterHandle;
use arc_swap::ArcSwap;
use vyrox_domain::ids::TenantId;

/// One thread with its name.
#[derive(Clone, Debug)]
pub struct Thread {
    /// As the operating system and the watchdog know it.
    pub name: String,
    /// Its arbiter.
    pub arbiter: ArbiterHandle,
}

/// The threads: at least one. Clones are the same threads.
#[derive(Clone)]
pub struct Arbiters {
    first: Arc<ArcSwap<Thread>>,
    rest: Arc<[ArcSwap<Thread>]>,
}

impl Arbiters {
    /// The first one and the others.
    pub fn new(first: Thread, rest: Vec<Thread>) -> Self {
        Self {
            first: Arc::new(ArcSwap::from_pointee(first)),
            rest: rest.into_iter().map(ArcSwap::from_pointee).collect(),
        }
    }

    /// A tenant's arbiter. It depends on the name alone, so a tenant stays with its neighbours.
    pub fn of(&self, tenant: &TenantId) -> ArbiterHandle {
        let place = tenant.as_str().bytes().fold(0_usize, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(usize::from(byte))
        });
        let count = self.rest.len().saturating_add(1);
        let index = place.checked_rem(count).unwrap_or(0);
        let others = index.checked_sub(1).and_then(|index| self.rest.get(index));
        others.unwrap_or(&self.first).load().arbiter.clone()
    }

    /// The thread of that name is stuck: its tenants are sent to another one from now on.
    pub fn replace(&self, stuck: &str, with: &Thread) {
        for place in std::iter::once(&*self.first).chain(&*self.rest) {
            if place.load().name == stuck {
                place.store(Arc::new(with.clone()));
            }
        }
    }
}
