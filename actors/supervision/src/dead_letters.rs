//! Dead letters: how messages are put away, looked at, and brought back.
//!
//! What a message does when it is told or dropped is its author's code: none of it runs under a lock.

use crate::clock;
use crate::context::Supervised;
use crate::core::{Core, Inner};
use crate::fence::Run;
use crate::lock::lock;
use crate::node::Crash;
use crate::outcome::Failure;
use crate::parcel::{Dormant, Envelope};
use crate::poison::{DeadLetter, Evidence, Kept, Letter, Letters, RedriveError};
use crate::tree::Tree;
use actix::Actor;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// An actor's id and one of its dead letters.
type Found = (String, DeadLetter);

impl Tree {
    /// The dead letters of all actors, newest last.
    pub fn dead_letters(&self) -> Vec<Found> {
        self.collect_letters(|_| true)
    }

    /// The dead letters of the actor `id` and of all whose ids continue it after a `/`, newest last.
    pub fn dead_letters_under(&self, id: &str) -> Vec<Found> {
        self.collect_letters(|actor| {
            actor
                .strip_prefix(id)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// Dead letters that went with their actors when those were removed, or that an actor put away after its
    /// id had been given up or had gone to another one.
    pub fn dead_letters_gone(&self) -> u64 {
        self.settings().letters_gone.load(Ordering::Relaxed)
    }

    /// As [`crate::Handle::redrive`], sent from outside of the tree.
    ///
    /// # Errors
    /// Whatever the error, the letter stays.
    pub fn redrive(&self, id: &str, number: u64) -> Result<(), RedriveError> {
        let child = self.child(id).ok_or(RedriveError::NoActor)?;
        child.redrive(number)
    }

    /// As [`crate::Handle::discard`].
    ///
    /// # Errors
    /// If there is no such actor or no such letter.
    pub fn discard(&self, id: &str, number: u64) -> Result<(), RedriveError> {
        let child = self.child(id).ok_or(RedriveError::NoActor)?;
        child.discard(number)
    }

    fn collect_letters(&self, wanted: impl Fn(&str) -> bool) -> Vec<Found> {
        let mut found: Vec<_> = self
            .actors()
            .into_iter()
            .filter(|child| wanted(child.id()))
            .flat_map(|child| {
                let letters = child.dead_letters();
                let id = move |letter| (child.id().to_owned(), letter);
                letters.into_iter().map(id)
            })
            .collect();
        found.sort_by_key(|(_, letter)| letter.number);
        found
    }
}

impl<A: Supervised> Core<A> {
    /// Puts a caught message away: it is told, kept as a dead letter, and then its asker is told.
    ///
    /// Meanwhile it is the actor's current message, so that the watchdog can name it and tell the asker
    /// if [`crate::Classified::quarantined`] blocks.
    pub(crate) fn put_away(&self, run: &Run, envelope: &Arc<dyn Envelope<A>>, last: Evidence) {
        let (key, limit) = (envelope.key(), self.policy.dead_letters);
        let mut record = DeadLetter {
            number: self.settings.next_letter(),
            message: key.message,
            digest: key.digest,
            generation: run.generation,
            at_ms: (self.settings.clock)(),
            panic: last.panic,
            location: last.location,
            kept: limit > 0,
        };
        let dormant = envelope.put_away(&record).map(Kept::new);
        let message = dormant.filter(|_| limit > 0);
        record.kept = message.is_some();
        let letter = Letter { record, message };
        let (pushed_out, gone) = {
            let letters = &mut lock(&self.inner).quarantine.letters;
            (letters.keep(letter, limit), letters.is_closed())
        };
        if gone {
            self.settings.letters_gone.fetch_add(1, Ordering::Relaxed);
        }
        drop(pushed_out);
        envelope.fail(Failure::Quarantined);
    }

    /// Forgives the message of a letter and queues it again, at the end of its lane.
    pub(crate) fn redrive(&self, number: u64, insider: bool) -> Result<(), RedriveError> {
        let mut inner = lock(&self.inner);
        let class = inner.quarantine.letters.class_of::<A>(number)?;
        let evicted = inner.admit(class, insider).map_err(|reason| {
            self.rejected.fetch_add(1, Ordering::Relaxed);
            RedriveError::NotAdmitted(reason)
        })?;
        let queued_at = inner.record.is_sample().then(clock::monotonic);
        let waker = inner.take_letter(number).and_then(|(record, message)| {
            let envelope = message.wake(record, queued_at);
            inner.queue(class, envelope)
        });
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
        if let Some(oldest) = evicted {
            oldest.fail(Failure::Evicted);
        }
        Ok(())
    }

    /// Drops a letter and its message.
    pub(crate) fn discard(&self, number: u64) -> Result<(), RedriveError> {
        let letter = lock(&self.inner).quarantine.letters.take(number);
        letter.map(drop).ok_or(RedriveError::NoLetter)
    }

    pub(crate) fn dead_letters(&self) -> Vec<DeadLetter> {
        lock(&self.inner).quarantine.letters.records::<A>()
    }

    /// Gives all letters out: to the next actor of this id, or to be dropped. What this one puts away from
    /// now on, while it drains, is counted as gone.
    pub(crate) fn take_letters(&self) -> Letters {
        lock(&self.inner).quarantine.letters.close()
    }
}

impl<A: Actor> Inner<A> {
    /// Takes the message out of a letter that [`Letters::class_of`] has found, and forgives it.
    fn take_letter(&mut self, number: u64) -> Option<(DeadLetter, Box<dyn Dormant<A>>)> {
        let letter = self.quarantine.letters.take(number)?;
        self.quarantine.forgive(letter.key());
        Some((letter.record, letter.message?.open()?))
    }

    /// Puts a message that was tried again, and has crashed its actor again, back among the dead letters.
    /// Gives out what has to go for it, to be dropped outside of the lock.
    pub(crate) fn put_back(
        &mut self,
        envelope: &Arc<dyn Envelope<A>>,
        crash: &Crash,
        limit: usize,
    ) -> Vec<Letter> {
        let Some((mut record, message)) = envelope.relapse() else {
            return Vec::new();
        };
        record.at_ms = crash.at_ms;
        record.panic.clone_from(&crash.panic);
        record.location.clone_from(&crash.location);
        let message = Some(Kept::new(message));
        let letter = Letter { record, message };
        self.quarantine.letters.keep(letter, limit)
    }
}
