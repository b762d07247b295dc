//! `heads.redb`: what is durable outside the log. It cannot be rebuilt from anything else.
//!
//! Every commit is immediate and two-phase. Two threads commit here, each its own rows: the writer
//! ids and the active segment, the checkpointer records and the lowest segment.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use redb::{
    Builder, Database, Durability, ReadableDatabase as _, ReadableTable as _, TableDefinition,
    TableError, WriteTransaction,
};

use crate::bytes::{index, wide};
use crate::directory::Directory;
use crate::disk::{Disk, Open, RealDisk, lacks_room};
use crate::journal::Head;
use crate::options::StartError;

mod erasures;
mod rows;

pub use self::rows::STANDS_IN;
pub(crate) use self::rows::{Hold, Holds, Meta, Record, is_successor};

type RecordRow<'a> = (u64, &'a [u8; 32], u64, u64);

const META: TableDefinition<'static, &'static str, u64> = TableDefinition::new("meta");
const RECORDS: TableDefinition<'static, &'static str, RecordRow<'static>> =
    TableDefinition::new("records");
const HOLDS: TableDefinition<'static, &'static str, (u64, u64)> = TableDefinition::new("holds");
const KNOWN_DAMAGE: TableDefinition<'static, (u64, u64), ()> = TableDefinition::new("known_damage");
/// Made at the first repair.
const REPAIRS: TableDefinition<'static, &'static str, u64> = TableDefinition::new("repairs");

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
        let database = disk.database(&path, &builder, false);
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

    /// The holds and the damage that led to them.
    pub(crate) fn holds(&self) -> Result<Holds, String> {
        let unknown_chains_held = self.meta()?.unknown_chains_held;
        let read = || -> Result<_, redb::Error> {
            let transaction = self.database.begin_read()?;
            let mut holds = Holds {
                unknown_chains_held,
                ..Holds::default()
            };
            for row in transaction.open_table(HOLDS)?.iter()? {
                let (chain, hold) = row?;
                let (next, alias) = hold.value();
                holds
                    .chains
                    .insert(Arc::from(chain.value()), Hold { next, alias });
            }
            for row in transaction.open_table(KNOWN_DAMAGE)?.iter()? {
                holds.known_damage.insert(row?.0.value());
            }
            match transaction.open_table(REPAIRS) {
                Ok(repairs) => {
                    for row in repairs.iter()? {
                        let (chain, batch) = row?;
                        holds
                            .repaired
                            .insert(Arc::from(chain.value()), batch.value());
                    }
                }
                Err(TableError::TableDoesNotExist(_)) => {}
                Err(error) => return Err(error.into()),
            }
            Ok(holds)
        };
        read().map_err(|error| error.to_string())
    }

    /// Commits holds. They only ever grow here: it takes a repair to remove one.
    pub(crate) fn set_holds(&self, holds: &Holds) -> Result<(), String> {
        self.commit(|transaction| {
            let mut chains = transaction.open_table(HOLDS)?;
            for (chain, hold) in &holds.chains {
                chains.insert(&**chain, (hold.next, hold.alias))?;
            }
            let mut known = transaction.open_table(KNOWN_DAMAGE)?;
            for damage in &holds.known_damage {
                known.insert(*damage, ())?;
            }
            let flag = u64::from(holds.unknown_chains_held);
            transaction
                .open_table(META)?
                .insert("unknown_chains_held", flag)?;
            Ok(())
        })
    }

    /// Commits how far a held chain's files are complete; with `counts_from` the hold ends with it,
    /// and what earlier batches of the log have of the chain counts no more.
    pub(crate) fn mend(
        &self,
        chain: &str,
        record: Option<&Record>,
        counts_from: Option<u64>,
    ) -> Result<(), String> {
        self.commit(|transaction| {
            let mut records = transaction.open_table(RECORDS)?;
            match record {
                Some(record) => {
                    let (head, offset) = (&record.head, record.offset);
                    let row = (head.seq, &head.hash, offset, record.evidence_offset);
                    records.insert(chain, row)?;
                }
                None => drop(records.remove(chain)?),
            }
            if let Some(batch) = counts_from {
                transaction.open_table(HOLDS)?.remove(chain)?;
                transaction.open_table(REPAIRS)?.insert(chain, batch)?;
            }
            Ok(())
        })
    }

    /// Lets chains begin that were never seen.
    pub(crate) fn release_unknown(&self) -> Result<(), String> {
        self.commit(|transaction| {
            let mut meta = transaction.open_table(META)?;
            meta.insert("unknown_chains_held", 0)?;
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

/// Writes a new database that holds nothing but records and holds, for copies of the chains' files
/// that have no log: the journal that opens there begins one, with numbers from `next_id` on.
pub(crate) fn write_copy(
    path: &Path,
    next_id: u64,
    records: &[(Arc<str>, Record)],
    holds: &Holds,
) -> Result<(), String> {
    let heads = Heads::create_at(&RealDisk, path).map_err(|error| error.to_string())?;
    heads.set_records(records)?;
    heads.set_holds(holds)?;
    heads.commit(|transaction| {
        transaction.open_table(META)?.insert("next_id", next_id)?;
        Ok(())
    })
}

/// The records in such a database, and the names of the chains that it holds.
pub(crate) fn read_copy(path: &Path) -> Result<(BTreeMap<Arc<str>, Record>, Holds), String> {
    let database = Builder::new().set_cache_size(CACHE_BYTES).open(path);
    let heads = Heads {
        database: database.map_err(|error| error.to_string())?,
    };
    if heads.meta_value("format")? != FORMAT {
        return Err("another format".to_owned());
    }
    Ok((heads.records()?, heads.holds()?))
}

/// Writes the whole file over itself, byte for byte, and syncs it, before anything is read from it.
///
/// A sync that failed in an earlier process may have left bytes in the page cache that the disk does
/// not have and that no later sync would write. And every hole in the file gets its room now, so
/// that commits on a disk that has become full do not ask for any. Where there is no room already,
/// that is left for another start.
fn rewrite(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    let (from, to) = (disk.open(path, Open::Read)?, disk.open(path, Open::Write)?);
    let len = from.len()?;
    let mut chunk = vec![0; 1 << 16];
    let (mut offset, mut warned) = (0, false);
    while offset < len {
        let part = index(len - offset).min(chunk.len());
        let bytes = chunk.get_mut(..part).unwrap_or_default();
        from.read_exact_at(bytes, offset)?;
        match to.write_at(bytes, offset) {
            Ok(()) => {}
            Err(error) if lacks_room(&error) => {
                // What stands behind it needs no room, or is as little to blame.
                if !std::mem::replace(&mut warned, true) {
                    tracing::warn!(%error, "no room could be kept for heads.redb");
                }
            }
            Err(error) => return Err(error),
        }
        offset += wide(part);
    }
    to.sync_data()
}

fn failed(error: &redb::DatabaseError) -> StartError {
    StartError::Heads(error.to_string())
}
