//! A chain as the notary knows it.

use super::super::checkpoint::OpaqueId;
use super::super::host_log::HostLeaf;
use super::super::merkle::{Frontier, Hash, empty_root};
use super::super::store::ChainRecord;

pub(super) struct Chain {
    pub(super) opaque_id: OpaqueId,
    /// The tree over all lines that were shown.
    pub(super) frontier: Frontier,
    /// The leaf hash of the last of them.
    pub(super) last_line: Hash,
    pub(super) signed: Option<ChainRecord>,
}

impl Chain {
    pub(super) fn new(opaque_id: OpaqueId) -> Self {
        Self {
            opaque_id,
            frontier: Frontier::new(),
            last_line: empty_root(),
            signed: None,
        }
    }

    pub(super) fn of(record: ChainRecord) -> Self {
        Self {
            opaque_id: record.opaque_id,
            frontier: record.frontier.clone(),
            last_line: record.last_line,
            signed: Some(record),
        }
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
