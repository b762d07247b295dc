//! Tenants that are served no more.

use serde::{Deserialize, Serialize};

use super::{HostRefusal, HostState, halts::is_reason};
use crate::{host_protocol::TenantRemoved, time::Timestamp};

/// What stays known of a tenant that was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedTenant {
    /// When it was removed.
    pub at: Timestamp,
    /// Its evidence was erased, then or since.
    pub erased: bool,
}

/// One that was removed can be removed once more to erase what was kept then.
pub(super) fn may_remove(state: &HostState, removed: &TenantRemoved) -> Result<(), HostRefusal> {
    if !is_reason(&removed.reason) {
        return Err(HostRefusal::BadReason);
    }
    if state.tenants.contains_key(&removed.tenant_id) {
        return Ok(());
    }
    match state.removed.get(&removed.tenant_id) {
        None => Err(HostRefusal::UnknownTenant),
        Some(before) if removed.erased && !before.erased => Ok(()),
        Some(_) => Err(HostRefusal::NothingToDo),
    }
}

pub(super) fn remove(state: &mut HostState, removed: &TenantRemoved, at: Timestamp) {
    state.tenants.remove(&removed.tenant_id);
    let known = state.removed.entry(removed.tenant_id.clone());
    let known = known.or_insert(RemovedTenant { at, erased: false });
    known.erased |= removed.erased;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        entry::Recorded,
        host::{decide, replay},
        host_protocol::{HostCommand, HostEvent, KeyIssued, TenantAdded, Webhook},
        vendor::Vendor,
        webhook::AuthScheme,
    };

    const T: Timestamp = Timestamp::from_s(1_768_473_000);

    fn add() -> HostCommand {
        let tenant_id: crate::ids::TenantId = "acme".parse().unwrap();
        let webhook = Webhook {
            vendor: Vendor::Generic,
            auth: AuthScheme::VyroxHmac,
            secret_version: 1,
        };
        let added = TenantAdded {
            tenant_id: tenant_id.clone(),
            opaque_id: "o".into(),
            webhooks: vec![webhook],
            accounts: Vec::new(),
            data_key_id: "d".into(),
            by: "system".into(),
        };
        let key = KeyIssued {
            tenant_id,
            kid: "k".into(),
            public_key_hex: "00".repeat(32),
        };
        HostCommand::AddTenant(added, key)
    }

    fn remove(erased: bool) -> HostCommand {
        HostCommand::RemoveTenant(TenantRemoved {
            tenant_id: "acme".parse().unwrap(),
            erased,
            reason: "the contract ended".into(),
            by: "api_token:bootstrap".into(),
        })
    }

    /// Decides and replays what the chain then says.
    fn order(state: &mut HostState, command: HostCommand) -> Result<Vec<HostEvent>, HostRefusal> {
        let events = decide(state, command, T, 8)?;
        for event in &events {
            let entry = event.entry(T);
            let line = serde_json::json!({
                "seq": state.next_seq, "timestamp_ms": T.ms(), "tenant_id": "_host",
                "event": entry.event, "event_version": entry.event_version,
                "actor": entry.actor, "payload": entry.payload,
            });
            let recorded = Recorded::parse(&serde_json::to_vec(&line).unwrap()).unwrap();
            assert_eq!(&replay(state, &recorded).unwrap(), event);
        }
        Ok(events)
    }

    #[test]
    fn a_removed_tenant_is_known_as_that_and_its_name_is_never_given_again() {
        let mut state = HostState::default();
        assert_eq!(
            order(&mut state, remove(false)),
            Err(HostRefusal::UnknownTenant)
        );
        order(&mut state, add()).unwrap();
        order(&mut state, remove(false)).unwrap();
        assert!(state.tenants.is_empty());
        assert_eq!(order(&mut state, add()), Err(HostRefusal::TenantWasRemoved));
        assert_eq!(
            order(&mut state, remove(false)),
            Err(HostRefusal::NothingToDo)
        );
        order(&mut state, remove(true)).unwrap();
        let known: Vec<_> = state.removed.values().map(|one| one.erased).collect();
        assert_eq!(known, [true]);
        assert_eq!(
            order(&mut state, remove(true)),
            Err(HostRefusal::NothingToDo)
        );
    }
}
