//! The seed of a tenant's action-signing key, and how that key is named.

use ed25519_dalek::SigningKey;

use crate::digest::Digest;

/// How many hex digits of the public key's digest stand in a key's name.
const KID_DIGITS: usize = 16;

/// The name and the public key of the Ed25519 key that grows from `seed`: `act_` and the first 16
/// hex digits of the public key's SHA-256.
pub fn kid_of(seed: &[u8; 32]) -> (String, [u8; 32]) {
    let public = SigningKey::from_bytes(seed).verifying_key().to_bytes();
    let digits: String = Digest::of(&public)
        .to_hex()
        .chars()
        .take(KID_DIGITS)
        .collect();
    (format!("act_{digits}"), public)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first test vector of RFC 8032 §7.1.
    #[test]
    fn the_public_key_is_the_published_one() {
        let mut seed = [0_u8; 32];
        let hex_seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        hex::decode_to_slice(hex_seed, &mut seed).unwrap();
        let (kid, public) = kid_of(&seed);
        assert_eq!(
            hex::encode(public),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        assert_eq!(kid.len(), 20);
        let digits = kid.strip_prefix("act_").unwrap();
        assert!(Digest::of(&public).to_hex().starts_with(digits));
    }
}
