//! Changes about people, and the tokens that they approve with.

use actix::{Handler, Message};
use vyrox_domain::{
    digest::Digest,
    host::HostRefusal,
    host_protocol::{HostCommand, PeopleChange, PersonalToken, TokenIssued},
    ids::PersonId,
    time::Timestamp,
    webhook::Secret,
};
use vyrox_supervision::{Class, Classified};

use super::{ChangeReply, Registry, RegistryError};
use crate::ports::{fresh_secret, opaque_id};

/// What a personal token's text begins with.
pub const PERSONAL_PREFIX: &str = "vyp_";

/// The one scope of a personal token.
pub const APPROVE: &str = "approve";

/// Change who there is, what a person may do, or by what one is known.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ChangePeople {
    /// What changes, by whose order.
    pub change: PeopleChange,
    /// Answered once it is so and durable; also where it was so before.
    pub reply: ChangeReply<()>,
}

/// Make a token for a person.
#[derive(Message)]
#[rtype(result = "()")]
pub struct IssueToken {
    /// For whom.
    pub person_id: PersonId,
    /// How long it counts, in seconds; 24 hours at most.
    pub ttl_s: u64,
    /// Who asks.
    pub by: String,
    /// Where it goes, once.
    pub reply: ChangeReply<IssuedToken>,
}

/// A token that was made; shown once.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    /// What it is called.
    pub token_id: String,
    /// Its text: `vyp_` and 64 hex digits.
    pub token: Secret,
    /// The last moment at which it counts.
    pub expires_at: Timestamp,
}

macro_rules! rare {
    ($($message:ty),*) => { $(impl Classified for $message { const CLASS: Class = Class::Containment; })* };
}
rare!(ChangePeople, IssueToken);

impl Handler<ChangePeople> for Registry {
    type Result = ();

    fn handle(&mut self, message: ChangePeople, ctx: &mut Self::Context) {
        let ChangePeople { change, reply } = message;
        let command = HostCommand::ChangePeople(change);
        self.change(command, ctx, move |_, result, _| {
            let result = match result {
                Err(RegistryError::Refused(HostRefusal::NothingToDo)) => Ok(()),
                other => other,
            };
            // Whoever asked may have gone; what changed stands on the chain.
            reply.send(result).ok();
        });
    }
}

impl Handler<IssueToken> for Registry {
    type Result = ();

    fn handle(&mut self, message: IssueToken, ctx: &mut Self::Context) {
        let IssueToken {
            person_id,
            ttl_s,
            by,
            reply,
        } = message;
        let text = format!("{PERSONAL_PREFIX}{}", fresh_secret());
        let token = Secret::new(text.into_bytes());
        let now = self.parts.world.now();
        let expires_at = now.plus_ms(ttl_s.saturating_mul(1000));
        let issued = IssuedToken {
            token_id: format!("tok_{}", opaque_id()),
            token,
            expires_at,
        };
        let command = HostCommand::IssueToken(TokenIssued {
            token_id: issued.token_id.clone(),
            scopes: vec![APPROVE.into()],
            personal: Some(PersonalToken {
                person_id,
                expires_at_ms: expires_at,
                token_sha256: Digest::of(issued.token.expose()),
                by,
            }),
        });
        self.change(command, ctx, move |_, result, _| {
            // Whoever asked may have gone; the token is then lost and expires unused.
            reply.send(result.map(|()| issued)).ok();
        });
    }
}
