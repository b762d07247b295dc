//! The task that supervises: it makes generations, polls them, and contains their falls.

use crate::child::Child;
use crate::clock;
use crate::context::{Supervised, SupervisedContext};
use crate::core::Core;
use crate::desk::Polling;
use crate::fall::{Cause, Fall};
use crate::faults;
use crate::fence::{Entered, FencedOut, Run};
use crate::life::Orders;
use crate::outcome::{Exit, Stop};
use crate::panics::{self, Account};
use crate::pump::Turn;
use crate::spec::Restart;
use actix::ActorContext;
use actix::dev::ContextFut;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use tokio::time::{Sleep, sleep, sleep_until};

/// One a child and arbiter. It runs the generations that follow each other on this arbiter, until the
/// actor ends or moves away.
pub(crate) struct Supervisor<A: Supervised> {
    core: Arc<Core<A>>,
    run: Arc<Run>,
    generation: Option<ContextFut<A, SupervisedContext<A>>>,
    /// None while the actor is in service.
    timers: Option<Box<Timers>>,
}

#[derive(Default)]
struct Timers {
    backoff: Option<Pin<Box<Sleep>>>,
    drain_deadline: Option<Pin<Box<Sleep>>>,
}

/// What the task does after a step.
enum Step {
    Again,
    Sleep,
    Done,
}

impl<A: Supervised> Future for Supervisor<A> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            match this.step(cx) {
                Step::Again => {}
                Step::Sleep => return Poll::Pending,
                Step::Done => return Poll::Ready(()),
            }
        }
    }
}

impl<A: Supervised> Supervisor<A> {
    fn step(&mut self, cx: &mut Context<'_>) -> Step {
        if self.goes_on() {
            return self.poll_generation(cx);
        }
        let orders = self.core.orders(&self.run, cx.waker());
        if orders.fenced {
            self.discard();
            return Step::Done;
        }
        match orders.stop {
            Some(Stop::Now) => return self.finish(Exit::Killed),
            Some(Stop::Drain) if self.drain_is_overdue(cx) => return self.finish(Exit::Killed),
            // Between two generations, with nothing queued: there is nothing to make one for.
            Some(Stop::Drain) if self.generation.is_none() && orders.queue_empty => {
                return self.finish(Exit::Normal);
            }
            Some(Stop::Drain) => self.forget_backoff(),
            None if self.is_backing_off(&orders, cx) => return Step::Sleep,
            None => {}
        }
        self.poll_generation(cx)
    }

    /// Whether there are no orders but to poll the generation, whose waker the core has had since the
    /// orders by which it was made.
    fn goes_on(&self) -> bool {
        self.generation.is_some() && !self.core.is_stopping() && !self.run.is_fenced()
    }

    /// Polls the generation, made first if need be, and judges how that ended.
    fn poll_generation(&mut self, cx: &mut Context<'_>) -> Step {
        let now = clock::now();
        let polled = {
            let (core, run, generation) = (&self.core, &self.run, &mut self.generation);
            let _entered = Entered::new(run);
            let _polling = Polling::new(run, now);
            panics::forget_place();
            catch_unwind(AssertUnwindSafe(|| {
                let turn = Turn::new(&core.policy, now);
                let Some(generation) = generation_or_new(generation, core, run, turn) else {
                    return Poll::Pending; // fenced meanwhile: the next step sees it
                };
                Pin::new(generation).poll(cx)
            }))
        };
        match polled {
            Ok(Poll::Pending) if self.run.is_fenced() => Step::Again,
            Ok(Poll::Pending) => Step::Sleep,
            Ok(Poll::Ready(())) if self.may_end() => self.finish(Exit::Normal),
            Ok(Poll::Ready(())) => self.fall(&Fall::self_stop()),
            Err(payload) if payload.is::<FencedOut>() => Step::Again,
            Err(payload) => self.unwound(payload),
        }
    }

    fn unwound(&mut self, payload: Box<dyn Any + Send>) -> Step {
        let Account { text, location } = panics::account(payload);
        let (during, was_stopping) = match &mut self.generation {
            None => ("the factory", false),
            Some(generation) => {
                let ctx = generation.ctx();
                let during = if ctx.turn.pumped {
                    "a timer or future"
                } else {
                    "started"
                };
                (during, ctx.state().stopping())
            }
        };
        if was_stopping && self.may_end() {
            return self.finish(Exit::PanickedWhileStopping(text));
        }
        self.fall(&Fall {
            cause: Cause::Crash,
            why: text,
            location,
            during,
        })
    }

    /// The death is on record before anything is dropped: whoever loses an answer now can read why.
    fn fall(&mut self, fall: &Fall) -> Step {
        let next = self.core.fall(&self.run, fall);
        if let Some(next) = &next {
            // Before the old value is dropped: should that block, the watchdog finds who has to move.
            next.settle_after(&self.run);
        }
        self.discard();
        match next {
            Some(run) => {
                self.run = run;
                // Each run has a pause of its own; one that has elapsed holds up nobody.
                self.forget_backoff();
                Step::Again
            }
            None => Step::Done,
        }
    }

    fn finish(&mut self, exit: Exit) -> Step {
        self.core.end(&self.run, exit);
        self.discard();
        Step::Done
    }

    /// Whether an orderly end of a generation is the end of the actor.
    fn may_end(&self) -> bool {
        self.core.policy.restart != Restart::Permanent || self.core.is_stopping()
    }

    fn is_backing_off(&mut self, orders: &Orders, cx: &mut Context<'_>) -> bool {
        let Some(due) = orders.restart_due else {
            self.timers = None;
            return false;
        };
        let timers = self.timers.get_or_insert_default();
        let sleep = timers
            .backoff
            .get_or_insert_with(|| Box::pin(sleep_until(due)));
        sleep.as_mut().poll(cx).is_pending()
    }

    fn forget_backoff(&mut self) {
        if let Some(timers) = &mut self.timers {
            timers.backoff = None;
        }
    }

    fn drain_is_overdue(&mut self, cx: &mut Context<'_>) -> bool {
        let deadline = self.core.policy.stop_deadline;
        let timers = self.timers.get_or_insert_default();
        let sleep = timers
            .drain_deadline
            .get_or_insert_with(|| Box::pin(sleep(deadline)));
        sleep.as_mut().poll(cx).is_ready()
    }

    /// Drops a generation without `stopping` and `stopped`: terminated first, or the drop of its
    /// `ContextFut` would poll it again.
    fn discard(&mut self) {
        let Some(mut generation) = self.generation.take() else {
            return;
        };
        let _entered = Entered::new(&self.run);
        let _polling = Polling::new(&self.run, clock::now());
        panics::contained("generation", move || {
            generation.ctx().terminate();
            drop(generation);
        });
    }
}

fn generation_or_new<'a, A: Supervised>(
    generation: &'a mut Option<ContextFut<A, SupervisedContext<A>>>,
    core: &Arc<Core<A>>,
    run: &Arc<Run>,
    turn: Turn,
) -> Option<&'a mut ContextFut<A, SupervisedContext<A>>> {
    if let Some(generation) = generation {
        generation.ctx().turn.take_over(&turn);
    } else {
        let actor = core.begin(run)?(run.generation);
        let context = SupervisedContext::wrap(actor, Arc::clone(core), Arc::clone(run), turn);
        *generation = Some(context);
        faults::before_started(core, run.generation);
    }
    generation.as_mut()
}

/// The arbiter stopped under the actor, draining nothing. No asker may hang.
impl<A: Supervised> Drop for Supervisor<A> {
    fn drop(&mut self) {
        if !self.run.is_fenced() {
            self.core.end(&self.run, Exit::ArbiterStopped);
        }
        self.discard();
        self.run.leave();
    }
}

/// A supervisor on its way to its arbiter. If the arbiter stops before it takes it, the actor ends.
///
/// Until a thread has taken it, or has thrown it away, it stands in the roster under its ticket.
pub(crate) struct Launch<A: Supervised> {
    core: Arc<Core<A>>,
    run: Arc<Run>,
    ticket: u64,
    taken: bool,
}

impl<A: Supervised> Launch<A> {
    pub(crate) fn new(core: Arc<Core<A>>, run: Arc<Run>) -> Self {
        let ticket = core.settings.roster.launches.add(&run, child(&core));
        Self {
            core,
            run,
            ticket,
            taken: false,
        }
    }

    /// Called on the arbiter.
    pub(crate) fn go(mut self) {
        self.taken = true;
        let (core, run) = (Arc::clone(&self.core), Arc::clone(&self.run));
        run.settle(&core.settings.roster, child(&core));
        drop(actix::spawn(Supervisor {
            core,
            run,
            generation: None,
            timers: None,
        }));
    }
}

impl<A: Supervised> Drop for Launch<A> {
    fn drop(&mut self) {
        self.core.settings.roster.launches.remove(self.ticket);
        if !self.taken {
            self.core.end(&self.run, Exit::ArbiterStopped);
        }
    }
}

fn child<A: Supervised>(core: &Arc<Core<A>>) -> Weak<dyn Child> {
    Arc::downgrade(core) as Weak<dyn Child>
}
