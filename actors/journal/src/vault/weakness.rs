//! Secrets that protect nothing: too short, or filled in by hand.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

/// A secret shorter than this, in bytes, is refused.
pub const MIN_SECRET_BYTES: usize = 32;

/// Words that people put where a secret belongs, in lower case.
///
/// A secret is a placeholder when nothing but these words is left of it after case, spaces and
/// punctuation are dropped: `changeme`, `Your-Webhook-Secret-Here`, `password123456`. What is
/// generated at random never falls apart into them.
pub const PLACEHOLDERS: &[&str] = &[
    "0123456789",
    "123",
    "123456",
    "12345678",
    "1234567890",
    "a",
    "abc",
    "abcdef",
    "admin",
    "an",
    "api",
    "asdf",
    "bar",
    "change",
    "changeme",
    "credential",
    "default",
    "demo",
    "do",
    "dummy",
    "edit",
    "enter",
    "example",
    "fake",
    "fill",
    "fixme",
    "foo",
    "for",
    "generate",
    "generated",
    "here",
    "hmac",
    "hunter2",
    "in",
    "insert",
    "is",
    "it",
    "key",
    "letmein",
    "long",
    "me",
    "must",
    "my",
    "new",
    "none",
    "not",
    "null",
    "of",
    "passphrase",
    "password",
    "passwd",
    "paste",
    "placeholder",
    "please",
    "production",
    "put",
    "qwerty",
    "random",
    "redacted",
    "replace",
    "root",
    "sample",
    "secret",
    "set",
    "shared",
    "signing",
    "some",
    "string",
    "super",
    "supersecret",
    "tbd",
    "test",
    "testing",
    "the",
    "this",
    "to",
    "todo",
    "token",
    "undefined",
    "use",
    "value",
    "very",
    "vyrox",
    "webhook",
    "with",
    "xxx",
    "xxxx",
    "your",
];

/// Why a secret protects nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// It says by itself that it was to be replaced, or repeats a short pattern.
    #[error("the secret is a placeholder")]
    Placeholder,
    /// It can be guessed.
    #[error("the secret has {bytes} bytes, fewer than {MIN_SECRET_BYTES}")]
    Short {
        /// How long it is.
        bytes: usize,
    },
}

impl Weakness {
    /// What is wrong with a secret, the placeholder first; `None` if nothing is.
    pub fn of(secret: &[u8]) -> Option<Self> {
        if is_repetition(secret) || is_made_of_placeholders(secret) {
            Some(Self::Placeholder)
        } else if secret.len() < MIN_SECRET_BYTES {
            Some(Self::Short {
                bytes: secret.len(),
            })
        } else {
            None
        }
    }
}

/// Whether the bytes are a pattern written at least twice, be it a single character. The last
/// repetition may be cut off.
fn is_repetition(bytes: &[u8]) -> bool {
    let longest = bytes.len().div_euclid(2);
    (1..=longest).any(|period| {
        bytes
            .iter()
            .zip(bytes.iter().skip(period))
            .all(|(a, b)| a == b)
    })
}

fn is_made_of_placeholders(secret: &[u8]) -> bool {
    let Some(text) = std::str::from_utf8(secret)
        .ok()
        .filter(|text| text.is_ascii())
    else {
        return false;
    };
    let letters: Zeroizing<String> = Zeroizing::new(
        text.chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|letter| letter.to_ascii_lowercase())
            .collect(),
    );
    !letters.is_empty() && falls_apart_into_placeholders(&letters)
}

/// Follows every way of reading words from the front, each position once.
fn falls_apart_into_placeholders(text: &str) -> bool {
    let mut reached = BTreeSet::from([0_usize]);
    while let Some(position) = reached.pop_first() {
        let rest = text.get(position..).unwrap_or_default();
        if rest.is_empty() {
            return true;
        }
        let words = PLACEHOLDERS.iter().filter(|word| rest.starts_with(**word));
        reached.extend(words.map(|word| position.saturating_add(word.len())));
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_people_fill_in_is_a_placeholder() {
        for secret in [
            "changeme",
            "CHANGE_ME",
            "Change-Me!",
            "secret",
            "password",
            "password123456",
            "<your-webhook-secret-here>",
            "replace-this-with-a-long-random-string",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "00000000000000000000000000000000",
            "deadbeefdeadbeefdeadbeefdeadbeef",
            "0123456789abcdef0123456789abcdef",
            "0123456789abcdef",
            "supersecretsupersecretsupersecretsuper",
        ] {
            assert_eq!(
                Weakness::of(secret.as_bytes()),
                Some(Weakness::Placeholder),
                "{secret}"
            );
        }
    }

    #[test]
    fn a_short_secret_is_named_with_its_length() {
        assert_eq!(Weakness::of(b""), Some(Weakness::Short { bytes: 0 }));
        assert_eq!(Weakness::of(b"k"), Some(Weakness::Short { bytes: 1 }));
        let good = "9f2c61d07be4a8135c3e90d2417f6ab8";
        assert_eq!(Weakness::of(good.as_bytes()), None);
        assert_eq!(
            Weakness::of(good.trim_end_matches('8').as_bytes()),
            Some(Weakness::Short { bytes: 31 })
        );
    }

    #[test]
    fn a_placeholder_with_something_random_behind_it_is_none() {
        assert_eq!(
            Weakness::of(b"secret-9f2c61d07be4a8135c3e90d2417f6ab8"),
            None
        );
        assert_eq!(
            Weakness::of("\u{e9}".repeat(9).as_bytes()),
            Some(Weakness::Placeholder)
        );
    }

    proptest! {
        #[test]
        fn any_pattern_repeated_is_a_placeholder(
            pattern in prop::collection::vec(any::<u8>(), 1..24),
            times in 2_usize..6,
        ) {
            prop_assert_eq!(Weakness::of(&pattern.repeat(times)), Some(Weakness::Placeholder));
        }

        #[test]
        fn generated_hex_is_never_weak(bytes in prop::array::uniform32(any::<u8>())) {
            let distinct = bytes.iter().collect::<BTreeSet<_>>().len();
            prop_assume!(distinct > 24);
            prop_assert_eq!(Weakness::of(hex::encode(bytes).as_bytes()), None);
        }
    }
}
