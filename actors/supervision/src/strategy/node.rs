//! What the rules keep of each child and supervisor.

use super::{Key, Ticket};
use crate::restart_policy::{Streak, Window};
use crate::spec::{Backoff, Restart, Strategy};
use std::collections::BTreeSet;
use std::time::Duration;

/// A child, or a supervisor.
pub(super) struct Node {
    pub(super) parent: Option<Key>,
    pub(super) restart: Restart,
    pub(super) phase: Phase,
    /// Its last call.
    pub(super) ticket: Ticket,
    /// Of a supervisor.
    pub(super) rule: Option<Rule>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Up,
    /// Ended, to be started when its turn comes.
    Waiting,
    /// An order to start it is on its way. Until that is carried out nothing that it does counts: it is
    /// the doing of a generation that is over, or about to be.
    Called,
    /// The same, for the first time; nobody waits for it to begin.
    FirstCalled,
    /// Started, and has not begun yet.
    Starting,
}

/// What a supervisor judges by.
pub(super) struct Rule {
    pub(super) strategy: Strategy,
    pub(super) intensity: u32,
    pub(super) period: Duration,
    pub(super) backoff: Backoff,
    pub(super) seed: u64,
    pub(super) window: Window,
    pub(super) streak: Streak,
    /// In the order of their start, which is that of their keys.
    pub(super) children: BTreeSet<Key>,
    /// It is being restarted as a whole: its children start one after the other whatever its strategy.
    pub(super) whole: bool,
}

impl Phase {
    /// Whoever comes after it has to wait for it.
    pub(super) const fn is_awaited(self) -> bool {
        matches!(self, Self::Waiting | Self::Called | Self::Starting)
    }
}

impl Rule {
    /// A child that fell is nothing to the others, and none of them waits for another one.
    pub(super) fn restarts_each_alone(&self) -> bool {
        self.strategy == Strategy::OneForOne && !self.whole
    }

    /// Who restarts with `child`, without itself, in the order of their start.
    pub(super) fn companions_of(&self, child: Key) -> Vec<Key> {
        let others = |other: &Key| *other != child;
        match self.strategy {
            Strategy::OneForOne => Vec::new(),
            Strategy::OneForAll => self.children.iter().copied().filter(others).collect(),
            Strategy::RestForOne => self.children.range(child..).copied().skip(1).collect(),
        }
    }
}
