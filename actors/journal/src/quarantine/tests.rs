//! Chains whose own files cannot be written while the journal serves.

use std::fs;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::json;

use crate::journal::{Append, AppendError, Class, Journal, JournalError, Receipt};
use crate::{Draft, LocalJournal, Options};

const CHAINS: [&str; 2] = ["acme", "globex"];

fn options() -> Options {
    Options {
        segment_bytes: 64 << 10,
        max_segments: 8,
        quarantine_after: 2,
        checkpoint_interval: Duration::from_millis(1),
        ..Options::default()
    }
}

struct Caller {
    chain: &'static str,
    epoch: u64,
    last: Option<u64>,
    receipts: Vec<Receipt>,
}

impl Caller {
    fn open(journal: &LocalJournal, chain: &'static str) -> Self {
        let opened = Journal::open(journal, chain).unwrap();
        Self {
            chain,
            epoch: opened.epoch,
            last: opened.head.map(|head| head.seq),
            receipts: Vec::new(),
        }
    }

    fn put(&mut self, journal: &LocalJournal) -> Result<(), AppendError> {
        let (send, receive) = channel();
        let draft = Draft {
            event: "a.b".into(),
            event_version: 1,
            actor: "system".into(),
            timestamp_ms: 1,
            alert_id: None,
            action: None,
            payload: json!({}),
            attachments: vec![vec![7; 5000]],
        };
        let append = Append {
            class: Class::Ordinary,
            chain: self.chain.into(),
            epoch: self.epoch,
            expected_last: self.last,
            drafts: vec![draft],
        };
        journal.append(append, Box::new(move |result| send.send(result).unwrap()));
        let receipts = receive.recv_timeout(Duration::from_mins(1)).unwrap()?;
        self.last = receipts.last().map(|receipt| receipt.seq);
        self.receipts.extend(receipts);
        Ok(())
    }
}

/// A folder in the place of the chain's file: whoever is root can write to whatever is a file.
fn spoil(dir: &Path, chain: &str) {
    let file = dir.join("tenants").join(format!("{chain}.jsonl"));
    if file.exists() {
        fs::rename(&file, file.with_extension("kept")).unwrap();
    }
    fs::create_dir(&file).unwrap();
}

/// Appends to both chains until the first is refused as held; answers how often the second was
/// refused, in all of the time.
fn append_until_held(journal: &LocalJournal, bad: &mut Caller, good: &mut Caller) -> usize {
    let mut full = 0;
    for _ in 0..5000 {
        match good.put(journal) {
            Ok(()) => {}
            Err(AppendError::Full) => full += 1,
            Err(error) => panic!("{error}"),
        }
        match bad.put(journal) {
            Ok(()) | Err(AppendError::Full) => {}
            Err(AppendError::Held) => return full,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the chain was never held: {:?}", journal.status());
}

/// Waits until the journal knows of the hold: the writer refuses first.
fn wait_for_hold(journal: &LocalJournal) -> crate::HoldInfo {
    loop {
        let known = !journal.status().quarantined.is_empty();
        if let Some(hold) = journal.hold("acme").filter(|_| known) {
            return hold;
        }
        // Each call has the checkpointer do something, and so comes behind what it was told before.
        journal.flush("nobody").unwrap();
    }
}

/// A chain whose file could not be written kept its entries in the log, and after 64 segments every
/// chain was refused for want of room.
#[test]
fn a_chain_that_cannot_be_written_is_held_and_keeps_nobody_s_segments() {
    let dir = tempfile::tempdir().unwrap();
    let journal = LocalJournal::open(dir.path(), options(), None).unwrap();
    let [mut acme, mut globex] = CHAINS.map(|chain| Caller::open(&journal, chain));
    spoil(dir.path(), "acme");
    append_until_held(&journal, &mut acme, &mut globex);
    let hold = wait_for_hold(&journal);
    assert_eq!((hold.from_seq, hold.proven), (0, None));
    assert_eq!(hold.known_to, acme.last);
    assert_eq!(journal.status().quarantined, [("acme".to_owned(), 0)]);
    assert_eq!(journal.status().unwritable, []);
    let refused = Journal::open(&journal, "acme");
    assert_eq!(refused, Err(JournalError::Held("acme".into())));
    // Far more than the log could have kept.
    for _ in 0..400 {
        globex.put(&journal).unwrap();
    }
    let stands_in: &'static str = hold.successor.leak();
    Caller::open(&journal, stands_in).put(&journal).unwrap();
    assert!(journal.verify("globex").unwrap().ok);
    journal.close().unwrap();
    assert_eq!(journal.status().poisoned, None);
    drop(journal);
    check_set_aside(dir.path(), &acme);
    let journal = LocalJournal::open(dir.path(), options(), None).unwrap();
    let hold = journal.hold("acme").unwrap();
    assert_eq!((hold.from_seq, hold.successor.as_str()), (0, stands_in));
    assert_eq!(journal.head("globex").unwrap().seq, globex.last.unwrap());
    assert_eq!(journal.head(stands_in).unwrap().seq, 0);
}

/// Every acknowledged entry is in a side file or in the log.
fn check_set_aside(dir: &Path, caller: &Caller) {
    let mut kept = Vec::new();
    for folder in [dir.to_path_buf(), dir.join("held")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with("seg-") {
                kept.extend(fs::read(&path).unwrap());
            }
        }
    }
    let kept = String::from_utf8_lossy(&kept);
    for receipt in &caller.receipts {
        let hash = format!("\"hash\":\"{}\"", receipt.hash_hex());
        assert!(kept.contains(&hash), "entry {} is gone", receipt.seq);
    }
}

#[test]
fn what_the_file_has_already_is_the_proven_end() {
    let dir = tempfile::tempdir().unwrap();
    let journal = LocalJournal::open(dir.path(), options(), None).unwrap();
    let [mut acme, mut globex] = CHAINS.map(|chain| Caller::open(&journal, chain));
    for _ in 0..3 {
        acme.put(&journal).unwrap();
    }
    journal.flush("acme").unwrap();
    // The lines stay as they are; the store of evidence is none any more.
    let store = dir.path().join("evidence").join("acme.ev");
    fs::rename(&store, store.with_extension("kept")).unwrap();
    fs::create_dir(&store).unwrap();
    append_until_held(&journal, &mut acme, &mut globex);
    let hold = wait_for_hold(&journal);
    assert_eq!(hold.from_seq, 3);
    assert_eq!(hold.proven.unwrap().hash, acme.receipts[2].hash);
    assert_eq!(journal.head("acme").unwrap().seq, 2);
    assert_eq!(hold.known_to, acme.last);
    let lines: Vec<_> = journal.read("acme", 0, None).unwrap().collect();
    assert_eq!(lines.len(), 3);
}

/// A file that lost what had been copied to it was held with the entries that waited, and those in
/// between went with their segments, though the log had had them.
#[test]
fn what_a_cut_file_lacks_is_set_aside_from_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let journal = LocalJournal::open(dir.path(), options(), None).unwrap();
    let [mut acme, mut globex] = CHAINS.map(|chain| Caller::open(&journal, chain));
    for _ in 0..4 {
        acme.put(&journal).unwrap();
    }
    journal.flush("acme").unwrap();
    let path = dir.path().join("tenants").join("acme.jsonl");
    let lines = fs::read(&path).unwrap();
    let ends = lines.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let end = ends.map(|(at, _)| at + 1).nth(1).unwrap();
    fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|file| file.set_len(u64::try_from(end).unwrap()))
        .unwrap();
    append_until_held(&journal, &mut acme, &mut globex);
    let hold = wait_for_hold(&journal);
    assert_eq!((hold.from_seq, hold.known_to), (2, acme.last));
    // The segments that had them are long gone.
    for _ in 0..400 {
        globex.put(&journal).unwrap();
    }
    let restored = journal.restore("acme", Vec::new()).unwrap();
    assert_eq!(restored.head.map(|head| head.seq), acme.last);
}

#[test]
fn a_chain_that_is_written_again_in_time_is_not_held() {
    let dir = tempfile::tempdir().unwrap();
    let journal = LocalJournal::open(dir.path(), options(), None).unwrap();
    let [mut acme, mut globex] = CHAINS.map(|chain| Caller::open(&journal, chain));
    spoil(dir.path(), "acme");
    for _ in 0..4 {
        acme.put(&journal).unwrap();
        globex.put(&journal).unwrap();
        journal.flush("acme").unwrap_err();
    }
    let [(chain, why)] = &journal.status().unwritable[..] else {
        panic!("{:?}", journal.status());
    };
    assert_eq!(chain, "acme");
    assert!(why.contains("directory"), "{why}");
    fs::remove_dir(dir.path().join("tenants/acme.jsonl")).unwrap();
    journal.flush("acme").unwrap();
    assert_eq!(journal.status().unwritable, []);
    for _ in 0..200 {
        acme.put(&journal).unwrap();
        globex.put(&journal).unwrap();
    }
    assert_eq!(journal.status().quarantined, []);
    assert!(journal.verify("acme").unwrap().ok);
}

/// Each reader's wish for a chain that could not be written counted as a try: some auditors who asked at the
/// same time had it held, right after the first failure.
#[test]
fn readers_hold_no_chain() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        quarantine_after: 100,
        checkpoint_interval: Duration::from_hours(24),
        ..options()
    };
    let journal = LocalJournal::open(dir.path(), options, None).unwrap();
    let [mut acme, mut globex] = CHAINS.map(|chain| Caller::open(&journal, chain));
    spoil(dir.path(), "acme");
    acme.put(&journal).unwrap();
    for _ in 0..200 {
        journal.flush("acme").unwrap_err();
    }
    let mut answers = (0..5000).map(|_| globex.put(&journal).and_then(|()| acme.put(&journal)));
    let refused = answers.find_map(Result::err);
    assert_eq!(refused, Some(AppendError::Full));
    assert_eq!(journal.status().quarantined, []);
}
