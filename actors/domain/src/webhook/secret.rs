//! Secrets that show themselves to nobody by accident.

use std::fmt;

use subtle::{Choice, ConstantTimeEq as _};
use zeroize::Zeroizing;

use super::AuthScheme;
use crate::digest::Digest;

/// The size of what is hashed for one secret, whatever the secret's own length.
pub const SECRET_BLOCK_BYTES: usize = 512;

/// The longest secret that can be compared with one that was sent, in bytes: what a block has beside
/// the length.
pub const MAX_SHARED_SECRET_BYTES: usize = SECRET_BLOCK_BYTES - size_of::<u16>();

/// A secret's bytes. Wiped when dropped, never printed, never serialised.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over; for a textual secret these are its ASCII text.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes themselves. Do not keep them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is no secret in it at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How one tenant authenticates one vendor's webhooks.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The one scheme that is tried.
    pub scheme: AuthScheme,
    /// The secret in force.
    pub current: Secret,
    /// The secret before it, while a rotation's overlap lasts.
    pub previous: Option<Secret>,
}

/// The digest of a secret in a block of [`SECRET_BLOCK_BYTES`]: its length in two bytes, the secret,
/// and zeros.
///
/// One that does not fit stands as the empty one does, which vouches for nothing.
pub(super) struct SecretDigest(Digest);

impl SecretDigest {
    pub(super) fn of(secret: &[u8]) -> Self {
        let mut block = Zeroizing::new([0_u8; SECRET_BLOCK_BYTES]);
        if let Ok(length) = u16::try_from(secret.len())
            && let Some((prefix, room)) = block.split_first_chunk_mut()
            && let Some(room) = room.get_mut(..secret.len())
        {
            *prefix = length.to_be_bytes();
            room.copy_from_slice(secret);
        }
        Self(Digest::of(block.as_slice()))
    }

    pub(super) fn ct_eq(&self, other: &Self) -> Choice {
        self.0.0.ct_eq(&other.0.0)
    }
}
