//! What a tenant's EDRs know it by, and what trusted services sign its actions with, as far as the
//! chain tells of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    HostRefusal, HostState,
    tenants::{Previous, tenant_mut},
};
use crate::{
    host_protocol::{ActionSecretSet, CredentialChange, EdrCredentialSet, HostEvent},
    ids::TenantId,
    time::Timestamp,
    vendor::Vendor,
};

/// A tenant's credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Those for its EDRs.
    pub edr: BTreeMap<Vendor, CredentialSlot>,
    /// What trusted services sign its actions with.
    pub action: CredentialSlot,
}

/// A place for one credential. It remembers its last version over a removal, so that none is ever
/// sealed twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialSlot {
    /// The last version that was put in force, 0 for none yet.
    pub last_version: u64,
    /// What is in force; always of the last version.
    pub in_force: Option<CredentialRecord>,
}

/// A credential in force. Its value lies sealed in the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialRecord {
    /// Its version.
    pub secret_version: u64,
    /// The id of the key that it is sealed under.
    pub key_id: String,
    /// Since when it is in force.
    pub since: Timestamp,
    /// The host of the EDR's API; `None` for a secret that is no EDR's.
    pub base_host: Option<String>,
    /// Whether the EDR accepted it before it was put in force.
    pub checked: bool,
    /// The version before it, while that may still be used.
    pub previous: Option<Previous>,
}

impl CredentialSlot {
    /// The version that the next credential gets.
    pub const fn next_version(&self) -> u64 {
        self.last_version.saturating_add(1)
    }

    /// Whether the value of this version may still be needed.
    pub fn counts(&self, version: u64) -> bool {
        self.in_force.as_ref().is_some_and(|record| {
            let previous = record.previous.map(|previous| previous.secret_version);
            record.secret_version == version || previous == Some(version)
        })
    }

    fn put(&mut self, record: CredentialRecord, previous_until: Option<Timestamp>) {
        let before = self.in_force.take();
        let previous = before.zip(previous_until).map(|(before, until)| Previous {
            secret_version: before.secret_version,
            until,
        });
        self.last_version = record.secret_version;
        self.in_force = Some(CredentialRecord { previous, ..record });
    }
}

pub(super) fn decide(
    state: &HostState,
    change: CredentialChange,
) -> Result<HostEvent, HostRefusal> {
    let record = state.tenants.get(change.tenant());
    let held = &record.ok_or(HostRefusal::UnknownTenant)?.credentials;
    match &change {
        CredentialChange::EdrSet(set) if set.vendor == Vendor::Generic => {
            return Err(HostRefusal::NoSuchEdr);
        }
        CredentialChange::EdrSet(set) => {
            let next = held
                .edr
                .get(&set.vendor)
                .map_or(1, CredentialSlot::next_version);
            is_next(set.secret_version, next)?;
        }
        CredentialChange::ActionSet(set) => {
            is_next(set.secret_version, held.action.next_version())?;
        }
        CredentialChange::EdrRetired(retired) => {
            let in_force = held.edr.get(&retired.vendor).and_then(in_force);
            let previous = in_force.and_then(|record| record.previous);
            if previous.map(|previous| previous.secret_version) != Some(retired.secret_version) {
                return Err(HostRefusal::NothingToDo);
            }
        }
        CredentialChange::EdrRemoved(removed) => {
            let in_force = held.edr.get(&removed.vendor).and_then(in_force);
            in_force.ok_or(HostRefusal::NoCredential)?;
        }
        CredentialChange::ActionRemoved(_) => {
            in_force(&held.action).ok_or(HostRefusal::NoCredential)?;
        }
    }
    Ok(HostEvent::Credential(change))
}

/// Versions follow each other without a gap, so that none is ever sealed twice.
fn is_next(version: u64, next: u64) -> Result<(), HostRefusal> {
    if version == next {
        Ok(())
    } else {
        Err(HostRefusal::NothingToDo)
    }
}

const fn in_force(slot: &CredentialSlot) -> Option<&CredentialRecord> {
    slot.in_force.as_ref()
}

pub(super) fn apply(state: &mut HostState, change: &CredentialChange, at: Timestamp) {
    let Some(record) = tenant_mut(state, change.tenant()) else {
        return;
    };
    let held = &mut record.credentials;
    match change {
        CredentialChange::EdrSet(set) => {
            let slot = held.edr.entry(set.vendor).or_default();
            slot.put(edr_record(set, at), set.previous_until_ms);
        }
        CredentialChange::EdrRetired(retired) => {
            let slot = held.edr.get_mut(&retired.vendor);
            if let Some(record) = slot.and_then(|slot| slot.in_force.as_mut()) {
                record.previous = None;
            }
        }
        CredentialChange::EdrRemoved(removed) => {
            if let Some(slot) = held.edr.get_mut(&removed.vendor) {
                slot.in_force = None;
            }
        }
        CredentialChange::ActionSet(set) => held.action.put(action_record(set, at), None),
        CredentialChange::ActionRemoved(_) => held.action.in_force = None,
    }
}

fn edr_record(set: &EdrCredentialSet, at: Timestamp) -> CredentialRecord {
    CredentialRecord {
        secret_version: set.secret_version,
        key_id: set.key_id.clone(),
        since: at,
        base_host: Some(set.base_host.clone()),
        checked: set.checked,
        previous: None,
    }
}

fn action_record(set: &ActionSecretSet, at: Timestamp) -> CredentialRecord {
    CredentialRecord {
        secret_version: set.secret_version,
        key_id: set.key_id.clone(),
        since: at,
        base_host: None,
        checked: false,
        previous: None,
    }
}

/// Each replaced credential of an EDR that may still be used, with its last moment.
pub(super) fn on_their_way_out(
    state: &HostState,
) -> impl Iterator<Item = (&TenantId, Vendor, Previous)> {
    state.tenants.iter().flat_map(|(tenant, record)| {
        let slots = record.credentials.edr.iter();
        slots.filter_map(move |(vendor, slot)| {
            let previous = slot.in_force.as_ref()?.previous?;
            Some((tenant, *vendor, previous))
        })
    })
}
