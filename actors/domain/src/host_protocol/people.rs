//! Facts about people: who there is, what each may decide where, by which accounts and tokens a
//! person is known.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    digest::Digest,
    entry::{Recorded, ReplayError, payload},
    ids::{PersonId, TenantId},
    person::Role,
    time::Timestamp,
};

/// Something that changes about people, as it is asked for and as it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeopleChange {
    /// `person.added`
    Added(PersonAdded),
    /// `person.removed`: with it go its accounts, roles and tokens.
    Removed(PersonRemoved),
    /// `person.granted`
    Granted(PersonGranted),
    /// `person.linked`
    Linked(PersonLink),
    /// `person.unlinked`
    Unlinked(PersonLink),
    /// `token.revoked`
    TokenRevoked(TokenRevoked),
}

/// A person is known from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonAdded {
    /// Who.
    pub person_id: PersonId,
    /// Who asked for it.
    pub by: String,
}

/// A person is known no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonRemoved {
    /// Who.
    pub person_id: PersonId,
    /// Who asked for it.
    pub by: String,
}

/// What a person is to a tenant, in place of what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonGranted {
    /// Who.
    pub person_id: PersonId,
    /// Where.
    pub tenant_id: TenantId,
    /// What; nothing at all where it is empty.
    pub roles: BTreeSet<Role>,
    /// Who asked for it.
    pub by: String,
}

/// An account stands for a person, or does so no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonLink {
    /// Who.
    pub person_id: PersonId,
    /// Where the account is.
    pub provider: Provider,
    /// The account there.
    pub account_id: String,
    /// Who asked for it.
    pub by: String,
}

/// Where people have accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Discord; its account ids are decimal numbers.
    Discord,
}

impl Provider {
    /// The name in the journal and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Discord => "discord",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names nobody who has accounts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a provider of accounts is: discord")]
pub struct UnknownProvider;

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(text: &str) -> Result<Self, UnknownProvider> {
        match text {
            "discord" => Ok(Self::Discord),
            _ => Err(UnknownProvider),
        }
    }
}

/// A token was made; its text was shown once and is nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenIssued {
    /// What it is called.
    pub token_id: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Whose it is, where it is a person's; the host's own token is nobody's.
    #[serde(flatten)]
    pub personal: Option<PersonalToken>,
}

/// What makes a token a person's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonalToken {
    /// Whose.
    pub person_id: PersonId,
    /// The last moment at which it counts.
    pub expires_at_ms: Timestamp,
    /// What is kept of its text.
    pub token_sha256: Digest,
    /// Who asked for it.
    pub by: String,
}

/// A person's token counts no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRevoked {
    /// Which.
    pub token_id: String,
    /// Who asked for it.
    pub by: String,
}

impl PeopleChange {
    /// The event's name, who asked for it, and the facts.
    pub(crate) fn told(&self) -> (&'static str, &str, Value) {
        match self {
            Self::Added(facts) => ("person.added", &facts.by, payload(facts)),
            Self::Removed(facts) => ("person.removed", &facts.by, payload(facts)),
            Self::Granted(facts) => ("person.granted", &facts.by, payload(facts)),
            Self::Linked(facts) => ("person.linked", &facts.by, payload(facts)),
            Self::Unlinked(facts) => ("person.unlinked", &facts.by, payload(facts)),
            Self::TokenRevoked(facts) => ("token.revoked", &facts.by, payload(facts)),
        }
    }

    /// Reads one back from the chain; `None` where the event is of another kind.
    pub(crate) fn read(recorded: &Recorded) -> Result<Option<Self>, ReplayError> {
        let change = match (recorded.event.as_str(), recorded.event_version) {
            ("person.added", 1) => Self::Added(recorded.read()?),
            ("person.removed", 1) => Self::Removed(recorded.read()?),
            ("person.granted", 1) => Self::Granted(recorded.read()?),
            ("person.linked", 1) => Self::Linked(recorded.read()?),
            ("person.unlinked", 1) => Self::Unlinked(recorded.read()?),
            ("token.revoked", 1) => Self::TokenRevoked(recorded.read()?),
            _ => return Ok(None),
        };
        Ok(Some(change))
    }
}
