//! A chain as the notary knows it.

use super::super::checkpoint::OpaqueId;
use super::super::host_log::HostLeaf;
use super::super::merkle::{Frontier, Hash, empty_root, leaf_hash};
use super::super::store::ChainRecord;
use crate::GENESIS;
use crate::entry::Place;

pub(super) struct Chain {
    pub(super) opaque_id: OpaqueId,
    /// The tree over all lines that were shown.
    pub(super) frontier: Frontier,
    /// The leaf hash of the last of them.
    pub(super) last_line: Hash,
    /// What the next line has to name as the one before it; unknown until the last signed line is shown again.
    link: Option<[u8; 32]>,
    pub(super) signed: Option<ChainRecord>,
}

/// What became of a line that was shown.
#[derive(PartialEq, Eq)]
pub(super) enum Taken {
    /// It is the last one that was signed.
    Recognised,
    /// It follows the last one.
    Grown,
    /// It is neither.
    Unlinked,
}

impl Chain {
    pub(super) fn new(opaque_id: OpaqueId) -> Self {
        Self {
            opaque_id,
            frontier: Frontier::new(),
            last_line: empty_root(),
            link: Some(GENESIS),
            signed: None,
        }
    }

    pub(super) fn of(record: ChainRecord) -> Self {
        Self {
            opaque_id: record.opaque_id,
            frontier: record.frontier.clone(),
            last_line: record.last_line,
            link: None,
            signed: Some(record),
        }
    }

    /// The seq of the line that is wanted next.
    pub(super) fn wanted(&self) -> u64 {
        let size = self.frontier.size();
        match self.link {
            Some(_) => size,
            None => size.saturating_sub(1),
        }
    }

    /// Whether it has lines that no leaf of any log has.
    pub(super) fn is_ahead(&self) -> bool {
        let signed = self.signed.as_ref();
        self.frontier.size() > signed.map_or(0, |signed| signed.frontier.size())
    }

    /// Takes the line that is wanted; what is known already is only recognised.
    pub(super) fn take(&mut self, place: &Place, line: &[u8]) -> Taken {
        let leaf = leaf_hash(line);
        let (fits, taken) = match self.link {
            Some(last) => (place.previous == last, Taken::Grown),
            None => (leaf == self.last_line, Taken::Recognised),
        };
        if !fits {
            return Taken::Unlinked;
        }
        if taken == Taken::Grown {
            self.frontier.append(leaf);
            self.last_line = leaf;
        }
        self.link = Some(place.hash);
        taken
    }

    /// What is signed of it with this leaf.
    pub(super) fn record(&self, leaf: u64) -> ChainRecord {
        ChainRecord {
            opaque_id: self.opaque_id,
            frontier: self.frontier.clone(),
            last_line: self.last_line,
            leaf: Some(leaf),
        }
    }
}

impl ChainRecord {
    /// The same in a log that has no leaf of it yet.
    pub(super) fn unpublished(&self) -> Self {
        Self {
            leaf: None,
            ..self.clone()
        }
    }

    /// What the host log says of the chain.
    pub(super) fn leaf(&self) -> HostLeaf {
        HostLeaf {
            opaque_id: self.opaque_id,
            size: self.frontier.size(),
            root: self.frontier.root(),
        }
    }
}
