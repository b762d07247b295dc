//! A registry on a real journal and a real vault, that can be started again.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actix::{Arbiter, System};
use arc_swap::ArcSwap;
use tempfile::{TempDir, tempdir};
use tokio::sync::oneshot;
use vyrox_domain::{
    containment::ContainmentLimits,
    host::HostState,
    ids::TenantId,
    playbook::{Assets, Playbooks},
    sla::Slas,
    time::Timestamp,
    triage::Bands,
    vendor::Vendor,
    webhook::AuthScheme,
};
use vyrox_journal::{
    Journal, LocalJournal, Options, projection::Projections, seal::HostKey, vault::Vault,
};
use vyrox_policy::Policies;
use vyrox_rules::RuleSet;
use vyrox_supervision::{Classified, Handle, Serves, Spec, Tree};

use super::super::*;
use crate::{
    keyring::Keyring,
    ports::{CaseSettings, Clock, Limits, Outside, Watching},
    reviewer::ReviewLimits,
};

/// Far longer than anything here takes.
pub(super) const DEADLINE: Duration = Duration::from_mins(1);
pub(super) const BEGIN_MS: u64 = 1_700_000_000_000;
pub(super) const BY: &str = "api_token:bootstrap";

/// A clock that stands until it is set.
#[derive(Default)]
pub(crate) struct SetClock(pub(super) AtomicU64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(BEGIN_MS + self.0.load(Ordering::SeqCst))
    }
}

/// What outlasts a restart.
pub(crate) struct Lasting {
    pub(super) key: Arc<HostKey>,
    pub(super) vault: Arc<Vault>,
    pub(crate) journal: Arc<LocalJournal>,
    projections: Arc<Projections>,
    pub(crate) dir: TempDir,
}

impl Lasting {
    pub(crate) fn new() -> Self {
        let dir = tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let options = Options {
            segment_bytes: 1 << 20,
            ..Options::default()
        };
        Self {
            key: Arc::new(HostKey::generate()),
            vault: Arc::new(Vault::open(&path("vault.redb")).unwrap()),
            journal: Arc::new(LocalJournal::open(&path("journal"), options, None).unwrap()),
            projections: Arc::new(Projections::open(&path("projections.redb"), 1 << 20).unwrap()),
            dir,
        }
    }
}

/// A registry on it, that has read the chain.
pub(super) struct House {
    world: Arc<World>,
    pub(super) clock: Arc<SetClock>,
    pub(super) view: Arc<ArcSwap<HostState>>,
    pub(super) registry: Handle<Registry>,
    tree: Tree,
    _deadlines: Handle<Deadlines>,
}

impl House {
    pub(super) async fn on(lasting: &Lasting) -> Self {
        Self::at(lasting, Duration::ZERO).await
    }

    /// The same, so long after the beginning.
    pub(super) async fn at(lasting: &Lasting, after: Duration) -> Self {
        let clock = Arc::new(SetClock::default());
        let ms = u64::try_from(after.as_millis()).unwrap();
        clock.0.store(ms, Ordering::SeqCst);
        Self::of(lasting, world(lasting, &clock), clock).await
    }

    /// The same in a world of its own.
    pub(super) async fn of(lasting: &Lasting, world: World, clock: Arc<SetClock>) -> Self {
        let world = Arc::new(world);
        let view = Arc::new(ArcSwap::from_pointee(HostState::default()));
        let (tree, arbiter) = (Tree::new(1), Arbiter::current());
        let deadlines = {
            let world = Arc::clone(&world);
            let spec = Spec::new("deadlines", "deadlines");
            tree.supervise(spec, &arbiter, move |_| Deadlines::new(Arc::clone(&world)))
        };
        let parts = RegistryParts {
            world: Arc::clone(&world),
            vault: Arc::clone(&lasting.vault),
            host_key: Arc::clone(&lasting.key),
            view: Arc::clone(&view),
            deadlines: deadlines.clone(),
        };
        let spec = Spec::new("registry", "registry");
        let registry = tree.supervise(spec, &arbiter, move |_| Registry::new(parts.clone()));
        registry.ask(Ready, DEADLINE).await.unwrap();
        Self {
            world,
            clock,
            view,
            registry,
            tree,
            _deadlines: deadlines,
        }
    }

    pub(super) async fn done<M, T>(
        &self,
        message: impl FnOnce(ChangeReply<T>) -> M,
    ) -> Result<T, RegistryError>
    where
        M: Classified<Result = ()>,
        Registry: Serves<M>,
    {
        let (reply, answer) = oneshot::channel();
        self.registry.cast(message(reply)).await.ok().unwrap();
        tokio::time::timeout(DEADLINE, answer)
            .await
            .unwrap()
            .unwrap()
    }

    pub(super) fn keyring(&self) -> Arc<Keyring> {
        self.world.keyring.load_full()
    }

    pub(super) async fn add(&self, id: &str) {
        let webhook = NewWebhook {
            vendor: Vendor::Generic,
            auth: AuthScheme::Bearer,
            secret: None,
        };
        let added = self.done(|reply| AddTenant {
            tenant_id: tenant(id),
            webhooks: vec![webhook],
            accounts: Vec::new(),
            by: BY.into(),
            reply,
        });
        added.await.unwrap();
    }

    pub(super) async fn code(&self, id: &str) -> String {
        let issued = self.done(|reply| IssueChatCode {
            tenant_id: tenant(id),
            by: BY.into(),
            reply,
        });
        issued.await.unwrap().code.text().to_string()
    }

    pub(super) async fn claim(&self, code: &str, guild: &str) -> Result<TenantId, RegistryError> {
        self.done(|reply| ClaimChat {
            code: code.into(),
            guild_id: guild.into(),
            channel_id: "7".into(),
            admin_role_id: None,
            user_id: "9".into(),
            reply,
        })
        .await
    }

    /// The end of this registry.
    pub(super) async fn close(self) {
        self.tree.shutdown(DEADLINE).await;
    }
}

pub(super) fn tenant(id: &str) -> TenantId {
    id.parse().unwrap()
}

pub(crate) fn world(lasting: &Lasting, clock: &Arc<SetClock>) -> World {
    World {
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        journal: Arc::clone(&lasting.journal) as Arc<dyn Journal>,
        projections: Arc::clone(&lasting.projections),
        progress: Arc::default(),
        rules: ArcSwap::from_pointee(RuleSet::compile(&[]).unwrap()),
        keyring: ArcSwap::from_pointee(Keyring::default()),
        playbooks: ArcSwap::from_pointee(Playbooks::compile(&[]).unwrap()),
        assets: Assets::default(),
        policies: ArcSwap::from_pointee(Policies::compile(&[]).unwrap()),
        outside: Outside::default(),
        told: Arc::default(),
        polls: Arc::default(),
        integrity: Arc::default(),
        settings: CaseSettings {
            approval_ms: 1000,
            dry_run: true,
            bulk_hosts: 5,
            daily_calls: 0,
            review: ReviewLimits::new(1, 1000),
            slas: Slas::default(),
            page_high: false,
            containment: ContainmentLimits {
                per_hour: 20,
                per_day: 100,
                concurrent: 10,
                contained_hosts: 25,
                protected_hosts: 2,
                claim_ms: 600_000,
            },
            watching: Watching {
                drift_ms: 900_000,
                poll_ms: 0,
            },
        },
        limits: Limits {
            bands: Bands::default(),
            dedup_window_ms: 1000,
            quota: vyrox_domain::tenant::Quota::default(),
            retention_ms: None,
            idle_passivate_ms: 1000,
            tenant_max: 8,
            tenant_queue: 8,
            intensity: 3,
            period_ms: 1000,
            backoff_ms: 1,
            backoff_max_ms: 1,
            probe_ms: 1000,
            budget: 16,
            slice_us: 1000,
        },
    }
}

pub(super) fn in_system<F: Future<Output = ()>>(test: F) {
    System::new().block_on(test);
}
