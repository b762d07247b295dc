//! A backup while it is being written.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::manifest::MANIFEST;
use super::{BackupError, Beside, FileCopy, Manifest, described, new_file};
use crate::disk::{Disk as _, RealDisk, parent_of, writable};

/// A file in it that is locked for as long as somebody writes the backup.
const MARKER: &str = "backup.unfinished";
/// What it says.
const SAYS: &[u8] = b"A backup by vyrox that is being written, or was when that was cut off.\n";

/// A backup that is being written; gone again unless it is completed.
pub(super) struct Draft {
    pub(super) path: PathBuf,
    complete: bool,
    lock: File,
}

impl Draft {
    pub(super) fn begin(into: &Path) -> Result<Self, BackupError> {
        if into.symlink_metadata().is_ok() {
            return Err(BackupError::Exists(into.display().to_string()));
        }
        let mut name = into.as_os_str().to_owned();
        name.push(".part");
        let path = PathBuf::from(name);
        if let Ok(found) = path.symlink_metadata() {
            clear(&path, found.is_dir())?;
        }
        RealDisk
            .make_directory(&path)
            .map_err(BackupError::target(&path))?;
        let marker = path.join(MARKER);
        let lock = new_file(&marker).map_err(|error| {
            if error.kind() == io::ErrorKind::AlreadyExists {
                // Somebody was quicker.
                return BackupError::UnderWay(path.display().to_string());
            }
            BackupError::target(&marker)(error)
        })?;
        // Where files cannot be locked, none is ever taken for one that nobody writes.
        lock.try_lock().ok();
        let draft = Self {
            path,
            complete: false,
            lock,
        };
        let written = (&draft.lock).write_all(SAYS);
        let written = written.and_then(|()| draft.lock.sync_all());
        written.map_err(BackupError::target(&marker))?;
        Ok(draft)
    }

    /// Has something copied that goes along, and describes its files.
    pub(super) fn add(
        &self,
        beside: &Beside<'_>,
        files: &mut BTreeMap<String, FileCopy>,
    ) -> Result<(), BackupError> {
        let folder = self.path.join(beside.folder);
        RealDisk
            .make_directory(&folder)
            .map_err(BackupError::target(&folder))?;
        let failed = |source| BackupError::Beside {
            folder: beside.folder,
            source,
        };
        (beside.copy)(&folder).map_err(failed)?;
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Some(name) = entry.file_name().to_str().map(String::from) else {
                continue;
            };
            let path = entry.path();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed)?;
            files.insert(format!("{}/{name}", beside.folder), described(&path)?);
        }
        RealDisk
            .sync_directory(&folder)
            .map_err(BackupError::target(&folder))
    }

    pub(super) fn complete(mut self, manifest: &Manifest, into: &Path) -> Result<(), BackupError> {
        let path = self.path.join(MANIFEST);
        manifest.write(&path).map_err(BackupError::target(&path))?;
        let named = RealDisk
            .sync_directory(&self.path)
            .and_then(|()| fs::rename(&self.path, into))
            .and_then(|()| RealDisk.sync_directory(parent_of(into)));
        named.map_err(BackupError::target(into))?;
        self.complete = true;
        // It is whole with it as without.
        fs::remove_file(into.join(MARKER)).ok();
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.complete {
            return;
        }
        if let Err(error) = remove(&self.path) {
            let path = self.path.display();
            tracing::warn!(%error, %path, "an unfinished backup could not be removed");
        }
    }
}

/// Removes what is left of a backup that was cut off, and nothing else.
fn clear(path: &Path, is_dir: bool) -> Result<(), BackupError> {
    let name = || path.display().to_string();
    let strange = || Err(BackupError::Strange(name()));
    if !is_dir {
        return strange();
    }
    let marker = path.join(MARKER);
    if !marker.symlink_metadata().is_ok_and(|found| found.is_file()) {
        // It may have been cut off before it had one; then there is nothing in it at all.
        return fs::remove_dir(path).or_else(|_not_empty| strange());
    }
    let lock = writable().read(true).open(&marker);
    let lock = lock.map_err(BackupError::target(&marker))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => return Err(BackupError::UnderWay(name())),
        Err(fs::TryLockError::Error(_)) => return strange(),
    }
    let mut says = Vec::new();
    let read = lock.take(1024).read_to_end(&mut says);
    read.map_err(BackupError::target(&marker))?;
    if !SAYS.starts_with(&says) {
        return strange();
    }
    tracing::warn!(path = %path.display(), "what was left of a backup that was cut off is removed");
    remove(path).map_err(BackupError::target(path))
}

/// Removes it, and last what tells it from anything else.
fn remove(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else if entry.file_name() != MARKER {
            fs::remove_file(entry.path())?;
        }
    }
    fs::remove_dir_all(path)
}
