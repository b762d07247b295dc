//! Numbers that stand for texts: equal for equal texts of one tenant, and telling nothing to whoever
//! lacks the tenant's key.
//!
//! The construction: `subkey = SHA-256("vyrox pseudonym key v1\0" || data key)`, derived once for each
//! instance of the key and wiped with it; `pseudonym = the first 8 bytes, big-endian, of
//! SHA-256(subkey || length of the label in 8 bytes || label || text)`. The subkey fills the first half
//! of the first block, its derivation shares no prefix with the key's name, and seven eighths of the
//! digest's state are never shown, so no longer text's digest can be computed from it.

use sha2::{Digest, Sha256};
use zeroize::Zeroize;

use super::{DataKey, KeyBytes};

const SUBKEY_LABEL: &[u8] = b"vyrox pseudonym key v1\0";

impl DataKey {
    /// The number that stands for `text` among the texts under `label`. Stable for as long as the
    /// tenant has this key; another under every other key and label. Among some
    /// four thousand million texts two can be expected to share a number by chance.
    pub fn pseudonym(&self, label: &str, text: &str) -> u64 {
        let length = u64::try_from(label.len()).unwrap_or(u64::MAX);
        let digest: [u8; 32] = Sha256::new()
            .chain_update(self.pseudonyms.0.as_slice())
            .chain_update(length.to_be_bytes())
            .chain_update(label)
            .chain_update(text)
            .finalize()
            .into();
        digest
            .first_chunk()
            .map_or(0, |first| u64::from_be_bytes(*first))
    }
}

/// The subkey of a data key.
pub(super) fn subkey(key: &KeyBytes) -> KeyBytes {
    let mut subkey = KeyBytes::zero();
    let mut digest = Sha256::new()
        .chain_update(SUBKEY_LABEL)
        .chain_update(key.0.as_slice())
        .finalize();
    subkey.0.copy_from_slice(&digest);
    digest.as_mut_slice().zeroize();
    subkey
}
