//! One life of the process: the real machine and the real adapter on a clock that jumps to whatever is due
//! next, and everything that may befall them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use actix::Arbiter;
use arc_swap::ArcSwap;
use tokio::{sync::oneshot, time::sleep};
use vyrox_actors::{
    arbiters::{Arbiters, Thread},
    deadlines::Deadlines,
    directory::{Directory, Route},
    edr::EdrCredential,
    journal::seal::DataKey,
    keyring::{ActionSeed, EdrKeys, Keyring, People, TenantKeys, TenantSettings, secret},
    messages::ListActs,
    ports::{Outside, World},
    registry::{Ready, Registry, RegistryParts},
    router::{Activate, Tenants, TenantsParts},
    supervision::{Fault, Handle, Node, Spec, State, Tree},
    tenant::Machine,
};
use vyrox_domain::{
    containment::Act,
    host::{self, HostState, PersonRecord},
    ids::{ActionId, PersonId, TenantId},
    person::Role,
    playbook::Assets,
    vendor::Vendor,
};

use super::{Furniture, TENANT, town::Town};
use crate::house::T0;

/// A keyring with the tenant, its key, and `ann`, who may approve.
pub(super) struct Keys {
    data_key: Arc<DataKey>,
    people: Arc<People>,
}

impl Keys {
    pub(super) fn new() -> Self {
        let ann = PersonRecord {
            added_at: T0,
            roles: BTreeMap::from([(tenant(), BTreeSet::from([Role::Approver]))]),
            accounts: BTreeSet::new(),
            tokens: BTreeMap::new(),
        };
        let people = host::People::from([(ann_id(), Arc::new(ann))]);
        Self {
            data_key: Arc::new(DataKey::generate(TENANT)),
            people: Arc::new(People::new(&people)),
        }
    }

    fn ring(&self, halted: bool, equipped: bool) -> Keyring {
        let credential = EdrCredential {
            version: 1,
            base_url: "https://edr.example".into(),
            login_url: None,
            client_id: None,
            secret: secret("a secret of the tenant"),
            realm: None,
        };
        let edr = EdrKeys {
            current: Arc::new(credential),
            previous: None,
        };
        let edr = equipped.then(|| (Vendor::Crowdstrike, Arc::new(edr)));
        let keys = TenantKeys {
            tenant: tenant(),
            opaque_id: "0".repeat(32),
            data_key: Arc::clone(&self.data_key),
            webhooks: HashMap::default(),
            settings: TenantSettings::default(),
            action_seed: ActionSeed::new(&[7; 32]),
            action_kid: None,
            edr: edr.into_iter().collect(),
            action_secret: None,
            halted,
        };
        Keyring::new([Arc::new(keys)], []).with(Arc::clone(&self.people), Arc::default())
    }
}

pub(super) fn tenant() -> TenantId {
    TENANT.parse().expect("a tenant id")
}

pub(super) fn ann_id() -> PersonId {
    "ann".parse().expect("a name")
}

/// The actors of one process.
pub(super) struct Life {
    pub(super) world: Arc<World>,
    pub(super) machine: Handle<Machine>,
    tree: Tree,
    keys: Arc<Keys>,
    halted: std::cell::Cell<bool>,
    equipped: std::cell::Cell<bool>,
    _held: (Handle<Registry>, Handle<Tenants>, Handle<Deadlines>),
}

impl Life {
    /// Starts what a tenant needs to be served, on what there is from earlier lives.
    pub(super) async fn begin(town: &Town, furniture: &Furniture) -> Self {
        let world = Arc::new(world(town, furniture));
        let (tree, here) = (Tree::with_clock(7, || 1_000_000), Arbiter::current());
        let (view, directory) = (
            Arc::new(ArcSwap::from_pointee(HostState::default())),
            Arc::new(Directory::default()),
        );
        let deadlines = {
            let world = Arc::clone(&world);
            let make = move |_| Deadlines::new(Arc::clone(&world));
            tree.supervise(Spec::new("deadlines", "deadlines"), &here, make)
        };
        let registry = {
            let parts = RegistryParts {
                world: Arc::clone(&world),
                vault: Arc::clone(&furniture.vault),
                host_key: Arc::clone(&furniture.host_key),
                view: Arc::clone(&view),
                deadlines: deadlines.clone(),
            };
            let make = move |_| Registry::new(parts.clone());
            tree.supervise(Spec::new("registry", "registry"), &here, make)
        };
        let tenants = {
            let thread = Thread {
                name: "here".into(),
                arbiter: here.clone(),
            };
            let parts = TenantsParts {
                world: Arc::clone(&world),
                tree: tree.clone(),
                directory,
                arbiters: Arbiters::new(thread, Vec::new()),
                registry: registry.clone(),
                view,
            };
            let make = move |_| Tenants::new(parts.clone());
            tree.supervise(Spec::new("tenants", "tenants"), &here, make)
        };
        let minute = Duration::from_mins(1);
        registry.ask(Ready, minute).await.expect("a registry");
        let keys = Arc::clone(&furniture.keys);
        world
            .keyring
            .store(Arc::new(keys.ring(town.is_halted(), true)));
        let asked = tenants.ask(Activate(tenant()), minute);
        let route = asked.await.expect("an answer").expect("a tenant");
        let Route::Machine(machine) = route else {
            panic!("the tenant is suspended")
        };
        Self {
            world,
            machine,
            tree,
            keys,
            halted: town.is_halted().into(),
            equipped: true.into(),
            _held: (registry, tenants, deadlines),
        }
    }

    /// Halts containment, or lets it go on.
    pub(super) fn halt(&self, town: &Town, halted: bool) {
        town.halt(halted);
        self.halted.set(town.is_halted());
        self.publish();
    }

    /// Gives the tenant its credential, or takes it away.
    pub(super) fn equip(&self, equipped: bool) {
        self.equipped.set(equipped);
        self.publish();
    }

    fn publish(&self) {
        let ring = self.keys.ring(self.halted.get(), self.equipped.get());
        self.world.keyring.store(Arc::new(ring));
    }

    /// The actor's next message makes it fall.
    pub(super) fn fell(&self, actor: &str) {
        self.tree
            .inject(&format!("tenant/{TENANT}/{actor}"), Fault::Panic, 1);
    }

    /// Watches who has fallen, and which intents grow old.
    pub(super) async fn watch(&self, town: &Town) {
        let mut before = 0;
        loop {
            sleep(Duration::from_secs(1)).await;
            let (mut falls, mut running) = (0, true);
            count(&self.tree.snapshot(), &mut falls, &mut running);
            if falls != before || !running {
                town.watching.unwell(falls != before);
            }
            before = falls;
            town.watching.look();
        }
    }

    /// All actions as the machine has them.
    pub(super) async fn acts(&self) -> Option<Vec<(ActionId, Act)>> {
        let (reply, answer) = oneshot::channel();
        let list = ListActs {
            only: None,
            limit: 1_000,
            reply,
        };
        self.machine.try_cast(list).ok()?;
        answer.await.ok()
    }
}

fn count(node: &Node, falls: &mut u64, running: &mut bool) {
    *falls += node.restarts;
    *running &= !matches!(node.state, State::BackingOff | State::Suspended);
    for child in &node.children {
        count(child, falls, running);
    }
}

fn world(town: &Town, furniture: &Furniture) -> World {
    let like = &furniture.like;
    let playbooks = if town.lifts {
        &furniture.lifting
    } else {
        &furniture.asking
    };
    let mut limits = like.limits;
    // A slice is of real time, of which nothing may depend here.
    limits.slice_us = 60_000_000;
    let mut settings = like.settings.clone();
    settings.dry_run = town.rehearses;
    World {
        clock: Arc::new(town.hours.clone()),
        journal: Arc::new(town.memory.clone()),
        projections: Arc::clone(&like.projections),
        progress: Arc::clone(&like.progress),
        rules: ArcSwap::new(like.rules.load_full()),
        keyring: ArcSwap::default(),
        playbooks: ArcSwap::new(Arc::clone(playbooks)),
        assets: Assets::parse(&[], &[]).expect("no patterns"),
        policies: ArcSwap::new(like.policies.load_full()),
        outside: Outside {
            pager: like.outside.pager.clone(),
            edrs: Some(Arc::new(town.vendor.clone())),
            ..Outside::default()
        },
        told: Arc::default(),
        polls: Arc::default(),
        integrity: Arc::default(),
        settings,
        limits,
    }
}
