//! The timers of a generation.

use crate::context::{Supervised, SupervisedContext};
use actix::SpawnHandle;
use actix::fut::ActorFuture;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// Names a timer of one generation. In another generation, whose actix handles count from the start
/// again, it cancels nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerKey {
    pub(crate) generation: u64,
    pub(crate) handle: SpawnHandle,
}

impl TimerKey {
    pub(crate) const fn new(generation: u64, handle: SpawnHandle) -> Self {
        Self { generation, handle }
    }
}

/// Runs its action once.
pub(crate) struct After<F> {
    sleep: Pin<Box<Sleep>>,
    action: Option<F>,
}

impl<F> After<F> {
    pub(crate) fn new(delay: Duration, action: F) -> Self {
        Self {
            sleep: Box::pin(sleep(delay)),
            action: Some(action),
        }
    }
}

/// The action is moved out or called by reference, never pinned.
impl<F> Unpin for After<F> {}

impl<A, F> ActorFuture<A> for After<F>
where
    A: Supervised,
    F: FnOnce(&mut A, &mut SupervisedContext<A>),
{
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        actor: &mut A,
        ctx: &mut A::Context,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        ready!(self.sleep.as_mut().poll(cx));
        if let Some(action) = self.action.take() {
            action(actor, ctx);
        }
        Poll::Ready(())
    }
}

/// Runs its action again and again.
pub(crate) struct Every<F> {
    sleep: Pin<Box<Sleep>>,
    period: Duration,
    action: F,
}

impl<F> Every<F> {
    pub(crate) fn new(period: Duration, action: F) -> Self {
        let period = period.max(Duration::from_millis(1));
        Self {
            sleep: Box::pin(sleep(period)),
            period,
            action,
        }
    }
}

/// As for [`After`].
impl<F> Unpin for Every<F> {}

impl<A, F> ActorFuture<A> for Every<F>
where
    A: Supervised,
    F: FnMut(&mut A, &mut SupervisedContext<A>),
{
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        actor: &mut A,
        ctx: &mut A::Context,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            (self.action)(actor, ctx);
            let next = next_tick(self.sleep.deadline(), self.period, Instant::now());
            self.sleep.as_mut().reset(next);
        }
    }
}

/// In step with `last`, unless that tick was missed.
fn next_tick(last: Instant, period: Duration, now: Instant) -> Instant {
    let next = last + period;
    if next > now { next } else { now + period }
}
