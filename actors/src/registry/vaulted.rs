//! Between the host's chain, which names secrets, and the vault, which holds them sealed.

pub(super) mod action;
pub(super) mod credentials;
pub(super) mod host;

use std::{collections::HashMap, sync::Arc};

use vyrox_domain::{
    host::{HostState, TenantRecord, WebhookRecord},
    host_protocol::HostEvent,
    ids::TenantId,
    vendor::Vendor,
    webhook::{Keys, Secret},
};
use vyrox_journal::{
    seal::DataKey,
    vault::{DATA_KEY_ROW, Vault, VaultError},
};

use super::RegistryParts;
use crate::keyring::{Keyring, People, TenantKeys, WebhookKeys};

/// The name of a webhook's secret in the vault.
pub(super) fn row_name(vendor: Vendor) -> String {
    format!("webhook/{vendor}")
}

/// Forgets every secret of the tenant's webhooks and every credential that no longer counts: replaced, retired, or written
/// for a change that then did not happen.
pub(super) fn prune(
    vault: &Vault,
    tenant: &TenantId,
    record: &TenantRecord,
) -> Result<(), VaultError> {
    let counts = |vendor: Vendor, version: u64| {
        record.webhooks.get(&vendor).is_some_and(|webhook| {
            let previous = webhook.previous.map(|previous| previous.secret_version);
            webhook.secret_version == version || previous == Some(version)
        })
    };
    for row in vault.for_tenant(tenant.as_str())? {
        let vendor = Vendor::ALL
            .into_iter()
            .find(|vendor| row_name(*vendor) == row.name);
        let stale = vendor.is_some_and(|vendor| !counts(vendor, row.version))
            || credentials::is_stale(&row, &record.credentials);
        if stale {
            vault.remove(tenant.as_str(), &row.name, row.version)?;
        }
    }
    Ok(())
}

/// What is read anew; the rest is kept, where it is there.
#[derive(Clone, Copy)]
pub(super) enum Anew<'a> {
    /// Everything.
    All,
    /// What these events changed.
    After(&'a [HostEvent]),
}

impl Anew<'_> {
    fn any(self, changed: impl Fn(&HostEvent) -> bool) -> bool {
        match self {
            Self::All => true,
            Self::After(events) => events.iter().any(changed),
        }
    }

    fn tenant(self, id: &TenantId) -> bool {
        self.any(|event| match event {
            HostEvent::TenantAdded(facts) => facts.tenant_id == *id,
            HostEvent::TenantUpdated(facts) => facts.tenant_id == *id,
            HostEvent::TenantRemoved(facts) => facts.tenant_id == *id,
            HostEvent::SecretRotated(facts) => facts.tenant_id == *id,
            HostEvent::SecretRetired(facts) => facts.tenant_id == *id,
            HostEvent::TenantNoted(facts) => facts.tenant_id == *id,
            HostEvent::KeyIssued(facts) => facts.tenant_id == *id,
            HostEvent::Chat(change) => change.tenant() == id,
            HostEvent::Credential(change) => change.tenant() == id,
            HostEvent::Halt(change) => change.tenant() == Some(id),
            HostEvent::ChainOpened(_)
            | HostEvent::TokenIssued(_)
            | HostEvent::People(_)
            | HostEvent::SecretSealed(_)
            | HostEvent::RulesChanged(_)
            | HostEvent::JournalRecovered(_)
            | HostEvent::JournalDamaged(_)
            | HostEvent::JournalQuarantined(_)
            | HostEvent::RepairOrdered(_)
            | HostEvent::Repaired(_)
            | HostEvent::AuditLog(_)
            | HostEvent::LetterSettled(_) => false,
        })
    }

    fn people(self) -> bool {
        self.any(|event| matches!(event, HostEvent::People(_) | HostEvent::TokenIssued(_)))
    }

    fn secrets(self) -> bool {
        self.any(|event| matches!(event, HostEvent::SecretSealed(_)))
    }
}

/// The keyring of this state. A tenant whose keys do not open is left out, so its senders are refused, and the log says why;
/// the others are served.
pub(super) fn keyring(
    state: &HostState,
    parts: &RegistryParts,
    before: &Keyring,
    anew: Anew<'_>,
) -> Keyring {
    let tenants = state.tenants.iter().filter_map(|(id, record)| {
        if let Some(known) = before.tenant(id.as_str()).filter(|_| !anew.tenant(id)) {
            return Some(Arc::clone(known));
        }
        match tenant_keys(id, record, parts, before) {
            Ok(keys) => Some(Arc::new(keys)),
            Err(error) => {
                tracing::error!(tenant = %id, error, "keys do not open; the tenant is not served");
                None
            }
        }
    });
    let accounts = state.tenants.iter().flat_map(|(id, record)| {
        let key = |account: &vyrox_domain::host_protocol::Account| {
            ((account.vendor, account.id.clone()), id.clone())
        };
        record.accounts.iter().map(key)
    });
    let people = if anew.people() {
        Arc::new(People::new(&state.people))
    } else {
        Arc::clone(&before.people)
    };
    let secrets = if anew.secrets() {
        Arc::new(host::secrets(state, parts))
    } else {
        Arc::clone(before.host_secrets())
    };
    let mut keyring = Keyring::new(tenants, accounts).with(people, secrets);
    keyring.halted = state.halted.is_some();
    keyring
}

fn tenant_keys(
    id: &TenantId,
    record: &TenantRecord,
    parts: &RegistryParts,
    before: &Keyring,
) -> Result<TenantKeys, String> {
    let data_key = match before.tenant(id.as_str()) {
        // One instance a key: two would draw nonces side by side.
        Some(known) if known.data_key.id() == record.data_key_id => Arc::clone(&known.data_key),
        _ => Arc::new(data_key(id, parts)?),
    };
    let mut webhooks = HashMap::new();
    for (vendor, webhook) in &record.webhooks {
        let keys = webhook_keys(id, *vendor, webhook, &data_key, &parts.vault)?;
        webhooks.insert(*vendor, keys);
    }
    let action = record.action_key.as_ref();
    let action_seed = action.and_then(|key| match action::opened(id, key, &data_key, &parts.vault) {
        Ok(seed) => Some(seed),
        Err(error) => {
            tracing::error!(tenant = %id, error, "the action key does not open; nothing is signed");
            None
        }
    });
    let action_kid = action_seed.as_ref().and(action).map(|key| key.kid.clone());
    let held = &record.credentials;
    let edr = credentials::edr_keys(id, held, &data_key, &parts.vault);
    let action_secret = credentials::action_secret(id, held, &data_key, &parts.vault);
    Ok(TenantKeys {
        tenant: id.clone(),
        opaque_id: record.opaque_id.clone(),
        data_key,
        webhooks,
        settings: record.settings.clone(),
        action_seed,
        action_kid,
        edr,
        action_secret,
        halted: record.halted.is_some(),
    })
}

/// The tenant's data key, unwrapped.
pub(super) fn data_key(id: &TenantId, parts: &RegistryParts) -> Result<DataKey, String> {
    let row = parts
        .vault
        .latest(id.as_str(), DATA_KEY_ROW)
        .map_err(|error| error.to_string())?
        .ok_or("the data key is missing from the vault")?;
    row.unwrap_key(&parts.host_key)
        .map_err(|error| error.to_string())
}

fn webhook_keys(
    id: &TenantId,
    vendor: Vendor,
    webhook: &WebhookRecord,
    data_key: &DataKey,
    vault: &Vault,
) -> Result<WebhookKeys, String> {
    let open = |version: u64| -> Result<Secret, String> {
        let row = vault
            .get(id.as_str(), &row_name(vendor), version)
            .map_err(|error| error.to_string())?
            .ok_or_else(|| format!("secret {version} of {vendor} is missing from the vault"))?;
        let plain = row.open(data_key).map_err(|error| error.to_string())?;
        Ok(Secret::new(plain.to_vec()))
    };
    let keys = |previous: Option<Secret>| -> Result<Keys, String> {
        let current = open(webhook.secret_version)?;
        Ok(Keys {
            scheme: webhook.auth.clone(),
            current,
            previous,
        })
    };
    let overlap = match webhook.previous {
        Some(previous) => Some((previous.until, keys(Some(open(previous.secret_version)?))?)),
        None => None,
    };
    Ok(WebhookKeys {
        current: keys(None)?,
        overlap,
    })
}
