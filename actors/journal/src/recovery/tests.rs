//! Starts on a directory that lost more than a crash can take.

use std::fs;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::disk::RealDisk;
use crate::draft::Draft;
use crate::journal::{Append, Journal as _, JournalError};
use crate::local::LocalJournal;

fn options() -> Options {
    Options {
        segment_bytes: 32 << 10,
        checkpoint_interval: Duration::from_hours(1),
        ..Options::default()
    }
}

/// Appends entries, each in a batch of its own, while the chain's file cannot be written: so every
/// segment stays. Returns the number of batches.
fn fill(dir: &Path, entries: u64) -> u64 {
    let obstacle = dir.join("tenants/acme.jsonl");
    let journal = LocalJournal::open(dir, options(), None).unwrap();
    fs::create_dir(&obstacle).unwrap();
    let epoch = journal.open("acme").unwrap().epoch;
    for seq in 0..entries {
        let append = Append {
            class: crate::journal::Class::Ordinary,
            chain: "acme".into(),
            epoch,
            expected_last: seq.checked_sub(1),
            drafts: vec![Draft {
                event: "alert.received".into(),
                event_version: 1,
                actor: "system".into(),
                timestamp_ms: 1,
                alert_id: None,
                action: None,
                payload: json!({}),
                attachments: Vec::new(),
            }],
        };
        let (told, answer) = sync_channel(1);
        journal.append(append, Box::new(move |result| told.send(result).unwrap()));
        answer.recv().unwrap().unwrap();
    }
    journal.close().unwrap_err();
    fs::remove_dir(obstacle).unwrap();
    journal.status().batches
}

#[test]
fn losing_a_segment_that_was_copied_leaves_a_journal_that_starts() {
    let dir = tempfile::tempdir().unwrap();
    let batches = fill(dir.path(), 16);
    let directory = Directory::open(dir.path(), Arc::new(RealDisk)).unwrap();
    let heads = Heads::open(&directory).unwrap();
    heads.set_copied(batches).unwrap();
    let active = heads.meta().unwrap().active;
    let path = directory.path(Name::new(Kind::Segment, active));
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 4096;
    bytes[0] ^= 1;
    bytes[last] ^= 1;
    fs::write(&path, bytes).unwrap();
    drop((heads, directory));
    for _ in 0..2 {
        let journal = LocalJournal::open(dir.path(), options(), None).unwrap();
        let summary = journal.status().recovered.unwrap();
        assert!(summary.unknown_chains_held);
        let held = JournalError::Held("acme".into());
        assert_eq!(journal.open("acme"), Err(held));
        journal.close().unwrap();
    }
}
