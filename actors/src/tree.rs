//! The host's tree: what is started, in which order, on which thread.

use std::{sync::Arc, time::Duration};

use actix::ArbiterHandle;
use arc_swap::ArcSwap;
use vyrox_domain::{host::HostState, ids::TenantId};
use vyrox_journal::{seal::HostKey, vault::Vault};
use vyrox_supervision::{Backoff, Handle, Policy, Spec, Supervised, Tree};

use crate::{
    audit_writer::{AuditWriter, OnPoison},
    deadlines::Deadlines,
    directory::Directory,
    nonce_cache::NonceCache,
    ports::World,
    projector::{Projector, ProjectorParts},
    registry::{Registry, RegistryParts},
    router::{Tenants, TenantsParts},
};

/// The threads that tenants are spread over: at least one.
#[derive(Clone)]
pub struct Arbiters {
    first: ArbiterHandle,
    rest: Arc<[ArbiterHandle]>,
}

impl Arbiters {
    /// The first one and the others.
    pub fn new(first: ArbiterHandle, rest: Vec<ArbiterHandle>) -> Self {
        Self {
            first,
            rest: rest.into(),
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
        others.unwrap_or(&self.first).clone()
    }
}

/// What the composition root gives.
pub struct HostParts {
    /// The world.
    pub world: Arc<World>,
    /// Where everything hangs.
    pub tree: Tree,
    /// For the host's own actors.
    pub host_arbiter: ArbiterHandle,
    /// For tenants.
    pub tenant_arbiters: Arbiters,
    /// Where secrets lie.
    pub vault: Arc<Vault>,
    /// What opens them.
    pub host_key: Arc<HostKey>,
    /// The projector's thread and what it works with.
    pub projector: ProjectorParts,
    /// What to do when the journal fails.
    pub on_poison: OnPoison,
}

/// The host's actors, running.
pub struct Host {
    /// The tree.
    pub tree: Tree,
    /// Tenants' ways in.
    pub directory: Arc<Directory>,
    /// What is known of the host.
    pub view: Arc<ArcSwap<HostState>>,
    /// The `_host` machine.
    pub registry: Handle<Registry>,
    /// The router.
    pub tenants: Handle<Tenants>,
    /// Held, so that they live.
    pub audit_writer: Handle<AuditWriter>,
    /// Held, so that it lives.
    pub nonce_cache: Handle<NonceCache>,
    /// Held, so that it lives.
    pub deadlines: Handle<Deadlines>,
    /// Held, so that it lives.
    pub projector: Handle<Projector>,
}

/// Starts the host's actors, those first that others lean on; they stop in the reverse order, the
/// audit writer last.
pub fn start(parts: &HostParts) -> Host {
    let HostParts {
        world,
        tree,
        vault,
        host_key,
        ..
    } = parts;
    let view = Arc::new(ArcSwap::from_pointee(HostState::default()));
    let directory = Arc::new(Directory::default());
    let (audit_writer, projector, nonce_cache) = keepers(parts);
    let deadlines = {
        let world = Arc::clone(world);
        supervise(parts, "deadlines", move || {
            Deadlines::new(Arc::clone(&world))
        })
    };
    let registry = {
        let registry = RegistryParts {
            world: Arc::clone(world),
            vault: Arc::clone(vault),
            host_key: Arc::clone(host_key),
            view: Arc::clone(&view),
            deadlines: deadlines.clone(),
        };
        supervise(parts, "registry", move || Registry::new(registry.clone()))
    };
    let tenants = {
        let tenants = TenantsParts {
            world: Arc::clone(world),
            tree: tree.clone(),
            directory: Arc::clone(&directory),
            arbiters: parts.tenant_arbiters.clone(),
            registry: registry.clone(),
            view: Arc::clone(&view),
        };
        supervise(parts, "tenants", move || Tenants::new(tenants.clone()))
    };
    let tree = tree.clone();
    Host {
        tree,
        directory,
        view,
        registry,
        tenants,
        audit_writer,
        nonce_cache,
        deadlines,
        projector,
    }
}

/// Those that keep what lasts: the journal's watch, the projections, the index of repeats.
fn keepers(parts: &HostParts) -> (Handle<AuditWriter>, Handle<Projector>, Handle<NonceCache>) {
    let world = &parts.world;
    let audit_writer = {
        let (world, on_poison) = (Arc::clone(world), Arc::clone(&parts.on_poison));
        let make = move || AuditWriter::new(Arc::clone(&world), Arc::clone(&on_poison));
        supervise(parts, "audit_writer", make)
    };
    let projector = {
        let projector = parts.projector.clone();
        supervise(parts, "projector", move || {
            Projector::new(projector.clone())
        })
    };
    let nonce_cache = {
        let world = Arc::clone(world);
        supervise(parts, "nonce_cache", move || {
            NonceCache::new(Arc::clone(&world))
        })
    };
    (audit_writer, projector, nonce_cache)
}

/// The longest pause before one of the host's own actors comes back.
const HOST_BACKOFF_MAX: Duration = Duration::from_secs(5);
/// More falls in a period than those pauses leave room for: nobody above could do better than to try
/// again, so the host's own actors are never given up.
const HOST_INTENSITY: u32 = 10_000;

/// Starts one of the host's own actors, on the thread that they share.
fn supervise<A: Supervised>(
    parts: &HostParts,
    kind: &'static str,
    make: impl Fn() -> A + Send + Sync + 'static,
) -> Handle<A> {
    let backoff = Backoff {
        base: Duration::from_millis(50),
        max: HOST_BACKOFF_MAX,
        ..Policy::default().backoff
    };
    let policy = Policy {
        intensity: HOST_INTENSITY,
        backoff,
        ..Policy::default()
    };
    let spec = Spec::new(kind, kind).policy(policy);
    let make = move |_generation| make();
    parts.tree.supervise(spec, &parts.host_arbiter, make)
}
