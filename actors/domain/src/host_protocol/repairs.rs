//! What the host's chain has of damages and repairs.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{digest::Digest, ids::TenantId};

/// A start did not find the journal as an orderly end leaves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalRecovered {
    /// An unfinished batch was cut off, of which nobody had been told.
    pub cut: bool,
    /// Bytes were damaged that had been durable.
    pub damaged: bool,
    /// Chains whose end can't be proven, with the first seq in doubt of each.
    pub held: Vec<HeldChain>,
    /// What is lost may be of chains that nobody knows any more, so none may begin that was never seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown_chains_held: bool,
    /// How much of the log was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<LogRead>,
}

/// What of the log a start read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRead {
    /// Segments.
    pub segments: u64,
    /// Batches in them.
    pub batches: u64,
    /// Entries in them that the chains' own files did not have yet.
    pub entries: u64,
}

/// Bytes of a chain's files turned bad after they had been good. Its end is proven all the same, so it goes
/// on. Written once a fault and start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalDamaged {
    /// The chain, by the name that its lines have.
    pub tenant_id: String,
    /// The first seq that can't be trusted.
    pub from_seq: u64,
    /// Which of its files.
    pub what: DamagedPart,
}

/// A chain's own files could not be written while the server ran, until they kept the log from going on. What
/// they lack is set aside, and the chain is held like one that a start cannot prove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalQuarantined {
    /// The chain, by the name that its lines have.
    pub tenant_id: String,
    /// The first seq that its files lack.
    pub from_seq: u64,
}

/// One of a chain's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DamagedPart {
    /// The one of its lines.
    Lines,
    /// The store of its evidence.
    Evidence,
}

/// A chain whose end can't be proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldChain {
    /// Its name.
    pub chain: String,
    /// The first seq that may be lost.
    pub from_seq: u64,
}

/// Somebody ordered that lines are put back behind a held chain's end, or that the chain goes on. Written
/// before it is done, so that nothing is restored by nobody, and the chain can name the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairOrdered {
    /// Whose chain.
    pub tenant_id: TenantId,
    /// A fresh id of this order.
    pub repair_id: Uuid,
    /// The first seq in doubt.
    pub from_seq: u64,
    /// How many lines were given to be put back, of which none is yet; the chain stays held. Absent for
    /// the order that lets it go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
    /// The end that the chain has, and goes on from; absent where nothing of it is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_to: Option<RestoredTo>,
    /// The chains that stood in.
    pub stood_in: Vec<String>,
    /// Entries may be lost, and whoever ordered it knows.
    pub loss_accepted: bool,
    /// Who ordered it.
    pub by: String,
}

/// The last entry that could be restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredTo {
    /// Its place.
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
}

/// The host's own chain was held and goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRepaired {
    /// The chain, with the first seq that was in doubt.
    #[serde(flatten)]
    pub held: HeldChain,
    /// How many entries from there on were restored as they had been.
    pub restored: u64,
    /// Entries may be lost, and whoever ordered it knows.
    pub loss_accepted: bool,
    /// Who ordered it.
    pub by: String,
}
