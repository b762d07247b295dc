//! Messages that crash their actor again and again.

use crate::lock::remember;
use crate::node::Crash;
use std::collections::VecDeque;

/// A message that was taken out of service instead of being handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
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
}

/// What tells a message from another one: its type and the digest of its content.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) message: &'static str,
    pub(crate) digest: u64,
}

#[derive(Clone)]
struct Suspect {
    key: Key,
    crashes: u32,
    panic: String,
    location: Option<String>,
}

/// Bounded memory of suspects and dead letters.
#[derive(Clone, Default)]
pub(crate) struct Quarantine {
    suspects: VecDeque<Suspect>,
    letters: VecDeque<DeadLetter>,
    total: u64,
}

impl Quarantine {
    /// A message crashed its actor. Messages without a digest are never suspected: they would
    /// incriminate their whole type.
    pub(crate) fn crashed(&mut self, key: Key, crash: &Crash) {
        if key.digest == 0 {
            return;
        }
        let known = self.suspects.iter().position(|suspect| suspect.key == key);
        let before = known
            .and_then(|at| self.suspects.remove(at))
            .map_or(0, |s| s.crashes);
        remember(
            &mut self.suspects,
            Suspect {
                key,
                crashes: before.saturating_add(1),
                panic: crash.panic.clone(),
                location: crash.location.clone(),
            },
        );
    }

    /// Whether the message may run; if not, it is on record as a dead letter.
    pub(crate) fn admits(
        &mut self,
        key: Key,
        limit: u32,
        generation: u64,
        now: fn() -> u64,
    ) -> bool {
        if limit == 0 || self.suspects.is_empty() {
            return true;
        }
        let caught = self
            .suspects
            .iter()
            .find(|s| s.key == key && s.crashes >= limit);
        let Some(Suspect {
            panic, location, ..
        }) = caught
        else {
            return true;
        };
        let letter = DeadLetter {
            message: key.message,
            digest: key.digest,
            generation,
            at_ms: now(),
            panic: panic.clone(),
            location: location.clone(),
        };
        remember(&mut self.letters, letter);
        self.total = self.total.saturating_add(1);
        false
    }

    /// The newest dead letters, oldest first.
    pub(crate) fn letters(&self) -> Vec<DeadLetter> {
        self.letters.iter().cloned().collect()
    }

    /// Messages quarantined so far.
    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.suspects.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::REMEMBERED;

    fn crash() -> Crash {
        Crash {
            at_ms: 1,
            message: "M",
            panic: "no".to_owned(),
            location: Some("a.rs:1:2".to_owned()),
        }
    }

    fn key(digest: u64) -> Key {
        Key {
            message: "M",
            digest,
        }
    }

    #[test]
    fn the_limit_counts_crashes_of_the_same_content() {
        let mut quarantine = Quarantine::default();
        quarantine.crashed(key(7), &crash());
        quarantine.crashed(key(8), &crash());
        assert!(quarantine.admits(key(7), 2, 3, || 9));
        quarantine.crashed(key(7), &crash());
        assert!(!quarantine.admits(key(7), 2, 3, || 9));
        assert!(quarantine.admits(key(8), 2, 3, || 9));
        assert!(quarantine.admits(key(7), 0, 3, || 9), "0 turns it off");
        assert_eq!(
            quarantine.letters(),
            [DeadLetter {
                message: "M",
                digest: 7,
                generation: 3,
                at_ms: 9,
                panic: "no".to_owned(),
                location: Some("a.rs:1:2".to_owned()),
            }]
        );
    }

    #[test]
    fn memory_is_bounded_and_keeps_the_newest() {
        let mut quarantine = Quarantine::default();
        for digest in 0..=100 {
            quarantine.crashed(key(digest), &crash());
        }
        assert!(quarantine.admits(key(1), 1, 1, || 0), "forgotten");
        for _ in 0..200 {
            assert!(!quarantine.admits(key(100), 1, 1, || 0));
        }
        assert_eq!(
            (quarantine.letters().len(), quarantine.total()),
            (REMEMBERED, 200)
        );
    }

    #[test]
    fn a_message_without_digest_is_never_suspected() {
        let mut quarantine = Quarantine::default();
        quarantine.crashed(key(0), &crash());
        assert!(quarantine.admits(key(0), 1, 1, || 0) && quarantine.is_clean());
    }
}
