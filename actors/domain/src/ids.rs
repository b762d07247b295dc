//! Names of things: tenants by a strict grammar, everything that we make by UUID.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The chain of the host itself; no tenant can have this name.
pub const HOST_CHAIN: &str = "_host";

/// A tenant's name: `[a-z0-9][a-z0-9_-]{0,30}[a-z0-9]`, so 2 to 32 characters. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId(Arc<str>);

/// The text is no tenant id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a tenant id is 2 to 32 characters of a-z, 0-9, '_' and '-', and begins and ends with a letter or digit"
)]
pub struct InvalidTenantId;

impl TenantId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The shared text, for use as a chain name.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

fn is_tenant_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    (2..=32).contains(&bytes.len())
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
}

impl FromStr for TenantId {
    type Err = InvalidTenantId;

    fn from_str(text: &str) -> Result<Self, InvalidTenantId> {
        if is_tenant_id(text) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidTenantId)
        }
    }
}

impl TryFrom<String> for TenantId {
    type Error = InvalidTenantId;

    fn try_from(text: String) -> Result<Self, InvalidTenantId> {
        text.parse()
    }
}

impl From<TenantId> for String {
    fn from(id: TenantId) -> Self {
        id.0.as_ref().into()
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }
    };
}

uuid_id! {
    /// One alert as we took it in (UUIDv7). A vendor's own id for it is text and stands beside it.
    AlertId
}

uuid_id! {
    /// One incident: the alerts of a tenant that belong together (UUIDv7).
    IncidentId
}

uuid_id! {
    /// One proposed action (UUIDv7): one manifest, decided once.
    ActionId
}

/// The longest name of a person, in characters.
const PERSON_MAX: usize = 64;

/// A person as the host knows one, whatever accounts are linked to it: 2 to 64 characters of `a-z`,
/// `0-9`, `.`, `_`, `-`, beginning and ending with a letter or digit. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PersonId(Arc<str>);

/// The text is no person's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a person's name is 2 to 64 characters of a-z, 0-9, '.', '_' and '-', and begins and ends with a letter or digit"
)]
pub struct InvalidPersonId;

impl PersonId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PersonId {
    type Err = InvalidPersonId;

    fn from_str(text: &str) -> Result<Self, InvalidPersonId> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = text.as_bytes();
        let named = (2..=PERSON_MAX).contains(&bytes.len())
            && bytes.first().is_some_and(|b| plain(*b))
            && bytes.last().is_some_and(|b| plain(*b))
            && bytes
                .iter()
                .all(|b| plain(*b) || matches!(b, b'.' | b'_' | b'-'));
        named.then(|| Self(text.into())).ok_or(InvalidPersonId)
    }
}

impl TryFrom<String> for PersonId {
    type Error = InvalidPersonId;

    fn try_from(text: String) -> Result<Self, InvalidPersonId> {
        text.parse()
    }
}

impl From<PersonId> for String {
    fn from(id: PersonId) -> Self {
        id.0.as_ref().into()
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_of_tenant_ids() {
        for good in ["ab", "a1", "acme", "acme-eu_2", &"a".repeat(32)] {
            assert!(good.parse::<TenantId>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "_host",
            "-a",
            "a-",
            "a_",
            "A1",
            "a b",
            "a/b",
            "ä1",
            &"a".repeat(33),
        ] {
            assert!(bad.parse::<TenantId>().is_err(), "{bad}");
        }
    }
}
