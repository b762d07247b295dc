//! A message on its way, and the answer on its way back.

use crate::context::{Supervised, SupervisedContext};
use crate::fence::Run;
use crate::lane::{Class, Classified};
use crate::lock::lock;
use crate::outcome::Failure;
use crate::panics;
use crate::poison::{DeadLetter, Key};
use actix::dev::{MessageResponse, OneshotSender};
use actix::{Actor, Handler, Message};
use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::sync::oneshot;

/// A pending answer. Dropping it before the message's turn takes the message back.
///
/// It has no deadline of its own; [`crate::Handle::ask`] has.
pub struct Ask<A: Supervised, M: Message> {
    parcel: Arc<Parcel<M>>,
    reply: oneshot::Receiver<M::Result>,
    of: PhantomData<fn(A)>,
}

impl<A: Supervised, M: Message> Ask<A, M> {
    pub(crate) const fn new(parcel: Arc<Parcel<M>>, reply: oneshot::Receiver<M::Result>) -> Self {
        Self {
            parcel,
            reply,
            of: PhantomData,
        }
    }

    /// Why the answer will not come. One that was pending in a future of the actor died with the
    /// generation that had taken the message.
    fn failure(&self) -> Failure {
        let slot = lock(&self.parcel.slot);
        let died = || slot.taken_by.as_ref()?.death();
        slot.failure
            .clone()
            .or_else(died)
            .unwrap_or(Failure::NoReply)
    }
}

impl<A: Supervised, M: Message> Future for Ask<A, M> {
    type Output = Result<M::Result, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.reply).poll(cx));
        Poll::Ready(answer.map_err(|_closed| self.failure()))
    }
}

impl<A: Supervised, M: Message> fmt::Debug for Ask<A, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask")
            .field("message", &type_name::<M>())
            .finish_non_exhaustive()
    }
}

/// Shared by the queue, the generation that handles it, and the asker. The reply sender stays in here
/// while the handler runs, so that the watchdog can fail the ask while the handler still blocks.
pub(crate) struct Parcel<M: Message> {
    slot: Mutex<Slot<M>>,
    digest: u64,
    queued_at: Instant,
}

struct Slot<M: Message> {
    message: Option<M>,
    reply: Option<OneshotSender<M::Result>>,
    taken_by: Option<Arc<Run>>,
    failure: Option<Failure>,
}

impl<M: Message> Parcel<M> {
    pub(crate) fn new(
        message: M,
        reply: Option<OneshotSender<M::Result>>,
        digest: u64,
        queued_at: Instant,
    ) -> Arc<Self> {
        let slot = Slot {
            message: Some(message),
            reply,
            taken_by: None,
            failure: None,
        };
        Arc::new(Self {
            slot: Mutex::new(slot),
            digest,
            queued_at,
        })
    }

    /// The message, unless it was failed or its asker has gone.
    fn open(&self, run: &Arc<Run>) -> Option<M> {
        let (message, wanted) = {
            let mut slot = lock(&self.slot);
            slot.taken_by = Some(Arc::clone(run));
            slot.empty()
        };
        message.filter(|_| wanted)
    }
}

impl<M: Message> Slot<M> {
    /// Takes the message out, and tells whether anybody still wants it handled.
    fn empty(&mut self) -> (Option<M>, bool) {
        let wanted = self.reply.as_ref().is_none_or(|reply| !reply.is_closed());
        (self.message.take(), wanted)
    }
}

/// A parcel as its actor sees it.
pub(crate) trait Envelope<A: Actor>: Send + Sync {
    fn key(&self) -> Key;
    fn queued_at(&self) -> Instant;
    /// Gives the message to its handler and arranges for the answer.
    fn run(&self, actor: &mut A, ctx: &mut A::Context);
    /// Takes the message out of the world and tells its asker why. A panic in the message's own `Drop`
    /// goes no further: it must not keep others from being told.
    fn fail(&self, why: Failure);
    /// Tells the message that it becomes a dead letter, and gives it out to be kept; its asker is still
    /// to be told. A message that nobody wants any more is dropped instead.
    fn put_away(&self, letter: &DeadLetter) -> Option<Box<dyn Dormant<A>>>;
}

/// The message of a dead letter.
pub(crate) trait Dormant<A: Actor>: Send {
    fn class(&self) -> Class;
    /// Makes a parcel of it that has no asker. Runs no code of the message.
    fn wake(self: Box<Self>, queued_at: Instant) -> Arc<dyn Envelope<A>>;
}

struct Asleep<M> {
    message: M,
    digest: u64,
}

impl<A: Supervised + Handler<M>, M: Classified> Dormant<A> for Asleep<M> {
    fn class(&self) -> Class {
        M::CLASS
    }

    fn wake(self: Box<Self>, queued_at: Instant) -> Arc<dyn Envelope<A>> {
        Parcel::new(self.message, None, self.digest, queued_at)
    }
}

impl<A: Supervised + Handler<M>, M: Classified> Envelope<A> for Parcel<M> {
    fn key(&self) -> Key {
        Key {
            message: type_name::<M>(),
            digest: self.digest,
        }
    }

    fn queued_at(&self) -> Instant {
        self.queued_at
    }

    fn run(&self, actor: &mut A, ctx: &mut SupervisedContext<A>) {
        let Some(message) = self.open(ctx.run()) else {
            return;
        };
        let response = A::handle(actor, message, ctx);
        if ctx.is_fenced() {
            return; // the answer of a dead generation is neither spawned nor sent
        }
        let reply = lock(&self.slot).reply.take();
        response.handle(ctx, reply);
    }

    fn fail(&self, why: Failure) {
        let (message, reply) = {
            let mut slot = lock(&self.slot);
            slot.failure.get_or_insert(why);
            (slot.message.take(), slot.reply.take())
        };
        // Outside of the lock, for both may run code of others: the message's `Drop`, the asker's waker.
        panics::contained("reply", move || drop(reply));
        panics::contained("message", move || drop(message));
    }

    fn put_away(&self, letter: &DeadLetter) -> Option<Box<dyn Dormant<A>>> {
        let (message, wanted) = lock(&self.slot).empty();
        let mut message = message?;
        if !wanted {
            panics::contained("message", move || drop(message));
            return None;
        }
        panics::contained("quarantined", || message.quarantined(letter));
        let digest = self.digest;
        Some(Box::new(Asleep { message, digest }))
    }
}
