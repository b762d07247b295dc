//! The tenants' supervisor: activates a tenant on its first message, passivates it when idle, and
//! suspends it when it falls too often.

mod calling;
mod holding;
mod polling;
mod removal;
mod retention;
mod serving;
mod starting;
mod suspension;

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use actix::{
    Actor, ActorFutureExt as _, AsyncContext as _, Handler, Message, ResponseActFuture,
    WrapFuture as _, fut,
};
use arc_swap::ArcSwap;
use tokio::sync::watch;
use vyrox_domain::{host::HostState, ids::TenantId};
use vyrox_supervision::{Class, Classified, Handle, SupervisedContext, Tree};

pub use self::holding::Release;
pub use self::removal::Remove;
pub(crate) use self::serving::Serving;
use self::{polling::Pollers, retention::Retention, serving::at_rest};
use crate::{
    arbiters::Arbiters,
    directory::{Directory, Route},
    intake_writer::IntakeWriter,
    ports::World,
    registry::{Ready, Registry},
};

/// How long the registry may take to read the host's chain.
const REGISTRY_DEADLINE: Duration = Duration::from_mins(1);

/// The actor.
pub struct Tenants {
    world: Arc<World>,
    tree: Tree,
    directory: Arc<Directory>,
    arbiters: Arbiters,
    registry: Handle<Registry>,
    view: Arc<ArcSwap<HostState>>,
    active: HashMap<TenantId, Active>,
    lives: u64,
    retention: Retention,
}

/// What the factory of [`Tenants`] keeps over its generations.
#[derive(Clone)]
pub struct TenantsParts {
    /// The world.
    pub world: Arc<World>,
    /// Where children are hung.
    pub tree: Tree,
    /// What the edge reads.
    pub directory: Arc<Directory>,
    /// The arbiters that tenants are spread over.
    pub arbiters: Arbiters,
    /// Who writes down suspensions.
    pub registry: Handle<Registry>,
    /// What is known of the host, suspensions among it.
    pub view: Arc<ArcSwap<HostState>>,
}

enum Active {
    Serving(Serving),
    /// Its actors finish what they took; nobody can reach them any more.
    Resting(Serving),
    Suspended {
        writer: Handle<IntakeWriter>,
        probe: u32,
        pollers: Pollers,
    },
    /// Its chain's end can't be proven; its alerts go to a chain that stands in.
    Held(Handle<IntakeWriter>),
    /// Its chain is being repaired; this ends when it is, one way or the other.
    Mending(watch::Receiver<()>),
}

/// What has to end before a tenant has a way in.
enum Wait {
    /// Actors that come to rest.
    Resting(Box<Serving>),
    /// A repair.
    Mending(watch::Receiver<()>),
}

/// Give me the way in to this tenant; activates it if needed. `None`: there is no such tenant.
#[derive(Message)]
#[rtype(result = "Option<Route>")]
pub struct Activate(pub TenantId);

impl Classified for Activate {
    const CLASS: Class = Class::Containment;
}

/// A machine has had nothing to do for a while.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Passivate {
    /// Whose.
    pub tenant: TenantId,
    /// Which generation says so.
    pub generation: u64,
}

impl Classified for Passivate {
    const CLASS: Class = Class::Control;
}

/// A credential of this tenant was set: it may need an adapter that it has not had.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Equip(pub TenantId);

impl Classified for Equip {
    const CLASS: Class = Class::Control;
}

impl Tenants {
    /// A router without tenants; they come with their first message.
    pub fn new(parts: TenantsParts) -> Self {
        let TenantsParts {
            world,
            tree,
            directory,
            arbiters,
            registry,
            view,
        } = parts;
        Self {
            world,
            tree,
            directory,
            arbiters,
            registry,
            view,
            active: HashMap::new(),
            lives: 0,
            retention: Retention::default(),
        }
    }

    /// Tenants that an earlier generation served are served on: its fall is nothing to them. Those that it
    /// had suspended are activated anew, so that somebody probes them; the others are passive.
    fn enter_all(&mut self, ctx: &mut SupervisedContext<Self>) {
        let keyring = self.world.keyring.load_full();
        for keys in keyring.tenants() {
            if let Some(serving) = self.directory.serving(&keys.tenant) {
                self.adopt(&keys.tenant, serving, ctx);
                continue;
            }
            let node = node(&keys.tenant);
            self.tree.group_under("tenants", &node, "tenant");
            let was_active = self.directory.get(&keys.tenant).is_some();
            if was_active || !self.to_poll(keys).is_empty() {
                self.directory.take(&keys.tenant);
                self.begin(keys, ctx);
            } else {
                self.tree.set_passive(&node);
            }
        }
    }

    fn adopt(
        &mut self,
        tenant: &TenantId,
        mut serving: Serving,
        ctx: &mut SupervisedContext<Self>,
    ) {
        self.lives = self.lives.saturating_add(1);
        serving.life = self.lives;
        self.watch(tenant, &serving, ctx);
        self.active.insert(tenant.clone(), Active::Serving(serving));
        let record = self.view.load().tenants.get(tenant).cloned();
        if record.is_some_and(|record| record.suspended_since.is_some()) {
            self.put_on_probation(tenant, ctx);
        }
    }

    /// `Err` says what has to end first.
    fn activate(
        &mut self,
        tenant: &TenantId,
        ctx: &mut SupervisedContext<Self>,
    ) -> Result<Option<Route>, Wait> {
        match self.active.get(tenant) {
            Some(Active::Serving(serving)) => Ok(Some(Route::Machine(serving.machine.clone()))),
            Some(Active::Held(_)) if !self.world.is_held(tenant.as_str()) => {
                Err(Wait::Mending(self.end_hold(tenant, ctx)))
            }
            Some(Active::Suspended { writer, .. } | Active::Held(writer)) => {
                Ok(Some(Route::Intake(writer.clone())))
            }
            Some(Active::Resting(serving)) => Err(Wait::Resting(Box::new(serving.clone()))),
            Some(Active::Mending(done)) => Err(Wait::Mending(done.clone())),
            None => {
                let keys = self.world.keyring.load().tenant(tenant.as_str()).cloned();
                Ok(keys.map(|keys| self.begin(&keys, ctx)))
            }
        }
    }

    /// Puts a drained tenant away, or starts it again if stage 1 still owes it something.
    fn rested(&mut self, tenant: &TenantId, life: u64, ctx: &mut SupervisedContext<Self>) {
        let owed = match self.active.get(tenant) {
            Some(Active::Resting(serving)) if serving.life == life => {
                serving.owed.load(Ordering::Acquire)
            }
            _ => return,
        };
        self.active.remove(tenant);
        self.tree.remove(&node(tenant));
        if owed > 0 {
            // Nobody can be resting any more, so this activates or finds no such tenant.
            self.activate(tenant, ctx).ok();
        } else {
            self.tree.group_under("tenants", &node(tenant), "tenant");
            self.tree.set_passive(&node(tenant));
        }
    }

    /// Learns that the tenant's supervisor gives up, or that the machine or its stage 1 is ended.
    fn watch(&self, tenant: &TenantId, serving: &Serving, ctx: &mut SupervisedContext<Self>) {
        let (tenant, serving) = (tenant.clone(), serving.clone());
        let life = serving.life;
        let first_to_end = async move {
            tokio::select! {
                biased;
                exit = serving.supervisor.exited() => exit,
                exit = serving.machine.exited() => exit,
                exit = serving.triage.exited() => exit,
            }
        };
        let learn = first_to_end
            .into_actor(self)
            .map(move |exit, tenants, ctx| tenants.ended(&tenant, life, &exit, ctx));
        ctx.spawn(learn);
    }
}

fn node(tenant: &TenantId) -> String {
    format!("tenant/{tenant}")
}

impl Actor for Tenants {
    type Context = SupervisedContext<Self>;

    /// It says of nobody that there is no such tenant before the registry knows them.
    fn started(&mut self, ctx: &mut Self::Context) {
        let registry = self.registry.clone();
        let known = async move { registry.ask(Ready, REGISTRY_DEADLINE).await };
        let enter = known
            .into_actor(self)
            .map(|known, tenants, ctx| match known {
                Ok(()) => {
                    tenants.enter_all(ctx);
                    tenants.watch_credentials(ctx);
                    tenants.watch_retention(ctx);
                    Self::watch_holds(ctx);
                }
                Err(error) => ctx.fail(format!("the registry is not ready: {error}")),
            });
        ctx.wait(enter);
    }
}

impl Handler<Activate> for Tenants {
    type Result = ResponseActFuture<Self, Option<Route>>;

    fn handle(&mut self, Activate(tenant): Activate, ctx: &mut Self::Context) -> Self::Result {
        match self.activate(&tenant, ctx) {
            Ok(route) => Box::pin(fut::ready(route)),
            Err(Wait::Mending(mut done)) => {
                // It never changes: it ends.
                let ended = async move { done.changed().await.is_err() };
                // What comes next may have to be waited for, too.
                let again = ended
                    .into_actor(self)
                    .then(move |_, tenants, ctx| tenants.handle(Activate(tenant), ctx));
                Box::pin(again)
            }
            Err(Wait::Resting(resting)) => {
                let life = resting.life;
                let again = at_rest(*resting)
                    .into_actor(self)
                    .then(move |(), tenants, ctx| {
                        tenants.rested(&tenant, life, ctx);
                        tenants.handle(Activate(tenant), ctx)
                    });
                Box::pin(again)
            }
        }
    }
}

impl Handler<Equip> for Tenants {
    type Result = ();

    fn handle(&mut self, Equip(tenant): Equip, ctx: &mut Self::Context) {
        let keyring = self.world.keyring.load();
        let Some(keys) = keyring.tenant(tenant.as_str()) else {
            return;
        };
        if let Some(Active::Serving(serving)) = self.active.get(&tenant) {
            self.equip(keys, &serving.adapters);
        }
        self.attend(keys, ctx);
    }
}

impl Handler<Passivate> for Tenants {
    type Result = ();

    fn handle(&mut self, message: Passivate, ctx: &mut Self::Context) {
        let Passivate { tenant, generation } = message;
        let serving = match self.active.get(&tenant) {
            Some(Active::Serving(serving)) if serving.is_idle(generation) => serving.clone(),
            _ => return,
        };
        // Out of the directory first: whoever still holds the handle is drained, then refused, and
        // asks for the tenant again.
        self.directory.take(&tenant);
        self.active
            .insert(tenant.clone(), Active::Resting(serving.clone()));
        let life = serving.life;
        let rest = at_rest(serving)
            .into_actor(self)
            .map(move |(), tenants: &mut Self, ctx| tenants.rested(&tenant, life, ctx));
        ctx.spawn(rest);
    }
}
