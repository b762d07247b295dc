//! The key that statements about the audit log are signed with, and the check of such signatures.

use std::fmt;

use ed25519_dalek::{
    Signature, Signer as _, SigningKey, VerifyingKey,
    pkcs8::{DecodePrivateKey as _, Error},
};

/// A private Ed25519 key. It is wiped when dropped, and shows its public half alone.
pub struct LogKey(SigningKey);

impl LogKey {
    /// The key of this seed, which the caller wipes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Reads 64 hex digits of a seed, or PKCS #8 in PEM as `openssl genpkey -algorithm ed25519` writes
    /// it.
    ///
    /// # Errors
    /// A text that is neither.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let mut seed = [0; 32];
        let key = if hex::decode_to_slice(text, &mut seed).is_ok() {
            Ok(Self::from_seed(&seed))
        } else {
            SigningKey::from_pkcs8_pem(text).map(Self)
        };
        zeroize::Zeroize::zeroize(&mut seed);
        key
    }

    /// The half that anybody may know.
    pub fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs a message (RFC 8032).
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogKey({})", hex::encode(self.public_key()))
    }
}

/// Whether a signature is that key's; never under a key under which anybody could sign.
pub fn is_signed(public_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let signature = Signature::from_bytes(signature);
    VerifyingKey::from_bytes(public_key)
        .is_ok_and(|key| !key.is_weak() && key.verify_strict(message, &signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the form that `openssl genpkey -algorithm ed25519` writes; the seed is thirty-two times 7.
    const PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n\
        -----END PRIVATE KEY-----\n";

    #[test]
    fn a_key_is_read_from_both_forms_and_from_nothing_else() {
        let key = LogKey::from_seed(&[7; 32]);
        for text in [PEM.to_owned(), format!("{}\n", "07".repeat(32))] {
            let read = LogKey::from_text(&text).unwrap();
            assert_eq!(read.public_key(), key.public_key());
        }
        for text in ["", "07", "not a key", &"07".repeat(33)] {
            assert!(LogKey::from_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_signature_is_of_its_key_and_message_alone() {
        let key = LogKey::from_seed(&[7; 32]);
        let signature = key.sign(b"text");
        assert!(is_signed(&key.public_key(), b"text", &signature));
        assert!(!is_signed(&key.public_key(), b"texts", &signature));
        let other = LogKey::from_seed(&[8; 32]).public_key();
        assert!(!is_signed(&other, b"text", &signature));
        // The neutral element: a signature of zeros would pass for any message.
        let mut weak = [0; 32];
        weak[0] = 1;
        let mut zeros = [0; 64];
        zeros[0] = 1;
        assert!(!is_signed(&weak, b"text", &zeros));
    }

    #[test]
    fn a_key_shows_no_secret() {
        let shown = format!("{:?}", LogKey::from_seed(&[7; 32]));
        assert!(!shown.contains(&"07".repeat(8)));
    }
}
