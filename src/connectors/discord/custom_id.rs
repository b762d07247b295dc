//! What a button carries: `approve_<alert id>_<tenant>.<16 hex>`, and the same with `deny` and
//! `investigate`. Built and read here alone. What comes back from Discord is signed, but an old message, or
//! another bot's, may carry anything: only the exact form is read.

use std::{fmt, str::FromStr};

use vyrox_domain::{
    action::SHORT_DIGITS,
    ids::{AlertId, TenantId},
};

/// The most that Discord takes.
pub const CUSTOM_ID_MAX: usize = 100;

/// The letters of a UUID with its hyphens.
const UUID_LETTERS: usize = 36;

/// What a button asks for; at most 98 characters as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CustomId {
    /// What to do.
    pub verb: Verb,
    /// With the proposal of which alert.
    pub alert_id: AlertId,
    /// Whose.
    pub tenant: TenantId,
    /// The first [`SHORT_DIGITS`] digits of the manifest's digest, lower case; absent on a button that binds
    /// to no manifest.
    pub digest: Option<String>,
}

/// What a button does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Say yes to exactly that manifest.
    Approve,
    /// Say no to it.
    Deny,
    /// Show more to the one who asks.
    Investigate,
}

/// The text is no id of a button of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a button of ours")]
pub struct NotOurs;

impl fmt::Display for CustomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}_{}", self.verb, self.alert_id, self.tenant)?;
        match &self.digest {
            Some(digest) => write!(f, ".{digest}"),
            None => Ok(()),
        }
    }
}

impl FromStr for CustomId {
    type Err = NotOurs;

    fn from_str(text: &str) -> Result<Self, NotOurs> {
        read(text).ok_or(NotOurs)
    }
}

fn read(text: &str) -> Option<CustomId> {
    let (verb, rest) = text.split_once('_')?;
    let verb = Verb::ALL.into_iter().find(|known| known.as_str() == verb)?;
    let (alert, rest) = rest.split_at_checked(UUID_LETTERS)?;
    let alert_id: AlertId = alert.parse().ok()?;
    // A UUID has other spellings; one button, one text.
    if alert_id.to_string() != alert {
        return None;
    }
    let rest = rest.strip_prefix('_')?;
    let (tenant, digest) = match rest.split_once('.') {
        Some((tenant, digest)) => (tenant, Some(short_digest(digest)?)),
        None => (rest, None),
    };
    let tenant = tenant.parse().ok()?;
    Some(CustomId {
        verb,
        alert_id,
        tenant,
        digest,
    })
}

fn short_digest(text: &str) -> Option<String> {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    (text.len() == SHORT_DIGITS && text.bytes().all(digit)).then(|| text.to_owned())
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Approve, Self::Deny, Self::Investigate];

    /// How an id begins.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
            Self::Investigate => "investigate",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const ALERT: &str = "0198c5a2-7a10-7abc-8def-0123456789ab";

    fn any_id() -> impl Strategy<Value = CustomId> {
        (
            prop::sample::select(Verb::ALL.to_vec()),
            any::<u128>(),
            "[a-z0-9][a-z0-9_-]{0,30}[a-z0-9]",
            proptest::option::of("[0-9a-f]{16}"),
        )
            .prop_map(|(verb, alert, tenant, digest)| CustomId {
                verb,
                alert_id: AlertId(Uuid::from_u128(alert)),
                tenant: tenant.parse().unwrap(),
                digest,
            })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_fits(id in any_id()) {
            let text = id.to_string();
            prop_assert!(text.len() <= CUSTOM_ID_MAX, "{}", text);
            prop_assert_eq!(text.parse(), Ok(id));
        }

        #[test]
        fn one_changed_character_is_another_button_or_none(
            id in any_id(),
            at in any::<prop::sample::Index>(),
            by in any::<char>(),
        ) {
            let mut letters: Vec<char> = id.to_string().chars().collect();
            let at = at.index(letters.len());
            prop_assume!(letters[at] != by);
            letters[at] = by;
            let changed: String = letters.into_iter().collect();
            if let Ok(read) = changed.parse::<CustomId>() {
                prop_assert_eq!(read.to_string(), changed);
                prop_assert_ne!(read, id);
            }
        }

        #[test]
        fn nothing_makes_it_panic(text in ".{0,200}") {
            if let Ok(read) = text.parse::<CustomId>() {
                prop_assert_eq!(read.to_string(), text);
            }
        }
    }

    #[test]
    fn the_longest_button_has_98_characters() {
        let id = CustomId {
            verb: Verb::Investigate,
            alert_id: ALERT.parse().unwrap(),
            tenant: "t".repeat(32).parse().unwrap(),
            digest: Some("f".repeat(16)),
        };
        assert_eq!(id.to_string().len(), 98);
    }

    #[test]
    fn only_the_exact_form_is_read() {
        let good = format!("approve_{ALERT}_acme_eu-1.0123456789abcdef");
        assert!(good.parse::<CustomId>().is_ok());
        let upper = ALERT.to_uppercase();
        let bare = ALERT.replace('-', "");
        for bad in [
            String::new(),
            "approve".into(),
            format!("Approve_{ALERT}_acme"),
            format!("approved_{ALERT}_acme"),
            format!("approve_{upper}_acme"),
            format!("approve_{bare}_acme"),
            format!("approve_{{{ALERT}}}_acme"),
            format!("approve_{ALERT}_"),
            format!("approve_{ALERT}_a"),
            format!("approve_{ALERT}__host"),
            format!("approve_{ALERT}_Acme"),
            format!("approve_{ALERT}-acme"),
            format!(" {good}"),
            format!("{good} "),
            format!("{good}\n"),
            format!("{good}0"),
            format!("approve_{ALERT}_acme."),
            format!("approve_{ALERT}_acme.0123456789abcde"),
            format!("approve_{ALERT}_acme.0123456789ABCDEF"),
            format!("approve_{ALERT}_acme.0123456789abcdef.0"),
            format!("approve_{ALERT}_acme..0123456789abcdef"),
            "approve_0198c5a2-7a10-7abc-8def-0123456789ä_acme".to_owned(),
        ] {
            assert_eq!(bad.parse::<CustomId>(), Err(NotOurs), "{bad}");
        }
    }
}
