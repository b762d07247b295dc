//! One write transaction over all tables, which keeps the two indexes true to their tables.

use redb::{Durability, ReadableTable, StorageError, Table, WriteTransaction};

use super::{
    Batch, ProjectionError, Projections, Put,
    tables::{
        ALERT_CHAINS, ALERTS, APPLIED, AlertChainKey, AlertKey, AppliedValue, CLAIMS, ClaimKey,
        ClaimValue, EXPIRIES, ExpiryKey, FORMAT, LAST_ID, LAST_KEY, META, SNAPSHOTS, SnapshotValue,
    },
};
use crate::journal::Head;

impl Projections {
    /// Marks a new file with our format, durably; refuses a file that has another one.
    pub(super) fn claim_format(&self) -> Result<(), ProjectionError> {
        self.write(Durability::Immediate, |tables| {
            let found = tables.meta.get(())?.map(|format| format.value());
            match found {
                Some(FORMAT) => {}
                Some(other) => {
                    let told = format!("format {other}, this program has {FORMAT}");
                    return Err(ProjectionError::Damaged(told));
                }
                None => drop(tables.meta.insert((), FORMAT)?),
            }
            Ok(())
        })
    }

    /// Runs `change` in a transaction of its own; an error leaves everything as it was.
    pub(super) fn write<T>(
        &self,
        durability: Durability,
        change: impl FnOnce(&mut Tables<'_>) -> Result<T, ProjectionError>,
    ) -> Result<T, ProjectionError> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(durability)?;
        let outcome = change(&mut Tables::open(&transaction)?)?;
        transaction.commit()?;
        Ok(outcome)
    }
}

/// The tables, open for writing.
pub(super) struct Tables<'t> {
    meta: Table<'t, (), u32>,
    applied: Table<'t, &'static str, AppliedValue>,
    alerts: Table<'t, AlertKey, &'static [u8]>,
    alert_chains: Table<'t, AlertChainKey, u64>,
    claims: Table<'t, ClaimKey, ClaimValue>,
    expiries: Table<'t, ExpiryKey, ()>,
    snapshots: Table<'t, &'static str, SnapshotValue>,
}

impl<'t> Tables<'t> {
    fn open(transaction: &'t WriteTransaction) -> Result<Self, ProjectionError> {
        Ok(Self {
            meta: transaction.open_table(META)?,
            applied: transaction.open_table(APPLIED)?,
            alerts: transaction.open_table(ALERTS)?,
            alert_chains: transaction.open_table(ALERT_CHAINS)?,
            claims: transaction.open_table(CLAIMS)?,
            expiries: transaction.open_table(EXPIRIES)?,
            snapshots: transaction.open_table(SNAPSHOTS)?,
        })
    }

    pub(super) fn apply(&mut self, batch: &Batch) -> Result<(), ProjectionError> {
        for put in &batch.puts {
            self.put(put)?;
        }
        for (chain, Head { seq, hash }) in &batch.applied {
            self.applied.insert(chain.as_ref(), (*seq, hash))?;
        }
        Ok(())
    }

    fn put(&mut self, put: &Put) -> Result<(), StorageError> {
        match put {
            Put::Alert {
                chain,
                alert_id,
                received_ms,
                value,
            } => self.put_alert(chain, alert_id, *received_ms, value),
            Put::Claim {
                chain,
                key,
                value,
                expires_ms,
            } => self.put_claim(chain, key, *expires_ms, value),
            Put::Snapshot {
                chain,
                version,
                at,
                value,
            } => {
                let row = (*version, at.seq, &at.hash, value.as_slice());
                self.snapshots
                    .insert(chain.as_ref(), row)
                    .map(|_replaced| ())
            }
        }
    }

    fn put_alert(
        &mut self,
        chain: &str,
        alert_id: &[u8; 16],
        received_ms: u64,
        value: &[u8],
    ) -> Result<(), StorageError> {
        let replaced = self.alert_chains.insert((alert_id, chain), received_ms)?;
        let moved_from = replaced
            .map(|was| was.value())
            .filter(|was| *was != received_ms);
        if let Some(was) = moved_from {
            self.alerts.remove((chain, was, alert_id))?;
        }
        self.alerts.insert((chain, received_ms, alert_id), value)?;
        Ok(())
    }

    fn put_claim(
        &mut self,
        chain: &str,
        key: &[u8; 32],
        expires_ms: u64,
        value: &[u8],
    ) -> Result<(), StorageError> {
        let replaced = self.claims.insert((chain, key), (expires_ms, value))?;
        let moved_from = replaced
            .map(|was| was.value().0)
            .filter(|was| *was != expires_ms);
        if let Some(was) = moved_from {
            self.expiries.remove((was, chain, key))?;
        }
        self.expiries.insert((expires_ms, chain, key), ())?;
        Ok(())
    }

    pub(super) fn purge_claims(
        &mut self,
        now_ms: u64,
        limit: usize,
    ) -> Result<usize, ProjectionError> {
        let first_live = (now_ms.saturating_add(1), "", &[0; 32]);
        let mut purged = 0_usize;
        for expired in self
            .expiries
            .extract_from_if(..first_live, |_, ()| true)?
            .take(limit)
        {
            let (key, _) = expired?;
            let (_, chain, claim) = key.value();
            self.claims.remove((chain, claim))?;
            purged = purged.saturating_add(1);
        }
        Ok(purged)
    }

    pub(super) fn remove_chain(&mut self, chain: &str) -> Result<(), ProjectionError> {
        let alerts = (chain, 0, &[0; 16])..=(chain, u64::MAX, LAST_ID);
        for alert in self.alerts.extract_from_if(alerts, |_, _| true)? {
            let (key, _) = alert?;
            self.alert_chains.remove((key.value().2, chain))?;
        }
        let claims = (chain, &[0; 32])..=(chain, LAST_KEY);
        for claim in self.claims.extract_from_if(claims, |_, _| true)? {
            let (key, value) = claim?;
            self.expiries
                .remove((value.value().0, chain, key.value().1))?;
        }
        self.snapshots.remove(chain)?;
        self.applied.remove(chain)?;
        Ok(())
    }
}
