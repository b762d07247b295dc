//! What a tenant's EDRs know it by, and what trusted services sign its actions with: put in force,
//! replaced, taken away.

use actix::{Handler, Message};
use vyrox_domain::{
    host::{CredentialRecord, CredentialSlot},
    host_protocol::{
        ActionSecretRemoved, ActionSecretSet, CredentialChange, EdrCredentialRemoved,
        EdrCredentialSet, HostCommand,
    },
    ids::TenantId,
    vendor::Vendor,
    webhook::{AuthScheme, Secret},
};
use vyrox_journal::vault::SealedRow;
use vyrox_supervision::{Class, Classified, SupervisedContext};

use super::{
    ChangeReply, OVERLAP_MAX, Registry, RegistryError,
    change::{Planned, flaw, refuse},
    vaulted::credentials::{ACTION_ROW, edr_row_name, seal_edr},
};
use crate::{edr::EdrCredential, ports::fresh_secret};

/// Put a credential for an EDR in force, in place of the one before it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SetEdrCredential {
    /// Whose.
    pub tenant_id: TenantId,
    /// Of which EDR.
    pub vendor: Vendor,
    /// The credential; its version is given here and not taken from there.
    pub credential: EdrCredential,
    /// Whether the EDR accepted it.
    pub checked: bool,
    /// How long the one before it may still be used, in seconds; at most 30 days, 0 for not at all.
    pub overlap_s: u64,
    /// Who asks.
    pub by: String,
    /// Answered with its version once it is sealed and durable.
    pub reply: ChangeReply<u64>,
}

/// Speak to an EDR no longer, at once.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RemoveEdrCredential {
    /// Whose.
    pub tenant_id: TenantId,
    /// Which EDR.
    pub vendor: Vendor,
    /// Who asks.
    pub by: String,
    /// Answered once it is durable.
    pub reply: ChangeReply<()>,
}

/// Give the tenant a secret of its own that trusted services sign its actions with. The one before it
/// ends at once.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SetActionSecret {
    /// Whose.
    pub tenant_id: TenantId,
    /// The secret; a fresh one is made where none is given.
    pub secret: Option<Secret>,
    /// Who asks.
    pub by: String,
    /// Where it goes, once.
    pub reply: ChangeReply<Secret>,
}

/// Let the host's secret stand for the tenant's own again.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RemoveActionSecret {
    /// Whose.
    pub tenant_id: TenantId,
    /// Who asks.
    pub by: String,
    /// Answered once it is durable.
    pub reply: ChangeReply<()>,
}

macro_rules! rare {
    ($($message:ty),*) => { $(impl Classified for $message { const CLASS: Class = Class::Containment; })* };
}
rare!(
    SetEdrCredential,
    RemoveEdrCredential,
    SetActionSecret,
    RemoveActionSecret
);

impl Handler<SetEdrCredential> for Registry {
    type Result = ();

    fn handle(&mut self, message: SetEdrCredential, ctx: &mut Self::Context) {
        let SetEdrCredential {
            tenant_id,
            vendor,
            credential,
            checked,
            overlap_s,
            by,
            reply,
        } = message;
        let Some(data_key) = self.data_key(&tenant_id) else {
            return refuse(reply, self.no_data_key(&tenant_id));
        };
        let (secret_version, replaces) = self.edr_version(&tenant_id, vendor);
        let plain = match seal_edr(&credential) {
            Ok(plain) => plain,
            Err(error) => return refuse(reply, RegistryError::WeakSecret(error)),
        };
        let overlap_s = overlap_s.min(OVERLAP_MAX.as_secs());
        let until = self
            .parts
            .world
            .now()
            .plus_ms(overlap_s.saturating_mul(1000));
        let row = SealedRow::seal(&data_key, &edr_row_name(vendor), secret_version, &plain);
        let set = EdrCredentialSet {
            tenant_id,
            vendor,
            secret_version,
            key_id: data_key.id(),
            base_host: host_of(&credential.base_url).to_owned(),
            checked,
            previous_until_ms: (replaces && overlap_s > 0).then_some(until),
            by,
        };
        let planned = Planned {
            rows: vec![row],
            command: HostCommand::ChangeCredential(CredentialChange::EdrSet(set)),
            answer: secret_version,
            reply,
        };
        self.plan(planned, ctx);
    }
}

impl Handler<SetActionSecret> for Registry {
    type Result = ();

    fn handle(&mut self, message: SetActionSecret, ctx: &mut Self::Context) {
        let SetActionSecret {
            tenant_id,
            secret,
            by,
            reply,
        } = message;
        let secret = secret.unwrap_or_else(|| Secret::new(fresh_secret().into_bytes()));
        if let Some(flaw) = flaw(&AuthScheme::VyroxHmac, &secret) {
            return refuse(reply, RegistryError::WeakSecret(flaw));
        }
        let Some(data_key) = self.data_key(&tenant_id) else {
            return refuse(reply, self.no_data_key(&tenant_id));
        };
        let record = self.state.tenants.get(&tenant_id);
        let secret_version = record.map_or(1, |record| record.credentials.action.next_version());
        let row = SealedRow::seal(&data_key, ACTION_ROW, secret_version, secret.expose());
        let set = ActionSecretSet {
            tenant_id,
            secret_version,
            key_id: data_key.id(),
            by,
        };
        let planned = Planned {
            rows: vec![row],
            command: HostCommand::ChangeCredential(CredentialChange::ActionSet(set)),
            answer: secret,
            reply,
        };
        self.plan(planned, ctx);
    }
}

impl Handler<RemoveEdrCredential> for Registry {
    type Result = ();

    fn handle(&mut self, message: RemoveEdrCredential, ctx: &mut Self::Context) {
        let RemoveEdrCredential {
            tenant_id,
            vendor,
            by,
            reply,
        } = message;
        let removed = EdrCredentialRemoved {
            tenant_id,
            vendor,
            by,
        };
        self.remove(CredentialChange::EdrRemoved(removed), reply, ctx);
    }
}

impl Handler<RemoveActionSecret> for Registry {
    type Result = ();

    fn handle(&mut self, message: RemoveActionSecret, ctx: &mut Self::Context) {
        let RemoveActionSecret {
            tenant_id,
            by,
            reply,
        } = message;
        let removed = ActionSecretRemoved { tenant_id, by };
        self.remove(CredentialChange::ActionRemoved(removed), reply, ctx);
    }
}

impl Registry {
    /// Refused before anything is written, so that no row that is in force is ever overwritten.
    fn plan<T: 'static>(&mut self, planned: Planned<T>, ctx: &mut SupervisedContext<Self>) {
        match self.possible(&planned.command) {
            Ok(()) => self.store_then_change(planned, ctx),
            Err(refusal) => refuse(planned.reply, refusal),
        }
    }

    fn remove(
        &mut self,
        removal: CredentialChange,
        reply: ChangeReply<()>,
        ctx: &mut SupervisedContext<Self>,
    ) {
        let command = HostCommand::ChangeCredential(removal);
        self.change(command, ctx, move |_, result, _| {
            // Whoever asked may have gone; it is removed all the same.
            reply.send(result).ok();
        });
    }

    /// The next version, and whether one is in force that it replaces.
    fn edr_version(&self, tenant: &TenantId, vendor: Vendor) -> (u64, bool) {
        let slot = self.edr_slot(tenant, vendor);
        slot.map_or((1, false), |slot| {
            (slot.next_version(), slot.in_force.is_some())
        })
    }

    fn edr_slot(&self, tenant: &TenantId, vendor: Vendor) -> Option<&CredentialSlot> {
        let record = self.state.tenants.get(tenant)?;
        record.credentials.edr.get(&vendor)
    }

    /// What is in force for an EDR.
    pub(super) fn edr_in_force(
        &self,
        tenant: &TenantId,
        vendor: Vendor,
    ) -> Option<&CredentialRecord> {
        self.edr_slot(tenant, vendor)?.in_force.as_ref()
    }

    /// Why there is no data key: there may be no such tenant, either.
    fn no_data_key(&self, tenant: &TenantId) -> RegistryError {
        if self.state.tenants.contains_key(tenant) {
            RegistryError::NotDurable("the data key does not open".into())
        } else {
            vyrox_domain::host::HostRefusal::UnknownTenant.into()
        }
    }
}

/// The host of a URL, with its port where one is named; never what stands before an `@`.
fn host_of(url: &str) -> &str {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_the_host_alone_is_told() {
        for (url, host) in [
            (
                "https://api.eu-1.crowdstrike.com",
                "api.eu-1.crowdstrike.com",
            ),
            (
                "https://acme.sentinelone.net/web/api/v2.1",
                "acme.sentinelone.net",
            ),
            ("http://127.0.0.1:8443?token=x", "127.0.0.1:8443"),
            ("https://user:pass@[::1]:9#frag", "[::1]:9"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(host_of(url), host);
        }
    }
}
