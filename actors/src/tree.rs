//! The host's tree: what is started, in which order, on which thread.

use std::{sync::Arc, time::Duration};

use actix::ArbiterHandle;
use arc_swap::ArcSwap;
use vyrox_domain::host::HostState;
use vyrox_journal::{seal::HostKey, vault::Vault};
use vyrox_supervision::{Backoff, Group, Handle, Policy, Spec, Strategy, Supervised, Tree};

use crate::{
    arbiters::Arbiters,
    audit_writer::{AuditWriter, OnPoison},
    deadlines::Deadlines,
    directory::Directory,
    nonce_cache::NonceCache,
    notary::{Notary, NotaryParts, Witnesses},
    ports::World,
    projector::{Projector, ProjectorParts},
    registry::{Registry, RegistryParts},
    router::{Tenants, TenantsParts},
};

/// What the composition root gives.
pub struct HostParts {
    /// The world.
    pub world: Arc<World>,
    /// Where everything hangs.
    pub tree: Tree,
    /// For the audit writer alone.
    pub audit_arbiter: ArbiterHandle,
    /// For the host's other actors.
    pub host_arbiter: ArbiterHandle,
    /// For tenants.
    pub tenant_arbiters: Arbiters,
    /// Where secrets lie.
    pub vault: Arc<Vault>,
    /// What opens them.
    pub host_key: Arc<HostKey>,
    /// The projector's thread and what it works with.
    pub projector: ProjectorParts,
    /// The notary's thread and what it works with; `None` where nothing is signed.
    pub notary: Option<NotaryParts>,
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
    /// Held, so that it lives.
    pub notary: Option<Handle<Notary>>,
    /// Held, so that it lives; `None` where no witness is asked.
    pub witnesses: Option<Handle<Witnesses>>,
}

/// Starts the host's actors, those first that others lean on; they stop in the reverse order, the
/// audit writer last.
pub fn start(parts: &HostParts) -> Host {
    let HostParts { world, tree, .. } = parts;
    let view = Arc::new(ArcSwap::from_pointee(HostState::default()));
    let directory = Arc::new(Directory::default());
    let (audit_writer, projector, nonce_cache) = keepers(parts);
    let notary = parts.notary.clone().map(|notary| {
        supervise(parts, Spec::new("notary", "notary"), move || {
            Notary::new(notary.clone())
        })
    });
    let asking = parts
        .notary
        .as_ref()
        .map(|notary| Arc::clone(&notary.office));
    let asking = asking.filter(|office| office.has_witnesses());
    let witnesses = asking.map(|office| {
        supervise(parts, Spec::new("witnesses", "witnesses"), move || {
            Witnesses::new(Arc::clone(&office))
        })
    });
    let (deadlines, registry) = host_machine(parts, &view);
    let tenants = {
        let tenants = TenantsParts {
            world: Arc::clone(world),
            tree: tree.clone(),
            directory: Arc::clone(&directory),
            arbiters: parts.tenant_arbiters.clone(),
            registry: registry.clone(),
            view: Arc::clone(&view),
        };
        supervise(parts, Spec::new("tenants", "tenants"), move || {
            Tenants::new(tenants.clone())
        })
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
        notary,
        witnesses,
    }
}

/// Those that keep what lasts: the journal's watch, the projections, the index of repeats.
fn keepers(parts: &HostParts) -> (Handle<AuditWriter>, Handle<Projector>, Handle<NonceCache>) {
    let world = &parts.world;
    let audit_writer = {
        let (world, on_poison) = (Arc::clone(world), Arc::clone(&parts.on_poison));
        let make = move |_| AuditWriter::new(Arc::clone(&world), Arc::clone(&on_poison));
        let spec = Spec::new("audit_writer", "audit_writer").policy(host_policy());
        parts.tree.supervise(spec, &parts.audit_arbiter, make)
    };
    let projector = {
        let projector = parts.projector.clone();
        supervise(parts, Spec::new("projector", "projector"), move || {
            Projector::new(projector.clone())
        })
    };
    let nonce_cache = {
        let world = Arc::clone(world);
        supervise(parts, Spec::new("nonce_cache", "nonce_cache"), move || {
            NonceCache::new(Arc::clone(&world))
        })
    };
    (audit_writer, projector, nonce_cache)
}

/// The longest pause before one of the host's own actors comes back.
const HOST_BACKOFF_MAX: Duration = Duration::from_secs(1);
/// More falls in a period than those pauses leave room for: nobody above could do better than to try
/// again, so the host's own actors are never given up.
const HOST_INTENSITY: u32 = 10_000;

fn host_policy() -> Policy {
    let backoff = Backoff {
        base: Duration::from_millis(50),
        max: HOST_BACKOFF_MAX,
        ..Policy::default().backoff
    };
    Policy {
        intensity: HOST_INTENSITY,
        backoff,
        ..Policy::default()
    }
}

/// The `_host` machine and the timers that it sets. They stand in memory only, and the machine sets
/// them when it starts; so it restarts when they fall.
fn host_machine(
    parts: &HostParts,
    view: &Arc<ArcSwap<HostState>>,
) -> (Handle<Deadlines>, Handle<Registry>) {
    let policy = host_policy();
    let rest_for_one = Group::new("_host", "host_machine")
        .strategy(Strategy::RestForOne)
        .bears(policy.intensity, policy.period);
    parts.tree.supervisor(&rest_for_one);
    let deadlines = {
        let world = Arc::clone(&parts.world);
        let spec = Spec::new("deadlines", "deadlines").under("_host");
        supervise(parts, spec, move || Deadlines::new(Arc::clone(&world)))
    };
    let registry = RegistryParts {
        world: Arc::clone(&parts.world),
        vault: Arc::clone(&parts.vault),
        host_key: Arc::clone(&parts.host_key),
        view: Arc::clone(view),
        deadlines: deadlines.clone(),
    };
    let spec = Spec::new("registry", "registry").under("_host");
    let registry = supervise(parts, spec, move || Registry::new(registry.clone()));
    (deadlines, registry)
}

/// Starts one of the host's own actors, on the thread that they share.
fn supervise<A: Supervised>(
    parts: &HostParts,
    spec: Spec,
    make: impl Fn() -> A + Send + Sync + 'static,
) -> Handle<A> {
    let make = move |_generation| make();
    let spec = spec.policy(host_policy());
    parts.tree.supervise(spec, &parts.host_arbiter, make)
}
