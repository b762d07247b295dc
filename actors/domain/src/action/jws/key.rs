//! The keys that approved actions are signed with, one a tenant.

use std::fmt;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use crate::digest::Digest;

/// How many hex digits of a public key's digest stand in its id.
const KID_DIGITS: usize = 16;

/// A tenant's key to sign what was approved. It is wiped when dropped, and shows its id alone.
pub struct ActionKey {
    key: SigningKey,
    kid: String,
}

impl ActionKey {
    /// The key of this seed, which the caller wipes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        let kid = kid_of(&key.verifying_key());
        Self { key, kid }
    }

    /// The key's id: `act_` and the first 16 hex digits of the SHA-256 of the public key.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The half that anybody may know.
    pub fn public(&self) -> ActionPublicKey {
        ActionPublicKey {
            key: self.key.verifying_key(),
            kid: self.kid.clone(),
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for ActionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActionKey({})", self.kid)
    }
}

/// The public half of an [`ActionKey`].
#[derive(Clone, PartialEq, Eq)]
pub struct ActionPublicKey {
    key: VerifyingKey,
    kid: String,
}

impl ActionPublicKey {
    /// Reads 32 bytes as 64 hex digits; `None` for anything else, for the few keys under which anybody
    /// could sign, and for another encoding of a key, which would give it a second id.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0_u8; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        let key = VerifyingKey::from_bytes(&bytes).ok()?;
        let canonical = key.to_edwards().compress().to_bytes() == bytes;
        (canonical && !key.is_weak()).then(|| Self {
            kid: kid_of(&key),
            key,
        })
    }

    /// Its 32 bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// 64 lower-case hex digits.
    pub fn to_hex(&self) -> String {
        hex::encode(self.key.as_bytes())
    }

    /// The id of the pair, as [`ActionKey::kid`].
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Whether the private half has signed this very message.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }
}

impl fmt::Debug for ActionPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActionPublicKey({})", self.kid)
    }
}

fn kid_of(key: &VerifyingKey) -> String {
    let digits: String = Digest::of(key.as_bytes())
        .to_hex()
        .chars()
        .take(KID_DIGITS)
        .collect();
    format!("act_{digits}")
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        URL_SAFE_NO_PAD.decode(text).unwrap().try_into().unwrap()
    }

    /// The example of RFC 8037, appendix A.1 to A.5.
    #[test]
    fn the_published_signature_is_ours_too() {
        let key = ActionKey::from_seed(&bytes("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"));
        let public: [u8; 32] = bytes("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(key.public().to_hex(), hex::encode(public));
        let input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt\
                         9g7sVvpAr_MuM0KAg";
        let signature: [u8; 64] = bytes(&signature.replace(' ', ""));
        assert_eq!(key.sign(input.as_bytes()), signature);
        assert!(key.public().verifies(input.as_bytes(), &signature));
        // `sha256sum` of the 32 bytes says the same.
        assert_eq!(key.kid(), "act_21fe31dfa154a261");
        assert!(!key.public().verifies(b"another input", &signature));
        assert!(!key.public().verifies(input.as_bytes(), &signature[1..]));
    }

    #[test]
    fn a_key_shows_its_id_and_nothing_else() {
        let key = ActionKey::from_seed(&[7; 32]);
        assert_eq!(format!("{key:?}"), format!("ActionKey({})", key.kid()));
    }

    #[test]
    fn a_public_key_is_read_back_and_a_weak_one_is_refused() {
        let public = ActionKey::from_seed(&[7; 32]).public();
        assert_eq!(ActionPublicKey::from_hex(&public.to_hex()), Some(public));
        let neutral = format!("01{}", "00".repeat(31));
        for bad in ["", "00", &neutral, &"zz".repeat(32), &"ff".repeat(32)] {
            assert_eq!(ActionPublicKey::from_hex(bad), None, "{bad}");
        }
    }

    /// The first test vector of RFC 8032 §7.1.
    #[test]
    fn the_public_key_is_the_published_one() {
        let mut seed = [0_u8; 32];
        let hex_seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        hex::decode_to_slice(hex_seed, &mut seed).unwrap();
        let pair = ActionKey::from_seed(&seed).public();
        let (kid, public) = (pair.kid(), pair.to_bytes());
        assert_eq!(
            hex::encode(public),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        assert_eq!(kid.len(), 20);
        let digits = kid.strip_prefix("act_").unwrap();
        assert!(Digest::of(&public).to_hex().starts_with(digits));
    }
}
