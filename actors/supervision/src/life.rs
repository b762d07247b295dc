//! Generations begin; in the end the actor ends. How they fall and follow each other is in `fall`.

use crate::child::Child;
use crate::context::Supervised;
use crate::core::{Core, Factory, Inner, Past, Rest, Settings};
use crate::fall::{Debris, Remains};
use crate::fence::Run;
use crate::lock::lock;
use crate::outcome::{Exit, Failure, Stop};
use crate::panics;
use crate::parcel::Envelope;
use crate::restart_policy::seed_of;
use crate::spec::{Restart, Spec};
use crate::strategy::Key;
use crate::supervisor::Launch;
use actix::ArbiterHandle;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::Waker;
use std::time::Duration;
use tokio::time;

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
        arbiter: &ArbiterHandle,
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
            supervised: OnceLock::new(),
            bells: OnceLock::new(),
            inner: Mutex::new(Inner::new(
                run,
                &spec.policy,
                factory,
                past,
                arbiter.clone(),
            )),
        })
    }

    /// Lets the actor begin, for the first time, under the supervisor `over` if that still judges anybody.
    pub(crate) fn begin_under(self: &Arc<Self>, over: Key, restart: Restart) {
        lock(&self.inner).rest = Rest::New;
        let child: Arc<dyn Child> = Arc::clone(self) as Arc<dyn Child>;
        let supervisors = &self.settings.supervisors;
        let placed = supervisors.place(over, restart, &child, |key| {
            let _first: Result<(), Key> = self.supervised.set(key);
        });
        match placed {
            // Whoever ended it before it had a place has told nobody.
            Some(key) if self.ended().is_some() => supervisors.ended(key),
            Some(_) => {}
            None => {
                self.launch(Duration::ZERO);
            }
        }
    }

    /// Lets the current generation begin on `arbiter`.
    pub(crate) fn start(self: &Arc<Self>, run: Arc<Run>, arbiter: &ArbiterHandle) {
        let sent = Arc::clone(&run);
        let launch = Launch::new(Arc::clone(self), run);
        // A launch that no arbiter takes ends the actor when it is dropped.
        let _taken: bool = arbiter.spawn_fn(move || launch.go());
        sent.launched();
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

    /// `started`, and what it waited for, are over: whoever was to start after this one may.
    pub(crate) fn has_begun(&self, run: &Run) {
        if let Some(key) = self.supervised.get() {
            self.settings.supervisors.began(*key, run);
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

    /// Ends the actor if `run` still is its life: neither a replaced generation nor one that has been
    /// fenced, to be followed by another, may end it.
    pub(crate) fn end(&self, run: &Run, exit: Exit) {
        if let Some(debris) = self.take_down(Some(run), exit) {
            debris.tell();
        }
    }

    /// Ends the actor whatever its thread does, and whichever generation is the current one.
    pub(crate) fn end_by_order(&self, exit: Exit) {
        if let Some(debris) = self.take_down(None, exit) {
            debris.tell();
        }
    }

    /// Ends the actor, by its generation `by` or by somebody's order. Leaves it to the caller to tell those
    /// who wait.
    pub(crate) fn take_down(&self, by: Option<&Run>, exit: Exit) -> Option<Debris> {
        let debris = {
            let mut inner = lock(&self.inner);
            let is_its_life =
                |run: &Run| !run.is_fenced() && run.generation == inner.run.generation;
            if inner.exit.is_some() || !by.is_none_or(is_its_life) {
                return None;
            }
            inner.exit = Some(Box::new(exit.clone()));
            inner.run.fence(Failure::Closed);
            inner.rest = Rest::No;
            inner.restart_due = None;
            inner.record.next_restart_at_ms = None;
            let (waker, factory) = (inner.waker.take(), inner.factory.take());
            let current = inner.current.take();
            let queued = inner.lanes.take_all();
            inner.unhandled = queued.len();
            let doomed = queued.into_iter().chain(current).collect();
            Debris::new(waker, move || bury(doomed, factory))
        };
        if let Some(key) = self.supervised.get() {
            self.settings.supervisors.ended(*key);
        }
        self.settings.witness.ended(&self.id, exit);
        self.wake_waiting();
        if let Some(bells) = self.bells.get() {
            bells.exited.notify_waiters();
        }
        Some(debris)
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
            let is_done = inner.stop == Some(Stop::Now) || inner.lanes.is_empty();
            match (inner.rest, is_done) {
                (Rest::No, _) => Some(inner.waker.clone()),
                (_, true) => None,
                (_, false) => {
                    drop(inner);
                    return self.drain_out_of_turn();
                }
            }
        };
        match waker {
            Some(waker) => drop(waker.map(Waker::wake)),
            // Without a task that would see the order.
            None => self.end_by_order(how.exit()),
        }
        self.wake_waiting();
    }

    /// It waits for its turn, with messages in its queue: they are not to wait until the deadline has
    /// passed. It leaves its supervisor and begins.
    fn drain_out_of_turn(&self) {
        if let Some(key) = self.supervised.get() {
            self.settings.supervisors.leave(*key);
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

    /// The exit and the messages left unhandled, once the actor has ended.
    pub(crate) fn ended(&self) -> Option<(Exit, usize)> {
        let inner = lock(&self.inner);
        let exit = inner.exit.as_deref()?;
        Some((exit.clone(), inner.unhandled))
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
            quarantine: inner.quarantine.memory(),
        }
    }
}

/// Tells the askers of an actor that has ended, and leaves it to the caller to drop their messages.
fn bury<A: Supervised>(doomed: Vec<Arc<dyn Envelope<A>>>, factory: Option<Factory<A>>) -> Remains {
    for envelope in &doomed {
        envelope.tell(Failure::Closed);
    }
    Box::new(move || {
        for envelope in doomed {
            envelope.fail(Failure::Closed);
        }
        panics::contained("factory", move || drop(factory));
    })
}
