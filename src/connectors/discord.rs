//! Discord, as a bot that all tenants share: it posts notices with buttons, edits them in place, answers
//! people and keeps its commands up to date.
//!
//! What it promises: a token is shown to nobody but Discord, and to Discord no more once it was refused;
//! Discord's limits are kept, not run into; a tenant's flood delays another tenant by one turn; every text
//! from outside is made harmless. The token is asked for at each request, so that another one can be set
//! while it runs.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;
use reqwest::Method;
use serde_json::Value;
use vyrox_actors::outbound::{Chat, ChatError};
use vyrox_domain::{
    digest::Digest,
    ids::TenantId,
    notice::{MessageRef, Notice},
};

mod attachment;
mod commands;
pub mod custom_id;
pub mod detail;
mod dispatch;
#[cfg(test)]
#[path = "../../tests/it/discord/limits.rs"]
mod documented;
mod halts;
mod limits;
mod plain_text;
mod queue;
pub mod render;
mod wire;

pub use self::attachment::Attachment;
pub use self::plain_text::{code, escaped};
use self::{
    dispatch::Dispatch,
    limits::Route,
    queue::Lane,
    wire::{Body, Call},
};
use crate::{
    clock,
    config::{DiscordConfig, Secret},
};

/// Gives the bot's token as it is now, if there is one.
pub type TokenSource = Arc<dyn Fn() -> Option<Secret> + Send + Sync>;

/// The longest nonce.
const NONCE_MAX: usize = 25;

/// The longest interaction token that is believed.
const INTERACTION_TOKEN_MAX: usize = 512;

/// The bot. Cheap to clone; it ends with its last clone.
#[derive(Clone)]
pub struct Discord {
    dispatch: Arc<Dispatch>,
}

/// The application that a token belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Its id.
    pub id: String,
    /// Its name, escaped for no place in particular.
    pub name: String,
}

/// How it stands with the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Calls that wait for their turn.
    pub waiting: usize,
    /// Requests that Discord refused in the last ten minutes; nothing more is sent from 5,000.
    pub refused_lately: usize,
}

/// The interaction that an answer belongs to; Discord takes answers for 15 minutes.
#[derive(Clone, Debug)]
pub struct Interaction {
    /// Whose server it came from; none where it is no tenant's yet.
    pub tenant: Option<TenantId>,
    /// The application's id.
    pub application_id: String,
    /// The token that came with it.
    pub token: Secret,
}

impl Discord {
    /// Starts the bot on the tokio runtime that this is called in, where all its requests run.
    ///
    /// # Errors
    /// There is no runtime, or HTTP can't be set up.
    pub fn start(settings: &DiscordConfig, token: TokenSource) -> anyhow::Result<Self> {
        let dispatch = Dispatch::start(settings, token)?;
        Ok(Self { dispatch })
    }

    /// Says a plain text in a channel, escaped, at most 2000 characters of it. Nonce and time as with
    /// [`Chat::post`].
    pub fn say(
        &self,
        tenant: &TenantId,
        channel_id: &str,
        text: &str,
        nonce: &str,
    ) -> BoxFuture<'static, Result<MessageRef, ChatError>> {
        self.create(tenant, channel_id, render::plain(text), nonce)
    }

    /// Puts a message in the place of a deferred answer to an interaction, or of the answer given.
    pub fn answer(
        &self,
        interaction: &Interaction,
        message: Value,
        file: Option<Attachment>,
    ) -> BoxFuture<'static, Result<(), ChatError>> {
        let path = ["messages", "@original"];
        let body = attachment::body(message, file);
        self.interact((Method::PATCH, "PATCH answer"), interaction, &path, body)
    }

    /// Adds a message to the answer to an interaction.
    pub fn follow_up(
        &self,
        interaction: &Interaction,
        message: Value,
        file: Option<Attachment>,
    ) -> BoxFuture<'static, Result<(), ChatError>> {
        let body = attachment::body(message, file);
        self.interact((Method::POST, "POST follow-up"), interaction, &[], body)
    }

    /// Makes `/vyrox register` the application's one command in every server, so that a server that is no
    /// tenant's yet has the command that changes that; all others of that kind are removed.
    pub fn offer_registration(
        &self,
        application_id: &str,
    ) -> BoxFuture<'static, Result<(), ChatError>> {
        if let Err(error) = ids(&[application_id]) {
            return failed(error);
        }
        let call = Call {
            method: Method::PUT,
            path: path(&["applications", application_id, "commands"]),
            body: Some(json(&commands::everywhere())),
            as_bot: true,
            route: route("PUT commands", ""),
            repeatable: true,
        };
        let sent = self.dispatch.submit(Lane::Host, call);
        Box::pin(async move { sent.await.map(drop) })
    }

    /// Makes the subcommands of `/vyrox` that a tenant's people use the application's own commands in a
    /// server, and removes all others of its own.
    pub fn register_commands(
        &self,
        tenant: &TenantId,
        application_id: &str,
        guild_id: &str,
    ) -> BoxFuture<'static, Result<(), ChatError>> {
        if let Err(error) = ids(&[application_id, guild_id]) {
            return failed(error);
        }
        let call = Call {
            method: Method::PUT,
            path: path(&[
                "applications",
                application_id,
                "guilds",
                guild_id,
                "commands",
            ]),
            body: Some(json(&commands::in_guild())),
            as_bot: true,
            route: route("PUT commands", guild_id),
            repeatable: true,
        };
        let sent = self.dispatch.submit(Lane::Notices(tenant.clone()), call);
        Box::pin(async move { sent.await.map(drop) })
    }

    /// Asks which application the token belongs to: whether it works, without a word in any channel.
    pub fn application(&self) -> BoxFuture<'static, Result<Application, ChatError>> {
        let call = Call {
            method: Method::GET,
            path: path(&["applications", "@me"]),
            body: None,
            as_bot: true,
            route: route("GET application", ""),
            repeatable: true,
        };
        let sent = self.dispatch.submit(Lane::Host, call);
        Box::pin(async move {
            let application = sent.await?;
            let text = |name: &str| application.get(name)?.as_str().map(str::to_owned);
            match (id_in(&application), text("name")) {
                (Some(id), Some(name)) => Ok(Application { id, name }),
                _ => Err(ChatError::Unavailable(
                    "its answer names no application".into(),
                )),
            }
        })
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        let (waiting, refused_lately) = self.dispatch.state();
        Standing {
            waiting,
            refused_lately,
        }
    }

    fn create(
        &self,
        tenant: &TenantId,
        channel_id: &str,
        mut message: Value,
        nonce: &str,
    ) -> BoxFuture<'static, Result<MessageRef, ChatError>> {
        if let Err(error) = ids(&[channel_id]).and_then(|()| nonce_fits(nonce)) {
            return failed(error);
        }
        if let Some(members) = message.as_object_mut() {
            members.insert("nonce".into(), nonce.into());
            members.insert("enforce_nonce".into(), true.into());
        }
        let call = Call {
            method: Method::POST,
            path: path(&["channels", channel_id, "messages"]),
            body: Some(json(&message)),
            as_bot: true,
            route: route("POST message", channel_id),
            repeatable: true,
        };
        let sent = self.dispatch.submit(Lane::Notices(tenant.clone()), call);
        let channel_id = channel_id.to_owned();
        Box::pin(async move {
            let message = sent.await?;
            let message_id = id_in(&message)
                .ok_or_else(|| ChatError::Unavailable("its answer names no message".into()))?;
            Ok(MessageRef {
                channel_id,
                message_id,
            })
        })
    }

    fn interact(
        &self,
        (method, kind): (Method, &'static str),
        interaction: &Interaction,
        below: &[&str],
        body: Body,
    ) -> BoxFuture<'static, Result<(), ChatError>> {
        let Interaction {
            tenant,
            application_id,
            token,
        } = interaction;
        let known = ids(&[application_id]).and_then(|()| token_fits(token));
        if let Err(error) = known {
            return failed(error);
        }
        let mut segments = path(&["webhooks", application_id, token.expose()]);
        segments.extend(path(below));
        let call = Call {
            repeatable: method == Method::PATCH,
            method,
            path: segments,
            body: Some(body),
            as_bot: false,
            route: Route {
                paced: false,
                // The digest tells interactions apart as well, and can be kept.
                ..route(kind, &Digest::of(token.expose().as_bytes()).to_hex())
            },
        };
        let lane = tenant.clone().map_or(Lane::Host, Lane::Answers);
        let sent = self.dispatch.submit(lane, call);
        Box::pin(async move { sent.await.map(drop) })
    }
}

impl Chat for Discord {
    fn post(
        &self,
        tenant: &TenantId,
        channel_id: &str,
        notice: &Notice,
        nonce: &str,
    ) -> BoxFuture<'static, Result<MessageRef, ChatError>> {
        let message = render::message(notice, clock::now());
        self.create(tenant, channel_id, message, nonce)
    }

    fn edit(
        &self,
        tenant: &TenantId,
        message: &MessageRef,
        notice: &Notice,
    ) -> BoxFuture<'static, Result<(), ChatError>> {
        let (channel, id) = (&message.channel_id, &message.message_id);
        if let Err(error) = ids(&[channel, id]) {
            return failed(error);
        }
        let mut body = render::message(notice, clock::now());
        if let Some(members) = body.as_object_mut() {
            // Whether it made a sound was settled when it was posted; an edit makes none.
            members.remove("flags");
        }
        let call = Call {
            method: Method::PATCH,
            path: path(&["channels", channel, "messages", id]),
            body: Some(json(&body)),
            as_bot: true,
            route: route("PATCH message", channel),
            repeatable: true,
        };
        let sent = self.dispatch.submit(Lane::Notices(tenant.clone()), call);
        Box::pin(async move { sent.await.map(drop) })
    }
}

impl fmt::Debug for Discord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.standing().fmt(f)
    }
}

fn route(kind: &'static str, place: &str) -> Route {
    Route {
        kind,
        place: place.to_owned(),
        paced: true,
    }
}

fn path(segments: &[&str]) -> Vec<String> {
    segments
        .iter()
        .map(|segment| (*segment).to_owned())
        .collect()
}

fn json(value: &Value) -> Body {
    Body {
        content_type: "application/json".into(),
        bytes: value.to_string().into_bytes(),
    }
}

fn failed<T: Send + 'static>(error: ChatError) -> BoxFuture<'static, Result<T, ChatError>> {
    Box::pin(async { Err(error) })
}

/// Ids become parts of a path, so they are digits or nothing is sent.
fn ids(ids: &[&str]) -> Result<(), ChatError> {
    let wrong = ids.iter().any(|id| !is_id(id));
    if wrong {
        return Err(ChatError::Refused("that is no id of Discord's".into()));
    }
    Ok(())
}

fn is_id(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

fn id_in(answer: &Value) -> Option<String> {
    let id = answer.get("id")?.as_str().filter(|id| is_id(id))?;
    Some(id.to_owned())
}

fn nonce_fits(nonce: &str) -> Result<(), ChatError> {
    let fits = (1..=NONCE_MAX).contains(&nonce.chars().count());
    fits.then_some(())
        .ok_or_else(|| ChatError::Refused("a nonce has 1 to 25 characters".into()))
}

fn token_fits(token: &Secret) -> Result<(), ChatError> {
    let text = token.expose().as_bytes();
    let fits = (1..=INTERACTION_TOKEN_MAX).contains(&text.len())
        && text
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'=' | b'+'))
        && text.iter().any(u8::is_ascii_alphanumeric);
    fits.then_some(())
        .ok_or_else(|| ChatError::Refused("that is no token of an interaction".into()))
}
