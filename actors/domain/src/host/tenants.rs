//! Tenants as the host knows them: their webhooks, accounts and settings.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    HostRefusal, HostState,
    chat::{ChatBinding, PendingCode},
    credentials::Credentials,
    halts::Halt,
};
use crate::{
    host_protocol::{
        Account, KeyIssued, RepairOrdered, SecretRetired, SecretRotated, TenantAdded, TenantHealth,
        TenantNoted, TenantUpdated, Webhook, is_snowflake,
    },
    ids::TenantId,
    time::Timestamp,
    vendor::Vendor,
    webhook::AuthScheme,
};

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
    /// What holds for it alone.
    pub settings: TenantSettings,
    /// The code that its place in chat can be claimed with.
    pub chat_code: Option<PendingCode>,
    /// What its actions are signed with; `None` until it is made, where the tenant is older than
    /// such keys.
    pub action_key: Option<ActionKeyRecord>,
    /// What its EDRs know it by, and what trusted services sign its actions with.
    pub credentials: Credentials,
    /// Containment is halted for it.
    pub halted: Option<Halt>,
    /// The last order to repair its chain.
    #[serde(default)]
    pub repair: Option<RepairOrdered>,
}

/// What holds for one tenant, as somebody said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantSettings {
    /// Whether a language model may be asked about its alerts. Alert data leaves the host only where
    /// somebody said so.
    pub llm: bool,
    /// Where its alerts are talked about.
    pub chat: Option<ChatBinding>,
}

/// The public half of the key that a tenant's actions are signed with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionKeyRecord {
    /// Its name.
    pub kid: String,
    /// What its signatures are checked with, 64 hex digits.
    pub public_key_hex: String,
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

pub(super) fn may_add(
    state: &HostState,
    added: &TenantAdded,
    max: usize,
) -> Result<(), HostRefusal> {
    if state.tenants.contains_key(&added.tenant_id) {
        return Err(HostRefusal::TenantExists);
    }
    if state.removed.contains_key(&added.tenant_id) {
        return Err(HostRefusal::TenantWasRemoved);
    }
    if state.tenants.len() >= max {
        return Err(HostRefusal::TooManyTenants(max));
    }
    if added.webhooks.is_empty() || !each_vendor_once(&added.webhooks) {
        return Err(HostRefusal::BadWebhooks);
    }
    accounts_are_free(state, &added.tenant_id, &added.accounts)
}

pub(super) fn may_update(state: &HostState, updated: &TenantUpdated) -> Result<(), HostRefusal> {
    let record = state.tenants.get(&updated.tenant_id);
    let record = record.ok_or(HostRefusal::UnknownTenant)?;
    if updated.webhooks.is_empty()
        && updated.add_accounts.is_empty()
        && updated.remove_accounts.is_empty()
        && updated.llm.is_none()
        && updated.chat_admin_role.is_none()
    {
        return Err(HostRefusal::NothingToDo);
    }
    if let Some(role) = &updated.chat_admin_role {
        if record.settings.chat.is_none() {
            return Err(HostRefusal::NoChat);
        }
        if !role.is_empty() && !is_snowflake(role) {
            return Err(HostRefusal::BadChatId);
        }
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

pub(super) fn webhook<'a>(
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

/// Only the secret before the one in force can end.
pub(super) fn may_retire(state: &HostState, retired: &SecretRetired) -> Result<(), HostRefusal> {
    let record = webhook(state, &retired.tenant_id, retired.vendor)?;
    let is_previous = record
        .previous
        .is_some_and(|p| p.secret_version == retired.secret_version);
    if is_previous {
        Ok(())
    } else {
        Err(HostRefusal::NothingToDo)
    }
}

pub(super) fn add(state: &mut HostState, added: &TenantAdded, at: Timestamp) {
    let record = TenantRecord {
        opaque_id: added.opaque_id.clone(),
        added_at: at,
        data_key_id: added.data_key_id.clone(),
        webhooks: added.webhooks.iter().map(fresh_webhook).collect(),
        accounts: added.accounts.iter().cloned().collect(),
        suspended_since: None,
        settings: TenantSettings::default(),
        chat_code: None,
        action_key: None,
        credentials: Credentials::default(),
        halted: None,
        repair: None,
    };
    state
        .tenants
        .insert(added.tenant_id.clone(), Arc::new(record));
}

pub(super) fn update(state: &mut HostState, updated: &TenantUpdated) {
    let Some(record) = tenant_mut(state, &updated.tenant_id) else {
        return;
    };
    record
        .webhooks
        .extend(updated.webhooks.iter().map(fresh_webhook));
    record
        .accounts
        .retain(|account| !updated.remove_accounts.contains(account));
    record.accounts.extend(updated.add_accounts.iter().cloned());
    if let Some(llm) = updated.llm {
        record.settings.llm = llm;
    }
    if let (Some(chat), Some(role)) = (&mut record.settings.chat, &updated.chat_admin_role) {
        chat.admin_role_id = (!role.is_empty()).then(|| role.clone());
    }
}

pub(super) fn order_repair(state: &mut HostState, ordered: &RepairOrdered) {
    let goes_on = ordered.lines.is_none();
    if let Some(record) = tenant_mut(state, &ordered.tenant_id).filter(|_| goes_on) {
        record.repair = Some(ordered.clone());
    }
}

pub(super) fn rotate(state: &mut HostState, rotated: &SecretRotated, at: Timestamp) {
    if let Some(record) = webhook_mut(state, &rotated.tenant_id, rotated.vendor) {
        record.previous = rotated.previous_until_ms.map(|until| Previous {
            secret_version: record.secret_version,
            until,
        });
        record.secret_version = rotated.secret_version;
        record.rotated_at = Some(at);
    }
}

pub(super) fn retire(state: &mut HostState, retired: &SecretRetired) {
    if let Some(record) = webhook_mut(state, &retired.tenant_id, retired.vendor) {
        record.previous = None;
    }
}

pub(super) fn note(state: &mut HostState, noted: &TenantNoted, at: Timestamp) {
    if let Some(record) = tenant_mut(state, &noted.tenant_id) {
        match noted.health {
            TenantHealth::Suspended => record.suspended_since = Some(at),
            TenantHealth::Probed => {}
            TenantHealth::Resumed => record.suspended_since = None,
        }
    }
}

/// A tenant has one such key and keeps it.
pub(super) fn may_have_key(state: &HostState, issued: &KeyIssued) -> Result<(), HostRefusal> {
    let record = state.tenants.get(&issued.tenant_id);
    match &record.ok_or(HostRefusal::UnknownTenant)?.action_key {
        Some(_) => Err(HostRefusal::NothingToDo),
        None => Ok(()),
    }
}

pub(super) fn give_key(state: &mut HostState, issued: &KeyIssued) {
    if let Some(record) = tenant_mut(state, &issued.tenant_id) {
        record.action_key = Some(ActionKeyRecord {
            kid: issued.kid.clone(),
            public_key_hex: issued.public_key_hex.clone(),
        });
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

pub(super) fn tenant_mut<'a>(
    state: &'a mut HostState,
    tenant: &TenantId,
) -> Option<&'a mut TenantRecord> {
    state.tenants.get_mut(tenant).map(Arc::make_mut)
}

fn webhook_mut<'a>(
    state: &'a mut HostState,
    tenant: &TenantId,
    vendor: Vendor,
) -> Option<&'a mut WebhookRecord> {
    tenant_mut(state, tenant)?.webhooks.get_mut(&vendor)
}
