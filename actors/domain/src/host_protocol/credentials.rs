//! Facts about what a tenant's EDRs know it by, and about what trusted services sign its actions with.
//! Nothing secret is in them: values lie sealed in the vault under the versions that these name.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    entry::{Recorded, ReplayError, payload},
    ids::TenantId,
    time::Timestamp,
    vendor::Vendor,
};

/// Something that happened to a credential of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialChange {
    /// `edr.credential_set`
    EdrSet(EdrCredentialSet),
    /// `edr.credential_retired`
    EdrRetired(EdrCredentialRetired),
    /// `edr.credential_removed`
    EdrRemoved(EdrCredentialRemoved),
    /// `action_secret.set`
    ActionSet(ActionSecretSet),
    /// `action_secret.removed`
    ActionRemoved(ActionSecretRemoved),
}

/// A credential for a tenant's EDR is in force; the one before it may be used until `previous_until_ms`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdrCredentialSet {
    /// Whose.
    pub tenant_id: TenantId,
    /// Of which EDR.
    pub vendor: Vendor,
    /// The version in the vault.
    pub secret_version: u64,
    /// The id of the key that it is sealed under.
    pub key_id: String,
    /// The host (and port, where it is not the usual one) of the EDR's API.
    pub base_host: String,
    /// Whether the EDR accepted it before it was put in force.
    pub checked: bool,
    /// When the version before it ends; `None` if it ended at once, or there was none.
    pub previous_until_ms: Option<Timestamp>,
    /// Who asked for it.
    pub by: String,
}

/// A credential that was replaced may no longer be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdrCredentialRetired {
    /// Whose.
    pub tenant_id: TenantId,
    /// Of which EDR.
    pub vendor: Vendor,
    /// The version that ended.
    pub secret_version: u64,
}

/// A tenant's EDR is spoken to no longer; what is proposed for it is rehearsed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdrCredentialRemoved {
    /// Whose.
    pub tenant_id: TenantId,
    /// Of which EDR.
    pub vendor: Vendor,
    /// Who asked for it.
    pub by: String,
}

/// Trusted services sign the tenant's actions with a secret of its own, in place of any before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionSecretSet {
    /// Whose.
    pub tenant_id: TenantId,
    /// The version in the vault.
    pub secret_version: u64,
    /// The id of the key that it is sealed under.
    pub key_id: String,
    /// Who asked for it.
    pub by: String,
}

/// The tenant has no such secret of its own any more: the one of the host stands for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionSecretRemoved {
    /// Whose.
    pub tenant_id: TenantId,
    /// Who asked for it.
    pub by: String,
}

impl CredentialChange {
    /// Whose credential.
    pub const fn tenant(&self) -> &TenantId {
        match self {
            Self::EdrSet(facts) => &facts.tenant_id,
            Self::EdrRetired(facts) => &facts.tenant_id,
            Self::EdrRemoved(facts) => &facts.tenant_id,
            Self::ActionSet(facts) => &facts.tenant_id,
            Self::ActionRemoved(facts) => &facts.tenant_id,
        }
    }

    /// The event's name, who asked for it, and the facts.
    pub(crate) fn told(&self) -> (&'static str, &str, Value) {
        match self {
            Self::EdrSet(facts) => ("edr.credential_set", &facts.by, payload(facts)),
            Self::EdrRetired(facts) => ("edr.credential_retired", "system", payload(facts)),
            Self::EdrRemoved(facts) => ("edr.credential_removed", &facts.by, payload(facts)),
            Self::ActionSet(facts) => ("action_secret.set", &facts.by, payload(facts)),
            Self::ActionRemoved(facts) => ("action_secret.removed", &facts.by, payload(facts)),
        }
    }

    /// Reads one back from the chain; `None` where the event is of another kind.
    pub(crate) fn read(recorded: &Recorded) -> Result<Option<Self>, ReplayError> {
        let change = match (recorded.event.as_str(), recorded.event_version) {
            ("edr.credential_set", 1) => Self::EdrSet(recorded.read()?),
            ("edr.credential_retired", 1) => Self::EdrRetired(recorded.read()?),
            ("edr.credential_removed", 1) => Self::EdrRemoved(recorded.read()?),
            ("action_secret.set", 1) => Self::ActionSet(recorded.read()?),
            ("action_secret.removed", 1) => Self::ActionRemoved(recorded.read()?),
            _ => return Ok(None),
        };
        Ok(Some(change))
    }
}
