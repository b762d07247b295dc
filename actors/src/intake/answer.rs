//! What a sender waits for.

use std::sync::{Arc, OnceLock};

use vyrox_domain::{digest::Digest, ids::AlertId};
use vyrox_journal::Receipt;

use crate::messages::Accepted;

/// The answer for one alert of a body, from the decision until its entry is durable.
pub(super) enum Answer {
    /// It is new.
    Fresh {
        /// Which of the append's drafts is its entry.
        index: usize,
        /// Our id.
        alert_id: AlertId,
        /// Where the entry's hash goes, for repeats that wait for it.
        hash: Arc<OnceLock<Digest>>,
        /// The chain, where it stands in for the tenant's own.
        held: Option<Arc<str>>,
    },
    /// It came in before, as this entry.
    Repeat {
        /// Our id.
        alert_id: AlertId,
        /// Where its entry stands.
        seq: u64,
        /// The entry's hash, set once it is durable.
        hash: Arc<OnceLock<Digest>>,
        /// The chain that it is on, where that stands in for the tenant's own.
        held: Option<Arc<str>>,
    },
}

impl Answer {
    /// What the sender is told, by the receipts of the append; `None` for a repeat of what never
    /// became durable.
    pub(super) fn accepted(&self, receipts: &[Receipt]) -> Option<Accepted> {
        match self {
            Self::Fresh {
                index,
                alert_id,
                hash,
                held,
            } => {
                let receipt = receipts.get(*index)?;
                let entry_hash = *hash.get_or_init(|| Digest(receipt.hash));
                let (alert_id, seq) = (*alert_id, receipt.seq);
                Some(Accepted {
                    alert_id,
                    duplicate: false,
                    seq,
                    hash: entry_hash,
                    held: held.clone(),
                })
            }
            // Callbacks run in the order of the chain, so the first one's has set the hash.
            Self::Repeat {
                alert_id,
                seq,
                hash,
                held,
            } => {
                let (alert_id, seq, hash) = (*alert_id, *seq, *hash.get()?);
                Some(Accepted {
                    alert_id,
                    duplicate: true,
                    seq,
                    hash,
                    held: held.clone(),
                })
            }
        }
    }
}
