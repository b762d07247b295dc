//! Generations and the proof of being the current one.

use crate::child::Child;
use crate::clock;
use crate::desk::{self, Home};
use crate::outcome::Failure;
use crate::watchdog::roster::Roster;
use std::cell::RefCell;
use std::fmt;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

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
    death: OnceLock<Box<Failure>>,
    /// [`clock::ticks`] at which it had been sent to an arbiter; [`u64::MAX`]: it was not, so far.
    launched_at: AtomicU64,
    /// The watchdog has noticed that no thread takes it.
    untaken: AtomicBool,
    home: OnceLock<Home>,
    /// Futures that hold back its lanes (`ctx.wait`).
    holding: AtomicUsize,
}

impl Run {
    pub(crate) fn new(actor: Arc<str>, generation: u64) -> Arc<Self> {
        Arc::new(Self {
            actor,
            generation,
            fenced: AtomicBool::new(false),
            death: OnceLock::new(),
            launched_at: AtomicU64::new(u64::MAX),
            untaken: AtomicBool::new(false),
            home: OnceLock::new(),
            holding: AtomicUsize::new(0),
        })
    }

    pub(crate) fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::Acquire)
    }

    /// Ends the life, for the reason that those are told whose answer it still owed. The
    /// first reason stands. Only under the lock of the actor's core.
    pub(crate) fn fence(&self, death: Failure) {
        self.death.get_or_init(|| Box::new(death));
        self.fenced.store(true, Ordering::Release);
    }

    pub(crate) fn death(&self) -> Option<Failure> {
        self.death.get().map(|death| Failure::clone(death))
    }

    /// It has been sent to an arbiter. Said after the fact: the watchdog concludes from a thread that has
    /// answered what was sent later that this one is not there.
    pub(crate) fn launched(&self) {
        self.launched_at
            .store(clock::ticks(clock::monotonic()), Ordering::Relaxed);
    }

    pub(crate) fn launched_at(&self) -> u64 {
        self.launched_at.load(Ordering::Relaxed)
    }

    pub(crate) fn show_untaken(&self) {
        self.untaken.store(true, Ordering::Relaxed);
    }

    /// This thread is the one that it lives on, in the tree of `roster`.
    pub(crate) fn settle(self: &Arc<Self>, roster: &Roster, child: Weak<dyn Child>) {
        if let Some(desk) = desk::here(roster) {
            let seat = desk.seat(self, child);
            self.home.get_or_init(|| Home { desk, seat });
        }
        self.untaken.store(false, Ordering::Relaxed);
    }

    /// It takes the seat of the generation before it.
    pub(crate) fn settle_after(self: &Arc<Self>, before: &Self) {
        if let Some(home) = before.home() {
            home.desk.hand_on(home.seat, self);
            self.home.get_or_init(|| home.clone());
        }
    }

    /// Its body has left its thread.
    pub(crate) fn leave(&self) {
        if let Some(home) = self.home() {
            home.desk.vacate(home.seat);
        }
    }

    /// Its seat, once a thread has taken it.
    pub(crate) fn home(&self) -> Option<&Home> {
        self.home.get()
    }

    /// Whether it is kept by a poll that is longer than `patience`, or by an arbiter that does not take it.
    pub(crate) fn is_stalled(&self, patience: Duration) -> bool {
        self.untaken.load(Ordering::Relaxed)
            || self
                .home()
                .is_some_and(|home| home.desk.is_overdue(home.seat, patience))
    }

    /// Whether a future holds back its lanes.
    pub(crate) fn holds_back(&self) -> bool {
        self.holding.load(Ordering::Relaxed) != 0
    }
}

/// A future that holds back the lanes of a run, for as long as this lives.
pub(crate) struct Holding(Arc<Run>);

impl Holding {
    pub(crate) fn new(run: &Arc<Run>) -> Self {
        run.holding.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(run))
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.0.holding.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The generation whose code a thread runs.
struct Stage {
    /// It stays here when it leaves: the same actor mostly comes next, and to clone and drop its run for
    /// each poll would cost more than all the rest of entering.
    known: Option<Arc<Run>>,
    /// Whether `known` is running.
    is_on: bool,
}

thread_local!(static STAGE: RefCell<Stage> = const {
    RefCell::new(Stage {
        known: None,
        is_on: false,
    })
});

/// Marks this thread as running a generation's code, so that every send it makes is checked.
pub(crate) struct Entered {
    /// Whose code the thread ran before, and runs again after this.
    before: Option<Arc<Run>>,
}

impl Entered {
    pub(crate) fn new(run: &Arc<Run>) -> Self {
        let (was_on, known) = STAGE.with_borrow_mut(|stage| stage.enter(run));
        Self {
            before: known.filter(|_| was_on),
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.before.take();
        drop(STAGE.with_borrow_mut(|stage| stage.leave(before)));
    }
}

impl Stage {
    /// Gives out whom `run` took the place of, and whether that one was running.
    fn enter(&mut self, run: &Arc<Run>) -> (bool, Option<Arc<Run>>) {
        let was_on = std::mem::replace(&mut self.is_on, true);
        let is_known = |known: &Arc<Run>| Arc::ptr_eq(known, run);
        if !was_on && self.known.as_ref().is_some_and(is_known) {
            return (false, None);
        }
        (was_on, self.known.replace(Arc::clone(run)))
    }

    /// Goes back to `before`; gives out who has to be dropped for that.
    fn leave(&mut self, before: Option<Arc<Run>>) -> Option<Arc<Run>> {
        self.is_on = before.is_some();
        before.and_then(|before| self.known.replace(before))
    }

    fn running(&self) -> Option<&Arc<Run>> {
        self.known.as_ref().filter(|_| self.is_on)
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
    STAGE
        .try_with(|stage| Some(see(stage.try_borrow().ok()?.running())))
        .ok()?
}

/// The payload by which a fenced generation leaves its poll: no panic hook sees it, and neither
/// `stopping` nor a later timer runs.
pub(crate) struct FencedOut;

pub(crate) fn leave() -> ! {
    resume_unwind(Box::new(FencedOut))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(actor: &str) -> Arc<Run> {
        Run::new(actor.into(), 1)
    }

    fn running() -> Option<String> {
        with_running(|run| run.map(|run| run.actor.as_ref().to_owned())).flatten()
    }

    /// A thread keeps the run that it was in last; nobody may take that for being in it still.
    #[test]
    fn a_thread_runs_whom_it_has_entered_and_nobody_once_it_has_left() {
        let (outer, inner) = (run("outer"), run("inner"));
        for _ in 0..2 {
            let entered = Entered::new(&outer);
            for (nested, name) in [(&inner, "inner"), (&outer, "outer"), (&inner, "inner")] {
                let nested = Entered::new(nested);
                assert_eq!(running().as_deref(), Some(name));
                drop(nested);
                assert_eq!(running().as_deref(), Some("outer"));
            }
            assert!(caller() == Caller::Actor);
            drop(entered);
            assert_eq!(running(), None);
            assert!(caller() == Caller::Outside);
        }
        outer.fence(Failure::Closed);
        let entered = Entered::new(&outer);
        assert!(caller() == Caller::DeadGeneration);
        drop(entered);
        assert!(caller() == Caller::Outside);
    }

    #[test]
    fn a_thread_keeps_one_run_at_most() {
        let (first, second) = (run("first"), run("second"));
        for _ in 0..3 {
            drop(Entered::new(&first));
            drop(Entered::new(&second));
        }
        assert_eq!(Arc::strong_count(&first), 1);
        assert_eq!(Arc::strong_count(&second), 2);
    }
}
