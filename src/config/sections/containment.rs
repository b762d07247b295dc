//! What may be done to hosts, and how their EDRs are spoken to.

use serde::Deserialize;
use vyrox_domain::containment::ContainmentLimits;

/// `[containment]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainmentConfig {
    /// Actions that a tenant begins within an hour.
    pub per_hour: u32,
    /// Actions that a tenant begins within a day.
    pub per_day: u32,
    /// Actions of a tenant without an outcome at the same time.
    pub concurrent: u32,
    /// Hosts of a tenant cut off at the same time.
    pub contained_hosts: u32,
    /// Protected and tier-0 hosts of a tenant cut off at the same time.
    pub protected_hosts: u32,
    /// How often a containment in force is read again; 0 for never.
    pub drift_s: u64,
}

impl ContainmentConfig {
    /// As the machine is told; a request is remembered for `claim_s` after its outcome.
    pub fn limits(&self, claim_s: u64) -> ContainmentLimits {
        ContainmentLimits {
            per_hour: self.per_hour,
            per_day: self.per_day,
            concurrent: self.concurrent,
            contained_hosts: self.contained_hosts,
            protected_hosts: self.protected_hosts,
            claim_ms: claim_s.saturating_mul(1000),
        }
    }
}

/// `[edr]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdrConfig {
    /// How long a call may take, its turn and its answer included.
    pub timeout_s: u64,
    /// How often a vendor that pushes nothing is asked for new alerts; 0 for never.
    pub poll_s: u64,
    /// Whether an EDR's address may be loopback, link-local or private: for a stand-in on this machine.
    pub allow_private: bool,
}
