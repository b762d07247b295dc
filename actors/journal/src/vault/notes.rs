//! Notes of what is yet to be said on a chain that takes nothing now. No secrets: they lie as they are.

use redb::{ReadableDatabase, TableError};

use super::{NOTES, Vault, VaultError, begin_write};

impl Vault {
    /// Keeps a note, durably, in place of any of the same name.
    pub fn put_note(&self, name: &str, note: &[u8]) -> Result<(), VaultError> {
        Ok(self.file.with(|database| {
            let transaction = begin_write(database)?;
            transaction.open_table(NOTES)?.insert(name, note)?;
            Ok(transaction.commit()?)
        })?)
    }

    /// The note of this name.
    pub fn note(&self, name: &str) -> Result<Option<Vec<u8>>, VaultError> {
        Ok(self.file.with(|database| {
            let snapshot = database.begin_read()?;
            let table = match snapshot.open_table(NOTES) {
                Ok(table) => table,
                Err(TableError::TableDoesNotExist(_)) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let note = table.get(name)?;
            Ok(note.map(|note| note.value().to_vec()))
        })?)
    }

    /// Removes a note durably, if there is one.
    pub fn remove_note(&self, name: &str) -> Result<(), VaultError> {
        if self.note(name)?.is_none() {
            return Ok(());
        }
        Ok(self.file.with(|database| {
            let transaction = begin_write(database)?;
            transaction.open_table(NOTES)?.remove(name)?;
            Ok(transaction.commit()?)
        })?)
    }
}
