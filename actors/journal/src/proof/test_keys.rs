//! Keys for tests, with the curve that the journal itself does without.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use super::note::{Algorithm, KeyName, NoteSignature, Signer, VerifierKey, cosignature_message};

/// A key that follows from one byte.
pub(crate) struct TestKey(SigningKey);

impl TestKey {
    pub(crate) fn new(seed: u8) -> Self {
        Self(SigningKey::from_bytes(&[seed; 32]))
    }

    /// As a witness: its key and its cosignature of a text at a time.
    pub(crate) fn cosign(&self, name: &str, time: u64, text: &str) -> (VerifierKey, NoteSignature) {
        let key = self.witness_key(name);
        let signature = self.sign(&cosignature_message(time, text));
        let bytes = [time.to_be_bytes().as_slice(), &signature].concat();
        let line = NoteSignature::new(&key, bytes);
        (key, line)
    }

    pub(crate) fn witness_key(&self, name: &str) -> VerifierKey {
        let name = KeyName::parse(name).unwrap();
        VerifierKey::new(name, Algorithm::CosignatureV1, self.public_key())
    }

    pub(crate) fn secret(&self) -> [u8; 32] {
        self.0.to_bytes()
    }
}

impl Signer for TestKey {
    fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

/// Checks a signature strictly, as whoever calls the journal does.
pub(crate) fn check(public_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let signature = Signature::from_bytes(signature);
    VerifyingKey::from_bytes(public_key)
        .is_ok_and(|key| !key.is_weak() && key.verify_strict(message, &signature).is_ok())
}
