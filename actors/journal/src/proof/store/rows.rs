//! The rows of the database, and what they are read as.

use super::super::checkpoint::OpaqueId;
use super::super::merkle::{Frontier, Hash};
use super::super::note::{NoteSignature, VerifierKey};

/// Opaque id, number of the last leaf, hash of the last line, frontier.
pub(super) type ChainRow = (&'static [u8; 16], u64, &'static [u8; 32], &'static [u8]);
pub(super) type CosignatureRow = (u64, u64, &'static str);
pub(super) type KeyRow = (u64, &'static str, &'static str);

/// The number of the last leaf of a chain that has none in this log.
pub(super) const NO_LEAF: u64 = u64::MAX;

/// What is signed of one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct ChainRecord {
    pub(in super::super) opaque_id: OpaqueId,
    /// Its tree.
    pub(in super::super) frontier: Frontier,
    /// The leaf hash of its last line.
    pub(in super::super) last_line: Hash,
    /// The number of its last leaf in the host log; none after a rebase.
    pub(in super::super) leaf: Option<u64>,
}

/// A witness's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Kept {
    pub(in super::super) key: VerifierKey,
    /// The size of the checkpoint.
    pub(in super::super) size: u64,
    /// When, in unix seconds.
    pub(in super::super) time: u64,
    pub(in super::super) line: NoteSignature,
}

/// A key of the log, in the order in which they came to be in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInForce {
    /// The key.
    pub key: VerifierKey,
    /// Since when, in unix milliseconds; 0 for the first.
    pub since_ms: u64,
    /// The signed note that put it in force; none for the first.
    pub statement: Option<String>,
}

/// The key before the one in force, while both sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Overlap {
    pub(in super::super) public_key: [u8; 32],
    pub(in super::super) until_ms: u64,
}

impl ChainRecord {
    pub(super) fn of(row: (&[u8; 16], u64, &[u8; 32], &[u8])) -> Option<Self> {
        let (opaque_id, leaf, last_line, frontier) = row;
        Some(Self {
            opaque_id: OpaqueId::new(*opaque_id),
            frontier: Frontier::decode(frontier)?,
            last_line: *last_line,
            leaf: (leaf != NO_LEAF).then_some(leaf),
        })
    }
}

impl Kept {
    pub(super) fn of(key: &str, (size, time, line): (u64, u64, &str)) -> Option<Self> {
        Some(Self {
            key: VerifierKey::parse(key).ok()?,
            size,
            time,
            line: NoteSignature::parse_lines(line).ok()?.pop()?,
        })
    }
}

impl KeyInForce {
    pub(super) fn of((since_ms, key, statement): (u64, &str, &str)) -> Option<Self> {
        Some(Self {
            key: VerifierKey::parse(key).ok()?,
            since_ms,
            statement: (!statement.is_empty()).then(|| statement.to_owned()),
        })
    }
}

impl Overlap {
    pub(super) fn encode(&self) -> Vec<u8> {
        [self.public_key.as_slice(), &self.until_ms.to_le_bytes()].concat()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (public_key, until_ms) = bytes.split_first_chunk()?;
        Some(Self {
            public_key: *public_key,
            until_ms: u64::from_le_bytes(until_ms.try_into().ok()?),
        })
    }
}
