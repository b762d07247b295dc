//! Buttons that decide.

use tokio::sync::oneshot;
use vyrox_actors::messages::{self, DecideAction, Outcome};
use vyrox_domain::{
    ids::PersonId,
    notice::Standing,
    protocol::{NotDecided, Verb},
};

use super::{ChatDesk, via};
use crate::http::interactions::desk::{self, Click, Decided};

impl ChatDesk {
    /// Has the tenant decide; the answer rests on what is durable by then.
    pub(super) async fn decided(self, click: Click) -> Decided {
        let (verb, reason) = match click.verb {
            desk::Verb::Approve => (Verb::Approve, None),
            desk::Verb::Deny { reason } => (Verb::Deny, Some(reason)),
        };
        let (reply, _) = oneshot::channel();
        let message = DecideAction {
            alert_id: click.alert_id,
            shown: click.digest,
            verb,
            via: via(&click.who, click.message_id),
            who: messages::Who::Account {
                account_id: click.who.user_id,
                roles: click.who.roles,
            },
            reason,
            incident_id: None,
            reply,
        };
        match self.tenants.decide(&click.tenant, message).await {
            Ok(outcome) => told(outcome),
            Err(error) => {
                let tenant = &click.tenant;
                tracing::warn!(%tenant, %error, "a press in chat got no decision");
                Decided::TryLater
            }
        }
    }
}

fn told(outcome: Outcome) -> Decided {
    match outcome {
        Outcome::Granted { by, .. } => Decided::Approved { by: names(&by) },
        Outcome::Given { by, .. } => Decided::SecondNeeded { by: by.to_string() },
        Outcome::Denied { by } => Decided::Denied { by: by.to_string() },
        Outcome::Refused { why, standing } => refused(why, standing.as_ref()),
    }
}

fn refused(why: NotDecided, standing: Option<&Standing>) -> Decided {
    match why {
        NotDecided::UnknownAction => Decided::Unknown,
        NotDecided::DigestMismatch | NotDecided::DigestNeeded => Decided::WrongDigest,
        NotDecided::WrongMessage => Decided::WrongMessage,
        NotDecided::WrongPlace => Decided::WrongTenant,
        NotDecided::RoleMissing => Decided::NoRole,
        NotDecided::NotAPerson => Decided::NotAPerson,
        NotDecided::Expired => Decided::Expired,
        NotDecided::AlreadyDecided | NotDecided::Replayed => {
            Decided::AlreadyHandled { how: how(standing) }
        }
        NotDecided::SelfApproval
        | NotDecided::PolicyDenied
        | NotDecided::SamePerson
        | NotDecided::WrongIncident
        | NotDecided::Unsigned
        | NotDecided::Unproven => Decided::NotAllowed {
            why: why.to_string(),
        },
    }
}

fn how(standing: Option<&Standing>) -> String {
    match standing {
        Some(Standing::Approved { by }) => format!("approved by {}", names(by)),
        Some(Standing::Denied { by }) => format!("denied by {by}"),
        Some(Standing::Expired) => "its time was over".to_owned(),
        Some(Standing::Waiting { .. }) | None => "it was decided before".to_owned(),
    }
}

fn names(people: &[PersonId]) -> String {
    let names: Vec<_> = people.iter().map(ToString::to_string).collect();
    names.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_late_is_told_how_it_was_decided() {
        let person = |name: &str| name.parse::<PersonId>().unwrap();
        let by = vec![person("alice"), person("bob")];
        let approved = Standing::Approved { by };
        let denied = Standing::Denied {
            by: person("alice"),
        };
        for (standing, expected) in [
            (Some(approved), "approved by alice and bob"),
            (Some(denied), "denied by alice"),
            (Some(Standing::Expired), "its time was over"),
            (None, "it was decided before"),
        ] {
            let why = NotDecided::AlreadyDecided;
            let how = expected.to_owned();
            assert_eq!(
                told(Outcome::Refused { why, standing }),
                Decided::AlreadyHandled { how }
            );
        }
    }

    /// People in chat read the reason of a refusal that has no sentence of its own.
    #[test]
    fn a_refusal_without_a_sentence_of_its_own_says_why() {
        for why in [
            NotDecided::SelfApproval,
            NotDecided::PolicyDenied,
            NotDecided::SamePerson,
            NotDecided::WrongIncident,
            NotDecided::Unsigned,
            NotDecided::Unproven,
        ] {
            let standing = Some(Standing::Waiting {
                approved_by: Vec::new(),
            });
            let text = why.to_string();
            assert_eq!(
                told(Outcome::Refused { why, standing }),
                Decided::NotAllowed { why: text }
            );
        }
    }
}
