//! The rules of supervision, pure: who is ended, who is started and who is given up when a child falls.
//!
//! They are those of Erlang/OTP's `supervisor`, with three differences that come from handles which outlive
//! restarts. A child that has ended, in order or for good, stays ended: its senders were told so, and no
//! later restart of its siblings brings it back. And an ended generation is fenced, not asked to leave:
//! it has no effects from then on, so the next one need not wait for it. A child that fails while it starts
//! has fallen under its own supervisor, also at the very first start.

mod node;

use self::node::{Node, Phase, Rule};
use crate::restart_policy::{Blame, Streak, Window};
use crate::spec::{Group, Restart};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Names a child. Never given twice.
pub(crate) type Key = u64;

/// Names a call of a child.
pub(crate) type Ticket = u64;

/// What has to be done to a child, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// End its generation; its queue stays, and it is started again later.
    Cut(Key),
    /// Start its next generation after the pause, unless the child was called again, or is to wait again,
    /// by the time that the order is carried out: see [`Forest::launching`].
    Launch(Key, Duration, Ticket),
    /// A worker, or a supervisor whose children are ended by orders of their own, is not started again.
    GiveUp(Key),
    /// A supervisor begins another life: its children's launches follow.
    Restarted(Key),
}

/// All supervisors and their children.
#[derive(Default)]
pub(crate) struct Forest {
    nodes: BTreeMap<Key, Node>,
    last: Key,
}

impl Forest {
    /// A supervisor under `parent`, or one that stands alone. `seed` is for its pauses.
    pub(crate) fn plant(&mut self, group: &Group, parent: Option<Key>, seed: u64) -> Key {
        let rule = Rule {
            strategy: group.strategy,
            intensity: group.intensity,
            period: group.period,
            backoff: group.backoff,
            seed,
            window: Window::default(),
            streak: Streak::default(),
            children: BTreeSet::new(),
            whole: false,
        };
        self.enter(parent, group.restart, Some(rule))
    }

    /// A worker under `parent`. It is started at once, or in its turn if `parent` is being restarted.
    pub(crate) fn place(&mut self, parent: Key, restart: Restart) -> (Key, Vec<Order>) {
        let is_up = self.phase(parent) == Some(Phase::Up);
        let waits = !is_up || self.is_restarting(parent);
        let key = self.enter(Some(parent), restart, None);
        let mut orders = Vec::new();
        self.set_phase(key, Phase::Waiting);
        if !waits {
            self.call(key, Phase::FirstCalled, Duration::ZERO, &mut orders);
        }
        (key, orders)
    }

    /// An order to start `child` is about to be carried out; false if it is out of date.
    pub(crate) fn launching(&mut self, child: Key, ticket: Ticket) -> bool {
        let Some(node) = self.nodes.get_mut(&child) else {
            return false;
        };
        if node.ticket != ticket {
            return false;
        }
        node.phase = match node.phase {
            Phase::Called => Phase::Starting,
            Phase::FirstCalled => Phase::Up,
            _ => return false,
        };
        true
    }

    /// Whether this supervisor judges anybody.
    pub(crate) fn supervises(&self, key: Key) -> bool {
        self.nodes.get(&key).is_some_and(|node| node.rule.is_some())
    }

    /// Whether somebody judges the falls of this child.
    pub(crate) fn judges(&self, key: Key) -> bool {
        self.nodes
            .get(&key)
            .is_some_and(|node| node.parent.is_some())
    }

    /// A child fell at `now`; it would pause so long if it were alone. The fall of one that its supervisor
    /// has ended already, or means to, says nothing new.
    pub(crate) fn fell(
        &mut self,
        child: Key,
        now: Duration,
        pause: Duration,
        blame: Blame,
    ) -> Vec<Order> {
        let mut orders = Vec::new();
        if let Some(Phase::Up | Phase::Starting) = self.phase(child) {
            self.judge(child, (now, blame), pause, &mut orders);
        }
        orders
    }

    /// A started child has begun.
    pub(crate) fn began(&mut self, child: Key, now: Duration) -> Vec<Order> {
        let mut orders = Vec::new();
        if self.phase(child) == Some(Phase::Starting) {
            self.rises(child, now, &mut orders);
        }
        orders
    }

    /// A child has ended of its own, or by somebody's order, and will not come back.
    pub(crate) fn ended(&mut self, child: Key, now: Duration) -> Vec<Order> {
        let mut orders = Vec::new();
        if let Some(parent) = self.forget(child) {
            self.advance(parent, now, Duration::ZERO, &mut orders);
        }
        orders
    }

    /// A supervisor judges nothing any more; whoever is under it goes on without one.
    pub(crate) fn dissolve(&mut self, supervisor: Key, now: Duration) -> Vec<Order> {
        let mut orders = Vec::new();
        for child in self.children(supervisor) {
            // One that waits for its turn would wait for ever.
            self.launch(child, now, Duration::ZERO, &mut orders);
            if let Some(node) = self.nodes.get_mut(&child) {
                node.parent = None;
            }
        }
        orders.extend(self.ended(supervisor, now));
        orders
    }

    fn enter(&mut self, parent: Option<Key>, restart: Restart, rule: Option<Rule>) -> Key {
        self.last = self.last.saturating_add(1);
        let key = self.last;
        if let Some(rule) = parent.and_then(|parent| self.rule(parent)) {
            rule.children.insert(key);
        }
        let (phase, ticket) = (Phase::Up, 0);
        let node = Node {
            parent,
            restart,
            phase,
            ticket,
            rule,
        };
        self.nodes.insert(key, node);
        key
    }

    fn judge(
        &mut self,
        child: Key,
        (now, blame): (Duration, Blame),
        pause: Duration,
        orders: &mut Vec<Order>,
    ) {
        let Some(node) = self.nodes.get(&child) else {
            return;
        };
        let parent = node.parent;
        let comes_back = node.restart != Restart::Temporary;
        let Some(parent) = parent.filter(|_| comes_back) else {
            orders.push(Order::GiveUp(child));
            orders.extend(self.ended(child, now));
            return;
        };
        let Some(rule) = self.rule(parent) else {
            return;
        };
        let span = (rule.intensity, rule.period);
        if !rule.window.bears(span, now, (child, blame)) {
            return self.falls_itself(parent, now, orders);
        }
        let alone = rule.restarts_each_alone();
        let companions = rule.companions_of(child);
        for companion in companions.into_iter().rev() {
            self.cut(companion, orders);
        }
        self.set_phase(child, Phase::Waiting);
        if alone {
            self.launch(child, now, pause, orders);
        } else {
            self.advance(parent, now, pause, orders);
        }
    }

    /// A supervisor has had too many falls under it.
    fn falls_itself(&mut self, supervisor: Key, now: Duration, orders: &mut Vec<Order>) {
        for child in self.children(supervisor).into_iter().rev() {
            self.cut(child, orders);
        }
        let Some(node) = self.nodes.get_mut(&supervisor) else {
            return;
        };
        let Some(rule) = &mut node.rule else { return };
        rule.window = Window::default();
        let pause = rule.streak.fell(rule.backoff, rule.seed, now);
        if node.parent.is_some() && node.restart == Restart::Permanent {
            self.judge(supervisor, (now, Blame::Actor), pause, orders);
        } else {
            self.give_up(supervisor, orders);
            orders.extend(self.ended(supervisor, now));
        }
    }

    fn give_up(&mut self, key: Key, orders: &mut Vec<Order>) {
        for child in self.children(key).into_iter().rev() {
            self.give_up(child, orders);
            self.nodes.remove(&child);
        }
        orders.push(Order::GiveUp(key));
    }

    /// Ends what is up under `key`, in the reverse order of its start; it waits to be started again.
    /// Temporary ones go for good.
    fn cut(&mut self, key: Key, orders: &mut Vec<Order>) {
        for child in self.children(key).into_iter().rev() {
            self.cut(child, orders);
        }
        let Some(node) = self.nodes.get_mut(&key) else {
            return;
        };
        if let Some(rule) = &mut node.rule {
            rule.window = Window::default(); // its next life knows nothing of this one's falls
        }
        if node.restart == Restart::Temporary {
            self.give_up(key, orders);
            self.forget(key);
        } else if std::mem::replace(&mut node.phase, Phase::Waiting) != Phase::Waiting
            && node.rule.is_none()
        {
            orders.push(Order::Cut(key)); // also if it was called: that may have been carried out
        }
    }

    /// Starts whoever's turn it is under `parent`, after the pause. Children that restart alone need no
    /// turn.
    fn advance(&mut self, parent: Key, now: Duration, pause: Duration, orders: &mut Vec<Order>) {
        let Some(rule) = self.rule(parent) else {
            return;
        };
        if rule.restarts_each_alone() {
            return;
        }
        for child in self.children(parent) {
            if self.phase(child) == Some(Phase::Waiting) {
                self.launch(child, now, pause, orders);
            }
            if self.phase(child).is_some_and(Phase::is_awaited) {
                return;
            }
        }
        self.complete(parent, now, orders);
    }

    /// A supervisor has begun once all of its children have.
    fn complete(&mut self, supervisor: Key, now: Duration, orders: &mut Vec<Order>) {
        let Some(rule) = self.rule(supervisor) else {
            return;
        };
        if std::mem::take(&mut rule.whole) {
            rule.streak.began(now);
        }
        if self.phase(supervisor) == Some(Phase::Starting) {
            self.rises(supervisor, now, orders);
        }
    }

    fn launch(&mut self, key: Key, now: Duration, pause: Duration, orders: &mut Vec<Order>) {
        if self.phase(key) != Some(Phase::Waiting) {
            return;
        }
        let Some(rule) = self.rule(key) else {
            return self.call(key, Phase::Called, pause, orders);
        };
        rule.whole = true;
        self.set_phase(key, Phase::Starting);
        orders.push(Order::Restarted(key));
        self.advance(key, now, pause, orders);
    }

    fn call(&mut self, child: Key, phase: Phase, pause: Duration, orders: &mut Vec<Order>) {
        self.last = self.last.saturating_add(1);
        if let Some(node) = self.nodes.get_mut(&child) {
            (node.phase, node.ticket) = (phase, self.last);
            orders.push(Order::Launch(child, pause, self.last));
        }
    }

    fn rises(&mut self, child: Key, now: Duration, orders: &mut Vec<Order>) {
        self.set_phase(child, Phase::Up);
        if let Some(parent) = self.nodes.get(&child).and_then(|node| node.parent) {
            self.advance(parent, now, Duration::ZERO, orders);
        }
    }

    /// Takes a node out; gives its parent.
    fn forget(&mut self, key: Key) -> Option<Key> {
        let parent = self.nodes.remove(&key)?.parent?;
        self.rule(parent)?.children.remove(&key);
        Some(parent)
    }

    /// Whether some of its children have to be started one after the other.
    fn is_restarting(&mut self, supervisor: Key) -> bool {
        let Some(rule) = self.rule(supervisor) else {
            return false;
        };
        if rule.restarts_each_alone() {
            return false;
        }
        let mut phases = self
            .children(supervisor)
            .into_iter()
            .filter_map(|child| self.phase(child));
        phases.any(Phase::is_awaited)
    }

    fn rule(&mut self, key: Key) -> Option<&mut Rule> {
        self.nodes.get_mut(&key)?.rule.as_mut()
    }

    fn children(&self, key: Key) -> Vec<Key> {
        let rule = self.nodes.get(&key).and_then(|node| node.rule.as_ref());
        rule.map_or_else(Vec::new, |rule| rule.children.iter().copied().collect())
    }

    fn phase(&self, key: Key) -> Option<Phase> {
        self.nodes.get(&key).map(|node| node.phase)
    }

    fn set_phase(&mut self, key: Key, phase: Phase) {
        if let Some(node) = self.nodes.get_mut(&key) {
            node.phase = phase;
        }
    }
}
