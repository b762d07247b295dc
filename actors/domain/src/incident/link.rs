//! A link: something that two alerts of one incident have in common.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What two alerts have in common, the strongest sign first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// The vendor's own id of the alert.
    VendorAlert,
    /// A process of the same tree, or the vendor's own word for one threat.
    Lineage,
    /// The machine.
    Host,
    /// The account.
    User,
    /// A file's content.
    Hash,
}

impl LinkKind {
    /// Every kind, the strongest first.
    pub const ALL: [Self; 5] = [
        Self::VendorAlert,
        Self::Lineage,
        Self::Host,
        Self::User,
        Self::Hash,
    ];

    /// The name in the journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VendorAlert => "vendor_alert",
            Self::Lineage => "lineage",
            Self::Host => "host",
            Self::User => "user",
            Self::Hash => "hash",
        }
    }
}

/// One such thing, under a pseudonym that means nothing outside its tenant.
///
/// In JSON it is a text, `host:0f3a...` with 16 hex digits, because JSON's integers end at 2^53.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Link {
    /// What it is.
    pub kind: LinkKind,
    /// Which one.
    pub key: u64,
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:016x}", self.kind.as_str(), self.key)
    }
}

/// The text is no link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a link is vendor_alert, lineage, host, user or hash, a colon, and 16 hex digits")]
pub struct InvalidLink;

impl FromStr for Link {
    type Err = InvalidLink;

    fn from_str(text: &str) -> Result<Self, InvalidLink> {
        let (kind, key) = text.split_once(':').ok_or(InvalidLink)?;
        let kind = LinkKind::ALL
            .into_iter()
            .find(|known| known.as_str() == kind)
            .ok_or(InvalidLink)?;
        let key = from_hex(key).ok_or(InvalidLink)?;
        Ok(Self { kind, key })
    }
}

impl TryFrom<String> for Link {
    type Error = InvalidLink;

    fn try_from(text: String) -> Result<Self, InvalidLink> {
        text.parse()
    }
}

impl From<Link> for String {
    fn from(link: Link) -> Self {
        link.to_string()
    }
}

/// Exactly 16 hex digits in lower case, so that one link has one text.
fn from_hex(text: &str) -> Option<u64> {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    (text.len() == 16 && text.bytes().all(digit))
        .then(|| u64::from_str_radix(text, 16).ok())
        .flatten()
}
