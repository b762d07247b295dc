//! A bundle: all that an auditor needs beside a tenant's file, in one JSON document.
//!
//! It holds the tenant's checkpoint, the leaf of the host log that says the same, the proof that this
//! leaf is in the host log, and the host log's checkpoint with the words of witnesses. The keys in it
//! are there to be compared with the ones that the auditor got on another way; they prove nothing.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};

use super::checkpoint::{OpaqueId, Origin, SignedCheckpoint, Trust};
use super::host_log::HostLeaf;
use super::merkle::{Frontier, Hash, ProofError, leaf_hash, verify_inclusion};
use super::note::{KeyName, NoteError, VerifierKey};

/// Longest bundle that is read, in bytes.
pub const MAX_BUNDLE_BYTES: usize = 4 << 20;
const VERSION: u64 = 1;
/// A tree that can be counted is no higher.
const MAX_PROOF: usize = 63;
const MAX_STATEMENTS: usize = 1000;

/// A tenant's checkpoint and its way to what witnesses have seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The tenant's own checkpoint.
    pub tenant: SignedCheckpoint,
    /// The host log's, with cosignatures.
    pub host: SignedCheckpoint,
    /// The number of the leaf in the host log.
    pub leaf_index: u64,
    /// The proof that it is there.
    pub inclusion: Vec<Hash>,
    /// The keys that the log has and had, oldest first.
    pub keys: Vec<VerifierKey>,
    /// The signed notes by which each key followed the one before it.
    pub statements: Vec<String>,
}

/// The document.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u64,
    tenant_checkpoint: String,
    host_checkpoint: String,
    leaf_index: u64,
    inclusion: Vec<String>,
    keys: Vec<String>,
    statements: Vec<String>,
}

/// What a bundle proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The deployment.
    pub deployment: OpaqueId,
    /// The tenant, by the id in its chain's entry 0.
    pub opaque_id: OpaqueId,
    /// How many entries the tenant's chain had.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// The size of the host log that vouches for it.
    pub host_size: u64,
    /// The witnesses that were trusted and have seen that log, each with the unix second.
    pub witnesses: Vec<(KeyName, u64)>,
}

/// Why a bundle proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Not such a document.
    #[error("not a proof bundle: {0}")]
    Form(String),
    /// A checkpoint that nobody trusted has signed, or that is forged.
    #[error("the {of} checkpoint: {why}")]
    Checkpoint {
        /// The tenant's or the host's.
        of: &'static str,
        /// Why.
        why: NoteError,
    },
    /// The two checkpoints are not of one deployment, or not of a tenant and its host.
    #[error("the two checkpoints do not belong together")]
    Origins,
    /// The tenant's checkpoint is not in the host log.
    #[error("the tenant's checkpoint is not in the host log: {0}")]
    Inclusion(#[from] ProofError),
}

impl Bundle {
    /// Reads a document. Nothing is believed yet.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > MAX_BUNDLE_BYTES {
            return Err(form("it is too long"));
        }
        // A list of the members' values is no bundle either, though it could be read as one.
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return Err(form("it is no JSON object in UTF-8"));
        }
        let document: Document = serde_json::from_slice(bytes).map_err(form)?;
        if document.version != VERSION {
            let version = document.version;
            return Err(form(format!("version {version} instead of {VERSION}")));
        }
        if document.inclusion.len() > MAX_PROOF || document.statements.len() > MAX_STATEMENTS {
            return Err(form("it has too many parts"));
        }
        let hash = |text: &String| -> Option<Hash> { BASE64.decode(text).ok()?.try_into().ok() };
        let hashes: Option<_> = document.inclusion.iter().map(hash).collect();
        let keys = document.keys.iter().map(|key| VerifierKey::parse(key));
        let point = |of: &'static str, text: &str| {
            SignedCheckpoint::parse(text.as_bytes())
                .map_err(|why| BundleError::Checkpoint { of, why })
        };
        Ok(Self {
            tenant: point("tenant's", &document.tenant_checkpoint)?,
            host: point("host's", &document.host_checkpoint)?,
            leaf_index: document.leaf_index,
            inclusion: hashes.ok_or_else(|| form("a hash in it is none"))?,
            keys: keys.collect::<Result<_, _>>().map_err(form)?,
            statements: document.statements,
        })
    }

    /// The document, on lines of its own for people to read.
    pub fn to_json(&self) -> String {
        let document = Document {
            version: VERSION,
            tenant_checkpoint: self.tenant.to_string(),
            host_checkpoint: self.host.to_string(),
            leaf_index: self.leaf_index,
            inclusion: self
                .inclusion
                .iter()
                .map(|hash| BASE64.encode(hash))
                .collect(),
            keys: self.keys.iter().map(ToString::to_string).collect(),
            statements: self.statements.clone(),
        };
        // Texts and numbers are always written.
        let text = serde_json::to_string_pretty(&document);
        debug_assert!(text.is_ok());
        text.unwrap_or_default()
    }

    /// Checks everything in the bundle, with keys that come from elsewhere.
    ///
    /// It proves that the tenant's chain had a state at some time. That this is the newest state, only
    /// the times of witnesses can tell.
    pub fn verify(&self, trust: &Trust) -> Result<Proven, BundleError> {
        let signatures = |of: &'static str, point: &SignedCheckpoint| {
            let verified = point.verify(trust);
            verified.map_err(|why| BundleError::Checkpoint { of, why })
        };
        signatures("tenant's", &self.tenant)?;
        let signatures = signatures("host's", &self.host)?;
        let (tenant, host) = (self.tenant.checkpoint(), self.host.checkpoint());
        let opaque_id = tenant.origin.tenant.ok_or(BundleError::Origins)?;
        if host.origin != Origin::host(tenant.origin.deployment) {
            return Err(BundleError::Origins);
        }
        let leaf = HostLeaf {
            opaque_id,
            size: tenant.size,
            root: tenant.root,
        };
        let index = self.leaf_index;
        verify_inclusion(index, host.size, &leaf.hash(), &self.inclusion, &host.root)?;
        Ok(Proven {
            deployment: host.origin.deployment,
            opaque_id,
            size: tenant.size,
            root: tenant.root,
            host_size: host.size,
            witnesses: signatures.witnesses,
        })
    }
}

/// How a chain's lines stand to a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They begin with what was signed.
    Same {
        /// How many lines came after it.
        further: u64,
    },
    /// They end before it: entries that were signed are gone.
    Truncated {
        /// How many entries were signed.
        signed: u64,
        /// How many there are; the first missing seq.
        have: u64,
    },
    /// They are not the lines that were signed.
    Differs {
        /// Up to which size something is different.
        size: u64,
    },
}

/// Holds a chain's lines, given one after the other, against a checkpoint.
#[derive(Debug, Clone)]
pub struct LinesCheck {
    size: u64,
    root: Hash,
    lines: Frontier,
    further: u64,
}

impl LinesCheck {
    /// Against the tree of this size and root.
    pub fn new(size: u64, root: Hash) -> Self {
        Self {
            size,
            root,
            lines: Frontier::new(),
            further: 0,
        }
    }

    /// The next line, without its newline.
    pub fn push(&mut self, line: &[u8]) {
        if self.lines.size() < self.size {
            self.lines.append(leaf_hash(line));
        } else {
            self.further += 1;
        }
    }

    /// After the last line.
    pub fn finish(&self) -> Standing {
        let (signed, have) = (self.size, self.lines.size());
        if have < signed {
            Standing::Truncated { signed, have }
        } else if self.lines.root() == self.root {
            Standing::Same {
                further: self.further,
            }
        } else {
            Standing::Differs { size: signed }
        }
    }
}

fn form(why: impl fmt::Display) -> BundleError {
    BundleError::Form(format!("{why}"))
}
