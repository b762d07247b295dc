//! The files of the host log: what a crash leaves is cut, and what is damaged is noticed.

use super::*;
use crate::proof::merkle::ProofPlan;

fn deployment() -> OpaqueId {
    OpaqueId::new([3; 16])
}

fn leaf(number: u8) -> HostLeaf {
    HostLeaf {
        opaque_id: OpaqueId::new([number; 16]),
        size: u64::from(number) + 1,
        root: [number; 32],
    }
}

fn open(folder: &Path, head: (u64, Hash)) -> Result<HostLog, StoreError> {
    HostLog::open(folder, deployment(), head.0, &head.1)
}

/// A log of nine leaves, and how it stood at five.
fn grown(folder: &Path) -> ((u64, Hash), (u64, Hash)) {
    let mut log = open(folder, (0, crate::proof::merkle::empty_root())).unwrap();
    log.append(&[leaf(0), leaf(1), leaf(2), leaf(3), leaf(4)])
        .unwrap();
    let five = log.head();
    log.append(&[leaf(5), leaf(6), leaf(7), leaf(8)]).unwrap();
    (five, log.head())
}

#[test]
fn a_leaf_is_three_lines() {
    let text =
        "07070707070707070707070707070707\n8\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n";
    assert_eq!(leaf(7).text(), text);
    assert_eq!(leaf(7).hash(), leaf_hash(text.as_bytes()));
    assert_eq!(HostLeaf::decode(&leaf(7).encode()), Some(leaf(7)));
    let mut odd = leaf(7).encode();
    odd[RECORD - 1] = 1;
    assert_eq!(HostLeaf::decode(&odd), None);
}

#[test]
fn what_was_not_signed_is_cut_and_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let (five, nine) = grown(folder.path());
    let mut log = open(folder.path(), five).unwrap();
    assert_eq!(log.head(), five);
    log.append(&[leaf(5), leaf(6), leaf(7), leaf(8)]).unwrap();
    assert_eq!(log.head(), nine);
    assert_eq!(open(folder.path(), nine).unwrap().head(), nine);
}

#[test]
fn damaged_hashes_are_made_anew_from_the_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let (_, nine) = grown(folder.path());
    let path = hashes_path(folder.path(), deployment());
    let good = fs::read(&path).unwrap();
    let proof = |log: &HostLog| ProofPlan::inclusion(3, 9).unwrap().read(log).unwrap();
    let wanted = proof(&open(folder.path(), nine).unwrap());
    // The root of the first eight leaves is one of the hashes that a start looks at.
    let mut flipped = good.clone();
    flipped[14 * HASH] ^= 1;
    for damaged in [&good[..good.len() - 1], &[], &flipped] {
        fs::write(&path, damaged).unwrap();
        let log = open(folder.path(), nine).unwrap();
        assert_eq!(proof(&log), wanted);
        assert_eq!(fs::read(&path).unwrap(), good);
    }
}

#[test]
fn damaged_leaves_are_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let (_, nine) = grown(folder.path());
    let leaves = leaves_path(folder.path(), deployment());
    let good = fs::read(&leaves).unwrap();
    fs::write(&leaves, &good[..good.len() - 1]).unwrap();
    assert!(matches!(
        open(folder.path(), nine),
        Err(StoreError::Damaged(_))
    ));
    // With whole hashes a changed leaf goes unseen until the hashes are needed anew.
    let mut flipped = good.clone();
    flipped[20] ^= 1;
    fs::write(&leaves, flipped).unwrap();
    fs::write(hashes_path(folder.path(), deployment()), []).unwrap();
    assert!(matches!(
        open(folder.path(), nine),
        Err(StoreError::Damaged(_))
    ));
    fs::write(&leaves, good).unwrap();
    open(folder.path(), nine).unwrap();
}
