//! Restarts, crashes, recycling: what was acknowledged is there, whatever happened to the process.

use std::fs;

use serde_json::json;
use vyrox_journal::{Journal, LocalJournal, StartError, verify_file};

use crate::support::{
    Client, active_segment, check_nothing_lost, crash_image, draft, draft_with, lines, open,
    options, quiet,
};

#[test]
fn a_clean_restart_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let mut receipts = Vec::new();
    for round in 0..5 {
        let journal = open(dir.path());
        let recovered = journal.status().recovered.unwrap();
        assert!(!recovered.cut && !recovered.damaged && recovered.held.is_empty());
        assert_eq!(recovered.entries, 0, "a clean stop leaves nothing to copy");
        let mut acme = Client::open(&journal, "acme");
        assert_eq!(acme.last, (round * 7_u64).checked_sub(1));
        receipts.extend((0..7).map(|n| acme.put(n)));
        check_nothing_lost(&journal, "acme", &receipts);
        journal.close().unwrap();
    }
    assert_eq!(
        verify_file(&dir.path().join("tenants/acme.jsonl"))
            .unwrap()
            .entries,
        35
    );
}

#[test]
fn what_a_crash_leaves_in_the_log_is_recovered() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut acme = Client::open(&journal, "acme");
    let mut globex = Client::open(&journal, "globex");
    let mut receipts: Vec<_> = (0..10).map(|n| acme.put(n)).collect();
    journal.flush("acme").unwrap();
    receipts.extend((0..10).map(|n| acme.put(n)));
    let others: Vec<_> = (0..10).map(|n| globex.put(n)).collect();
    let image = crash_image(&journal, dir.path());
    let recovered = open(image.path());
    let summary = recovered.status().recovered.unwrap();
    assert_eq!(
        (summary.entries, summary.cut, summary.damaged),
        (20, false, false)
    );
    assert_eq!(recovered.head("acme"), journal.head("acme"));
    check_nothing_lost(&recovered, "acme", &receipts);
    check_nothing_lost(&recovered, "globex", &others);
    let mut acme = Client::open(&recovered, "acme");
    assert_eq!(acme.put(99).seq, 20);
    recovered.close().unwrap();
    assert!(
        verify_file(&image.path().join("tenants/acme.jsonl"))
            .unwrap()
            .ok
    );
}

#[test]
fn bytes_beyond_a_chains_record_are_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut acme = Client::open(&journal, "acme");
    let receipts: Vec<_> = (0..6).map(|n| acme.put(n)).collect();
    journal.flush("acme").unwrap();
    drop(journal);
    let path = dir.path().join("tenants/acme.jsonl");
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(b"{\"half\":");
    fs::write(&path, bytes).unwrap();
    fs::write(dir.path().join("tenants/never.jsonl"), b"no record of this").unwrap();
    let journal = open(dir.path());
    check_nothing_lost(&journal, "acme", &receipts);
    assert!(verify_file(&path).unwrap().ok);
    assert_eq!(journal.head("never"), None);
    assert_eq!(Client::open(&journal, "never").put(0).seq, 0);
    journal.close().unwrap();
    assert!(
        verify_file(&dir.path().join("tenants/never.jsonl"))
            .unwrap()
            .ok
    );
}

#[test]
fn files_of_names_that_the_journal_does_not_know_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    Client::open(&journal, "acme").put(0);
    journal.close().unwrap();
    drop(journal);
    let foreign = ["tenants/acme.2025.jsonl", "evidence/restored.ev"];
    for name in foreign {
        fs::write(dir.path().join(name), b"an operator's own").unwrap();
    }
    open(dir.path()).close().unwrap();
    for name in foreign {
        let kept = fs::read(dir.path().join(name)).unwrap();
        assert_eq!(kept, b"an operator's own", "{name}");
    }
}

#[test]
fn segments_are_recycled_and_nothing_is_lost_across_them() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut acme = Client::open(&journal, "acme");
    let mut globex = Client::open(&journal, "globex");
    let evidence = vec![vec![3; 9000]];
    let mut receipts = (Vec::new(), Vec::new());
    for n in 0..300 {
        receipts
            .0
            .extend(acme.append(vec![draft_with(&evidence)]).unwrap());
        receipts.1.push(globex.put(n));
        // However far the copies fall behind on a busy machine.
        if n % 50 == 49 {
            quiet(&journal);
        }
    }
    let image = crash_image(&journal, dir.path());
    assert!(journal.status().segments <= 3, "{:?}", journal.status());
    for journal in [journal, open(image.path())] {
        check_nothing_lost(&journal, "acme", &receipts.0);
        check_nothing_lost(&journal, "globex", &receipts.1);
        for seq in [0, 150, 299] {
            assert_eq!(journal.evidence("acme", seq).unwrap(), evidence);
        }
        journal.close().unwrap();
    }
    let files = fs::read_dir(dir.path()).unwrap().count();
    assert!(files < 20, "recycled files are used again: {files}");
}

#[test]
fn starts_do_not_pile_up_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut most = 0;
    for round in 0..12 {
        let journal = open(dir.path());
        Client::open(&journal, "acme").put(round);
        journal.close().unwrap();
        let files = fs::read_dir(dir.path()).unwrap().count();
        assert!(round < 3 || files <= most, "{files} files, {most} before");
        most = most.max(files);
    }
}

/// The highest number there is had no next one, and every start fell over it.
#[test]
fn a_file_that_no_journal_could_have_named_is_none_of_ours() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let first = Client::open(&journal, "acme").put(0);
    journal.close().unwrap();
    drop(journal);
    let strange = ["seg", "spare", "tmp", "damaged"].map(|kind| format!("{kind}-{}", u64::MAX));
    for name in &strange {
        fs::write(dir.path().join(name), "x").unwrap();
    }
    let journal = open(dir.path());
    check_nothing_lost(&journal, "acme", &[first]);
    Client::open(&journal, "acme").put(1);
    journal.close().unwrap();
    for name in &strange {
        assert_eq!(fs::read(dir.path().join(name)).unwrap(), b"x", "{name}");
    }
}

#[test]
fn another_segment_size_is_no_obstacle() {
    let dir = tempfile::tempdir().unwrap();
    let mut receipts = Vec::new();
    for size in [128_u64 << 10, 64 << 10, 256 << 10, 1, 128 << 10] {
        let options = vyrox_journal::Options {
            segment_bytes: size,
            ..options()
        };
        let journal = LocalJournal::open(dir.path(), options, None).unwrap();
        let mut acme = Client::open(&journal, "acme");
        receipts.extend((0..40).map(|n| acme.put(n)));
        check_nothing_lost(&journal, "acme", &receipts);
        journal.close().unwrap();
    }
}

#[test]
fn losing_the_record_of_heads_refuses_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    Client::open(&journal, "acme")
        .append(vec![draft(json!({}))])
        .unwrap();
    journal.close().unwrap();
    drop(journal);
    fs::remove_file(dir.path().join("heads.redb")).unwrap();
    let refused = LocalJournal::open(dir.path(), options(), None);
    assert!(matches!(refused, Err(StartError::HeadsLost(_))));
}

#[test]
fn losing_the_log_refuses_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    Client::open(&journal, "acme")
        .append(vec![draft(json!({}))])
        .unwrap();
    journal.close().unwrap();
    drop(journal);
    fs::remove_file(active_segment(dir.path())).unwrap();
    let refused = LocalJournal::open(dir.path(), options(), None);
    assert!(matches!(refused, Err(StartError::LogLost { .. })));
}

#[test]
fn a_long_chain_reads_the_same_before_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut acme = Client::open(&journal, "acme");
    for n in 0..20 {
        acme.append((0..100).map(|m| draft(json!({"n": n, "m": m}))).collect())
            .unwrap();
    }
    let before = lines(&journal, "acme");
    assert_eq!(before.len(), 2000);
    drop(journal);
    assert_eq!(lines(&open(dir.path()), "acme"), before);
}
