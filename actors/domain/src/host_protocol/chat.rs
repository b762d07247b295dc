//! Facts about where a tenant's alerts are talked about.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    digest::Digest,
    entry::{Recorded, ReplayError, payload},
    ids::TenantId,
    time::Timestamp,
};

/// Something that happened to a tenant's place in chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatChange {
    /// `tenant.chat_code_issued`
    CodeIssued(ChatCodeIssued),
    /// `tenant.chat_claimed`
    Claimed(ChatClaimed),
    /// `tenant.chat_released`
    Released(ChatReleased),
}

/// A one-time code was made, in place of the one before it. Its text was shown once and is nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatCodeIssued {
    /// For whom.
    pub tenant_id: TenantId,
    /// What is kept of it.
    pub code_sha256: Digest,
    /// The last moment at which it counts.
    pub expires_at_ms: Timestamp,
    /// Who asked for it.
    pub by: String,
}

/// Somebody who had the code said where the tenant's alerts are to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatClaimed {
    /// Whose.
    pub tenant_id: TenantId,
    /// The chat server, which is no other tenant's.
    pub guild_id: String,
    /// The channel in it.
    pub channel_id: String,
    /// Who may give orders there, beside the chat server's own administrators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_role_id: Option<String>,
    /// Who said it: `discord:<user id>`.
    pub by: String,
}

/// The tenant's alerts are shown in chat no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatReleased {
    /// Whose.
    pub tenant_id: TenantId,
    /// Who asked for it.
    pub by: String,
}

/// Somebody in chat says that a place there is a tenant's, and shows a code for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimChat {
    /// The digest of the code.
    pub code_sha256: Digest,
    /// The chat server.
    pub guild_id: String,
    /// The channel.
    pub channel_id: String,
    /// Who may give orders there.
    pub admin_role_id: Option<String>,
    /// Who says it.
    pub user_id: String,
}

impl ChatChange {
    /// Whose place.
    pub const fn tenant(&self) -> &TenantId {
        match self {
            Self::CodeIssued(facts) => &facts.tenant_id,
            Self::Claimed(facts) => &facts.tenant_id,
            Self::Released(facts) => &facts.tenant_id,
        }
    }

    /// The event's name, who asked for it, and the facts.
    pub(crate) fn told(&self) -> (&'static str, &str, Value) {
        match self {
            Self::CodeIssued(facts) => ("tenant.chat_code_issued", &facts.by, payload(facts)),
            Self::Claimed(facts) => ("tenant.chat_claimed", &facts.by, payload(facts)),
            Self::Released(facts) => ("tenant.chat_released", &facts.by, payload(facts)),
        }
    }

    /// Reads one back from the chain; `None` where the event is of another kind.
    pub(crate) fn read(recorded: &Recorded) -> Result<Option<Self>, ReplayError> {
        let change = match (recorded.event.as_str(), recorded.event_version) {
            ("tenant.chat_code_issued", 1) => Self::CodeIssued(recorded.read()?),
            ("tenant.chat_claimed", 1) => Self::Claimed(recorded.read()?),
            ("tenant.chat_released", 1) => Self::Released(recorded.read()?),
            _ => return Ok(None),
        };
        Ok(Some(change))
    }
}

/// Whether the text can be an id of chat: a decimal number of 1 to 20 digits.
pub fn is_snowflake(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}
