//! Classes of messages and the bounds of their lanes.

use crate::poison::DeadLetter;
use actix::Message;
use std::time::Duration;

/// The lanes of an actor, most urgent first.
///
/// The class belongs to the message type, so no caller can jump the queue by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Overtakes everything: health, configuration, orders to stop or pause.
    Control,
    /// Urgent work that a storm of bulk messages must not delay.
    Containment,
    /// Everything else.
    Bulk,
}

impl Class {
    /// All classes, most urgent first.
    pub const ALL: [Self; 3] = [Self::Control, Self::Containment, Self::Bulk];
}

/// What a message says of itself beside actix's [`Message`].
pub trait Classified: Message<Result: Send> + Send + 'static {
    /// The lane that the message waits in.
    const CLASS: Class;

    /// Identifies the content, so that a message which keeps crashing its actor is recognised when it
    /// comes again (see [`crate::Policy::poison_after`]). 0, the default, means "no identity": such a
    /// message is never quarantined.
    fn digest(&self) -> u64 {
        0
    }

    /// The message is being put away as `letter` instead of being handled: the last chance to answer
    /// over a channel of its own. Whoever asked for it is told [`crate::Failure::Quarantined`] anyway.
    ///
    /// Called on the actor's thread, but outside of the actor and of every lock; it must not block.
    /// A panic goes no further. A message whose asker has given up is not put away but dropped.
    fn quarantined(&mut self, letter: &DeadLetter) {
        let _ = letter;
    }

    /// The same message once more, for one that is re-driven: should it crash the actor again, the copy is
    /// a dead letter as before. Without one, the default, it is lost then. Nobody waits for the copy's
    /// answer.
    fn again(&self) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }
}

/// What happens to a message for which its lane has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// It is refused with [`crate::Reason::Full`].
    Reject,
    /// `cast` and `ask` wait this long for room before they are refused; `try_cast` and `try_ask` do not.
    Wait(Duration),
    /// The lane's oldest message makes room; its asker is told [`crate::Failure::Evicted`].
    DropOldest,
}

/// One lane's bound. It is a true bound, however many handles send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Messages that may wait at once; 0 counts as 1, and more than 2^32 - 1 as that many.
    pub capacity: usize,
    /// What happens to the message after those.
    pub overflow: Overflow,
}
