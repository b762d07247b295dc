//! How a generation falls, and what follows: by the actor's own policy, or by its supervisor's order.

use crate::context::Supervised;
use crate::core::{Core, Inner, Rest};
use crate::fence::Run;
use crate::lock::lock;
use crate::node::Crash;
use crate::outcome::{Exit, Failure};
use crate::restart_policy::{Blame, Verdict};
use crate::strategy::Key;
use crate::supervisors::{Judgement, Report};
use crate::watchdog::janitor::set_aside;
use actix::ArbiterHandle;
use std::sync::Arc;
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
    /// Its supervisor restarts it because another child fell.
    Siblings,
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

    fn with_its_siblings() -> Self {
        Self::by_order(Cause::Siblings, "restarted with its siblings")
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
            Cause::Siblings => Failure::Restarted {
                message,
                generation,
            },
            Cause::SelfStop => Failure::Closed,
        }
    }

    /// Whether the reader of the tree is told of it.
    fn is_fault(&self) -> bool {
        matches!(self.cause, Cause::Crash | Cause::Stall)
    }
}

/// What a generation that is over leaves behind. Telling runs code of others: never under a lock.
pub(crate) struct Debris {
    /// The task of the generation must wake up to drop it.
    waker: Option<Waker>,
    tell: Box<dyn FnOnce() -> Remains + Send>,
}

/// What is to be dropped once everybody has been told.
pub(crate) type Remains = Box<dyn FnOnce() + Send>;

impl Debris {
    /// `tell` tells those who wait.
    pub(crate) fn new(
        waker: Option<Waker>,
        tell: impl FnOnce() -> Remains + Send + 'static,
    ) -> Self {
        let tell = Box::new(tell);
        Self { waker, tell }
    }

    /// Tells and drops all of it: here, unless this thread has a janitor.
    pub(crate) fn tell(self) {
        if let Some(debris) = set_aside(self) {
            let remains = debris.tell_those_who_wait();
            remains();
        }
    }

    /// Tells everybody before it drops anything.
    pub(crate) fn tell_all(all: Vec<Self>) {
        let here = all.into_iter().filter_map(set_aside);
        let remains: Vec<_> = here.map(Self::tell_those_who_wait).collect();
        for remains in remains {
            remains();
        }
    }

    /// Tells without dropping. A `Drop` that blocks must not keep anybody waiting.
    pub(crate) fn tell_those_who_wait(self) -> Remains {
        if let Some(waker) = self.waker {
            waker.wake();
        }
        (self.tell)()
    }
}

/// A generation that has been fenced off.
struct Fallen {
    debris: Debris,
    crash: Crash,
    blame: Blame,
}

impl<A: Supervised> Core<A> {
    /// Ends generation `run`, and gives the next one if it is to begin where this one fell. It is not if
    /// somebody else ended the generation first, if the actor is given up, or if its supervisor starts it
    /// in its turn.
    pub(crate) fn fall(&self, run: &Run, fall: &Fall) -> Option<Arc<Run>> {
        // One that is on its way out concerns nobody else any more.
        let judged = fall.cause != Cause::Move && !self.is_stopping();
        match self.supervised.get().filter(|_| judged) {
            Some(key) => self.fall_under(*key, run, fall),
            None => self.fall_alone(run, fall),
        }
    }

    fn fall_alone(&self, run: &Run, fall: &Fall) -> Option<Arc<Run>> {
        let (Fallen { debris, crash, .. }, next) = {
            let mut inner = lock(&self.inner);
            let fallen = self.fence_off(&mut inner, run, fall)?;
            let next = self.successor(&mut inner, fall.cause, fallen.blame);
            (fallen, next)
        };
        debris.tell();
        if next.is_none() {
            let (actor, why) = (&*self.id, &crash.panic);
            tracing::error!(actor, handling = crash.message, why, "gave an actor up");
            self.end_by_order(Exit::GaveUp(crash.summary()));
        }
        next
    }

    /// The supervisor judges the fall under the same lock that it is recorded under.
    fn fall_under(&self, key: Key, run: &Run, fall: &Fall) -> Option<Arc<Run>> {
        let mut left = None;
        let judgement = self.settings.supervisors.judge(key, || {
            let mut inner = lock(&self.inner);
            let Fallen {
                debris,
                mut crash,
                blame,
            } = self.fence_off(&mut inner, run, fall)?;
            inner.rest = Rest::Fallen;
            left = Some(debris);
            crash.panic = format!("{}: {}", self.id, crash.panic);
            let pause = self.pause(&mut inner, fall.cause);
            Some(Report {
                pause,
                crash,
                blame,
            })
        });
        let next = match judgement {
            Judgement::Alone => return self.fall_alone(run, fall),
            Judgement::GoOn(pause) => self.go_on(pause),
            Judgement::Ordered => None,
        };
        if let Some(debris) = left {
            debris.tell();
        }
        next
    }

    /// Ends the present generation by its supervisor's order; queue and handles stay. One that is on its
    /// way out is left to that.
    pub(crate) fn cut(&self) -> Option<Debris> {
        let mut inner = lock(&self.inner);
        if inner.exit.is_some() || inner.stop.is_some() || inner.rest == Rest::New {
            return None;
        }
        let run = Arc::clone(&inner.run);
        let left = self.fence_off(&mut inner, &run, &Fall::with_its_siblings());
        inner.rest = Rest::Held;
        inner.restart_due = None;
        left.map(|fallen| fallen.debris)
    }

    /// Starts the first or the next generation by its supervisor's order; false if the actor has ended or
    /// needs no start.
    pub(crate) fn launch(self: &Arc<Self>, pause: Duration) -> bool {
        let (next, arbiter) = {
            let mut inner = lock(&self.inner);
            if inner.exit.is_some() || inner.rest == Rest::No {
                return false;
            }
            let next = if inner.rest == Rest::New {
                inner.rest = Rest::No;
                Arc::clone(&inner.run)
            } else {
                self.open_next(&mut inner, pause)
            };
            (next, inner.arbiter.clone())
        };
        self.start(next, &arbiter);
        true
    }

    /// Replaces generation `run` by one on another arbiter; its queue and its handles stay.
    pub(crate) fn rebuild(self: &Arc<Self>, run: &Run, arbiter: &ArbiterHandle, fall: &Fall) {
        {
            let mut inner = lock(&self.inner);
            if inner.run.generation == run.generation {
                inner.arbiter = arbiter.clone();
            }
        }
        if let Some(next) = self.fall(run, fall) {
            self.start(next, arbiter);
        }
    }

    /// Goes on after a fall, unless somebody has ended or held the actor meanwhile.
    fn go_on(&self, pause: Duration) -> Option<Arc<Run>> {
        let mut inner = lock(&self.inner);
        let goes_on = inner.exit.is_none() && inner.rest == Rest::Fallen;
        goes_on.then(|| self.open_next(&mut inner, pause))
    }

    /// Ends generation `run` and puts the fall on record. `None` if it had ended before.
    fn fence_off(&self, inner: &mut Inner<A>, run: &Run, fall: &Fall) -> Option<Fallen> {
        if run.is_fenced() {
            return None;
        }
        let current = inner.current.take();
        let crash = Crash {
            at_ms: (self.settings.clock)(),
            message: current
                .as_ref()
                .map_or(fall.during, |envelope| envelope.key().message),
            panic: fall.why.clone(),
            location: fall.location.clone(),
        };
        let failure = fall.failure(crash.message, run.generation);
        run.fence(failure.clone());
        let (mut blame, mut pushed_out) = (Blame::Actor, Vec::new());
        if fall.is_fault() {
            if let Some(envelope) = &current {
                pushed_out = inner.put_back(envelope, &crash, self.policy.dead_letters);
                let limit = self.policy.poison_after;
                blame = inner.quarantine.crashed(envelope.key(), &crash, limit);
            }
            inner.record.last_crash = Some(Box::new(crash.clone()));
        }
        let debris = Debris::new(inner.waker.take(), move || {
            if let Some(envelope) = current {
                envelope.fail(failure);
            }
            Box::new(move || drop(pushed_out))
        });
        Some(Fallen {
            debris,
            crash,
            blame,
        })
    }

    /// What follows a fall of an actor that has no supervisor.
    fn successor(&self, inner: &mut Inner<A>, cause: Cause, blame: Blame) -> Option<Arc<Run>> {
        if cause == Cause::Move {
            return Some(self.open(inner));
        }
        let since = self.origin.elapsed();
        let verdict = inner.falls.fell(&self.policy, self.seed, since, blame);
        match verdict {
            Verdict::RestartAfter(pause) => Some(self.open_next(inner, patience(cause, pause))),
            Verdict::GiveUp => None,
        }
    }

    /// The pause that the actor's own policy asks for.
    fn pause(&self, inner: &mut Inner<A>, cause: Cause) -> Duration {
        let since = self.origin.elapsed();
        patience(cause, inner.falls.pause(&self.policy, self.seed, since))
    }

    /// Makes the generation after a fall the current one, due after `pause`.
    fn open_next(&self, inner: &mut Inner<A>, pause: Duration) -> Arc<Run> {
        inner.record.restarts = inner.record.restarts.saturating_add(1);
        inner.restart_due = (!pause.is_zero()).then(|| time::Instant::now() + pause);
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let due_ms = || (self.settings.clock)().saturating_add(pause_ms);
        inner.record.next_restart_at_ms = inner.restart_due.map(|_| due_ms());
        self.open(inner)
    }

    fn open(&self, inner: &mut Inner<A>) -> Arc<Run> {
        let run = Run::new(Arc::clone(&self.id), inner.run.generation.saturating_add(1));
        inner.run = Arc::clone(&run);
        inner.idle = false;
        inner.rest = Rest::No;
        run
    }
}

/// A stalled actor has waited long enough.
const fn patience(cause: Cause, pause: Duration) -> Duration {
    match cause {
        Cause::Stall => Duration::ZERO,
        _ => pause,
    }
}
