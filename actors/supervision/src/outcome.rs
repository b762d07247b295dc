//! How sends, asks and actors end.

use std::fmt;
use thiserror::Error;

/// How to stop an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Admit nothing more, handle what is queued, wait for pending answers, then run the actor's
    /// `stopping` and `stopped`. Bounded by the policy's `stop_deadline`; what is left then is killed.
    Drain,
    /// Drop the actor without its hooks; whoever waits in its queue is told [`Failure::Closed`].
    Now,
}

impl Stop {
    /// How an actor ends that has nothing left to do.
    pub(crate) const fn exit(self) -> Exit {
        match self {
            Self::Drain => Exit::Normal,
            Self::Now => Exit::Killed,
        }
    }
}

/// Why a message was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Reason {
    /// The lane is at its bound.
    #[error("the lane is full")]
    Full,
    /// The actor exceeded its restart intensity and was given up.
    #[error("the actor is suspended")]
    Suspended,
    /// The actor has ended or is draining, or the tree is shutting down.
    #[error("the actor is closed")]
    Closed,
    /// The sender belongs to a generation that is over: its effects do not count any more.
    #[error("the sender's generation is over")]
    Fenced,
}

/// A message that was not admitted, given back.
#[derive(Error)]
#[error("message not admitted: {reason}")]
pub struct Rejected<M> {
    /// Why.
    pub reason: Reason,
    /// The message itself.
    pub message: M,
}

/// Leaves the message out: it may hold what no log should see.
impl<M> fmt::Debug for Rejected<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected")
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

/// Why an ask has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// The generation fell while it owed the answer.
    #[error("generation {generation} crashed in {message}")]
    Crashed {
        /// The message type that was being handled, or what else ran: a timer, `started`, the factory.
        message: &'static str,
        /// The generation that fell.
        generation: u64,
    },
    /// The generation was taken off its thread while it owed the answer.
    #[error("generation {generation} was stuck in {message}")]
    Stalled {
        /// As in [`Failure::Crashed`].
        message: &'static str,
        /// The generation that was given up.
        generation: u64,
    },
    /// Its supervisor ended the generation, because another child fell, while it owed the answer.
    #[error("generation {generation} was restarted with its siblings in {message}")]
    Restarted {
        /// As in [`Failure::Crashed`].
        message: &'static str,
        /// The generation that was ended.
        generation: u64,
    },
    /// The message was not admitted.
    #[error("not admitted: {0}")]
    Rejected(Reason),
    /// A newer message took its place ([`crate::Overflow::DropOldest`]).
    #[error("evicted by a newer message")]
    Evicted,
    /// The message had crashed the actor before and is not handled any more.
    #[error("quarantined: it crashed the actor before")]
    Quarantined,
    /// No answer within the ask's deadline.
    #[error("no answer within the deadline")]
    Deadline,
    /// The handler ended without answering.
    #[error("the handler gave no answer")]
    NoReply,
    /// The actor ended before it answered.
    #[error("the actor ended")]
    Closed,
}

/// How an actor ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was drained, or stopped itself and is not permanent.
    Normal,
    /// It was stopped at once, or its drain outlived the deadline.
    Killed,
    /// It fell more often than its policy, or its supervisor's, allows; why it fell last.
    GaveUp(String),
    /// It panicked on its way out; the panic's text.
    PanickedWhileStopping(String),
    /// The arbiter that it lived on is gone.
    ArbiterStopped,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("ended"),
            Self::Killed => f.write_str("killed"),
            Self::GaveUp(why) => write!(f, "gave up: {why}"),
            Self::PanickedWhileStopping(text) => write!(f, "panicked while stopping: {text}"),
            Self::ArbiterStopped => f.write_str("its arbiter stopped"),
        }
    }
}
