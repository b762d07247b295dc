//! A backup of a simulated journal: it goes to a real folder, is restored there, and comes back to a
//! simulated disk of its own.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::dice::Dice;
use super::disk::SimDisk;
use super::host::root;
use crate::backup::{Manifest, restore as restore_backup};

/// Restores the backup in `into`, as a program does for an operator; answers the disk that it is on.
pub(super) fn restore(
    into: &Path,
    data: &Path,
    manifest: &Manifest,
    dice: Dice,
) -> Result<SimDisk, String> {
    let go_on = |_| ControlFlow::Continue(());
    manifest
        .write(&into.join(crate::backup::MANIFEST))
        .map_err(|error| error.to_string())?;
    restore_backup(into, data, &go_on)
        .map_err(|error| format!("a BACKUP cannot be restored: {error}"))?;
    let mut files = Vec::new();
    gather(&data.join("journal"), &root(), &mut files).map_err(|error| error.to_string())?;
    files.sort();
    Ok(SimDisk::with_files(dice, files))
}

fn gather(
    from: &Path,
    to: &Path,
    files: &mut Vec<(PathBuf, Vec<u8>)>,
) -> Result<(), std::io::Error> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, name) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            gather(&path, &name, files)?;
        } else {
            files.push((name, fs::read(path)?));
        }
    }
    Ok(())
}

impl SimDisk {
    /// Another disk, with these files and all of them synced.
    fn with_files(dice: Dice, files: Vec<(PathBuf, Vec<u8>)>) -> Self {
        let disk = Self::new(dice);
        disk.with(|state| {
            for (path, bytes) in files {
                let inode = state.create(&path, 0).expect("a disk without faults");
                state.inodes[inode].write(&bytes, 0);
                state.inodes[inode].sync();
            }
            state.pending.clear();
            state.durable.clone_from(&state.names);
        });
        disk
    }
}
