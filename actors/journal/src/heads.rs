//! `heads.redb`: what is durable outside the log. It cannot be rebuilt from anything else.
//!
//! Every commit is immediate and two-phase. Two threads commit here, each its own rows: the writer
//! ids and the active segment, the checkpointer records and the lowest segment.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use redb::{
    Builder, Database, Durability, ReadableDatabase as _, ReadableTable as _, StorageError,
    TableDefinition, WriteTransaction,
};

use self::holds::{HOLDS, KNOWN_DAMAGE};
use crate::directory::Directory;
use crate::disk::{Disk, Open};
use crate::journal::Head;
use crate::options::StartError;
use crate::vault::database::panic_message;

mod copy;
mod erasures;
mod file;
mod holds;
mod rows;

pub(crate) use self::copy::{Numbers, read_copy, write_copy};
pub(crate) use self::file::rewrite;
pub use self::rows::STANDS_IN;
pub(crate) use self::rows::{Hold, Holds, Meta, Record, is_successor};

type RecordRow<'a> = (u64, &'a [u8; 32], u64, u64);

const META: TableDefinition<'static, &'static str, u64> = TableDefinition::new("meta");
const RECORDS: TableDefinition<'static, &'static str, RecordRow<'static>> =
    TableDefinition::new("records");

const CACHE_BYTES: usize = 8 << 20;
const FORMAT: u64 = 1;

/// The database.
pub(crate) struct Heads {
    database: Database,
}

impl Heads {
    /// Opens the database; creates it only where there is nothing it could describe.
    pub(crate) fn open(directory: &Directory) -> Result<Self, StartError> {
        let path = directory.heads_path();
        let disk = directory.disk();
        if !disk.exists(&path) {
            let listed = directory
                .list()
                .map_err(StartError::io("list", directory.root()))?;
            let files = directory
                .chain_files()
                .map_err(StartError::io("list", directory.root()))?;
            if !listed.is_empty() || !files.is_empty() {
                return Err(StartError::HeadsLost(path.display().to_string()));
            }
            Self::create(directory, &path)?;
        }
        rewrite(disk, &path).map_err(StartError::io("rewrite", &path))?;
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE_BYTES);
        // A damaged file can make redb panic where it trusts its own bytes.
        let opened = catch_unwind(AssertUnwindSafe(|| disk.database(&path, &builder, false)));
        let database = opened.unwrap_or_else(|panic| {
            let why = format!("damaged: {}", panic_message(panic.as_ref()));
            Err(StorageError::Corrupted(why).into())
        });
        let heads = Self {
            database: database.map_err(|error| failed(&error))?,
        };
        let format = heads.meta_value("format").map_err(StartError::Heads)?;
        if format != FORMAT {
            return Err(StartError::Heads(format!(
                "format {format} is not {FORMAT}"
            )));
        }
        Ok(heads)
    }

    /// Makes the database beside its place and moves it there whole, so that a crash in between
    /// leaves none instead of half a one.
    fn create(directory: &Directory, path: &Path) -> Result<(), StartError> {
        let fresh = path.with_extension("redb.new");
        let disk = directory.disk();
        if disk.exists(&fresh) {
            disk.remove(&fresh)
                .map_err(StartError::io("remove", &fresh))?;
        }
        drop(Self::create_at(disk, &fresh)?);
        disk.rename(&fresh, path)
            .map_err(StartError::io("rename", &fresh))?;
        directory
            .sync()
            .map_err(StartError::io("sync", directory.root()))
    }

    /// A new, empty database.
    fn create_at(disk: &dyn Disk, path: &Path) -> Result<Self, StartError> {
        // Made here because redb would make it readable to everybody.
        disk.open(path, Open::Make)
            .map_err(StartError::io("create", path))?;
        let database = disk.database(path, &Builder::new(), true);
        let heads = Self {
            database: database.map_err(|error| failed(&error))?,
        };
        heads
            .commit(|transaction| {
                transaction.open_table(RECORDS)?;
                transaction.open_table(HOLDS)?;
                transaction.open_table(KNOWN_DAMAGE)?;
                let mut meta = transaction.open_table(META)?;
                meta.insert("format", FORMAT)?;
                meta.insert("next_id", 1)?;
                Ok(())
            })
            .map_err(StartError::Heads)?;
        Ok(heads)
    }

    /// All the small numbers.
    pub(crate) fn meta(&self) -> Result<Meta, String> {
        Ok(Meta {
            next_id: self.meta_value("next_id")?,
            low: self.meta_value("low")?,
            active: self.meta_value("active")?,
            copied: self.meta_value("copied")?,
            first_batch: self.meta_value("first_batch")?.max(1),
            unknown_chains_held: self.meta_value("unknown_chains_held")? != 0,
        })
    }

    /// A log file id that was never given before, at least `lowest`. It is committed before it is
    /// answered.
    pub(crate) fn take_id(&self, lowest: u64) -> Result<u64, String> {
        let mut taken = 0;
        self.commit(|transaction| {
            let mut meta = transaction.open_table(META)?;
            let next = meta.get("next_id")?.map_or(1, |value| value.value());
            taken = next.max(lowest);
            meta.insert("next_id", taken + 1)?;
            Ok(())
        })?;
        Ok(taken)
    }

    /// Records which segment is written to, and the lowest one if that changed with it.
    pub(crate) fn set_active(&self, active: u64, low: Option<u64>) -> Result<(), String> {
        self.commit(|transaction| {
            let mut meta = transaction.open_table(META)?;
            meta.insert("active", active)?;
            if let Some(low) = low {
                meta.insert("low", low)?;
            }
            Ok(())
        })
    }

    /// Records the lowest segment that still counts.
    pub(crate) fn set_low(&self, low: u64) -> Result<(), String> {
        self.commit(|transaction| {
            transaction.open_table(META)?.insert("low", low)?;
            Ok(())
        })
    }

    /// Records that every entry up to this batch stands in its chain's file.
    pub(crate) fn set_copied(&self, batch: u64) -> Result<(), String> {
        self.commit(|transaction| {
            transaction.open_table(META)?.insert("copied", batch)?;
            Ok(())
        })
    }

    /// The records of all chains.
    pub(crate) fn records(&self) -> Result<BTreeMap<Arc<str>, Record>, String> {
        let read = || -> Result<_, redb::Error> {
            let table = self.database.begin_read()?.open_table(RECORDS)?;
            let mut records = BTreeMap::new();
            for row in table.iter()? {
                let (chain, record) = row?;
                let (seq, hash, offset, evidence_offset) = record.value();
                let head = Head { seq, hash: *hash };
                records.insert(
                    Arc::from(chain.value()),
                    Record {
                        head,
                        offset,
                        evidence_offset,
                    },
                );
            }
            Ok(records)
        };
        read().map_err(|error| error.to_string())
    }

    /// Commits the records of chains whose files are synced that far.
    pub(crate) fn set_records(&self, records: &[(Arc<str>, Record)]) -> Result<(), String> {
        self.commit(|transaction| {
            let mut table = transaction.open_table(RECORDS)?;
            for (chain, record) in records {
                let Record {
                    head,
                    offset,
                    evidence_offset,
                } = record;
                table.insert(&**chain, (head.seq, &head.hash, *offset, *evidence_offset))?;
            }
            Ok(())
        })
    }

    fn meta_value(&self, key: &str) -> Result<u64, String> {
        let read = || -> Result<_, redb::Error> {
            let table = self.database.begin_read()?.open_table(META)?;
            Ok(table.get(key)?.map_or(0, |value| value.value()))
        };
        read().map_err(|error| error.to_string())
    }

    fn commit(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), String> {
        let write = || -> Result<(), redb::Error> {
            let mut transaction = self.database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            transaction.set_two_phase_commit(true);
            change(&transaction)?;
            Ok(transaction.commit()?)
        };
        write().map_err(|error| error.to_string())
    }
}

fn failed(error: &redb::DatabaseError) -> StartError {
    StartError::Heads(error.to_string())
}
