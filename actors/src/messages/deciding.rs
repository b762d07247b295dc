//! Messages about people's decisions, and about what is written down beside them.

use actix::Message;
use tokio::sync::oneshot;
use vyrox_domain::{
    digest::Digest,
    ids::{AlertId, IncidentId, PersonId},
    notice::Standing,
    protocol::{ApprovalRefused, EvidenceShown, NotDecided, Verb, Via},
};
use vyrox_journal::AppendError;
use vyrox_supervision::{Class, Classified};

use super::identity;

/// Somebody decides about a proposed action.
#[derive(Message)]
#[rtype(result = "()")]
pub struct DecideAction {
    /// The alert that was named.
    pub alert_id: AlertId,
    /// The digest that was shown, whole or its first 16 digits; `None` where only the alert was named.
    pub shown: Option<String>,
    /// What is wanted.
    pub verb: Verb,
    /// Who.
    pub who: Who,
    /// How it reached us.
    pub via: Via,
    /// The reason that was given.
    pub reason: Option<String>,
    /// The incident that was named for breaking the glass.
    pub incident_id: Option<IncidentId>,
    /// Answered once it is durable.
    pub reply: oneshot::Sender<Result<Outcome, AppendError>>,
}

impl Classified for DecideAction {
    const CLASS: Class = Class::Containment;

    fn digest(&self) -> u64 {
        identity(self.alert_id)
    }
}

/// Who decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A person who showed a token of their own.
    Person(PersonId),
    /// An account of the chat service, with its roles in the guild that the press came from.
    Account {
        /// The account's id.
        account_id: String,
        /// Ids of its roles.
        roles: Vec<String>,
    },
}

/// What became of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The action may be carried out.
    Granted {
        /// Everybody who said yes.
        by: Vec<PersonId>,
        /// The digest of what they said yes to.
        digest: Digest,
    },
    /// It counts, and another person has to say yes as well.
    Given {
        /// Who said yes just now.
        by: PersonId,
        /// How many said yes.
        approvals: u32,
    },
    /// The action will not be carried out.
    Denied {
        /// Who said no.
        by: PersonId,
    },
    /// It does not count.
    Refused {
        /// Why not.
        why: NotDecided,
        /// Where the proposal stands, if one was found.
        standing: Option<Standing>,
    },
}

/// Write down that a decision was turned away before the tenant was asked: from the wrong place, or a
/// repeat.
#[derive(Message)]
#[rtype(result = "()")]
pub struct NoteRefusal {
    /// What is written, but for the person, whom the machine looks up.
    pub refused: ApprovalRefused,
    /// Who.
    pub who: Who,
}

impl Classified for NoteRefusal {
    const CLASS: Class = Class::Containment;

    fn digest(&self) -> u64 {
        identity(self.refused.alert_id)
    }
}

/// Write down that somebody is about to be shown the evidence of an alert.
#[derive(Message)]
#[rtype(result = "()")]
pub struct NoteShown {
    /// What is written.
    pub shown: EvidenceShown,
    /// Answered once it is durable; nothing is shown before.
    pub reply: oneshot::Sender<Result<(), AppendError>>,
}

impl Classified for NoteShown {
    const CLASS: Class = Class::Containment;

    fn digest(&self) -> u64 {
        identity(self.shown.alert_id)
    }
}
