//! Notes of what is yet to be said on a chain that takes nothing now. No secrets: they lie as they are.

use redb::{ReadableDatabase, TableError};

use super::{NOTES, StoreError, Vault, VaultError};

impl Vault {
    /// Keeps a note, durably, in place of any of the same name.
    pub fn put_note(&self, name: &str, note: &[u8]) -> Result<(), VaultError> {
        let transaction = self.begin_write()?;
        {
            let mut table = transaction.open_table(NOTES).map_err(StoreError::from)?;
            table.insert(name, note).map_err(StoreError::from)?;
        }
        transaction.commit().map_err(StoreError::from)?;
        Ok(())
    }

    /// The note of this name.
    pub fn note(&self, name: &str) -> Result<Option<Vec<u8>>, VaultError> {
        let snapshot = self.database.begin_read().map_err(StoreError::from)?;
        let table = match snapshot.open_table(NOTES) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(StoreError::from(error).into()),
        };
        let note = table.get(name).map_err(StoreError::from)?;
        Ok(note.map(|note| note.value().to_vec()))
    }

    /// Removes a note durably, if there is one.
    pub fn remove_note(&self, name: &str) -> Result<(), VaultError> {
        if self.note(name)?.is_none() {
            return Ok(());
        }
        let transaction = self.begin_write()?;
        {
            let mut table = transaction.open_table(NOTES).map_err(StoreError::from)?;
            table.remove(name).map_err(StoreError::from)?;
        }
        transaction.commit().map_err(StoreError::from)?;
        Ok(())
    }
}
