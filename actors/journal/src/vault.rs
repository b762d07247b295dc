//! The vault: secrets at rest, sealed bytes only.
//!
//! It is the one database that cannot be rebuilt from the journal, so each change is durable
//! before the call returns, by a two-phase commit. Rows are looked up by tenant; nothing here
//! lists the rows of all tenants, and nothing here opens a row except [`Vault::preflight`], which
//! answers with faults alone.

pub(crate) mod database;
mod file;
mod notes;
mod preflight;
mod row;
#[cfg(test)]
mod tests;
mod weakness;

use std::path::Path;
use std::sync::Arc;

use redb::{
    AccessGuard, Database, Durability, ReadOnlyTable, ReadableDatabase, TableDefinition,
    TableHandle, WriteTransaction,
};

use self::file::VaultFile;

pub use self::{
    database::StoreError,
    preflight::{Fault, RowFault},
    row::{DATA_KEY_ROW, MAX_NAME_BYTES, Malformed, SealedRow},
    weakness::{MIN_SECRET_BYTES, PLACEHOLDERS, Weakness},
};
use crate::disk::{Disk, RealDisk};
use crate::seal::HostKey;

/// Memory for pages of the vault: small, as secrets are read at start and at rotations.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

/// (tenant, name, version) -> (key id, sealed value).
type Key = (&'static str, &'static str, u64);
type Value = (&'static str, &'static [u8]);
const ROWS: TableDefinition<'_, Key, Value> = TableDefinition::new("sealed_rows");

/// Name -> what is to be written on the host's chain. Made when there is a first one.
const NOTES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("repaired_notes");

/// The vault's file. Safe to share between threads; a write waits for the one before it. What a full disk
/// refused can be tried again.
#[derive(Debug)]
pub struct Vault {
    file: VaultFile,
}

/// Why the vault did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The file.
    #[error("vault: {0}")]
    Store(#[from] StoreError),
    /// A row that must not be written. Nothing of its transaction was.
    #[error("vault row {name:?} version {version} of tenant {tenant:?} refused: {reason}")]
    Refused {
        /// The row's tenant.
        tenant: String,
        /// The row's name.
        name: String,
        /// The row's version.
        version: u64,
        /// Why.
        reason: Malformed,
    },
}

impl Vault {
    /// Opens the vault, or makes an empty one with mode 0600, and checks the whole file. A damaged
    /// vault is never replaced: restore it from a backup.
    pub fn open(path: &Path) -> Result<Self, VaultError> {
        Self::open_on(Arc::new(RealDisk), path)
    }

    /// As [`open`](Self::open), on another disk.
    pub(crate) fn open_on(disk: Arc<dyn Disk>, path: &Path) -> Result<Self, VaultError> {
        let vault = Self {
            file: VaultFile::open(disk, path, CACHE_BYTES)?,
        };
        vault.write(|_created_if_missing| Ok(()))?;
        Ok(vault)
    }

    /// Writes all rows or none, durably; a row of the same tenant, name and version is replaced.
    /// Refuses a row that is not in the sealed layout, or names no tenant.
    pub fn put(&self, rows: &[SealedRow]) -> Result<(), VaultError> {
        for row in rows {
            if let Some(reason) = row.malformation() {
                let SealedRow {
                    tenant,
                    name,
                    version,
                    ..
                } = row.clone();
                return Err(VaultError::Refused {
                    tenant,
                    name,
                    version,
                    reason,
                });
            }
        }
        self.write(|table| {
            for row in rows {
                let key = (row.tenant.as_str(), row.name.as_str(), row.version);
                table.insert(key, (row.key_id.as_str(), row.sealed.as_slice()))?;
            }
            Ok(())
        })
    }

    /// The row at this place.
    pub fn get(
        &self,
        tenant: &str,
        name: &str,
        version: u64,
    ) -> Result<Option<SealedRow>, VaultError> {
        self.read(|table| {
            let found = table.get((tenant, name, version))?;
            Ok(found.map(|value| row_of((tenant, name, version), &value)))
        })
    }

    /// The row of the highest version under this name.
    pub fn latest(&self, tenant: &str, name: &str) -> Result<Option<SealedRow>, VaultError> {
        self.read(|table| {
            let versions = (tenant, name, 0)..=(tenant, name, u64::MAX);
            let last = table.range(versions)?.next_back().transpose()?;
            Ok(last.map(|(key, value)| row_of(key.value(), &value)))
        })
    }

    /// The rows of one tenant, by name and version.
    pub fn for_tenant(&self, tenant: &str) -> Result<Vec<SealedRow>, VaultError> {
        self.read(|table| {
            let mut rows = Vec::new();
            for entry in table.range((tenant, "", 0)..)? {
                let (key, value) = entry?;
                if key.value().0 != tenant {
                    break;
                }
                rows.push(row_of(key.value(), &value));
            }
            Ok(rows)
        })
    }

    /// Who has rows, in order. Names only.
    pub fn tenants(&self) -> Result<Vec<String>, VaultError> {
        self.read(|table| {
            let mut tenants = Vec::new();
            // Nothing sorts between "acme" and "acme\0": each step skips one tenant's rows.
            let mut from = String::new();
            while let Some((key, _)) = table.range((from.as_str(), "", 0)..)?.next().transpose()? {
                let tenant = key.value().0.to_owned();
                from = format!("{tenant}\0");
                tenants.push(tenant);
            }
            Ok(tenants)
        })
    }

    /// Removes one row durably; says whether there was one. The file keeps no readable copy, as
    /// what it held was sealed; to make it unreadable for good, drop the data key.
    pub fn remove(&self, tenant: &str, name: &str, version: u64) -> Result<bool, VaultError> {
        let mut was_there = false;
        self.write(|table| {
            was_there = table.remove((tenant, name, version))?.is_some();
            Ok(())
        })?;
        Ok(was_there)
    }

    /// Opens every data key and every secret, tenant by tenant, and names all that must not be:
    /// rows without tenant, rows that are not sealed or sealed under a key that is not there,
    /// placeholders and short secrets, unknown tables.
    pub fn preflight(&self, host: &HostKey) -> Result<(), Vec<Fault>> {
        let faults = preflight::inspect(self, host);
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }

    pub(in crate::vault) fn unknown_tables(&self) -> Result<Vec<String>, VaultError> {
        let names = self.file.with(|database| {
            let transaction = database.begin_read()?;
            let plain = transaction.list_tables()?;
            let multimap = transaction.list_multimap_tables()?;
            let names = plain.map(|table| table.name().to_owned());
            let others = multimap.map(|table| redb::MultimapTableHandle::name(&table).to_owned());
            Ok(names.chain(others).collect::<Vec<_>>())
        })?;
        let known = [ROWS.name(), NOTES.name()];
        let unknown = names.into_iter();
        Ok(unknown
            .filter(|name| !known.contains(&name.as_str()))
            .collect())
    }

    /// Looks at one snapshot. What redb hands out does not keep its pages from being used again
    /// once the transaction is over, so everything is copied out before this returns.
    fn read<T>(
        &self,
        look: impl FnOnce(&ReadOnlyTable<Key, Value>) -> Result<T, redb::StorageError>,
    ) -> Result<T, VaultError> {
        Ok(self.file.with(|database| {
            let snapshot = database.begin_read()?;
            let table = snapshot.open_table(ROWS)?;
            Ok(look(&table)?)
        })?)
    }

    fn write(
        &self,
        change: impl FnOnce(&mut redb::Table<'_, Key, Value>) -> Result<(), redb::StorageError>,
    ) -> Result<(), VaultError> {
        Ok(self.file.with(|database| {
            let transaction = begin_write(database)?;
            {
                let mut table = transaction.open_table(ROWS)?;
                change(&mut table)?;
            }
            Ok(transaction.commit()?)
        })?)
    }
}

fn begin_write(database: &Database) -> Result<WriteTransaction, StoreError> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    transaction.set_two_phase_commit(true);
    Ok(transaction)
}

fn row_of((tenant, name, version): (&str, &str, u64), value: &AccessGuard<'_, Value>) -> SealedRow {
    let (key_id, sealed) = value.value();
    SealedRow {
        tenant: tenant.into(),
        name: name.into(),
        version,
        key_id: key_id.into(),
        sealed: sealed.into(),
    }
}
