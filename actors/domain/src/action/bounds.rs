//! What a manifest may hold. It is shown to people and handed to an adapter, and parts of it came from
//! a vendor, so nothing in it is longer or stranger than its purpose needs.

use super::{ActionManifest, parse_target};
use crate::time::Timestamp;

/// How long a containment may hold, in minutes: a week.
pub const HOLD_MAX_MINUTES: u32 = 10_080;

/// The longest name of a machine that is shown, in bytes of UTF-8.
const HOST_MAX_BYTES: usize = 255;
/// How many parameters an action has at most.
const PARAMETERS_MAX: usize = 8;
/// The longest name of a parameter, in bytes.
const PARAMETER_NAME_MAX_BYTES: usize = 32;
/// The longest value of a parameter, in bytes of UTF-8.
const PARAMETER_VALUE_MAX_BYTES: usize = 512;
/// The longest of the other texts, in bytes of UTF-8.
const TEXT_MAX_BYTES: usize = 300;
/// The last moment that a canonical number holds exactly, as it holds all before it.
const LAST_EXACT: Timestamp = Timestamp::from_ms((1 << 53) - 1);

/// A member of a manifest is out of its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{member}` of the manifest is out of bounds")]
pub struct UnsoundManifest {
    /// Which one.
    pub member: &'static str,
}

impl ActionManifest {
    /// Whether every member is within its bounds, and the target is one of the manifest's vendor.
    ///
    /// # Errors
    /// The first member that is not.
    pub fn check(&self) -> Result<(), UnsoundManifest> {
        let target = parse_target(&self.target_urn);
        let own_target = target.is_some_and(|(vendor, _)| vendor == self.vendor);
        let host = self.host.as_deref();
        let protected = self.protected.as_deref();
        let members = [
            ("target_urn", own_target),
            (
                "host",
                host.is_none_or(|text| is_shown(text, HOST_MAX_BYTES)),
            ),
            ("parameters", self.parameters_are_sound()),
            ("hold_minutes", self.hold_minutes <= HOLD_MAX_MINUTES),
            ("playbook", is_shown(&self.playbook, TEXT_MAX_BYTES)),
            (
                "protected",
                protected.is_none_or(|text| is_shown(text, TEXT_MAX_BYTES)),
            ),
            ("proposed_by", is_shown(&self.proposed_by, TEXT_MAX_BYTES)),
        ];
        match members.into_iter().find(|(_, sound)| !sound) {
            Some((member, _)) => Err(UnsoundManifest { member }),
            None => exact_times(self),
        }
    }

    fn parameters_are_sound(&self) -> bool {
        let named = |name: &str| {
            (1..=PARAMETER_NAME_MAX_BYTES).contains(&name.len())
                && name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        self.parameters.len() <= PARAMETERS_MAX
            && self
                .parameters
                .iter()
                .all(|(name, value)| named(name) && is_parameter(value))
    }
}

/// The name of a machine as a manifest holds it for people: without characters that move the cursor or
/// turn the direction of writing, and cut to what a name needs. `None` where nothing is left.
pub fn shown_host(hostname: &str) -> Option<String> {
    let mut shown = String::new();
    for character in hostname.chars().filter(|c| !is_unseen(*c)) {
        if shown.len().saturating_add(character.len_utf8()) > HOST_MAX_BYTES {
            break;
        }
        shown.push(character);
    }
    let shown = shown.trim();
    (!shown.is_empty()).then(|| shown.to_owned())
}

/// A text without what would disguise it, cut to so many characters; `None` where nothing is left.
pub(crate) fn plain(text: &str, max_chars: usize) -> Option<String> {
    let shown = text.chars().filter(|c| !is_unseen(*c)).take(max_chars);
    let shown: String = shown.collect();
    let shown = shown.trim();
    (!shown.is_empty()).then(|| shown.to_owned())
}

/// Whether every time of the manifest is one that canonical JSON holds exactly.
pub(super) fn exact_times(manifest: &ActionManifest) -> Result<(), UnsoundManifest> {
    let times = [
        ("proposed_at_ms", manifest.proposed_at_ms),
        ("expires_at_ms", manifest.expires_at_ms),
    ];
    match times.into_iter().find(|(_, at)| *at > LAST_EXACT) {
        Some((member, _)) => Err(UnsoundManifest { member }),
        None => Ok(()),
    }
}

/// Whether this moment is one that canonical JSON holds exactly.
pub(super) fn is_exact(at: Timestamp) -> bool {
    at <= LAST_EXACT
}

/// Whether a text may be the value of a parameter.
pub(crate) fn is_parameter(value: &str) -> bool {
    is_shown(value, PARAMETER_VALUE_MAX_BYTES)
}

/// Whether a text has something in it, no more than `max_bytes`, and nothing that disguises it.
pub(crate) fn is_shown(text: &str, max_bytes: usize) -> bool {
    (1..=max_bytes).contains(&text.len()) && !text.chars().any(is_unseen)
}

/// Control characters, and those that change how what stands around them is shown.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_shown_without_what_would_disguise_it() {
        assert_eq!(shown_host("srv-1").as_deref(), Some("srv-1"));
        assert_eq!(
            shown_host(" a\u{202e}b\r\n\u{200b}c ").as_deref(),
            Some("abc")
        );
        assert_eq!(shown_host("\u{0}\u{feff} "), None);
        assert_eq!(shown_host(&"\u{e4}".repeat(200)).unwrap().len(), 254);
    }

    proptest! {
        #[test]
        fn a_shown_name_is_within_the_bounds(name in any::<String>()) {
            if let Some(shown) = shown_host(&name) {
                prop_assert!(is_shown(&shown, HOST_MAX_BYTES));
            }
        }
    }
}
