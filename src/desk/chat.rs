//! The desk behind the door of chat: what people do there reaches their tenant, and what comes of it goes
//! back to them. It decides nothing itself.

mod away;
mod deciding;
mod drill;
mod looking;
mod ordering;

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt as _, ready};
use serde_json::Value;
use tokio::runtime::Handle as Runtime;
use vyrox_actors::{
    directory::Directory,
    keyring::TenantKeys,
    ports::{World, opaque_id},
    registry::Registry,
    router::Tenants,
    supervision::Handle,
};
use vyrox_domain::{
    ids::{PersonId, TenantId},
    protocol::Via,
};

use super::TenantDesk;
use crate::{
    app::Standing,
    config::Secret,
    connectors::discord::{Attachment, Discord, Interaction},
    http::interactions::desk::{
        Announced, Announcement, Click, Decided, Desk, Look, Ordered, Promised, Said, Shown,
        TurnedAway, Who,
    },
};

/// The longest nonce that Discord takes.
const NONCE_CHARS: usize = 25;

/// The name by which the registry of persons knows the service.
const PROVIDER: &str = "discord";

/// Cheap to clone: every answer takes a copy along.
#[derive(Clone)]
pub(crate) struct ChatDesk {
    tenants: TenantDesk,
    registry: Handle<Registry>,
    discord: Option<Discord>,
    application_id: Option<String>,
    /// Where notes are written that nobody waits for.
    runtime: Runtime,
}

impl ChatDesk {
    /// The desk of what stands. To be called on the runtime that is to outlive the threads of HTTP.
    pub(crate) fn new(standing: &Standing) -> Self {
        let host = &standing.host;
        Self {
            tenants: TenantDesk {
                world: Arc::clone(&standing.world),
                directory: Arc::<Directory>::clone(&host.directory),
                tenants: Handle::<Tenants>::clone(&host.tenants),
            },
            registry: host.registry.clone(),
            discord: standing.discord.clone(),
            application_id: standing.config.discord.application_id.clone(),
            runtime: Runtime::current(),
        }
    }

    fn world(&self) -> &Arc<World> {
        &self.tenants.world
    }

    fn keys(&self, tenant: &TenantId) -> Option<Arc<TenantKeys>> {
        let keyring = self.world().keyring.load();
        keyring.tenant(tenant.as_str()).cloned()
    }

    /// The person behind an account, if it is anything to the tenant.
    fn insider(&self, who: &Who, tenant: &TenantId) -> Result<PersonId, String> {
        let keyring = self.world().keyring.load();
        let person = keyring.people.by_account(PROVIDER, &who.user_id);
        let person = person.ok_or("your account is not linked to a person")?;
        if person.roles_in(tenant).is_empty() {
            return Err("you have no role in this organisation".to_owned());
        }
        Ok(person.id.clone())
    }
}

impl Desk for ChatDesk {
    fn tenant_of_guild(&self, guild_id: &str) -> Option<TenantId> {
        let keyring = self.world().keyring.load();
        let keys = keyring.tenant_of_guild(guild_id)?;
        Some(keys.tenant.clone())
    }

    fn decide(&self, click: Click) -> BoxFuture<'static, Decided> {
        self.clone().decided(click).boxed()
    }

    fn investigate(&self, look: Look) -> BoxFuture<'static, Shown> {
        self.clone().shown(look).boxed()
    }

    fn command(&self, command: Ordered) -> BoxFuture<'static, Said> {
        self.clone().said(command).boxed()
    }

    fn follow_up(
        &self,
        to: Promised,
        message: Value,
        file: Option<(String, Vec<u8>)>,
    ) -> BoxFuture<'static, bool> {
        let (Some(discord), Ok(token)) = (&self.discord, std::str::from_utf8(to.token.expose()))
        else {
            return ready(false).boxed();
        };
        let interaction = Interaction {
            tenant: to.tenant,
            application_id: to.application_id,
            token: Secret::new(token.to_owned()),
        };
        let file = file.map(|(name, bytes)| Attachment::new(&name, bytes));
        let sent = discord.answer(&interaction, message, file);
        async move {
            let sent = sent.await;
            if let Err(error) = &sent {
                tracing::warn!(%error, "an answer did not get into chat");
            }
            sent.is_ok()
        }
        .boxed()
    }

    fn turned_away(&self, away: TurnedAway) {
        self.note_away(away);
    }

    fn knows(&self, tenant: &TenantId) -> bool {
        self.keys(tenant).is_some()
    }

    fn say(&self, announcement: Announcement) -> BoxFuture<'static, Announced> {
        ready(self.announce(&announcement)).boxed()
    }
}

impl ChatDesk {
    /// Queues a worker's words for the tenant's channel; the rest happens by itself.
    fn announce(&self, announcement: &Announcement) -> Announced {
        let tenant = &announcement.tenant;
        let keys = self.keys(tenant);
        let binding = keys.as_ref().and_then(|keys| keys.settings.chat.as_ref());
        let (Some(discord), Some(binding)) = (&self.discord, binding) else {
            return Announced::NotLinked;
        };
        let text = match announcement.severity {
            Some(severity) => format!(
                "{}: {}",
                severity.as_str().to_ascii_uppercase(),
                announcement.text
            ),
            None => announcement.text.clone(),
        };
        let nonce: String = opaque_id().chars().take(NONCE_CHARS).collect();
        let mut sent = discord.say(tenant, &binding.channel_id, &text, &nonce);
        // What finds no room, or a bot that may not speak, is known at once.
        match (&mut sent).now_or_never() {
            Some(Ok(_)) => Announced::Queued,
            Some(Err(error)) => {
                tracing::warn!(%tenant, %error, "a worker's words were not queued");
                Announced::TryLater
            }
            None => {
                let tenant = tenant.clone();
                self.runtime.spawn(async move {
                    if let Err(error) = sent.await {
                        tracing::warn!(%tenant, %error, "a worker's words did not get into chat");
                    }
                });
                Announced::Queued
            }
        }
    }
}

/// How something reached us, as the signed body says.
fn via(who: &Who, message_id: Option<String>) -> Via {
    Via::Chat {
        guild_id: who.guild_id.clone(),
        channel_id: who.channel_id.clone(),
        message_id,
        account_id: who.user_id.clone(),
        interaction_id: who.interaction_id.clone(),
    }
}
