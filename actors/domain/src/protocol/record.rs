//! Between an event and the entry that says so.

use serde::{Serialize, de::DeserializeOwned};

use super::{ActionTop, ApprovalRefused, Decided, Event, NotDecided, Via};
use crate::{
    entry::{Entry, Recorded, ReplayError, payload},
    ids::{AlertId, PersonId},
    time::Timestamp,
};

/// An entry without its moment.
struct Shape {
    event: &'static str,
    actor: String,
    alert_id: Option<AlertId>,
    action: Option<ActionTop>,
    payload: serde_json::Value,
}

impl Shape {
    fn system(event: &'static str, facts: &impl Serialize) -> Self {
        Self {
            event,
            actor: "system".into(),
            alert_id: None,
            action: None,
            payload: payload(facts),
        }
    }

    fn alert(event: &'static str, alert_id: AlertId, facts: &impl Serialize) -> Self {
        Self {
            alert_id: Some(alert_id),
            ..Self::system(event, facts)
        }
    }

    fn decided<T: Serialize>(event: &'static str, decided: &Decided<T>) -> Self {
        Self {
            action: Some(decided.action.clone()),
            ..Self::alert(event, decided.alert_id, &decided.facts)
        }
    }

    fn by(self, actor: impl Into<String>) -> Self {
        Self {
            actor: actor.into(),
            ..self
        }
    }
}

fn person(person: &PersonId) -> String {
    format!("person:{person}")
}

/// Whoever tried to decide: the person, else the account.
fn decider(refused: &ApprovalRefused) -> String {
    match (&refused.person_id, &refused.via) {
        (Some(known), _) => person(known),
        (None, Via::Chat { account_id, .. }) => format!("discord:{account_id}"),
        (None, Via::Token { token_id }) => format!("api_token:{token_id}"),
    }
}

const fn refusal(why: NotDecided) -> &'static str {
    match why {
        NotDecided::RoleMissing => "approve.denied_role",
        NotDecided::AlreadyDecided => "approve.duplicate_click_ignored",
        NotDecided::UnknownAction
        | NotDecided::DigestMismatch
        | NotDecided::DigestNeeded
        | NotDecided::WrongMessage
        | NotDecided::WrongPlace
        | NotDecided::Replayed
        | NotDecided::NotAPerson
        | NotDecided::SelfApproval
        | NotDecided::PolicyDenied
        | NotDecided::SamePerson
        | NotDecided::Expired
        | NotDecided::WrongIncident
        | NotDecided::Unsigned => "approval.refused",
    }
}

impl Event {
    /// The entry that says so, made at `at`.
    pub fn entry(&self, at: Timestamp) -> Entry {
        let Shape {
            event,
            actor,
            alert_id,
            action,
            payload,
        } = self.shape();
        Entry {
            event,
            event_version: 1,
            actor,
            at,
            alert_id,
            action,
            payload,
        }
    }

    fn shape(&self) -> Shape {
        match self {
            Self::ChainOpened(facts) => Shape::system("chain.opened", facts),
            Self::AlertReceived { alert_id, received } => {
                Shape::alert("alert.received", *alert_id, received)
                    .by(format!("vendor:{}", received.vendor))
            }
            Self::SecretFallbackUsed(facts) => Shape::system("webhook.secret_fallback_used", facts),
            Self::IntakeRejected(facts) => {
                Shape::system("intake.rejected", facts).by(format!("vendor:{}", facts.vendor))
            }
            Self::AlertTriaged { alert_id, triaged } => {
                Shape::alert("alert.triaged", *alert_id, triaged).by("service:triage")
            }
            Self::CallFailed { alert_id, failed } => {
                Shape::alert(failed.failure.as_str(), *alert_id, failed).by("service:review")
            }
            Self::AlertReviewed { alert_id, reviewed } => {
                Shape::alert("alert.reviewed", *alert_id, reviewed).by("service:review")
            }
            Self::AlertClosed { alert_id, closed } => {
                Shape::alert("alert.closed", *alert_id, closed)
            }
            Self::IncidentOpened { alert_id, opened } => {
                Shape::alert("incident.opened", *alert_id, opened)
            }
            Self::IncidentRaised { alert_id, raised } => {
                Shape::alert("incident.raised", *alert_id, raised)
            }
            Self::IncidentClosed(facts) => Shape::system("incident.closed", facts),
            Self::ApprovalNotRequested { alert_id, left_out } => {
                Shape::alert("approval.not_requested", *alert_id, left_out).by("service:triage")
            }
            Self::EvidenceShown(facts) => {
                Shape::alert("evidence.shown", facts.alert_id, facts).by(person(&facts.by))
            }
            Self::NotifySent(facts) => Shape::system("notify.sent", facts).by("service:notify"),
            Self::NotifyFailed(facts) => Shape::system("notify.failed", facts).by("service:notify"),
            Self::NotifyFallback(facts) => {
                Shape::system("notify.fallback", facts).by("service:notify")
            }
            Self::SlaBreached(facts) => Shape::system("sla.breached", facts),
            Self::ApprovalRequested(_)
            | Self::ApprovalGiven(_)
            | Self::ApprovalGranted(_)
            | Self::ApprovalDenied(_)
            | Self::ApprovalExpired(_)
            | Self::ApprovalRefused(_) => self.approval(),
        }
    }

    fn approval(&self) -> Shape {
        match self {
            Self::ApprovalRequested(facts) => {
                let manifest = &facts.manifest;
                let shape = Shape::alert("approval.requested", manifest.alert_id, facts.as_ref());
                Shape {
                    action: Some(ActionTop::of(manifest)),
                    ..shape.by(manifest.proposed_by.clone())
                }
            }
            Self::ApprovalGiven(given) => {
                Shape::decided("approval.given", given).by(person(&given.facts.person_id))
            }
            Self::ApprovalGranted(granted) => {
                let last = granted.facts.approvers.last().map(person);
                Shape::decided("approval.granted", granted).by(last.unwrap_or_default())
            }
            Self::ApprovalDenied(denied) => {
                Shape::decided("approval.denied", denied).by(person(&denied.facts.person_id))
            }
            Self::ApprovalExpired(expired) => Shape::decided("approval.expired", expired),
            Self::ApprovalRefused(facts) => {
                Shape::alert(refusal(facts.why), facts.alert_id, facts).by(decider(facts))
            }
            Self::ChainOpened(_)
            | Self::AlertReceived { .. }
            | Self::SecretFallbackUsed(_)
            | Self::IntakeRejected(_)
            | Self::AlertTriaged { .. }
            | Self::CallFailed { .. }
            | Self::AlertReviewed { .. }
            | Self::AlertClosed { .. }
            | Self::IncidentOpened { .. }
            | Self::IncidentRaised { .. }
            | Self::IncidentClosed(_)
            | Self::ApprovalNotRequested { .. }
            | Self::EvidenceShown(_)
            | Self::NotifySent(_)
            | Self::NotifyFailed(_)
            | Self::NotifyFallback(_)
            | Self::SlaBreached(_) => self.shape(),
        }
    }

    /// Reads an event back from the chain.
    ///
    /// # Errors
    /// [`ReplayError`] where the event is unknown to this release or malformed.
    pub fn from_recorded(recorded: &Recorded) -> Result<Self, ReplayError> {
        if recorded.event_version != 1 {
            return Err(recorded.unknown());
        }
        let event = match recorded.event.as_str() {
            "chain.opened" => Self::ChainOpened(recorded.read()?),
            "alert.received" => Self::AlertReceived {
                alert_id: recorded.alert()?,
                received: recorded.read()?,
            },
            "webhook.secret_fallback_used" => Self::SecretFallbackUsed(recorded.read()?),
            "intake.rejected" => Self::IntakeRejected(recorded.read()?),
            "alert.triaged" => Self::AlertTriaged {
                alert_id: recorded.alert()?,
                triaged: recorded.read()?,
            },
            "alert.reviewed" => Self::AlertReviewed {
                alert_id: recorded.alert()?,
                reviewed: recorded.read()?,
            },
            name if name.starts_with("llm_") => Self::CallFailed {
                alert_id: recorded.alert()?,
                failed: recorded.read()?,
            },
            "alert.closed" => Self::AlertClosed {
                alert_id: recorded.alert()?,
                closed: recorded.read()?,
            },
            "incident.opened" => Self::IncidentOpened {
                alert_id: recorded.alert()?,
                opened: recorded.read()?,
            },
            "incident.raised" => Self::IncidentRaised {
                alert_id: recorded.alert()?,
                raised: recorded.read()?,
            },
            "incident.closed" => Self::IncidentClosed(recorded.read()?),
            "approval.requested" => Self::ApprovalRequested(Box::new(recorded.read()?)),
            "approval.not_requested" => Self::ApprovalNotRequested {
                alert_id: recorded.alert()?,
                left_out: recorded.read()?,
            },
            "approval.given" => Self::ApprovalGiven(Decided::read(recorded)?),
            "approval.granted" => Self::ApprovalGranted(Decided::read(recorded)?),
            "approval.denied" => Self::ApprovalDenied(Decided::read(recorded)?),
            "approval.expired" => Self::ApprovalExpired(Decided::read(recorded)?),
            "approval.refused" | "approve.denied_role" | "approve.duplicate_click_ignored" => {
                Self::ApprovalRefused(recorded.read()?)
            }
            "evidence.shown" => Self::EvidenceShown(recorded.read()?),
            "notify.sent" => Self::NotifySent(recorded.read()?),
            "notify.failed" => Self::NotifyFailed(recorded.read()?),
            "notify.fallback" => Self::NotifyFallback(recorded.read()?),
            "sla.breached" => Self::SlaBreached(recorded.read()?),
            _ => return Err(recorded.unknown()),
        };
        Ok(event)
    }
}

impl<T: DeserializeOwned> Decided<T> {
    fn read(recorded: &Recorded) -> Result<Self, ReplayError> {
        Ok(Self {
            alert_id: recorded.alert()?,
            action: recorded.action()?,
            facts: recorded.read()?,
        })
    }
}
