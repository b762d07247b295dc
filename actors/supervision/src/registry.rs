//! The tree's book of nodes. Plain data; its lock is never held while anybody else's code runs.

use crate::child::Child;
use crate::core::Past;
use crate::node::{Mailbox, Node, State};
use crate::strategy::Key;
use crate::supervisors::GroupLife;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// The id of the root.
pub(crate) const ROOT: &str = "host";
/// Removed actors whose falls are remembered, in case they come back under the same id.
const REMEMBERED_PASTS: usize = 1024;

pub(crate) struct Registry {
    created_ms: u64,
    /// All nodes; the root among them.
    entries: BTreeMap<Arc<str>, Box<Entry>>,
    pasts: VecDeque<(Arc<str>, Past)>,
    starts: u64,
    pub(crate) closing: bool,
}

/// What had an id before.
#[derive(Default)]
pub(crate) struct Before {
    pub(crate) child: Option<Arc<dyn Child>>,
    pub(crate) supervisor: Option<Arc<GroupLife>>,
}

struct Entry {
    kind: &'static str,
    parent: Option<Arc<str>>,
    children: BTreeSet<Arc<str>>,
    child: Option<Arc<dyn Child>>,
    supervisor: Option<Arc<GroupLife>>,
    /// Its place in the order of starts.
    started: u64,
    mark: Mark,
    since_ms: u64,
}

/// What the owner said about a node; it outweighs what the actor's own state says.
#[derive(Clone, Copy)]
pub(crate) enum Mark {
    None,
    Passive,
    Suspended { next_probe_ms: Option<u64> },
}

/// A part of the book, taken out under the lock and drawn as nodes outside of it.
pub(crate) struct Sketch {
    id: Arc<str>,
    kind: &'static str,
    child: Option<Arc<dyn Child>>,
    supervisor: Option<Arc<GroupLife>>,
    mark: Mark,
    since_ms: u64,
    children: Vec<Self>,
}

impl Registry {
    pub(crate) fn new(now_ms: u64) -> Self {
        let root = Entry {
            kind: ROOT,
            parent: None,
            children: BTreeSet::new(),
            child: None,
            supervisor: None,
            started: 0,
            mark: Mark::None,
            since_ms: now_ms,
        };
        Self {
            created_ms: now_ms,
            entries: BTreeMap::from([(ROOT.into(), Box::new(root))]),
            pasts: VecDeque::new(),
            starts: 0,
            closing: false,
        }
    }

    /// Enters a node, or enters it anew; its children stay. Gives out what was there before.
    pub(crate) fn enter(
        &mut self,
        id: &Arc<str>,
        kind: &'static str,
        parent: Option<&str>,
        now_ms: u64,
    ) -> Before {
        if **id == *ROOT {
            return self.enter_root(kind, now_ms);
        }
        let (id, parent) = (Arc::clone(id), self.parent_for(id, parent));
        let before = self.entries.remove(&id);
        let (children, old_parent, before) = before.map_or_else(Default::default, |entry| {
            let (child, supervisor) = (entry.child, entry.supervisor);
            (entry.children, entry.parent, Before { child, supervisor })
        });
        if let Some(siblings) = old_parent.and_then(|old| self.entries.get_mut(&old)) {
            siblings.children.remove(&id);
        }
        if let Some(siblings) = self.entries.get_mut(&parent) {
            siblings.children.insert(Arc::clone(&id));
        }
        self.starts = self.starts.saturating_add(1);
        let entry = Entry {
            kind,
            parent: Some(parent),
            children,
            child: None,
            supervisor: None,
            started: self.starts,
            mark: Mark::None,
            since_ms: now_ms,
        };
        self.entries.insert(id, Box::new(entry));
        before
    }

    fn enter_root(&mut self, kind: &'static str, now_ms: u64) -> Before {
        self.entries
            .get_mut(ROOT)
            .map_or_else(Before::default, |root| {
                (root.kind, root.mark, root.since_ms) = (kind, Mark::None, now_ms);
                let (child, supervisor) = (root.child.take(), root.supervisor.take());
                Before { child, supervisor }
            })
    }

    /// The supervisor that a node hangs under.
    pub(crate) fn supervisor_over(&self, id: &str) -> Option<Key> {
        let parent = self.entries.get(id)?.parent.as_deref()?;
        Some(self.entries.get(parent)?.supervisor.as_ref()?.key)
    }

    /// Makes a node a supervisor.
    pub(crate) fn appoint(&mut self, id: &str, supervisor: Arc<GroupLife>) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.supervisor = Some(supervisor);
        }
    }

    /// Gives a node its actor.
    pub(crate) fn settle(&mut self, id: &str, child: Arc<dyn Child>) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.child = Some(child);
        }
    }

    /// What is known of earlier actors under this id. An actor that still has the id hands its dead
    /// letters over.
    pub(crate) fn past_of(&mut self, id: &str) -> Past {
        if let Some(child) = self.entries.get(id).and_then(|entry| entry.child.as_ref()) {
            let mut past = child.past();
            past.quarantine.letters = child.take_letters();
            return past;
        }
        let known = self.pasts.iter().position(|past| &*past.0 == id);
        known
            .and_then(|at| self.pasts.remove(at))
            .map(|past| past.1)
            .unwrap_or_default()
    }

    /// Marks a node; false if there is none.
    pub(crate) fn mark(&mut self, id: &str, mark: Mark) -> bool {
        self.entries
            .get_mut(id)
            .map(|entry| entry.mark = mark)
            .is_some()
    }

    /// Removes a node and everything under it, except the root. Gives out the supervisors, and the actors,
    /// last started first.
    pub(crate) fn remove(&mut self, id: &str) -> (Vec<Key>, Vec<Arc<dyn Child>>) {
        if id == ROOT {
            return Default::default();
        }
        if let Some(parent) = self.entries.get(id).and_then(|entry| entry.parent.clone())
            && let Some(parent) = self.entries.get_mut(&parent)
        {
            parent.children.remove(id);
        }
        let (mut doomed, mut gone) = (vec![Arc::<str>::from(id)], Vec::new());
        let mut supervisors = Vec::new();
        while let Some(id) = doomed.pop() {
            let Some(entry) = self.entries.remove(&id) else {
                continue;
            };
            doomed.extend(entry.children);
            supervisors.extend(entry.supervisor.map(|supervisor| supervisor.key));
            if let Some(child) = entry.child {
                self.remember(id, child.past());
                gone.push((entry.started, child));
            }
        }
        gone.sort_by_key(|(started, _)| std::cmp::Reverse(*started));
        let gone = gone.into_iter().map(|(_, child)| child).collect();
        (supervisors, gone)
    }

    /// The actor of this id.
    pub(crate) fn child(&self, id: &str) -> Option<Arc<dyn Child>> {
        self.entries.get(id)?.child.clone()
    }

    /// Every actor, in no particular order.
    pub(crate) fn actors(&self) -> Vec<Arc<dyn Child>> {
        self.entries
            .values()
            .filter_map(|entry| entry.child.clone())
            .collect()
    }

    /// Whether the actor stands under its id.
    pub(crate) fn holds(&self, child: &Arc<dyn Child>) -> bool {
        let entry = self.entries.get(child.id());
        entry
            .and_then(|entry| entry.child.as_ref())
            .is_some_and(|held| Arc::ptr_eq(held, child))
    }

    /// Every actor, last started first.
    pub(crate) fn last_started_first(&self) -> Vec<Arc<dyn Child>> {
        let mut all: Vec<_> = self
            .entries
            .values()
            .filter_map(|entry| Some((entry.started, Arc::clone(entry.child.as_ref()?))))
            .collect();
        all.sort_by_key(|(started, _)| std::cmp::Reverse(*started));
        all.into_iter().map(|(_, child)| child).collect()
    }

    pub(crate) fn sketch(&self, id: &str) -> Option<Sketch> {
        let (id, entry) = self.entries.get_key_value(id)?;
        let children = entry.children.iter();
        Some(Sketch {
            children: children.filter_map(|child| self.sketch(child)).collect(),
            ..entry.sketch(id)
        })
    }

    /// A node without what is below it.
    pub(crate) fn sketch_alone(&self, id: &str) -> Option<Sketch> {
        let (id, entry) = self.entries.get_key_value(id)?;
        Some(entry.sketch(id))
    }

    pub(crate) fn sketch_root(&self) -> Sketch {
        self.sketch(ROOT).unwrap_or_else(|| Sketch {
            id: ROOT.into(),
            kind: ROOT,
            child: None,
            supervisor: None,
            mark: Mark::None,
            since_ms: self.created_ms,
            children: Vec::new(),
        })
    }

    /// The parent asked for if it is registered and no descendant, else the longest registered prefix.
    fn parent_for(&self, id: &str, asked: Option<&str>) -> Arc<str> {
        let asked = asked.filter(|parent| !self.is_under(parent, id));
        let mut candidates = asked.into_iter().chain(prefixes(id));
        let known = candidates.find_map(|parent| {
            let (parent, _) = self.entries.get_key_value(parent)?;
            (!self.is_under(parent, id)).then(|| Arc::clone(parent))
        });
        known.unwrap_or_else(|| ROOT.into())
    }

    /// Whether `id` is `top` or hangs under it.
    fn is_under(&self, id: &str, top: &str) -> bool {
        let mut at = Some(id);
        while let Some(id) = at {
            if id == top {
                return true;
            }
            at = self
                .entries
                .get(id)
                .and_then(|entry| entry.parent.as_deref());
        }
        false
    }

    fn remember(&mut self, id: Arc<str>, past: Past) {
        if past.is_clean() {
            return;
        }
        if self.pasts.len() >= REMEMBERED_PASTS {
            self.pasts.pop_front();
        }
        self.pasts.push_back((id, past));
    }
}

/// `a/b` and `a` for `a/b/c`.
fn prefixes(id: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(id.rsplit_once('/'), |(rest, _)| rest.rsplit_once('/'))
        .map(|(prefix, _)| prefix)
}

impl Entry {
    /// Without children.
    fn sketch(&self, id: &Arc<str>) -> Sketch {
        Sketch {
            id: Arc::clone(id),
            kind: self.kind,
            child: self.child.clone(),
            supervisor: self.supervisor.clone(),
            mark: self.mark,
            since_ms: self.since_ms,
            children: Vec::new(),
        }
    }
}

impl Sketch {
    /// The state of what [`Self::draw`] would draw.
    pub(crate) fn state(&self) -> State {
        match (self.mark, &self.child, &self.supervisor) {
            (Mark::Passive, ..) => State::Passive,
            (Mark::Suspended { .. }, ..) => State::Suspended,
            (Mark::None, Some(child), _) => child.state(),
            (Mark::None, None, Some(supervisor)) => supervisor.record().state(),
            (Mark::None, None, None) => State::Running,
        }
    }

    pub(crate) fn draw(self) -> Node {
        let mut node = match (&self.child, &self.supervisor) {
            (Some(child), _) => child.node(),
            (None, Some(supervisor)) => self.supervising(supervisor),
            (None, None) => self.bare(),
        };
        match self.mark {
            Mark::None => {}
            Mark::Passive => node.state = State::Passive,
            Mark::Suspended { next_probe_ms } => {
                node.state = State::Suspended;
                node.next_restart_at_ms = next_probe_ms;
            }
        }
        node.children = self.children.into_iter().map(Self::draw).collect();
        node
    }

    fn supervising(&self, supervisor: &GroupLife) -> Node {
        let record = supervisor.record();
        Node {
            state: record.state(),
            generation: record.restarts.saturating_add(1),
            restarts: record.restarts,
            last_crash: record.last_crash,
            strategy: Some(supervisor.strategy),
            ..self.bare()
        }
    }

    /// A node without an actor.
    fn bare(&self) -> Node {
        Node {
            id: self.id.as_ref().to_owned(),
            kind: self.kind,
            state: State::Running,
            generation: 0,
            started_at_ms: Some(self.since_ms),
            mailbox: Mailbox::default(),
            handled: 0,
            queue_wait_us_p99: 0,
            restarts: 0,
            last_crash: None,
            next_restart_at_ms: None,
            poisoned: 0,
            note: None,
            strategy: None,
            children: Vec::new(),
        }
    }
}
