//! What happens when the disk fails, on log files that fail on demand.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redb::{Builder, Database, DatabaseError};
use serde_json::json;

use super::*;
use crate::disk::DiskFile;
use crate::disk::Open;
use crate::journal::Receipt;

/// A disk whose log segments fail, once open for writing, when a countdown that all of them share
/// has run out; and on which some of them cannot be opened for want of descriptors.
#[derive(Clone)]
struct Failing {
    left: Arc<AtomicU64>,
    short: bool,
    without_descriptor: Arc<AtomicU64>,
}

impl Failing {
    fn after(operations: u64, short: bool) -> Arc<Self> {
        Arc::new(Self {
            left: Arc::new(AtomicU64::new(operations)),
            short,
            without_descriptor: Arc::default(),
        })
    }

    fn is_log(path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap();
        ["seg-", "spare-", "tmp-"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    }
}

fn count_down(counter: &AtomicU64) -> bool {
    let down = |left: u64| left.checked_sub(1);
    let spent = counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, down);
    spent.is_ok()
}

impl Disk for Failing {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        const EMFILE: i32 = 24;
        let inner = RealDisk.open(path, how)?;
        if how != Open::Write || !Self::is_log(path) {
            return Ok(inner);
        }
        if count_down(&self.without_descriptor) {
            return Err(io::Error::from_raw_os_error(EMFILE));
        }
        let disk = self.clone();
        Ok(Box::new(FailingFile { inner, disk }))
    }

    fn database(
        &self,
        path: &Path,
        builder: &Builder,
        new: bool,
    ) -> Result<Database, DatabaseError> {
        RealDisk.database(path, builder, new)
    }

    fn exists(&self, path: &Path) -> bool {
        RealDisk.exists(path)
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        RealDisk.len(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn make_directory(&self, path: &Path) -> io::Result<()> {
        RealDisk.make_directory(path)
    }
}

struct FailingFile {
    inner: Box<dyn DiskFile>,
    disk: Failing,
}

impl FailingFile {
    fn tick(&self) -> io::Result<()> {
        if count_down(&self.disk.left) {
            return Ok(());
        }
        Err(io::Error::from_raw_os_error(5))
    }
}

impl DiskFile for FailingFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(into, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if let Err(error) = self.tick() {
            if self.disk.short {
                self.inner.write_at(&bytes[..bytes.len() / 2], offset)?;
            }
            return Err(error);
        }
        self.inner.write_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn sync_data(&self) -> io::Result<()> {
        self.tick()?;
        self.inner.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.inner.sync_all()
    }

    fn give_back(&self, offset: u64, len: u64) -> io::Result<()> {
        self.inner.give_back(offset, len)
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.inner.try_lock()
    }
}

fn open_on(disk: &Arc<Failing>, dir: &Path) -> Result<LocalJournal, StartError> {
    LocalJournal::open_on(Arc::<Failing>::clone(disk), dir, options(), None)
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
        class: Class::Ordinary,
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
        let disk = Failing::after(operations, operations % 2 == 0);
        let journal = open_on(&disk, dir.path()).unwrap();
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
    let journal = open_on(&Failing::after(3, false), dir.path()).unwrap();
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
            class: Class::Ordinary,
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
    let journal = open_on(&Failing::after(40, true), dir.path()).unwrap();
    let acknowledged = append_until_failure(&journal);
    drop(journal);
    for operations in 0..100 {
        match open_on(&Failing::after(operations, true), dir.path()) {
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
    let dir = tempfile::tempdir().unwrap();
    let disk = Failing::after(u64::MAX, false);
    let journal = open_on(&disk, dir.path()).unwrap();
    let opened = Journal::open(&journal, "acme").unwrap();
    disk.without_descriptor.store(3, Ordering::SeqCst);
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
