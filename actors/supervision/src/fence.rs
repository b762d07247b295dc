//! Generations and the proof of being the current one.

use crate::clock;
use crate::outcome::Failure;
use std::cell::RefCell;
use std::fmt;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// Proof of a generation, to hand to effects outside of the actor (a writer's epoch, an HTTP port).
///
/// A blocked generation that was replaced may wake up at any later time. Whoever acts on its behalf asks
/// the fence last and does nothing when the generation is over.
#[derive(Clone)]
pub struct Fence(Arc<Run>);

impl Fence {
    pub(crate) const fn new(run: Arc<Run>) -> Self {
        Self(run)
    }

    /// Whether the generation still is the actor's life.
    pub fn is_current(&self) -> bool {
        !self.0.is_fenced()
    }

    /// The number of the generation.
    pub fn generation(&self) -> u64 {
        self.0.generation
    }
}

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fence")
            .field("actor", &self.0.actor)
            .field("generation", &self.generation())
            .field("is_current", &self.is_current())
            .finish()
    }
}

/// One life of an actor. It is fenced, under the lock of the actor's core, when that life is over,
/// whatever its thread still does.
pub(crate) struct Run {
    pub(crate) actor: Arc<str>,
    pub(crate) generation: u64,
    fenced: AtomicBool,
    /// How it ended, for the answers that it still owed.
    death: OnceLock<Failure>,
    /// [`clock::ticks`] at which the poll that is under way began; 0: none is.
    polled_since: AtomicU64,
    /// [`clock::ticks`] at which it was sent to an arbiter; 0: it was not, or a thread has taken it.
    launched_at: AtomicU64,
    home: OnceLock<ThreadId>,
}

impl Run {
    pub(crate) fn new(actor: Arc<str>, generation: u64) -> Arc<Self> {
        Arc::new(Self {
            actor,
            generation,
            fenced: AtomicBool::new(false),
            death: OnceLock::new(),
            polled_since: AtomicU64::new(0),
            launched_at: AtomicU64::new(0),
            home: OnceLock::new(),
        })
    }

    pub(crate) fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::Acquire)
    }

    /// Ends the life, for the reason that those are told whose answer it still owed. The
    /// first reason stands. Only under the lock of the actor's core.
    pub(crate) fn fence(&self, death: Failure) {
        self.death.get_or_init(|| death);
        self.fenced.store(true, Ordering::Release);
    }

    pub(crate) fn death(&self) -> Option<Failure> {
        self.death.get().cloned()
    }

    /// How long the poll that is under way has taken.
    pub(crate) fn busy_for(&self) -> Option<Duration> {
        elapsed_since(&self.polled_since)
    }

    /// It is on its way to an arbiter from now on, until a thread takes it.
    pub(crate) fn launched(&self) {
        self.launched_at
            .store(clock::ticks(clock::monotonic()), Ordering::Relaxed);
    }

    /// How long it has waited for its arbiter to take it.
    pub(crate) fn launching_for(&self) -> Option<Duration> {
        elapsed_since(&self.launched_at)
    }

    /// How long it has been kept by a poll under way, or by an arbiter that does not take it.
    pub(crate) fn stuck_for(&self) -> Option<Duration> {
        self.busy_for().or_else(|| self.launching_for())
    }

    /// This thread is the one that it lives on.
    pub(crate) fn settle_here(&self) {
        self.home.get_or_init(|| thread::current().id());
        self.launched_at.store(0, Ordering::Relaxed);
    }

    /// The thread of its arbiter, once that has taken it.
    pub(crate) fn home(&self) -> Option<ThreadId> {
        self.home.get().copied()
    }
}

/// The time since a moment in [`clock::ticks`]; none since 0.
fn elapsed_since(moment: &AtomicU64) -> Option<Duration> {
    let since = moment.load(Ordering::Relaxed);
    (since != 0)
        .then(|| Duration::from_nanos(clock::ticks(clock::monotonic()).saturating_sub(since)))
}

thread_local!(static RUNNING: RefCell<Option<Arc<Run>>> = const { RefCell::new(None) });

/// Marks this thread as running a generation's code, so that every send it makes is checked.
pub(crate) struct Entered(Option<Arc<Run>>);

impl Entered {
    pub(crate) fn new(run: &Arc<Run>) -> Self {
        Self(RUNNING.replace(Some(Arc::clone(run))))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        RUNNING.set(self.0.take());
    }
}

/// A poll of a generation under way, visible to the watchdog.
pub(crate) struct Polling<'a>(&'a Run);

impl<'a> Polling<'a> {
    pub(crate) fn new(run: &'a Run, now: Instant) -> Self {
        run.polled_since.store(clock::ticks(now), Ordering::Relaxed);
        Self(run)
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        self.0.polled_since.store(0, Ordering::Relaxed);
    }
}

/// Who makes a send, as far as this thread can tell.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    Outside,
    Actor,
    DeadGeneration,
}

pub(crate) fn caller() -> Caller {
    with_running(|run| match run {
        None => Caller::Outside,
        Some(run) if run.is_fenced() => Caller::DeadGeneration,
        Some(_) => Caller::Actor,
    })
    .unwrap_or(Caller::Outside)
}

/// Shows the generation that this thread runs. `None` while the thread is being torn down.
pub(crate) fn with_running<T>(see: impl FnOnce(Option<&Arc<Run>>) -> T) -> Option<T> {
    RUNNING
        .try_with(|running| running.try_borrow().ok().map(|run| see(run.as_ref())))
        .ok()?
}

/// The payload by which a fenced generation leaves its poll: no panic hook sees it, and neither
/// `stopping` nor a later timer runs.
pub(crate) struct FencedOut;

pub(crate) fn leave() -> ! {
    resume_unwind(Box::new(FencedOut))
}
