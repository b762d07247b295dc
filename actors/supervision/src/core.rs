//! An actor as its handles know it: the lanes, the current generation, the record of its life.
//!
//! The lock of [`Core`] is never held while code of the actor, of a message or of the factory runs.
//! That is why a snapshot can be taken and messages can be queued while the actor blocks its thread.

mod record;

use crate::clock;
use crate::context::Supervised;
#[cfg(feature = "faults")]
use crate::faults::Faults;
use crate::fence::{Caller, Run, caller};
use crate::lane::{Class, Classified, Overflow};
use crate::latency::Waits;
use crate::lock::lock;
use crate::mailbox::Lanes;
use crate::node::{Crash, Mailbox, Node, State};
use crate::outcome::{Exit, Failure, Reason, Rejected, Stop};
use crate::parcel::{Envelope, Packed};
use crate::poison::Quarantine;
use crate::pump::Turn;
use crate::restart_policy::Falls;
use crate::shared::Shared;
use crate::spec::Policy;
use crate::strategy::Key;
use crate::supervisors::Supervisors;
use crate::watchdog::roster::Roster;
use crate::witness::Witness;
use actix::{Actor, ArbiterHandle};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::Waker;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time;

/// Makes the value of a generation.
pub(crate) type Factory<A> = Arc<dyn Fn(u64) -> A + Send + Sync>;

pub(crate) struct Core<A: Actor> {
    pub(crate) id: Arc<str>,
    pub(crate) kind: &'static str,
    pub(crate) policy: Arc<Policy>,
    pub(crate) seed: u64,
    pub(crate) settings: Arc<Settings>,
    /// The runtime's clock when the actor was first supervised.
    pub(crate) origin: time::Instant,
    /// Handles in the world. The tree's own reference is not one.
    pub(crate) handles: AtomicUsize,
    /// Set with `Inner::stop`, readable without the lock.
    pub(crate) stopping: AtomicBool,
    /// Messages that were not admitted, for any reason.
    pub(crate) rejected: AtomicU64,
    /// Its place under a supervisor, if it has one.
    pub(crate) supervised: OnceLock<Key>,
    /// Made by the first who waits for anything: most never see anybody wait.
    pub(crate) bells: OnceLock<Box<Bells>>,
    pub(crate) inner: Mutex<Inner<A>>,
}

/// What those hear who wait for an actor. Whoever takes hold of a bell and then looks once more at what
/// he waits for misses nothing.
#[derive(Default)]
pub(crate) struct Bells {
    /// A message was taken from the lane of a class, or the door was closed.
    pub(crate) room: [Notify; 3],
    /// The actor has ended.
    pub(crate) exited: Notify,
}

/// What all actors of a tree share.
pub(crate) struct Settings {
    pub(crate) seed: u64,
    /// Unix milliseconds.
    pub(crate) clock: fn() -> u64,
    /// A poll that takes longer counts as a stall. Nanoseconds.
    pub(crate) stall_after_ns: AtomicU64,
    pub(crate) supervisors: Supervisors,
    /// The number of the newest dead letter.
    pub(crate) letters: AtomicU64,
    /// Dead letters that went with their actors.
    pub(crate) letters_gone: AtomicU64,
    /// What the watchdog looks at.
    pub(crate) roster: Roster,
    #[cfg(feature = "faults")]
    pub(crate) faults: Faults,
    pub(crate) witness: Witness,
    /// Most actors of a tree have one of few policies.
    pub(crate) policies: Shared<Policy>,
}

impl Settings {
    pub(crate) fn stall_after(&self) -> Duration {
        Duration::from_nanos(self.stall_after_ns.load(Ordering::Relaxed))
    }

    pub(crate) fn next_letter(&self) -> u64 {
        self.letters.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }
}

pub(crate) struct Inner<A: Actor> {
    pub(crate) lanes: Lanes<Arc<dyn Envelope<A>>>,
    /// The message in its handler.
    pub(crate) current: Option<Arc<dyn Envelope<A>>>,
    pub(crate) run: Arc<Run>,
    /// Wakes the task of the current generation.
    pub(crate) waker: Option<Waker>,
    /// The pump found the lanes empty: the next push must wake it, and only that one.
    pub(crate) idle: bool,
    /// The tree is shutting down: only actors may still send.
    pub(crate) closing: bool,
    pub(crate) stop: Option<Stop>,
    pub(crate) exit: Option<Box<Exit>>,
    /// Messages that waited when the actor ended.
    pub(crate) unhandled: usize,
    /// Gone once the actor has ended: it may hold handles of others.
    pub(crate) factory: Option<Factory<A>>,
    pub(crate) falls: Falls,
    pub(crate) restart_due: Option<time::Instant>,
    pub(crate) rest: Rest,
    /// Where the next generation begins.
    pub(crate) arbiter: ArbiterHandle,
    pub(crate) quarantine: Quarantine,
    pub(crate) record: Record,
}

/// Whether the actor is between two generations by its supervisor's will, without a task of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    No,
    /// It has not begun for the first time.
    New,
    /// It fell.
    Fallen,
    /// It was ended, to be started when its turn comes.
    Held,
}

/// Counters and dates for the reader of the tree.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) handled: u64,
    /// Counts the messages that were admitted, to tell which of them are samples.
    admitted: u32,
    pub(crate) restarts: u64,
    pub(crate) waits: Waits,
    pub(crate) started_at_ms: Option<u64>,
    pub(crate) next_restart_at_ms: Option<u64>,
    pub(crate) last_crash: Option<Box<Crash>>,
    /// What the actor says of itself.
    pub(crate) note: Option<Box<str>>,
}

/// One message in so many has its wait in the queue measured: a clock costs as much as a queue.
const SAMPLED: u32 = 8;

/// What outlives an actor under its id.
#[derive(Default)]
pub(crate) struct Past {
    pub(crate) generation: u64,
    pub(crate) restarts: u64,
    pub(crate) last_crash: Option<Box<Crash>>,
    pub(crate) quarantine: Quarantine,
}

impl Past {
    /// Nothing happened that is worth remembering.
    pub(crate) fn is_clean(&self) -> bool {
        self.restarts == 0 && self.last_crash.is_none() && self.quarantine.is_clean()
    }
}

/// What the pump does next.
pub(crate) enum Next<A: Actor> {
    Handle(Arc<dyn Envelope<A>>),
    /// A message was put away instead.
    PutAway,
    /// Messages wait, but it is the neighbours' turn.
    Later,
    Idle,
    /// The lanes are empty and nothing more is admitted.
    Drained,
    Fenced,
}

impl<A: Supervised> Core<A> {
    /// Queues a message if it is admitted, and wakes the actor. `pack` makes the envelope, and what the
    /// sender keeps of it; nobody's code but ours runs in there.
    pub(crate) fn submit<M: Classified, T>(
        &self,
        message: M,
        insider: bool,
        pack: impl FnOnce(M, u64, Option<Instant>) -> Packed<A, T>,
    ) -> Result<T, Rejected<M>> {
        let digest = message.digest();
        let mut inner = lock(&self.inner);
        let evicted = match inner.admit(M::CLASS, insider) {
            Ok(evicted) => evicted,
            Err(reason) => return Err(Rejected { reason, message }),
        };
        let queued_at = inner.record.is_sample().then(clock::monotonic);
        let Packed { envelope, kept } = pack(message, digest, queued_at);
        let waker = inner.queue(M::CLASS, envelope);
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
        if let Some(oldest) = evicted {
            oldest.fail(Failure::Evicted);
        }
        Ok(kept)
    }

    /// The next message for this generation. Fence and queue are read under one lock: a generation
    /// that was replaced can take nothing more.
    pub(crate) fn next(&self, run: &Run, turn: &mut Turn) -> Next<A> {
        turn.look_ahead();
        let mut inner = lock(&self.inner);
        if run.is_fenced() {
            return Next::Fenced;
        }
        inner.current = None;
        if !inner.lanes.is_empty() && turn.is_over() {
            return Next::Later;
        }
        let Some((class, envelope)) = inner.lanes.take() else {
            inner.lanes.give_memory_back();
            inner.idle = true;
            return if inner.stop.is_some() {
                Next::Drained
            } else {
                Next::Idle
            };
        };
        let caught = inner
            .quarantine
            .catches(envelope.key(), self.policy.poison_after);
        if caught.is_none() {
            inner.record.taken(envelope.queued_at());
        }
        turn.took(!inner.lanes.is_empty());
        inner.current = Some(Arc::clone(&envelope));
        drop(inner);
        self.made_room(class);
        let Some(evidence) = caught else {
            return Next::Handle(envelope);
        };
        self.put_away(run, &envelope, evidence);
        Next::PutAway
    }

    pub(crate) fn bells(&self) -> &Bells {
        self.bells.get_or_init(Box::default)
    }

    fn made_room(&self, class: Class) {
        if let Overflow::Wait(_) = self.policy.lane(class).overflow
            && let Some(bells) = self.bells.get()
        {
            bells.room(class).notify_one();
        }
    }

    /// Whoever waits for room looks again and finds the door closed.
    pub(crate) fn wake_waiting(&self) {
        if let Some(bells) = self.bells.get() {
            bells.room.iter().for_each(Notify::notify_waiters);
        }
    }

    pub(crate) fn depth(&self) -> usize {
        lock(&self.inner).lanes.depth()
    }

    pub(crate) fn set_note(&self, note: Option<Box<str>>) {
        lock(&self.inner).record.note = note;
    }

    /// The node without its children.
    pub(crate) fn node(&self) -> Node {
        let inner = lock(&self.inner);
        let record = &inner.record;
        Node {
            id: self.id.as_ref().to_owned(),
            kind: self.kind,
            state: inner.state(self.settings.stall_after()),
            generation: inner.run.generation,
            started_at_ms: record.started_at_ms,
            mailbox: Mailbox {
                depth: inner.lanes.depth(),
                capacity: inner.lanes.capacity(),
                rejected: self.rejected.load(Ordering::Relaxed),
            },
            handled: record.handled,
            queue_wait_us_p99: record.waits.p99_us(),
            restarts: record.restarts,
            last_crash: record.last_crash.as_deref().cloned(),
            next_restart_at_ms: record.next_restart_at_ms,
            poisoned: inner.quarantine.total(),
            note: record.note.as_deref().map(str::to_owned),
            strategy: None,
            children: Vec::new(),
        }
    }
}

impl Bells {
    pub(crate) const fn room(&self, class: Class) -> &Notify {
        let [control, containment, bulk] = &self.room;
        match class {
            Class::Control => control,
            Class::Containment => containment,
            Class::Bulk => bulk,
        }
    }
}

impl<A: Actor> Inner<A> {
    pub(crate) fn new(
        run: Arc<Run>,
        policy: &Policy,
        factory: Factory<A>,
        past: Past,
        arbiter: ArbiterHandle,
    ) -> Self {
        Self {
            lanes: Lanes::new(policy),
            current: None,
            run,
            waker: None,
            idle: false,
            closing: false,
            stop: None,
            exit: None,
            unhandled: 0,
            factory: Some(factory),
            falls: Falls::default(),
            restart_due: None,
            rest: Rest::No,
            arbiter,
            quarantine: past.quarantine,
            record: Record {
                restarts: past.restarts,
                last_crash: past.last_crash,
                ..Record::default()
            },
        }
    }

    /// Decides on admission, and makes room by giving out the oldest message if the lane says so.
    pub(crate) fn admit(
        &mut self,
        class: Class,
        insider: bool,
    ) -> Result<Option<Arc<dyn Envelope<A>>>, Reason> {
        let caller = caller();
        if caller == Caller::DeadGeneration {
            return Err(Reason::Fenced);
        }
        if let Some(Exit::GaveUp(_)) = self.exit.as_deref() {
            return Err(Reason::Suspended);
        }
        let from_inside = insider || caller == Caller::Actor;
        if self.exit.is_some() || self.stop.is_some() || (self.closing && !from_inside) {
            return Err(Reason::Closed);
        }
        self.lanes.make_room(class).map_err(|_full| Reason::Full)
    }

    /// Queues an admitted message; gives out the waker if the pump has to be woken for it.
    pub(crate) fn queue(&mut self, class: Class, envelope: Arc<dyn Envelope<A>>) -> Option<Waker> {
        self.lanes.push(class, envelope);
        std::mem::take(&mut self.idle)
            .then(|| self.waker.clone())
            .flatten()
    }

    pub(crate) fn state(&self, stall_after: Duration) -> State {
        match self.exit.as_deref() {
            Some(Exit::GaveUp(_)) => State::Suspended,
            Some(_) => State::Stopped,
            None if self.run.is_stalled(stall_after) => State::Stalled,
            None if self.restart_due.is_some() || self.rest != Rest::No => State::BackingOff,
            None => State::Running,
        }
    }
}
