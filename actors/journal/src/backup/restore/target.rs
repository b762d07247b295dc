//! The data directory that a restore fills, and empties again if it comes to nothing.
//!
//! A file says that it is being filled, durably, before anything else is in it and until all of it is: what
//! a crash leaves is no data directory, and nobody starts on it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::super::manifest::{HEADS, VAULT};
use super::super::{Manifest, new_file};
use super::{Records, RestoreError, Source};
use crate::directory::RESTORING;
use crate::disk::{Disk as _, RealDisk, parent_of};
use crate::heads::read_copy;
use crate::vault::{DATA_KEY_ROW, Vault};

/// The record of what is durable, while chains are missing.
const UNNAMED_HEADS: &str = "journal/heads.redb.restored";

/// The data directory while it is filled; emptied again unless it is completed.
pub(super) struct Target<'a> {
    data_dir: &'a Path,
    /// Whether the directory itself is ours to remove.
    made: bool,
    complete: bool,
}

impl<'a> Target<'a> {
    pub(super) fn begin(data_dir: &'a Path) -> Result<Self, RestoreError> {
        if marker(data_dir).symlink_metadata().is_ok() {
            return Err(RestoreError::CutShort(data_dir.display().to_string()));
        }
        let made = match fs::read_dir(data_dir).map(|mut entries| entries.next().is_some()) {
            Ok(true) => return Err(RestoreError::NotEmpty(data_dir.display().to_string())),
            Ok(false) => false,
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(RestoreError::target(data_dir)(error)),
        };
        Ok(Self {
            data_dir,
            made,
            complete: false,
        })
    }

    pub(super) fn fill(&self, source: &Source<'_>) -> Result<(), RestoreError> {
        self.mark()?;
        let mut folders = BTreeSet::from(["", "journal", "journal/tenants", "journal/evidence"]);
        let files = source.manifest.files.keys();
        folders.extend(files.filter_map(|file| Some(file.rsplit_once('/')?.0)));
        for folder in &folders {
            let folder = self.data_dir.join(folder);
            RealDisk
                .make_directory(&folder)
                .map_err(RestoreError::target(&folder))?;
        }
        for name in source.manifest.files.keys() {
            let to = if name == HEADS {
                self.unnamed_heads()
            } else {
                self.data_dir.join(name)
            };
            source.copy(name, &to)?;
        }
        for folder in folders.iter().rev() {
            let folder = self.data_dir.join(folder);
            RealDisk
                .sync_directory(&folder)
                .map_err(RestoreError::target(&folder))?;
        }
        Ok(())
    }

    fn mark(&self) -> Result<(), RestoreError> {
        let (file, journal) = (marker(self.data_dir), self.data_dir.join("journal"));
        let durable = RealDisk
            .make_directory(&journal)
            .and_then(|()| new_file(&file)?.sync_all())
            .and_then(|()| RealDisk.sync_directory(&journal));
        durable.map_err(RestoreError::target(&file))
    }

    fn unnamed_heads(&self) -> PathBuf {
        self.data_dir.join(UNNAMED_HEADS)
    }

    /// Which host keys the vault's data keys are wrapped under.
    pub(super) fn host_keys(&self, manifest: &Manifest) -> Result<Vec<String>, RestoreError> {
        if !manifest.files.contains_key(VAULT) {
            return Ok(Vec::new());
        }
        let parts =
            |error: &dyn std::fmt::Display| RestoreError::Parts(format!("{VAULT}: {error}"));
        let path = self.data_dir.join(VAULT);
        let vault = Vault::open(&path).map_err(|error| parts(&error))?;
        let mut keys = BTreeSet::new();
        for tenant in vault.tenants().map_err(|error| parts(&error))? {
            let rows = vault.for_tenant(&tenant).map_err(|error| parts(&error))?;
            let wrapped = rows.into_iter().filter(|row| row.name == DATA_KEY_ROW);
            keys.extend(wrapped.map(|row| row.key_id));
        }
        Ok(keys.into_iter().collect())
    }

    /// Compares the record of what is durable with the chains, and gives it its name; then the directory is
    /// one to start on.
    pub(super) fn complete(
        mut self,
        records: &Records<'_>,
        manifest: &Manifest,
    ) -> Result<(), RestoreError> {
        let heads = self.unnamed_heads();
        let (found, holds) =
            read_copy(&heads).map_err(|error| RestoreError::Parts(format!("{HEADS}: {error}")))?;
        let same = found.len() == records.len()
            && records
                .iter()
                .all(|(chain, (_, record))| found.get(*chain) == Some(record));
        if !same {
            let why = "heads.redb names other chains than the manifest, or other ends";
            return Err(RestoreError::Parts(why.to_owned()));
        }
        let told = |chain: &str| {
            manifest.held.contains_key(chain) || manifest.left_out.contains_key(chain)
        };
        if let Some(chain) = manifest
            .left_out
            .keys()
            .find(|chain| !holds.chains.contains_key(chain.as_str()))
        {
            return Err(RestoreError::Parts(format!(
                "{chain} lacks entries and is not held"
            )));
        }
        if let Some(chain) = holds.chains.keys().find(|chain| !told(chain)) {
            return Err(RestoreError::Parts(format!(
                "heads.redb holds {chain}, of which the manifest says nothing"
            )));
        }
        let journal = self.data_dir.join("journal");
        let named = File::open(&heads)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(&heads, self.data_dir.join(HEADS)))
            .and_then(|()| RealDisk.sync_directory(&journal))
            .and_then(|()| RealDisk.sync_directory(parent_of(self.data_dir)))
            .and_then(|()| fs::remove_file(marker(self.data_dir)))
            .and_then(|()| RealDisk.sync_directory(&journal));
        named.map_err(RestoreError::target(&heads))?;
        self.complete = true;
        Ok(())
    }
}

impl Drop for Target<'_> {
    fn drop(&mut self) {
        if self.complete {
            return;
        }
        let mut removed = emptied(self.data_dir);
        if self.made && removed.is_ok() {
            removed = fs::remove_dir(self.data_dir);
        }
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let path = self.data_dir.display();
                tracing::warn!(%error, %path, "an unfinished restore could not be removed");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

/// Removes what a restore may have put into a directory that was empty before; last what says that it is
/// none to start on.
fn emptied(data_dir: &Path) -> io::Result<()> {
    let names = [
        "proof",
        "journal/tenants",
        "journal/evidence",
        "journal/held",
    ];
    for name in [VAULT, HEADS, UNNAMED_HEADS] {
        if_there(fs::remove_file(data_dir.join(name)))?;
    }
    for name in names.into_iter().chain(["journal"]) {
        if_there(fs::remove_dir_all(data_dir.join(name)))?;
    }
    Ok(())
}

fn if_there(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn marker(data_dir: &Path) -> PathBuf {
    data_dir.join("journal").join(RESTORING)
}
