//! A `heads.redb` for copies of the chains' files: it belongs to no log.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use redb::Builder;

use super::{CACHE_BYTES, FORMAT, Heads, Holds, META, Record};
use crate::disk::RealDisk;

/// Where the journal that opens on a copy goes on counting. Nothing that the copy speaks of may be
/// mistaken for something of its own log, so no number is given again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// The next id of a log file.
    pub(crate) next_id: u64,
    /// The number of the log's first batch.
    pub(crate) first_batch: u64,
}

/// Writes a new database that holds nothing but records and holds, for copies of the chains' files
/// that have no log: the journal that opens there begins one.
pub(crate) fn write_copy(
    path: &Path,
    numbers: Numbers,
    records: &[(Arc<str>, Record)],
    holds: &Holds,
) -> Result<(), String> {
    let heads = Heads::create_at(&RealDisk, path).map_err(|error| error.to_string())?;
    heads.set_records(records)?;
    heads.set_holds(holds)?;
    heads.commit(|transaction| {
        let mut meta = transaction.open_table(META)?;
        meta.insert("next_id", numbers.next_id)?;
        meta.insert("first_batch", numbers.first_batch)?;
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
