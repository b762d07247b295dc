//! A tenant's place in chat: the code that is shown to whoever may change the tenant, and the claim
//! by whoever shows it in chat.

mod tries;

use actix::{Handler, Message};
use vyrox_domain::{
    chat_code::{CHAT_CODE_LIFE_MS, ChatCode},
    host::HostRefusal,
    host_protocol::{ChatCodeIssued, ChatReleased, HostCommand, is_snowflake},
    ids::TenantId,
    time::Timestamp,
};
use vyrox_supervision::{Class, Classified};

pub(super) use self::tries::Tries;
use super::{ChangeReply, Registry, RegistryError};
use crate::ports::random_bits;

/// Make a code that a place in chat can be claimed with, in place of the one before it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct IssueChatCode {
    /// For whom.
    pub tenant_id: TenantId,
    /// Who asks.
    pub by: String,
    /// Where it goes, once.
    pub reply: ChangeReply<IssuedChatCode>,
}

/// A code that was made; shown once.
#[derive(Debug)]
pub struct IssuedChatCode {
    /// The code.
    pub code: ChatCode,
    /// The last moment at which it counts.
    pub expires_at: Timestamp,
}

/// Somebody in chat shows a code: this place is that tenant's.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ClaimChat {
    /// The code as it was typed.
    pub code: String,
    /// The chat server.
    pub guild_id: String,
    /// The channel.
    pub channel_id: String,
    /// Who may give orders there, beside the chat server's own administrators.
    pub admin_role_id: Option<String>,
    /// Who shows it.
    pub user_id: String,
    /// Whose place it is now.
    pub reply: ChangeReply<TenantId>,
}

/// Untie a tenant from its place in chat.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ReleaseChat {
    /// Which.
    pub tenant_id: TenantId,
    /// Who asks.
    pub by: String,
    /// Answered once it is durable.
    pub reply: ChangeReply<()>,
}

macro_rules! rare {
    ($($message:ty),*) => { $(impl Classified for $message { const CLASS: Class = Class::Containment; })* };
}
rare!(IssueChatCode, ClaimChat, ReleaseChat);

impl Handler<IssueChatCode> for Registry {
    type Result = ();

    fn handle(&mut self, message: IssueChatCode, ctx: &mut Self::Context) {
        let IssueChatCode {
            tenant_id,
            by,
            reply,
        } = message;
        let code = ChatCode::from_bits(random_bits());
        let expires_at = self.parts.world.now().plus_ms(CHAT_CODE_LIFE_MS);
        let command = HostCommand::IssueChatCode(ChatCodeIssued {
            tenant_id,
            code_sha256: code.digest(),
            expires_at_ms: expires_at,
            by,
        });
        self.change(command, ctx, move |_, result, _| {
            // Whoever asked may have gone; the code is then lost and expires unused.
            let issued = result.map(|()| IssuedChatCode { code, expires_at });
            reply.send(issued).ok();
        });
    }
}

impl Handler<ClaimChat> for Registry {
    type Result = ();

    /// A code that is wrong leaves no trace on the chain, so whoever guesses costs nothing but
    /// memory, and that is bounded.
    fn handle(&mut self, message: ClaimChat, ctx: &mut Self::Context) {
        let ClaimChat {
            code,
            guild_id,
            channel_id,
            admin_role_id,
            user_id,
            reply,
        } = message;
        let refuse = |reply: ChangeReply<TenantId>, error: RegistryError| {
            reply.send(Err(error)).ok();
        };
        if !is_snowflake(&guild_id) {
            return refuse(reply, HostRefusal::BadChatId.into());
        }
        let now = self.parts.world.now();
        if self.tries.are_used_up(&guild_id, now) {
            return refuse(reply, RegistryError::TooManyTries);
        }
        let Some(code) = ChatCode::parse(&code) else {
            self.tries.count(&guild_id, now);
            return refuse(reply, HostRefusal::WrongCode.into());
        };
        let command = HostCommand::ClaimChat(vyrox_domain::host_protocol::ClaimChat {
            code_sha256: code.digest(),
            guild_id: guild_id.clone(),
            channel_id,
            admin_role_id,
            user_id,
        });
        self.change(command, ctx, move |registry, result, _| {
            if result == Err(HostRefusal::WrongCode.into()) {
                registry.tries.count(&guild_id, now);
            }
            let gone = || RegistryError::NotDurable("the claim is not in the state".into());
            let whose = result.and_then(|()| registry.tenant_of_guild(&guild_id).ok_or_else(gone));
            // Whoever asked may have gone; the place is the tenant's all the same.
            reply.send(whose).ok();
        });
    }
}

impl Handler<ReleaseChat> for Registry {
    type Result = ();

    fn handle(&mut self, message: ReleaseChat, ctx: &mut Self::Context) {
        let ReleaseChat {
            tenant_id,
            by,
            reply,
        } = message;
        let command = HostCommand::ReleaseChat(ChatReleased { tenant_id, by });
        self.change(command, ctx, move |_, result, _| {
            reply.send(result).ok();
        });
    }
}

impl Registry {
    fn tenant_of_guild(&self, guild_id: &str) -> Option<TenantId> {
        let mut tenants = self.state.tenants.iter();
        let found = tenants.find(|(_, record)| {
            let chat = record.settings.chat.as_ref();
            chat.is_some_and(|chat| chat.guild_id == guild_id)
        });
        found.map(|(id, _)| id.clone())
    }
}
