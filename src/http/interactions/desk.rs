//! What the door of chat needs of whoever decides behind it.

use futures_util::future::BoxFuture;
use serde_json::Value;
use vyrox_domain::{
    alert::Severity,
    ids::{AlertId, TenantId},
    interaction::Order,
    webhook::Secret,
};

use crate::connectors::discord::custom_id::CustomId;

/// Decides, shows and says. The composition root gives one to the door.
///
/// The door has checked the signature, the guild and the grammar of every name; who may do what is the
/// desk's to say, and so is that a repeat changes nothing. Every future ends by itself, within minutes;
/// nobody waits for one longer than the service lets a late answer come.
pub trait Desk: Send + Sync + 'static {
    /// The tenant that a guild was claimed for.
    fn tenant_of_guild(&self, guild_id: &str) -> Option<TenantId>;

    /// Approves or denies.
    fn decide(&self, click: Click) -> BoxFuture<'static, Decided>;

    /// Shows an alert to one person.
    fn investigate(&self, look: Look) -> BoxFuture<'static, Shown>;

    /// Carries out `/vyrox ...`.
    fn command(&self, command: Ordered) -> BoxFuture<'static, Said>;

    /// Sends the rest of an answer that was put off, as an edit of the original. Gives whether the
    /// service took it.
    fn follow_up(
        &self,
        to: Promised,
        message: Value,
        file: Option<(String, Vec<u8>)>,
    ) -> BoxFuture<'static, bool>;

    /// Takes note of what the door itself turned away, for the record.
    fn turned_away(&self, away: TurnedAway);

    /// Whether there is such a tenant.
    fn knows(&self, tenant: &TenantId) -> bool;

    /// Queues a text of an external worker for a tenant's channel.
    fn say(&self, announcement: Announcement) -> BoxFuture<'static, Announced>;
}

/// To whom an answer was promised.
#[derive(Clone, Debug)]
pub struct Promised {
    /// Whose guild; none where that is no tenant's yet.
    pub tenant: Option<TenantId>,
    /// The application.
    pub application_id: String,
    /// What authorises the answer, for 15 minutes.
    pub token: Secret,
}

/// Who did something, where: from the signed body alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The interaction's id; a repeat has the same.
    pub interaction_id: String,
    /// The account.
    pub user_id: String,
    /// Its roles in the guild.
    pub roles: Vec<String>,
    /// The guild.
    pub guild_id: String,
    /// The channel.
    pub channel_id: String,
}

/// A decision that somebody wants to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Click {
    /// By whom.
    pub who: Who,
    /// The guild's tenant, which is the one that the button names.
    pub tenant: TenantId,
    /// The alert.
    pub alert_id: AlertId,
    /// The first 16 hex digits of the digest of the manifest that the message showed.
    pub digest: Option<String>,
    /// Which decision.
    pub verb: Verb,
    /// The message that the button is on.
    pub message_id: Option<String>,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Do it.
    Approve,
    /// Do not.
    Deny {
        /// Why not; 1 to 1024 characters, not blank.
        reason: String,
    },
}

/// What became of a decision. Texts in it are shown as plain text, cut where they are long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It is approved.
    Approved {
        /// By whom.
        by: String,
    },
    /// It counts, and somebody else has to approve too.
    SecondNeeded {
        /// Who did so far.
        by: String,
    },
    /// It is denied.
    Denied {
        /// By whom.
        by: String,
    },
    /// It was over before.
    AlreadyHandled {
        /// How (`approved by alice`).
        how: String,
    },
    /// Nobody decided in time.
    Expired,
    /// The message showed another manifest than the one that waits.
    WrongDigest,
    /// The button is on another message than the one that was sent for this.
    WrongMessage,
    /// The alert is another tenant's.
    WrongTenant,
    /// The account is linked to nobody.
    NotAPerson,
    /// The account lacks the role.
    NoRole,
    /// A policy forbids it.
    NotAllowed {
        /// Which, in words that a person in chat may read.
        why: String,
    },
    /// There is no such alert, or nothing to decide about it.
    Unknown,
    /// Not now.
    TryLater,
}

/// A wish to see an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Whose wish.
    pub who: Who,
    /// The guild's tenant.
    pub tenant: TenantId,
    /// The alert.
    pub alert_id: AlertId,
    /// The message that the button is on.
    pub message_id: Option<String>,
}

/// What is shown of an alert.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// A message for one person's eyes.
    Detail {
        /// Embeds or content, within the service's limits; texts of vendors escaped.
        message: Value,
        /// The raw payload: a file's name and its bytes.
        file: Option<(String, Vec<u8>)>,
    },
    /// Not for this person.
    NotAllowed {
        /// Why not.
        why: String,
    },
    /// There is no such alert.
    Unknown,
    /// Not now.
    TryLater,
}

/// A command that somebody gave.
#[derive(Clone, Debug)]
pub struct Ordered {
    /// Who.
    pub who: Who,
    /// The guild's tenant; none only where the guild is about to be registered.
    pub tenant: Option<TenantId>,
    /// Which command. Only who manages the guild gets here with [`Order::Register`].
    pub order: Order,
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// A message for one person's eyes, as in [`Shown::Detail`].
    Message(Value),
    /// The code is wrong, used or too old.
    WrongCode,
    /// The guild is claimed already.
    AlreadyLinked,
    /// Not for this person.
    NotAllowed {
        /// Why not.
        why: String,
    },
    /// Not now.
    TryLater,
}

/// What never got to a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnedAway {
    /// Why.
    pub why: Away,
    /// Who.
    pub who: Who,
    /// The guild's tenant, if it has one.
    pub tenant: Option<TenantId>,
    /// What the button named, where it named something.
    pub named: Option<CustomId>,
}

/// Why the door turned somebody away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Away {
    /// The button names another tenant than the guild's.
    WrongTenant,
    /// The same interaction came before.
    Replayed,
    /// The guild belongs to no tenant.
    NotLinked,
    /// Somebody who does not manage the guild tried to claim it.
    NotAManager,
}

/// A text that an external worker wants a tenant's people to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Whose people.
    pub tenant: TenantId,
    /// How bad, where it was said.
    pub severity: Option<Severity>,
    /// 1 to 1500 characters, not blank, as they came: hostile until escaped.
    pub text: String,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announced {
    /// It will be sent.
    Queued,
    /// The tenant has no channel.
    NotLinked,
    /// Its queue is full.
    TryLater,
}
