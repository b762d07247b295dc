//! Sealing with XChaCha20-Poly1305: a host key wraps one data key a tenant, a data key seals that
//! tenant's secrets and evidence.
//!
//! A sealed value, byte for byte:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | layout version, `0x01` |
//! | 8 | id of the key it is sealed under |
//! | 24 | nonce |
//! | n | ciphertext, as long as the plaintext |
//! | 16 | Poly1305 tag over the associated data and the ciphertext |
//!
//! The associated data is not stored. Whoever opens a value must say what it belongs to (tenant,
//! purpose, object; see [`binding`]), so a value moved to another place does not open there.
//!
//! Nothing here implements `Serialize` or `Clone`: a key leaves this module wrapped, or through
//! [`HostKey::to_hex`] for the one file that keeps it.

mod pseudonym;

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use chacha20poly1305::{AeadInOut, KeyInit, XChaCha20Poly1305};
use rand::Rng;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// What a sealed value is longer than its plaintext, in bytes.
pub const OVERHEAD_BYTES: usize = HEADER_BYTES + TAG_BYTES;

const LAYOUT_VERSION: u8 = 1;
const KEY_BYTES: usize = 32;
const KEY_ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;
const NONCE_PREFIX_BYTES: usize = 16;
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES;

const HOST_KEY_LABEL: &[u8] = b"vyrox host key id v1\0";
const DATA_KEY_LABEL: &[u8] = b"vyrox data key id v1\0";
const WRAP_PURPOSE: &[u8] = b"vyrox wrapped data key v1";

/// Why a sealed value did not open. It tells nothing about the plaintext.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The bytes are not in the sealed layout: too short, or of an unknown version.
    #[error("not in the sealed layout")]
    Layout,
    /// The value names another key than the one it was to be opened with.
    #[error("sealed under key {sealed_under}, not under {offered}")]
    OtherKey {
        /// Id of the key that the value names.
        sealed_under: String,
        /// Id of the key that was used.
        offered: String,
    },
    /// The value was altered, or belongs to another tenant, purpose or object.
    #[error("altered, or bound to something else")]
    Refused,
}

/// Why a text is no host key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostKeyError {
    /// The text is not 64 hexadecimal digits.
    #[error("a host key is 64 hexadecimal digits")]
    Form,
    /// All bytes are equal: somebody filled in the field instead of generating a key.
    #[error("the host key is one byte repeated, which is a placeholder")]
    Placeholder,
}

/// The key of this host. It wraps the tenants' data keys and nothing else.
pub struct HostKey {
    key: KeyBytes,
    id: KeyId,
}

impl HostKey {
    /// A new random key.
    pub fn generate() -> Self {
        Self::from_key(KeyBytes::random())
    }

    /// Reads 64 hexadecimal digits of either case; white space around them is ignored, as key
    /// files end in a newline.
    pub fn from_hex(text: &str) -> Result<Self, HostKeyError> {
        let mut key = KeyBytes::zero();
        hex::decode_to_slice(text.trim_ascii(), key.0.as_mut_slice())
            .map_err(|_not_echoed| HostKeyError::Form)?;
        if is_one_byte_repeated(key.0.as_slice()) {
            return Err(HostKeyError::Placeholder);
        }
        Ok(Self::from_key(key))
    }

    /// The key as [`HostKey::from_hex`] reads it, for the key file alone.
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.key.0.as_slice()))
    }

    /// Names the key without telling it: 16 hexadecimal digits of a labelled SHA-256.
    pub fn id(&self) -> String {
        hex::encode(self.id)
    }

    fn from_key(key: KeyBytes) -> Self {
        let id = key.id(HOST_KEY_LABEL);
        Self { key, id }
    }
}

/// The data key of one tenant. Share it in an `Arc`: it is not `Clone`, so that no two instances
/// draw nonces from the same sequence.
pub struct DataKey {
    key: KeyBytes,
    id: KeyId,
    tenant: String,
    nonces: Nonces,
    pseudonyms: KeyBytes,
}

impl DataKey {
    /// A new random key for a tenant.
    pub fn generate(tenant: &str) -> Self {
        Self::from_key(KeyBytes::random(), tenant)
    }

    /// Names the key without telling it: 16 hexadecimal digits of a labelled SHA-256.
    pub fn id(&self) -> String {
        hex::encode(self.id)
    }

    /// The tenant that the key was made for.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The key in sealed layout under the host key, bound to its tenant.
    pub fn wrap(&self, host: &HostKey) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        rand::rng().fill_bytes(&mut nonce);
        let sealer = Sealer {
            key: &host.key,
            id: host.id,
        };
        sealer.seal(nonce, &wrap_binding(&self.tenant), self.key.0.as_slice())
    }

    /// Opens what [`DataKey::wrap`] made for this tenant under this host key. Each unwrapping
    /// starts a nonce sequence of its own.
    pub fn unwrap(host: &HostKey, tenant: &str, wrapped: &[u8]) -> Result<Self, SealError> {
        let sealer = Sealer {
            key: &host.key,
            id: host.id,
        };
        let plain = sealer.open(&wrap_binding(tenant), wrapped)?;
        let mut key = KeyBytes::zero();
        if plain.len() != KEY_BYTES {
            return Err(SealError::Layout);
        }
        key.0.copy_from_slice(&plain);
        Ok(Self::from_key(key, tenant))
    }

    /// Seals `plaintext`, bound to `aad` (see [`binding`]). Copies the plaintext once.
    ///
    /// Limit: 256 GiB of plaintext, which is the cipher's own.
    pub fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        Sealer {
            key: &self.key,
            id: self.id,
        }
        .seal(self.nonces.next(), aad, plaintext)
    }

    /// Opens what this key sealed with the same `aad`.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        Sealer {
            key: &self.key,
            id: self.id,
        }
        .open(aad, sealed)
    }

    fn from_key(key: KeyBytes, tenant: &str) -> Self {
        let id = key.id(DATA_KEY_LABEL);
        Self {
            pseudonyms: pseudonym::subkey(&key),
            key,
            id,
            tenant: tenant.into(),
            nonces: Nonces::start(),
        }
    }
}

/// Joins the parts that a sealed value belongs to (tenant, purpose, object) into associated data.
/// Each part stands behind its length, so two different lists never join to the same bytes.
pub fn binding(parts: &[&[u8]]) -> Vec<u8> {
    let mut joined = Vec::new();
    for part in parts {
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        joined.extend_from_slice(&length.to_be_bytes());
        joined.extend_from_slice(part);
    }
    joined
}

/// Id of the key that a value says it is sealed under, as the keys' `id()` gives it. An error
/// means that the bytes are not in the sealed layout.
pub fn key_id_of(sealed: &[u8]) -> Result<String, SealError> {
    Sealed::parse(sealed).map(|parts| hex::encode(parts.key_id))
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

type KeyId = [u8; KEY_ID_BYTES];

/// Key material. It stands on the heap so that moving its owner leaves no copy behind.
struct KeyBytes(Box<[u8; KEY_BYTES]>);

impl KeyBytes {
    fn zero() -> Self {
        Self(Box::new([0; KEY_BYTES]))
    }

    fn random() -> Self {
        let mut key = Self::zero();
        rand::rng().fill_bytes(key.0.as_mut_slice());
        key
    }

    fn id(&self, label: &[u8]) -> KeyId {
        let digest: [u8; 32] = Sha256::new()
            .chain_update(label)
            .chain_update(self.0.as_slice())
            .finalize()
            .into();
        let mut id = KeyId::default();
        for (to, from) in id.iter_mut().zip(digest) {
            *to = from;
        }
        id
    }
}

impl Drop for KeyBytes {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for KeyBytes {}

/// Nonces of one key instance: 16 random bytes drawn once, then a counter. Unique without asking
/// the random generator for each seal; instances of one key are told apart by the random part.
struct Nonces {
    prefix: [u8; NONCE_PREFIX_BYTES],
    drawn: AtomicU64,
}

impl Nonces {
    fn start() -> Self {
        let mut prefix = [0; NONCE_PREFIX_BYTES];
        rand::rng().fill_bytes(&mut prefix);
        Self {
            prefix,
            drawn: AtomicU64::new(0),
        }
    }

    fn next(&self) -> [u8; NONCE_BYTES] {
        // 2^64 seals take longer than any process lives, so the counter does not come round.
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        let mut nonce = [0; NONCE_BYTES];
        let (prefix, counter) = nonce.split_at_mut(NONCE_PREFIX_BYTES);
        prefix.copy_from_slice(&self.prefix);
        counter.copy_from_slice(&drawn.to_be_bytes());
        nonce
    }
}

/// The cipher under one named key.
struct Sealer<'a> {
    key: &'a KeyBytes,
    id: KeyId,
}

impl Sealer<'_> {
    #[expect(
        clippy::expect_used,
        reason = "the cipher refuses only plaintexts beyond 256 GiB, and no caller can go on"
    )]
    fn seal(&self, nonce: [u8; NONCE_BYTES], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(plaintext.len().saturating_add(OVERHEAD_BYTES));
        out.push(LAYOUT_VERSION);
        out.extend_from_slice(&self.id);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plaintext);
        let (_header, body) = out.split_at_mut(HEADER_BYTES);
        let tag = self
            .cipher()
            .encrypt_inout_detached(&nonce.into(), aad, body.into())
            .expect("plaintext within the cipher's limit");
        out.extend_from_slice(&tag);
        out
    }

    fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let parts = Sealed::parse(sealed)?;
        if parts.key_id != self.id {
            return Err(SealError::OtherKey {
                sealed_under: hex::encode(parts.key_id),
                offered: hex::encode(self.id),
            });
        }
        let mut plain = Zeroizing::new(parts.ciphertext.to_vec());
        self.cipher()
            .decrypt_inout_detached(
                &parts.nonce.into(),
                aad,
                plain.as_mut_slice().into(),
                &parts.tag.into(),
            )
            .map_err(|_opaque| SealError::Refused)?;
        Ok(plain)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.key.0.as_ref().into())
    }
}

/// The parts of a sealed value.
struct Sealed<'a> {
    key_id: KeyId,
    nonce: [u8; NONCE_BYTES],
    ciphertext: &'a [u8],
    tag: [u8; TAG_BYTES],
}

impl<'a> Sealed<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, SealError> {
        Self::split(bytes).ok_or(SealError::Layout)
    }

    fn split(bytes: &'a [u8]) -> Option<Self> {
        let (&LAYOUT_VERSION, rest) = bytes.split_first()? else {
            return None;
        };
        let (&key_id, rest) = rest.split_first_chunk()?;
        let (&nonce, rest) = rest.split_first_chunk()?;
        let (ciphertext, &tag) = rest.split_last_chunk()?;
        Some(Self {
            key_id,
            nonce,
            ciphertext,
            tag,
        })
    }
}

fn wrap_binding(tenant: &str) -> Vec<u8> {
    binding(&[WRAP_PURPOSE, tenant.as_bytes()])
}

fn is_one_byte_repeated(bytes: &[u8]) -> bool {
    bytes.windows(2).all(|pair| pair.first() == pair.last())
}

#[cfg(test)]
mod tests;
