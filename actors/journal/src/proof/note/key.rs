//! Keys of notes: their names and ids, their text form (`vkey`), and what each kind signs.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use sha2::{Digest as _, Sha256};

use super::{KEY_ID, NoteSignature};
use crate::proof::checkpoint::OpaqueId;

const PUBLIC_KEY: usize = 32;
const SIGNATURE: usize = 64;
const TIME: usize = 8;

/// Longest name of a key, in bytes.
const MAX_NAME: usize = 255;

/// Checks an Ed25519 signature: public key, message, signature. The journal has no curve of its own;
/// whoever calls it brings one, and it must refuse keys under which anybody could sign.
pub type VerifyEd25519 = fn(&[u8; PUBLIC_KEY], &[u8], &[u8; SIGNATURE]) -> bool;

/// A private Ed25519 key that signs for its owner and is not shown.
pub trait Signer: Send + Sync {
    /// The public half.
    fn public_key(&self) -> [u8; PUBLIC_KEY];

    /// Signs a message (RFC 8032).
    fn sign(&self, message: &[u8]) -> [u8; SIGNATURE];

    /// What its signatures of a note are checked with when it signs under this name.
    fn verifier_key(&self, name: &KeyName) -> VerifierKey {
        VerifierKey::new(name.clone(), Algorithm::Ed25519, self.public_key())
    }
}

/// The name of a key: no white space, no plus sign, no control character, at most 255 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyName(String);

/// Why a text is no key or no name of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Empty, too long, or with characters that a name does not have.
    #[error("not the name of a key")]
    Name,
    /// Not `name+id+key`.
    #[error("not a verifier key: it must read NAME+ID+KEY")]
    Form,
    /// Neither Ed25519 nor `cosignature/v1`.
    #[error("the key is of an unknown algorithm")]
    Algorithm,
    /// The id does not follow from name and key.
    #[error("the id in the middle is not that of the key")]
    Id,
}

impl KeyName {
    /// Takes a text that is fit to name a key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let odd = |letter: char| letter.is_whitespace() || letter.is_control() || letter == '+';
        if text.is_empty() || text.len() > MAX_NAME || text.contains(odd) {
            return Err(KeyError::Name);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A random id is a name.
impl From<OpaqueId> for KeyName {
    fn from(id: OpaqueId) -> Self {
        Self(id.to_string())
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a key signs of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// The text itself.
    Ed25519,
    /// A witness's statement that it saw the text at a time: C2SP `cosignature/v1`.
    CosignatureV1,
}

impl Algorithm {
    fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::CosignatureV1 => 4,
        }
    }

    fn of(byte: u8) -> Option<Self> {
        [Self::Ed25519, Self::CosignatureV1]
            .into_iter()
            .find(|algorithm| algorithm.byte() == byte)
    }
}

/// A public key with its name and its algorithm: everything that a signature is checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    algorithm: Algorithm,
    public_key: [u8; PUBLIC_KEY],
}

/// A key that has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Which.
    pub key: VerifierKey,
    /// When, in unix seconds, if it is a witness's; the latest, if it has signed more than once.
    pub time: Option<u64>,
}

impl VerifierKey {
    /// The key of this name and algorithm.
    pub fn new(name: KeyName, algorithm: Algorithm, public_key: [u8; PUBLIC_KEY]) -> Self {
        Self {
            name,
            algorithm,
            public_key,
        }
    }

    /// Reads `name+id+key`: the id in eight lower-case hex digits, the key in base64.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.splitn(3, '+');
        let mut part = || parts.next().ok_or(KeyError::Form);
        let (name, id, encoded) = (part()?, part()?, part()?);
        let name = KeyName::parse(name)?;
        let bytes = BASE64
            .decode(encoded)
            .map_err(|_not_base64| KeyError::Form)?;
        let (kind, public_key) = bytes.split_first().ok_or(KeyError::Form)?;
        let algorithm = Algorithm::of(*kind).ok_or(KeyError::Algorithm)?;
        let public_key = public_key
            .try_into()
            .map_err(|_wrong_length| KeyError::Form)?;
        let key = Self::new(name, algorithm, public_key);
        if hex::encode(key.id()) == id {
            Ok(key)
        } else {
            Err(KeyError::Id)
        }
    }

    /// Its name.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// What it signs.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its 32 bytes.
    pub fn public_key(&self) -> &[u8; PUBLIC_KEY] {
        &self.public_key
    }

    /// Its id: the first four bytes of a SHA-256 over name, newline, algorithm and key. Short, so it
    /// tells keys apart and proves nothing.
    pub fn id(&self) -> [u8; KEY_ID] {
        let mut hasher = Sha256::new();
        hasher.update(self.name.as_str());
        hasher.update(b"\n");
        hasher.update(self.encoded());
        let digest: [u8; 32] = hasher.finalize().into();
        let [a, b, c, d, ..] = digest;
        [a, b, c, d]
    }

    /// Whether a signature claims to be this key's.
    pub(in crate::proof) fn has_made(&self, signature: &NoteSignature) -> bool {
        self.name == signature.name && self.id() == signature.key_id
    }

    /// Checks what stands in a signature line after the key's id.
    pub(in crate::proof) fn verify(
        &self,
        text: &str,
        bytes: &[u8],
        check: VerifyEd25519,
    ) -> Option<Verified> {
        let (time, message, signature) = match self.algorithm {
            Algorithm::Ed25519 => (None, text.as_bytes().to_vec(), bytes),
            Algorithm::CosignatureV1 => {
                let (time, signature) = bytes.split_first_chunk::<TIME>()?;
                let time = u64::from_be_bytes(*time);
                i64::try_from(time).ok()?;
                (Some(time), cosignature_message(time, text), signature)
            }
        };
        let good = check(&self.public_key, &message, signature.try_into().ok()?);
        good.then(|| Verified {
            key: self.clone(),
            time,
        })
    }

    fn encoded(&self) -> Vec<u8> {
        let mut bytes = vec![self.algorithm.byte()];
        bytes.extend_from_slice(&self.public_key);
        bytes
    }
}

/// The key as text, its `vkey`.
impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = hex::encode(self.id());
        write!(f, "{}+{id}+{}", self.name, BASE64.encode(self.encoded()))
    }
}

/// What a witness signs of a checkpoint's text at a time in unix seconds.
pub fn cosignature_message(time: u64, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{text}").into_bytes()
}
