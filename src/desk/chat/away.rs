//! What the door itself turned away, for the record: on the chain of the guild's own tenant, never on one
//! that a button names.

use vyrox_actors::messages::{self, NoteRefusal};
use vyrox_domain::protocol::{ApprovalRefused, NotDecided, Verb};

use super::{ChatDesk, via};
use crate::{
    connectors::discord::custom_id,
    http::interactions::desk::{Away, TurnedAway},
};

impl ChatDesk {
    pub(super) fn note_away(&self, away: TurnedAway) {
        let (why, guild, account) = (away.why, &away.who.guild_id, &away.who.user_id);
        tracing::warn!(?why, guild, account, "turned away in chat");
        let Some(refused) = refusal(&away) else {
            return;
        };
        let Some(tenant) = away.tenant else { return };
        let message = NoteRefusal {
            refused,
            who: messages::Who::Account {
                account_id: away.who.user_id,
                roles: away.who.roles,
            },
        };
        let desk = self.tenants.clone();
        self.runtime.spawn(async move {
            if let Err(error) = desk.note_refusal(&tenant, message).await {
                tracing::warn!(%tenant, %error, "who was turned away in chat stands in this log alone");
            }
        });
    }
}

/// What the chain says of it; nothing of what names no decision.
fn refusal(away: &TurnedAway) -> Option<ApprovalRefused> {
    let named = away.named.as_ref()?;
    let verb = match named.verb {
        custom_id::Verb::Approve => Verb::Approve,
        custom_id::Verb::Deny => Verb::Deny,
        custom_id::Verb::Investigate => return None,
    };
    let why = match away.why {
        Away::WrongTenant => NotDecided::WrongPlace,
        Away::Replayed => NotDecided::Replayed,
        Away::NotLinked | Away::NotAManager => return None,
    };
    Some(ApprovalRefused {
        action_id: None,
        alert_id: named.alert_id,
        verb,
        person_id: None,
        via: via(&away.who, None),
        why,
        policy: None,
    })
}
