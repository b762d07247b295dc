//! The erasures that were begun, as runs of a chain's seqs.

use std::sync::Arc;

use redb::{ReadableDatabase as _, ReadableTable as _, TableDefinition, TableError};

use super::Heads;
use crate::erasure::Runs;

/// By chain and first seq: the last seq of the run.
const ERASURES: TableDefinition<'static, (&'static str, u64), u64> =
    TableDefinition::new("erasures");

impl Heads {
    /// Every run: chain, first seq, last seq.
    pub(crate) fn erasures(&self) -> Result<Vec<(Arc<str>, u64, u64)>, String> {
        let read = || -> Result<_, redb::Error> {
            let table = match self.database.begin_read()?.open_table(ERASURES) {
                Ok(table) => table,
                // The first erasure makes the table.
                Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                Err(error) => return Err(error.into()),
            };
            let mut runs = Vec::new();
            for row in table.iter()? {
                let (key, last) = row?;
                let (chain, first) = key.value();
                runs.push((Arc::from(chain), first, last.value()));
            }
            Ok(runs)
        };
        read().map_err(|error| error.to_string())
    }

    /// Commits that these entries' attachments are to go.
    pub(crate) fn begin_erasures(&self, chain: &str, runs: &Runs) -> Result<(), String> {
        self.commit(|transaction| {
            let mut table = transaction.open_table(ERASURES)?;
            for (first, last) in runs.iter() {
                let begun = table.get((chain, first))?.map_or(0, |row| row.value());
                table.insert((chain, first), last.max(begun))?;
            }
            Ok(())
        })
    }

    /// Commits that nothing of these chains' erasures is left to do.
    pub(crate) fn end_erasures(&self, chains: &[Arc<str>]) -> Result<(), String> {
        if chains.is_empty() {
            return Ok(());
        }
        self.commit(|transaction| {
            let mut table = transaction.open_table(ERASURES)?;
            for chain in chains {
                table.retain_in((&**chain, 0)..=(&**chain, u64::MAX), |_, _| false)?;
            }
            Ok(())
        })
    }
}
