//! What is to be done to whom, down to the last member: the manifest. An approver sees its digest, an
//! approval binds to it, and what is carried out is what it says and nothing else.

mod bounds;
pub mod jws;
mod target;

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    ids::{ActionId, AlertId, IncidentId, TenantId},
    time::Timestamp,
    vendor::Vendor,
};

pub use self::{
    bounds::{HOLD_MAX_MINUTES, UnsoundManifest, shown_host},
    target::{TARGET_ID_MAX_BYTES, parse_target, same_target, target_urn},
};
pub(crate) use self::{
    bounds::{is_parameter, is_shown, plain},
    target::is_vendor_id,
};

/// The version of the manifest that this build writes.
pub const MANIFEST_VERSION: u32 = 1;

/// How many hex digits of a manifest's digest are shown in chat and stand in a button's id.
pub const SHORT_DIGITS: usize = 16;

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ActionType {
    /// Cut the host off from everything but its EDR.
    HostIsolation,
    /// End one process.
    ProcessKill,
    /// Cut the host off at the network, where the vendor tells this from isolation.
    NetworkQuarantine,
    /// Keep a file with this hash from running anywhere.
    HashBlock,
    /// Take a file away from where it can run.
    FileQuarantine,
}

impl ActionType {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::HostIsolation,
        Self::ProcessKill,
        Self::NetworkQuarantine,
        Self::HashBlock,
        Self::FileQuarantine,
    ];

    /// The name in manifests, policies, the journal and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HostIsolation => "HOST_ISOLATION",
            Self::ProcessKill => "PROCESS_KILL",
            Self::NetworkQuarantine => "NETWORK_QUARANTINE",
            Self::HashBlock => "HASH_BLOCK",
            Self::FileQuarantine => "FILE_QUARANTINE",
        }
    }

    /// Whether it takes effect on all machines of the tenant, whichever it is proposed for.
    pub const fn is_everywhere(self) -> bool {
        match self {
            Self::HashBlock => true,
            Self::HostIsolation
            | Self::ProcessKill
            | Self::NetworkQuarantine
            | Self::FileQuarantine => false,
        }
    }
}

impl fmt::Display for ActionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "an action is HOST_ISOLATION, PROCESS_KILL, NETWORK_QUARANTINE, HASH_BLOCK or FILE_QUARANTINE"
)]
pub struct UnknownAction;

impl FromStr for ActionType {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        let known = Self::ALL.into_iter().find(|known| known.as_str() == text);
        known.ok_or(UnknownAction)
    }
}

/// What becomes of a containment when its time is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnExpiry {
    /// A person is asked.
    #[default]
    Ask,
    /// It is lifted without a question.
    Lift,
}

/// Everything that an approval binds to. In the canonical form every member is there (but
/// `release`, which is there where it says something), so none can be added, left out or reordered without
/// another digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionManifest {
    /// [`MANIFEST_VERSION`].
    pub manifest_version: u32,
    /// One manifest, one id.
    pub action_id: ActionId,
    /// Whose host.
    pub tenant_id: TenantId,
    /// The alert that led to it.
    pub alert_id: AlertId,
    /// The incident that the alert belongs to.
    pub incident_id: IncidentId,
    /// Whose API does it.
    pub vendor: Vendor,
    /// What.
    pub action_type: ActionType,
    /// To whom: `urn:edr:<vendor>:<device id>`, from the alert's device id alone.
    pub target_urn: String,
    /// The machine's name, for people; never used to find it.
    pub host: Option<String>,
    /// What the action needs beside its target (`pid`, `image`, `sha256`, `threat_id`).
    pub parameters: BTreeMap<String, String>,
    /// A rehearsal: nothing is sent to the EDR.
    pub dry_run: bool,
    /// What becomes of it when its time is over.
    pub on_expiry: OnExpiry,
    /// How long it holds once carried out, in minutes; 0 for what has no end.
    pub hold_minutes: u32,
    /// The playbook that proposed it, with the digest of its definition.
    pub playbook: String,
    /// That digest.
    pub playbook_sha256: Digest,
    /// The policies in force when it was proposed.
    pub policy_sha256: Digest,
    /// Why the target is special (`tier0`, `pattern:<text>`), where it is; shown wherever it is proposed.
    pub protected: Option<String>,
    /// Who proposed it (`service:triage`, `person:<id>`); that person cannot approve it.
    pub proposed_by: String,
    /// When.
    pub proposed_at_ms: Timestamp,
    /// The last moment at which it can be approved.
    pub expires_at_ms: Timestamp,
    /// That it takes something back; absent from the canonical form where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
}

/// That an action takes back what it names: the containment is lifted, the hash unblocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Which action of ours it takes back; `None` where it was not ours.
    pub of: Option<ActionId>,
}

impl ActionManifest {
    /// The canonical form (RFC 8785): what the digest is taken of.
    ///
    /// # Errors
    /// A time that a canonical number cannot hold exactly: two such manifests would have one digest.
    pub fn canonical(&self) -> Result<Vec<u8>, serde_json::Error> {
        bounds::exact_times(self).map_err(<serde_json::Error as serde::ser::Error>::custom)?;
        serde_json_canonicalizer::to_vec(self)
    }

    /// SHA-256 of the canonical form.
    ///
    /// # Errors
    /// As [`ActionManifest::canonical`].
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        self.canonical().map(|bytes| Digest::of(&bytes))
    }
}

/// The part of a manifest's digest that is shown in chat.
pub fn short(digest: &Digest) -> String {
    digest.to_hex().chars().take(SHORT_DIGITS).collect()
}

/// An action as a playbook proposes it, before it has ids, times and policies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// What.
    pub action_type: ActionType,
    /// To whom.
    pub target_urn: String,
    /// What it needs beside that.
    pub parameters: BTreeMap<String, String>,
    /// What becomes of it when its time is over.
    pub on_expiry: OnExpiry,
    /// How long it holds, in minutes; 0 for what has no end.
    pub hold_minutes: u32,
    /// Which playbook.
    pub playbook: String,
    /// The digest of its definition.
    pub playbook_sha256: Digest,
    /// Why the target is special, where it is.
    pub protected: Option<String>,
}
