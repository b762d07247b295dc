//! Trees and proofs against the definition in RFC 6962, written down as it stands there, and against
//! two other implementations.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;

use super::*;

/// MTH of RFC 6962.
fn defined_root(leaves: &[Vec<u8>]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => leaf_hash(leaf),
        _ => {
            let (left, right) = leaves.split_at(divide(leaves.len()));
            node_hash(&defined_root(left), &defined_root(right))
        }
    }
}

/// PATH of RFC 6962.
fn defined_inclusion(index: usize, leaves: &[Vec<u8>]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let middle = divide(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut path, other) = if index < middle {
        (defined_inclusion(index, left), defined_root(right))
    } else {
        (defined_inclusion(index - middle, right), defined_root(left))
    };
    path.push(other);
    path
}

/// SUBPROOF of RFC 6962.
fn defined_consistency(old: usize, leaves: &[Vec<u8>], known: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if known {
            Vec::new()
        } else {
            vec![defined_root(leaves)]
        };
    }
    let middle = divide(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut path, other) = if old <= middle {
        (defined_consistency(old, left, known), defined_root(right))
    } else {
        (
            defined_consistency(old - middle, right, false),
            defined_root(left),
        )
    };
    path.push(other);
    path
}

fn divide(len: usize) -> usize {
    len.next_power_of_two() / 2
}

/// A tree with its leaves and all its hashes as they are kept.
struct Grown {
    leaves: Vec<Vec<u8>>,
    frontier: Frontier,
    stored: Vec<u8>,
}

impl Grown {
    fn new(leaves: Vec<Vec<u8>>) -> Self {
        let (mut frontier, mut stored) = (Frontier::new(), Vec::new());
        for leaf in &leaves {
            frontier.append_storing(leaf_hash(leaf), |hash| stored.extend_from_slice(&hash));
        }
        Self {
            leaves,
            frontier,
            stored,
        }
    }

    fn of(size: u64) -> Self {
        Self::new(
            (0..size)
                .map(|leaf| leaf.to_string().into_bytes())
                .collect(),
        )
    }

    fn kept(&self) -> Kept<'_> {
        Kept(&self.stored)
    }

    fn size(&self) -> u64 {
        self.frontier.size()
    }
}

struct Kept<'a>(&'a [u8]);

impl StoredHashes for Kept<'_> {
    fn hash(&self, index: u64) -> io::Result<Hash> {
        let at = crate::bytes::index(index * 32);
        let hash = crate::bytes::array_at(self.0, at);
        hash.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

impl tlog_tiles::HashReader for Kept<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        let read = |index: &u64| tlog_tiles::Hash(self.hash(*index).unwrap());
        Ok(indexes.iter().map(read).collect())
    }
}

/// Leaves of which no two are the same, so that each has one place.
fn leaves(most: usize) -> impl Strategy<Value = Vec<Vec<u8>>> {
    let leaves = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..most);
    leaves.prop_map(|leaves| {
        let numbered = leaves.into_iter().enumerate();
        numbered
            .map(|(number, leaf)| [number.to_le_bytes().as_slice(), &leaf].concat())
            .collect()
    })
}

fn flat(proof: &[Hash]) -> Vec<u8> {
    proof.concat()
}

#[test]
fn the_published_tree_of_eight_leaves_has_its_published_roots() {
    let leaves = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let leaves: Vec<_> = leaves
        .iter()
        .map(|leaf| hex::decode(leaf).unwrap())
        .collect();
    let root = |size: usize| hex::encode(Grown::new(leaves[..size].to_vec()).frontier.root());
    assert_eq!(
        root(0),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    assert_eq!(
        root(1),
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    );
    assert_eq!(
        root(8),
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    );
}

#[test]
fn every_small_tree_agrees_with_the_definition_and_with_the_other_two() {
    for size in 1..=40_u64 {
        let tree = Grown::of(size);
        let root = defined_root(&tree.leaves);
        assert_eq!(tree.frontier.root(), root);
        assert_eq!(tlog_tiles::tree_hash(size, &tree.kept()).unwrap().0, root);
        let mut other = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        tree.leaves
            .iter()
            .cloned()
            .for_each(|leaf| other.push(leaf));
        assert_eq!(other.root().as_bytes().as_slice(), root);
        assert_eq!(
            stored_count(size) * 32,
            crate::bytes::wide(tree.stored.len())
        );
        let edge = Frontier::from_stored(size, &tree.kept()).unwrap();
        assert_eq!(edge, tree.frontier);
        for index in 0..size {
            let at = crate::bytes::index(index);
            let proof = ProofPlan::inclusion(index, size)
                .unwrap()
                .read(&tree.kept())
                .unwrap();
            assert_eq!(proof, defined_inclusion(at, &tree.leaves));
            assert_eq!(other.prove_inclusion(at).as_bytes(), flat(&proof));
            let leaf = leaf_hash(&tree.leaves[at]);
            verify_inclusion(index, size, &leaf, &proof, &root).unwrap();
        }
        for old in 1..size {
            let at = crate::bytes::index(old);
            let proof = ProofPlan::consistency(old, size)
                .unwrap()
                .read(&tree.kept())
                .unwrap();
            assert_eq!(proof, defined_consistency(at, &tree.leaves, true));
            let theirs = other.prove_consistency(crate::bytes::index(size - old));
            assert_eq!(theirs.as_bytes(), flat(&proof));
            let theirs = tlog_tiles::prove_tree(size, old, &tree.kept()).unwrap();
            assert_eq!(theirs.iter().map(|hash| hash.0).collect::<Vec<_>>(), proof);
            let old_root = defined_root(&tree.leaves[..at]);
            verify_consistency((old, &old_root), (size, &root), &proof).unwrap();
        }
    }
}

#[test]
fn the_order_of_kept_hashes_is_the_usual_one() {
    for level in 0..12 {
        for n in 0..300 {
            let theirs = tlog_tiles::stored_hash_index(u8::try_from(level).unwrap(), n);
            assert_eq!(stored_index(level, n), theirs);
        }
    }
}

#[test]
fn sizes_at_the_limit_do_not_overflow() {
    let proof = vec![[0; 32]; 62];
    let root = [1; 32];
    let last = MAX_SIZE - 1;
    let wrong = verify_inclusion(last, MAX_SIZE, &[2; 32], &proof, &root);
    assert_eq!(wrong, Err(ProofError::Root));
    assert_eq!(
        ProofPlan::inclusion(0, MAX_SIZE + 1),
        Err(ProofError::Sizes)
    );
    assert_eq!(
        ProofPlan::inclusion(u64::MAX, u64::MAX),
        Err(ProofError::Sizes)
    );
    assert_eq!(ProofPlan::consistency(1, u64::MAX), Err(ProofError::Sizes));
    assert_eq!(ProofPlan::consistency(2, 1), Err(ProofError::Sizes));
    assert_eq!(ProofPlan::consistency(last, MAX_SIZE).unwrap().len(), 63);
    assert_eq!(stored_index(0, last), stored_count(last));
    assert_eq!(stored_index(62, 0) + 1, stored_count(MAX_SIZE));
}

#[test]
fn a_proof_from_or_to_the_same_tree_is_empty() {
    let root = Grown::of(5).frontier.root();
    verify_consistency((5, &root), (5, &root), &[]).unwrap();
    verify_consistency((0, &empty_root()), (5, &root), &[]).unwrap();
    verify_consistency((0, &empty_root()), (0, &empty_root()), &[]).unwrap();
    let other = [9; 32];
    assert_eq!(
        verify_consistency((5, &other), (5, &root), &[]),
        Err(ProofError::Root)
    );
    assert_eq!(
        verify_consistency((0, &other), (5, &root), &[]),
        Err(ProofError::Root)
    );
    let long = Err(ProofError::Length {
        wanted: 0,
        given: 1,
    });
    assert_eq!(
        verify_consistency((0, &empty_root()), (5, &root), &[root]),
        long
    );
    assert_eq!(verify_consistency((5, &root), (5, &root), &[root]), long);
}

#[test]
fn a_missing_hash_is_an_error_and_no_proof() {
    let tree = Grown::of(9);
    let cut = Kept(&tree.stored[..tree.stored.len() - 1]);
    let plan = ProofPlan::inclusion(0, 9).unwrap();
    assert_eq!(
        plan.read(&cut).unwrap_err().kind(),
        io::ErrorKind::UnexpectedEof
    );
}

proptest! {
    #[test]
    fn a_proof_from_a_stream_is_that_from_kept_hashes(
        leaves in leaves(200), index in any::<prop::sample::Index>(), more in 0_u64..3,
    ) {
        let tree = Grown::new(leaves);
        let index = crate::bytes::wide(index.index(tree.leaves.len()));
        for plan in [
            ProofPlan::inclusion(index, tree.size()).unwrap(),
            ProofPlan::consistency(index, tree.size()).unwrap(),
        ] {
            let mut stream = plan.stream();
            for leaf in &tree.leaves[..tree.leaves.len() - 1] {
                stream.push(leaf_hash(leaf));
            }
            let short = stream.clone().finish();
            // Only a proof that does not look at the last leaf can do without it.
            prop_assert!(short.is_none() || index == 0 || index + 1 == tree.size());
            stream.push(leaf_hash(tree.leaves.last().unwrap()));
            (0..more).for_each(|_| stream.push([0; 32]));
            prop_assert_eq!(stream.finish().unwrap(), plan.read(&tree.kept()).unwrap());
        }
    }

    #[test]
    fn a_changed_inclusion_proof_is_refused(
        leaves in leaves(100), index in any::<prop::sample::Index>(),
        hash in any::<prop::sample::Index>(), bit in 0_usize..256, change in 0_u8..6,
    ) {
        let tree = Grown::new(leaves);
        let size = tree.size();
        let at = index.index(tree.leaves.len());
        let (mut index, mut of) = (crate::bytes::wide(at), size);
        let mut leaf = leaf_hash(&tree.leaves[at]);
        let mut root = tree.frontier.root();
        let mut proof = ProofPlan::inclusion(index, size).unwrap().read(&tree.kept()).unwrap();
        prop_assert!(verify_inclusion(index, of, &leaf, &proof, &root).is_ok());
        match change {
            0 if !proof.is_empty() => {
                let hash = hash.index(proof.len());
                proof[hash][bit / 8] ^= 1 << (bit % 8);
            }
            1 => proof.push(root),
            2 if !proof.is_empty() => drop(proof.remove(hash.index(proof.len()))),
            3 => index ^= 1 << (bit % 7),
            4 => leaf[bit / 8] ^= 1 << (bit % 8),
            // Another size is another claim; some sizes have a proof of the same shape, for which
            // the root alone decides, so the root is what changes with it.
            5 => {
                of += 1 + crate::bytes::wide(bit);
                root = Grown::new([tree.leaves, vec![vec![7]]].concat()).frontier.root();
            }
            _ => root[bit / 8] ^= 1 << (bit % 8),
        }
        prop_assert!(verify_inclusion(index, of, &leaf, &proof, &root).is_err());
    }

    #[test]
    fn a_changed_consistency_proof_is_refused(
        leaves in leaves(100), old in any::<prop::sample::Index>(),
        hash in any::<prop::sample::Index>(), bit in 0_usize..256, change in 0_u8..5,
    ) {
        let tree = Grown::new(leaves);
        let new = tree.size();
        let at = old.index(tree.leaves.len()) + 1;
        let old = crate::bytes::wide(at);
        let mut old_root = defined_root(&tree.leaves[..at]);
        let mut root = tree.frontier.root();
        let mut proof = ProofPlan::consistency(old, new).unwrap().read(&tree.kept()).unwrap();
        prop_assert!(verify_consistency((old, &old_root), (new, &root), &proof).is_ok());
        match change {
            0 if !proof.is_empty() => {
                let hash = hash.index(proof.len());
                proof[hash][bit / 8] ^= 1 << (bit % 8);
            }
            1 => proof.push(root),
            2 if !proof.is_empty() => drop(proof.remove(hash.index(proof.len()))),
            3 => old_root[bit / 8] ^= 1 << (bit % 8),
            _ => root[bit / 8] ^= 1 << (bit % 8),
        }
        prop_assert!(verify_consistency((old, &old_root), (new, &root), &proof).is_err());
    }

    /// Hostile proofs: whatever is accepted, the other implementation accepts too.
    #[test]
    fn what_is_accepted_for_any_sizes_is_accepted_by_another(
        old in 1_u64..70, new in 1_u64..70, proof in prop::collection::vec(0_u8..4, 0..8),
        roots in (0_u8..4, 0_u8..4),
    ) {
        let proof: Vec<Hash> = proof.into_iter().map(|byte| [byte; 32]).collect();
        let (old_root, root) = ([roots.0; 32], [roots.1; 32]);
        let ours = verify_consistency((old, &old_root), (new, &root), &proof).is_ok();
        let theirs: Vec<_> = proof.iter().map(|hash| tlog_tiles::Hash(*hash)).collect();
        let theirs = tlog_tiles::check_tree(
            &theirs, new, tlog_tiles::Hash(root), old, tlog_tiles::Hash(old_root),
        );
        prop_assert_eq!(ours, theirs.is_ok());
    }

    #[test]
    fn a_frontier_survives_its_encoding_and_nothing_else_decodes(
        size in 0_u64..300, cut in any::<prop::sample::Index>(), noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let frontier = Grown::of(size).frontier;
        let bytes = frontier.encode();
        prop_assert_eq!(Frontier::decode(&bytes), Some(frontier));
        prop_assert_eq!(Frontier::decode(&bytes[..cut.index(bytes.len())]), None);
        prop_assert_eq!(Frontier::decode(&[bytes.as_slice(), &[0]].concat()), None);
        if let Some(read) = Frontier::decode(&noise) {
            prop_assert_eq!(read.encode(), noise);
        }
    }
}
