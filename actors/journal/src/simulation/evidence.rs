//! Attachments that can be found again wherever they are.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use super::disk::SimDisk;

const MARK: &[u8] = b"\xf7ev";

/// What an attachment of the entry with this number begins with.
pub(super) fn tag(number: u64) -> Vec<u8> {
    [MARK, format!("{number};").as_bytes()].concat()
}

/// The files on the disk that have attachments of any of these entries.
pub(super) fn files_with(disk: &SimDisk, numbers: &HashSet<u64>) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    disk.everything(|path, bytes| {
        let marked = |at: &usize| bytes[*at..].starts_with(MARK);
        let marks = (0..bytes.len())
            .filter(|at| bytes[*at] == MARK[0])
            .filter(marked);
        for at in marks {
            let Some(number) = number_at(&bytes[at + MARK.len()..]) else {
                continue;
            };
            if numbers.contains(&number) {
                files.insert(path.to_path_buf());
            }
        }
    });
    files
}

/// The number of a tag, behind its mark. None of one that a short write cut: what is left of a number may
/// well be another entry's.
fn number_at(bytes: &[u8]) -> Option<u64> {
    let end = bytes.iter().take(20).position(|byte| *byte == b';')?;
    std::str::from_utf8(&bytes[..end]).ok()?.parse().ok()
}

impl SimDisk {
    /// What every file holds whose name is there, or will be after a loss of power: in the cache and on
    /// the disk.
    fn everything(&self, mut look: impl FnMut(&Path, &[u8])) {
        self.with(|state| {
            for (path, inode) in state.names.iter().chain(&state.durable) {
                state.inodes[*inode].runs(|bytes| look(path, bytes));
            }
        });
    }
}
