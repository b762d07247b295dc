//! What is asked of a secret that somebody brings along: that it is hard to guess, and that it can
//! arrive as it was typed.

use vyrox_domain::webhook::{AuthScheme, MAX_SHARED_SECRET_BYTES, Secret};
use vyrox_journal::vault::Weakness;

/// Why this secret is no good for this scheme, and what to do about it.
pub(in crate::registry) fn flaw(auth: &AuthScheme, secret: &Secret) -> Option<String> {
    let secret = secret.expose();
    if let Some(weakness) = Weakness::of(secret) {
        return Some(format!(
            "{weakness}; leave it out and a random one is made, or bring one of 32 random \
             characters or more"
        ));
    }
    match auth {
        AuthScheme::Bearer | AuthScheme::HeaderSecret { .. } => flaw_in_header(secret),
        AuthScheme::VyroxHmac | AuthScheme::FalconHmac(_) => flaw_as_key(secret),
    }
    .map(str::to_owned)
}

/// The sender sends it in a header, where nothing else survives.
fn flaw_in_header(secret: &[u8]) -> Option<&'static str> {
    const _: () = assert!(MAX_SHARED_SECRET_BYTES == 510, "the text below says it");
    if secret.len() > MAX_SHARED_SECRET_BYTES {
        Some("a secret that is sent in a header has at most 510 characters; shorten it")
    } else if !secret.iter().all(u8::is_ascii_graphic) {
        Some(
            "a secret that is sent in a header consists of visible ASCII characters alone; encode it \
             in hex or base64, and give the same text to the sender",
        )
    } else {
        None
    }
}

/// Only its bytes count, but those that came along by mistake are not the sender's.
fn flaw_as_key(secret: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(secret);
    if text.trim() != text {
        Some(
            "the secret begins or ends with a space or a line break, which the sender's does not; \
             remove it",
        )
    } else if text.chars().any(char::is_control) {
        Some(
            "the secret has a control character in it, such as a line break or a tab; remove it, or \
             encode the secret in hex or base64 at both ends",
        )
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use vyrox_domain::digest::Digest;

    use super::*;

    const GOOD: &str = "q7V!mZ2#pX9$wL4%tR8^nK1&yH6*cB3(";

    fn flaw_of(auth: &str, secret: impl Into<Vec<u8>>) -> Option<String> {
        flaw(&auth.parse().unwrap(), &Secret::new(secret.into()))
    }

    /// A text that repeats nothing.
    fn long(length: usize) -> String {
        let digits = |n: usize| Digest::of(&n.to_be_bytes()).to_hex();
        let mut text: String = (0..=length / 64).map(digits).collect();
        text.truncate(length);
        text
    }

    const IN_HEADERS: [&str; 2] = ["bearer", "header-secret=X-Key"];
    const AS_KEYS: [&str; 2] = ["vyrox-hmac", "falcon-hmac"];

    #[test]
    fn a_good_secret_is_good_for_every_scheme() {
        for auth in IN_HEADERS.iter().chain(&AS_KEYS) {
            assert_eq!(flaw_of(auth, GOOD), None, "{auth}");
            let short = flaw_of(auth, GOOD.trim_start_matches('q')).unwrap();
            assert!(short.contains("leave it out"), "{auth}: {short}");
            assert!(flaw_of(auth, "changeme".repeat(8)).is_some(), "{auth}");
        }
    }

    #[test]
    fn what_no_header_carries_is_refused_for_a_header() {
        for auth in IN_HEADERS {
            assert_eq!(flaw_of(auth, long(510)), None, "{auth}");
            let longer = flaw_of(auth, long(511)).unwrap();
            assert!(longer.contains("at most 510"), "{longer}");
            for strange in [" ", "\t", "\n", "\0", "\u{7f}", "\u{e9}", "\u{85}"] {
                for secret in [
                    format!("{strange}{GOOD}"),
                    format!("{GOOD}{strange}"),
                    format!("{GOOD}{strange}{GOOD}"),
                ] {
                    let flaw = flaw_of(auth, secret.as_str()).unwrap();
                    assert!(flaw.contains("hex or base64"), "{secret:?}: {flaw}");
                }
            }
        }
    }

    #[test]
    fn a_key_may_be_any_text_without_control_characters_and_surrounding_spaces() {
        for auth in AS_KEYS {
            let words = format!("{GOOD} caf\u{e9} {GOOD}");
            assert_eq!(flaw_of(auth, words), None, "{auth}");
            assert_eq!(flaw_of(auth, long(5000)), None, "{auth}");
            for space in [" ", "\n", "\r\n", "\u{a0}"] {
                for secret in [format!("{space}{GOOD}"), format!("{GOOD}{space}")] {
                    let flaw = flaw_of(auth, secret.as_str()).unwrap();
                    assert!(flaw.contains("begins or ends"), "{secret:?}: {flaw}");
                }
            }
            for control in ["\n", "\t", "\0", "\u{7f}", "\u{9b}"] {
                let flaw = flaw_of(auth, format!("{GOOD}{control}{GOOD}")).unwrap();
                assert!(flaw.contains("control character"), "{control:?}: {flaw}");
            }
        }
    }
}
