//! Carries out what the rules of supervision order. One book for a whole tree, so that two falls at the
//! same moment on two threads are judged one after the other, and so are their consequences.
//!
//! Orders are carried out without a lock, for they run code of others (a message's `Drop`, an asker's
//! waker), and by one thread at a time: whoever finds somebody at work leaves its orders to that one.

use crate::child::Child;
use crate::fall::Debris;
use crate::lock::lock;
use crate::node::Crash;
use crate::outcome::Exit;
use crate::restart_policy::{Blame, seed_of};
use crate::spec::{Group, Restart, Strategy};
use crate::strategy::{Forest, Key, Order};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time;

/// The supervisors of a tree.
#[derive(Default)]
pub(crate) struct Supervisors {
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    forest: Forest,
    workers: HashMap<Key, Weak<dyn Child>>,
    groups: HashMap<Key, Arc<GroupLife>>,
    orders: VecDeque<(Order, Arc<Crash>)>,
    /// Somebody carries out orders.
    at_work: bool,
    /// The runtime's clock at the first look at it.
    origin: Option<time::Instant>,
}

/// A fall, as a supervisor is told of it.
pub(crate) struct Report {
    /// The pause that the actor would make by itself.
    pub(crate) pause: Duration,
    pub(crate) crash: Crash,
    pub(crate) blame: Blame,
}

/// What a supervisor says of a fall.
pub(crate) enum Judgement {
    /// Nobody judges this actor but its own policy.
    Alone,
    /// Go on where you are, after this pause.
    GoOn(Duration),
    /// Orders have gone out; if the actor is to go on, one of them starts it.
    Ordered,
}

impl Supervisors {
    /// Enters a supervisor, under another one if there is one above.
    pub(crate) fn plant(&self, group: &Group, parent: Option<Key>, seed: u64) -> Arc<GroupLife> {
        let mut book = lock(&self.book);
        let parent = parent.filter(|parent| book.forest.knows(*parent));
        let key = book.forest.plant(group, parent, seed_of(seed, &group.id));
        let life = Arc::new(GroupLife {
            key,
            id: group.id.as_str().into(),
            strategy: group.strategy,
            record: Mutex::default(),
            exited: Notify::new(),
        });
        book.groups.insert(key, Arc::clone(&life));
        life
    }

    /// Places an actor under a supervisor; `None` if that one judges nobody any more.
    pub(crate) fn place(&self, parent: Key, restart: Restart) -> Option<Key> {
        let mut book = lock(&self.book);
        book.forest
            .knows(parent)
            .then(|| book.forest.place(parent, restart))
    }

    /// Tells whom the orders about `key` are for.
    pub(crate) fn settle(&self, key: Key, child: Weak<dyn Child>) {
        lock(&self.book).workers.insert(key, child);
    }

    /// Judges a fall. `fence` ends the generation, under the same lock that the judgement is made under, and
    /// reports the fall; `None` if that generation was over already.
    pub(crate) fn judge(&self, key: Key, fence: impl FnOnce() -> Option<Report>) -> Judgement {
        {
            let mut book = lock(&self.book);
            if !book.forest.knows(key) {
                return Judgement::Alone;
            }
            let Some(report) = fence() else {
                return Judgement::Ordered;
            };
            let now = book.now();
            let orders = book.forest.fell(key, now, report.pause, report.blame);
            if let [Order::Launch(who, pause)] = *orders
                && who == key
                && !book.at_work
            {
                return Judgement::GoOn(pause);
            }
            book.add(orders, &Arc::new(report.crash));
        }
        self.carry_out();
        Judgement::Ordered
    }

    /// A started generation has begun.
    pub(crate) fn began(&self, key: Key) {
        self.note(Forest::began, key);
    }

    /// An actor has ended and will not come back.
    pub(crate) fn ended(&self, key: Key) {
        lock(&self.book).workers.remove(&key);
        self.note(Forest::ended, key);
    }

    /// A supervisor judges nobody any more.
    pub(crate) fn dissolve(&self, key: Key) {
        lock(&self.book).groups.remove(&key);
        self.note(Forest::dissolve, key);
    }

    fn note(&self, change: fn(&mut Forest, Key, Duration) -> Vec<Order>, key: Key) {
        {
            let mut book = lock(&self.book);
            let now = book.now();
            let orders = change(&mut book.forest, key, now);
            if orders.is_empty() {
                return;
            }
            book.add(orders, &Arc::new(Crash::unknown()));
        }
        self.carry_out();
    }

    /// Carries out all orders, unless somebody else is at it.
    fn carry_out(&self) {
        let mut debris = Vec::new();
        let mut first = true;
        loop {
            // Not in the loop's head, which would hold the lock while the order is carried out.
            let next = lock(&self.book).next(std::mem::take(&mut first));
            let Some((order, cause)) = next else { break };
            debris.extend(self.carry_out_one(order, &cause));
        }
        // Only now, for it may take as long as it likes: whoever falls meanwhile finds nobody at work.
        for one in debris {
            one.tell();
        }
    }

    fn carry_out_one(&self, order: Order, cause: &Arc<Crash>) -> Option<Debris> {
        let (key, group) = {
            let book = lock(&self.book);
            let (Order::Cut(key)
            | Order::Launch(key, _)
            | Order::GiveUp(key)
            | Order::Restarted(key)) = order;
            (key, book.groups.get(&key).cloned())
        };
        if let Some(group) = group {
            match order {
                Order::GiveUp(_) => {
                    lock(&self.book).groups.remove(&key);
                    group.gives_up(cause);
                }
                _ => group.begins_again(cause),
            }
            return None;
        }
        let child = lock(&self.book).workers.get(&key)?.upgrade()?;
        match order {
            Order::Cut(_) => return child.cut(),
            Order::Launch(_, pause) => child.launch(pause),
            Order::GiveUp(_) => return child.give_up(cause),
            Order::Restarted(_) => {}
        }
        None
    }
}

impl Book {
    fn now(&mut self) -> Duration {
        self.origin.get_or_insert_with(time::Instant::now).elapsed()
    }

    fn add(&mut self, orders: Vec<Order>, cause: &Arc<Crash>) {
        let orders = orders.into_iter().map(|order| (order, Arc::clone(cause)));
        self.orders.extend(orders);
    }

    /// The next order for a thread that is at work, or that comes to work (`first`).
    fn next(&mut self, first: bool) -> Option<(Order, Arc<Crash>)> {
        if first && self.at_work {
            return None;
        }
        let next = self.orders.pop_front();
        self.at_work = next.is_some();
        next
    }
}

/// A supervisor as the tree shows it.
pub(crate) struct GroupLife {
    pub(crate) key: Key,
    id: Arc<str>,
    pub(crate) strategy: Strategy,
    record: Mutex<GroupRecord>,
    exited: Notify,
}

#[derive(Clone, Default)]
pub(crate) struct GroupRecord {
    pub(crate) restarts: u64,
    pub(crate) last_crash: Option<Crash>,
    pub(crate) exit: Option<Exit>,
}

impl GroupLife {
    pub(crate) fn record(&self) -> GroupRecord {
        lock(&self.record).clone()
    }

    fn begins_again(&self, cause: &Crash) {
        let mut record = lock(&self.record);
        record.restarts = record.restarts.saturating_add(1);
        record.last_crash = Some(cause.clone());
        tracing::warn!(
            supervisor = &*self.id,
            why = cause.panic,
            "restarted as a whole"
        );
    }

    fn gives_up(&self, cause: &Crash) {
        tracing::error!(supervisor = &*self.id, why = cause.panic, "gave up");
        {
            let mut record = lock(&self.record);
            record.last_crash = Some(cause.clone());
            record.exit = Some(Exit::GaveUp(cause.summary()));
        }
        self.exited.notify_waiters();
    }
}

/// A supervisor of the tree, for whoever has to know when it gives up. Dropping it changes nothing.
#[derive(Clone)]
pub struct GroupHandle(pub(crate) Arc<GroupLife>);

impl GroupHandle {
    /// The supervisor's id in the tree.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Waits until the supervisor has given up, and with it all of its children: [`Exit::GaveUp`] with what
    /// fell last. Never comes if another supervisor above restarts it each time, or once it was removed.
    pub async fn exited(&self) -> Exit {
        loop {
            let notified = self.0.exited.notified();
            if let Some(exit) = self.0.record().exit {
                return exit;
            }
            notified.await;
        }
    }
}

impl fmt::Debug for GroupHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupHandle")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
