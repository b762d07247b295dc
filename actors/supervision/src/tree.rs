//! The supervision tree: who exists, under whom, and in what state.

use crate::child::Child;
use crate::clock;
use crate::context::Supervised;
use crate::core::{Core, Factory, Settings};
#[cfg(feature = "faults")]
use crate::faults::{Fault, Faults};
use crate::handle::Handle;
use crate::lock::lock;
use crate::node::{Node, State};
use crate::outcome::{Exit, Stop};
use crate::registry::{Before, Mark, Registry, Sketch};
use crate::shared::Shared;
use crate::spec::{Group, Spec};
use crate::supervisors::{GroupHandle, Supervisors};
use crate::watchdog::roster::Roster;
use crate::witness::Witness;
use actix::ArbiterHandle;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A poll that takes longer than this counts as a stall, until a watchdog says otherwise.
const STALL_AFTER: Duration = Duration::from_secs(1);

/// The tree of all actors. Clones are the same tree.
///
/// Its root is called `host`. Every method answers at once, also while an arbiter is stuck, and none
/// waits for an actor except [`Tree::shutdown`].
#[derive(Clone)]
pub struct Tree {
    settings: Arc<Settings>,
    registry: Arc<Mutex<Registry>>,
}

impl Tree {
    /// A tree whose backoffs are random by `seed`, dated by the system's clock.
    pub fn new(seed: u64) -> Self {
        Self::with_clock(seed, clock::unix_ms)
    }

    /// A tree dated by `clock`, which gives Unix milliseconds.
    pub fn with_clock(seed: u64, clock: fn() -> u64) -> Self {
        let settings = Settings {
            seed,
            clock,
            stall_after_ns: AtomicU64::new(0),
            supervisors: Supervisors::default(),
            letters: AtomicU64::new(0),
            letters_gone: AtomicU64::new(0),
            roster: Roster::new(),
            #[cfg(feature = "faults")]
            faults: Faults::default(),
            witness: Witness::default(),
            policies: Shared::default(),
        };
        let tree = Self {
            settings: Arc::new(settings),
            registry: Arc::new(Mutex::new(Registry::new(clock()))),
        };
        tree.set_stall_after(STALL_AFTER);
        tree
    }

    /// Enters a node without an actor. Its parent is the longest registered prefix of its id (levels are
    /// separated by `/`), else the root. An actor that had the id before is drained.
    pub fn group(&self, id: &str, kind: &'static str) {
        self.enter_group(id, kind, None);
    }

    /// As [`Self::group`], under `parent`, which must be registered.
    pub fn group_under(&self, parent: &str, id: &str, kind: &'static str) {
        self.enter_group(id, kind, Some(parent));
    }

    /// Enters a supervisor: from now on it judges the falls of the actors and supervisors that are placed
    /// directly under it. Its own place is found as in [`Self::group`], or is the one that `group` names.
    ///
    /// A supervisor that had the id before judges no more, and who lived under it goes on alone; so it is
    /// for an actor that is placed under a supervisor that has given up.
    pub fn supervisor(&self, group: &Group) -> GroupHandle {
        self.enter_group(&group.id, group.kind, group.parent.as_deref());
        let over = lock(&self.registry).supervisor_over(&group.id);
        let seed = self.settings.seed;
        let life = self.settings.supervisors.plant(group, over, seed);
        lock(&self.registry).appoint(&group.id, Arc::clone(&life));
        GroupHandle(life)
    }

    /// Starts an actor on `arbiter`. `factory` makes the value of every generation, on the arbiter, from
    /// the generation's number.
    ///
    /// Under an id that was there before, the record goes on: restarts, last crash, quarantine, and the
    /// numbering of generations (else the first is 1). Dead letters go over to the new actor; their
    /// messages are of use to it only if it is of the same type. An actor that still lives under the id is killed,
    /// so that one id never has two lives. After [`Self::shutdown`] has begun, the handle is closed from
    /// the start.
    pub fn supervise<A: Supervised>(
        &self,
        spec: Spec,
        arbiter: &ArbiterHandle,
        factory: impl Fn(u64) -> A + Send + Sync + 'static,
    ) -> Handle<A> {
        let spec = self.settings.witness.attuned(spec);
        let (id, kind, parent) = (spec.id.clone(), spec.kind, spec.parent.clone());
        let factory: Factory<A> = Arc::new(factory);
        let now_ms = (self.settings.clock)();
        let restart = spec.policy.restart;
        let (core, before, supervisor, closing) = {
            let mut registry = lock(&self.registry);
            let past = registry.past_of(&id);
            let core = Core::new(spec, Arc::clone(&self.settings), factory, past, arbiter);
            let before = registry.enter(&core.id, kind, parent.as_deref(), now_ms);
            registry.settle(&id, Arc::clone(&core) as Arc<dyn Child>);
            let supervisor = registry.supervisor_over(&id);
            (core, before, supervisor, registry.closing)
        };
        self.make_way(before);
        let handle = Handle::new(Arc::clone(&core));
        match supervisor {
            _ if closing => core.end_by_order(Exit::Killed),
            Some(over) => core.begin_under(over, restart),
            None => core.start(core.current_run(), arbiter),
        }
        handle
    }

    /// Shows a node as passive: at rest, to be started by its owner. Supervising an actor under the id,
    /// or entering the group anew, ends that.
    pub fn set_passive(&self, id: &str) {
        self.set_mark(id, Mark::Passive);
    }

    /// Shows a node as suspended by its owner, who will probe it again at `next_probe_ms` (Unix
    /// milliseconds). Ends as [`Self::set_passive`] does.
    pub fn set_suspended(&self, id: &str, next_probe_ms: Option<u64>) {
        self.set_mark(id, Mark::Suspended { next_probe_ms });
    }

    /// Removes a node and everything under it. Actors that still live there are drained, last started
    /// first. Falls are remembered for a while, in case an actor comes back under the same id; dead
    /// letters go.
    pub fn remove(&self, id: &str) {
        let (supervisors, gone) = lock(&self.registry).remove(id);
        for supervisor in supervisors {
            self.settings.supervisors.dissolve(supervisor);
        }
        for child in gone {
            self.dismiss(child.as_ref());
        }
    }

    /// The whole tree.
    pub fn snapshot(&self) -> Node {
        let root = lock(&self.registry).sketch_root();
        root.draw()
    }

    /// One node and everything under it.
    pub fn find(&self, id: &str) -> Option<Node> {
        let sketch = lock(&self.registry).sketch(id);
        sketch.map(Sketch::draw)
    }

    /// The state of one node, as [`Self::find`] shows it, at a cost that does not grow with what is below it.
    pub fn state_of(&self, id: &str) -> Option<State> {
        let sketch = lock(&self.registry).sketch_alone(id);
        sketch.map(|sketch| sketch.state())
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The actor of this id.
    pub(crate) fn child(&self, id: &str) -> Option<Arc<dyn Child>> {
        lock(&self.registry).child(id)
    }

    /// Every actor, in no particular order.
    pub(crate) fn actors(&self) -> Vec<Arc<dyn Child>> {
        lock(&self.registry).actors()
    }

    /// Whether the actor stands in the tree, which one that was removed does not.
    pub(crate) fn holds(&self, child: &Arc<dyn Child>) -> bool {
        lock(&self.registry).holds(child)
    }

    pub(crate) fn roster(&self) -> &Roster {
        &self.settings.roster
    }

    /// Orders `fault` for the actor of that id, `times` times: it strikes at the actor's next messages,
    /// whatever the actor's type. False if there is no such actor at present; then the order waits for
    /// one to come. Orders of one actor strike in turn. At most 1,024 wait, the oldest give way.
    #[cfg(feature = "faults")]
    pub fn inject(&self, id: &str, fault: Fault, times: u32) -> bool {
        self.settings.faults.order(id, fault, times);
        self.child(id).is_some_and(|child| child.ended().is_none())
    }

    #[cfg(feature = "testing")]
    pub(crate) fn witness(&self) -> &Witness {
        &self.settings.witness
    }

    /// From now on nothing new is started, and only actors and insiders may send.
    pub(crate) fn close(&self) -> Vec<Arc<dyn Child>> {
        let all = {
            let mut registry = lock(&self.registry);
            registry.closing = true;
            registry.last_started_first()
        };
        for child in &all {
            child.close_to_outsiders();
        }
        all
    }

    pub(crate) fn set_stall_after(&self, threshold: Duration) {
        let ns = u64::try_from(threshold.as_nanos()).unwrap_or(u64::MAX);
        self.settings.stall_after_ns.store(ns, Ordering::Relaxed);
    }

    fn enter_group(&self, id: &str, kind: &'static str, parent: Option<&str>) {
        let now_ms = (self.settings.clock)();
        let before = lock(&self.registry).enter(&id.into(), kind, parent, now_ms);
        if let Some(child) = &before.child {
            self.dismiss(child.as_ref());
        }
        self.make_way(Before {
            child: None,
            ..before
        });
    }

    /// Ends what had an id before: it has a new holder.
    fn make_way(&self, before: Before) {
        if let Some(supervisor) = before.supervisor {
            self.settings.supervisors.dissolve(supervisor.key);
        }
        if let Some(child) = before.child
            && child.ended().is_none()
        {
            tracing::warn!(
                actor = child.id(),
                "killed: another actor was started under its id"
            );
            child.kill();
        }
    }

    /// Lets an actor that has lost its place drain. Nobody can reach its dead letters any more.
    fn dismiss(&self, child: &dyn Child) {
        child.request_stop(Stop::Drain);
        let letters = child.take_letters();
        let gone = u64::try_from(letters.len()).unwrap_or(u64::MAX);
        self.settings
            .letters_gone
            .fetch_add(gone, Ordering::Relaxed);
    }

    fn set_mark(&self, id: &str, mark: Mark) {
        if !lock(&self.registry).mark(id, mark) {
            tracing::debug!(id, "no such node to mark");
        }
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree")
            .field("seed", &self.settings.seed)
            .finish_non_exhaustive()
    }
}
