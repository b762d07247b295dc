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

/// What one poll of an actor may use up before its neighbours have a turn.
///
/// Both limits have to be small: a `LocalSet` looks at wakes from other threads only every 31 polls, so
/// a neighbour may wait for 31 turns. Every actor keeps one of these, so it is small as well.
pub(crate) struct Turn {
    /// [`clock::ticks`] from which on no further message is taken.
    until: u64,
    /// None are left either once the clock has been seen beyond `until`.
    messages_left: u32,
    /// A message was taken since the clock was read.
    is_stale: bool,
    /// More messages waited when the last one was taken.
    more: bool,
    /// The pump has been polled: `started` and what it waited for are over.
    pub(crate) pumped: bool,
}

impl Turn {
    /// The limits of a poll that begins now, in [`clock::ticks`].
    pub(crate) fn new(policy: &Policy, now: u64) -> Self {
        Self {
            until: clock::later(now, policy.slice),
            messages_left: policy.budget.max(1),
            is_stale: false,
            more: false,
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

    /// Looks at the clock, if that is going to be needed, before the lanes are locked.
    pub(crate) fn look_ahead(&mut self) {
        if self.more {
            self.look_at_the_clock();
        }
    }

    /// Whether the neighbours have a turn before the next message. There always is a first one.
    pub(crate) fn is_over(&mut self) -> bool {
        self.look_at_the_clock();
        self.messages_left == 0
    }

    /// A message was taken, and `more` of them wait.
    pub(crate) const fn took(&mut self, more: bool) {
        self.messages_left = self.messages_left.saturating_sub(1);
        self.more = more;
        self.is_stale = true;
    }

    /// At most once a message, and not after the last one, for a clock costs as much as a queue.
    fn look_at_the_clock(&mut self) {
        let useful = std::mem::take(&mut self.is_stale) && self.messages_left > 0;
        if useful && clock::now() >= self.until {
            self.messages_left = 0;
        }
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
            ctx.core().has_begun(ctx.run());
        }
        while !ctx.waiting() {
            match ctx.next() {
                Next::Handle(envelope) => faults::around(ctx, |ctx| envelope.run(actor, ctx)),
                Next::PutAway => {}
                Next::Later => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn turn(budget: u32, slice: Duration) -> Turn {
        let policy = Policy {
            budget,
            slice,
            ..Policy::default()
        };
        Turn::new(&policy, clock::now())
    }

    #[test]
    fn a_turn_ends_with_its_budget() {
        for (budget, messages) in [(0, 1), (1, 1), (5, 5)] {
            let mut turn = turn(budget, Duration::from_hours(1));
            for more in 0..messages {
                assert!(!turn.is_over(), "{more} of {messages}");
                turn.took(true);
                turn.look_ahead();
            }
            assert!(turn.is_over());
        }
    }

    #[test]
    fn a_turn_ends_with_its_slice_but_never_before_its_first_message() {
        for more in [false, true] {
            let mut turn = turn(16, Duration::ZERO);
            assert!(!turn.is_over());
            turn.took(more);
            turn.look_ahead();
            assert!(turn.is_over(), "found out in advance: {more}");
        }
    }

    #[test]
    fn the_next_poll_has_limits_of_its_own() {
        let mut turn = turn(1, Duration::from_hours(1));
        turn.pumped = true;
        turn.took(true);
        assert!(turn.is_over());
        turn.take_over(&self::turn(1, Duration::from_hours(1)));
        assert!(!turn.is_over() && turn.pumped);
    }
}
