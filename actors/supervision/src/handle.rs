//! The stable, typed way to an actor.

use crate::answer::Serves;
use crate::context::Supervised;
use crate::core::Core;
use crate::fall::Fall;
use crate::lane::{Classified, Overflow};
use crate::node::Node;
use crate::outcome::{Exit, Failure, Reason, Rejected, Stop};
use crate::parcel::{Ask, Parcel};
use crate::poison::{DeadLetter, RedriveError};
use actix::ArbiterHandle;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time;

/// The longest deadline: no clock overflows by it, and nobody outlives it.
const FOREVER: Duration = Duration::from_hours(24 * 365 * 30);

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
        let admitted = match self.submit(message) {
            Err(refused) if refused.reason == Reason::Full => {
                self.wait_for_room(refused, |message| self.submit(message))
                    .await
            }
            done => done,
        };
        self.counted(admitted)
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
        let deadline = time::Instant::now() + deadline.min(FOREVER);
        let admitted = match self.submit_ask(message) {
            Err(refused) if refused.reason == Reason::Full => {
                let room = self.wait_for_room(refused, |message| self.submit_ask(message));
                match time::timeout_at(deadline, room).await {
                    Ok(admitted) => admitted,
                    Err(_elapsed) => return Err(Failure::Deadline),
                }
            }
            done => done,
        };
        match self.counted(admitted) {
            Ok(ask) => ask.until(deadline).await,
            Err(rejected) => Err(Failure::Rejected(rejected.reason)),
        }
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
        A: Serves<M>,
    {
        self.core.submit(message, self.insider, Parcel::cast)
    }

    fn submit_ask<M: Classified>(&self, message: M) -> Result<Ask<A, M>, Rejected<M>>
    where
        A: Serves<M>,
    {
        self.core.submit(message, self.insider, Parcel::ask)
    }

    /// A rejection counts once, however often the sender looked for room.
    fn counted<T, M>(&self, outcome: Result<T, Rejected<M>>) -> Result<T, Rejected<M>> {
        if outcome.is_err() {
            self.core.rejected.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }

    /// Submits again whenever a message was taken from the lane, as long as that allows.
    async fn wait_for_room<M: Classified, T>(
        &self,
        mut refused: Rejected<M>,
        submit: impl Fn(M) -> Result<T, Rejected<M>>,
    ) -> Result<T, Rejected<M>> {
        let Overflow::Wait(patience) = self.core.policy.lane(M::CLASS).overflow else {
            return Err(refused);
        };
        let deadline = time::Instant::now() + patience;
        loop {
            let mut room = pin!(self.core.bells().room(M::CLASS).notified());
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
