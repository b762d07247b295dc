//! Projections: what is derived from the journal for quick answers, and may be lost.
//!
//! [`Projections::apply`] writes a batch together with the entries that it brings the chains to, in
//! one transaction, so rows and entries always agree. It does not wait for the disk; a crash takes
//! the file back to the last [`Projections::checkpoint`], and the owner applies again from
//! [`Projections::applied`]. A file that is damaged is deleted and rebuilt
//! ([`Projections::recreate`]); so is one of another format.
//!
//! One thread writes (a second one would wait for it). Reads may come from any thread: they take a
//! snapshot, never wait for the writer, and touch the disk only for pages outside the cache.

mod batch;
mod compare;
mod tables;
#[cfg(test)]
mod tests;
mod writing;

use std::{io, ops::Bound, path::Path};

use redb::{Database, Durability, ReadTransaction, ReadableDatabase, ReadableTable};

use self::tables::{ALERT_CHAINS, ALERTS, APPLIED, CLAIMS, LAST_ID, SNAPSHOTS};
pub use self::{
    batch::{Batch, Put},
    compare::{Difference, Judge, Snapshot},
};
use crate::{
    disk::{Disk, RealDisk, parent_of},
    journal::Head,
    vault::{StoreError, database},
};

/// What went wrong with the projections; on [`StoreError::Damaged`] delete and rebuild.
pub type ProjectionError = StoreError;

/// The most alerts that one listing returns, whatever was asked for.
pub const MAX_PAGE: usize = 1_000;

/// The projections' file.
#[derive(Debug)]
pub struct Projections {
    database: Database,
}

/// One alert as [`Projections::alerts`] lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRow {
    /// When it was received, in milliseconds since 1970.
    pub received_ms: u64,
    /// Its id.
    pub alert_id: [u8; 16],
    /// What was put.
    pub value: Vec<u8>,
}

/// A snapshot of a chain's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotRow {
    /// The format of `value`.
    pub version: u32,
    /// The last entry that is in it. A chain that has another one there is not what it was made of.
    pub at: Head,
    /// What was put.
    pub value: Vec<u8>,
}

impl Projections {
    /// Opens the file, or makes an empty one, and checks all of it, which takes time in proportion
    /// to its size. `cache_bytes` bounds the memory for pages.
    pub fn open(path: &Path, cache_bytes: usize) -> Result<Self, ProjectionError> {
        Self::open_on(&RealDisk, path, cache_bytes)
    }

    /// As [`open`](Self::open), on another disk.
    pub(crate) fn open_on(
        disk: &dyn Disk,
        path: &Path,
        cache_bytes: usize,
    ) -> Result<Self, ProjectionError> {
        let projections = Self {
            database: database::open_on(disk, path, cache_bytes)?,
        };
        projections.claim_format()?;
        Ok(projections)
    }

    /// Deletes the file, whatever is in it, and opens an empty one. Only for the process that
    /// owns the directory: nothing else keeps another one from using the deleted file.
    pub fn recreate(path: &Path, cache_bytes: usize) -> Result<Self, ProjectionError> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            Ok(()) | Err(_) => Self::open(path, cache_bytes),
        }
    }

    /// Puts the file at `fresh`, made by the same program and closed, in the place of `path`, durably
    /// and whole: a crash leaves the one or the other. Only for the process that owns the directory.
    pub fn replace(path: &Path, fresh: &Path) -> Result<(), ProjectionError> {
        std::fs::rename(fresh, path)?;
        Ok(RealDisk.sync_directory(parent_of(path))?)
    }

    /// Writes a batch and the entries it brings its chains to: all of it or nothing. Not durable.
    /// Applying a batch again changes nothing, so overlap after a crash is harmless.
    pub fn apply(&self, batch: &Batch) -> Result<(), ProjectionError> {
        self.write(Durability::None, |tables| tables.apply(batch))
    }

    /// Makes durable all that was applied. Space freed by earlier batches is used again only
    /// after a checkpoint, so the file grows without one.
    pub fn checkpoint(&self) -> Result<(), ProjectionError> {
        self.write(Durability::Immediate, |_nothing_to_add| Ok(()))
    }

    /// The last seq of the chain that is in the projections.
    pub fn applied(&self, chain: &str) -> Result<Option<u64>, ProjectionError> {
        Ok(self.stands_at(chain)?.map(|at| at.seq))
    }

    /// The last entry of the chain that is in the projections.
    pub fn stands_at(&self, chain: &str) -> Result<Option<Head>, ProjectionError> {
        self.read(|snapshot| {
            let found = snapshot.open_table(APPLIED)?.get(chain)?;
            Ok(found.map(|entry| {
                let (seq, hash) = entry.value();
                Head { seq, hash: *hash }
            }))
        })
    }

    /// The last entry of every chain that is in the projections, by name. A chain that has another
    /// entry there is not the one that these projections were made of.
    pub fn all_applied(&self) -> Result<Vec<(String, Head)>, ProjectionError> {
        self.read(|snapshot| {
            let table = snapshot.open_table(APPLIED)?;
            let mut chains = Vec::new();
            for entry in table.iter()? {
                let (chain, at) = entry?;
                let (seq, hash) = at.value();
                chains.push((chain.value().to_owned(), Head { seq, hash: *hash }));
            }
            Ok(chains)
        })
    }

    /// What was put for this alert of this chain.
    pub fn alert(
        &self,
        chain: &str,
        alert_id: &[u8; 16],
    ) -> Result<Option<Vec<u8>>, ProjectionError> {
        self.read(
            |snapshot| match snapshot.open_table(ALERT_CHAINS)?.get((alert_id, chain))? {
                Some(received) => alert_at(snapshot, chain, received.value(), alert_id),
                None => Ok(None),
            },
        )
    }

    /// The chain of an alert, and what was put for it. Should two chains have the id, the first by
    /// name answers; whoever asks for a tenant asks [`Projections::alert`].
    pub fn find_alert(
        &self,
        alert_id: &[u8; 16],
    ) -> Result<Option<(String, Vec<u8>)>, ProjectionError> {
        self.read(|snapshot| {
            let index = snapshot.open_table(ALERT_CHAINS)?;
            let Some((key, received)) = index.range((alert_id, "")..)?.next().transpose()? else {
                return Ok(None);
            };
            let (found_id, chain) = key.value();
            if found_id != alert_id {
                return Ok(None);
            }
            let value = alert_at(snapshot, chain, received.value(), alert_id)?;
            Ok(value.map(|value| (chain.to_owned(), value)))
        })
    }

    /// Alerts of a chain, the newest first: those strictly before the given time and id, at most
    /// `limit` and at most [`MAX_PAGE`]. The last row's time and id ask for the next page.
    pub fn alerts(
        &self,
        chain: &str,
        before: Option<(u64, [u8; 16])>,
        limit: usize,
    ) -> Result<Vec<AlertRow>, ProjectionError> {
        let upper = match &before {
            Some((received_ms, id)) => Bound::Excluded((chain, *received_ms, id)),
            None => Bound::Included((chain, u64::MAX, LAST_ID)),
        };
        let lower = Bound::Included((chain, 0, &[0; 16]));
        self.read(|snapshot| {
            let rows = snapshot.open_table(ALERTS)?.range((lower, upper))?.rev();
            let page = rows.take(limit.min(MAX_PAGE)).map(|row| {
                let (key, value) = row?;
                let (_, received_ms, alert_id) = key.value();
                Ok(AlertRow {
                    received_ms,
                    alert_id: *alert_id,
                    value: value.value().to_vec(),
                })
            });
            page.collect()
        })
    }

    /// What was claimed under this key. A claim whose `expires_ms` is not after `now_ms` is gone,
    /// purged or not.
    pub fn claim(
        &self,
        chain: &str,
        key: &[u8; 32],
        now_ms: u64,
    ) -> Result<Option<Vec<u8>>, ProjectionError> {
        self.read(|snapshot| {
            let found = snapshot.open_table(CLAIMS)?.get((chain, key))?;
            Ok(found.and_then(|claim| {
                let (expires_ms, value) = claim.value();
                (expires_ms > now_ms).then(|| value.to_vec())
            }))
        })
    }

    /// The chain's snapshot.
    pub fn snapshot(&self, chain: &str) -> Result<Option<SnapshotRow>, ProjectionError> {
        self.read(|snapshot| {
            let found = snapshot.open_table(SNAPSHOTS)?.get(chain)?;
            Ok(found.map(|row| {
                let (version, seq, hash, value) = row.value();
                SnapshotRow {
                    version,
                    at: Head { seq, hash: *hash },
                    value: value.to_vec(),
                }
            }))
        })
    }

    /// Removes at most `limit` expired claims, those longest expired first, and says how many.
    /// Not durable by itself, like [`Projections::apply`].
    pub fn purge_claims(&self, now_ms: u64, limit: usize) -> Result<usize, ProjectionError> {
        self.write(Durability::None, |tables| {
            tables.purge_claims(now_ms, limit)
        })
    }

    /// Forgets the chain entirely, its applied seq included, durably.
    pub fn remove_chain(&self, chain: &str) -> Result<(), ProjectionError> {
        self.write(Durability::Immediate, |tables| tables.remove_chain(chain))
    }

    /// Looks at one snapshot. What redb hands out does not keep its pages from being used again
    /// once the transaction is over, so everything is copied out before this returns.
    fn read<T>(
        &self,
        look: impl FnOnce(&ReadTransaction) -> Result<T, ProjectionError>,
    ) -> Result<T, ProjectionError> {
        let snapshot = self.database.begin_read()?;
        look(&snapshot)
    }
}

fn alert_at(
    snapshot: &ReadTransaction,
    chain: &str,
    received_ms: u64,
    alert_id: &[u8; 16],
) -> Result<Option<Vec<u8>>, ProjectionError> {
    let found = snapshot
        .open_table(ALERTS)?
        .get((chain, received_ms, alert_id))?;
    Ok(found.map(|value| value.value().to_vec()))
}
