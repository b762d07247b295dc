//! Which place in chat is whose. A tenant has one chat server, and a chat server one tenant.

use serde::{Deserialize, Serialize};

use super::{HostRefusal, HostState, tenants::tenant_mut};
use crate::{
    digest::Digest,
    host_protocol::{
        ChatChange, ChatClaimed, ChatCodeIssued, ChatReleased, ClaimChat, HostEvent, is_snowflake,
    },
    ids::TenantId,
    time::Timestamp,
};

/// Where a tenant's alerts are talked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatBinding {
    /// The chat server.
    pub guild_id: String,
    /// The channel in it.
    pub channel_id: String,
    /// Who may give orders there, beside the chat server's own administrators.
    pub admin_role_id: Option<String>,
}

/// A code that was made and not used yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingCode {
    /// What is kept of it.
    pub sha256: Digest,
    /// The last moment at which it counts.
    pub expires_at: Timestamp,
}

pub(super) fn issue_code(
    state: &HostState,
    issued: ChatCodeIssued,
) -> Result<HostEvent, HostRefusal> {
    if state.tenants.contains_key(&issued.tenant_id) {
        Ok(HostEvent::Chat(ChatChange::CodeIssued(issued)))
    } else {
        Err(HostRefusal::UnknownTenant)
    }
}

pub(super) fn claim(
    state: &HostState,
    claim: ClaimChat,
    now: Timestamp,
) -> Result<HostEvent, HostRefusal> {
    let ids = [&claim.guild_id, &claim.channel_id, &claim.user_id];
    let ids = ids.into_iter().chain(&claim.admin_role_id);
    if !ids.into_iter().all(|id| is_snowflake(id)) {
        return Err(HostRefusal::BadChatId);
    }
    let tenant_id = tenant_of_code(state, &claim.code_sha256, now)
        .cloned()
        .ok_or(HostRefusal::WrongCode)?;
    let taken = state.tenants.iter().any(|(other, record)| {
        let chat = record.settings.chat.as_ref();
        *other != tenant_id && chat.is_some_and(|chat| chat.guild_id == claim.guild_id)
    });
    if taken {
        return Err(HostRefusal::GuildTaken);
    }
    Ok(HostEvent::Chat(ChatChange::Claimed(ChatClaimed {
        tenant_id,
        guild_id: claim.guild_id,
        channel_id: claim.channel_id,
        admin_role_id: claim.admin_role_id,
        by: format!("discord:{}", claim.user_id),
    })))
}

/// Every code is compared, and each in constant time: how long it takes tells nothing of a code that
/// is nearly right.
fn tenant_of_code<'a>(
    state: &'a HostState,
    offered: &Digest,
    now: Timestamp,
) -> Option<&'a TenantId> {
    state.tenants.iter().fold(None, |found, (tenant, record)| {
        let code = record.chat_code.filter(|code| now <= code.expires_at);
        let is_it = code.is_some_and(|code| code.sha256.is_same(offered));
        if is_it { Some(tenant) } else { found }
    })
}

pub(super) fn release(state: &HostState, released: ChatReleased) -> Result<HostEvent, HostRefusal> {
    let record = state.tenants.get(&released.tenant_id);
    match record.ok_or(HostRefusal::UnknownTenant)?.settings.chat {
        Some(_) => Ok(HostEvent::Chat(ChatChange::Released(released))),
        None => Err(HostRefusal::NoChat),
    }
}

pub(super) fn apply(state: &mut HostState, change: &ChatChange) {
    let Some(record) = tenant_mut(state, change.tenant()) else {
        return;
    };
    match change {
        ChatChange::CodeIssued(issued) => {
            record.chat_code = Some(PendingCode {
                sha256: issued.code_sha256,
                expires_at: issued.expires_at_ms,
            });
        }
        ChatChange::Claimed(claimed) => {
            record.chat_code = None;
            record.settings.chat = Some(ChatBinding {
                guild_id: claimed.guild_id.clone(),
                channel_id: claimed.channel_id.clone(),
                admin_role_id: claimed.admin_role_id.clone(),
            });
        }
        ChatChange::Released(_) => record.settings.chat = None,
    }
}
