//! Epochs, conflicts, barriers, bounds: what an append is answered, and when.

use std::sync::{Arc, Mutex, mpsc};

use serde_json::json;
use vyrox_journal::{
    Append, AppendError, CommittedBatch, Journal, JournalError, LocalJournal, Options, StartError,
};

use crate::support::{Client, DEADLINE, draft, lines, open, options};

#[test]
fn entries_follow_each_other_and_are_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut acme = Client::open(&journal, "acme");
    let drafts = (0..5).map(|n| draft(json!({"n": n}))).collect();
    let receipts = acme.append(drafts).unwrap();
    assert_eq!(
        receipts
            .iter()
            .map(|receipt| receipt.seq)
            .collect::<Vec<_>>(),
        [0, 1, 2, 3, 4]
    );
    assert_eq!(journal.head("acme").unwrap().hash, receipts[4].hash);
    assert_eq!(journal.head("globex"), None);
    let read = lines(&journal, "acme");
    for (line, receipt) in read.iter().zip(&receipts) {
        assert_eq!((line.seq, line.hash), (receipt.seq, receipt.hash));
        let entry: serde_json::Value = serde_json::from_slice(&line.bytes).unwrap();
        assert_eq!(entry["hash"], receipt.hash_hex());
        assert_eq!(entry["tenant_id"], "acme");
    }
    assert_eq!(journal.chains(), ["acme"]);
}

#[test]
fn any_range_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut acme = Client::open(&journal, "acme");
    acme.append((0..50).map(|n| draft(json!({"n": n}))).collect())
        .unwrap();
    for (from, to) in [
        (0, 0),
        (0, 49),
        (1, 3),
        (10, 40),
        (30, 31),
        (49, 49),
        (48, 99),
    ] {
        let range = journal.read("acme", from, Some(to)).unwrap();
        let seqs: Vec<u64> = range.map(|line| line.unwrap().seq).collect();
        assert_eq!(seqs, (from..=to.min(49)).collect::<Vec<_>>());
    }
    assert_eq!(journal.read("acme", 50, None).unwrap().count(), 0);
    assert_eq!(journal.read("acme", 7, Some(3)).unwrap().count(), 0);
    assert_eq!(journal.read("nobody", 0, None).unwrap().count(), 0);
}

#[test]
fn an_older_epoch_is_fenced() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut old = Client::open(&journal, "acme");
    old.put(0);
    let mut new = Client::open(&journal, "acme");
    assert!(new.epoch > old.epoch);
    assert_eq!(new.last, Some(0));
    assert_eq!(old.append(vec![draft(json!({}))]), Err(AppendError::Fenced));
    assert_eq!(new.put(1).seq, 1);
    let mut never_opened = Client {
        journal: &journal,
        chain: "globex".into(),
        epoch: 0,
        last: None,
    };
    assert_eq!(
        never_opened.append(vec![draft(json!({}))]),
        Err(AppendError::Fenced)
    );
}

#[test]
fn a_wrong_expectation_is_a_conflict_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut acme = Client::open(&journal, "acme");
    acme.put(0);
    for wrong in [None, Some(1), Some(7)] {
        acme.last = wrong;
        let conflict = AppendError::Conflict {
            expected: wrong,
            actual: Some(0),
        };
        assert_eq!(acme.append(vec![draft(json!({}))]), Err(conflict));
    }
    acme.last = Some(0);
    assert_eq!(acme.put(1).seq, 1);
}

#[test]
fn entries_that_break_the_format_are_refused_whole() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut acme = Client::open(&journal, "acme");
    let result = acme.append(vec![draft(json!({"a": 1})), draft(json!({"a": 0.5}))]);
    assert!(matches!(result, Err(AppendError::Invalid(_))));
    acme.last = None;
    let mut huge = draft(json!({}));
    huge.attachments = vec![vec![1; 200_000]];
    assert!(matches!(
        acme.append(vec![huge]),
        Err(AppendError::Invalid(_))
    ));
    acme.last = None;
    assert_eq!(acme.put(0).seq, 0);
    for name in ["", "../acme", "a/b", ".a", "a b"] {
        assert!(
            matches!(journal.open(name), Err(JournalError::Name(_))),
            "{name:?}"
        );
    }
}

#[test]
fn answers_come_in_the_order_of_the_queue() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let acme = Client::open(&journal, "acme");
    let globex = Client::open(&journal, "globex");
    let order = Arc::new(Mutex::new(Vec::new()));
    let (finished, all) = mpsc::channel();
    let mut last = [None, None];
    for position in 0..300 {
        let which = position % 2;
        let barrier = position % 5 == 4;
        let client = [&acme, &globex][which];
        let drafts = if barrier {
            vec![]
        } else {
            vec![draft(json!({"n": position}))]
        };
        let append = Append {
            class: vyrox_journal::Class::Ordinary,
            chain: Arc::clone(&client.chain),
            epoch: client.epoch,
            expected_last: last[which],
            drafts,
        };
        if !barrier {
            last[which] = Some(last[which].map_or(0, |last| last + 1));
        }
        let (order, finished) = (Arc::clone(&order), finished.clone());
        journal.append(
            append,
            Box::new(move |result| {
                assert_eq!(result.unwrap().is_empty(), barrier);
                order.lock().unwrap().push(position);
                finished.send(()).unwrap();
            }),
        );
    }
    for _ in 0..300 {
        all.recv_timeout(DEADLINE).unwrap();
    }
    assert_eq!(*order.lock().unwrap(), (0..300).collect::<Vec<_>>());
}

#[test]
fn opening_waits_for_everything_queued_before() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut acme = Client::open(&journal, "acme");
    let answers: Vec<_> = (0..200)
        .map(|n| acme.send(vec![draft(json!({"n": n}))]))
        .collect();
    let opened = Journal::open(&journal, "acme").unwrap();
    assert_eq!(opened.head.unwrap().seq, 199);
    assert_eq!(opened.head, journal.head("acme"));
    for answer in answers {
        assert_eq!(answer.recv_timeout(DEADLINE).unwrap().unwrap().len(), 1);
    }
}

#[test]
fn more_than_a_segment_holds_may_wait_at_once() {
    let (_dir, journal, at_gate, open_gate) = gated(options());
    let mut acme = Client::open(&journal, "acme");
    acme.send(vec![draft(json!({}))]);
    at_gate.recv_timeout(DEADLINE).unwrap();
    let mut large = draft(json!({}));
    large.attachments = vec![vec![1; 30_000]];
    let waiting: Vec<_> = (0..20).map(|_| acme.send(vec![large.clone()])).collect();
    drop(open_gate);
    for answer in waiting {
        answer.recv_timeout(DEADLINE).unwrap().unwrap();
    }
    assert_eq!(lines(&journal, "acme").len(), 21);
}

/// A journal whose writer stops in each commit until it is let go.
fn gated(
    options: Options,
) -> (
    tempfile::TempDir,
    LocalJournal,
    mpsc::Receiver<usize>,
    mpsc::Sender<()>,
) {
    let dir = tempfile::tempdir().unwrap();
    let (entered, at_gate) = mpsc::channel();
    let (open_gate, gate) = mpsc::channel();
    let on_commit = move |batch: &CommittedBatch| {
        entered.send(batch.entries.len()).ok();
        // The end of the test opens the gate for good.
        gate.recv().ok();
    };
    let journal = LocalJournal::open(dir.path(), options, Some(Box::new(on_commit))).unwrap();
    (dir, journal, at_gate, open_gate)
}

#[test]
fn a_full_queue_answers_at_once() {
    let (_dir, journal, at_gate, open_gate) = gated(Options {
        queue_entries: 3,
        ..options()
    });
    let mut acme = Client::open(&journal, "acme");
    let first = acme.send(vec![draft(json!({}))]);
    at_gate.recv_timeout(DEADLINE).unwrap();
    let waiting: Vec<_> = (0..3)
        .map(|n| acme.send(vec![draft(json!({"n": n}))]))
        .collect();
    assert_eq!(journal.status().queue_depth, 3);
    // The writer stands still, so this answer can only come from the caller's own thread.
    assert_eq!(
        acme.send(vec![draft(json!({}))]).try_recv(),
        Ok(Err(AppendError::Full))
    );
    drop(open_gate);
    assert!(first.recv_timeout(DEADLINE).unwrap().is_ok());
    for answer in waiting {
        assert!(answer.recv_timeout(DEADLINE).unwrap().is_ok());
    }
}

#[test]
fn one_sync_serves_everything_that_waited() {
    let (_dir, journal, at_gate, open_gate) = gated(options());
    let mut acme = Client::open(&journal, "acme");
    let mut globex = Client::open(&journal, "globex");
    let first = acme.send(vec![draft(json!({}))]);
    assert_eq!(at_gate.recv_timeout(DEADLINE), Ok(1));
    // Durable and told to the listener, but not answered before the listener returns.
    assert_eq!(journal.head("acme").unwrap().seq, 0);
    assert!(first.try_recv().is_err());
    let before = journal.status();
    let waiting: Vec<_> = (0..40)
        .map(|n| [&mut acme, &mut globex][n % 2].send(vec![draft(json!({"n": n}))]))
        .collect();
    drop(open_gate);
    for answer in waiting {
        answer.recv_timeout(DEADLINE).unwrap().unwrap();
    }
    let after = journal.status();
    assert_eq!(at_gate.recv_timeout(DEADLINE), Ok(40));
    assert_eq!(
        (after.batches - before.batches, after.fsyncs - before.fsyncs),
        (1, 1)
    );
    assert_eq!(after.entries - before.entries, 40);
}

#[test]
fn a_panicking_answer_harms_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut acme = Client::open(&journal, "acme");
    let append = Append {
        class: vyrox_journal::Class::Ordinary,
        chain: "acme".into(),
        epoch: acme.epoch,
        expected_last: None,
        drafts: vec![draft(json!({}))],
    };
    journal.append(
        append,
        Box::new(|_| std::panic::resume_unwind(Box::new("on purpose"))),
    );
    acme.last = Some(0);
    assert_eq!(acme.put(1).seq, 1);
    assert_eq!(journal.status().poisoned, None);
}

#[test]
fn a_closed_journal_takes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut acme = Client::open(&journal, "acme");
    let answers: Vec<_> = (0..100)
        .map(|n| acme.send(vec![draft(json!({"n": n}))]))
        .collect();
    journal.close().unwrap();
    for answer in answers {
        answer.try_recv().unwrap().unwrap();
    }
    assert!(matches!(
        acme.append(vec![draft(json!({}))]),
        Err(AppendError::Io(_))
    ));
    assert_eq!(Journal::open(&journal, "acme"), Err(JournalError::Closed));
    assert_eq!(journal.flush("acme"), Err(JournalError::Closed));
    assert_eq!(journal.close(), Ok(()));
}

#[test]
fn a_directory_has_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let second = LocalJournal::open(dir.path(), options(), None);
    assert!(matches!(second, Err(StartError::Locked(_))));
    drop(journal);
    open(dir.path()).close().unwrap();
}
