//! What happens when the disk fails, on log files that fail on demand.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::journal::Receipt;
use crate::log_file::LogFile;

/// A log file that fails once its countdown, shared by all of them, has run out.
struct Failing {
    inner: Box<dyn LogFile>,
    left: Arc<AtomicU64>,
    short: bool,
}

impl Failing {
    fn tick(&self) -> io::Result<()> {
        let count_down = |left: u64| left.checked_sub(1);
        let spent = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, count_down);
        spent
            .map(|_| ())
            .map_err(|_empty| io::Error::from_raw_os_error(5))
    }
}

impl LogFile for Failing {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.tick() {
            if self.short {
                self.inner.write_at(offset, &bytes[..bytes.len() / 2])?;
            }
            return Err(error);
        }
        self.inner.write_at(offset, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.tick()?;
        self.inner.sync()
    }
}

fn failing_after(left: &Arc<AtomicU64>, short: bool) -> OpenLog {
    let left = Arc::clone(left);
    let open = real();
    Arc::new(move |path| {
        let file: Box<dyn LogFile> = Box::new(Failing {
            inner: open(path)?,
            left: Arc::clone(&left),
            short,
        });
        Ok(file)
    })
}

fn options() -> Options {
    Options {
        segment_bytes: 64 << 10,
        checkpoint_interval: Duration::from_hours(1),
        ..Options::default()
    }
}

fn append(
    journal: &LocalJournal,
    epoch: u64,
    expected_last: Option<u64>,
) -> Result<Vec<Receipt>, AppendError> {
    let (send, receive) = channel();
    let draft = Draft {
        event: "a.b".into(),
        event_version: 1,
        actor: "system".into(),
        timestamp_ms: 1,
        alert_id: None,
        action: None,
        payload: json!({"n": epoch}),
        attachments: vec![vec![7; 5000]],
    };
    let append = Append {
        chain: "acme".into(),
        epoch,
        expected_last,
        drafts: vec![draft],
    };
    journal.append(append, Box::new(move |result| send.send(result).unwrap()));
    receive.recv_timeout(Duration::from_mins(1)).unwrap()
}

/// Appends until the journal fails; answers what was acknowledged.
fn append_until_failure(journal: &LocalJournal) -> Vec<Receipt> {
    let opened = Journal::open(journal, "acme").unwrap();
    let mut last = opened.head.map(|head| head.seq);
    let mut acknowledged = Vec::new();
    loop {
        match append(journal, opened.epoch, last) {
            Ok(receipts) => {
                last = receipts.last().map(|receipt| receipt.seq);
                acknowledged.extend(receipts);
            }
            Err(AppendError::Io(_)) => return acknowledged,
            Err(error) => panic!("{error}"),
        }
    }
}

fn check_all_there(dir: &Path, acknowledged: &[Receipt]) {
    let journal = LocalJournal::open(dir, options(), None).unwrap();
    let lines: Vec<_> = journal
        .read("acme", 0, None)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for receipt in acknowledged {
        let line = &lines[crate::bytes::index(receipt.seq)];
        assert_eq!((line.seq, line.hash), (receipt.seq, receipt.hash));
    }
    assert!(
        lines.len() <= acknowledged.len() + 1,
        "at most the failed batch is there as well"
    );
    assert!(journal.status().recovered.unwrap().held.is_empty());
    journal.close().unwrap();
}

#[test]
fn a_failed_write_or_sync_ends_the_journal_and_loses_nothing_acknowledged() {
    // Beyond the first segment, so that failures hit its batches, a switch, and batches after it.
    for operations in 3..70 {
        let dir = tempfile::tempdir().unwrap();
        let left = Arc::new(AtomicU64::new(operations));
        let open_log = failing_after(&left, operations % 2 == 0);
        let journal = LocalJournal::open_with(dir.path(), options(), None, open_log).unwrap();
        let acknowledged = append_until_failure(&journal);
        let status = journal.status();
        assert!(status.poisoned.is_some());
        assert_eq!(status.entries, crate::bytes::wide(acknowledged.len()));
        assert!(matches!(append(&journal, 1, None), Err(AppendError::Io(_))));
        assert!(matches!(
            Journal::open(&journal, "acme"),
            Err(JournalError::Io(_))
        ));
        assert!(journal.close().is_err());
        drop(journal);
        check_all_there(dir.path(), &acknowledged);
    }
}

#[test]
fn what_waits_behind_a_failed_batch_is_refused_too() {
    let dir = tempfile::tempdir().unwrap();
    // Two headers and a sync make the first segment; the first batch's write is the fourth.
    let left = Arc::new(AtomicU64::new(3));
    let open_log = failing_after(&left, false);
    let journal = LocalJournal::open_with(dir.path(), options(), None, open_log).unwrap();
    let (send, receive) = channel();
    let epoch = Journal::open(&journal, "acme").unwrap().epoch;
    for position in 0..10 {
        let send = send.clone();
        let drafts = vec![
            Draft {
                event: "a.b".into(),
                event_version: 1,
                actor: "system".into(),
                timestamp_ms: 1,
                alert_id: None,
                action: None,
                payload: json!({}),
                attachments: Vec::new(),
            };
            position % 2
        ];
        let append = Append {
            chain: "acme".into(),
            epoch,
            expected_last: None,
            drafts,
        };
        journal.append(
            append,
            Box::new(move |result| send.send((position, result)).unwrap()),
        );
    }
    drop(send);
    let answers: Vec<_> = receive.iter().collect();
    assert_eq!(answers.len(), 10);
    for (position, result) in answers {
        // Only a barrier with nothing before it rests on nothing.
        let rests_on_nothing = position == 0 && result == Ok(Vec::new());
        assert!(
            rests_on_nothing || matches!(result, Err(AppendError::Io(_))),
            "{position}"
        );
    }
}

#[test]
fn a_recovery_that_fails_anywhere_is_repeated_with_the_same_result() {
    let dir = tempfile::tempdir().unwrap();
    let left = Arc::new(AtomicU64::new(40));
    let open_log = failing_after(&left, true);
    let journal = LocalJournal::open_with(dir.path(), options(), None, open_log).unwrap();
    let acknowledged = append_until_failure(&journal);
    drop(journal);
    for operations in 0..100 {
        let left = Arc::new(AtomicU64::new(operations));
        let open_log = failing_after(&left, true);
        match LocalJournal::open_with(dir.path(), options(), None, open_log) {
            Ok(journal) => {
                assert!(operations > 3);
                drop(journal);
                check_all_there(dir.path(), &acknowledged);
                return;
            }
            Err(error) => assert!(matches!(error, StartError::Io { .. }), "{error}"),
        }
    }
    panic!("recovery never had operations enough");
}

#[test]
fn a_failed_spare_is_left_to_be_zeroed_again() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path()).unwrap();
    let journal = LocalJournal::open(dir.path(), options(), None).unwrap();
    journal.flush("nobody").unwrap();
    // A directory in a retired file's place: it can be neither opened for writing nor zeroed.
    fs::create_dir(dir.path().join("tmp-900")).unwrap();
    let opened = Journal::open(&journal, "acme").unwrap();
    let mut last = None;
    for _ in 0..200 {
        last = append(&journal, opened.epoch, last)
            .unwrap()
            .last()
            .map(|receipt| receipt.seq);
    }
    assert_eq!(last, Some(199));
    assert!(journal.status().segments < 30);
    journal.close().unwrap();
    assert!(dir.path().join("tmp-900").is_dir());
}

#[test]
fn a_segment_that_cannot_be_opened_for_want_of_descriptors_refuses_and_harms_nothing() {
    const EMFILE: i32 = 24;
    let dir = tempfile::tempdir().unwrap();
    let refusals = Arc::new(AtomicU64::new(0));
    let open_log: OpenLog = {
        let (refusals, open) = (Arc::clone(&refusals), real());
        Arc::new(move |path| {
            let refuse = |left: u64| left.checked_sub(1);
            let spent = refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, refuse);
            match spent {
                Ok(_) => Err(io::Error::from_raw_os_error(EMFILE)),
                Err(_none_left) => open(path),
            }
        })
    };
    let journal = LocalJournal::open_with(dir.path(), options(), None, open_log).unwrap();
    let opened = Journal::open(&journal, "acme").unwrap();
    refusals.store(3, Ordering::SeqCst);
    let (mut acknowledged, mut refused) = (Vec::new(), 0);
    // Several segments' worth: the first switch is refused three times, and then goes on.
    while acknowledged.len() < 40 {
        let last = acknowledged.last().map(|receipt: &Receipt| receipt.seq);
        match append(&journal, opened.epoch, last) {
            Ok(receipts) => acknowledged.extend(receipts),
            Err(AppendError::Full) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(refused, 3);
    assert_eq!(journal.status().poisoned, None);
    journal.close().unwrap();
    drop(journal);
    check_all_there(dir.path(), &acknowledged);
}
