//! What stands in `heads.redb`, as the rest of the journal sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::journal::Head;

/// How far a chain's own files are complete and synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// The last entry in the chain's file.
    pub(crate) head: Head,
    /// The length of the chain's file up to and with that entry.
    pub(crate) offset: u64,
    /// The length of its evidence store.
    pub(crate) evidence_offset: u64,
}

/// A chain whose end cannot be proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hold {
    /// The first seq that may be lost.
    pub(crate) next: u64,
    /// A fresh id, from which the chain's held successor takes its name.
    pub(crate) alias: u64,
    /// The highest seq that anything on the disk ever spoke of since the damage.
    pub(crate) known_to: Option<u64>,
}

/// What stands between a held chain's name and a number in the name of the chain that stands in for it.
pub const STANDS_IN: &str = "+held-";

impl Hold {
    /// That of a chain nobody ever saw, which a loss of unknown extent keeps from beginning. None else
    /// has the alias 0.
    pub(crate) fn of_an_unseen_chain() -> Self {
        Self {
            next: 0,
            alias: 0,
            known_to: None,
        }
    }

    /// The name of the chain that takes entries while `chain` is held. One that stands in for a chain
    /// that stands in itself has the name of the first with a number of its own, so that names stay
    /// short however often that happens.
    pub(crate) fn successor(&self, chain: &str) -> String {
        let first = chain
            .split_once(STANDS_IN)
            .map_or(chain, |(first, _)| first);
        format!("{first}{STANDS_IN}{}", self.alias)
    }
}

/// Whether a name is that of a held chain's successor. Such a chain is new by its alias, so it may
/// begin although chains that were never seen may not. No alias is 0.
pub(crate) fn is_successor(chain: &str) -> bool {
    let alias = chain.rsplit_once(STANDS_IN).map(|(_, alias)| alias);
    alias
        .and_then(|alias| alias.parse().ok())
        .is_some_and(|alias: u64| alias > 0)
}

/// The small numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    /// The next id of a log file.
    pub(crate) next_id: u64,
    /// The lowest live segment.
    pub(crate) low: u64,
    /// The segment that is written to; 0 before the first.
    pub(crate) active: u64,
    /// The last batch whose entries all stand in their chains' files.
    pub(crate) copied: u64,
    /// The number of the first batch of a log that is yet to begin.
    pub(crate) first_batch: u64,
    /// A loss of unknown extent: a chain that was never seen may have had entries.
    pub(crate) unknown_chains_held: bool,
}

/// What recovery reads at once and writes back at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Holds {
    pub(crate) chains: BTreeMap<Arc<str>, Hold>,
    /// Damage that has been answered with holds already: (segment, 0) or (0, batch).
    pub(crate) known_damage: BTreeSet<(u64, u64)>,
    /// Chains that were repaired: what the log has of them counts from this batch on.
    pub(crate) repaired: BTreeMap<Arc<str>, u64>,
    pub(crate) unknown_chains_held: bool,
}

impl Holds {
    /// Forgets what was said of batches from `next` on. They are gone, and their numbers will be given
    /// again: what they mean then has nothing to do with what they meant.
    pub(crate) fn forget_batches_from(&mut self, next: u64) {
        for batch in self.repaired.values_mut() {
            *batch = next.min(*batch);
        }
        self.known_damage
            .retain(|(segment, batch)| *segment > 0 || *batch < next);
    }
}
