//! What stands on a chain about incidents and about who was told: payloads of its entries.

use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest, ids::IncidentId, incident::Raise, notice::MessageRef, triage::Verdict,
};

/// Alerts belong together, and it is bad enough that people must see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentOpened {
    /// Which.
    pub incident_id: IncidentId,
    /// How bad.
    pub level: Verdict,
}

/// An incident is worse than it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentRaised {
    /// Which.
    pub incident_id: IncidentId,
    /// How bad it was.
    pub from: Verdict,
    /// How bad it is.
    pub level: Verdict,
    /// What raised it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised_by: Option<Raise>,
}

/// An incident takes no more alerts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentClosed {
    /// Which.
    pub incident_id: IncidentId,
    /// Why.
    pub reason: ClosedBecause,
    /// The incident that it turned out to be part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<IncidentId>,
}

/// Why an incident takes no more alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosedBecause {
    /// No alert came for a while.
    Quiet,
    /// It has lasted as long as one may.
    TooLong,
    /// The tenant has more open incidents than are kept.
    Room,
    /// It is part of another one.
    Absorbed,
}

impl ClosedBecause {
    /// In words, for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::TooLong => "too long",
            Self::Room => "room",
            Self::Absorbed => "part of another incident",
        }
    }
}

/// An incident stands in chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifySent {
    /// Which.
    pub incident_id: IncidentId,
    /// Up to which revision.
    pub revision: u64,
    /// How bad it was then.
    pub level: Verdict,
    /// Where.
    #[serde(flatten)]
    pub message: MessageRef,
    /// The digests of the waiting proposals that it shows.
    pub shown: Vec<Digest>,
    /// Without a sound, as the fallback had woken somebody before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quietly: bool,
}

/// An incident did not get into chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifyFailed {
    /// Which.
    pub incident_id: IncidentId,
    /// Which revision.
    pub revision: u64,
    /// Why, in our words.
    pub why: String,
}

/// Somebody was called by other means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifyFallback {
    /// About which incident.
    pub incident_id: IncidentId,
    /// How bad it is.
    pub level: Verdict,
    /// What took it.
    pub via: Vec<crate::sla::Via>,
    /// What did not.
    pub failed: Vec<crate::sla::Via>,
    /// Why it came to that.
    pub reason: crate::sla::FallbackReason,
    /// The proposal that ran out, where that is the reason; or the action that somebody is called for, and
    /// since when it stands so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired: Option<crate::sla::Expiry>,
}

impl NotifyFallback {
    /// Whether people count as told of the incident by it.
    pub fn tells(&self) -> bool {
        crate::sla::tells(self.level, &self.via, &self.failed)
    }
}

/// Nobody was reached within the promised time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlaBreached {
    /// About which incident.
    pub incident_id: IncidentId,
    /// How bad it is.
    pub level: Verdict,
}
