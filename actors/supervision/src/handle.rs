//! The stable, typed way to an actor.

use crate::answer::Serves;
use crate::context::Supervised;
use crate::core::Core;
use crate::fall::Fall;
use crate::lane::{Classified, Overflow};
use crate::node::Node;
use crate::outcome::{Exit, Failure, Reason, Rejected, Stop};
use crate::parcel::Ask;
use crate::poison::{DeadLetter, RedriveError};
use actix::{ArbiterHandle, Handler};
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time;

/// The way to an actor: the same before and after every restart and move.
///
/// When the last handle is dropped the actor drains and stops; the tree itself does not hold one.
pub struct Handle<A: Supervised> {
    core: Arc<Core<A>>,
    insider: bool,
}

impl<A: Supervised> Handle<A> {
    pub(crate) fn new(core: Arc<Core<A>>) -> Self {
        core.handles.fetch_add(1, Ordering::Relaxed);
        Self {
            core,
            insider: false,
        }
    }

    /// The actor's id in the tree.
    pub fn id(&self) -> &str {
        &self.core.id
    }

    /// Sends without waiting for room or for an answer.
    pub fn try_cast<M: Classified>(&self, message: M) -> Result<(), Rejected<M>>
    where
        A: Serves<M>,
    {
        self.counted(self.submit(message))
    }

    /// Sends, waiting for room as long as the lane allows ([`Overflow::Wait`]).
    pub async fn cast<M: Classified>(&self, message: M) -> Result<(), Rejected<M>>
    where
        A: Serves<M>,
    {
        self.counted(
            self.with_room(message, |message| self.submit(message))
                .await,
        )
    }

    /// Asks without waiting for room. The answer has no deadline of its own.
    pub fn try_ask<M: Classified>(&self, message: M) -> Result<Ask<A, M>, Rejected<M>>
    where
        A: Serves<M>,
    {
        self.counted(self.submit_ask(message))
    }

    /// Asks. Waiting for room, queueing and handling together have until `deadline`; a message whose
    /// asker has given up before its turn is not handled.
    pub async fn ask<M: Classified>(
        &self,
        message: M,
        deadline: Duration,
    ) -> Result<M::Result, Failure>
    where
        A: Serves<M>,
    {
        let answer = async {
            let admitted = self
                .with_room(message, |message| self.submit_ask(message))
                .await;
            match self.counted(admitted) {
                Ok(ask) => ask.await,
                Err(rejected) => Err(Failure::Rejected(rejected.reason)),
            }
        };
        time::timeout(deadline, answer)
            .await
            .unwrap_or(Err(Failure::Deadline))
    }

    /// Asks the actor to stop; [`Self::exited`] tells when it has.
    pub fn stop(&self, how: Stop) {
        self.core.request_stop(how);
    }

    /// Waits until the actor has ended, however it ends.
    pub async fn exited(&self) -> Exit {
        self.core.wait_exited().await
    }

    /// The actor's node, without children. Answers while the actor's arbiter is stuck.
    pub fn snapshot(&self) -> Node {
        self.core.node()
    }

    /// Messages that wait in the queue.
    pub fn depth(&self) -> usize {
        self.core.depth()
    }

    /// The newest messages that were quarantined, oldest first.
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.core.dead_letters()
    }

    /// Gives a dead letter's message another try: what it did is forgiven, and it is queued again at
    /// the end of its lane, if the lane takes it as any other message. It has no asker any more. Should
    /// it crash the actor again, that is its first crash, and the message is lost as any message is
    /// that was being handled.
    ///
    /// # Errors
    /// Whatever the error, the letter stays.
    pub fn redrive(&self, number: u64) -> Result<(), RedriveError> {
        self.core.redrive(number, self.insider)
    }

    /// Drops a dead letter and its message. What the message did is not forgiven.
    ///
    /// # Errors
    /// If there is no such letter.
    pub fn discard(&self, number: u64) -> Result<(), RedriveError> {
        self.core.discard(number)
    }

    /// A handle for a helper of this tree (a disk thread, a port's task): once the tree shuts down,
    /// only actors and insiders may still send, so that what is queued can be finished.
    #[must_use]
    pub fn insider(&self) -> Self {
        let mut insider = self.clone();
        insider.insider = true;
        insider
    }

    /// Rebuilds the actor on `arbiter`. Queue and handles stay; the old generation is fenced wherever
    /// it is, and what it was handling fails with [`Failure::Stalled`].
    pub fn move_to(&self, arbiter: &ArbiterHandle) {
        self.core
            .rebuild(&self.core.current_run(), arbiter, &Fall::planned_move());
    }

    fn submit<M: Classified>(&self, message: M) -> Result<(), Rejected<M>>
    where
        A: Handler<M>,
    {
        self.core.submit(message, None, self.insider).map(drop)
    }

    fn submit_ask<M: Classified>(&self, message: M) -> Result<Ask<A, M>, Rejected<M>>
    where
        A: Handler<M>,
    {
        let (reply, answer) = oneshot::channel();
        let parcel = self.core.submit(message, Some(reply), self.insider)?;
        Ok(Ask::new(parcel, answer))
    }

    /// A rejection counts once, however often the sender looked for room.
    fn counted<T, M>(&self, outcome: Result<T, Rejected<M>>) -> Result<T, Rejected<M>> {
        if outcome.is_err() {
            self.core.rejected.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }

    /// Submits, and while the lane is full submits again whenever a message was taken from it.
    async fn with_room<M: Classified, T>(
        &self,
        message: M,
        submit: impl Fn(M) -> Result<T, Rejected<M>>,
    ) -> Result<T, Rejected<M>> {
        let mut refused = match submit(message) {
            Err(rejected) if rejected.reason == Reason::Full => rejected,
            done => return done,
        };
        let Overflow::Wait(patience) = self.core.policy.lane(M::CLASS).overflow else {
            return Err(refused);
        };
        let deadline = time::Instant::now() + patience;
        loop {
            let mut room = pin!(self.core.room(M::CLASS).notified());
            room.as_mut().enable(); // before another look, so that no wake is lost
            refused = match submit(refused.message) {
                Err(rejected) if rejected.reason == Reason::Full => rejected,
                done => return done,
            };
            if time::timeout_at(deadline, room).await.is_err() {
                return Err(refused);
            }
        }
    }
}

impl<A: Supervised> Clone for Handle<A> {
    fn clone(&self) -> Self {
        let mut clone = Self::new(Arc::clone(&self.core));
        clone.insider = self.insider;
        clone
    }
}

impl<A: Supervised> Drop for Handle<A> {
    fn drop(&mut self) {
        if self.core.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.core.request_stop(Stop::Drain);
        }
    }
}

impl<A: Supervised> fmt::Debug for Handle<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
