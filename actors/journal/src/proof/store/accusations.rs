//! What witnesses hold against the log: one row for each that does.

use redb::{
    ReadTransaction, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableError,
};

use super::super::note::VerifierKey;
use super::{Change, Store, odd};
use crate::vault::StoreError;

/// The size of the checkpoint, how much the witness has seen, when.
type Row = (u64, u64, u64);

/// A database of before there were any has none.
const ACCUSATIONS: TableDefinition<'static, &'static str, Row> =
    TableDefinition::new("accusations");

/// How much a witness has seen that does not name a size.
const NO_SIZE: u64 = 0;

/// What a witness holds against the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accusation {
    /// The witness.
    pub key: VerifierKey,
    /// The size of the checkpoint that it refused.
    pub size: u64,
    /// How much of the log it has seen, where that is more than there is; none where it has seen
    /// something else.
    pub seen: Option<u64>,
    /// When, in unix milliseconds.
    pub time_ms: u64,
}

impl Store {
    /// Every accusation.
    pub(in super::super) fn accusations(&self) -> Result<Vec<Accusation>, StoreError> {
        read(&self.database.begin_read()?)
    }
}

fn read(transaction: &ReadTransaction) -> Result<Vec<Accusation>, StoreError> {
    let table = match transaction.open_table(ACCUSATIONS) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut accusations = Vec::new();
    for row in table.iter()? {
        let (key, row) = row?;
        let accusation = Accusation::of(key.value(), row.value());
        accusations.push(accusation.ok_or_else(|| odd("accusation"))?);
    }
    Ok(accusations)
}

impl Change<'_> {
    /// A witness's accusation, in place of the one before it.
    pub(in super::super) fn put_accusation(&self, of: &Accusation) -> Result<(), StoreError> {
        let (key, row) = of.row();
        let mut accusations = self.0.open_table(ACCUSATIONS)?;
        accusations.insert(&*key, row)?;
        Ok(())
    }

    /// A witness holds nothing against the log any more.
    pub(in super::super) fn remove_accusation(&self, key: &VerifierKey) -> Result<(), StoreError> {
        let mut accusations = self.0.open_table(ACCUSATIONS)?;
        accusations.remove(&*key.to_string())?;
        Ok(())
    }

    /// Nobody does.
    pub(super) fn remove_accusations(&self) -> Result<(), StoreError> {
        self.0.open_table(ACCUSATIONS)?.retain(|_, _| false)?;
        Ok(())
    }
}

impl Accusation {
    /// The witness's key, and what is kept under it.
    pub(in super::super) fn row(&self) -> (String, Row) {
        let seen = self.seen.unwrap_or(NO_SIZE);
        (self.key.to_string(), (self.size, seen, self.time_ms))
    }

    fn of(key: &str, (size, seen, time_ms): Row) -> Option<Self> {
        Some(Self {
            key: VerifierKey::parse(key).ok()?,
            size,
            seen: (seen != NO_SIZE).then_some(seen),
            time_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::checkpoint::OpaqueId;
    use super::super::super::note::KeyName;
    use super::super::super::test_keys::TestKey;
    use super::*;
    use crate::proof::Signer as _;

    #[test]
    fn a_database_of_before_has_no_accusations_and_takes_them() {
        let folder = tempfile::tempdir().unwrap();
        let deployment = OpaqueId::new([3; 16]);
        let key = TestKey::new(1).verifier_key(&KeyName::from(deployment));
        let none = |change: &Change<'_>| change.begin_log(deployment);
        Store::create(folder.path(), none).unwrap();
        let store = Store::open(folder.path()).unwrap();
        let without = store.commit(|change| {
            assert!(change.0.delete_table(ACCUSATIONS)?);
            Ok(())
        });
        without.unwrap();
        assert_eq!(store.accusations().unwrap(), []);
        let accusation = Accusation {
            key,
            size: 3,
            seen: None,
            time_ms: 7,
        };
        let put = store.commit(|change| change.put_accusation(&accusation));
        put.unwrap();
        assert_eq!(store.accusations().unwrap(), [accusation]);
    }
}
