//! Credentials of tenants as they lie in the vault: one JSON object for an EDR, the plain bytes for the
//! secret that trusted services sign with.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};
use vyrox_domain::{
    host::{CredentialRecord, Credentials},
    ids::TenantId,
    vendor::Vendor,
    webhook::Secret,
};
use vyrox_journal::{
    seal::DataKey,
    vault::{SealedRow, Vault},
};
use zeroize::Zeroizing;

use crate::{edr::EdrCredential, keyring::EdrKeys, ports::fresh_secret};

/// The name of the row that holds what trusted services sign with.
pub(in crate::registry) const ACTION_ROW: &str = "action_secret";

/// The name of the row that holds an EDR's credential.
pub(in crate::registry) fn edr_row_name(vendor: Vendor) -> String {
    format!("edr/{vendor}")
}

/// More than any credential takes, so that its text is not left behind where the buffer grew.
const ROOM_BYTES: usize = 16 * 1024;

#[derive(Serialize)]
struct Lying<'a> {
    base_url: &'a str,
    login_url: Option<&'a str>,
    client_id: Option<&'a str>,
    secret: &'a str,
    realm: Option<&'a str>,
}

#[derive(Deserialize)]
struct Lain {
    base_url: String,
    login_url: Option<String>,
    client_id: Option<String>,
    secret: String,
    realm: Option<String>,
}

/// The bytes that are sealed of a credential.
///
/// # Errors
/// What is wrong with it, for people; without its value.
pub(in crate::registry) fn seal_edr(
    credential: &EdrCredential,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let secret = std::str::from_utf8(credential.secret.expose())
        .map_err(|_binary| "the secret is no text")?;
    let lying = Lying {
        base_url: &credential.base_url,
        login_url: credential.login_url.as_deref(),
        client_id: credential.client_id.as_deref(),
        secret,
        realm: credential.realm.as_deref(),
    };
    let mut plain = Zeroizing::new(Vec::with_capacity(ROOM_BYTES));
    serde_json::to_writer(&mut *plain, &lying).map_err(|error| error.to_string())?;
    Ok(plain)
}

/// What the tenant's EDRs know it by. A credential that does not open is left out, so nothing is sent to
/// that EDR, and the log says why; one before it that does not open is only not used any more.
pub(super) fn edr_keys(
    id: &TenantId,
    held: &Credentials,
    data_key: &DataKey,
    vault: &Vault,
) -> HashMap<Vendor, Arc<EdrKeys>> {
    let opened = |vendor: Vendor, version: u64| {
        let credential = open_edr(id, vendor, version, data_key, vault);
        credential
            .inspect_err(|error| {
                tracing::error!(tenant = %id, %vendor, version, error, "a credential does not open; it is not used");
            })
            .ok()
            .map(Arc::new)
    };
    let keys = |vendor: Vendor, record: &CredentialRecord| {
        let current = opened(vendor, record.secret_version)?;
        let previous = record.previous.and_then(|previous| {
            let credential = opened(vendor, previous.secret_version)?;
            Some((previous.until, credential))
        });
        Some(Arc::new(EdrKeys { current, previous }))
    };
    let in_force = held.edr.iter().filter_map(|(vendor, slot)| {
        let keys = keys(*vendor, slot.in_force.as_ref()?)?;
        Some((*vendor, keys))
    });
    in_force.collect()
}

fn open_edr(
    id: &TenantId,
    vendor: Vendor,
    version: u64,
    data_key: &DataKey,
    vault: &Vault,
) -> Result<EdrCredential, String> {
    let plain = open((id, &edr_row_name(vendor), version), data_key, vault)?;
    // What the reader says of a bad text could quote it.
    let lain: Lain = serde_json::from_slice(&plain).map_err(|_quoting| "it is not in our form")?;
    Ok(EdrCredential {
        version,
        base_url: lain.base_url,
        login_url: lain.login_url,
        client_id: lain.client_id,
        secret: Secret::new(lain.secret.into_bytes()),
        realm: lain.realm,
    })
}

/// What trusted services sign the tenant's actions with, where it has a secret of its own. Should that
/// one not open, another that nobody knows stands in its place: the host's must not stand for it.
pub(super) fn action_secret(
    id: &TenantId,
    held: &Credentials,
    data_key: &DataKey,
    vault: &Vault,
) -> Option<Secret> {
    let record = held.action.in_force.as_ref()?;
    let opened = open((id, ACTION_ROW, record.secret_version), data_key, vault);
    Some(match opened {
        Ok(plain) => Secret::new(plain.to_vec()),
        Err(error) => {
            tracing::error!(tenant = %id, error, "the action secret does not open; trusted services are refused");
            Secret::new(fresh_secret().into_bytes())
        }
    })
}

fn open(
    (id, name, version): (&TenantId, &str, u64),
    data_key: &DataKey,
    vault: &Vault,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let row: Option<SealedRow> = vault
        .get(id.as_str(), name, version)
        .map_err(|error| error.to_string())?;
    let row = row.ok_or("it is missing from the vault")?;
    row.open(data_key).map_err(|error| error.to_string())
}

/// Whether the row is a credential's that no longer counts.
pub(super) fn is_stale(row: &SealedRow, held: &Credentials) -> bool {
    if row.name == ACTION_ROW {
        return !held.action.counts(row.version);
    }
    let vendor = Vendor::ALL
        .into_iter()
        .find(|vendor| edr_row_name(*vendor) == row.name);
    vendor.is_some_and(|vendor| {
        let slot = held.edr.get(&vendor);
        !slot.is_some_and(|slot| slot.counts(row.version))
    })
}
