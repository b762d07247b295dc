//! Entries that are known from elsewhere, held against a chain as it is verified.

use super::{Passed, VerifyReport};
use crate::journal::Head;

/// What is known of a chain without its file: receipts, and heads of earlier times.
///
/// Each entry's hash covers all before it, so one that is found again proves the chain up to it, and
/// one that is not found shows that the chain was written anew there or before.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// By seq. Two that contradict each other may both be here; one of them is not found then.
    entries: Vec<Head>,
    /// How many of them were compared.
    compared: usize,
    /// The last one that was found, before the first that was not.
    found: Option<Head>,
    /// The first one in whose place another entry stands, and that one.
    other: Option<(Head, Head)>,
}

impl Known {
    /// Holds these entries against the chain.
    pub fn new(entries: impl IntoIterator<Item = Head>) -> Self {
        let mut entries: Vec<Head> = entries.into_iter().collect();
        entries.sort_by_key(|entry| entry.seq);
        Self {
            entries,
            ..Self::default()
        }
    }

    /// Compares the next good entry of the chain.
    pub fn compare(&mut self, passed: &Passed<'_>) {
        while let Some(known) = self.entries.get(self.compared) {
            if known.seq != passed.entry.seq {
                return;
            }
            self.compared += 1;
            if self.other.is_some() {
                continue;
            }
            if *known == passed.entry {
                self.found = Some(*known);
            } else {
                self.other = Some((*known, passed.entry));
            }
        }
    }

    /// The first seq at which the chain may be another than it once was, if it is another at all: the
    /// one after the last entry that was found again.
    pub fn open_from(&self) -> u64 {
        self.found.map_or(0, |found| found.seq + 1)
    }

    /// What the file is in the light of what is known: `receipt` at the first place where another
    /// entry stands, `truncated` if a good chain ends before the last known entry.
    #[must_use]
    pub fn conclude(&self, report: VerifyReport) -> VerifyReport {
        if let Some((known, found)) = self.other {
            let earlier = report.divergent_seq.is_none_or(|seq| known.seq <= seq);
            if earlier {
                return VerifyReport {
                    ok: false,
                    kind: Some("receipt"),
                    divergent_seq: Some(known.seq),
                    expected_hash: Some(known.hash_hex()),
                    observed_hash: Some(found.hash_hex()),
                    ..report
                };
            }
        }
        match self.entries.last() {
            Some(last) => report.expecting(last),
            None => report,
        }
    }
}
