//! Generations begin, fall and follow each other; in the end the actor ends.

use crate::context::Supervised;
use crate::core::{Core, Factory, Inner, Past, Settings};
use crate::fence::Run;
use crate::lock::lock;
use crate::node::Crash;
use crate::outcome::{Exit, Failure, Stop};
use crate::panics;
use crate::restart_policy::{Verdict, seed_of};
use crate::spec::Spec;
use crate::supervisor::Launch;
use actix::ArbiterHandle;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::Waker;
use std::time::Duration;
use tokio::time;

/// The end of a generation.
pub(crate) struct Fall {
    pub(crate) cause: Cause,
    pub(crate) why: String,
    pub(crate) location: Option<String>,
    /// What ran if no message did.
    pub(crate) during: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Crash,
    /// The watchdog took it off a stuck thread.
    Stall,
    /// The owner moved it. Not a fault: it does not count against the intensity.
    Move,
    /// A permanent actor stopped itself.
    SelfStop,
}

impl Fall {
    pub(crate) fn stall() -> Self {
        Self::by_order(Cause::Stall, "stalled")
    }

    pub(crate) fn planned_move() -> Self {
        Self::by_order(Cause::Move, "moved")
    }

    pub(crate) fn self_stop() -> Self {
        Self::by_order(Cause::SelfStop, "stopped itself")
    }

    fn by_order(cause: Cause, why: &str) -> Self {
        Self {
            cause,
            why: why.to_owned(),
            location: None,
            during: "no message",
        }
    }

    /// What those are told whose answer the generation still owed.
    const fn failure(&self, message: &'static str, generation: u64) -> Failure {
        match self.cause {
            Cause::Crash => Failure::Crashed {
                message,
                generation,
            },
            Cause::Stall | Cause::Move => Failure::Stalled {
                message,
                generation,
            },
            Cause::SelfStop => Failure::Closed,
        }
    }

    /// What the reader of the tree is told; nothing about an end that is no fault.
    fn crash(&self, message: &'static str, at_ms: u64) -> Option<Crash> {
        matches!(self.cause, Cause::Crash | Cause::Stall).then(|| Crash {
            at_ms,
            message,
            panic: self.why.clone(),
            location: self.location.clone(),
        })
    }
}

/// What the task of a generation has to do.
pub(crate) struct Orders {
    pub(crate) fenced: bool,
    pub(crate) stop: Option<Stop>,
    pub(crate) restart_due: Option<time::Instant>,
    pub(crate) queue_empty: bool,
}

impl<A: Supervised> Core<A> {
    pub(crate) fn new(
        spec: Spec,
        settings: Arc<Settings>,
        factory: Factory<A>,
        past: Past,
    ) -> Arc<Self> {
        let id: Arc<str> = spec.id.into();
        let run = Run::new(Arc::clone(&id), past.generation.saturating_add(1));
        Arc::new(Self {
            seed: seed_of(settings.seed, &id),
            id,
            kind: spec.kind,
            policy: settings.policies.share(spec.policy),
            settings,
            origin: time::Instant::now(),
            handles: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            rejected: AtomicU64::new(0),
            bells: OnceLock::new(),
            inner: Mutex::new(Inner::new(run, &spec.policy, factory, past)),
        })
    }

    /// Lets the current generation begin on `arbiter`.
    pub(crate) fn start(self: &Arc<Self>, run: Arc<Run>, arbiter: &ArbiterHandle) {
        run.launched();
        let launch = Launch::new(Arc::clone(self), run);
        // A launch that no arbiter takes ends the actor when it is dropped.
        let _taken: bool = arbiter.spawn_fn(move || launch.go());
    }

    pub(crate) fn current_run(&self) -> Arc<Run> {
        Arc::clone(&lock(&self.inner).run)
    }

    /// Reads what is to be done, and leaves the waker by which the task hears of changes.
    pub(crate) fn orders(&self, run: &Run, waker: &Waker) -> Orders {
        let mut inner = lock(&self.inner);
        let fenced = run.is_fenced();
        if !fenced
            && !inner
                .waker
                .as_ref()
                .is_some_and(|known| known.will_wake(waker))
        {
            inner.waker = Some(waker.clone());
        }
        Orders {
            fenced,
            stop: inner.stop,
            restart_due: inner.restart_due,
            queue_empty: inner.lanes.is_empty(),
        }
    }

    /// The generation is about to be made: gives out the factory unless the actor has ended.
    pub(crate) fn begin(&self, run: &Run) -> Option<Factory<A>> {
        let now_ms = (self.settings.clock)();
        let mut inner = lock(&self.inner);
        if run.is_fenced() {
            return None;
        }
        inner.falls.began(self.origin.elapsed());
        inner.restart_due = None;
        inner.record.next_restart_at_ms = None;
        inner.record.started_at_ms = Some(now_ms);
        inner.factory.clone()
    }

    /// Ends generation `run` and opens the next one, or ends the actor. `None` also if somebody else
    /// ended the generation first.
    pub(crate) fn fall(&self, run: &Run, fall: &Fall) -> Option<Arc<Run>> {
        let (now_ms, now) = ((self.settings.clock)(), time::Instant::now());
        let mut inner = lock(&self.inner);
        if run.is_fenced() {
            return None;
        }
        let current = inner.current.take();
        let message = current
            .as_ref()
            .map_or(fall.during, |envelope| envelope.key().message);
        let failure = fall.failure(message, run.generation);
        run.fence(failure.clone());
        if let Some(crash) = fall.crash(message, now_ms) {
            if let Some(envelope) = &current {
                inner.quarantine.crashed(envelope.key(), &crash);
            }
            inner.record.last_crash = Some(Box::new(crash));
        }
        let next = self.successor(&mut inner, fall.cause, now, now_ms);
        let waker = inner.waker.take(); // the task of a moved generation must wake up to drop it
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
        if let Some(envelope) = current {
            envelope.fail(failure);
        }
        if next.is_none() {
            tracing::error!(
                actor = &*self.id,
                handling = message,
                why = fall.why,
                "gave an actor up"
            );
            self.end(run, Exit::GaveUp(format!("{} (in {message})", fall.why)));
        }
        next
    }

    /// Decides what follows the fall and, if it is a generation, makes it the current one.
    fn successor(
        &self,
        inner: &mut Inner<A>,
        cause: Cause,
        now: time::Instant,
        now_ms: u64,
    ) -> Option<Arc<Run>> {
        if cause != Cause::Move {
            let since = now.saturating_duration_since(self.origin);
            let Verdict::RestartAfter(pause) = inner.falls.fell(&self.policy, self.seed, since)
            else {
                return None;
            };
            inner.record.restarts = inner.record.restarts.saturating_add(1);
            // A stalled actor has waited long enough.
            let pause = if cause == Cause::Stall {
                Duration::ZERO
            } else {
                pause
            };
            inner.restart_due = (!pause.is_zero()).then(|| now + pause);
            let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            inner.record.next_restart_at_ms =
                inner.restart_due.map(|_| now_ms.saturating_add(pause_ms));
        }
        let run = Run::new(Arc::clone(&self.id), inner.run.generation.saturating_add(1));
        inner.run = Arc::clone(&run);
        inner.idle = false;
        Some(run)
    }

    /// Replaces generation `run` by one on another arbiter; its queue and its handles stay.
    pub(crate) fn rebuild(self: &Arc<Self>, run: &Run, arbiter: &ArbiterHandle, fall: &Fall) {
        if let Some(next) = self.fall(run, fall) {
            self.start(next, arbiter);
        }
    }

    /// Ends the actor if `run` still is its life: a replaced generation must not end its successor.
    pub(crate) fn end(&self, run: &Run, exit: Exit) {
        let mut inner = lock(&self.inner);
        if inner.exit.is_some() || inner.run.generation != run.generation {
            return;
        }
        inner.exit = Some(exit);
        inner.run.fence(Failure::Closed);
        inner.restart_due = None;
        inner.record.next_restart_at_ms = None;
        let (waker, factory) = (inner.waker.take(), inner.factory.take());
        let current = inner.current.take();
        let queued = inner.lanes.take_all();
        inner.unhandled = queued.len();
        drop(inner);
        for envelope in queued.into_iter().chain(current) {
            envelope.fail(Failure::Closed);
        }
        if let Some(waker) = waker {
            waker.wake();
        }
        panics::contained("factory", move || drop(factory));
        self.wake_waiting();
        if let Some(bells) = self.bells.get() {
            bells.exited.notify_waiters();
        }
    }

    /// Asks the actor to stop. A drain does not weaken an earlier order to stop at once.
    pub(crate) fn request_stop(&self, how: Stop) {
        let waker = {
            let mut inner = lock(&self.inner);
            if inner.stop != Some(Stop::Now) {
                inner.stop = Some(how);
            }
            // Under the lock: whoever sees the order to stop in there must see this as well.
            self.stopping.store(true, Ordering::Release);
            inner.waker.clone()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        self.wake_waiting();
    }

    /// From now on only actors and insiders may send.
    pub(crate) fn close_to_outsiders(&self) {
        lock(&self.inner).closing = true;
        self.wake_waiting();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Wakes the actor's task.
    pub(crate) fn wake(&self) {
        let waker = lock(&self.inner).waker.clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ends the actor whatever its thread does, and whichever generation is the current one.
    pub(crate) fn kill(&self) {
        while self.ended().is_none() {
            self.end(&self.current_run(), Exit::Killed);
        }
    }

    /// The exit and the messages left unhandled, once the actor has ended.
    pub(crate) fn ended(&self) -> Option<(Exit, usize)> {
        let inner = lock(&self.inner);
        inner.exit.clone().map(|exit| (exit, inner.unhandled))
    }

    pub(crate) async fn wait_exited(&self) -> Exit {
        loop {
            let notified = self.bells().exited.notified();
            if let Some((exit, _)) = self.ended() {
                return exit;
            }
            notified.await;
        }
    }

    pub(crate) fn past(&self) -> Past {
        let inner = lock(&self.inner);
        Past {
            generation: inner.run.generation,
            restarts: inner.record.restarts,
            last_crash: inner.record.last_crash.clone(),
            quarantine: inner.quarantine.clone(),
        }
    }
}
