//! Carries out what the rules of supervision order. One book for a whole tree, so that two falls at the
//! same moment on two threads are judged one after the other, and so are their consequences.
//!
//! Orders are carried out without a lock, and by one thread at a time: whoever finds somebody at work leaves
//! its orders to that one. What they leave behind (askers to be told, messages to be dropped) is code of
//! others, and comes last.

use crate::child::Child;
use crate::fall::Debris;
use crate::fence::Run;
use crate::lock::lock;
use crate::node::{Crash, State};
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
        let parent = parent.filter(|parent| book.forest.supervises(*parent));
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

    /// Places an actor under a supervisor, and starts it when its turn comes; `None` if that one judges
    /// nobody any more. `settle` is told its place, before any order about it is carried out.
    pub(crate) fn place(
        &self,
        parent: Key,
        restart: Restart,
        child: &Arc<dyn Child>,
        settle: impl FnOnce(Key),
    ) -> Option<Key> {
        let key = {
            let mut book = lock(&self.book);
            if !book.forest.supervises(parent) {
                return None;
            }
            let (key, orders) = book.forest.place(parent, restart);
            book.workers.insert(key, Arc::downgrade(child));
            settle(key);
            book.add(orders, &Arc::new(Crash::unknown()));
            key
        };
        self.carry_out();
        Some(key)
    }

    /// Judges a fall. `fence` ends the generation, under the same lock that the judgement is made under, and
    /// reports the fall; `None` if that generation was over already.
    pub(crate) fn judge(&self, key: Key, fence: impl FnOnce() -> Option<Report>) -> Judgement {
        {
            let mut book = lock(&self.book);
            if !book.forest.judges(key) {
                return Judgement::Alone;
            }
            let Some(report) = fence() else {
                return Judgement::Ordered;
            };
            let now = book.now();
            let orders = book.forest.fell(key, now, report.pause, report.blame);
            let nothing_else = book.orders.is_empty() && !book.at_work;
            if let [Order::Launch(who, pause, ticket)] = *orders
                && who == key
                && nothing_else
                && book.forest.launching(key, ticket)
            {
                return Judgement::GoOn(pause);
            }
            book.add(orders, &Arc::new(report.crash));
        }
        self.carry_out();
        Judgement::Ordered
    }

    /// Generation `run` has begun; says nothing if that is over.
    pub(crate) fn began(&self, key: Key, run: &Run) {
        self.note(|forest, now| {
            if run.is_fenced() {
                return Vec::new();
            }
            forest.began(key, now)
        });
    }

    /// An actor leaves its supervisor to finish what it has; if it waits for its turn, it begins.
    pub(crate) fn leave(&self, key: Key) {
        let child = lock(&self.book).workers.get(&key).and_then(Weak::upgrade);
        self.ended(key);
        if let Some(child) = child {
            child.launch(Duration::ZERO);
        }
    }

    /// An actor has ended and will not come back.
    pub(crate) fn ended(&self, key: Key) {
        lock(&self.book).workers.remove(&key);
        self.note(|forest, now| forest.ended(key, now));
    }

    /// A supervisor judges nobody any more.
    pub(crate) fn dissolve(&self, key: Key) {
        lock(&self.book).groups.remove(&key);
        self.note(|forest, now| forest.dissolve(key, now));
    }

    fn note(&self, change: impl FnOnce(&mut Forest, Duration) -> Vec<Order>) {
        {
            let mut book = lock(&self.book);
            let now = book.now();
            let orders = change(&mut book.forest, now);
            if orders.is_empty() {
                return;
            }
            book.add(orders, &Arc::new(Crash::unknown()));
        }
        self.carry_out();
    }

    /// Carries out all orders, unless somebody else is at it.
    fn carry_out(&self) {
        let Some(work) = AtWork::begin(&self.book) else {
            return;
        };
        let mut left = Vec::new();
        while let Some((order, cause)) = work.next() {
            left.extend(self.carry_out_one(order, &cause));
        }
        drop(work);
        // Only now, for it may take as long as it likes: whoever falls meanwhile finds nobody at work.
        Debris::tell_all(left);
    }

    /// Gives out what is to be told afterwards.
    fn carry_out_one(&self, order: Order, cause: &Arc<Crash>) -> Option<Debris> {
        match order {
            Order::Cut(key) => self.worker(key)?.cut(),
            Order::Launch(key, pause, ticket) => {
                if lock(&self.book).forest.launching(key, ticket) {
                    let started = self.worker(key).is_some_and(|child| child.launch(pause));
                    if !started {
                        self.ended(key);
                    }
                }
                None
            }
            Order::Restarted(key) => {
                let group = lock(&self.book).groups.get(&key).cloned()?;
                Some(group.begins_again(cause))
            }
            Order::GiveUp(key) => {
                let group = lock(&self.book).groups.remove(&key);
                match group {
                    Some(group) => Some(group.gives_up(cause)),
                    None => self.worker(key)?.give_up(cause),
                }
            }
        }
    }

    fn worker(&self, key: Key) -> Option<Arc<dyn Child>> {
        lock(&self.book).workers.get(&key)?.upgrade()
    }
}

/// Held by the one thread that carries out orders.
struct AtWork<'a>(&'a Mutex<Book>);

impl<'a> AtWork<'a> {
    fn begin(book: &'a Mutex<Book>) -> Option<Self> {
        let somebody_is = std::mem::replace(&mut lock(book).at_work, true);
        (!somebody_is).then_some(Self(book))
    }

    /// The next order. After the last one, whoever comes with another finds nobody at work.
    fn next(&self) -> Option<(Order, Arc<Crash>)> {
        let mut book = lock(self.0);
        let next = book.orders.pop_front();
        book.at_work = next.is_some();
        next
    }
}

/// A panic on the way must not leave all supervisors waiting for this thread.
impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            lock(self.0).at_work = false;
        }
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

impl GroupRecord {
    /// A supervisor that has given up is suspended for good.
    pub(crate) fn state(&self) -> State {
        self.exit
            .as_ref()
            .map_or(State::Running, |_| State::Suspended)
    }
}

impl GroupLife {
    pub(crate) fn record(&self) -> GroupRecord {
        lock(&self.record).clone()
    }

    fn begins_again(self: Arc<Self>, cause: &Arc<Crash>) -> Debris {
        {
            let mut record = lock(&self.record);
            record.restarts = record.restarts.saturating_add(1);
            record.last_crash = Some(Crash::clone(cause));
        }
        let cause = Arc::clone(cause);
        Debris::new(None, move || {
            tracing::warn!(
                supervisor = &*self.id,
                why = cause.panic,
                "restarted as a whole"
            );
            Box::new(|| {})
        })
    }

    fn gives_up(self: Arc<Self>, cause: &Arc<Crash>) -> Debris {
        {
            let mut record = lock(&self.record);
            record.last_crash = Some(Crash::clone(cause));
            record.exit = Some(Exit::GaveUp(cause.summary()));
        }
        let cause = Arc::clone(cause);
        Debris::new(None, move || {
            tracing::error!(supervisor = &*self.id, why = cause.panic, "gave up");
            self.exited.notify_waiters();
            Box::new(|| {})
        })
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
