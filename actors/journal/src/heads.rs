//! `heads.redb`: what is durable outside the log. It cannot be rebuilt from anything else.
//!
//! Every commit is immediate and two-phase. Two threads commit here, each its own rows: the writer
//! ids and the active segment, the checkpointer records and the lowest segment.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use redb::{
    Builder, Database, Durability, ReadableDatabase as _, ReadableTable as _, TableDefinition,
    WriteTransaction,
};

use crate::directory::Directory;
use crate::files::writable;
use crate::journal::Head;
use crate::options::StartError;

type RecordRow<'a> = (u64, &'a [u8; 32], u64, u64);

const META: TableDefinition<'static, &'static str, u64> = TableDefinition::new("meta");
const RECORDS: TableDefinition<'static, &'static str, RecordRow<'static>> =
    TableDefinition::new("records");
const HOLDS: TableDefinition<'static, &'static str, (u64, u64)> = TableDefinition::new("holds");
const KNOWN_DAMAGE: TableDefinition<'static, (u64, u64), ()> = TableDefinition::new("known_damage");

const CACHE_BYTES: usize = 8 << 20;
const FORMAT: u64 = 1;

/// How far a chain's own files are complete and synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// The last entry in the chain's file.
    pub(crate) head: Head,
    /// The length of the chain's file up to and with that entry.
    pub(crate) offset: u64,
    /// The length of its evidence store.
    pub(crate) evidence_offset: u64,
}

/// A chain whose end cannot be proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hold {
    /// The first seq that may be lost.
    pub(crate) next: u64,
    /// A fresh id, from which the chain's held successor takes its name.
    pub(crate) alias: u64,
}

/// The small numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    /// The next id of a log file.
    pub(crate) next_id: u64,
    /// The lowest live segment.
    pub(crate) low: u64,
    /// The segment that is written to; 0 before the first.
    pub(crate) active: u64,
    /// The last batch whose entries all stand in their chains' files.
    pub(crate) copied: u64,
    /// A loss of unknown extent: a chain that was never seen may have had entries.
    pub(crate) unknown_chains_held: bool,
}

/// What recovery reads at once and writes back at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Holds {
    pub(crate) chains: BTreeMap<Arc<str>, Hold>,
    /// Damage that has been answered with holds already: (segment, 0) or (0, batch).
    pub(crate) known_damage: BTreeSet<(u64, u64)>,
    pub(crate) unknown_chains_held: bool,
}

/// The database.
pub(crate) struct Heads {
    database: Database,
}

impl Heads {
    /// Opens the database; creates it only where there is nothing it could describe.
    pub(crate) fn open(directory: &Directory) -> Result<Self, StartError> {
        let path = directory.heads_path();
        if !path.exists() {
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
        let database = Builder::new()
            .set_cache_size(CACHE_BYTES)
            .open(&path)
            .map_err(|error| failed(&error))?;
        let heads = Self { database };
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
        if fresh.exists() {
            fs::remove_file(&fresh).map_err(StartError::io("remove", &fresh))?;
        }
        // Made here because redb would make it readable to everybody.
        writable()
            .open(&fresh)
            .map_err(StartError::io("create", &fresh))?;
        let heads = Self {
            database: Builder::new()
                .create(&fresh)
                .map_err(|error| failed(&error))?,
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
        drop(heads);
        fs::rename(&fresh, path).map_err(StartError::io("rename", &fresh))?;
        directory
            .sync()
            .map_err(StartError::io("sync", directory.root()))
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
            Ok(holds)
        };
        read().map_err(|error| error.to_string())
    }

    /// Commits holds. They only ever grow here, so nothing is removed.
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
