//! Nobody but its owner reads a journal.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use vyrox_journal::Journal as _;

use crate::support::{Client, draft_with, open};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Every directory is 0700 and every file 0600; answers how many files there are.
pub(crate) fn check_private(dir: &Path) -> usize {
    assert_eq!(mode(dir), 0o700, "{}", dir.display());
    let paths = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let count = |path: std::path::PathBuf| {
        if path.is_dir() {
            return check_private(&path);
        }
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        1
    };
    paths.map(count).sum()
}

#[test]
fn every_file_and_directory_is_for_the_owner_alone() {
    let above = tempfile::tempdir().unwrap();
    let dir = above.path().join("data/journal");
    for _ in 0..2 {
        let journal = open(&dir);
        let mut acme = Client::open(&journal, "acme");
        // Several segments, so that some are retired and zeroed again.
        for _ in 0..40 {
            acme.append(vec![draft_with(&[vec![5; 9000]])]).unwrap();
        }
        journal.flush("acme").unwrap();
        journal.close().unwrap();
        drop(journal);
    }
    // heads.redb, lock, the chain, its evidence, a segment and spares.
    assert!(check_private(&dir) >= 7);
    assert_eq!(mode(dir.parent().unwrap()), 0o700);
}

#[test]
fn a_directory_that_was_open_to_others_is_closed() {
    let above = tempfile::tempdir().unwrap();
    let dir = above.path().join("journal");
    open(&dir).close().unwrap();
    for folder in ["", "tenants", "evidence"] {
        fs::set_permissions(dir.join(folder), Permissions::from_mode(0o755)).unwrap();
    }
    open(&dir).close().unwrap();
    check_private(&dir);
    // One that is narrower still is left as it is, as far as it can be used.
    fs::set_permissions(dir.join("evidence"), Permissions::from_mode(0o500)).unwrap();
    open(&dir).close().unwrap();
    assert_eq!(mode(&dir.join("evidence")), 0o500);
}
