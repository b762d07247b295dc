//! `proof.redb`: what is signed, and whose word there is for it.
//!
//! Every commit is immediate and two-phase. Nothing else says how much of the host log is signed, so
//! where the log is and the database is not, nothing is opened. The rows are believed as far as the
//! [seal](super::seal) among them is over them: every change of chains, of keys, of accusations or of the
//! newest checkpoint puts a new one with it.

mod accusations;
mod rows;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use redb::{
    Builder, Database, Durability, ReadableDatabase as _, ReadableTable as _, TableDefinition,
    WriteTransaction,
};

use super::checkpoint::{OpaqueId, SignedCheckpoint};
use super::host_log::HostLog;
use super::notary::NotaryError;
use crate::disk::{Disk as _, RealDisk, parent_of, writable};
use crate::vault::{StoreError, database};

pub use accusations::Accusation;
pub use rows::KeyInForce;
pub(super) use rows::{ChainRecord, Kept, Overlap};
use rows::{ChainRow, CosignatureRow, KeyRow, NO_LEAF};

const META: TableDefinition<'static, &'static str, &'static [u8]> = TableDefinition::new("meta");
const CHAINS: TableDefinition<'static, &'static str, ChainRow> = TableDefinition::new("chains");
const CHECKPOINTS: TableDefinition<'static, u64, &'static str> =
    TableDefinition::new("checkpoints");
const COSIGNATURES: TableDefinition<'static, &'static str, CosignatureRow> =
    TableDefinition::new("cosignatures");
const KEYS: TableDefinition<'static, u64, KeyRow> = TableDefinition::new("keys");

const FILE: &str = "proof.redb";
const CACHE_BYTES: usize = 4 << 20;
const FORMAT: &[u8] = b"3";
/// The format whose seal says nothing of accusations.
const BEFORE_ACCUSATIONS: &[u8] = b"2";
/// The format before there were seals.
const UNSEALED: &[u8] = b"1";

/// All that the database holds.
pub(super) struct Contents {
    pub(super) deployment: OpaqueId,
    pub(super) public_key: [u8; 32],
    pub(super) overlap: Option<Overlap>,
    pub(super) chains: BTreeMap<Arc<str>, ChainRecord>,
    pub(super) checkpoints: BTreeMap<u64, SignedCheckpoint>,
    pub(super) cosignatures: Vec<Kept>,
    pub(super) keys: Vec<KeyInForce>,
    pub(super) accusations: Vec<Accusation>,
    /// A note over all of it but words; unchecked.
    pub(super) seal: Option<String>,
    /// Of the format whose seal says nothing of accusations.
    pub(super) before_accusations: bool,
}

pub(super) struct Store {
    database: Database,
}

/// One commit, in the making.
pub(super) struct Change<'a>(&'a WriteTransaction);

impl Store {
    /// Opens the database, which must be there.
    pub(super) fn open(folder: &Path) -> Result<Self, NotaryError> {
        let database = database::open_on(&RealDisk, &folder.join(FILE), CACHE_BYTES)?;
        let store = Self { database };
        match store.format()?.as_deref() {
            Some(FORMAT | BEFORE_ACCUSATIONS) => Ok(store),
            Some(UNSEALED) => Err(NotaryError::Unsealed),
            _ => Err(StoreError::Damaged("of another format".to_owned()).into()),
        }
    }

    /// Makes the database, where there is nothing that it could describe.
    pub(super) fn create(
        folder: &Path,
        fill: impl FnOnce(&Change<'_>) -> Result<(), StoreError>,
    ) -> Result<(), NotaryError> {
        RealDisk.make_directory(folder).map_err(StoreError::from)?;
        let path = folder.join(FILE);
        if HostLog::exists(folder).map_err(StoreError::from)? {
            return Err(NotaryError::Lost(path.display().to_string()));
        }
        Ok(Self::make(&path, fill)?)
    }

    /// Whether a folder has a database of this kind.
    pub(super) fn is_in(folder: &Path) -> bool {
        folder.join(FILE).exists()
    }

    /// Makes a copy in a folder that has none.
    pub(super) fn copy_to(&self, folder: &Path) -> Result<(), StoreError> {
        let all = self.contents()?;
        Self::make(&folder.join(FILE), |change| {
            change.begin_log(all.deployment)?;
            for key in &all.keys {
                change.add_key(key)?;
            }
            change.set_overlap(all.overlap)?;
            for (chain, record) in &all.chains {
                change.put_chain(chain, record)?;
            }
            for kept in &all.cosignatures {
                change.put_cosignature(kept)?;
            }
            for accusation in &all.accusations {
                change.put_accusation(accusation)?;
            }
            for point in all.checkpoints.values() {
                change.put_checkpoint(point)?;
            }
            all.seal.iter().try_for_each(|seal| change.put_seal(seal))
        })
    }

    /// Makes a database beside its place and moves it there whole, so that a crash in between leaves
    /// none instead of half a one.
    fn make(
        path: &Path,
        fill: impl FnOnce(&Change<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let fresh = path.with_extension("redb.new");
        if fresh.exists() {
            fs::remove_file(&fresh)?;
        }
        // Made here because redb would make it readable to everybody.
        writable().open(&fresh)?;
        let store = Self {
            database: Builder::new().create(&fresh)?,
        };
        store.commit(|change| {
            change.0.open_table(CHAINS)?;
            change.set_format()?;
            fill(change)
        })?;
        drop(store);
        fs::rename(&fresh, path)?;
        Ok(RealDisk.sync_directory(parent_of(path))?)
    }

    /// Makes a change durable, whole or not at all.
    pub(super) fn commit(
        &self,
        change: impl FnOnce(&Change<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        transaction.set_two_phase_commit(true);
        change(&Change(&transaction))?;
        Ok(transaction.commit()?)
    }

    fn format(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let meta = self.database.begin_read()?.open_table(META)?;
        Ok(meta.get("format")?.map(|value| value.value().to_vec()))
    }

    /// Reads everything. What is read is to be believed only under its seal.
    pub(super) fn contents(&self) -> Result<Contents, StoreError> {
        let read = self.database.begin_read()?;
        let meta = read.open_table(META)?;
        let meta = |key: &str| -> Result<Option<Vec<u8>>, StoreError> {
            Ok(meta.get(key)?.map(|value| value.value().to_vec()))
        };
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_not_text| odd("seal"));
        let mut contents = Contents {
            deployment: OpaqueId::new(exactly(meta("deployment")?, "deployment")?),
            public_key: exactly(meta("key")?, "key")?,
            overlap: match meta("overlap")? {
                None => None,
                Some(bytes) => Some(Overlap::decode(&bytes).ok_or_else(|| odd("overlap"))?),
            },
            chains: BTreeMap::new(),
            checkpoints: BTreeMap::new(),
            cosignatures: Vec::new(),
            keys: Vec::new(),
            accusations: self.accusations()?,
            seal: meta("seal")?.map(text).transpose()?,
            before_accusations: meta("format")?.as_deref() == Some(BEFORE_ACCUSATIONS),
        };
        for row in read.open_table(CHAINS)?.iter()? {
            let (chain, record) = row?;
            let record = ChainRecord::of(record.value()).ok_or_else(|| odd("chain"))?;
            contents.chains.insert(Arc::from(chain.value()), record);
        }
        for row in read.open_table(CHECKPOINTS)?.iter()? {
            let (size, note) = row?;
            let point = SignedCheckpoint::parse(note.value().as_bytes());
            let point = point
                .ok()
                .filter(|point| point.checkpoint().size == size.value());
            let point = point.ok_or_else(|| odd("checkpoint"))?;
            contents.checkpoints.insert(size.value(), point);
        }
        for row in read.open_table(COSIGNATURES)?.iter()? {
            let (key, row) = row?;
            let kept = Kept::of(key.value(), row.value()).ok_or_else(|| odd("cosignature"))?;
            contents.cosignatures.push(kept);
        }
        for row in read.open_table(KEYS)?.iter()? {
            let row = row?.1;
            let key = KeyInForce::of(row.value()).ok_or_else(|| odd("key"))?;
            contents.keys.push(key);
        }
        Ok(contents)
    }
}

impl Change<'_> {
    /// What it holds from now on is of the newest format.
    pub(super) fn set_format(&self) -> Result<(), StoreError> {
        self.put("format", FORMAT)
    }

    /// A chain as it is signed now.
    pub(super) fn put_chain(&self, chain: &str, record: &ChainRecord) -> Result<(), StoreError> {
        let mut chains = self.0.open_table(CHAINS)?;
        let row = (
            record.opaque_id.as_bytes(),
            record.leaf.unwrap_or(NO_LEAF),
            &record.last_line,
            &*record.frontier.encode(),
        );
        chains.insert(chain, row)?;
        Ok(())
    }

    /// A chain is known no longer.
    pub(super) fn remove_chain(&self, chain: &str) -> Result<(), StoreError> {
        self.0.open_table(CHAINS)?.remove(chain)?;
        Ok(())
    }

    /// The newest checkpoint. Of the older ones those stay that a witness's word is of.
    pub(super) fn put_checkpoint(&self, point: &SignedCheckpoint) -> Result<(), StoreError> {
        let size = point.checkpoint().size;
        let mut checkpoints = self.0.open_table(CHECKPOINTS)?;
        checkpoints.insert(size, &*point.to_string())?;
        let newest = checkpoints
            .last()?
            .map_or(size, |(newest, _)| newest.value());
        let mut kept = vec![newest];
        for row in self.0.open_table(COSIGNATURES)?.iter()? {
            kept.push(row?.1.value().0);
        }
        checkpoints.retain(|size, _| kept.contains(&size))?;
        Ok(())
    }

    /// A witness's newest word, in place of the one before it.
    pub(super) fn put_cosignature(&self, kept: &Kept) -> Result<(), StoreError> {
        let mut cosignatures = self.0.open_table(COSIGNATURES)?;
        let row = (kept.size, kept.time, &*kept.line.to_string());
        cosignatures.insert(&*kept.key.to_string(), row)?;
        Ok(())
    }

    /// Another key is in force.
    pub(super) fn add_key(&self, key: &KeyInForce) -> Result<(), StoreError> {
        self.put("key", key.key.public_key())?;
        let mut keys = self.0.open_table(KEYS)?;
        let number = keys.last()?.map_or(0, |(number, _)| number.value() + 1);
        let statement = key.statement.as_deref().unwrap_or_default();
        keys.insert(number, (key.since_ms, &*key.key.to_string(), statement))?;
        Ok(())
    }

    /// Until when the key before signs too; nothing when that is over.
    pub(super) fn set_overlap(&self, overlap: Option<Overlap>) -> Result<(), StoreError> {
        if let Some(overlap) = overlap {
            return self.put("overlap", &overlap.encode());
        }
        self.0.open_table(META)?.remove("overlap")?;
        Ok(())
    }

    /// A new, empty log: no checkpoint and no word of anybody counts for it.
    pub(super) fn begin_log(&self, deployment: OpaqueId) -> Result<(), StoreError> {
        self.put("deployment", deployment.as_bytes())?;
        self.0.open_table(CHECKPOINTS)?.retain(|_, _| false)?;
        self.0.open_table(COSIGNATURES)?.retain(|_, _| false)?;
        self.remove_accusations()
    }

    /// The seal over what the database holds after this change.
    pub(super) fn put_seal(&self, seal: &str) -> Result<(), StoreError> {
        self.put("seal", seal.as_bytes())
    }

    fn put(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.0.open_table(META)?.insert(key, value)?;
        Ok(())
    }
}

fn exactly<const N: usize>(bytes: Option<Vec<u8>>, what: &str) -> Result<[u8; N], StoreError> {
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| odd(what))
}

fn odd(what: &str) -> StoreError {
    StoreError::Damaged(format!("a {what} in it is not readable"))
}
