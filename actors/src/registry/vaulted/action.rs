//! The seeds of the keys that tenants' actions are signed with.

use vyrox_domain::{host::ActionKeyRecord, host_protocol::KeyIssued, ids::TenantId};
use vyrox_journal::{
    seal::DataKey,
    vault::{SealedRow, Vault},
};

use crate::{keyring::ActionSeed, ports::fresh_seed};

/// The name of the row that holds a tenant's seed.
const ROW: &str = "action_key";

/// A tenant has one such key and keeps it.
const VERSION: u64 = 1;

/// A fresh key: the row for the vault and what the chain says of it.
pub(in crate::registry) fn fresh(
    tenant_id: &TenantId,
    data_key: &DataKey,
) -> (SealedRow, KeyIssued) {
    let seed = ActionSeed::from(fresh_seed());
    let row = SealedRow::seal(data_key, ROW, VERSION, seed.expose());
    (row, named(tenant_id, &seed))
}

/// The key of a tenant that the chain tells of none. One that lies in the vault already was made by
/// a start that was cut short, and is taken.
pub(in crate::registry) fn find_or_make(
    tenant_id: &TenantId,
    data_key: &DataKey,
    vault: &Vault,
) -> Result<KeyIssued, String> {
    if let Some(seed) = read(tenant_id, data_key, vault)? {
        return Ok(named(tenant_id, &seed));
    }
    let (row, issued) = fresh(tenant_id, data_key);
    vault.put(&[row]).map_err(|error| error.to_string())?;
    Ok(issued)
}

/// The seed of the key that the chain tells of.
pub(super) fn opened(
    tenant_id: &TenantId,
    record: &ActionKeyRecord,
    data_key: &DataKey,
    vault: &Vault,
) -> Result<ActionSeed, String> {
    let seed = read(tenant_id, data_key, vault)?.ok_or("it is missing from the vault")?;
    if named(tenant_id, &seed).public_key_hex == record.public_key_hex {
        Ok(seed)
    } else {
        Err("the one in the vault is another than the one on the chain".into())
    }
}

fn read(
    tenant_id: &TenantId,
    data_key: &DataKey,
    vault: &Vault,
) -> Result<Option<ActionSeed>, String> {
    let row = vault.get(tenant_id.as_str(), ROW, VERSION);
    let Some(row) = row.map_err(|error| error.to_string())? else {
        return Ok(None);
    };
    let plain = row.open(data_key).map_err(|error| error.to_string())?;
    let seed = ActionSeed::new(&plain).ok_or("it has not 32 bytes")?;
    Ok(Some(seed))
}

fn named(tenant_id: &TenantId, seed: &ActionSeed) -> KeyIssued {
    let (kid, public_key) = seed.public();
    KeyIssued {
        tenant_id: tenant_id.clone(),
        kid,
        public_key_hex: crate::ports::hex(&public_key),
    }
}
