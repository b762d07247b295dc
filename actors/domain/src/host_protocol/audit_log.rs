//! What the host's chain has of the signed log over all chains.
//!
//! The log lies apart from the chains, so somebody could take it away, and a new one would begin in
//! silence. That there is one, and under which name it goes, is therefore on the host's chain.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entry::{Recorded, ReplayError, payload};

/// A log, by its name and the key that it is signed with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLog {
    /// The deployment's id: 32 hex digits.
    pub deployment: String,
    /// The key that is in force, as those who verify know it: `name+id+key`.
    pub vkey: String,
}

/// The log began, or another one follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditLogChange {
    /// `audit.log_begun`
    Begun(AuditLog),
    /// `audit.rebased`
    Rebased(AuditRebased),
    /// `key.rotated`
    Rotated(KeyRotated),
}

/// Another key signs for the same log from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRotated {
    /// The log with the key that was in force.
    pub before: AuditLog,
    /// The same log with the key that is.
    #[serde(flatten)]
    pub after: AuditLog,
    /// The note by which the old key names the new one; both have signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// Until when the old key signs too, in unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// Who ordered it.
    pub by: String,
}

/// What is there was accepted as the truth, against what had been signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRebased {
    /// The log that is left behind, where one was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<AuditLog>,
    /// The log that begins.
    #[serde(flatten)]
    pub after: AuditLog,
    /// What was wrong with all, in a word, where something was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The chains that were not as they had been signed.
    pub chains: Vec<ChainRebased>,
    /// The note by which the old key names the new one, where the old one was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// Why, 1 to 500 characters.
    pub reason: String,
    /// Who ordered it.
    pub by: String,
}

/// A chain that was not as it had been signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainRebased {
    /// Its name.
    pub chain: String,
    /// `audit_truncated` or `audit_forked`.
    pub kind: String,
    /// How many entries had been signed.
    pub signed: u64,
    /// How many there are.
    pub entries: u64,
}

impl AuditLogChange {
    /// The log that is in force from here on.
    pub const fn log(&self) -> &AuditLog {
        match self {
            Self::Begun(log) => log,
            Self::Rebased(rebased) => &rebased.after,
            Self::Rotated(rotated) => &rotated.after,
        }
    }

    /// The reason that was given, where one has to be.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Begun(_) | Self::Rotated(_) => None,
            Self::Rebased(rebased) => Some(&rebased.reason),
        }
    }

    /// The event's name, who asked for it, and the facts.
    pub(crate) fn told(&self) -> (&'static str, &str, Value) {
        match self {
            Self::Begun(log) => ("audit.log_begun", "system", payload(log)),
            Self::Rebased(facts) => ("audit.rebased", &facts.by, payload(facts)),
            Self::Rotated(facts) => ("key.rotated", &facts.by, payload(facts)),
        }
    }

    /// Reads one back from the chain; `None` where the event is of another kind.
    pub(crate) fn read(recorded: &Recorded) -> Result<Option<Self>, ReplayError> {
        let change = match (recorded.event.as_str(), recorded.event_version) {
            ("audit.log_begun", 1) => Self::Begun(recorded.read()?),
            ("audit.rebased", 1) => Self::Rebased(recorded.read()?),
            ("key.rotated", 1) => Self::Rotated(recorded.read()?),
            _ => return Ok(None),
        };
        Ok(Some(change))
    }
}
