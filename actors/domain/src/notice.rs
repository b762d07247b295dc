//! What people are shown of an incident, whatever shows it: a chat message, a page, a mail. Made of
//! what stands on the chain, so it names machines and rules, never people, command lines or paths.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    action::{ActionType, OnExpiry, Release},
    containment::{Manner, OutcomeKind, Stage},
    digest::Digest,
    ids::{ActionId, AlertId, IncidentId, PersonId, TenantId},
    time::Timestamp,
    triage::Verdict,
    vendor::Vendor,
};

/// One incident as it is shown. A later revision replaces an earlier one in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whose.
    pub tenant_id: TenantId,
    /// Which.
    pub incident_id: IncidentId,
    /// Grows with every change that people must see; counts alone do not raise it.
    pub revision: u64,
    /// How bad.
    pub level: Verdict,
    /// The title of the alert that opened it, or of its heaviest rule.
    pub title: String,
    /// Where it began.
    pub vendor: Vendor,
    /// Machines in it, the first ones; at most 8.
    pub hosts: Vec<String>,
    /// How many machines in all.
    pub host_count: u64,
    /// Titles of the heaviest rules that spoke; at most 6.
    pub reasons: Vec<String>,
    /// ATT&CK tactics in the order in which they were first seen (`credential-access`).
    pub tactics: Vec<String>,
    /// ATT&CK techniques; at most 12.
    pub techniques: Vec<String>,
    /// Alerts in it.
    pub alerts: u64,
    /// Alerts that got no message of their own because this one stands for them.
    pub folded: u64,
    /// The kinds of link that held them together (`host`, `user`, ...).
    pub linked_by: Vec<String>,
    /// It grows so fast that changes are shown together.
    pub storm: bool,
    /// When it began.
    pub opened_at: Timestamp,
    /// When its last alert came.
    pub last_at: Timestamp,
    /// What is proposed, the oldest first; those that are decided stay with their outcome.
    pub proposals: Vec<Proposal>,
    /// How it ended (`quiet`, `room`, ...), once it has.
    pub closed: Option<String>,
    /// It has been given to the fallback already, so that showing it must wake nobody again.
    pub quietly: bool,
    /// The alert that an analyst opens first.
    pub lead_alert: AlertId,
}

/// One proposed action as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Which.
    pub action_id: ActionId,
    /// The alert that led to it.
    pub alert_id: AlertId,
    /// What.
    pub action_type: ActionType,
    /// The vendor's device.
    pub target_urn: String,
    /// What of it: the process, the file's digest. Whoever decides has to see it.
    pub parameters: BTreeMap<String, String>,
    /// The machine's name.
    pub host: Option<String>,
    /// The verdict that called for it, as the policies see it.
    pub verdict: Verdict,
    /// A rehearsal.
    pub dry_run: bool,
    /// Why the target is special, where it is.
    pub protected: Option<String>,
    /// What becomes of it when its time is over.
    pub on_expiry: OnExpiry,
    /// How long it holds, in minutes; 0 for what has no end.
    pub hold_minutes: u32,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The last moment at which it can be approved.
    pub expires_at: Timestamp,
    /// Where it stands.
    pub standing: Standing,
    /// What became of it, once it was approved.
    pub act: Option<ActShown>,
}

/// An approved action as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActShown {
    /// Where it stands.
    pub stage: Stage,
    /// Its outcome, where it stands at one.
    pub outcome: Option<OutcomeKind>,
    /// How it was begun last.
    pub manner: Option<Manner>,
    /// Who approved it, as its entries name them (`person:<id>`, `external:<name>`, `system`).
    pub approved_by: Option<String>,
    /// That it takes something back.
    pub release: Option<Release>,
    /// When it came to stand there.
    pub since: Timestamp,
    /// The vendor's own word for the state that was read last.
    pub observed: Option<String>,
    /// Why it came to stand there, in our words.
    pub why: Option<String>,
    /// When its time is over; `None` where it has no end, or is not in force.
    pub hold_ends_at: Option<Timestamp>,
    /// Its time is over.
    pub hold_ended: bool,
    /// It was found released behind our back.
    pub drifted: bool,
    /// The last undoing of it that was ordered, and where that stands.
    pub undoing: Option<(ActionId, Stage)>,
    /// The action that took it back.
    pub undone_by: Option<ActionId>,
}

/// Where a proposal stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum Standing {
    /// It waits. Who said yes so far, if more than one has to.
    Waiting {
        /// Those.
        approved_by: Vec<PersonId>,
    },
    /// It was approved.
    Approved {
        /// By whom.
        by: Vec<PersonId>,
    },
    /// It was denied.
    Denied {
        /// By whom.
        by: PersonId,
    },
    /// Nobody decided in time.
    Expired,
}

/// Where a message stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MessageRef {
    /// The channel's id.
    pub channel_id: String,
    /// The message's id.
    pub message_id: String,
}
