//! Between an event and the entry that says so.

use serde::{Serialize, de::DeserializeOwned};

use super::{
    ActionTop, AlertReceived, ApprovalGranted, ApprovalRefused, ApprovalRequested, CallFailed,
    Decided, Event, EvidenceErased, EvidenceShown, NotDecided, Via,
};
use crate::{
    containment::{ActBegun, ActOrdered, OutcomeKind, Withheld},
    entry::{Entry, Recorded, ReplayError, payload},
    ids::{AlertId, PersonId},
    time::Timestamp,
    vendor::Vendor,
};

/// Whoever tells people.
const NOTIFY: &str = "service:notify";
/// Whoever speaks to EDRs.
const CONTAINMENT: &str = "service:containment";

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

    fn of(self, vendor: Vendor) -> Self {
        self.by(format!("vendor:{vendor}"))
    }
}

fn alert_received(alert_id: AlertId, received: &AlertReceived) -> Shape {
    Shape::alert("alert.received", alert_id, received).of(received.vendor)
}

fn call_failed(alert_id: AlertId, failed: &CallFailed) -> Shape {
    Shape::alert(failed.failure.as_str(), alert_id, failed).by("service:review")
}

fn approval_requested(requested: &ApprovalRequested) -> Shape {
    let manifest = &requested.manifest;
    let shape = Shape::alert("approval.requested", manifest.alert_id, requested);
    Shape {
        action: Some(ActionTop::of(manifest)),
        ..shape.by(manifest.proposed_by.clone())
    }
}

fn approval_granted(granted: &Decided<ApprovalGranted>) -> Shape {
    let last = granted.facts.approvers.last().map(person);
    Shape::decided("approval.granted", granted).by(last.unwrap_or_default())
}

fn approval_refused(refused: &ApprovalRefused) -> Shape {
    Shape::alert(refusal(refused.why), refused.alert_id, refused).by(decider(refused))
}

fn evidence_shown(shown: &EvidenceShown) -> Shape {
    Shape::alert("evidence.shown", shown.alert_id, shown).by(person(&shown.by))
}

/// About one alert, it is an entry of that one's history.
fn evidence_erased(erased: &EvidenceErased) -> Shape {
    let alert_id = match erased.alerts.as_slice() {
        [only] => Some(*only),
        _ => None,
    };
    let shape = Shape::system("evidence.erased", erased).by(erased.by.clone());
    Shape { alert_id, ..shape }
}

fn act_ordered(ordered: &ActOrdered) -> Shape {
    let manifest = &ordered.manifest;
    let shape = Shape::alert("action.ordered", manifest.alert_id, ordered);
    let top = ActionTop {
        approved_by: Some(ordered.by.clone()),
        ..ActionTop::of(manifest)
    };
    Shape {
        action: Some(top),
        ..shape.by(ordered.by.clone())
    }
}

fn act_begun(begun: &Decided<ActBegun>) -> Shape {
    let by = begun.facts.by.as_deref().unwrap_or("system");
    Shape::decided("action.intent", begun).by(by)
}

const fn withheld(why: Withheld) -> &'static str {
    match why {
        Withheld::Manifest => "manifest.rejected",
        Withheld::Halted
        | Withheld::Unproven
        | Withheld::HourBudget
        | Withheld::DayBudget
        | Withheld::Concurrent
        | Withheld::ContainedHosts
        | Withheld::ProtectedHosts
        | Withheld::Unsupported
        | Withheld::InForce => "action.withheld",
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
        | NotDecided::Unsigned
        | NotDecided::Unproven => "approval.refused",
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
            Self::ChainOpened(it) => Shape::system("chain.opened", it),
            Self::AlertReceived { alert_id, received } => alert_received(*alert_id, received),
            Self::SecretFallbackUsed(it) => Shape::system("webhook.secret_fallback_used", it),
            Self::IntakeRejected(it) => Shape::system("intake.rejected", it).of(it.vendor),
            Self::AlertTriaged { alert_id, triaged } => {
                Shape::alert("alert.triaged", *alert_id, triaged).by("service:triage")
            }
            Self::CallFailed { alert_id, failed } => call_failed(*alert_id, failed),
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
            Self::IncidentClosed(it) => Shape::system("incident.closed", it),
            Self::ApprovalRequested(it) => approval_requested(it),
            Self::ApprovalNotRequested { alert_id, left_out } => {
                Shape::alert("approval.not_requested", *alert_id, left_out).by("service:triage")
            }
            Self::ApprovalGiven(it) => {
                Shape::decided("approval.given", it).by(person(&it.facts.person_id))
            }
            Self::ApprovalGranted(it) => approval_granted(it),
            Self::ApprovalDenied(it) => {
                Shape::decided("approval.denied", it).by(person(&it.facts.person_id))
            }
            Self::ApprovalExpired(it) => Shape::decided("approval.expired", it),
            Self::ApprovalRefused(it) => approval_refused(it),
            Self::EvidenceShown(it) => evidence_shown(it),
            Self::EvidenceErased(it) => evidence_erased(it),
            Self::NotifySent(it) => Shape::system("notify.sent", it).by(NOTIFY),
            Self::NotifyFailed(it) => Shape::system("notify.failed", it).by(NOTIFY),
            Self::NotifyFallback(it) => Shape::system("notify.fallback", it).by(NOTIFY),
            Self::SlaBreached(it) => Shape::system("sla.breached", it),
            Self::ActOrdered(it) => act_ordered(it),
            Self::ActBegun(it) => act_begun(it),
            Self::ActWithheld(it) => Shape::decided(withheld(it.facts.why), it),
            Self::ActOutcome(it) => Shape::decided(it.facts.outcome.event(), it).by(CONTAINMENT),
            Self::ActDrifted(it) => Shape::decided("action.drifted", it).by(CONTAINMENT),
            Self::HoldEnded(it) => Shape::decided("action.hold_ended", it),
            Self::ClockJumped(it) => Shape::system("clock.jumped", it),
            Self::TimersReleased(it) => Shape::system("timers.released", it).by(it.by.clone()),
            Self::IntakePolled(it) => Shape::system("intake.polled", it).of(it.vendor),
            Self::JournalRepaired(it) => Shape::system("journal.repaired", it).by(it.by.clone()),
            Self::TakeoverIncomplete(it) => Shape::system("takeover.incomplete", it),
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
        Ok(match recorded.event.as_str() {
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
            name if name.starts_with("approv") => return Self::of_approval(recorded),
            "evidence.shown" => Self::EvidenceShown(recorded.read()?),
            "evidence.erased" => Self::EvidenceErased(EvidenceErased::read(recorded)?),
            "notify.sent" => Self::NotifySent(recorded.read()?),
            "notify.failed" => Self::NotifyFailed(recorded.read()?),
            "notify.fallback" => Self::NotifyFallback(recorded.read()?),
            "sla.breached" => Self::SlaBreached(recorded.read()?),
            "clock.jumped" => Self::ClockJumped(recorded.read()?),
            "timers.released" => Self::TimersReleased(recorded.read()?),
            "intake.polled" => Self::IntakePolled(recorded.read()?),
            "journal.repaired" | "takeover.incomplete" => Self::of_repair(recorded)?,
            _ => return Self::of_act(recorded),
        })
    }

    fn of_approval(recorded: &Recorded) -> Result<Self, ReplayError> {
        Ok(match recorded.event.as_str() {
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
            _ => return Err(recorded.unknown()),
        })
    }

    fn of_repair(recorded: &Recorded) -> Result<Self, ReplayError> {
        Ok(match recorded.event.as_str() {
            "journal.repaired" => Self::JournalRepaired(Box::new(recorded.read()?)),
            _ => Self::TakeoverIncomplete(recorded.read()?),
        })
    }

    fn of_act(recorded: &Recorded) -> Result<Self, ReplayError> {
        let name = recorded.event.as_str();
        Ok(match name {
            "action.ordered" => Self::ActOrdered(Box::new(recorded.read()?)),
            "action.intent" => Self::ActBegun(Decided::read(recorded)?),
            "action.withheld" | "manifest.rejected" => Self::ActWithheld(Decided::read(recorded)?),
            "action.drifted" => Self::ActDrifted(Decided::read(recorded)?),
            "action.hold_ended" => Self::HoldEnded(Decided::read(recorded)?),
            _ if OutcomeKind::ALL.iter().any(|kind| kind.event() == name) => {
                Self::ActOutcome(Decided::read(recorded)?)
            }
            _ => return Err(recorded.unknown()),
        })
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
