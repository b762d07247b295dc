//! Checkpoints: the size and root of a tree, signed by the log and cosigned by witnesses (C2SP
//! `tlog-checkpoint`).

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::merkle::{Hash, MAX_SIZE, empty_root};
use super::note::{
    Algorithm, KeyName, Note, NoteError, NoteSignature, Signer, Verified, VerifierKey,
    VerifyEd25519,
};

/// A random id, made once and told to everybody: 32 lower-case hex digits. It names a deployment,
/// and what stands for a tenant outside of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OpaqueId([u8; 16]);

impl OpaqueId {
    /// The id of these bytes.
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Reads 32 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        let lower_case = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        lower_case.then_some(Self(bytes))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for OpaqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for OpaqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whose tree a checkpoint is of; its first line. The names of both kinds are a deployment's, and
/// its key is named `<deployment>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The deployment.
    pub deployment: OpaqueId,
    /// The tenant, or nobody for the log of the host.
    pub tenant: Option<OpaqueId>,
}

impl Origin {
    /// The origin of a deployment's host log.
    pub fn host(deployment: OpaqueId) -> Self {
        Self {
            deployment,
            tenant: None,
        }
    }

    /// The origin of a tenant's own checkpoints.
    pub fn tenant(deployment: OpaqueId, tenant: OpaqueId) -> Self {
        Self {
            deployment,
            tenant: Some(tenant),
        }
    }

    /// Reads `<deployment>` or `<deployment>/<tenant>`.
    pub fn parse(text: &str) -> Option<Self> {
        let (deployment, tenant) = match text.split_once('/') {
            None => (text, None),
            Some((deployment, tenant)) => (deployment, Some(OpaqueId::parse(tenant)?)),
        };
        Some(Self {
            deployment: OpaqueId::parse(deployment)?,
            tenant,
        })
    }

    /// The name of the key that signs for this origin.
    pub fn key_name(&self) -> KeyName {
        KeyName::from(self.deployment)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tenant {
            None => write!(f, "{}", self.deployment),
            Some(tenant) => write!(f, "{}/{tenant}", self.deployment),
        }
    }
}

/// A tree at a size, without anybody's word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose tree.
    pub origin: Origin,
    /// How many leaves it has.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

impl Checkpoint {
    /// The tree without leaves.
    pub(super) fn empty(origin: Origin) -> Self {
        Self {
            origin,
            size: 0,
            root: empty_root(),
        }
    }

    /// Reads the three lines: origin, size, root in base64. Extension lines are not ours and are
    /// refused, as is a tree without leaves that has another root than such a tree has.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let origin = Origin::parse(lines.next()?)?;
        let size = parse_size(lines.next()?)?;
        let root = BASE64.decode(lines.next()?).ok()?.try_into().ok()?;
        let whole = lines.next().is_none() && (size > 0 || root == empty_root());
        whole.then_some(Self { origin, size, root })
    }
}

/// The text of the note.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = BASE64.encode(self.root);
        write!(f, "{}\n{}\n{root}\n", self.origin, self.size)
    }
}

/// Reads a decimal without leading zeros, at most [`MAX_SIZE`].
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with(['0', '+']);
    let size: u64 = text.parse().ok().filter(|_| canonical)?;
    (size <= MAX_SIZE).then_some(size)
}

/// A checkpoint with the signatures under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
}

/// Whom somebody who checks believes, and the curve to check with.
#[derive(Debug, Clone)]
pub struct Trust {
    /// Keys of the log: the one in force, and those that were before it.
    pub log: Vec<VerifierKey>,
    /// Keys of witnesses.
    pub witnesses: Vec<VerifierKey>,
    /// Checks one signature.
    pub check: VerifyEd25519,
}

/// Whose signatures under a checkpoint proved good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signatures {
    /// Keys of the log, at least one.
    pub log: Vec<VerifierKey>,
    /// Witnesses that were trusted, with the unix second at which each saw it.
    pub witnesses: Vec<(KeyName, u64)>,
}

impl SignedCheckpoint {
    /// Signs a checkpoint, with each of the keys under the name that the origin gives.
    pub fn sign<'a>(
        checkpoint: Checkpoint,
        signers: impl IntoIterator<Item = &'a dyn Signer>,
    ) -> Result<Self, NoteError> {
        let mut note = Note::new(checkpoint.to_string())?;
        let name = checkpoint.origin.key_name();
        for signer in signers {
            note.sign(&name, signer)?;
        }
        Ok(Self { checkpoint, note })
    }

    /// Reads a note whose text is a checkpoint. No signature is checked.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        let note = Note::parse(bytes)?;
        let checkpoint = Checkpoint::parse(note.text());
        let checkpoint = checkpoint.ok_or(NoteError::Malformed("the text is no checkpoint"))?;
        Ok(Self { checkpoint, note })
    }

    /// What it says.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note that says it.
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// Puts a signature under it, unchecked, in place of one of the same key.
    pub fn add(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        self.note.add(signature)
    }

    /// Checks that the log has signed it, by a key of the name that its origin asks for, and says
    /// which witnesses have. One bad signature of a trusted key makes it bad.
    pub fn verify(&self, trust: &Trust) -> Result<Signatures, NoteError> {
        let name = self.checkpoint.origin.key_name();
        let log = trust
            .log
            .iter()
            .filter(|key| *key.name() == name && key.algorithm() == Algorithm::Ed25519);
        let log: Vec<_> = log.cloned().collect();
        let log = self.note.verify(&log, trust.check)?;
        Ok(Signatures {
            log: log.into_iter().map(|verified| verified.key).collect(),
            witnesses: self.verify_witnesses(&trust.witnesses, trust.check)?,
        })
    }

    /// The witnesses that have cosigned it, each once with its latest time. None is no error.
    pub(super) fn verify_witnesses(
        &self,
        witnesses: &[VerifierKey],
        check: VerifyEd25519,
    ) -> Result<Vec<(KeyName, u64)>, NoteError> {
        let found = match self.note.verify(witnesses, check) {
            Err(NoteError::Unsigned) => Vec::new(),
            other => other?,
        };
        let timed = |Verified { key, time }: Verified| Some((key.name().clone(), time?));
        Ok(found.into_iter().filter_map(timed).collect())
    }
}

/// The note.
impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.note, f)
    }
}

#[cfg(test)]
mod tests;
