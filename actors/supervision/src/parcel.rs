//! A message on its way, and the answer on its way back.

use crate::answer::{Contained, Serves};
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
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::time;

/// A pending answer. Dropping it before the message's turn takes the message back.
///
/// It has no deadline of its own; [`crate::Handle::ask`] has.
pub struct Ask<A: Supervised, M: Message> {
    parcel: Arc<Parcel<M>>,
    reply: oneshot::Receiver<M::Result>,
    /// The asker has given way once: see [`Self::give_way`].
    yielded: bool,
    of: PhantomData<fn(A)>,
}

impl<A: Supervised, M: Message> Ask<A, M> {
    const fn new(parcel: Arc<Parcel<M>>, reply: oneshot::Receiver<M::Result>) -> Self {
        Self {
            parcel,
            reply,
            yielded: false,
            of: PhantomData,
        }
    }

    /// The answer, if it comes by `deadline`. A timer costs as much as all the rest of an ask, so it is
    /// made only if the asker has given way in vain.
    pub(crate) async fn until(mut self, deadline: time::Instant) -> Result<M::Result, Failure> {
        poll_fn(|cx| self.give_way(cx)).await;
        match self.reply.try_recv() {
            Ok(answer) => return Ok(answer),
            Err(TryRecvError::Closed) => return Err(self.failure()),
            Err(TryRecvError::Empty) => {}
        }
        time::timeout_at(deadline, self)
            .await
            .unwrap_or(Err(Failure::Deadline))
    }

    /// Ready once there is an answer, or once the asker has let others have their turn: who shares the
    /// actor's thread mostly finds the answer when it is its own again, and has been spared the
    /// registration of a waker, and of a timer.
    fn give_way(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.yielded || !self.reply.is_empty() {
            return Poll::Ready(());
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
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
        ready!(self.give_way(cx));
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
    /// Known for samples alone.
    queued_at: Option<Instant>,
}

struct Slot<M: Message> {
    message: Option<M>,
    reply: Option<OneshotSender<M::Result>>,
    taken_by: Option<Arc<Run>>,
    failure: Option<Failure>,
    redriven: Option<Box<Redriven<M>>>,
}

/// A dead letter that is tried again.
struct Redriven<M> {
    record: DeadLetter,
    /// What becomes a dead letter again if the message crashes its actor.
    copy: Option<M>,
}

/// A message made ready for its lane.
pub(crate) struct Packed<A: Actor, T> {
    pub(crate) envelope: Arc<dyn Envelope<A>>,
    /// What its sender keeps.
    pub(crate) kept: T,
}

/// What came out of a parcel.
struct Opened<M> {
    message: M,
    asked: bool,
    /// It is a dead letter that is tried again.
    redriven: bool,
}

impl<M: Classified> Parcel<M> {
    /// Packs a message that nobody waits for.
    pub(crate) fn cast<A: Serves<M>>(
        message: M,
        digest: u64,
        queued_at: Option<Instant>,
    ) -> Packed<A, ()> {
        Packed {
            envelope: Self::new(message, None, digest, queued_at),
            kept: (),
        }
    }

    /// Packs a message that somebody waits for.
    pub(crate) fn ask<A: Serves<M>>(
        message: M,
        digest: u64,
        queued_at: Option<Instant>,
    ) -> Packed<A, Ask<A, M>> {
        let (reply, answer) = oneshot::channel();
        let parcel = Self::new(message, Some(reply), digest, queued_at);
        let envelope = Arc::clone(&parcel);
        Packed {
            envelope,
            kept: Ask::new(parcel, answer),
        }
    }

    fn new(
        message: M,
        reply: Option<OneshotSender<M::Result>>,
        digest: u64,
        queued_at: Option<Instant>,
    ) -> Arc<Self> {
        let slot = Slot {
            message: Some(message),
            reply,
            taken_by: None,
            failure: None,
            redriven: None,
        };
        Arc::new(Self {
            slot: Mutex::new(slot),
            digest,
            queued_at,
        })
    }

    /// The message, unless it was failed or its asker has gone. `debtor` is the generation that may owe the
    /// answer for longer than its handler runs, if it may.
    fn open(&self, debtor: Option<&Arc<Run>>) -> Option<Opened<M>> {
        let (message, wanted, asked, redriven) = {
            let mut slot = lock(&self.slot);
            let (message, wanted) = slot.empty();
            let asked = slot.reply.is_some();
            if asked {
                slot.taken_by = debtor.map(Arc::clone);
            }
            (message, wanted, asked, slot.redriven.is_some())
        };
        let message = message.filter(|_| wanted)?;
        Some(Opened {
            message,
            asked,
            redriven,
        })
    }

    /// For a dead letter that is tried again; outside of the lock, for `again` is the message's own code.
    fn keep_a_copy(&self, message: &M) {
        let copy = message.again();
        if let Some(redriven) = &mut lock(&self.slot).redriven {
            redriven.copy = copy;
        }
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
    /// When it was queued, if it is a sample.
    fn queued_at(&self) -> Option<Instant>;
    /// Gives the message to its handler and arranges for the answer.
    fn run(&self, actor: &mut A, ctx: &mut A::Context);
    /// Takes the message out of the world and tells its asker why. A panic in the message's own `Drop`
    /// goes no further: it must not keep others from being told.
    fn fail(&self, why: Failure);
    /// What becomes a dead letter again, if this was one and has crashed its actor.
    fn relapse(&self) -> Option<(DeadLetter, Box<dyn Dormant<A>>)>;
    /// Only tells the asker why; the message has yet to be taken out, by [`Self::fail`].
    fn tell(&self, why: Failure);
    /// Tells the message that it becomes a dead letter, and gives it out to be kept; its asker is still
    /// to be told. A message that nobody wants any more is dropped instead.
    fn put_away(&self, letter: &DeadLetter) -> Option<Box<dyn Dormant<A>>>;
}

/// The message of a dead letter.
pub(crate) trait Dormant<A: Actor>: Send {
    fn class(&self) -> Class;
    /// Makes a parcel of it, the message of `letter`, that has no asker. Runs no code of the message.
    fn wake(
        self: Box<Self>,
        letter: DeadLetter,
        queued_at: Option<Instant>,
    ) -> Arc<dyn Envelope<A>>;
}

struct Asleep<M> {
    message: M,
    digest: u64,
}

impl<A: Serves<M>, M: Classified> Dormant<A> for Asleep<M> {
    fn class(&self) -> Class {
        M::CLASS
    }

    fn wake(
        self: Box<Self>,
        record: DeadLetter,
        queued_at: Option<Instant>,
    ) -> Arc<dyn Envelope<A>> {
        let parcel = Parcel::new(self.message, None, self.digest, queued_at);
        let copy = None;
        lock(&parcel.slot).redriven = Some(Box::new(Redriven { record, copy }));
        parcel
    }
}

impl<A: Serves<M>, M: Classified> Envelope<A> for Parcel<M> {
    fn key(&self) -> Key {
        Key {
            message: type_name::<M>(),
            digest: self.digest,
        }
    }

    fn queued_at(&self) -> Option<Instant> {
        self.queued_at
    }

    fn run(&self, actor: &mut A, ctx: &mut SupervisedContext<A>) {
        let debtor = (!<A as Handler<M>>::Result::AT_ONCE).then(|| ctx.run());
        let Some(Opened {
            message,
            asked,
            redriven,
        }) = self.open(debtor)
        else {
            return;
        };
        if redriven {
            self.keep_a_copy(&message);
        }
        let response = A::handle(actor, message, ctx);
        if ctx.is_fenced() {
            return; // the answer of a dead generation is neither spawned nor sent
        }
        let reply = if asked {
            lock(&self.slot).reply.take()
        } else {
            None
        };
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

    fn relapse(&self) -> Option<(DeadLetter, Box<dyn Dormant<A>>)> {
        let mut slot = lock(&self.slot);
        let Redriven { record, copy } = *slot.redriven.take()?;
        let untouched = || slot.message.take();
        let (message, digest) = (copy.or_else(untouched)?, self.digest);
        Some((record, Box::new(Asleep { message, digest })))
    }

    fn tell(&self, why: Failure) {
        let reply = {
            let mut slot = lock(&self.slot);
            slot.failure.get_or_insert(why);
            slot.reply.take()
        };
        panics::contained("reply", move || drop(reply));
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
