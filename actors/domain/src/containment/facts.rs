//! What stands on a chain about actions on their way: payloads of its entries.

use serde::{Deserialize, Serialize};

use crate::{
    action::{ActionManifest, OnExpiry, Release},
    digest::Digest,
    ids::ActionId,
    protocol::PolicySaid,
    time::Timestamp,
};

/// Which action an entry is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActAbout {
    /// Its id.
    pub action_id: ActionId,
    /// The digest of its manifest.
    pub manifest_sha256: Digest,
    /// That it takes something back, and which action of ours, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
}

/// An action was approved without a proposal: by a trusted service, as the undoing of another one, or
/// because the time of a containment is over (`action.ordered`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActOrdered {
    /// The action, down to the last member.
    pub manifest: ActionManifest,
    /// SHA-256 of its canonical form.
    pub manifest_sha256: Digest,
    /// The manifest with its approval, signed by the tenant's action key (compact JWS).
    pub jws: String,
    /// Who ordered it: `external:<name>`, `person:<id>`, or `system` for a lift that was approved with the
    /// containment.
    pub by: String,
    /// Why that counts.
    pub policy: PolicySaid,
    /// The request that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<ClaimMade>,
}

/// A caller's request, which is carried out once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimMade {
    /// The caller's id of it.
    pub request_id: String,
    /// Whether it came to `/rollback`.
    pub rollback: bool,
    /// What it said, but for `approved_at`.
    pub body_sha256: Digest,
}

/// What is about to be done, durable before it is (`action.intent`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActBegun {
    /// To what.
    #[serde(flatten)]
    pub about: ActAbout,
    /// Which drive of this action it is, from 1; a person can have one that failed driven again.
    pub drive: u32,
    /// How.
    pub manner: Manner,
    /// Who had it driven again, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Whether an action is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// It is sent to the vendor.
    Live,
    /// Nothing is sent: the manifest says so, or the server does.
    DryRun,
    /// Nothing is sent, for there are no credentials to send it with.
    NoCredentials,
}

impl Manner {
    /// Whether nothing is sent.
    pub const fn is_rehearsal(self) -> bool {
        match self {
            Self::Live => false,
            Self::DryRun | Self::NoCredentials => true,
        }
    }
}

/// An approved action was not begun (`action.withheld`, `manifest.rejected`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActWithheld {
    /// Which.
    #[serde(flatten)]
    pub about: ActAbout,
    /// Why.
    pub why: Withheld,
    /// What is wrong with the signed manifest, where that is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Why an approved action is not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Withheld {
    /// Somebody has stopped all containment, of this tenant or of all.
    #[error("containment is halted")]
    Halted,
    /// The chains do not prove what they should, of this tenant or of all.
    #[error("the audit log's integrity is in doubt")]
    Unproven,
    /// The hour's budget is used up.
    #[error("the tenant's containments of this hour are used up")]
    HourBudget,
    /// The day's budget is used up.
    #[error("the tenant's containments of this day are used up")]
    DayBudget,
    /// So many are under way that this one has to wait.
    #[error("too many containments of the tenant are under way")]
    Concurrent,
    /// So many hosts of the tenant are cut off that no further one may be.
    #[error("too many hosts of the tenant are contained")]
    ContainedHosts,
    /// So many protected hosts are cut off that no further one may be.
    #[error("too many protected hosts of the tenant are contained")]
    ProtectedHosts,
    /// What was signed does not hold (`manifest.rejected`).
    #[error("the signed manifest does not hold")]
    Manifest,
    /// The vendor's API cannot do it.
    #[error("the vendor's API has no such action")]
    Unsupported,
    /// The same is done already or is under way.
    #[error("the same action is under way or in force")]
    InForce,
}

/// What became of one drive of an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActOutcome {
    /// Of which.
    #[serde(flatten)]
    pub about: ActAbout,
    /// Which drive.
    pub drive: u32,
    /// What.
    pub outcome: OutcomeKind,
    /// The vendor's own word for the state that was read, where one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<String>,
    /// What the vendor calls it (the id of a machine action, of an indicator), for reading it again and for
    /// taking it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The HTTP status of the last answer, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why, in our words; nothing that a vendor said stands in it unchecked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How many requests that could change something were sent in this drive.
    pub sent: u32,
    /// It came to light by reading alone: after a restart, or later.
    pub reconciled: bool,
    /// It was not seen for so long that nobody looks any more: the last word, unless somebody has it driven again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given_up: bool,
}

/// How a drive ends, or how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// The vendor's state reads so.
    Executed,
    /// The vendor took it and the host has yet to comply; followed until it does.
    Accepted,
    /// It was so before anything was sent; never undone by itself.
    AlreadySo,
    /// The vendor will not do it.
    Refused,
    /// Nothing was sent, or nothing that had any effect: released, and may be driven again.
    Unreachable,
    /// Something was sent and nobody can tell what it did; read again until that is known.
    Unknown,
    /// A rehearsal.
    DryRun,
}

impl OutcomeKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Executed,
        Self::Accepted,
        Self::AlreadySo,
        Self::Refused,
        Self::Unreachable,
        Self::Unknown,
        Self::DryRun,
    ];

    /// The name of the entry about it.
    pub const fn event(self) -> &'static str {
        match self {
            Self::Executed => "action.executed",
            Self::Accepted => "action.accepted",
            Self::AlreadySo => "action.already_so",
            Self::Refused => "action.refused",
            Self::Unreachable => "action.unreachable",
            Self::Unknown => "action.unknown",
            Self::DryRun => "action.dry_run",
        }
    }

    /// Whether it may still change by itself.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Accepted | Self::Unknown => true,
            Self::Executed | Self::AlreadySo | Self::Refused | Self::Unreachable | Self::DryRun => {
                false
            }
        }
    }
}

/// A containment that was in force is no more, and not by us; or it is again (`action.drifted`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActDrifted {
    /// Which.
    #[serde(flatten)]
    pub about: ActAbout,
    /// The vendor's own word for what was read.
    pub observed: String,
    /// It is in force again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub back: bool,
}

/// The time of a containment is over (`action.hold_ended`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldEnded {
    /// Of which.
    #[serde(flatten)]
    pub about: ActAbout,
    /// What follows, as it was approved. Where timers are held or containment is halted, nothing is lifted
    /// before they are released.
    pub on_expiry: OnExpiry,
}

/// The wall clock was set by more than five minutes, or may have been while nobody watched it: timers are held
/// until a person looks (`clock.jumped`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockJumped {
    /// What it said when it should have said [`Self::expected_ms`].
    pub found_ms: Timestamp,
    /// What it should have said, by the time that went by; after a start, what it said last.
    pub expected_ms: Timestamp,
}

/// Somebody looked at the clock and let timers run again (`timers.released`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimersReleased {
    /// Who.
    pub by: String,
}
