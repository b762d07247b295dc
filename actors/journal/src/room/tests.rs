//! Who is refused when room runs short.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use redb::{Builder, Database, DatabaseError};
use serde_json::json;

use crate::disk::{Disk, DiskFile, Open, RealDisk};
use crate::journal::{Append, AppendError, Class, Journal, Receipt};
use crate::{Draft, LocalJournal, Options};

/// A disk on which no log file can be made or lengthened while it is full, and which says what it is
/// told to of its free bytes.
#[derive(Default)]
struct Tight {
    full: AtomicBool,
    free: AtomicU64,
}

const ALL: u64 = 1 << 30;

impl Disk for Tight {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap();
        let grows = how == Open::Make && name.starts_with("tmp-") && !path.exists();
        if grows && self.full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        RealDisk.open(path, how)
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

    fn free(&self, _: &Path) -> io::Result<(u64, u64)> {
        Ok((self.free.load(Ordering::SeqCst), ALL))
    }
}

fn options() -> Options {
    Options {
        segment_bytes: 64 << 10,
        reserve_bytes: 1 << 20,
        checkpoint_interval: Duration::from_hours(1),
        ..Options::default()
    }
}

fn open(disk: &Arc<Tight>, dir: &Path) -> LocalJournal {
    let disk: Arc<dyn Disk> = Arc::<Tight>::clone(disk);
    LocalJournal::open_on(disk, dir, options(), None).unwrap()
}

struct Caller {
    epoch: u64,
    last: Option<u64>,
}

impl Caller {
    fn open(journal: &LocalJournal) -> Self {
        let opened = Journal::open(journal, "acme").unwrap();
        Self {
            epoch: opened.epoch,
            last: opened.head.map(|head| head.seq),
        }
    }

    fn put(&mut self, journal: &LocalJournal, class: Class) -> Result<Vec<Receipt>, AppendError> {
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
        let receipts = self.send(journal, class, vec![draft])?;
        self.last = receipts.last().map(|receipt| receipt.seq);
        Ok(receipts)
    }

    /// Waits until what was queued before is durable.
    fn wait(&self, journal: &LocalJournal) -> Result<Vec<Receipt>, AppendError> {
        self.send(journal, Class::Intake, Vec::new())
    }

    fn send(
        &self,
        journal: &LocalJournal,
        class: Class,
        drafts: Vec<Draft>,
    ) -> Result<Vec<Receipt>, AppendError> {
        let (send, receive) = channel();
        let append = Append {
            class,
            chain: "acme".into(),
            epoch: self.epoch,
            expected_last: self.last,
            drafts,
        };
        journal.append(append, Box::new(move |result| send.send(result).unwrap()));
        receive.recv_timeout(Duration::from_mins(1)).unwrap()
    }

    /// Appends until there is no more room; answers how many were taken.
    fn fill(&mut self, journal: &LocalJournal, class: Class) -> u64 {
        for taken in 0..1000 {
            match self.put(journal, class) {
                Ok(_) => {}
                Err(AppendError::Full) => return taken,
                Err(error) => panic!("{error}"),
            }
        }
        panic!("there was always room");
    }
}

/// On a full disk alerts took the last room of the log, and outcomes of containments that were under
/// way could not be written down.
#[test]
fn the_last_room_of_the_log_is_for_containment() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), Arc::new(Tight::default()));
    disk.free.store(ALL, Ordering::SeqCst);
    let journal = open(&disk, dir.path());
    let mut acme = Caller::open(&journal);
    acme.put(&journal, Class::Intake).unwrap();
    // The shelf is filled by now.
    journal.flush("acme").unwrap();
    disk.full.store(true, Ordering::SeqCst);
    // A chain that is not copied keeps what was written.
    let file = dir.path().join("tenants/acme.jsonl");
    std::fs::rename(&file, file.with_extension("kept")).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert!(acme.fill(&journal, Class::Intake) > 10);
    assert!(!journal.has_room(Class::Intake));
    assert_eq!(acme.fill(&journal, Class::Ordinary), 0);
    // A whole segment of it.
    let outcomes = acme.fill(&journal, Class::Containment);
    assert!(outcomes >= 5, "{outcomes}");
    assert_eq!(acme.fill(&journal, Class::Intake), 0);
    assert_eq!(journal.status().poisoned, None);
    std::fs::remove_dir(&file).unwrap();
    std::fs::rename(file.with_extension("kept"), &file).unwrap();
    disk.full.store(false, Ordering::SeqCst);
    journal.flush("acme").unwrap();
    acme.put(&journal, Class::Containment).unwrap();
    acme.put(&journal, Class::Intake).unwrap();
    assert!(journal.has_room(Class::Intake));
    let last = acme.last.unwrap();
    assert_eq!(journal.head("acme").unwrap().seq, last);
    assert!(journal.verify("acme").unwrap().ok);
    journal.close().unwrap();
    drop(journal);
    let journal = open(&disk, dir.path());
    assert_eq!(journal.head("acme").unwrap().seq, last);
}

#[test]
fn a_disk_that_is_nearly_full_takes_nothing_new_in() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), Arc::new(Tight::default()));
    disk.free.store(1 << 20, Ordering::SeqCst);
    let often = Options {
        checkpoint_interval: Duration::from_millis(1),
        ..options()
    };
    let shared: Arc<dyn Disk> = Arc::<Tight>::clone(&disk);
    let journal = LocalJournal::open_on(shared, dir.path(), often, None).unwrap();
    let mut acme = Caller::open(&journal);
    let until = |scarce: bool| {
        while journal.status().disk_scarce != scarce {
            journal.flush("nobody").unwrap();
        }
    };
    until(false);
    assert!(journal.has_room(Class::Intake));
    acme.put(&journal, Class::Intake).unwrap();
    disk.free.store((1 << 20) - 1, Ordering::SeqCst);
    until(true);
    assert!(!journal.has_room(Class::Intake));
    assert!(journal.has_room(Class::Ordinary));
    assert_eq!(acme.put(&journal, Class::Intake), Err(AppendError::Full));
    // The answer to a repeat waits for what was queued, and takes no room.
    assert_eq!(acme.wait(&journal), Ok(Vec::new()));
    for class in [Class::Ordinary, Class::Containment] {
        acme.put(&journal, class).unwrap();
    }
    disk.free.store(ALL, Ordering::SeqCst);
    until(false);
    acme.put(&journal, Class::Intake).unwrap();
}
