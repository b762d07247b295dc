//! Two projections side by side, table by table: what a rebuild finds out about the ones in use.
//!
//! The tables are sorted, so both are read once from front to back and nothing is kept but counts
//! and the first few keys. Contents are never told: they name hosts and people.

use std::{cmp::Ordering, fmt};

use redb::{ReadTransaction, ReadableTable};

use super::{
    ProjectionError, Projections,
    tables::{
        self, ALERT_CHAINS, ALERTS, APPLIED, AlertChainKey, AppliedValue, CLAIMS, ClaimKey,
        ClaimValue, EXPIRIES, ExpiryKey, SNAPSHOTS, SnapshotValue,
    },
};

/// Keys of each table that are told.
const FIRST: usize = 5;

/// What may differ without anything being wrong.
pub struct Judge<'a> {
    /// Claims that expired by now, in milliseconds since 1970, count on neither side: when they are
    /// removed is a matter of time.
    pub now_ms: u64,
    /// Whether two values of one claim, those in use first, come to the same.
    pub claims: &'a dyn Fn(&[u8], &[u8]) -> bool,
    /// Whether two snapshots of one chain come to the same; theirs are (format, seq, value).
    pub snapshots: &'a dyn Fn(Snapshot<'_>, Snapshot<'_>) -> bool,
}

/// A snapshot as it lies in the table: format, last seq, value.
pub type Snapshot<'a> = (u32, u64, &'a [u8]);

/// How one table differs from another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// Rows that are the same, or come to the same.
    pub same: u64,
    /// Rows that are missing from the projections in use.
    pub missing: u64,
    /// Rows that only the projections in use have.
    pub strange: u64,
    /// Rows of the same key and another value.
    pub other: u64,
    /// The first few keys of those that differ.
    pub first: Vec<String>,
}

impl Difference {
    /// Whether the tables agree.
    pub fn is_none(&self) -> bool {
        self.missing == 0 && self.strange == 0 && self.other == 0
    }

    fn note(&mut self, key: &impl fmt::Display, how: Ordering) {
        let count = match how {
            Ordering::Less => &mut self.strange,
            Ordering::Greater => &mut self.missing,
            Ordering::Equal => &mut self.other,
        };
        *count = count.saturating_add(1);
        if self.first.len() < FIRST {
            self.first.push(key.to_string());
        }
    }
}

impl Projections {
    /// How these projections, which are in use, differ from `fresh` ones; a table each, all of them.
    pub fn compare(
        &self,
        fresh: &Self,
        judge: &Judge<'_>,
    ) -> Result<Vec<Difference>, ProjectionError> {
        self.read(|old| {
            fresh.read(|new| {
                Ok(vec![
                    applied(old, new)?,
                    alerts(old, new)?,
                    alert_chains(old, new)?,
                    claims(old, new, judge)?,
                    expiries(old, new, judge)?,
                    snapshots(old, new, judge)?,
                ])
            })
        })
    }
}

fn applied(old: &ReadTransaction, new: &ReadTransaction) -> Result<Difference, ProjectionError> {
    let (old, new) = (old.open_table(APPLIED)?, new.open_table(APPLIED)?);
    let row = |row: Row<'_, &'static str, AppliedValue>| -> Owned<_, _> {
        let (chain, at) = row?;
        let (seq, hash) = at.value();
        Ok((chain.value().to_owned(), (seq, *hash)))
    };
    merge(
        "applied",
        old.iter()?.map(row),
        new.iter()?.map(row),
        |a, b| a == b,
    )
}

fn alerts(old: &ReadTransaction, new: &ReadTransaction) -> Result<Difference, ProjectionError> {
    let (old, new) = (old.open_table(ALERTS)?, new.open_table(ALERTS)?);
    let row = |row: Row<'_, tables::AlertKey, &'static [u8]>| -> Owned<_, _> {
        let (key, value) = row?;
        let (chain, received_ms, id) = key.value();
        let key = AlertKey(chain.to_owned(), received_ms, *id);
        Ok((key, value.value().to_vec()))
    };
    merge(
        "alerts",
        old.iter()?.map(row),
        new.iter()?.map(row),
        |a, b| a == b,
    )
}

fn alert_chains(
    old: &ReadTransaction,
    new: &ReadTransaction,
) -> Result<Difference, ProjectionError> {
    let (old, new) = (old.open_table(ALERT_CHAINS)?, new.open_table(ALERT_CHAINS)?);
    let row = |row: Row<'_, AlertChainKey, u64>| -> Owned<_, _> {
        let (key, received_ms) = row?;
        let (id, chain) = key.value();
        let key = Named(*id, chain.to_owned());
        Ok((key, received_ms.value()))
    };
    merge(
        "alert_chains",
        old.iter()?.map(row),
        new.iter()?.map(row),
        |a, b| a == b,
    )
}

fn claims(
    old: &ReadTransaction,
    new: &ReadTransaction,
    judge: &Judge<'_>,
) -> Result<Difference, ProjectionError> {
    let (old, new) = (old.open_table(CLAIMS)?, new.open_table(CLAIMS)?);
    let row = |row: Row<'_, ClaimKey, ClaimValue>| -> Owned<_, _> {
        let (key, value) = row?;
        let ((chain, key), (expires_ms, value)) = (key.value(), value.value());
        let key = Claim(chain.to_owned(), *key);
        Ok((key, (expires_ms, value.to_vec())))
    };
    let counts = |row: &Owned<Claim, (u64, Vec<u8>)>| {
        let claim = row.as_ref().map(|(_, claim)| claim.0);
        claim.map_or(true, |expires_ms| expires_ms > judge.now_ms)
    };
    let (old, new) = (old.iter()?.map(row), new.iter()?.map(row));
    merge("claims", old.filter(counts), new.filter(counts), |a, b| {
        a.0 == b.0 && (judge.claims)(&a.1, &b.1)
    })
}

fn expiries(
    old: &ReadTransaction,
    new: &ReadTransaction,
    judge: &Judge<'_>,
) -> Result<Difference, ProjectionError> {
    let (old, new) = (old.open_table(EXPIRIES)?, new.open_table(EXPIRIES)?);
    let first = (judge.now_ms.saturating_add(1), "", &[0; 32]);
    let row = |row: Row<'_, ExpiryKey, ()>| -> Owned<_, _> {
        let (key, _) = row?;
        let (expires_ms, chain, key) = key.value();
        Ok(((expires_ms, Claim(chain.to_owned(), *key)), ()))
    };
    let (old, new) = (old.range(first..)?.map(row), new.range(first..)?.map(row));
    let shown = |row: Owned<(u64, Claim), ()>| row.map(|((ms, claim), ())| (Expiry(ms, claim), ()));
    merge(
        "claim_expiries",
        old.map(shown),
        new.map(shown),
        |(), ()| true,
    )
}

fn snapshots(
    old: &ReadTransaction,
    new: &ReadTransaction,
    judge: &Judge<'_>,
) -> Result<Difference, ProjectionError> {
    let (old, new) = (old.open_table(SNAPSHOTS)?, new.open_table(SNAPSHOTS)?);
    let row = |row: Row<'_, &'static str, SnapshotValue>| -> Owned<_, _> {
        let (chain, value) = row?;
        let (format, seq, _, value) = value.value();
        Ok((chain.value().to_owned(), (format, seq, value.to_vec())))
    };
    merge(
        "snapshots",
        old.iter()?.map(row),
        new.iter()?.map(row),
        |a, b| (judge.snapshots)((a.0, a.1, &a.2), (b.0, b.1, &b.2)),
    )
}

/// A row as redb hands it out.
type Row<'t, K, V> =
    Result<(redb::AccessGuard<'t, K>, redb::AccessGuard<'t, V>), redb::StorageError>;
/// A row that outlives it.
type Owned<K, V> = Result<(K, V), ProjectionError>;

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct AlertKey(String, u64, [u8; 16]);

impl fmt::Display for AlertKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, hex::encode(self.2))
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Named([u8; 16], String);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.1, hex::encode(self.0))
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Claim(String, [u8; 32]);

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, hex::encode(self.1))
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Expiry(u64, Claim);

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.1.fmt(f)
    }
}

/// Walks two sorted tables at once.
fn merge<K: Ord + fmt::Display, V>(
    table: &'static str,
    mut old: impl Iterator<Item = Owned<K, V>>,
    mut new: impl Iterator<Item = Owned<K, V>>,
    same: impl Fn(&V, &V) -> bool,
) -> Result<Difference, ProjectionError> {
    let mut difference = Difference {
        table,
        ..Difference::default()
    };
    let (mut ours, mut theirs) = (old.next().transpose()?, new.next().transpose()?);
    loop {
        let order = match (&ours, &theirs) {
            (None, None) => return Ok(difference),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((ours, _)), Some((theirs, _))) => ours.cmp(theirs),
        };
        match (order, &ours, &theirs) {
            (Ordering::Equal, Some((_, ours)), Some((_, theirs))) if same(ours, theirs) => {
                difference.same = difference.same.saturating_add(1);
            }
            (Ordering::Less | Ordering::Equal, Some((key, _)), _)
            | (Ordering::Greater, _, Some((key, _))) => difference.note(key, order),
            (_, _, _) => {}
        }
        if order.is_le() {
            ours = old.next().transpose()?;
        }
        if order.is_ge() {
            theirs = new.next().transpose()?;
        }
    }
}
