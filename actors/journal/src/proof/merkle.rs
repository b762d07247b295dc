//! The Merkle tree of RFC 6962 over a growing list of leaves, and the order its hashes are kept in.
//!
//! A [`Frontier`] is all that appending needs: the roots of the perfect trees that the leaves so far
//! fall into, largest first. Where proofs are wanted of a tree too large to hash again, every hash
//! is kept once, in the order in which it comes to be: a leaf, then each parent that it completes.
//! Nothing that was written in this order is ever written again.

use std::io;
use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::bytes::u64_at;

mod proof;

pub use proof::{ProofError, ProofPlan, ProofStream, verify_consistency, verify_inclusion};

/// A SHA-256: of a leaf, of a node, or of a whole tree.
pub type Hash = [u8; 32];

/// Most leaves of a tree that is read from anywhere. It leaves room for every sum made of sizes, and
/// no tree that grows by one leaf at a time can get there.
pub const MAX_SIZE: u64 = 1 << 62;

const HASH: usize = 32;
const SIZE: usize = 8;

/// The hash of a leaf: SHA-256 of a zero byte and the leaf.
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0]);
    hasher.update(leaf);
    hasher.finalize().into()
}

/// The hash of a node: SHA-256 of a one byte and the hashes of its two children.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([1]);
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}

/// The root of a tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The right edge of a tree: enough to append to it and to know its root, in one hash a level.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// One a set bit of `size`, the root of the largest perfect tree first.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf, given by its [`leaf_hash`].
    pub fn append(&mut self, leaf: Hash) {
        self.append_storing(leaf, |_unkept| {});
    }

    /// Appends a leaf and hands out the hashes to keep, in the order of [`stored_index`].
    pub fn append_storing(&mut self, leaf: Hash, mut store: impl FnMut(Hash)) {
        store(leaf);
        let mut hash = leaf;
        let completed = self.size.trailing_ones();
        for _ in 0..completed {
            // There is a peak for each set bit.
            let Some(left) = self.peaks.pop() else { break };
            hash = node_hash(&left, &hash);
            store(hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        root_of_peaks(&self.peaks)
    }

    /// The size as eight bytes, little end first, and the peaks.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SIZE + self.peaks.len() * HASH);
        bytes.extend_from_slice(&self.size.to_le_bytes());
        for peak in &self.peaks {
            bytes.extend_from_slice(peak);
        }
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote; `None` for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let size = u64_at(bytes, 0).filter(|size| *size <= MAX_SIZE)?;
        let (peaks, rest) = bytes.get(SIZE..)?.as_chunks::<HASH>();
        let complete = rest.is_empty() && peaks.len() == bits(size);
        complete.then(|| Self {
            size,
            peaks: peaks.to_vec(),
        })
    }

    /// The edge of the first `size` leaves of a tree whose hashes are kept.
    pub fn from_stored(size: u64, hashes: &impl StoredHashes) -> io::Result<Self> {
        Ok(Self {
            size,
            peaks: read_peaks(&(0..size), hashes)?,
        })
    }
}

/// Where the hashes of a tree are kept.
pub trait StoredHashes {
    /// The hash at this place of the order that [`stored_index`] gives.
    fn hash(&self, index: u64) -> io::Result<Hash>;
}

/// The place of a hash: of the `n`-th perfect tree with two to the power of `level` leaves.
///
/// It comes right after the tree's last leaf and the smaller trees that end with the same leaf.
/// Before that leaf, number `last`, stand all the hashes of `last` leaves.
pub fn stored_index(level: u32, n: u64) -> u64 {
    let last = ((n + 1) << level) - 1;
    stored_count(last) + u64::from(level)
}

/// How many hashes are kept for a tree: one a leaf, and one less for each of its perfect trees.
pub fn stored_count(size: u64) -> u64 {
    2 * size - u64::from(size.count_ones())
}

/// The root of the leaves in `range`, which begins at a multiple of a power of two that is no
/// smaller than its length: every subtree that RFC 6962 speaks of does.
fn subtree_root(range: &Range<u64>, hashes: &impl StoredHashes) -> io::Result<Hash> {
    Ok(root_of_peaks(&read_peaks(range, hashes)?))
}

fn read_peaks(range: &Range<u64>, hashes: &impl StoredHashes) -> io::Result<Vec<Hash>> {
    let len = range.end - range.start;
    let mut at = range.start;
    let mut peaks = Vec::with_capacity(bits(len));
    for level in (0..u64::BITS).rev().filter(|level| len >> level & 1 == 1) {
        peaks.push(hashes.hash(stored_index(level, at >> level))?);
        at += 1 << level;
    }
    Ok(peaks)
}

fn root_of_peaks(peaks: &[Hash]) -> Hash {
    let join = |right: Hash, left: &Hash| node_hash(left, &right);
    match peaks.split_last() {
        None => empty_root(),
        Some((smallest, larger)) => larger.iter().rev().fold(*smallest, join),
    }
}

fn bits(size: u64) -> usize {
    crate::bytes::index(u64::from(size.count_ones()))
}

#[cfg(test)]
mod tests;
