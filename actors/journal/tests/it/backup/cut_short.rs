//! Backups and restores that were cut off: what they leave is told from what is whole.

use std::cell::RefCell;
use std::fs::File;

use vyrox_journal::{Options, StartError};

use super::*;

/// More evidence than is copied between two reports.
fn much(house: &House) {
    let mut client = Client::open(&house.journal, "acme");
    for n in 0..64 {
        let noise: Vec<u8> = (0..64_u32 << 10)
            .map(|at| (at * (at >> 8) + n).to_le_bytes()[0])
            .collect();
        client.append(vec![draft_with(&[noise])]).unwrap();
    }
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (entry, to) = (entry.unwrap(), to.to_path_buf());
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copied(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Nobody starts on it, and nothing is restored into it, before somebody has removed it.
fn is_nothing(left: &Path, backup: &Path) {
    let started = LocalJournal::open(&left.join("journal"), Options::default(), None);
    let refused = started.err().unwrap();
    assert!(matches!(refused, StartError::Unrestored(_)), "{refused}");
    let again = restore(backup, left, &unwatched).unwrap_err();
    assert!(matches!(again, RestoreError::CutShort(_)), "{again}");
    for error in [refused.to_string(), again.to_string()] {
        assert!(
            error.contains("delete the directory and restore again"),
            "{error}"
        );
    }
    fs::remove_dir_all(left).unwrap();
    restore(backup, left, &unwatched).unwrap();
    drop(open(&left.join("journal")));
}

/// The folders that a restore begins with were a data directory like any that is new: a server began there,
/// with new chains under the old names.
#[test]
fn what_a_restore_that_was_cut_off_leaves_is_no_data_directory() {
    let house = House::new();
    filled(&house);
    much(&house);
    let into = house.dir.path().join("backup");
    house.back_up(&into).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let data = elsewhere.path().join("data");
    let cuts = RefCell::new(Vec::new());
    let look = |_progress| {
        if data.exists() {
            let left = elsewhere
                .path()
                .join(format!("cut-{}", cuts.borrow().len()));
            copied(&data, &left);
            cuts.borrow_mut().push(left);
        }
        ControlFlow::Continue(())
    };
    restore(&into, &data, &look).unwrap();
    let cuts = cuts.into_inner();
    assert!(cuts.len() > 1, "{cuts:?}");
    is_nothing(&cuts[0], &into);
    is_nothing(&cuts[cuts.len() - 1], &into);
    let journal = open(&data.join("journal"));
    assert!(journal.head("acme").is_some());

    let earliest = elsewhere.path().join("earliest");
    fs::create_dir_all(earliest.join("journal")).unwrap();
    File::create(earliest.join("journal/restore.unfinished")).unwrap();
    is_nothing(&earliest, &into);
}

/// A backup that was killed left a folder that every later one of that name refused, and what it was nobody said.
#[test]
fn what_a_backup_that_was_cut_off_left_is_removed_by_the_next_and_nothing_else_is() {
    let house = House::new();
    filled(&house);
    much(&house);
    let name = |name: &str| house.dir.path().join(name);
    let (first, second) = (name("first"), name("second"));
    let cut = Cell::new(false);
    let look = |_progress| {
        if !cut.replace(true) {
            copied(&name("first.part"), &name("second.part"));
            let beside = house.back_up(&first).unwrap_err();
            assert!(matches!(beside, BackupError::UnderWay(_)), "{beside}");
        }
        ControlFlow::Continue(())
    };
    back_up(&house.sources(), &first, ABOUT, &look).unwrap();
    assert!(cut.get() && name("second.part").exists());
    fs::write(name("second.part/journal/tenants/left.jsonl"), b"half").unwrap();
    let manifest = house.back_up(&second).unwrap();
    assert!(!manifest.files.keys().any(|file| file.contains("left")));
    assert!(!name("second.part").exists());
    for whole in [&first, &second] {
        restored(whole);
        assert!(!whole.join("backup.unfinished").exists());
    }

    // Cut off before it was marked, there is nothing in it.
    fs::create_dir(name("third.part")).unwrap();
    house.back_up(&name("third")).unwrap();
    // What is somebody's is left.
    for (part, file, says) in [("a", "photo.jpg", "x"), ("b", "backup.unfinished", "mine")] {
        let part = name(&format!("{part}.part"));
        fs::create_dir(&part).unwrap();
        fs::write(part.join(file), says).unwrap();
        let refused = house.back_up(&part.with_extension("")).unwrap_err();
        assert!(matches!(refused, BackupError::Strange(_)), "{refused}");
        assert!(
            refused.to_string().contains("look at it and remove it"),
            "{refused}"
        );
        assert_eq!(fs::read_to_string(part.join(file)).unwrap(), says);
    }
}
