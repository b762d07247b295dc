//! The context of a supervised actor.

use crate::core::{Core, Next};
use crate::fence::{Fence, Holding, Run, leave};
use crate::handle::Handle;
use crate::panics::Failed;
use crate::pump::{Pump, Turn};
use crate::timer::{After, Every, TimerKey};
use actix::dev::{AsyncContextParts, ContextFut, ContextParts, Mailbox, MessageResponse};
use actix::fut::{ActorFuture, ActorFutureExt};
use actix::{Actor, ActorContext, ActorState, Addr, AsyncContext, Handler, Message, SpawnHandle};
use std::cell::Cell;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Every actor whose context is [`SupervisedContext`]; nothing to implement.
pub trait Supervised: Actor<Context = SupervisedContext<Self>> {}

impl<A: Actor<Context = SupervisedContext<A>>> Supervised for A {}

/// What an actor sees of its supervision. It lives as long as one generation.
///
/// Beside the methods here it is actix's [`AsyncContext`]: `spawn` runs a future within the generation,
/// and `wait` holds back *all* lanes until its future is done, which is how an actor loads its state in
/// `started`. actix's own mailbox is not used: `ctx.address().do_send(..)`, which would pass the bounds
/// by, does not compile.
pub struct SupervisedContext<A: Actor<Context = Self>> {
    parts: ContextParts<A>,
    core: Arc<Core<A>>,
    run: Arc<Run>,
    pub(crate) turn: Turn,
    /// Spawned futures that a drain waits for.
    pending: Option<Rc<Cell<usize>>>,
}

impl<A: Supervised> SupervisedContext<A> {
    /// A fresh generation around `actor`. A `ContextFut` is never restarted: it would set its spawn
    /// handles back to zero and keep the cancellations that were pending.
    pub(crate) fn wrap(
        actor: A,
        core: Arc<Core<A>>,
        run: Arc<Run>,
        turn: Turn,
    ) -> ContextFut<A, Self> {
        let mailbox = Mailbox::default();
        let mut parts = ContextParts::new(mailbox.sender_producer());
        parts.spawn(Pump::new());
        let ctx = Self {
            parts,
            core,
            run,
            turn,
            pending: None,
        };
        ContextFut::new(ctx, actor, mailbox)
    }

    /// Proof of this generation for effects outside of the actor.
    pub fn fence(&self) -> Fence {
        Fence::new(Arc::clone(&self.run))
    }

    /// The number of this generation.
    pub fn generation(&self) -> u64 {
        self.run.generation
    }

    /// The actor's own handle, for helpers that report back to it. It counts as a handle (an actor that
    /// keeps it never stops for want of handles) and as an insider (see [`Handle::insider`]).
    pub fn handle(&self) -> Handle<A> {
        Handle::new(Arc::clone(&self.core)).insider()
    }

    /// Runs `action` once, after `delay`, unless the generation ends before.
    pub fn after(
        &mut self,
        delay: Duration,
        action: impl FnOnce(&mut A, &mut Self) + 'static,
    ) -> TimerKey {
        let timer = self.parts.spawn(Guarded::free(After::new(delay, action)));
        TimerKey::new(self.run.generation, timer)
    }

    /// Runs `action` each `period` (at least a millisecond), first after one period. Ticks that a busy
    /// actor missed are not made up for.
    pub fn every(
        &mut self,
        period: Duration,
        action: impl FnMut(&mut A, &mut Self) + 'static,
    ) -> TimerKey {
        let timer = self.parts.spawn(Guarded::free(Every::new(period, action)));
        TimerKey::new(self.run.generation, timer)
    }

    /// Cancels a timer; false if it belongs to another generation, where it is dead anyway.
    pub fn cancel(&mut self, timer: TimerKey) -> bool {
        timer.generation == self.run.generation && self.parts.cancel_future(timer.handle)
    }

    /// Says something about the actor to whoever looks at the tree, in place of what was said before; `None`
    /// takes it back. It stays until another generation says something else. A few words, nothing secret.
    pub fn set_note(&self, note: Option<String>) {
        self.core.set_note(note.map(String::into_boxed_str));
    }

    /// Ends this generation at once as a panic would, with `reason` as the crash's message: the way to
    /// say that the actor cannot go on (its state did not load, its port broke an invariant).
    #[track_caller]
    pub fn fail(&mut self, reason: impl AsRef<str>) -> ! {
        resume_unwind(Box::new(Failed::new(reason.as_ref())))
    }

    pub(crate) fn core(&self) -> &Core<A> {
        &self.core
    }

    pub(crate) const fn run(&self) -> &Arc<Run> {
        &self.run
    }

    /// The next message for this generation.
    pub(crate) fn next(&mut self) -> Next<A> {
        self.core.next(&self.run, &mut self.turn)
    }

    pub(crate) fn is_fenced(&self) -> bool {
        self.run.is_fenced()
    }

    /// Whether a drain has nothing left to wait for.
    pub(crate) fn is_quiet(&self) -> bool {
        self.pending.as_ref().is_none_or(|count| count.get() == 0)
    }
}

impl<A: Supervised> ActorContext for SupervisedContext<A> {
    fn stop(&mut self) {
        self.parts.stop();
    }

    fn terminate(&mut self) {
        self.parts.terminate();
    }

    fn state(&self) -> ActorState {
        self.parts.state()
    }
}

impl<A: Supervised> AsyncContext<A> for SupervisedContext<A> {
    fn address(&self) -> Addr<A> {
        self.parts.address()
    }

    fn spawn<F>(&mut self, fut: F) -> SpawnHandle
    where
        F: ActorFuture<A, Output = ()> + 'static,
    {
        let pending = self.pending.get_or_insert_default();
        self.parts.spawn(Guarded::counted(fut, pending))
    }

    fn wait<F>(&mut self, fut: F)
    where
        F: ActorFuture<A, Output = ()> + 'static,
    {
        let holding = Holding::new(&self.run);
        let fut = fut.map(move |(), _, _| drop(holding));
        self.parts.wait(Guarded::free(fut));
    }

    fn waiting(&self) -> bool {
        self.parts.waiting()
    }

    fn cancel_future(&mut self, handle: SpawnHandle) -> bool {
        if self.core.is_stopping() {
            self.core.wake(); // the drain may have waited for just this future
        }
        self.parts.cancel_future(handle)
    }

    // Timers are no work to be finished: unlike actix's defaults these do not hold up a drain.

    fn run_later<F>(&mut self, dur: Duration, f: F) -> SpawnHandle
    where
        F: FnOnce(&mut A, &mut Self) + 'static,
    {
        self.after(dur, f).handle
    }

    fn run_interval<F>(&mut self, dur: Duration, f: F) -> SpawnHandle
    where
        F: FnMut(&mut A, &mut Self) + 'static,
    {
        self.every(dur, f).handle
    }

    fn notify_later<M>(&mut self, msg: M, after: Duration) -> SpawnHandle
    where
        A: Handler<M>,
        M: Message + 'static,
    {
        self.run_later(after, move |actor, ctx| {
            A::handle(actor, msg, ctx).handle(ctx, None);
        })
    }
}

impl<A: Supervised> AsyncContextParts<A> for SupervisedContext<A> {
    fn parts(&mut self) -> &mut ContextParts<A> {
        &mut self.parts
    }
}

pin_project_lite::pin_project! {
    /// Every timer, stream and future of a context: a fenced generation polls none of them again.
    struct Guarded<F> {
        #[pin]
        future: F,
        counted: Option<Counted>,
    }
}

impl<F> Guarded<F> {
    const fn free(future: F) -> Self {
        Self {
            future,
            counted: None,
        }
    }

    fn counted(future: F, pending: &Rc<Cell<usize>>) -> Self {
        Self {
            future,
            counted: Some(Counted::new(pending)),
        }
    }
}

impl<A: Supervised, F: ActorFuture<A>> ActorFuture<A> for Guarded<F> {
    type Output = F::Output;

    fn poll(
        self: Pin<&mut Self>,
        actor: &mut A,
        ctx: &mut A::Context,
        cx: &mut Context<'_>,
    ) -> Poll<F::Output> {
        if ctx.is_fenced() {
            leave();
        }
        let this = self.project();
        let polled = this.future.poll(actor, ctx, cx);
        if polled.is_ready() && this.counted.take().is_some() && ctx.core.is_stopping() {
            cx.waker().wake_by_ref(); // the pump decides whether the drain is over
        }
        polled
    }
}

/// One of the futures that a drain waits for.
struct Counted(Rc<Cell<usize>>);

impl Counted {
    fn new(pending: &Rc<Cell<usize>>) -> Self {
        pending.set(pending.get().saturating_add(1));
        Self(Rc::clone(pending))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}
