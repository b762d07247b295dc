//! Secrets that were replaced and count for a while yet.

use super::{HostState, credentials};
use crate::{
    host_protocol::{CredentialChange, EdrCredentialRetired, HostCommand, SecretRetired},
    time::Timestamp,
};

/// What ends with an overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retirement {
    /// A webhook's secret.
    Webhook(SecretRetired),
    /// A credential of an EDR.
    Edr(EdrCredentialRetired),
}

impl Retirement {
    /// What the host is told when the moment has come.
    pub fn into_command(self) -> HostCommand {
        match self {
            Self::Webhook(retired) => HostCommand::RetireSecret(retired),
            Self::Edr(retired) => {
                HostCommand::ChangeCredential(CredentialChange::EdrRetired(retired))
            }
        }
    }
}

/// Secrets that are on their way out, with the last moment at which each counts; the first to end first.
pub fn retirements(state: &HostState) -> Vec<(Timestamp, Retirement)> {
    let mut due: Vec<_> = webhooks(state).collect();
    due.extend(
        credentials::on_their_way_out(state).map(|(tenant, vendor, previous)| {
            let retired = EdrCredentialRetired {
                tenant_id: tenant.clone(),
                vendor,
                secret_version: previous.secret_version,
            };
            (previous.until, Retirement::Edr(retired))
        }),
    );
    due.sort_by_key(|(until, _)| *until);
    due
}

fn webhooks(state: &HostState) -> impl Iterator<Item = (Timestamp, Retirement)> {
    state.tenants.iter().flat_map(|(tenant, record)| {
        record.webhooks.iter().filter_map(move |(vendor, webhook)| {
            let previous = webhook.previous?;
            let retired = SecretRetired {
                tenant_id: tenant.clone(),
                vendor: *vendor,
                secret_version: previous.secret_version,
            };
            Some((previous.until, Retirement::Webhook(retired)))
        })
    })
}
