//! The directory of the copies, for one run of the command at a time.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use super::{super::failure::Failure, cannot};

/// The file that a run holds locked for as long as it takes. It stays: whoever removed it would let two
/// others in, one with the old file and one with a new one.
const LOCK: &str = ".lock";

/// A directory that no other run writes to.
pub(super) struct Mirror<'a> {
    into: &'a Path,
    _lock: File,
}

impl<'a> Mirror<'a> {
    /// Makes the directory if there is none.
    pub(super) fn open(into: &'a Path) -> Result<Self, Failure> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(into);
        made.map_err(|error| cannot("make", into, &error))?;
        let path = into.join(LOCK);
        is_file(&path)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(&path);
        let lock = lock.map_err(|error| cannot("open", &path, &error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { into, _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                let busy = format!("another run of this command is at {}", into.display());
                Err(Failure::unreachable(busy)
                    .hint("wait for its end; this one has changed nothing"))
            }
            Err(TryLockError::Error(error)) => Err(cannot("lock", &path, &error)),
        }
    }

    /// Chains of which there is a copy: one that the server no longer names is asked for all the same.
    pub(super) fn chains(&self) -> Result<Vec<String>, Failure> {
        let failed = |error: &io::Error| cannot("list", self.into, error);
        let mut names = Vec::new();
        for entry in fs::read_dir(self.into).map_err(|error| failed(&error))? {
            let name = entry.map_err(|error| failed(&error))?.file_name();
            let chain = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
            names.extend(chain.map(str::to_owned));
        }
        Ok(names)
    }
}

/// Whether there is a file of that name. Anything else that has it is refused: reading a pipe may have no
/// end, and reading from a device has none.
pub(super) fn is_file(path: &Path) -> Result<bool, Failure> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(true),
        Ok(_other) => {
            let strange = format!(
                "{} is no file: a folder, a pipe or a device",
                path.display()
            );
            Err(Failure::unreachable(strange).hint("move it away; the command makes a file there"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(cannot("read", path, &error)),
    }
}
