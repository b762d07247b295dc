//! What an event looks like on a chain, before anybody numbered or hashed it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{action::ActionType, ids::AlertId, protocol::ActionTop, time::Timestamp};

/// One entry to be written: everything but `seq`, `previous_hash` and `hash`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Dotted name in the past tense (`alert.received`).
    pub event: &'static str,
    /// Version of the payload's shape.
    pub event_version: u32,
    /// Who did it: `system`, `person:<id>`, `vendor:<name>`, `api_token:<id>`, `service:<name>`.
    pub actor: String,
    /// When.
    pub at: Timestamp,
    /// The alert that it is about.
    pub alert_id: Option<AlertId>,
    /// The action that it is about.
    pub action: Option<ActionTop>,
    /// The facts, a JSON object.
    pub payload: Value,
}

/// One entry as it is read back from a chain's line; unknown members are left alone.
#[derive(Clone, Debug, Deserialize)]
pub struct Recorded {
    /// Its place in the chain, from 0.
    pub seq: u64,
    /// Dotted name.
    pub event: String,
    /// Version of the payload's shape.
    pub event_version: u32,
    /// Who did it.
    pub actor: String,
    /// When, in milliseconds since the epoch.
    pub timestamp_ms: Timestamp,
    /// The alert that it is about.
    #[serde(default)]
    pub alert_id: Option<AlertId>,
    /// The members of an entry about an action, beside the alert.
    #[serde(default)]
    action_type: Option<ActionType>,
    #[serde(default)]
    host: Option<String>,
    #[serde(default)]
    approved_by: Option<String>,
    #[serde(default)]
    dry_run: Option<bool>,
    /// The facts.
    pub payload: Value,
}

/// A line of a chain could not be understood, so the state cannot be rebuilt from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The line is not an entry at all.
    #[error("line is not an entry: {0}")]
    NotAnEntry(String),
    /// The event, or its version, is unknown here: a newer release wrote it.
    #[error(
        "entry {seq}: event {event} version {version} is unknown to this release; use the release that wrote it, or a newer one"
    )]
    UnknownEvent {
        /// Where it stands.
        seq: u64,
        /// Its name.
        event: String,
        /// Its version.
        version: u32,
    },
    /// The payload does not have the shape that its event and version promise.
    #[error("entry {seq}: the payload of {event} is malformed: {detail}")]
    Malformed {
        /// Where it stands.
        seq: u64,
        /// Its name.
        event: String,
        /// What is wrong.
        detail: String,
    },
    /// Entries were replayed out of order.
    #[error("entry {found} was replayed where {expected} belongs")]
    OutOfOrder {
        /// The next seq.
        expected: u64,
        /// The seq that came.
        found: u64,
    },
}

impl Recorded {
    /// Reads one line of a chain.
    ///
    /// # Errors
    /// [`ReplayError::NotAnEntry`] where the line is not JSON or lacks a member.
    pub fn parse(line: &[u8]) -> Result<Self, ReplayError> {
        serde_json::from_slice(line).map_err(|error| ReplayError::NotAnEntry(error.to_string()))
    }

    pub(crate) fn unknown(&self) -> ReplayError {
        ReplayError::UnknownEvent {
            seq: self.seq,
            event: self.event.clone(),
            version: self.event_version,
        }
    }

    pub(crate) fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ReplayError> {
        T::deserialize(&self.payload).map_err(|error| ReplayError::Malformed {
            seq: self.seq,
            event: self.event.clone(),
            detail: error.to_string(),
        })
    }

    pub(crate) fn action(&self) -> Result<ActionTop, ReplayError> {
        let whole = || {
            Some(ActionTop {
                action_type: self.action_type?,
                host: self.host.clone()?,
                approved_by: self.approved_by.clone(),
                dry_run: self.dry_run?,
            })
        };
        whole().ok_or_else(|| ReplayError::Malformed {
            seq: self.seq,
            event: self.event.clone(),
            detail: "the members of an action are missing".into(),
        })
    }

    pub(crate) fn alert(&self) -> Result<AlertId, ReplayError> {
        self.alert_id.ok_or_else(|| ReplayError::Malformed {
            seq: self.seq,
            event: self.event.clone(),
            detail: "alert_id is missing".into(),
        })
    }
}

/// A payload as JSON. The payload types hold integers, strings, lists and structs only, so this
/// cannot fail; should a type ever break that, the entry says so instead of lying.
pub(crate) fn payload(facts: &impl Serialize) -> Value {
    serde_json::to_value(facts)
        .unwrap_or_else(|error| serde_json::json!({ "unencodable": error.to_string() }))
}
