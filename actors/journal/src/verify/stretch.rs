//! A stretch of a chain: it need not begin with the chain's first entry.

use super::line::{EntryLine, between_quotes};
use super::{Fault, Verifier, integer};
use crate::journal::Head;

/// Verifies lines of one chain, each the successor of the one before. What the first of them says it
/// follows is believed, and is for the caller to hold against what is known.
pub struct Stretch {
    verifier: Verifier,
    first: Option<First>,
}

#[derive(Clone, Copy)]
struct First {
    seq: u64,
    /// What it follows; `None` for the chain's first entry.
    after: Option<Head>,
}

/// Why a line is not the next of a stretch, and where it would have stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strayed {
    /// `canonical`, `tenant`, `seq`, `chain`, as a [`VerifyReport`](super::VerifyReport) has it.
    pub kind: &'static str,
    /// The seq that was to follow; `None` before the first entry.
    pub expected_seq: Option<u64>,
}

impl Stretch {
    /// Of the chain of this name, whose lines say so.
    pub fn of(chain: &str) -> Self {
        let verifier = Verifier {
            // The names of chains have nothing in them that is escaped.
            tenant_id: format!("\"{chain}\"").into_bytes(),
            ..Verifier::default()
        };
        Self {
            verifier,
            first: None,
        }
    }

    /// The next line, without its newline. After an error the stretch is as before.
    pub fn add(&mut self, line: &[u8]) -> Result<Head, Strayed> {
        let expected_seq = self.first.map(|_| self.verifier.next());
        let strayed = |kind| Strayed { kind, expected_seq };
        let entry = EntryLine::read(line).ok_or_else(|| strayed("canonical"))?;
        let before = self.first;
        if before.is_none() {
            let first = First::read(&entry).ok_or_else(|| strayed("canonical"))?;
            self.verifier.begin_behind(first.after);
            self.first = Some(first);
        }
        let passed = self.verifier.follow(line, &entry);
        match passed {
            Ok(passed) => Ok(passed.entry),
            Err(Fault { kind, .. }) => {
                self.first = before;
                Err(strayed(kind))
            }
        }
    }

    /// The seq of the first line; `None` before it.
    pub fn first_seq(&self) -> Option<u64> {
        self.first.map(|first| first.seq)
    }

    /// What the first line says it follows; `None` if that is nothing, or before there is one.
    pub fn after(&self) -> Option<Head> {
        self.first.and_then(|first| first.after)
    }

    /// The last line's entry; `None` before the first line.
    pub fn head(&self) -> Option<Head> {
        self.first.and(self.verifier.head)
    }
}

impl First {
    fn read(entry: &EntryLine<'_>) -> Option<Self> {
        let seq = integer(entry.seq)?;
        let mut hash = [0; 32];
        hex::decode_to_slice(between_quotes(entry.previous_hash)?, &mut hash).ok()?;
        let after = seq.checked_sub(1).map(|seq| Head { seq, hash });
        Some(Self { seq, after })
    }
}

impl Verifier {
    fn begin_behind(&mut self, head: Option<Head>) {
        let fresh = Self::default();
        self.head = head;
        self.head_hex = head.map_or(fresh.head_hex, |head| super::hex_of(&head.hash));
    }
}
