//! The vault's file, which is opened anew after the disk was full.
//!
//! A database that was once refused room gives up for good, and would keep from its rows whoever asks, for
//! as long as the process runs. It is closed then, and the next who asks opens it again: as a start would,
//! with its checksums, and from the disk instead of from what the system has of it in memory. A disk
//! that failed in another way is not asked again.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use redb::Database;

use super::database::{self, StoreError};
use crate::disk::{Disk, Open};

/// A database that may be closed for a while.
pub(super) struct VaultFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    cache_bytes: usize,
    /// `None` from a full disk until it is opened again.
    database: RwLock<Option<Database>>,
    /// It was refused room.
    spent: AtomicBool,
}

impl VaultFile {
    /// Opens the file, or makes it.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        cache_bytes: usize,
    ) -> Result<Self, StoreError> {
        let database = database::open_on(&*disk, path, cache_bytes)?;
        Ok(Self {
            disk,
            path: path.to_owned(),
            cache_bytes,
            database: RwLock::new(Some(database)),
            spent: AtomicBool::new(false),
        })
    }

    /// Uses the database. Not to be called by what is given to it.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.spent.load(Ordering::Acquire) {
            self.open_again()?;
        }
        let open = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let closed = || StoreError::Io("the file is closed since the disk was full".into());
        let done = work(open.as_ref().ok_or_else(closed)?);
        if matches!(done, Err(StoreError::NoRoom(_))) {
            self.spent.store(true, Ordering::Release);
        }
        done
    }

    fn open_again(&self) -> Result<(), StoreError> {
        let mut open = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if !self.spent.load(Ordering::Acquire) {
            return Ok(());
        }
        *open = None;
        self.disk.open(&self.path, Open::Read)?.forget_cached()?;
        *open = Some(database::open_on(
            &*self.disk,
            &self.path,
            self.cache_bytes,
        )?);
        self.spent.store(false, Ordering::Release);
        Ok(())
    }
}

impl fmt::Debug for VaultFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
