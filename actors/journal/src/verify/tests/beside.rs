//! What a second source shows that the file alone does not: known entries, and another copy.

use serde_json::json;

use super::*;
use crate::proof::checkpoint::{Checkpoint, OpaqueId, Origin};
use crate::proof::merkle::{Frontier, leaf_hash};

fn heads(lines: &[Vec<u8>]) -> Vec<Head> {
    let mut heads = Vec::new();
    verify_each(lines.concat().as_slice(), |passed| heads.push(passed.entry)).unwrap();
    assert_eq!(heads.len(), lines.len(), "a good chain");
    heads
}

/// A chain of six, and the same one as somebody wrote it anew from entry 3 on.
fn chains() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let payloads: Vec<Value> = (0..6).map(|n| json!({ "n": n })).collect();
    let mut forged = payloads.clone();
    forged[3] = json!({ "n": "another" });
    (chain(&payloads), chain(&forged))
}

fn judged(lines: &[Vec<u8>], known: &[Head]) -> (VerifyReport, u64) {
    let mut known = Known::new(known.iter().copied());
    let report = verify_each(lines.concat().as_slice(), |passed| known.compare(&passed));
    (known.conclude(report.unwrap()), known.open_from())
}

fn named(report: &VerifyReport) -> (Option<&'static str>, Option<u64>) {
    (report.kind, report.divergent_seq)
}

#[test]
fn a_receipt_shows_that_a_chain_was_written_anew() {
    let (good, forged) = chains();
    let receipts = heads(&good);
    assert!(judged(&good, &receipts).0.ok);
    let (report, open_from) = judged(&forged, &[receipts[5], receipts[1], receipts[4]]);
    assert_eq!((named(&report), open_from), ((Some("receipt"), Some(4)), 2));
    assert_eq!(report.expected_hash, Some(receipts[4].hash_hex()));
    assert_eq!(report.observed_hash, Some(heads(&forged)[4].hash_hex()));
    let (report, open_from) = judged(&forged, &receipts[..3]);
    assert!(report.ok, "what is known lies before the forgery");
    assert_eq!(open_from, 3);
}

#[test]
fn a_receipt_beyond_the_end_shows_that_it_was_cut_off() {
    let (good, forged) = chains();
    let receipts = heads(&good);
    let (report, _) = judged(&good[..4], &[receipts[2], receipts[5]]);
    assert_eq!(named(&report), (Some("truncated"), Some(4)));
    assert_eq!(report.expected_hash, Some(receipts[5].hash_hex()));
    let (report, _) = judged(&[], &receipts);
    assert_eq!(named(&report), (Some("truncated"), Some(0)));
    // Both at once: what comes first is named.
    let (report, _) = judged(&forged[..5], &receipts);
    assert_eq!(named(&report), (Some("receipt"), Some(3)));
}

#[test]
fn the_first_of_several_faults_is_named() {
    let (mut good, mut forged) = chains();
    let receipts = heads(&good);
    good[2][5] ^= 1;
    assert_eq!(judged(&good, &receipts).0.divergent_seq, Some(2));
    assert_ne!(judged(&good, &receipts).0.kind, Some("receipt"));
    forged[4][5] ^= 1;
    let (report, open_from) = judged(&forged, &receipts);
    assert_eq!((named(&report), open_from), ((Some("receipt"), Some(3)), 3));
}

/// One host gave two receipts for one place: whichever chain it shows, it broke its word.
#[test]
fn receipts_that_contradict_each_other_are_never_both_kept() {
    let (good, forged) = chains();
    let both = [heads(&good)[4], heads(&forged)[4]];
    for chain in [&good, &forged] {
        assert_eq!(named(&judged(chain, &both).0), (Some("receipt"), Some(4)));
    }
}

fn compared(file: &[Vec<u8>], mirror: &[Vec<u8>]) -> Comparison {
    let mut shown = 0;
    let (text, other) = (file.concat(), mirror.concat());
    let found = compare(text.as_slice(), other.as_slice(), |_| shown += 1).unwrap();
    assert_eq!(shown, found.file.entries);
    assert_eq!(found.file, verify_lines(text.as_slice()).unwrap());
    assert_eq!(found.mirror, verify_lines(other.as_slice()).unwrap());
    found
}

#[test]
fn two_copies_part_at_the_first_other_entry() {
    let (good, forged) = chains();
    assert!(compared(&good, &good).verdict().ok);
    let report = compared(&forged, &good).verdict();
    assert_eq!(named(&report), (Some("mirror"), Some(3)));
    assert_eq!(report.expected_hash, Some(heads(&good)[3].hash_hex()));
    assert_eq!(report.observed_hash, Some(heads(&forged)[3].hash_hex()));
}

#[test]
fn the_shorter_copy_is_the_one_that_was_cut() {
    let (good, _) = chains();
    let report = compared(&good[..4], &good).verdict();
    assert_eq!(named(&report), (Some("truncated"), Some(4)));
    assert_eq!(report.expected_hash, Some(heads(&good)[4].hash_hex()));
    assert!(compared(&good, &good[..4]).verdict().ok, "an older mirror");
    assert_eq!(
        named(&compared(&[], &good).verdict()),
        (Some("truncated"), Some(0))
    );
}

#[test]
fn damage_is_named_in_the_copy_that_has_it() {
    let (good, _) = chains();
    let mut bad = good.clone();
    bad[2][5] ^= 1;
    let found = compared(&bad, &good);
    assert_eq!(found.verdict(), found.file);
    assert_eq!(found.missing, Some(heads(&good)[2]));
    let found = compared(&good, &bad);
    assert!(found.verdict().ok && !found.mirror.ok);
    assert_eq!(found.mirror.divergent_seq, Some(2));
}

const OURS: [u8; 16] = [7; 16];

/// A chain that says in its first entry whose it is, and the same one forged from entry 3 on.
fn opened_chains() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let mut payloads = vec![json!({ "opaque_id": OpaqueId::new(OURS).to_string() })];
    payloads.extend((1..6).map(|n| json!({ "n": n })));
    let mut forged = payloads.clone();
    forged[3] = json!({ "n": "another" });
    (chain(&payloads), chain(&forged))
}

fn checkpoint_of(lines: &[Vec<u8>], tenant: [u8; 16]) -> Checkpoint {
    let mut leaves = Frontier::new();
    for line in lines {
        leaves.append(leaf_hash(line.strip_suffix(b"\n").unwrap()));
    }
    Checkpoint {
        origin: Origin::tenant(OpaqueId::new([1; 16]), OpaqueId::new(tenant)),
        size: leaves.size(),
        root: leaves.root(),
    }
}

fn checkpointed(lines: &[Vec<u8>], checkpoint: Checkpoint) -> VerifyReport {
    let mut tree = Checkpointed::new(checkpoint);
    let report = verify_each(lines.concat().as_slice(), |passed| tree.compare(&passed));
    tree.conclude(report.unwrap())
}

#[test]
fn a_checkpoint_shows_an_end_that_was_cut_off_and_a_chain_written_anew() {
    let (good, forged) = opened_chains();
    for size in 0..=good.len() {
        let checkpoint = checkpoint_of(&good[..size], OURS);
        assert!(checkpointed(&good, checkpoint).ok, "{size}");
        let report = checkpointed(&forged, checkpoint);
        assert_eq!(report.ok, size <= 3, "{size}");
        if !report.ok {
            assert_eq!(named(&report), (Some("checkpoint"), None));
            assert_eq!(report.expected_hash, Some(hex::encode(checkpoint.root)));
        }
    }
    let whole = checkpoint_of(&good, OURS);
    for end in 0..whole.size {
        let report = checkpointed(&good[..crate::bytes::index(end)], whole);
        assert_eq!(named(&report), (Some("truncated"), Some(end)));
    }
}

#[test]
fn another_tenants_checkpoint_is_told_apart() {
    let (good, _) = opened_chains();
    let report = checkpointed(&good, checkpoint_of(&good, [8; 16]));
    assert_eq!(named(&report), (Some("another_chain"), None));
    let (unnamed, _) = chains();
    let report = checkpointed(&unnamed, checkpoint_of(&unnamed, OURS));
    assert_eq!(named(&report), (Some("another_chain"), None));
    let mut damaged = good.clone();
    damaged[2][5] ^= 1;
    let report = checkpointed(&damaged, checkpoint_of(&good, [8; 16]));
    assert_eq!(report.divergent_seq, Some(2), "the file's own fault stays");
}
