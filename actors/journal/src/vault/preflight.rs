//! What must be true of the vault before anything is served, each violation by name.

use std::collections::HashMap;

use super::{DATA_KEY_ROW, Malformed, SealedRow, Vault, VaultError, Weakness};
use crate::seal::{DataKey, HostKey, SealError};

/// One reason not to start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The vault holds a table that this program does not know, and whose rows nobody checks.
    #[error("vault table {table:?} is unknown")]
    UnknownTable {
        /// Its name.
        table: String,
    },
    /// A row breaks a rule.
    #[error("vault row {name:?} version {version} of tenant {tenant:?}: {fault}")]
    Row {
        /// The tenant that it stands under, which may be empty.
        tenant: String,
        /// Its name.
        name: String,
        /// Its version.
        version: u64,
        /// The rule.
        fault: RowFault,
    },
    /// The vault could not be read.
    #[error("the vault cannot be read: {0}")]
    Unreadable(String),
}

/// The rule that a row breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowFault {
    /// It could not have been put there by us: no tenant, not sealed, wrong key id.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A data key that this host cannot unwrap, because another host wrapped it.
    #[error("wrapped under host key {wrapped_under}, but this host has {host}")]
    OtherHostKey {
        /// Id of the host key that wrapped it.
        wrapped_under: String,
        /// Id of the host key that is configured.
        host: String,
    },
    /// A data key that was altered or stands under a tenant that it was not made for.
    #[error("the data key does not open: {0}")]
    DataKey(SealError),
    /// No usable data key of the tenant has the id that the secret is sealed under.
    #[error("sealed under data key {key_id}, which the tenant does not have")]
    NoDataKey {
        /// The missing key's id.
        key_id: String,
    },
    /// A secret that was altered or moved from another place.
    #[error("the secret does not open: {0}")]
    Secret(SealError),
    /// A secret that protects nothing.
    #[error(transparent)]
    Weak(#[from] Weakness),
}

pub(super) fn inspect(vault: &Vault, host: &HostKey) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Err(error) = inspect_all(vault, host, &mut faults) {
        faults.push(Fault::Unreadable(error.to_string()));
    }
    faults
}

fn inspect_all(vault: &Vault, host: &HostKey, faults: &mut Vec<Fault>) -> Result<(), VaultError> {
    let unknown = vault.unknown_tables()?;
    faults.extend(
        unknown
            .into_iter()
            .map(|table| Fault::UnknownTable { table }),
    );
    for tenant in vault.tenants()? {
        inspect_tenant(&vault.for_tenant(&tenant)?, host, faults);
    }
    Ok(())
}

/// Data keys first, because the secrets need them; the faults come in that order too.
fn inspect_tenant(rows: &[SealedRow], host: &HostKey, faults: &mut Vec<Fault>) {
    let (wrapped, secrets): (Vec<_>, Vec<_>) =
        rows.iter().partition(|row| row.name == DATA_KEY_ROW);
    let mut keys = HashMap::new();
    for row in wrapped {
        match unwrapped(row, host) {
            Ok(key) => drop(keys.insert(key.id(), key)),
            Err(fault) => faults.push(named(row, fault)),
        }
    }
    let found = secrets
        .into_iter()
        .filter_map(|row| Some(named(row, secret_fault(row, &keys)?)));
    faults.extend(found);
}

fn unwrapped(row: &SealedRow, host: &HostKey) -> Result<DataKey, RowFault> {
    if let Some(malformed) = row.malformation() {
        return Err(malformed.into());
    }
    row.unwrap_key(host).map_err(|error| match error {
        SealError::OtherKey {
            sealed_under,
            offered,
        } => RowFault::OtherHostKey {
            wrapped_under: sealed_under,
            host: offered,
        },
        SealError::Layout | SealError::Refused => RowFault::DataKey(error),
    })
}

fn secret_fault(row: &SealedRow, keys: &HashMap<String, DataKey>) -> Option<RowFault> {
    if let Some(malformed) = row.malformation() {
        return Some(malformed.into());
    }
    let Some(key) = keys.get(&row.key_id) else {
        return Some(RowFault::NoDataKey {
            key_id: row.key_id.clone(),
        });
    };
    match row.open(key) {
        Ok(secret) => Weakness::of(&secret).map(RowFault::Weak),
        Err(error) => Some(RowFault::Secret(error)),
    }
}

fn named(row: &SealedRow, fault: RowFault) -> Fault {
    Fault::Row {
        tenant: row.tenant.clone(),
        name: row.name.clone(),
        version: row.version,
        fault,
    }
}
