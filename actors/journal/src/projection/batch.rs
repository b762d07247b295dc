//! What is written at once.

use std::sync::Arc;

use crate::journal::Head;

/// Rows, and the entries that the chains stand at with them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Written in order; a later one replaces an earlier one of the same place.
    pub puts: Vec<Put>,
    /// (chain, its last entry that is in). It must be durable in the journal by now.
    pub applied: Vec<(Arc<str>, Head)>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// An alert, under its chain and id.
    Alert {
        /// Its chain.
        chain: Arc<str>,
        /// Its id.
        alert_id: [u8; 16],
        /// When it was received, in milliseconds since 1970; places it in the listing.
        received_ms: u64,
        /// Opaque.
        value: Vec<u8>,
    },
    /// An idempotency claim, under its chain and key.
    Claim {
        /// Its chain.
        chain: Arc<str>,
        /// Its key, a digest.
        key: [u8; 32],
        /// Opaque.
        value: Vec<u8>,
        /// From when on it does not count any more, in milliseconds since 1970.
        expires_ms: u64,
    },
    /// The state of a chain, one a chain.
    Snapshot {
        /// The chain.
        chain: Arc<str>,
        /// The format of the value.
        version: u32,
        /// The last entry in it.
        at: Head,
        /// Opaque.
        value: Vec<u8>,
    },
}
