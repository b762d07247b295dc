//! What an action comes down to at Defender for Endpoint.

use serde_json::json;
use vyrox_actors::edr::{EdrError, Guard};
use vyrox_domain::{
    action::{ActionManifest, ActionType, parse_target},
    time::Timestamp,
    vendor::Vendor,
};

use super::{
    super::{Call, id::Id, never, reading::mark},
    INDICATORS, MACHINES,
};

/// An action, or the taking back of one, in Defender's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Something is done on one machine.
    OnMachine(Errand),
    /// A file runs nowhere, or may run again.
    Block(Block),
}

/// What is done on one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Errand {
    /// Which machine.
    pub(super) machine: Id,
    /// What.
    pub(super) deed: Deed,
    /// By what it is known as ours.
    pub(super) mark: String,
    /// When it was proposed.
    pub(super) proposed_at: Timestamp,
}

/// What can be done there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// The machine is cut off.
    Isolate,
    /// It is let back.
    Unisolate,
    /// A file is stopped and taken away.
    TakeFile {
        /// Its SHA-1 in lower-case hex digits.
        sha1: String,
    },
}

/// A file that runs nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Its SHA-256 in lower-case hex digits.
    pub(super) sha256: String,
    /// That it may run again.
    pub(super) undo: bool,
    /// What our indicator says of itself; of an undoing, the one that is taken back, where that is ours.
    pub(super) mark: Option<String>,
}

impl Task {
    /// What this manifest asks for.
    ///
    /// # Errors
    /// Defender cannot do that, or the manifest does not say whom or what.
    pub(super) fn of(manifest: &ActionManifest) -> Result<Self, EdrError> {
        let machine = match parse_target(&manifest.target_urn) {
            Some((Vendor::Defender, id)) => Id::parse(id),
            Some((Vendor::Crowdstrike | Vendor::Sentinelone | Vendor::Generic, _)) | None => None,
        };
        let machine = machine.ok_or_else(|| never("the target is no machine of Defender"))?;
        let deed = match (manifest.action_type, manifest.release) {
            (ActionType::HostIsolation, None) => Deed::Isolate,
            (ActionType::HostIsolation, Some(_)) => Deed::Unisolate,
            (ActionType::FileQuarantine, None) => Deed::TakeFile {
                sha1: digits(manifest, "sha1", 40)?,
            },
            (ActionType::FileQuarantine, Some(_)) => {
                return Err(never("Defender cannot take this back"));
            }
            (ActionType::HashBlock, release) => {
                let ours = release.map_or(Some(manifest.action_id), |release| release.of);
                return Ok(Self::Block(Block {
                    sha256: digits(manifest, "sha256", 64)?,
                    undo: release.is_some(),
                    mark: ours.map(mark),
                }));
            }
            (ActionType::ProcessKill | ActionType::NetworkQuarantine, _) => {
                return Err(never("Defender has no such action"));
            }
        };
        Ok(Self::OnMachine(Errand {
            machine,
            deed,
            mark: mark(manifest.action_id),
            proposed_at: manifest.proposed_at_ms,
        }))
    }
}

impl Deed {
    /// Its name as the type of a machine action.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Isolate => ISOLATE,
            Self::Unisolate => UNISOLATE,
            Self::TakeFile { .. } => TAKE_FILE,
        }
    }
}

/// The types of machine actions that we look at.
pub(super) const ISOLATE: &str = "Isolate";
/// See [`ISOLATE`].
pub(super) const UNISOLATE: &str = "Unisolate";
/// See [`ISOLATE`].
pub(super) const TAKE_FILE: &str = "StopAndQuarantineFile";

impl Errand {
    /// The request that has it done.
    pub(super) fn request(&self, guard: &Guard) -> Call {
        let (verb, body) = match &self.deed {
            Deed::Isolate => (
                "isolate",
                json!({ "Comment": self.mark, "IsolationType": "Full" }),
            ),
            Deed::Unisolate => ("unisolate", json!({ "Comment": self.mark })),
            Deed::TakeFile { sha1 } => (
                "StopAndQuarantineFile",
                json!({ "Comment": self.mark, "Sha1": sha1 }),
            ),
        };
        let call = Call::post(MACHINES).segment(self.machine.as_str());
        call.segment(verb).json(&body).changing(guard)
    }
}

impl Block {
    /// The request that blocks the file. It takes the place of an indicator that is there for it.
    pub(super) fn addition(&self, guard: &Guard) -> Call {
        let body = json!({
            "indicatorValue": self.sha256,
            "indicatorType": FILE_SHA256,
            "action": "Block",
            "severity": "High",
            "title": "Blocked by Vyrox",
            "description": self.mark.as_deref().unwrap_or("Vyrox"),
        });
        Call::post(INDICATORS).json(&body).changing(guard)
    }
}

/// Defender's name of the type of an indicator about a file with this SHA-256.
pub(super) const FILE_SHA256: &str = "FileSha256";

fn digits(manifest: &ActionManifest, name: &str, count: usize) -> Result<String, EdrError> {
    let hash = manifest.parameters.get(name);
    let hash =
        hash.filter(|hash| hash.len() == count && hash.bytes().all(|b| b.is_ascii_hexdigit()));
    hash.map(|hash| hash.to_ascii_lowercase())
        .ok_or_else(|| never("the action does not name its file"))
}
