//! Takes messages from the lanes and gives them to the actor.

use crate::clock;
use crate::context::Supervised;
use crate::core::Next;
use crate::faults;
use crate::fence::leave;
use crate::lock::lock;
use crate::spec::Policy;
use actix::fut::ActorFuture;
use actix::{ActorContext, AsyncContext};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

/// What one poll of an actor may use up before its neighbours have a turn.
///
/// Both limits have to be small: a `LocalSet` looks at wakes from other threads only every 31 polls, so
/// a neighbour may wait for 31 turns.
pub(crate) struct Turn {
    messages_left: u32,
    now: Instant,
    until: Instant,
    /// The pump has been polled: `started` and what it waited for are over.
    pub(crate) pumped: bool,
}

impl Turn {
    pub(crate) fn new(policy: &Policy, now: Instant) -> Self {
        Self {
            messages_left: policy.budget.max(1),
            now,
            until: now + policy.slice,
            pumped: false,
        }
    }

    /// A new poll begins with the limits of `fresh`.
    pub(crate) fn take_over(&mut self, fresh: &Self) {
        *self = Self {
            pumped: self.pumped,
            ..*fresh
        };
    }

    fn is_over(&self) -> bool {
        self.messages_left == 0 || self.now >= self.until
    }
}

/// The first item of every context.
pub(crate) struct Pump<A>(PhantomData<fn(A)>);

impl<A> Pump<A> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<A: Supervised> ActorFuture<A> for Pump<A> {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        actor: &mut A,
        ctx: &mut A::Context,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if !std::mem::replace(&mut ctx.turn.pumped, true) {
            ctx.core().has_begun();
        }
        while !ctx.waiting() {
            if ctx.turn.is_over() {
                cx.waker().wake_by_ref();
                break;
            }
            match ctx.core().next(ctx.run(), ctx.turn.now) {
                Next::Handle(envelope) => {
                    ctx.turn.messages_left = ctx.turn.messages_left.saturating_sub(1);
                    faults::around(ctx, |ctx| envelope.run(actor, ctx));
                    ctx.turn.now = clock::monotonic();
                }
                Next::PutAway => {
                    ctx.turn.messages_left = ctx.turn.messages_left.saturating_sub(1);
                    ctx.turn.now = clock::monotonic();
                }
                // Ready, not pending: after `Running::Continue` a pending pump would spin.
                Next::Drained if ctx.is_quiet() => {
                    ctx.stop();
                    return Poll::Ready(());
                }
                Next::Idle | Next::Drained => return Poll::Pending,
                Next::Fenced => leave(),
            }
        }
        rest::<A>(ctx);
        Poll::Pending
    }
}

/// No message is being handled any more.
fn rest<A: Supervised>(ctx: &A::Context) {
    let mut inner = lock(&ctx.core().inner);
    if ctx.is_fenced() {
        drop(inner);
        leave(); // asked under the lock: `current` may be the next generation's
    }
    inner.current = None;
}
