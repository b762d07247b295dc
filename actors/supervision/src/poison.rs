//! Messages that crash their actor again and again.

mod letters;
#[cfg(test)]
mod tests;

use crate::lock::{REMEMBERED, remember};
use crate::node::Crash;
use crate::outcome::Reason;
use crate::restart_policy::Blame;
use std::collections::VecDeque;
use thiserror::Error;

pub(crate) use letters::{Kept, Letter, Letters};

/// A message that was taken out of service instead of being handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Names the letter. Unique in its tree for as long as the process runs, and greater than the
    /// numbers given before.
    pub number: u64,
    /// The message type.
    pub message: &'static str,
    /// [`crate::Classified::digest`] of the message.
    pub digest: u64,
    /// The generation that was spared it.
    pub generation: u64,
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// What its last crash said.
    pub panic: String,
    /// Where its last crash was (`file:line:column`), if the panic hook is installed.
    pub location: Option<String>,
    /// Whether the message itself is kept, so that it can be re-driven.
    pub kept: bool,
}

/// Why a dead letter was neither re-driven nor discarded. It is where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RedriveError {
    /// No actor has this id.
    #[error("no such actor")]
    NoActor,
    /// The actor has no letter of this number: it never had, it was re-driven or discarded, or newer
    /// ones have pushed it out.
    #[error("no such dead letter")]
    NoLetter,
    /// There is only the record: see [`crate::Policy::dead_letters`].
    #[error("the message was not kept")]
    NotKept,
    /// The actor does not take the message now.
    #[error("not admitted: {0}")]
    NotAdmitted(Reason),
}

/// What tells a message from another one: its type and the digest of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) message: &'static str,
    pub(crate) digest: u64,
}

/// Bounded memory of suspects and dead letters. Small while there are none, as with most actors.
#[derive(Default)]
#[expect(clippy::box_collection, reason = "it is empty, and many")]
pub(crate) struct Quarantine {
    suspects: Option<Box<VecDeque<Suspect>>>,
    pub(crate) letters: Letters,
    total: u64,
}

#[derive(Clone)]
struct Suspect {
    key: Key,
    crashes: u32,
    last: Evidence,
}

/// What a crash left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    pub(crate) panic: String,
    pub(crate) location: Option<String>,
}

impl Quarantine {
    /// A message crashed its actor; tells what the fall is put down to. The message becomes a suspect,
    /// and from the `limit`-th crash on it is caught.
    ///
    /// Messages without a digest are never suspected: they would incriminate their whole type. Neither
    /// is anything if `limit` is 0, so that falls which no quarantine will end count in full.
    pub(crate) fn crashed(&mut self, key: Key, crash: &Crash, limit: u32) -> Blame {
        if key.digest == 0 || limit == 0 {
            return Blame::Actor;
        }
        // So many suspects that a known one may have been forgotten: who alternates between them for ever
        // must not go unpunished, so each fall counts in full.
        let crowded = self
            .suspects
            .as_ref()
            .is_some_and(|known| known.len() >= REMEMBERED);
        let before = self.forgive(key);
        let crashes = before.saturating_add(1);
        let last = Evidence {
            panic: crash.panic.clone(),
            location: crash.location.clone(),
        };
        let suspects = self.suspects.get_or_insert_default();
        remember(suspects, Suspect { key, crashes, last });
        if crashes >= limit {
            Blame::Poison(key)
        } else if crowded {
            Blame::Actor
        } else {
            Blame::Suspect(key)
        }
    }

    /// Takes the message out of service if it crashed the actor `limit` times, and counts it. Gives out
    /// what its last crash left behind.
    pub(crate) fn catches(&mut self, key: Key, limit: u32) -> Option<Evidence> {
        if limit == 0 {
            return None;
        }
        let caught = self
            .suspects
            .as_ref()?
            .iter()
            .find(|suspect| suspect.key == key && suspect.crashes >= limit)?;
        self.total = self.total.saturating_add(1);
        Some(caught.last.clone())
    }

    /// Forgets what the message did, and tells how many crashes that were.
    pub(crate) fn forgive(&mut self, key: Key) -> u32 {
        let forgiven = self.suspects.as_mut().and_then(|suspects| {
            let known = suspects.iter().position(|suspect| suspect.key == key);
            suspects.remove(known?)
        });
        forgiven.map_or(0, |suspect| suspect.crashes)
    }

    /// What a later actor of the same id has to know. The letters are handed over on their own
    /// ([`Letters`] cannot be copied).
    pub(crate) fn memory(&self) -> Self {
        Self {
            suspects: self.suspects.clone(),
            letters: Letters::default(),
            total: self.total,
        }
    }

    /// Messages quarantined so far.
    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.suspects
            .as_ref()
            .is_none_or(|suspects| suspects.is_empty())
    }
}
