//! `sha256=<64 hex digits>`: the signature of our own clients over any message.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::webhook::Secret;

const PREFIX: &str = "sha256=";

/// Whether `signature` is HMAC-SHA256 over `message` under the text of `key`; the comparison is
/// the MAC's own, in constant time. The prefix is mandatory, and so are all 64 digits.
pub fn signs(key: &Secret, message: &[u8], signature: &str) -> bool {
    let mut offered = [0_u8; 32];
    let decoded = signature
        .strip_prefix(PREFIX)
        .is_some_and(|digits| hex::decode_to_slice(digits, &mut offered).is_ok());
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose()) else {
        return false;
    };
    mac.update(message);
    mac.verify_slice(&offered).is_ok() && decoded
}

/// The signature of `message` under the text of `key`, as [`signs`] takes it.
pub fn signature_of(key: &Secret, message: &[u8]) -> String {
    // A key of any length will do for HMAC, so there always is a signature.
    let mac = Hmac::<Sha256>::new_from_slice(key.expose()).map(|mac| mac.chain_update(message));
    mac.map_or_else(
        |_| String::new(),
        |mac| format!("{PREFIX}{}", hex::encode(mac.finalize().into_bytes())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test case 2 of RFC 4231.
    #[test]
    fn a_published_vector_signs_and_nothing_near_it_does() {
        let key = Secret::new(b"Jefe".to_vec());
        let message = b"what do ya want for nothing?";
        let good = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert!(signs(&key, message, good));
        assert_eq!(signature_of(&key, message), good);
        assert!(!signs(&key, b"what do ya want for something?", good));
        assert!(!signs(&Secret::new(b"Jeff".to_vec()), message, good));
        let digits = good.trim_start_matches("sha256=");
        let (longer, shorter) = (format!("{good}00"), good.trim_end_matches('3'));
        let renamed = good.replace("sha256", "sha1");
        for bad in ["", "sha256=", digits, shorter, &longer, &renamed] {
            assert!(!signs(&key, message, bad), "{bad}");
        }
    }
}
