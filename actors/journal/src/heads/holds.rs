//! The chains that are held, what is known of them, and how a hold ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use redb::{
    ReadTransaction, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableError,
};

use super::{Heads, Hold, Holds, META, Record};

type Numbers = TableDefinition<'static, &'static str, u64>;

pub(super) const HOLDS: TableDefinition<'static, &'static str, (u64, u64)> =
    TableDefinition::new("holds");
pub(super) const KNOWN_DAMAGE: TableDefinition<'static, (u64, u64), ()> =
    TableDefinition::new("known_damage");
/// Made at the first repair.
const REPAIRS: Numbers = TableDefinition::new("repairs");
/// The highest seq that was ever spoken of, by held chain. Made when the first is known.
const KNOWN_TO: Numbers = TableDefinition::new("known_to");

impl Heads {
    /// The holds and the damage that led to them.
    pub(crate) fn holds(&self) -> Result<Holds, String> {
        let unknown_chains_held = self.meta()?.unknown_chains_held;
        let read = || -> Result<_, redb::Error> {
            let transaction = self.database.begin_read()?;
            let mut holds = Holds {
                unknown_chains_held,
                repaired: numbers(&transaction, REPAIRS)?,
                ..Holds::default()
            };
            let known = numbers(&transaction, KNOWN_TO)?;
            for row in transaction.open_table(HOLDS)?.iter()? {
                let (chain, hold) = row?;
                let (next, alias) = hold.value();
                let hold = Hold {
                    next,
                    alias,
                    known_to: known.get(chain.value()).copied(),
                };
                holds.chains.insert(Arc::from(chain.value()), hold);
            }
            for row in transaction.open_table(KNOWN_DAMAGE)?.iter()? {
                holds.known_damage.insert(row?.0.value());
            }
            Ok(holds)
        };
        read().map_err(|error| error.to_string())
    }

    /// Commits holds. They only ever grow here, as it takes a repair to remove one; what is known of
    /// damage and of repairs comes to be what they say.
    pub(crate) fn set_holds(&self, holds: &Holds) -> Result<(), String> {
        self.commit(|transaction| {
            let mut chains = transaction.open_table(HOLDS)?;
            for (chain, hold) in &holds.chains {
                chains.insert(&**chain, (hold.next, hold.alias))?;
            }
            let known =
                |(chain, hold): (&Arc<str>, &Hold)| Some((Arc::clone(chain), hold.known_to?));
            let known: Vec<_> = holds.chains.iter().filter_map(known).collect();
            if !known.is_empty() {
                let mut table = transaction.open_table(KNOWN_TO)?;
                for (chain, seq) in known {
                    table.insert(&*chain, seq)?;
                }
            }
            if !holds.repaired.is_empty() {
                let mut repairs = transaction.open_table(REPAIRS)?;
                for (chain, batch) in &holds.repaired {
                    repairs.insert(&**chain, batch)?;
                }
            }
            let mut damage = transaction.open_table(KNOWN_DAMAGE)?;
            damage.retain(|known, ()| holds.known_damage.contains(&known))?;
            for known in &holds.known_damage {
                damage.insert(*known, ())?;
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
            let mut records = transaction.open_table(super::RECORDS)?;
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
                transaction.open_table(KNOWN_TO)?.remove(chain)?;
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
}

/// The rows of a table that is made on demand; none as long as there is no such table.
fn numbers(
    transaction: &ReadTransaction,
    table: Numbers,
) -> Result<BTreeMap<Arc<str>, u64>, redb::Error> {
    let mut rows = BTreeMap::new();
    match transaction.open_table(table) {
        Ok(table) => {
            for row in table.iter()? {
                let (chain, number) = row?;
                rows.insert(Arc::from(chain.value()), number.value());
            }
            Ok(rows)
        }
        Err(TableError::TableDoesNotExist(_)) => Ok(rows),
        Err(error) => Err(error.into()),
    }
}
