//! Secrets of the host itself: sealed under a data key of its own, which the first of them brings
//! along.

use vyrox_domain::{
    host::{HostSecret, HostState},
    ids::HOST_CHAIN,
    webhook::Secret,
};
use vyrox_journal::{
    seal::{DataKey, HostKey},
    vault::{DATA_KEY_ROW, SealedRow, Vault},
};

use super::RegistryParts;
use crate::keyring::HostSecrets;

/// Seals a secret into the vault and gives the id of the key that it lies under.
pub(in crate::registry) fn seal(
    parts: &RegistryParts,
    name: &str,
    version: u64,
    secret: &Secret,
) -> Result<String, String> {
    let mut rows = Vec::new();
    let data_key = data_key(&parts.vault, &parts.host_key)?.unwrap_or_else(|| {
        let made = DataKey::generate(HOST_CHAIN);
        rows.push(SealedRow::wrap(&made, &parts.host_key, 1));
        made
    });
    rows.push(SealedRow::seal(&data_key, name, version, secret.expose()));
    parts.vault.put(&rows).map_err(|error| error.to_string())?;
    Ok(data_key.id())
}

/// Every secret that is in force. One that does not open is left out, and the log says so.
pub(super) fn secrets(state: &HostState, parts: &RegistryParts) -> HostSecrets {
    if state.secrets.is_empty() {
        return HostSecrets::new();
    }
    let opened = data_key(&parts.vault, &parts.host_key).and_then(|key| {
        key.ok_or_else(|| "the host's data key is missing from the vault".to_owned())
    });
    let data_key = match opened {
        Ok(data_key) => data_key,
        Err(error) => {
            tracing::error!(error, "the host's own secrets do not open");
            return HostSecrets::new();
        }
    };
    let open = |(name, record): (&String, &HostSecret)| match read(
        name,
        record,
        &data_key,
        &parts.vault,
    ) {
        Ok(secret) => Some((name.clone(), secret)),
        Err(error) => {
            tracing::error!(secret = name, error, "a secret of the host does not open");
            None
        }
    };
    state.secrets.iter().filter_map(open).collect()
}

/// Forgets every version of the secret but the one in force.
pub(in crate::registry) fn prune(
    vault: &Vault,
    name: &str,
    in_force: u64,
) -> Result<(), vyrox_journal::vault::VaultError> {
    for row in vault.for_tenant(HOST_CHAIN)? {
        if row.name == name && row.version != in_force {
            vault.remove(HOST_CHAIN, name, row.version)?;
        }
    }
    Ok(())
}

fn data_key(vault: &Vault, host_key: &HostKey) -> Result<Option<DataKey>, String> {
    let row = vault
        .latest(HOST_CHAIN, DATA_KEY_ROW)
        .map_err(|error| error.to_string())?;
    row.map(|row| row.unwrap_key(host_key))
        .transpose()
        .map_err(|error| error.to_string())
}

fn read(
    name: &str,
    record: &HostSecret,
    data_key: &DataKey,
    vault: &Vault,
) -> Result<Secret, String> {
    let row = vault
        .get(HOST_CHAIN, name, record.secret_version)
        .map_err(|error| error.to_string())?
        .ok_or("it is missing from the vault")?;
    let plain = row.open(data_key).map_err(|error| error.to_string())?;
    Ok(Secret::new(plain.to_vec()))
}
