//! What was approved, signed: a compact JWS (RFC 7515, with RFC 8037's `EdDSA`) over the manifest and the
//! approval. An adapter takes nothing but a [`SignedAction`], and only [`verify`] makes one.

mod key;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{
    ActionManifest, MANIFEST_VERSION, UnsoundManifest,
    bounds::{exact_times, is_exact},
};
use crate::{digest::Digest, ids::TenantId, time::Timestamp};
pub use key::{ActionKey, ActionPublicKey};

/// The longest compact text, in bytes.
pub const MAX_JWS_BYTES: usize = 16 * 1024;

/// How many people may stand in an approval.
pub const MAX_APPROVERS: usize = 8;

const ALGORITHM: &str = "EdDSA";
const TYPE: &str = "vyrox-action+jws";

/// How an approval came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalKind {
    /// By a button in chat.
    Chat,
    /// With a personal token, on the command line or the API.
    PersonalToken,
    /// In an emergency, without the second person.
    BreakGlass,
    /// By a trusted service that signs for its people.
    ExternalHmac,
    /// With the containment that it takes back: its time is over, and that was to be the end of it.
    OnExpiry,
}

/// How the manifest beside it came to be approved, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// By which way.
    pub kind: ApprovalKind,
    /// Who approved (`person:<id>`); at least one, at most [`MAX_APPROVERS`].
    pub approvers: Vec<String>,
    /// When the last of them did.
    pub approved_at_ms: Timestamp,
    /// The ids of the policies that decided.
    pub policies: Vec<String>,
}

/// What a verifier knows already, and holds the text against.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Whose action it has to be.
    pub tenant: &'a TenantId,
    /// That tenant's keys; no other is tried.
    pub keys: &'a [ActionPublicKey],
    /// The policies that have to have been in force, where that matters.
    pub policy_sha256: Option<&'a Digest>,
    /// The time.
    pub now: Timestamp,
}

/// Signs what was approved.
///
/// # Errors
/// A manifest or an approval out of its bounds, or a text that would be longer than
/// [`MAX_JWS_BYTES`]: what [`verify`] would refuse is not signed.
pub fn sign(
    key: &ActionKey,
    manifest: &ActionManifest,
    approval: &Approval,
) -> Result<String, serde_json::Error> {
    let payload = Payload {
        approval: approval.clone(),
        manifest: manifest.clone(),
        manifest_sha256: manifest.digest()?,
    };
    manifest.check().map_err(refused)?;
    payload.check_approval().map_err(refused)?;
    let header = Header {
        alg: ALGORITHM.to_owned(),
        kid: key.kid().to_owned(),
        typ: TYPE.to_owned(),
    };
    let mut text = encoded(&header)?;
    text.push('.');
    text.push_str(&encoded(&payload)?);
    let signature = key.sign(text.as_bytes());
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut text);
    if text.len() > MAX_JWS_BYTES {
        return Err(refused(JwsError::TooLong));
    }
    Ok(text)
}

/// Proves that `jws` is an approved action of this tenant that may be carried out now.
///
/// The key is found by its id among the tenant's own, and nothing of the payload is read before the
/// signature holds.
///
/// # Errors
/// The first thing that is not as it has to be.
pub fn verify(jws: &str, expected: &Expected<'_>) -> Result<SignedAction, JwsError> {
    if jws.len() > MAX_JWS_BYTES {
        return Err(JwsError::TooLong);
    }
    let (signed, signature) = jws.rsplit_once('.').ok_or(JwsError::Segments)?;
    let (header, payload) = signed.split_once('.').ok_or(JwsError::Segments)?;
    if payload.contains('.') {
        return Err(JwsError::Segments);
    }
    let header = decoded(header)?;
    let payload = decoded(payload)?;
    let signature = decoded(signature)?;
    let key = key_of(&header, expected.keys)?;
    if !key.verifies(signed.as_bytes(), &signature) {
        return Err(JwsError::Signature);
    }
    Payload::read(&payload)?.accepted(expected)
}

/// An approved action: its manifest is what a person with the right to do so approved, and it may be
/// carried out. It proves this by being there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedAction {
    manifest: ActionManifest,
    approval: Approval,
    digest: Digest,
}

impl SignedAction {
    /// What to do.
    pub const fn manifest(&self) -> &ActionManifest {
        &self.manifest
    }

    /// How it came to be approved.
    pub const fn approval(&self) -> &Approval {
        &self.approval
    }

    /// The digest of the manifest, to which the approval is bound.
    pub const fn digest(&self) -> Digest {
        self.digest
    }
}

/// Why a text is no approved action. None of these tells more than its sender knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// More than [`MAX_JWS_BYTES`].
    #[error("the signed action is too long")]
    TooLong,
    /// Not three segments.
    #[error("a signed action has three segments")]
    Segments,
    /// A segment is not base64url without padding, in its one form.
    #[error("a segment is not canonical base64url")]
    Encoding,
    /// The header has other members, or is not in canonical form.
    #[error("the header does not have the members of a signed action")]
    Header,
    /// Any algorithm but `EdDSA`.
    #[error("the algorithm is not EdDSA")]
    Algorithm,
    /// Another type.
    #[error("the type is not that of a signed action")]
    Type,
    /// The key is none of the tenant's.
    #[error("the key is not known")]
    UnknownKey,
    /// The signature is not that of the key over these bytes.
    #[error("the signature does not hold")]
    Signature,
    /// The payload is not an approval with its manifest.
    #[error("the payload is not an approved manifest")]
    Payload,
    /// The payload is not byte for byte its own canonical form.
    #[error("the payload is not in canonical form")]
    NotCanonical,
    /// The digest beside the manifest is another.
    #[error("the digest is not that of the manifest")]
    Digest,
    /// A manifest of another version.
    #[error("the manifest has a version that is not known")]
    Version,
    /// Another tenant's.
    #[error("the manifest is another tenant's")]
    Tenant,
    /// A member of the manifest is out of its bounds.
    #[error(transparent)]
    Manifest(#[from] UnsoundManifest),
    /// Its time is over.
    #[error("the action has expired")]
    Expired,
    /// It was approved when its time was over.
    #[error("the approval came too late")]
    ApprovedLate,
    /// It was proposed under other policies.
    #[error("the policies in force are others")]
    Policy,
    /// Nobody approved it, or too many did, or one twice.
    #[error("the approvers are not one or several different ones")]
    Approvers,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    approval: Approval,
    manifest: ActionManifest,
    manifest_sha256: Digest,
}

impl Payload {
    fn read(bytes: &[u8]) -> Result<Self, JwsError> {
        let payload: Self = serde_json::from_slice(bytes).or(Err(JwsError::Payload))?;
        exact_times(&payload.manifest)?;
        if !is_exact(payload.approval.approved_at_ms) {
            return Err(JwsError::Payload);
        }
        let canonical = serde_json_canonicalizer::to_vec(&payload).or(Err(JwsError::Payload))?;
        if canonical == bytes {
            Ok(payload)
        } else {
            Err(JwsError::NotCanonical)
        }
    }

    fn accepted(self, expected: &Expected<'_>) -> Result<SignedAction, JwsError> {
        let manifest = &self.manifest;
        let digest = manifest.digest().or(Err(JwsError::Payload))?;
        let policy = expected.policy_sha256;
        if digest != self.manifest_sha256 {
            return Err(JwsError::Digest);
        }
        if manifest.manifest_version != MANIFEST_VERSION {
            return Err(JwsError::Version);
        }
        if manifest.tenant_id != *expected.tenant {
            return Err(JwsError::Tenant);
        }
        manifest.check()?;
        if expected.now > manifest.expires_at_ms {
            return Err(JwsError::Expired);
        }
        if policy.is_some_and(|in_force| *in_force != manifest.policy_sha256) {
            return Err(JwsError::Policy);
        }
        self.check_approval()?;
        Ok(SignedAction {
            manifest: self.manifest,
            approval: self.approval,
            digest,
        })
    }

    fn check_approval(&self) -> Result<(), JwsError> {
        let Approval {
            approvers,
            approved_at_ms,
            ..
        } = &self.approval;
        if *approved_at_ms > self.manifest.expires_at_ms {
            return Err(JwsError::ApprovedLate);
        }
        let repeated = approvers
            .iter()
            .enumerate()
            .any(|(at, one)| approvers.iter().take(at).any(|other| other == one));
        let some = (1..=MAX_APPROVERS).contains(&approvers.len());
        if some && !repeated && approvers.iter().all(|one| !one.is_empty()) {
            Ok(())
        } else {
            Err(JwsError::Approvers)
        }
    }
}

/// The key that the header names; its other members have to be exactly ours.
fn key_of<'a>(header: &[u8], keys: &'a [ActionPublicKey]) -> Result<&'a ActionPublicKey, JwsError> {
    let parsed: Header = serde_json::from_slice(header).or(Err(JwsError::Header))?;
    let canonical = serde_json_canonicalizer::to_vec(&parsed).or(Err(JwsError::Header))?;
    if canonical != header {
        return Err(JwsError::Header);
    }
    if parsed.alg != ALGORITHM {
        return Err(JwsError::Algorithm);
    }
    if parsed.typ != TYPE {
        return Err(JwsError::Type);
    }
    keys.iter()
        .find(|key| key.kid() == parsed.kid)
        .ok_or(JwsError::UnknownKey)
}

fn refused(reason: impl std::fmt::Display) -> serde_json::Error {
    serde::ser::Error::custom(reason)
}

fn encoded(part: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json_canonicalizer::to_vec(part).map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}

/// The engine refuses padding, characters of the other alphabet, and bits beyond the last byte.
fn decoded(segment: &str) -> Result<Vec<u8>, JwsError> {
    URL_SAFE_NO_PAD.decode(segment).or(Err(JwsError::Encoding))
}
