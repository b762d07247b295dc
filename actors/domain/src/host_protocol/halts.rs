//! Facts about the switch that stops all containment.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    entry::{Recorded, ReplayError, payload},
    ids::TenantId,
};

/// The switch was thrown, one way or the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HaltChange {
    /// `containment.halted`
    Halted(ContainmentHalted),
    /// `containment.resumed`
    Resumed(ContainmentResumed),
}

/// Nothing new is done to hosts from now on, and nothing is lifted by a timer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainmentHalted {
    /// Of which tenant; `None` for all.
    pub tenant_id: Option<TenantId>,
    /// Why, 1 to 500 characters.
    pub reason: String,
    /// Who asked for it.
    pub by: String,
}

/// The halt of that tenant, or the one of all tenants, is over; the other kind is not touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainmentResumed {
    /// Of which tenant; `None` for the halt of all.
    pub tenant_id: Option<TenantId>,
    /// Why, where that was said: 1 to 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who asked for it.
    pub by: String,
}

impl HaltChange {
    /// Which tenant's switch; `None` for the one of all.
    pub const fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Halted(facts) => facts.tenant_id.as_ref(),
            Self::Resumed(facts) => facts.tenant_id.as_ref(),
        }
    }

    /// The reason that was given.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Halted(facts) => Some(&facts.reason),
            Self::Resumed(facts) => facts.reason.as_deref(),
        }
    }

    /// The event's name, who asked for it, and the facts.
    pub(crate) fn told(&self) -> (&'static str, &str, Value) {
        match self {
            Self::Halted(facts) => ("containment.halted", &facts.by, payload(facts)),
            Self::Resumed(facts) => ("containment.resumed", &facts.by, payload(facts)),
        }
    }

    /// Reads one back from the chain; `None` where the event is of another kind.
    pub(crate) fn read(recorded: &Recorded) -> Result<Option<Self>, ReplayError> {
        let change = match (recorded.event.as_str(), recorded.event_version) {
            ("containment.halted", 1) => Self::Halted(recorded.read()?),
            ("containment.resumed", 1) => Self::Resumed(recorded.read()?),
            _ => return Ok(None),
        };
        Ok(Some(change))
    }
}
