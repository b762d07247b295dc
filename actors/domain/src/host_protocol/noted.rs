//! What is noted without anybody's order: rules in force, and how tenants fare.

use serde::{Deserialize, Serialize};

use crate::ids::TenantId;

/// The rules of stage 1 were replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesChanged {
    /// The digest of the rules now in force.
    pub rules_sha256: String,
    /// How many there are.
    pub rules: u64,
}

/// How a tenant's actors fare, where that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantNoted {
    /// Which.
    pub tenant_id: TenantId,
    /// What became of it.
    pub health: TenantHealth,
}

/// How a tenant's actors fare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TenantHealth {
    /// Its machine fell more often than it may; intake alone goes on.
    Suspended,
    /// It was tried again.
    Probed,
    /// It serves again.
    Resumed,
}

impl TenantHealth {
    pub(super) const fn event(self) -> &'static str {
        match self {
            Self::Suspended => "tenant.suspended",
            Self::Probed => "tenant.probed",
            Self::Resumed => "tenant.resumed",
        }
    }
}
