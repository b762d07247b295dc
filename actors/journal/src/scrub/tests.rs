//! Bytes that turn bad at rest are found and named; a chain that nothing happened to never is.

use std::fs;
use std::sync::mpsc::{Sender, channel};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::journal::{Append, Journal};
use crate::options::Options;
use crate::{Draft, LocalJournal};

const DEADLINE: Duration = Duration::from_mins(1);

fn options(scrub_bytes_per_s: u64) -> Options {
    Options {
        segment_bytes: 64 << 10,
        checkpoint_interval: Duration::from_hours(1),
        scrub_bytes_per_s,
        scrub_pause: Duration::ZERO,
        ..Options::default()
    }
}

/// Appends an entry, with an attachment of this length if there is one.
fn put(journal: &LocalJournal, chain: &str, attachment: Option<usize>) -> u64 {
    let opened = Journal::open(journal, chain).unwrap();
    let draft = Draft {
        event: "a.b".into(),
        event_version: 1,
        actor: "system".into(),
        timestamp_ms: 1,
        alert_id: None,
        action: None,
        payload: json!({"with": attachment}),
        attachments: attachment.map(|len| vec![b'x'; len]).into_iter().collect(),
    };
    let (send, receive) = channel();
    let append = Append {
        class: crate::journal::Class::Ordinary,
        chain: chain.into(),
        epoch: opened.epoch,
        expected_last: opened.head.map(|head| head.seq),
        drafts: vec![draft],
    };
    journal.append(append, Box::new(move |result| send.send(result).unwrap()));
    receive.recv_timeout(DEADLINE).unwrap().unwrap()[0].seq
}

/// A scrub that goes round when it is told to, and does not wait.
fn by_hand(journal: &LocalJournal) -> (Scrub, Sender<()>) {
    let (stop, stopped) = channel();
    let mut scrub = Scrub::new(&journal.shared, stopped);
    scrub.pace.per_s = u64::MAX;
    (scrub, stop)
}

fn faults(journal: &LocalJournal) -> Vec<(String, Part, u64)> {
    let faults = journal.status().scrubbed.faults;
    let each = faults.into_iter();
    each.map(|fault| (fault.chain, fault.part, fault.from_seq))
        .collect()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Waits until a running scrub has begun and ended a round from now on.
fn a_round_from_now(journal: &LocalJournal) {
    let rounds = || journal.status().scrubbed.rounds;
    let enough = rounds() + 2;
    while rounds() < enough {
        std::thread::yield_now();
    }
}

#[test]
fn what_turned_bad_at_rest_is_named_and_nothing_else_changes() {
    let dir = tempfile::tempdir().unwrap();
    let journal = LocalJournal::open(dir.path(), options(u64::MAX), None).unwrap();
    for _ in 0..6 {
        put(&journal, "acme", Some(300));
        put(&journal, "globex", None);
    }
    journal.flush("acme").unwrap();
    journal.flush("globex").unwrap();
    a_round_from_now(&journal);
    assert_eq!(faults(&journal), []);

    let lines = dir.path().join("tenants/globex.jsonl");
    let text = fs::read_to_string(&lines).unwrap();
    let third = text.match_indices('\n').nth(2).unwrap().0;
    flip(&lines, third + 30);
    let store = dir.path().join("evidence/acme.ev");
    let entry = fs::read(&store).unwrap().len() / 6;
    flip(&store, 4 * entry + 100);
    a_round_from_now(&journal);
    let found = [
        ("acme".to_owned(), Part::Evidence, 4),
        ("globex".to_owned(), Part::Lines, 3),
    ];
    assert_eq!(faults(&journal), found);
    assert_eq!(journal.status().poisoned, None);
    assert_eq!(put(&journal, "globex", None), 6);
    journal.flush("globex").unwrap();
    a_round_from_now(&journal);
    assert_eq!(faults(&journal), found, "it is told once, and stays known");
    assert!(journal.evidence("acme", 3).is_ok());

    // What is erased need not be what it was, and what is as it was is no fault.
    journal.erase("acme", &[(4, 4)]).unwrap();
    flip(&lines, third + 30);
    a_round_from_now(&journal);
    assert_eq!(faults(&journal), []);
    journal.close().unwrap();
}

/// The write of a mark broke off after a byte, and what was on its way out was called damaged.
#[test]
fn half_a_mark_of_an_erasure_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let journal = LocalJournal::open(dir.path(), options(0), None).unwrap();
    put(&journal, "acme", Some(300));
    journal.flush("acme").unwrap();
    let (scrub, _go_on) = by_hand(&journal);
    let store = dir.path().join("evidence/acme.ev");
    for (mark, damaged) in [
        ([0xE7, 0x00], false),
        ([0x00, 0xA5], false),
        ([0xE7, 0xA5], false),
        ([0xE6, 0x00], true),
        ([0x00, 0x01], true),
    ] {
        let mut bytes = fs::read(&store).unwrap();
        bytes[14..16].copy_from_slice(&mark);
        fs::write(&store, bytes).unwrap();
        scrub.round().unwrap();
        assert_eq!(faults(&journal).len(), usize::from(damaged), "{mark:?}");
    }
}

#[test]
fn every_byte_of_both_files_is_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let journal = LocalJournal::open(dir.path(), options(0), None).unwrap();
    for len in [20, 0, 7] {
        put(&journal, "acme", Some(len));
    }
    journal.flush("acme").unwrap();
    let (scrub, _go_on) = by_hand(&journal);
    scrub.round().unwrap();
    assert_eq!(faults(&journal), []);
    for (file, part) in [
        ("tenants/acme.jsonl", Part::Lines),
        ("evidence/acme.ev", Part::Evidence),
    ] {
        let path = dir.path().join(file);
        let len = fs::read(&path).unwrap().len();
        assert!(len > 20);
        for at in 0..len {
            flip(&path, at);
            scrub.round().unwrap();
            let found = faults(&journal);
            flip(&path, at);
            assert!(
                matches!(&found[..], [(chain, found, _)] if chain == "acme" && *found == part),
                "byte {at} of {file}: {found:?}"
            );
        }
    }
    scrub.round().unwrap();
    assert_eq!(faults(&journal), []);
}

#[test]
fn a_file_that_is_gone_or_cut_is_a_fault_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let journal = LocalJournal::open(dir.path(), options(0), None).unwrap();
    for _ in 0..4 {
        put(&journal, "acme", Some(50));
    }
    journal.flush("acme").unwrap();
    let (scrub, _go_on) = by_hand(&journal);
    let lines = dir.path().join("tenants/acme.jsonl");
    let whole = fs::read(&lines).unwrap();
    let second = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for (left, from) in [(second, 1), (second + 5, 1), (0, 0)] {
        fs::write(&lines, &whole[..left]).unwrap();
        scrub.round().unwrap();
        assert_eq!(faults(&journal), [("acme".into(), Part::Lines, from)]);
    }
    fs::remove_file(&lines).unwrap();
    scrub.round().unwrap();
    assert_eq!(faults(&journal), [("acme".into(), Part::Lines, 0)]);
}

#[test]
fn a_journal_does_not_wait_for_its_scrub() {
    let dir = tempfile::tempdir().unwrap();
    let journal = LocalJournal::open(dir.path(), options(0), None).unwrap();
    put(&journal, "acme", Some(5_000));
    journal.close().unwrap();
    drop(journal);
    // A byte a second: it would never come to the end of anything.
    let journal = LocalJournal::open(dir.path(), options(1), None).unwrap();
    assert_eq!(put(&journal, "acme", None), 1);
    journal.close().unwrap();
    assert_eq!(journal.status().scrubbed.rounds, 0);
}

#[derive(Debug, Clone)]
enum Deed {
    Append(usize, Option<usize>),
    Checkpoint(usize),
    Erase(usize, Vec<u64>),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let chain = 0_usize..3;
    let deed = prop_oneof![
        4 => (chain.clone(), proptest::option::of(0_usize..9_000)).prop_map(|(c, len)| Deed::Append(c, len)),
        2 => chain.clone().prop_map(Deed::Checkpoint),
        2 => (chain, proptest::collection::vec(0_u64..12, 1..5)).prop_map(|(c, seqs)| Deed::Erase(c, seqs)),
    ];
    proptest::collection::vec(deed, 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// While a scrub runs at full speed.
    #[test]
    fn a_chain_that_nothing_happened_to_is_never_found_bad(deeds in deeds()) {
        const CHAINS: [&str; 3] = ["acme", "globex", "_host"];
        let dir = tempfile::tempdir().unwrap();
        let journal = LocalJournal::open(dir.path(), options(u64::MAX), None).unwrap();
        for deed in deeds {
            match deed {
                Deed::Append(chain, len) => drop(put(&journal, CHAINS[chain], len)),
                Deed::Checkpoint(chain) => journal.flush(CHAINS[chain]).unwrap(),
                Deed::Erase(chain, mut seqs) => {
                    let end = journal.head(CHAINS[chain]).map_or(0, |head| head.seq + 1);
                    seqs.retain(|seq| *seq < end);
                    let runs: Vec<_> = seqs.iter().map(|seq| (*seq, *seq)).collect();
                    journal.erase(CHAINS[chain], &runs).unwrap();
                }
            }
            prop_assert_eq!(faults(&journal), []);
        }
        a_round_from_now(&journal);
        prop_assert_eq!(faults(&journal), []);
        prop_assert!(journal.close().is_ok());
    }
}
