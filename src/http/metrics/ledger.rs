//! Sums over actors that come and go.
//!
//! An actor's counters leave the tree with it, when its tenant is put to rest for instance. A sum over
//! those present would fall then, and a scraper takes a counter that falls for one that began anew at
//! zero: it would count the whole sum a second time. So the ledger keeps what it saw of each actor, and
//! adds to its sums only what is new.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use vyrox_actors::supervision::{Node, State};

use super::{family::level, tenants::Labels};

/// Fallen actors that are remembered after they left. They may come back, and with all their falls:
/// the tree remembers as many.
const DEPARTED_MAX: usize = 1024;

/// What was seen of the tree since the server began. Snapshots must be entered in the order in which
/// they were taken.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Snapshots so far.
    looks: u64,
    nodes: BTreeMap<(&'static str, &'static str), u64>,
    sums: BTreeMap<Whose, Sum>,
    /// Restarts of supervisors, each with all of its children.
    supervisors: BTreeMap<Whose, u64>,
    seen: HashMap<String, Seen>,
}

/// A set of actors, or of supervisors: those of one kind, and of one tenant's label if they are
/// tenants'.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Whose {
    pub(super) kind: &'static str,
    pub(super) tenant: Option<Arc<str>>,
}

/// What is known of a set of actors.
#[derive(Debug, Default)]
pub(super) struct Sum {
    /// By all who ever were in the set.
    pub(super) counts: Counts,
    /// The latest crash of any of them, in Unix milliseconds.
    pub(super) last_crash_ms: Option<u64>,
    /// Of those present, as is everything below.
    pub(super) depth: u64,
    pub(super) capacity: u64,
    /// The longest of them, in microseconds.
    pub(super) wait_us_p99: u64,
}

/// What an actor counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) handled: u64,
    pub(super) rejected: u64,
    pub(super) restarts: u64,
    pub(super) poisoned: u64,
}

#[derive(Debug)]
struct Seen {
    look: u64,
    counts: Counts,
    /// Whether it counts on from its falls when it comes back under its id; if not, from zero.
    lasting: bool,
}

impl Ledger {
    /// Takes in a snapshot.
    pub(super) fn enter(&mut self, root: &Node, labels: &Labels) {
        self.looks = self.looks.saturating_add(1);
        self.nodes.values_mut().for_each(|count| *count = 0);
        self.sums.values_mut().for_each(Sum::forget_the_present);
        self.walk(root, None, labels);
        self.forget_the_departed();
    }

    /// Nodes by kind and state, those without an actor among them.
    pub(super) fn nodes(&self) -> impl Iterator<Item = ([(&str, &str); 2], &u64)> {
        let labelled = |(kind, state)| [("kind", kind), ("state", state)];
        self.nodes.iter().map(move |(at, n)| (labelled(*at), n))
    }

    /// What is known of each set of actors that anybody was ever in.
    pub(super) fn sums(&self) -> impl Iterator<Item = (&Whose, &Sum)> {
        self.sums.iter()
    }

    /// How often the supervisors of each set restarted with all of their children.
    pub(super) fn supervisors(&self) -> impl Iterator<Item = (&Whose, &u64)> {
        self.supervisors.iter()
    }

    fn walk(&mut self, node: &Node, above: Option<&Arc<str>>, labels: &Labels) {
        let own = tenant_of(node).map(|tenant| labels.of(tenant));
        let tenant = own.as_ref().or(above);
        self.count_node(node);
        let whose = || Whose {
            kind: node.kind,
            tenant: tenant.cloned(),
        };
        if node.strategy.is_some() {
            let news = self.news_of(node);
            let restarts = self.supervisors.entry(whose()).or_default();
            *restarts = restarts.saturating_add(news.restarts);
        } else if node.generation > 0 {
            // A node that never had a generation has no actor.
            let news = self.news_of(node);
            self.sums.entry(whose()).or_default().add(node, news);
        }
        for child in &node.children {
            self.walk(child, tenant, labels);
        }
    }

    fn count_node(&mut self, node: &Node) {
        let at = (node.kind, name(node.state));
        if !self.nodes.contains_key(&at) {
            // A kind has a value for each state.
            let all = State::ALL.map(|state| ((node.kind, name(state)), 0));
            self.nodes.extend(all);
        }
        if let Some(count) = self.nodes.get_mut(&at) {
            *count = count.saturating_add(1);
        }
    }

    /// What an actor or supervisor has counted since the last look.
    fn news_of(&mut self, node: &Node) -> Counts {
        let counts = Counts {
            handled: node.handled,
            rejected: node.mailbox.rejected,
            restarts: node.restarts,
            poisoned: node.poisoned,
        };
        let fresh = Seen {
            look: self.looks,
            counts,
            lasting: node.strategy.is_none(),
        };
        if let Some(seen) = self.seen.get_mut(&node.id) {
            let news = counts.since(seen.counts);
            *seen = fresh;
            news
        } else {
            self.seen.insert(node.id.clone(), fresh);
            counts
        }
    }

    /// Of those who left, only actors' falls matter still: an actor that comes back under its id counts
    /// on from them, and everything else from zero.
    fn forget_the_departed(&mut self) {
        let now = self.looks;
        self.seen.retain(|_, seen| {
            if seen.look < now {
                (seen.counts.handled, seen.counts.rejected) = (0, 0);
            }
            seen.look == now || (seen.lasting && seen.counts != Counts::default())
        });
        let departed = self.seen.values().filter(|seen| seen.look < now);
        let mut last_looks: Vec<_> = departed.map(|seen| seen.look).collect();
        let Some(too_many) = last_looks.len().checked_sub(DEPARTED_MAX) else {
            return;
        };
        last_looks.sort_unstable();
        // Those who left together stay or go together.
        let oldest_kept = last_looks.get(too_many).copied().unwrap_or_default();
        self.seen.retain(|_, seen| seen.look >= oldest_kept);
    }
}

impl Sum {
    fn forget_the_present(&mut self) {
        *self = Self {
            counts: self.counts,
            last_crash_ms: self.last_crash_ms,
            ..Self::default()
        };
    }

    fn add(&mut self, node: &Node, news: Counts) {
        self.counts.add(news);
        let crash_ms = node.last_crash.as_ref().map(|crash| crash.at_ms);
        self.last_crash_ms = self.last_crash_ms.max(crash_ms);
        self.depth = self.depth.saturating_add(level(node.mailbox.depth));
        self.capacity = self.capacity.saturating_add(level(node.mailbox.capacity));
        self.wait_us_p99 = self.wait_us_p99.max(node.queue_wait_us_p99);
    }
}

impl Counts {
    fn add(&mut self, news: Self) {
        self.handled = self.handled.saturating_add(news.handled);
        self.rejected = self.rejected.saturating_add(news.rejected);
        self.restarts = self.restarts.saturating_add(news.restarts);
        self.poisoned = self.poisoned.saturating_add(news.poisoned);
    }

    /// What came since `before`. A number that fell began anew at zero.
    fn since(self, before: Self) -> Self {
        let grown = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now);
        Self {
            handled: grown(self.handled, before.handled),
            rejected: grown(self.rejected, before.rejected),
            restarts: grown(self.restarts, before.restarts),
            poisoned: grown(self.poisoned, before.poisoned),
        }
    }
}

/// The tenant whose node this is.
fn tenant_of(node: &Node) -> Option<&str> {
    node.id
        .strip_prefix("tenant/")
        .filter(|_| node.kind == "tenant")
}

/// The state as the health pages call it.
const fn name(state: State) -> &'static str {
    match state {
        State::Running => "running",
        State::Passive => "passive",
        State::BackingOff => "backing_off",
        State::Suspended => "suspended",
        State::Stopped => "stopped",
        State::Stalled => "stalled",
    }
}

#[cfg(test)]
pub(in crate::http::metrics) mod tests;
