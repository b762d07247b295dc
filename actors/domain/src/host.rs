//! The host as a pure state machine of its own: which tenants there are, how their senders prove
//! themselves, which keys are in force. Values of secrets are never here; they lie sealed in the
//! vault under the name and version that these events give.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    entry::{Recorded, ReplayError},
    host_protocol::{
        Account, HostCommand, HostEvent, SecretRetired, TenantAdded, TenantHealth, TenantUpdated,
        Webhook,
    },
    ids::TenantId,
    time::Timestamp,
    vendor::Vendor,
    webhook::AuthScheme,
};

/// Everything about the host that decisions rest on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostState {
    /// The seq that the next entry gets.
    pub next_seq: u64,
    /// Tenants by name. Shared, so that a copy of the state for readers costs little.
    pub tenants: BTreeMap<TenantId, Arc<TenantRecord>>,
    /// Digest of the rules that were last said to be in force.
    pub rules_sha256: Option<String>,
}

/// One tenant as the host knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantRecord {
    /// A random id that tells nothing about it.
    pub opaque_id: String,
    /// When it was taken on.
    pub added_at: Timestamp,
    /// The id of its data key.
    pub data_key_id: String,
    /// Its webhooks.
    pub webhooks: BTreeMap<Vendor, WebhookRecord>,
    /// Its vendors' ids.
    pub accounts: BTreeSet<Account>,
    /// Since when it is suspended.
    pub suspended_since: Option<Timestamp>,
}

/// A webhook with its keys' versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookRecord {
    /// How the sender proves itself.
    pub auth: AuthScheme,
    /// The version in force.
    pub secret_version: u64,
    /// When it was put in force by a rotation.
    pub rotated_at: Option<Timestamp>,
    /// The version before it, while it still counts.
    pub previous: Option<Previous>,
}

/// A secret on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// Its version.
    pub secret_version: u64,
    /// The last moment at which it counts.
    pub until: Timestamp,
}

/// Why the host refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostRefusal {
    /// There is a tenant of that name.
    #[error("there is a tenant of that name already")]
    TenantExists,
    /// There is none.
    #[error("there is no such tenant")]
    UnknownTenant,
    /// It has no webhook for that vendor.
    #[error("the tenant has no webhook for that vendor")]
    UnknownWebhook,
    /// The same vendor was named twice, or none.
    #[error("name each vendor once, and at least one")]
    BadWebhooks,
    /// The account belongs to a tenant already, or is no account.
    #[error("the account {0} belongs to another tenant, or is not 1 to 128 characters long")]
    AccountTaken(String),
    /// The host holds as many tenants as it is configured to.
    #[error("the host is full: no more than {0} tenants are configured")]
    TooManyTenants(usize),
    /// Nothing to be done.
    #[error("nothing to do")]
    NothingToDo,
}

/// What follows from `command`.
///
/// # Errors
/// [`HostRefusal`] where it is not possible in this state.
pub fn decide(
    state: &HostState,
    command: HostCommand,
    tenant_max: usize,
) -> Result<Vec<HostEvent>, HostRefusal> {
    let event = match command {
        HostCommand::OpenChain(_) if state.next_seq > 0 => return Err(HostRefusal::NothingToDo),
        HostCommand::OpenChain(opened) => HostEvent::ChainOpened(opened),
        HostCommand::AddTenant(added) => {
            may_add(state, &added, tenant_max)?;
            HostEvent::TenantAdded(added)
        }
        HostCommand::UpdateTenant(updated) => {
            may_update(state, &updated)?;
            HostEvent::TenantUpdated(updated)
        }
        HostCommand::RotateSecret(rotated) => {
            webhook(state, &rotated.tenant_id, rotated.vendor)?;
            HostEvent::SecretRotated(rotated)
        }
        HostCommand::RetireSecret(retired) => {
            let record = webhook(state, &retired.tenant_id, retired.vendor)?;
            let is_previous = record
                .previous
                .is_some_and(|p| p.secret_version == retired.secret_version);
            if !is_previous {
                return Err(HostRefusal::NothingToDo);
            }
            HostEvent::SecretRetired(retired)
        }
        HostCommand::IssueToken(issued) => HostEvent::TokenIssued(issued),
        HostCommand::ChangeRules(changed)
            if state.rules_sha256.as_ref() == Some(&changed.rules_sha256) =>
        {
            return Err(HostRefusal::NothingToDo);
        }
        HostCommand::ChangeRules(changed) => HostEvent::RulesChanged(changed),
        HostCommand::NoteRecovery(recovered) => HostEvent::JournalRecovered(recovered),
        HostCommand::NoteTenant(noted) if !state.tenants.contains_key(&noted.tenant_id) => {
            return Err(HostRefusal::UnknownTenant);
        }
        HostCommand::NoteTenant(noted) => HostEvent::TenantNoted(noted),
        HostCommand::SettleLetter(settled) => HostEvent::LetterSettled(settled),
    };
    Ok(vec![event])
}

fn may_add(state: &HostState, added: &TenantAdded, max: usize) -> Result<(), HostRefusal> {
    if state.tenants.contains_key(&added.tenant_id) {
        return Err(HostRefusal::TenantExists);
    }
    if state.tenants.len() >= max {
        return Err(HostRefusal::TooManyTenants(max));
    }
    if added.webhooks.is_empty() || !each_vendor_once(&added.webhooks) {
        return Err(HostRefusal::BadWebhooks);
    }
    accounts_are_free(state, &added.tenant_id, &added.accounts)
}

fn may_update(state: &HostState, updated: &TenantUpdated) -> Result<(), HostRefusal> {
    if !state.tenants.contains_key(&updated.tenant_id) {
        return Err(HostRefusal::UnknownTenant);
    }
    if updated.webhooks.is_empty()
        && updated.add_accounts.is_empty()
        && updated.remove_accounts.is_empty()
    {
        return Err(HostRefusal::NothingToDo);
    }
    if !each_vendor_once(&updated.webhooks) {
        return Err(HostRefusal::BadWebhooks);
    }
    accounts_are_free(state, &updated.tenant_id, &updated.add_accounts)
}

fn each_vendor_once(webhooks: &[Webhook]) -> bool {
    let vendors: BTreeSet<_> = webhooks.iter().map(|webhook| webhook.vendor).collect();
    vendors.len() == webhooks.len()
}

/// An account belongs to one tenant, and a tenant's own name is always one of its accounts.
fn accounts_are_free(
    state: &HostState,
    tenant: &TenantId,
    accounts: &[Account],
) -> Result<(), HostRefusal> {
    for account in accounts {
        let sane = (1..=128).contains(&account.id.chars().count());
        let names_another = state
            .tenants
            .keys()
            .any(|other| other != tenant && other.as_str() == account.id);
        let held_by_another = state
            .tenants
            .iter()
            .any(|(other, record)| other != tenant && record.accounts.contains(account));
        if !sane || names_another || held_by_another {
            return Err(HostRefusal::AccountTaken(format!(
                "{}:{}",
                account.vendor, account.id
            )));
        }
    }
    let name_is_taken = state.tenants.iter().any(|(other, record)| {
        other != tenant
            && record
                .accounts
                .iter()
                .any(|account| account.id == tenant.as_str())
    });
    if name_is_taken {
        return Err(HostRefusal::AccountTaken(tenant.to_string()));
    }
    Ok(())
}

fn webhook<'a>(
    state: &'a HostState,
    tenant: &TenantId,
    vendor: Vendor,
) -> Result<&'a WebhookRecord, HostRefusal> {
    let record = state
        .tenants
        .get(tenant)
        .ok_or(HostRefusal::UnknownTenant)?;
    record
        .webhooks
        .get(&vendor)
        .ok_or(HostRefusal::UnknownWebhook)
}

/// Makes it so.
pub fn apply(state: &mut HostState, event: &HostEvent, at: Timestamp) {
    state.next_seq = state.next_seq.saturating_add(1);
    match event {
        HostEvent::ChainOpened(_)
        | HostEvent::TokenIssued(_)
        | HostEvent::JournalRecovered(_)
        | HostEvent::LetterSettled(_) => {}
        HostEvent::TenantAdded(added) => {
            let webhooks = added.webhooks.iter().map(fresh_webhook).collect();
            let record = TenantRecord {
                opaque_id: added.opaque_id.clone(),
                added_at: at,
                data_key_id: added.data_key_id.clone(),
                webhooks,
                accounts: added.accounts.iter().cloned().collect(),
                suspended_since: None,
            };
            state
                .tenants
                .insert(added.tenant_id.clone(), Arc::new(record));
        }
        HostEvent::TenantUpdated(updated) => {
            if let Some(record) = tenant_mut(state, &updated.tenant_id) {
                record
                    .webhooks
                    .extend(updated.webhooks.iter().map(fresh_webhook));
                record
                    .accounts
                    .retain(|account| !updated.remove_accounts.contains(account));
                record.accounts.extend(updated.add_accounts.iter().cloned());
            }
        }
        HostEvent::SecretRotated(rotated) => {
            if let Some(record) = webhook_mut(state, &rotated.tenant_id, rotated.vendor) {
                record.previous = rotated.previous_until_ms.map(|until| Previous {
                    secret_version: record.secret_version,
                    until,
                });
                record.secret_version = rotated.secret_version;
                record.rotated_at = Some(at);
            }
        }
        HostEvent::SecretRetired(retired) => {
            if let Some(record) = webhook_mut(state, &retired.tenant_id, retired.vendor) {
                record.previous = None;
            }
        }
        HostEvent::RulesChanged(changed) => {
            state.rules_sha256 = Some(changed.rules_sha256.clone());
        }
        HostEvent::TenantNoted(noted) => {
            if let Some(record) = tenant_mut(state, &noted.tenant_id) {
                match noted.health {
                    TenantHealth::Suspended => record.suspended_since = Some(at),
                    TenantHealth::Probed => {}
                    TenantHealth::Resumed => record.suspended_since = None,
                }
            }
        }
    }
}

fn fresh_webhook(webhook: &Webhook) -> (Vendor, WebhookRecord) {
    let record = WebhookRecord {
        auth: webhook.auth.clone(),
        secret_version: webhook.secret_version,
        rotated_at: None,
        previous: None,
    };
    (webhook.vendor, record)
}

fn tenant_mut<'a>(state: &'a mut HostState, tenant: &TenantId) -> Option<&'a mut TenantRecord> {
    state.tenants.get_mut(tenant).map(Arc::make_mut)
}

fn webhook_mut<'a>(
    state: &'a mut HostState,
    tenant: &TenantId,
    vendor: Vendor,
) -> Option<&'a mut WebhookRecord> {
    tenant_mut(state, tenant)?.webhooks.get_mut(&vendor)
}

/// Secrets that are on their way out, with the moment at which each ends.
pub fn retirements(state: &HostState) -> Vec<(Timestamp, SecretRetired)> {
    let mut due = Vec::new();
    for (tenant_id, record) in &state.tenants {
        for (vendor, webhook) in &record.webhooks {
            if let Some(previous) = webhook.previous {
                let retired = SecretRetired {
                    tenant_id: tenant_id.clone(),
                    vendor: *vendor,
                    secret_version: previous.secret_version,
                };
                due.push((previous.until, retired));
            }
        }
    }
    due.sort_by_key(|(until, _)| *until);
    due
}

/// Applies one line of the host's chain, which must be the next one.
///
/// # Errors
/// [`ReplayError`] where the line is out of order, unknown or malformed.
pub fn replay(state: &mut HostState, recorded: &Recorded) -> Result<HostEvent, ReplayError> {
    if recorded.seq != state.next_seq {
        return Err(ReplayError::OutOfOrder {
            expected: state.next_seq,
            found: recorded.seq,
        });
    }
    let event = HostEvent::from_recorded(recorded)?;
    apply(state, &event, recorded.timestamp_ms);
    Ok(event)
}
