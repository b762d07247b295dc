//! Secrets: a type that never shows itself, and what is too weak to be one.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A secret text. `Debug` and `Display` print `***`; the memory is wiped when it is dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a text.
    pub fn new(text: String) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
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

/// Shortest shared secret, in bytes.
const SECRET_MIN_BYTES: usize = 32;

/// Longest shared secret, in bytes.
const SECRET_MAX_BYTES: usize = 1024;

/// A secret that holds one of these words, in any case, is a placeholder somebody forgot to replace.
pub const PLACEHOLDER_WORDS: &[&str] = &[
    "changeme",
    "change-me",
    "change_me",
    "replaceme",
    "replace-me",
    "replace_me",
    "replace-with",
    "replace_with",
    "placeholder",
    "example",
    "your-secret",
    "your_secret",
    "yoursecret",
    "insert-",
    "insert_",
    "secret",
    "password",
    "not-set",
    "not_set",
];

/// Digests of nothing and counted bytes: they look like keys and everybody knows them.
const PLACEHOLDER_VALUES: &[&str] = &[
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
];

/// Why a text can't be a shared secret, or `None` if it can.
pub(super) fn shared_secret_fault(text: &str) -> Option<&'static str> {
    if text.len() < SECRET_MIN_BYTES {
        return Some("a secret has at least 32 bytes; make one with `openssl rand -hex 32`");
    }
    if text.len() > SECRET_MAX_BYTES {
        return Some("a secret has at most 1024 bytes");
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Some("a secret has no white space; is there a line break at its end?");
    }
    is_placeholder(text)
        .then_some("this is a placeholder; make a secret with `openssl rand -hex 32`")
}

/// Why a text can't be the host key, or `None` if it can.
pub(super) fn host_key_fault(text: &str) -> Option<&'static str> {
    if !is_key_hex(text) {
        return Some("the host key is 64 hex characters; make one with `openssl rand -hex 32`");
    }
    is_placeholder(text).then_some("this is a placeholder; make a key with `openssl rand -hex 32`")
}

/// Why a text can't be the token of a service, or `None` if it can. A token that somebody else made is not
/// judged for strength.
pub(super) fn token_fault(text: &str) -> Option<&'static str> {
    if text.len() > SECRET_MAX_BYTES {
        return Some("a token has at most 1024 bytes");
    }
    let visible = text.bytes().all(|b| b.is_ascii_graphic());
    (!visible).then_some("a token has no white space; is there a line break at its end?")
}

/// Whether the text is 32 bytes in hex.
pub(super) fn is_key_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_placeholder(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let mut bytes = lower.bytes();
    let first = bytes.next();
    bytes.all(|b| Some(b) == first)
        || PLACEHOLDER_VALUES.contains(&lower.as_str())
        || PLACEHOLDER_WORDS.iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "6b1f0c2d9e8a7745c3d2e1f00912ab34cd56ef7890a1b2c3d4e5f60718293a4b";

    #[test]
    fn good_secrets_pass() {
        assert_eq!(shared_secret_fault(GOOD), None);
        assert_eq!(host_key_fault(GOOD), None);
        assert_eq!(
            shared_secret_fault("x9!Lq2-Vt7_Rz4+Km8=Wp3:Yb6.Nc1~Hd5"),
            None
        );
    }

    #[test]
    fn weak_secrets_are_told_apart() {
        for (text, part) in [
            ("short", "at least 32"),
            (&"k".repeat(31), "at least 32"),
            (&"q1".repeat(513), "at most 1024"),
            (&format!("{GOOD}\n"), "white space"),
            (&"0".repeat(64), "placeholder"),
            (&"a".repeat(32), "placeholder"),
            ("ChangeMe-ChangeMe-ChangeMe-ChangeMe", "placeholder"),
            ("replace_with_64_hex_characters_from_openssl", "placeholder"),
            (
                "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
                "placeholder",
            ),
        ] {
            let fault = shared_secret_fault(text).unwrap_or("none");
            assert!(fault.contains(part), "{text}: {fault}");
        }
        assert!(host_key_fault(GOOD.trim_start_matches('6')).is_some());
        assert!(host_key_fault(&GOOD.replace('6', "g")).is_some());
    }

    #[test]
    fn a_secret_never_shows_itself() {
        let secret = Secret::new(GOOD.to_owned());
        assert_eq!(
            format!("{secret} {secret:?} {:?}", Some(&secret)),
            "*** *** Some(***)"
        );
        assert_eq!(secret.expose(), GOOD);
    }
}
