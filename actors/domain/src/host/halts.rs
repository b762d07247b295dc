//! The switch that stops all containment: one for the host, one for each tenant.

use serde::{Deserialize, Serialize};

use super::{HostRefusal, HostState, tenants::tenant_mut};
use crate::{
    host_protocol::{HaltChange, HostEvent},
    time::Timestamp,
};

/// The longest reason, in characters.
pub const HALT_REASON_MAX: usize = 500;

/// A halt that is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// Since when. Another halt on top gives another reason, and does not begin it anew.
    pub since: Timestamp,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub by: String,
}

/// Whoever halts what is halted already is not refused: nobody who throws the switch in haste should
/// have to read an error, and the chain has every reason.
pub(super) fn decide(state: &HostState, change: HaltChange) -> Result<HostEvent, HostRefusal> {
    if change.reason().is_some_and(|reason| !is_reason(reason)) {
        return Err(HostRefusal::BadReason);
    }
    let halt = match change.tenant() {
        None => &state.halted,
        Some(tenant) => {
            let record = state.tenants.get(tenant);
            &record.ok_or(HostRefusal::UnknownTenant)?.halted
        }
    };
    match (&change, halt) {
        (HaltChange::Resumed(_), None) => Err(HostRefusal::NotHalted),
        (HaltChange::Resumed(_), Some(_)) | (HaltChange::Halted(_), _) => {
            Ok(HostEvent::Halt(change))
        }
    }
}

/// Whether a text gives a reason: something is said, not too much, and on one line.
pub fn is_reason(text: &str) -> bool {
    (1..=HALT_REASON_MAX).contains(&text.chars().count())
        && !text.trim().is_empty()
        && !text.chars().any(char::is_control)
}

pub(super) fn apply(state: &mut HostState, change: &HaltChange, at: Timestamp) {
    let halt = match change.tenant() {
        None => &mut state.halted,
        Some(tenant) => match tenant_mut(state, tenant) {
            Some(record) => &mut record.halted,
            None => return,
        },
    };
    *halt = match change {
        HaltChange::Halted(halted) => Some(Halt {
            since: halt.as_ref().map_or(at, |before| before.since),
            reason: halted.reason.clone(),
            by: halted.by.clone(),
        }),
        HaltChange::Resumed(_) => None,
    };
}
