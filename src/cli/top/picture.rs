//! One answer of the server, laid flat: what every row and every total is read from.

use std::{borrow::Cow, cmp::Reverse, collections::HashMap, mem};

use super::{
    super::{
        model::{Node, Thread, Tree},
        out::clean,
    },
    state::State,
};

/// For how long a crash is trouble after the actor is up again. A loop with short pauses shows as
/// running most of the time; this keeps it in sight.
pub(super) const FRESH_CRASH_MS: u64 = 60_000;

/// Siblings up to this number are shown in the server's order and unfolded.
pub(super) const HANDFUL: usize = 8;

/// Pictures closer together than this give no rate of their own; they keep the one before.
const RATE_OVER_MIN_MS: u64 = 100;

/// When an answer was given, by both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moment {
    /// By the server's clock, ms since the epoch: what its times are compared with.
    pub(super) server_ms: u64,
    /// By ours, ms since the epoch.
    pub(super) local_ms: u64,
}

/// The tree at one moment. Nodes are named by their place, which is good for this picture only.
#[derive(Debug, Default)]
pub(super) struct Picture {
    seen: Vec<Seen>,
    places: HashMap<String, usize>,
    threads: Vec<Thread>,
    totals: Totals,
    at: Moment,
}

/// One node, without the ones below it.
#[derive(Debug)]
pub(super) struct Seen {
    /// What the server said, its texts made harmless; `children` is empty.
    pub(super) node: Node,
    /// What it does.
    pub(super) state: State,
    /// How many stand above it.
    pub(super) depth: usize,
    /// The place of the one that supervises it.
    pub(super) parent: Option<usize>,
    /// The places of those that it supervises, in the order to show them.
    pub(super) children: Vec<usize>,
    /// Messages handled a second since the picture before, in tenths.
    pub(super) rate_tenths: Option<u64>,
    /// Whether somebody should look at it: an unwell state, a fresh crash, or a queue that is full
    /// or turned messages away since the picture before.
    pub(super) trouble: bool,
    /// How many nodes below it are in trouble.
    pub(super) trouble_below: usize,
}

/// Sums over the whole tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Nodes that are actors, and not only groups of them.
    pub(super) actors: u64,
    /// Actors in service.
    pub(super) running: u64,
    /// Nodes at rest.
    pub(super) passive: u64,
    /// Nodes between two lives.
    pub(super) backing_off: u64,
    /// Nodes given up for now.
    pub(super) suspended: u64,
    /// Nodes stuck in a message.
    pub(super) stalled: u64,
    /// Restarts of all actors.
    pub(super) restarts: u64,
    /// Messages turned away by all queues.
    pub(super) rejected: u64,
    /// Messages waiting in all queues.
    pub(super) queued: u64,
    /// Dead letters that can be looked at.
    pub(super) dead_letters: u64,
    /// Threads that are stuck.
    pub(super) threads_stuck: u64,
    /// Nodes in trouble.
    pub(super) trouble: u64,
}

impl Picture {
    /// The picture of an answer, with rates since `before`.
    pub(super) fn new(tree: Tree, at: Moment, before: Option<&Self>) -> Self {
        let mut picture = Self {
            threads: worst_first(tree.threads),
            at,
            ..Self::default()
        };
        picture.lay(tree.host, None, 0);
        picture.compare(before);
        picture.gather_trouble();
        picture.bring_trouble_forward();
        picture.totals = Totals {
            dead_letters: tree.dead_letters.held,
            threads_stuck: stuck_in(&picture.threads),
            ..Totals::of(&picture.seen)
        };
        picture
    }

    /// When it was taken.
    pub(super) fn at(&self) -> Moment {
        self.at
    }

    /// Its sums.
    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    /// The threads, those that are stuck first.
    pub(super) fn threads(&self) -> &[Thread] {
        &self.threads
    }

    /// The node at a place.
    pub(super) fn get(&self, place: usize) -> Option<&Seen> {
        self.seen.get(place)
    }

    /// The top of the tree.
    pub(super) fn root(&self) -> Option<&Seen> {
        self.seen.first()
    }

    /// Every node with its place; those above come before those below.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, &Seen)> {
        self.seen.iter().enumerate()
    }

    /// Where the node with this id is.
    pub(super) fn place_of(&self, id: &str) -> Option<usize> {
        self.places.get(id).copied()
    }

    /// The places above a node, nearest first.
    pub(super) fn above(&self, place: usize) -> impl Iterator<Item = usize> {
        let parent = |place: &usize| self.get(*place).and_then(|seen| seen.parent);
        std::iter::successors(parent(&place), parent)
    }

    fn lay(&mut self, mut node: Node, parent: Option<usize>, depth: usize) -> usize {
        let below = mem::take(&mut node.children);
        let place = self.seen.len();
        make_harmless(&mut node);
        self.places.insert(node.id.clone(), place);
        self.seen.push(Seen {
            state: State::of(&node.state),
            node,
            depth,
            parent,
            children: Vec::new(),
            rate_tenths: None,
            trouble: false,
            trouble_below: 0,
        });
        let children = below
            .into_iter()
            .map(|child| self.lay(child, Some(place), depth + 1))
            .collect();
        if let Some(seen) = self.seen.get_mut(place) {
            seen.children = children;
        }
        place
    }

    /// Rates and trouble, for both of which the picture before is needed.
    fn compare(&mut self, before: Option<&Self>) {
        let at = self.at;
        let elapsed_ms = before.map_or(0, |before| at.local_ms.saturating_sub(before.at.local_ms));
        for seen in &mut self.seen {
            let earlier = before.and_then(|before| before.get(before.place_of(&seen.node.id)?));
            seen.rate_tenths =
                earlier.and_then(|earlier| rate_tenths(earlier, &seen.node, elapsed_ms));
            let turned_away = earlier
                .is_some_and(|earlier| seen.node.mailbox.rejected > earlier.node.mailbox.rejected);
            seen.trouble = turned_away || is_in_trouble(seen, at.server_ms);
        }
    }

    /// Counts upwards. A child's place is always greater than its parent's.
    fn gather_trouble(&mut self) {
        for place in (0..self.seen.len()).rev() {
            let Some(seen) = self.seen.get(place) else {
                continue;
            };
            let (parent, troubled) = (seen.parent, seen.troubled());
            if let Some(parent) = parent.and_then(|parent| self.seen.get_mut(parent)) {
                parent.trouble_below += troubled;
            }
        }
    }

    /// Among more siblings than a screen holds, those with trouble come first.
    fn bring_trouble_forward(&mut self) {
        for place in 0..self.seen.len() {
            let crowd = self
                .seen
                .get_mut(place)
                .filter(|seen| seen.children.len() > HANDFUL);
            let Some(mut children) = crowd.map(|seen| mem::take(&mut seen.children)) else {
                continue;
            };
            children.sort_by_key(|child| self.get(*child).is_none_or(|seen| seen.troubled() == 0));
            if let Some(seen) = self.seen.get_mut(place) {
                seen.children = children;
            }
        }
    }
}

impl Seen {
    /// How many nodes are in trouble here and below.
    pub(super) fn troubled(&self) -> usize {
        self.trouble_below + usize::from(self.trouble)
    }

    /// How long ago it crashed at `server_ms`, in milliseconds.
    pub(super) fn crash_age_ms(&self, server_ms: u64) -> Option<u64> {
        let at_ms = self.node.last_crash.as_ref()?.at_ms?;
        Some(server_ms.saturating_sub(at_ms))
    }

    /// Whether it is an actor, and not only a supervisor or group of them.
    pub(super) fn is_actor(&self) -> bool {
        self.node.generation > 0 && self.node.strategy.is_none()
    }

    /// Whether its queue takes nothing more.
    pub(super) fn is_full(&self) -> bool {
        let mailbox = &self.node.mailbox;
        mailbox.capacity > 0 && mailbox.depth >= mailbox.capacity
    }
}

impl Totals {
    fn of(all: &[Seen]) -> Self {
        let mut totals = Self::default();
        for seen in all {
            let is_actor = seen.is_actor();
            totals.actors += u64::from(is_actor);
            totals.trouble += u64::from(seen.trouble);
            match seen.state {
                State::Running => totals.running += u64::from(is_actor),
                State::Passive => totals.passive += 1,
                State::BackingOff => totals.backing_off += 1,
                State::Suspended => totals.suspended += 1,
                State::Stalled => totals.stalled += 1,
                State::Stopped | State::Other => {}
            }
            for (sum, part) in [
                (&mut totals.restarts, seen.node.restarts),
                (&mut totals.rejected, seen.node.mailbox.rejected),
                (&mut totals.queued, seen.node.mailbox.depth),
            ] {
                *sum = sum.saturating_add(part);
            }
        }
        totals
    }
}

fn is_in_trouble(seen: &Seen, server_ms: u64) -> bool {
    let fell_lately = seen
        .crash_age_ms(server_ms)
        .is_some_and(|age_ms| age_ms < FRESH_CRASH_MS);
    seen.state.is_trouble() || fell_lately || seen.is_full()
}

fn rate_tenths(earlier: &Seen, now: &Node, elapsed_ms: u64) -> Option<u64> {
    if elapsed_ms < RATE_OVER_MIN_MS {
        return earlier.rate_tenths;
    }
    // A count that fell belongs to another actor of the same id.
    let handled = now.handled.checked_sub(earlier.node.handled)?;
    Some(handled.saturating_mul(10_000) / elapsed_ms)
}

/// Stuck ones first, the longest before all, the others as they came.
fn worst_first(mut threads: Vec<Thread>) -> Vec<Thread> {
    for thread in &mut threads {
        let optional = [&mut thread.polling, &mut thread.message];
        let texts = optional.into_iter().flatten().chain([&mut thread.name]);
        texts.for_each(clean_in_place);
    }
    threads.sort_by_key(|thread| Reverse(thread.stuck_for_ms));
    threads
}

fn stuck_in(threads: &[Thread]) -> u64 {
    let stuck = threads.iter().map(|thread| thread.stuck_for_ms.is_some());
    stuck.map(u64::from).sum()
}

/// Panic texts may quote what an attacker wrote; nothing of them may steer the terminal.
fn make_harmless(node: &mut Node) {
    let texts = [&mut node.id, &mut node.kind, &mut node.state];
    let strategy = node.strategy.iter_mut();
    let crash = node.last_crash.iter_mut().flat_map(|crash| {
        [&mut crash.message, &mut crash.panic, &mut crash.location]
            .into_iter()
            .flatten()
    });
    let all = texts.into_iter().chain(strategy).chain(crash);
    all.for_each(clean_in_place);
}

fn clean_in_place(text: &mut String) {
    if let Cow::Owned(harmless) = clean(text) {
        *text = harmless;
    }
}

#[cfg(test)]
mod tests;
