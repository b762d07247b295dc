//! What stands on chains about a tenant whose chain was held, and is repaired.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{AlertReceived, IntakeRejected};
use crate::{digest::Digest, ids::AlertId};

/// The end of a held chain, as the first entry of its successor cites it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandsFor {
    /// The held chain.
    pub chain: String,
    /// Its last proven entry; absent where none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// That entry's hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Digest>,
}

/// The place of an entry on the chain that stood in for a held one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldReceipt {
    /// That chain.
    pub chain: String,
    /// The entry.
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
    /// Why what was kept beside it there did not come along whole; absent where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence_lost: Option<EvidenceLost>,
}

/// Why the evidence of an entry that was taken over cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceLost {
    /// What is left of it does not prove itself, or is gone without an order.
    Damaged,
    /// It was erased there, once an earlier repair had taken it over.
    Erased,
}

/// A chain that stood in could not be read to its end (`takeover.incomplete`): what could be is taken over,
/// the rest stays there, and its senders' receipts name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakeoverIncomplete {
    /// That chain.
    pub chain: String,
    /// How many of its entries may be missing here: those that say nothing of an alert are among them.
    pub missing: u64,
    /// The first that could not be read, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_seq: Option<u64>,
}

/// A held chain goes on (`journal.repaired`): the first entry behind its restored end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalRepaired {
    /// The order that led to it, as on the host's chain.
    pub repair_id: Uuid,
    /// The first seq that was in doubt.
    pub from_seq: u64,
    /// How many entries from there on were restored as they had been.
    pub restored: u64,
    /// Whoever ordered it accepted that entries may be lost: their receipts match no longer.
    pub loss_accepted: bool,
    /// The chains that stood in, in the order in which their entries follow here.
    pub held: Vec<StoodIn>,
    /// Who ordered it.
    pub by: String,
}

/// A chain that stood in for a held one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoodIn {
    /// Its name.
    pub chain: String,
    /// Its last entry; none where nothing is left of it that proves itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// That entry's hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Digest>,
    /// How many of its entries are taken over.
    pub waiting: u64,
}

/// An entry of a chain that stood in, to be taken over. Each cites its held receipt.
#[derive(Clone, Debug)]
pub enum TakeOver {
    /// An alert.
    Alert {
        /// Our id.
        alert_id: AlertId,
        /// The facts.
        received: Box<AlertReceived>,
    },
    /// A body of which no alert was made.
    Rejected(IntakeRejected),
}

impl TakeOver {
    /// Where it was kept.
    pub const fn held_receipt(&self) -> Option<&HeldReceipt> {
        match self {
            Self::Alert { received, .. } => received.held_receipt.as_ref(),
            Self::Rejected(rejected) => rejected.held_receipt.as_ref(),
        }
    }
}
