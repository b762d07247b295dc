//! Proofs: that a leaf is in a tree, and that a tree only grew.
//!
//! A proof is a list of roots of subtrees. Which ones follows from numbers alone, so it is a
//! [`ProofPlan`] first; whoever makes the proof fills it, and whoever checks one makes the same plan
//! and takes neither a hash more nor a hash less than it wants.

use std::io;
use std::ops::Range;

use super::{Frontier, Hash, MAX_SIZE, StoredHashes, empty_root, node_hash, subtree_root};

/// Which subtrees a proof consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofPlan {
    /// The leaves under each hash, in the order of the proof: from the smallest subtree up.
    ranges: Vec<Range<u64>>,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// There is no such proof: the leaf is not in the tree, or the tree is smaller than the old one.
    #[error("there is no proof for these sizes")]
    Sizes,
    /// It has more hashes than it must have, or fewer.
    #[error("the proof has {given} hashes instead of {wanted}")]
    Length {
        /// How many a proof for these sizes has.
        wanted: usize,
        /// How many were given.
        given: usize,
    },
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    Root,
}

impl ProofPlan {
    /// The proof that leaf `index` is in the tree of `size` leaves.
    pub fn inclusion(index: u64, size: u64) -> Result<Self, ProofError> {
        if index >= size || size > MAX_SIZE {
            return Err(ProofError::Sizes);
        }
        let mut whole = 0..size;
        let mut ranges = Vec::new();
        while whole.end - whole.start > 1 {
            let middle = middle(&whole);
            if index < middle {
                ranges.push(middle..whole.end);
                whole.end = middle;
            } else {
                ranges.push(whole.start..middle);
                whole.start = middle;
            }
        }
        ranges.reverse();
        Ok(Self { ranges })
    }

    /// The proof that the tree of `new` leaves begins with the tree of `old` leaves. It is empty if
    /// the two are the same, and if the old one is.
    pub fn consistency(old: u64, new: u64) -> Result<Self, ProofError> {
        if old > new || new > MAX_SIZE {
            return Err(ProofError::Sizes);
        }
        if old == 0 {
            return Ok(Self { ranges: Vec::new() });
        }
        let mut whole = 0..new;
        let mut ranges = Vec::new();
        while old < whole.end {
            let middle = middle(&whole);
            if old <= middle {
                ranges.push(middle..whole.end);
                whole.end = middle;
            } else {
                ranges.push(whole.start..middle);
                whole.start = middle;
            }
        }
        // A perfect old tree is known to whoever checks; its root needs no place in the proof.
        if whole.start > 0 {
            ranges.push(whole);
        }
        ranges.reverse();
        Ok(Self { ranges })
    }

    /// How many hashes the proof has.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether the proof has no hash at all.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The proof from kept hashes: it reads at most the square of the tree's height.
    pub fn read(&self, hashes: &impl StoredHashes) -> io::Result<Vec<Hash>> {
        let roots = self.ranges.iter().map(|range| subtree_root(range, hashes));
        roots.collect()
    }

    /// The proof from all the leaves, one after the other.
    pub fn stream(&self) -> ProofStream {
        let wanted = self.ranges.iter().cloned();
        ProofStream {
            next: 0,
            subtrees: wanted.map(|range| (range, Frontier::new())).collect(),
        }
    }

    fn check_length(&self, proof: &[Hash]) -> Result<(), ProofError> {
        let (wanted, given) = (self.len(), proof.len());
        if wanted == given {
            Ok(())
        } else {
            Err(ProofError::Length { wanted, given })
        }
    }
}

/// A proof in the making, for a tree of which nothing but the leaves is kept.
#[derive(Debug, Clone)]
pub struct ProofStream {
    next: u64,
    subtrees: Vec<(Range<u64>, Frontier)>,
}

impl ProofStream {
    /// Takes the hash of the next leaf; leaves past the tree's end are let go.
    pub fn push(&mut self, leaf: Hash) {
        let at = self.next;
        let mut subtrees = self.subtrees.iter_mut();
        if let Some((_, subtree)) = subtrees.find(|(range, _)| range.contains(&at)) {
            subtree.append(leaf);
        }
        self.next += 1;
    }

    /// The proof; `None` if there were fewer leaves than the tree has.
    pub fn finish(self) -> Option<Vec<Hash>> {
        let root = |(range, subtree): (Range<u64>, Frontier)| {
            (range.end <= self.next).then(|| subtree.root())
        };
        self.subtrees.into_iter().map(root).collect()
    }
}

/// Checks that the leaf of this hash is number `index` of the tree of `size` leaves with this root.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Hash,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    let plan = ProofPlan::inclusion(index, size)?;
    plan.check_length(proof)?;
    let mut computed = *leaf;
    for (range, hash) in plan.ranges.iter().zip(proof) {
        computed = if range.start > index {
            node_hash(&computed, hash)
        } else {
            node_hash(hash, &computed)
        };
    }
    same(&computed, root)
}

/// Checks that the tree `new` (size and root) begins with the tree `old`.
pub fn verify_consistency(
    old: (u64, &Hash),
    new: (u64, &Hash),
    proof: &[Hash],
) -> Result<(), ProofError> {
    let (old_size, old_root) = old;
    let (new_size, new_root) = new;
    let plan = ProofPlan::consistency(old_size, new_size)?;
    plan.check_length(proof)?;
    if old_size == 0 {
        return same(old_root, &empty_root());
    }
    let mut steps = plan.ranges.iter().zip(proof).peekable();
    // The largest subtree that ends where the old tree ends: given, or the old tree itself.
    let shared = steps.next_if(|(range, _)| range.end == old_size);
    let shared = shared.map_or(old_root, |(_, hash)| hash);
    let (mut computed_old, mut computed_new) = (*shared, *shared);
    for (range, hash) in steps {
        if range.start >= old_size {
            computed_new = node_hash(&computed_new, hash);
        } else {
            computed_old = node_hash(hash, &computed_old);
            computed_new = node_hash(hash, &computed_new);
        }
    }
    same(&computed_old, old_root)?;
    same(&computed_new, new_root)
}

/// Where a tree of two leaves or more is divided: at the largest power of two smaller than its size.
fn middle(range: &Range<u64>) -> u64 {
    let len = range.end - range.start;
    range.start + (1 << (len - 1).ilog2())
}

fn same(computed: &Hash, root: &Hash) -> Result<(), ProofError> {
    if computed == root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}
