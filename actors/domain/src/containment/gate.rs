//! What a tenant's machine is told before an action may begin.

use super::{ActOrdered, Manner, OutcomeKind};
use crate::ids::ActionId;

/// How many, how often, how much at once. 0 stands for none at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainmentLimits {
    /// Actions begun within an hour.
    pub per_hour: u32,
    /// Actions begun within a day.
    pub per_day: u32,
    /// Actions without an outcome at the same time.
    pub concurrent: u32,
    /// Hosts cut off at the same time.
    pub contained_hosts: u32,
    /// Protected and tier-0 hosts cut off at the same time.
    pub protected_hosts: u32,
    /// How long a caller's request is remembered once it has its outcome, in milliseconds.
    pub claim_ms: u64,
}

/// How things stand outside of the machine when an action is to begin.
#[derive(Clone, Copy, Debug)]
pub struct Gate {
    /// Containment is halted, for this tenant or for all.
    pub halted: bool,
    /// The chains do not prove what they should: somebody may have turned them back or written them anew.
    pub unproven: bool,
    /// Whether it would be sent.
    pub manner: Manner,
    /// The limits in force.
    pub limits: ContainmentLimits,
}

/// Begin what was approved.
#[derive(Clone, Debug)]
pub struct Begin {
    /// Which.
    pub action_id: ActionId,
    /// What is wrong with the signed manifest; the shell has just verified it.
    pub flaw: Option<String>,
    /// How things stand.
    pub gate: Gate,
}

/// Begin what somebody ordered without a proposal.
#[derive(Clone, Debug)]
pub struct Order {
    /// What.
    pub ordered: ActOrdered,
    /// What is wrong with the signed manifest; the shell has just verified it.
    pub flaw: Option<String>,
    /// How things stand.
    pub gate: Gate,
}

/// Drive an action again that came to nothing.
#[derive(Clone, Debug)]
pub struct Redrive {
    /// Which.
    pub action_id: ActionId,
    /// Who wants it.
    pub by: String,
    /// What is wrong with the signed manifest; the shell has just verified it.
    pub flaw: Option<String>,
    /// How things stand.
    pub gate: Gate,
}

/// What an adapter says of a drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActReport {
    /// Of which action.
    pub action_id: ActionId,
    /// Which drive.
    pub drive: u32,
    /// What became of it.
    pub outcome: OutcomeKind,
    /// The vendor's own word for the state that was read, where one was; at most 64 plain characters.
    pub observed: Option<String>,
    /// What the vendor calls it; at most 128 plain characters.
    pub reference: Option<String>,
    /// The HTTP status of the last answer.
    pub status: Option<u16>,
    /// Why, in our words.
    pub why: Option<String>,
    /// How many requests that could change something were sent.
    pub sent: u32,
    /// It came to light by reading alone.
    pub reconciled: bool,
}
