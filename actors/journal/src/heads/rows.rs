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
}

/// What stands between a held chain's name and a number in the name of the chain that stands in for it.
pub const STANDS_IN: &str = "+held-";

impl Hold {
    /// The name of the chain that takes entries while `chain` is held.
    pub(crate) fn successor(&self, chain: &str) -> String {
        format!("{chain}{STANDS_IN}{}", self.alias)
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
