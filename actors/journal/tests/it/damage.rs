//! Torn, flipped, lost and shortened bytes on a copy of a crashed journal's directory: unfinished
//! batches are cut, damage is held, and nothing acknowledged goes missing silently.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use vyrox_journal::{AppendError, Journal, JournalError, Receipt};

use crate::modes::check_private;
use crate::support::{
    Client, active_segment, check_nothing_lost, copy, crash_image, draft_with, held_from, lines,
    open, segment_ids,
};

const SECTOR: usize = 512;
const CHAINS: [&str; 3] = ["acme", "globex", "initech"];

/// A crashed journal: its directory before and after its last batch, and what was acknowledged.
struct Crashed {
    before: tempfile::TempDir,
    after: tempfile::TempDir,
    receipts: Vec<(&'static str, Vec<Receipt>)>,
}

fn crashed() -> Crashed {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut clients = CHAINS.map(|chain| Client::open(&journal, chain));
    let mut receipts: Vec<_> = CHAINS.map(|chain| (chain, Vec::new())).into();
    for round in 0..6_u8 {
        for (client, (_, receipts)) in clients.iter_mut().zip(&mut receipts) {
            let size = usize::from(round) * 700;
            let drafts = vec![draft_with(&[vec![round; size]]), draft_with(&[])];
            receipts.extend(client.append(drafts).unwrap());
        }
        if round == 2 {
            journal.flush("acme").unwrap();
        }
    }
    let before = crash_image(&journal, dir.path());
    clients[1]
        .append(vec![draft_with(&[vec![9; 6000]])])
        .unwrap();
    let after = crash_image(&journal, dir.path());
    Crashed {
        before,
        after,
        receipts,
    }
}

/// Writes a changed segment into a copy of the directory and checks what a start makes of it.
fn start(from: &Path, segment: &[u8], receipts: &[(&str, Vec<Receipt>)]) -> (bool, bool, bool) {
    let dir = tempfile::tempdir().unwrap();
    copy(from, dir.path()).unwrap();
    fs::write(active_segment(dir.path()), segment).unwrap();
    let journal = open(dir.path());
    let summary = journal.status().recovered.unwrap();
    for (chain, receipts) in receipts {
        check_nothing_lost(&journal, chain, receipts);
    }
    check_holds(&journal);
    journal.close().unwrap();
    drop(journal);
    // A second start comes to the same result.
    let again = open(dir.path());
    let second = again.status().recovered.unwrap();
    assert_eq!(second.held, summary.held);
    assert!(!second.cut && !second.damaged, "{second:?}");
    for (chain, receipts) in receipts {
        check_nothing_lost(&again, chain, receipts);
    }
    (summary.cut, summary.damaged, summary.held.is_empty())
}

/// A held chain takes nothing, and every other one does.
fn check_holds(journal: &vyrox_journal::LocalJournal) {
    let summary = journal.status().recovered.unwrap();
    for chain in CHAINS {
        if held_from(journal, chain).is_some() {
            assert_eq!(
                Journal::open(journal, chain),
                Err(JournalError::Held(chain.into()))
            );
            let mut client = Client {
                journal,
                chain: chain.into(),
                epoch: 1,
                last: None,
            };
            assert_eq!(client.append(vec![draft_with(&[])]), Err(AppendError::Held));
        } else {
            Client::open(journal, chain)
                .append(vec![draft_with(&[])])
                .unwrap();
        }
    }
    let newcomer = Journal::open(journal, "newcomer");
    assert_eq!(newcomer.is_err(), summary.unknown_chains_held);
}

/// The sectors that the last batch was written to.
fn last_batch(crashed: &Crashed) -> (Vec<u8>, Vec<u8>, Vec<usize>) {
    let before = fs::read(active_segment(crashed.before.path())).unwrap();
    let after = fs::read(active_segment(crashed.after.path())).unwrap();
    let sectors = before.chunks(SECTOR).zip(after.chunks(SECTOR)).enumerate();
    let changed = sectors
        .filter(|(_, (old, new))| old != new)
        .map(|(at, _)| at * SECTOR);
    let changed = changed.collect();
    (before, after, changed)
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..Default::default()
    }
}

#[test]
fn torn_flipped_lost_and_short_segments() {
    let crashed = crashed();
    let (before, after, changed) = last_batch(&crashed);
    assert!(changed.len() > 8);
    let written = changed.last().unwrap() + SECTOR;
    let dir = crashed.after.path();
    let receipts = &crashed.receipts;

    // A crash in the middle of the last write: any set of its sectors reached the disk.
    proptest!(config(), |(kept in any::<u64>())| {
        let mut torn = after.clone();
        let mut lost = 0;
        for (position, at) in changed.iter().enumerate() {
            if kept >> (position % 64) & 1 == 0 {
                torn[*at..*at + SECTOR].copy_from_slice(&before[*at..*at + SECTOR]);
                lost += 1;
            }
        }
        let (cut, damaged, unheld) = start(dir, &torn, receipts);
        prop_assert!(unheld && !damaged);
        prop_assert!(!cut || lost > 0);
    });

    // A bit that flips anywhere, in any batch, in a header, in free space.
    proptest!(config(), |(at in any::<Index>(), bit in 0_u8..8, anywhere in any::<bool>())| {
        let mut flipped = after.clone();
        let end = if anywhere { flipped.len() } else { written };
        flipped[at.index(end)] ^= 1 << bit;
        start(dir, &flipped, receipts);
    });

    // A sector that the disk lost although a later batch was acknowledged.
    proptest!(config(), |(at in any::<Index>())| {
        let mut lost = after.clone();
        let at = 4096 + at.index((changed[0] - 4096) / SECTOR) * SECTOR;
        lost[at..at + SECTOR].fill(0);
        let (cut, _, _) = start(dir, &lost, receipts);
        prop_assert!(!cut);
    });

    // A file that is shorter than it was made: no crash does that.
    proptest!(config(), |(len in any::<Index>())| {
        let len = 4096 + len.index(after.len() - 4096);
        let (cut, damaged, _) = start(dir, &after[..len], receipts);
        prop_assert!(damaged && !cut);
    });
}

/// Three copied batches of acme, and one batch of globex behind them that has a receipt.
fn copied_and_not() -> (tempfile::TempDir, Receipt) {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut acme = Client::open(&journal, "acme");
    for n in 0..3 {
        acme.put(n);
    }
    journal.close().unwrap();
    drop(journal);
    let journal = open(dir.path());
    let receipt = Client::open(&journal, "globex").put(0);
    (crash_image(&journal, dir.path()), receipt)
}

#[test]
fn damage_that_begins_in_copied_batches_holds_whoever_wrote_behind_them() {
    const PAGE: usize = 4096;
    let (image, receipt) = copied_and_not();
    let whole = fs::read(active_segment(image.path())).unwrap();
    let overwritten = |fill: u8| {
        let mut bytes = whole.clone();
        bytes[3 * PAGE..5 * PAGE].fill(fill);
        bytes
    };
    let receipts = [("globex", vec![receipt])];
    for segment in [
        overwritten(0xff),
        overwritten(0),
        whole[..3 * PAGE].to_vec(),
    ] {
        let (cut, damaged, unheld) = start(image.path(), &segment, &receipts);
        assert!(damaged && !cut && !unheld);
    }
}

#[test]
fn a_chain_whose_own_file_cannot_be_read_or_cut_is_held_alone() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let receipts = CHAINS.map(|chain| {
        let mut client = Client::open(&journal, chain);
        client.put(0)
    });
    journal.flush("globex").unwrap();
    journal.flush("acme").unwrap();
    let image = crash_image(&journal, dir.path());
    // One file that has a record, one that has none yet, and one store of evidence.
    let tenants = image.path().join("tenants");
    fs::remove_file(tenants.join("globex.jsonl")).unwrap();
    fs::create_dir(tenants.join("globex.jsonl")).unwrap();
    fs::create_dir(tenants.join("initech.jsonl")).unwrap();
    for _ in 0..2 {
        let journal = open(image.path());
        let summary = journal.status().recovered.unwrap();
        let held = ["globex", "initech"].map(|chain| (chain.to_owned(), 0));
        assert_eq!(summary.held, held);
        assert!(!summary.unknown_chains_held);
        check_nothing_lost(&journal, "acme", &receipts[..1]);
        check_holds(&journal);
        journal.close().unwrap();
        assert_eq!(journal.status().checkpoint_failures, 0);
    }
    let dir = crash_image(&journal, dir.path());
    fs::create_dir(dir.path().join("evidence/acme.ev")).unwrap();
    let journal = open(dir.path());
    let summary = journal.status().recovered.unwrap();
    assert_eq!(summary.held, [("acme".to_owned(), 1)]);
    assert_eq!(lines(&journal, "acme").len(), 1);
    check_nothing_lost(&journal, "initech", &receipts[2..]);
}

#[test]
fn a_chain_whose_own_file_is_damaged_is_held_alone() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    for chain in CHAINS {
        let mut client = Client::open(&journal, chain);
        for n in 0..10 {
            client.put(n);
        }
    }
    journal.close().unwrap();
    drop(journal);
    let path = dir.path().join("tenants/globex.jsonl");
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 10;
    bytes[last] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let journal = open(dir.path());
    let summary = journal.status().recovered.unwrap();
    assert_eq!(summary.held, [("globex".to_owned(), 9)]);
    check_holds(&journal);
    let readable = journal.read("globex", 0, None).unwrap();
    assert_eq!(readable.map(Result::unwrap).count(), 9);
    drop(journal);
    assert_eq!(
        fs::read(&path).unwrap(),
        bytes,
        "the damaged file is kept as it is"
    );
}

#[test]
fn entries_of_a_held_chain_are_set_aside_before_their_segment_goes() {
    let crashed = crashed();
    let dir = crashed.after.path();
    let segment = active_segment(dir);
    let mut bytes = fs::read(&segment).unwrap();
    // One byte in the first batch of globex: its manifest names what is lost.
    let needle = b"\"tenant_id\":\"globex\"";
    let at = bytes
        .windows(needle.len())
        .position(|window| window == needle)
        .unwrap();
    bytes[at] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let journal = open(dir);
    let summary = journal.status().recovered.unwrap();
    assert_eq!(summary.held, [("globex".to_owned(), 0)]);
    assert!(!summary.unknown_chains_held);
    let mut acme = Client::open(&journal, "acme");
    for _ in 0..40 {
        acme.append(vec![draft_with(&[vec![5; 9000]])]).unwrap();
    }
    journal.flush("acme").unwrap();
    let aside: Vec<_> = fs::read_dir(dir.join("held")).unwrap().collect();
    assert_eq!(aside.len(), 1);
    let aside = aside[0].as_ref().unwrap().path();
    check_private(&dir.join("held"));
    let aside = fs::read(aside).unwrap();
    let kept = aside
        .windows(needle.len())
        .filter(|window| window == needle)
        .count();
    assert_eq!(kept, 12, "all of its 13 entries but the lost one");
    journal.close().unwrap();
}

/// A crashed journal with several live segments: one chain's file could not be written, so that
/// its entries, and their segments, stayed in the log.
fn many_segments() -> (tempfile::TempDir, Vec<Receipt>) {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let obstacle = dir.path().join("tenants/acme.jsonl");
    fs::create_dir(&obstacle).unwrap();
    let mut acme = Client::open(&journal, "acme");
    let mut globex = Client::open(&journal, "globex");
    let mut receipts = Vec::new();
    for n in 0..60 {
        receipts.extend(acme.append(vec![draft_with(&[vec![1; 6000]])]).unwrap());
        globex.put(n);
    }
    assert!(matches!(journal.flush("acme"), Err(JournalError::Io(_))));
    assert_eq!(journal.flush("globex"), Ok(()));
    assert_eq!(lines(&journal, "globex").len(), 60);
    let status = journal.status();
    assert!(status.checkpoint_failures > 0 && status.poisoned.is_none());
    assert!(status.segments > 3, "{status:?}");
    let image = crash_image(&journal, dir.path());
    fs::remove_dir(image.path().join("tenants/acme.jsonl")).unwrap();
    fs::remove_dir(&obstacle).unwrap();
    assert_eq!(journal.flush("acme"), Ok(()));
    check_nothing_lost(&journal, "acme", &receipts);
    (image, receipts)
}

#[test]
fn a_chain_whose_file_cannot_be_written_waits_in_the_log() {
    let (image, receipts) = many_segments();
    let journal = open(image.path());
    let summary = journal.status().recovered.unwrap();
    assert!(summary.segments > 3 && !summary.damaged && summary.held.is_empty());
    check_nothing_lost(&journal, "acme", &receipts);
    journal.close().unwrap();
}

#[test]
fn a_segment_that_is_gone_holds_every_chain() {
    let (image, receipts) = many_segments();
    let ids = segment_ids(image.path());
    for lost in [ids[1], ids[ids.len() - 1]] {
        let dir = tempfile::tempdir().unwrap();
        copy(image.path(), dir.path()).unwrap();
        let path = dir.path().join(format!("seg-{lost}"));
        let mut bytes = fs::read(&path).unwrap();
        let last_page = bytes.len() - 4096;
        bytes[0] ^= 1;
        bytes[last_page] ^= 1;
        fs::write(&path, bytes).unwrap();
        let mut held = Vec::new();
        for round in 0..3 {
            let journal = open(dir.path());
            let summary = journal.status().recovered.unwrap();
            assert_eq!(summary.held.len(), 2);
            assert!(summary.unknown_chains_held);
            assert!(
                round == 0 || summary.held == held,
                "a known damage is not found anew"
            );
            held = summary.held;
            check_nothing_lost(&journal, "acme", &receipts);
            check_holds(&journal);
            assert_eq!(lines(&journal, "globex").len(), 60);
            journal.close().unwrap();
        }
        let kept = dir.path().join(format!("damaged-{lost}"));
        assert!(kept.exists(), "{}", kept.display());
    }
}

#[test]
fn one_header_copy_is_enough() {
    let (image, receipts) = many_segments();
    for id in segment_ids(image.path()) {
        let path = image.path().join(format!("seg-{id}"));
        let mut bytes = fs::read(&path).unwrap();
        bytes[20] ^= 1;
        fs::write(&path, bytes).unwrap();
    }
    let journal = open(image.path());
    assert!(journal.status().recovered.unwrap().held.is_empty());
    check_nothing_lost(&journal, "acme", &receipts);
}
