//! The store of the messages that were put away.

use super::{DeadLetter, Key, RedriveError};
use crate::lane::Class;
use crate::lock::REMEMBERED;
use crate::panics;
use crate::parcel::Dormant;
use actix::Actor;
use std::any::Any;
use std::collections::VecDeque;
use std::fmt;

/// Dead letters in the order of their numbers. It outlives actors of several types under one id, so it
/// does not know the type of its messages. Nothing while it never held any, as with most actors.
#[derive(Debug, Default)]
pub(crate) struct Letters(Option<Box<Tray>>);

#[derive(Debug, Default)]
struct Tray {
    kept: VecDeque<Letter>,
    closed: bool,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) record: DeadLetter,
    pub(crate) message: Option<Kept>,
}

impl Letters {
    /// Adds a letter and gives out those that have to go for it, oldest first: at most `limit` are left
    /// or, if that is 0, [`REMEMBERED`]; a closed store gives the letter itself out. The caller drops them
    /// outside of its lock.
    ///
    /// A letter finds its place by its number, for a generation that was blocked may bring it late.
    #[must_use = "dropping messages runs code of others"]
    pub(crate) fn keep(&mut self, letter: Letter, limit: usize) -> Vec<Letter> {
        let Tray { kept, closed } = &mut **self.0.get_or_insert_default();
        if *closed {
            return vec![letter];
        }
        let number = letter.record.number;
        let place = kept.partition_point(|other| other.record.number < number);
        kept.insert(place, letter);
        let bound = if limit == 0 { REMEMBERED } else { limit };
        let excess = kept.len().saturating_sub(bound);
        kept.drain(..excess).collect()
    }

    /// The records, as an actor of type `A` may use them.
    pub(crate) fn records<A: Actor>(&self) -> Vec<DeadLetter> {
        let record = |letter: &Letter| DeadLetter {
            kept: letter.dormant::<A>().is_some(),
            ..letter.record.clone()
        };
        self.iter().map(record).collect()
    }

    /// The lane of a letter's message.
    pub(crate) fn class_of<A: Actor>(&self, number: u64) -> Result<Class, RedriveError> {
        let letter = self.iter().find(|letter| letter.record.number == number);
        letter
            .ok_or(RedriveError::NoLetter)?
            .dormant::<A>()
            .map(Dormant::class)
            .ok_or(RedriveError::NotKept)
    }

    /// Takes a letter out.
    #[must_use = "dropping messages runs code of others"]
    pub(crate) fn take(&mut self, number: u64) -> Option<Letter> {
        let kept = &mut self.0.as_mut()?.kept;
        let at = kept.binary_search_by_key(&number, |letter| letter.record.number);
        kept.remove(at.ok()?)
    }

    /// Gives all letters out; from now on none is kept here, for nobody would find it.
    pub(crate) fn close(&mut self) -> Self {
        let closed = Tray {
            kept: VecDeque::new(),
            closed: true,
        };
        let before = self.0.replace(Box::new(closed));
        Self(before.map(|tray| {
            let kept = tray.kept;
            let closed = false;
            Box::new(Tray { kept, closed })
        }))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.as_ref().is_some_and(|tray| tray.closed)
    }

    pub(crate) fn len(&self) -> usize {
        self.iter().count()
    }

    fn iter(&self) -> impl Iterator<Item = &Letter> {
        self.0.iter().flat_map(|tray| tray.kept.iter())
    }
}

impl Letter {
    pub(crate) const fn key(&self) -> Key {
        Key {
            message: self.record.message,
            digest: self.record.digest,
        }
    }

    fn dormant<A: Actor>(&self) -> Option<&dyn Dormant<A>> {
        self.message.as_ref()?.for_actor()
    }
}

/// A message that was put away, whatever its type. A panic in its `Drop` goes no further.
pub(crate) struct Kept(Option<Box<dyn Any + Send>>);

impl Kept {
    pub(crate) fn new<A: Actor>(message: Box<dyn Dormant<A>>) -> Self {
        Self(Some(Box::new(message)))
    }

    /// The message, if actors of type `A` handle it.
    fn for_actor<A: Actor>(&self) -> Option<&dyn Dormant<A>> {
        let message = self.0.as_ref()?.downcast_ref::<Box<dyn Dormant<A>>>()?;
        Some(message.as_ref())
    }

    /// As [`Self::for_actor`], taken out.
    pub(crate) fn open<A: Actor>(mut self) -> Option<Box<dyn Dormant<A>>> {
        match self.0.take()?.downcast::<Box<dyn Dormant<A>>>() {
            Ok(message) => Some(*message),
            Err(other) => {
                self.0 = Some(other);
                None
            }
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let message = self.0.take();
        panics::contained("message", move || drop(message));
    }
}

/// Leaves the message out: it may hold what no log should see.
impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}
