//! An erasure that was cut short at any point is completed by the next start, and takes nothing else.

use std::fs;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::evidence::erase::{overwrite, places};
use crate::journal::{Append, Journal, JournalError};
use crate::options::Options;
use crate::{Draft, LocalJournal, verify_file};

fn options() -> Options {
    Options {
        segment_bytes: 64 << 10,
        checkpoint_interval: Duration::from_hours(1),
        ..Options::default()
    }
}

fn body(n: u64) -> Vec<u8> {
    format!("evidence of number {n}; ").into_bytes().repeat(40)
}

/// A journal whose chain has an entry without evidence after each one with it.
fn filled(dir: &Path, pairs: u64) -> LocalJournal {
    let journal = LocalJournal::open(dir, options(), None).unwrap();
    let opened = Journal::open(&journal, "acme").unwrap();
    let draft = |n, attachments| Draft {
        event: "a.b".into(),
        event_version: 1,
        actor: "system".into(),
        timestamp_ms: 1,
        alert_id: None,
        action: None,
        payload: json!({"n": n}),
        attachments,
    };
    for n in 0..pairs {
        let (send, receive) = channel();
        let append = Append {
            class: crate::journal::Class::Ordinary,
            chain: "acme".into(),
            epoch: opened.epoch,
            expected_last: (2 * n).checked_sub(1),
            drafts: vec![draft(n, vec![body(n), vec![7; 3]]), draft(n, Vec::new())],
        };
        journal.append(append, Box::new(move |result| send.send(result).unwrap()));
        receive
            .recv_timeout(Duration::from_mins(1))
            .unwrap()
            .unwrap();
    }
    journal.flush("acme").unwrap();
    journal
}

/// What the evidence of every pair is, in order; `None` for an erased one.
fn evidence(journal: &LocalJournal, pairs: u64) -> Vec<Option<Vec<u8>>> {
    let read = |n| match journal.evidence("acme", 2 * n) {
        Ok(attachments) => attachments.into_iter().next(),
        Err(JournalError::Erased { .. }) => None,
        Err(error) => panic!("{error}"),
    };
    (0..pairs).map(read).collect()
}

/// Whether any file under `dir` still holds the evidence of number `n`.
fn any_file_holds(dir: &Path, n: u64) -> bool {
    let needle = body(n);
    let holds = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        bytes
            .windows(needle.len())
            .any(|window| window == needle.as_slice())
    };
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries.into_iter().any(|path| {
        if path.is_dir() {
            any_file_holds(&path, n)
        } else {
            holds(&path)
        }
    })
}

fn check(dir: &Path, journal: &LocalJournal, pairs: u64, erased: &[u64]) {
    // A start makes spares before it does anything else; files change their names until then.
    journal.flush("acme").unwrap();
    let expected: Vec<_> = (0..pairs)
        .map(|n| (!erased.contains(&n)).then(|| body(n)))
        .collect();
    assert_eq!(evidence(journal, pairs), expected);
    for n in 0..pairs {
        assert_eq!(any_file_holds(dir, n), !erased.contains(&n), "number {n}");
    }
    assert!(journal.verify("acme").unwrap().ok);
    assert!(journal.shared.erasures.is_empty());
    assert_eq!(journal.shared.heads.erasures().unwrap(), []);
}

fn singles(seqs: &[u64]) -> Vec<(u64, u64)> {
    seqs.iter().map(|seq| (*seq, *seq)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The runs are durable; of the store, any prefix and any scattering of the new bytes is there.
    #[test]
    fn a_start_completes_an_erasure_that_was_cut_short(
        erased in proptest::collection::btree_set(0_u64..6, 1..5),
        written in proptest::collection::vec(any::<bool>(), 16),
        all_written in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let journal = filled(dir.path(), 6);
        let erased: Vec<u64> = erased.into_iter().collect();
        let seqs: Vec<u64> = erased.iter().map(|n| 2 * n).collect();
        let runs = Runs::of(&singles(&seqs));
        journal.shared.heads.begin_erasures("acme", &runs).unwrap();
        let store = dir.path().join("evidence/acme.ev");
        let before = fs::read(&store).unwrap();
        let record = journal.shared.record("acme").unwrap();
        let directory = &journal.shared.directory;
        let places = places(directory, "acme", record.evidence_offset, &runs);
        overwrite(directory, "acme", &places.unwrap().unwrap()).unwrap();
        drop(journal);
        let after = fs::read(&store).unwrap();
        // What a crash leaves: some stretches of the new bytes, the rest old.
        let stretch = before.len() / written.len() + 1;
        let mixed: Vec<u8> = before.iter().zip(&after).enumerate().map(|(at, (old, new))| {
            if all_written || written[at / stretch] { *new } else { *old }
        }).collect();
        fs::write(&store, mixed).unwrap();
        let journal = LocalJournal::open(dir.path(), options(), None).unwrap();
        check(dir.path(), &journal, 6, &erased);
        prop_assert_eq!(fs::read(&store).unwrap(), after, "nothing else of the store changed");
    }

    #[test]
    fn runs_hold_what_was_put_into_them(
        seqs in proptest::collection::vec(0_u64..40, 0..30),
        more in proptest::collection::vec((0_u64..40, 0_u64..6), 0..8),
    ) {
        let mut runs = Runs::of(&singles(&seqs));
        for (first, len) in &more {
            runs.add(*first, first + len);
        }
        for seq in 0..50 {
            let added = more.iter().any(|(first, len)| (*first..=first + len).contains(&seq));
            prop_assert_eq!(runs.contains(seq), added || seqs.contains(&seq), "{}", seq);
        }
        let all: Vec<_> = runs.iter().collect();
        prop_assert!(all.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "{:?}", all);
        prop_assert_eq!(runs.highest(), all.last().map(|(_, last)| *last));
    }
}

#[test]
fn erased_evidence_is_gone_from_the_store_and_from_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let journal = filled(dir.path(), 8);
    let lines = fs::read(dir.path().join("tenants/acme.jsonl")).unwrap();
    let erased = journal.erase("acme", &singles(&[6, 2, 2, 3])).unwrap();
    assert_eq!((erased.entries, erased.copies), (2, Vec::new()));
    check(dir.path(), &journal, 8, &[1, 3]);
    // The entry between has none, and still says so.
    assert_eq!(journal.evidence("acme", 3).unwrap(), Vec::<Vec<u8>>::new());
    assert_eq!(journal.erase("acme", &singles(&[2])).unwrap().entries, 0);
    drop(journal);
    let journal = LocalJournal::open(dir.path(), options(), None).unwrap();
    check(dir.path(), &journal, 8, &[1, 3]);
    let path = dir.path().join("tenants/acme.jsonl");
    assert_eq!(fs::read(&path).unwrap(), lines, "the chain does not change");
    assert!(verify_file(&path).unwrap().ok);
}

/// An order names entries by runs, and one that somebody made up may name every number there is: it was
/// counted out before it was looked at, which took the memory of the whole server with it.
#[test]
fn a_run_costs_the_same_however_long_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let journal = filled(dir.path(), 3);
    let refused = journal.erase("acme", &[(0, u64::MAX)]).unwrap_err();
    assert!(matches!(refused, JournalError::NoEntry { .. }), "{refused}");
    assert!(journal.shared.erasures.is_empty());
    assert_eq!(journal.erase("acme", &[(5, 4)]).unwrap().entries, 0);
    assert_eq!(journal.erase("acme", &[(3, 4), (0, 3)]).unwrap().entries, 3);
}

#[test]
fn what_cannot_be_erased_begins_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let journal = filled(dir.path(), 2);
    for (chain, seqs) in [("acme", &[0_u64, 4][..]), ("globex", &[0])] {
        let refused = journal.erase(chain, &singles(seqs)).unwrap_err();
        assert!(matches!(refused, JournalError::NoEntry { .. }), "{refused}");
    }
    assert_eq!(journal.erase("acme", &singles(&[])).unwrap().entries, 0);
    assert_eq!(journal.erase("acme", &singles(&[1, 3])).unwrap().entries, 0);
    check(dir.path(), &journal, 2, &[]);
}

/// Evidence that had not come into the store before its chain was damaged stayed in the log's files, and the
/// erasure said that nothing was left.
#[test]
fn what_no_store_ever_had_is_taken_out_of_the_log_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let journal = filled(dir.path(), 2);
    let retired = dir.path().join("tmp-99");
    fs::write(&retired, body(7)).unwrap();
    let erased = journal.erase("acme", &singles(&[1])).unwrap();
    assert_eq!((erased.entries, erased.unfinished), (0, Vec::new()));
    assert!(!any_file_holds(dir.path(), 7));

    let live = |dir: &Path| {
        let files = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
        let mut segments = files.filter(|path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("seg-")
        });
        segments.next().unwrap()
    };
    let segment = live(dir.path());
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes
        .windows(4)
        .position(|window| window == b"evid")
        .unwrap();
    bytes[at] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let erased = journal.erase("acme", &singles(&[3])).unwrap();
    assert_eq!((erased.entries, erased.unfinished), (0, Vec::new()));
    assert_ne!(
        live(dir.path()),
        segment,
        "what could not be read is let go"
    );
    check(dir.path(), &journal, 2, &[]);
}

#[test]
fn files_that_were_set_aside_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let journal = filled(dir.path(), 2);
    fs::write(dir.path().join("damaged-3"), b"?").unwrap();
    fs::create_dir(dir.path().join("held")).unwrap();
    fs::write(dir.path().join("held/seg-1.frames"), b"?").unwrap();
    let erased = journal.erase("acme", &singles(&[0])).unwrap();
    assert_eq!(erased.copies, ["damaged-3", "held/seg-1.frames"]);
    assert!(journal.shared.erasures.is_empty());
}

/// Without a spare the writer stays in its segment, which was said to be left. The erasure was called complete,
/// and the live segment a copy that an operator may remove.
#[test]
fn without_room_it_is_not_complete_and_the_next_one_completes_it() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 2).close().unwrap();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("spare-")
        {
            fs::remove_file(path).unwrap();
        }
    }
    let full = Options {
        max_segments: 1,
        ..options()
    };
    let journal = LocalJournal::open(dir.path(), full, None).unwrap();
    let erased = journal.erase("acme", &singles(&[0])).unwrap();
    let live = lock(&journal.shared.segments).back().unwrap().id;
    assert_eq!(erased.unfinished, [format!("seg-{live}")]);
    assert_eq!((erased.entries, erased.copies), (1, Vec::new()));
    assert!(any_file_holds(dir.path(), 0));
    let again = journal.erase("acme", &singles(&[0])).unwrap();
    assert_eq!((again.entries, again.unfinished.len()), (0, 1));
    journal.close().unwrap();
    drop(journal);
    let journal = LocalJournal::open(dir.path(), options(), None).unwrap();
    check(dir.path(), &journal, 2, &[0]);
}

#[test]
fn a_store_that_cannot_be_read_keeps_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let journal = filled(dir.path(), 3);
    let store = dir.path().join("evidence/acme.ev");
    let mut bytes = fs::read(&store).unwrap();
    bytes[5] ^= 1;
    fs::write(&store, &bytes).unwrap();
    let refused = journal.erase("acme", &singles(&[4])).unwrap_err();
    assert!(matches!(refused, JournalError::Damaged { .. }), "{refused}");
    assert_eq!(fs::read(&store).unwrap(), bytes);
    assert!(journal.shared.erasures.is_empty());
}

#[test]
fn appends_and_reads_go_on_through_an_erasure() {
    let dir = tempfile::tempdir().unwrap();
    let journal = filled(dir.path(), 40);
    std::thread::scope(|scope| {
        let erasing = scope.spawn(|| {
            let seqs: Vec<u64> = (0..40).map(|n| 2 * n).collect();
            for chunk in seqs.chunks(5) {
                journal.erase("acme", &singles(chunk)).unwrap();
            }
        });
        while !erasing.is_finished() {
            for (n, found) in evidence(&journal, 40).into_iter().enumerate() {
                if let Some(found) = found {
                    assert_eq!(found, body(u64::try_from(n).unwrap()));
                }
            }
        }
    });
    check(dir.path(), &journal, 40, &(0..40).collect::<Vec<_>>());
}
