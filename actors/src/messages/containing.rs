//! Messages about actions: from doors to a tenant's machine, between that and the adapters.

use actix::Message;
use tokio::{sync::oneshot, time::Instant};
use vyrox_domain::{
    action::{ActionManifest, ActionType},
    containment::{Act, ActReport, ClaimMade, Following, OutcomeKind, Withheld},
    ids::{ActionId, AlertId, PersonId},
    protocol::Via,
    time::Timestamp,
    vendor::Vendor,
};
use vyrox_journal::AppendError;
use vyrox_supervision::{Class, Classified, DeadLetter, Handle};

use super::identity;
use crate::{
    edr::{EdrError, Reading},
    edr_adapter::unsent,
    tenant::Machine,
};

/// Carry an action out, or find out about it. The intent is durable. Answered with one [`ActReported`],
/// whatever happens.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct Carry {
    /// Which action.
    pub action_id: ActionId,
    /// Which drive of it.
    pub drive: u32,
    /// The manifest with its approval, signed; verified again right before anything is sent.
    pub jws: String,
    /// The manifest, for reading.
    pub manifest: ActionManifest,
    /// What the vendor calls it, or the action that it takes back.
    pub reference: Option<String>,
    /// Something may have been sent before: a restart lies between. The vendor is read first, and what is in
    /// effect counts as executed by us.
    pub reconcile: bool,
    /// Whether it may be sent where the reading says that it is not in effect. Not for a caller who was told
    /// of an error.
    pub may_send: bool,
    /// The generation of the machine in which a caller waits for the outcome: when that is over, the caller
    /// has been told of an error, and it is not sent any more.
    pub waited_for: Option<u64>,
    /// From then on the machine gives it up, and it is not sent any more.
    pub send_before: Instant,
    /// It takes back what may still be on its way to the host: it is sent even where the state reads as if
    /// there were nothing to take back.
    pub landing: bool,
    /// Whom to tell.
    pub machine: Handle<Machine>,
}

impl Classified for Carry {
    const CLASS: Class = Class::Containment;

    fn digest(&self) -> u64 {
        identity_of(self.action_id)
    }

    /// The adapter falls over it again and again: how far it came each time, nobody can tell.
    fn quarantined(&mut self, _: &DeadLetter) {
        let why = "its adapter fell over it".to_owned();
        let report = unsent(self, OutcomeKind::Unknown, why);
        // Without room the machine finds the intent too old.
        self.machine.try_cast(ActReported(report)).ok();
    }
}

/// Read an action's effect and nothing else. Answered with one [`EffectRead`].
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct LookAt {
    /// Which action.
    pub action_id: ActionId,
    /// After which drive of it.
    pub drive: u32,
    /// Why.
    pub why: Following,
    /// What it is.
    pub manifest: ActionManifest,
    /// What the vendor calls it.
    pub reference: Option<String>,
    /// Whom to tell.
    pub machine: Handle<Machine>,
}

impl Classified for LookAt {
    const CLASS: Class = Class::Bulk;

    fn digest(&self) -> u64 {
        identity_of(self.action_id)
    }
}

/// What an adapter says of a drive.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct ActReported(pub ActReport);

impl Classified for ActReported {
    const CLASS: Class = Class::Containment;

    fn digest(&self) -> u64 {
        identity_of(self.0.action_id)
    }
}

/// What an adapter read.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct EffectRead {
    /// Of which action.
    pub action_id: ActionId,
    /// After which drive of it the reading was asked for.
    pub drive: u32,
    /// Why it looked.
    pub why: Following,
    /// What it saw.
    pub reading: Result<Reading, EdrError>,
}

impl Classified for EffectRead {
    const CLASS: Class = Class::Containment;

    fn digest(&self) -> u64 {
        identity_of(self.action_id)
    }
}

/// A trusted service has had an action approved by its own people (`POST /execute`, `POST /rollback`).
#[derive(Message)]
#[rtype(result = "()")]
pub struct ExecuteAction {
    /// What it wants.
    pub request: External,
    /// Answered once the outcome is durable, or at once where there will be none.
    pub reply: oneshot::Sender<Result<ExecuteAnswer, AppendError>>,
}

impl Classified for ExecuteAction {
    const CLASS: Class = Class::Containment;
}

/// What a trusted service wants done.
#[derive(Clone, Debug)]
pub struct External {
    /// The request as it is remembered; says too whether it is a rollback.
    pub claim: ClaimMade,
    /// What.
    pub action_type: ActionType,
    /// The alert that it named.
    pub alert_id: AlertId,
    /// To whom and of what: made by the door from the alert, where that is known, else from `host`.
    pub target: Result<ExternalTarget, NoTarget>,
    /// Who approved it over there, 1 to 128 plain characters.
    pub approved_by: String,
    /// When.
    pub approved_at: Timestamp,
}

/// Why nobody can say whom an external request means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoTarget {
    /// What is missing (no device id, no pid).
    Missing(String),
    /// The host is not that of the alert.
    OtherHost,
    /// The alert's evidence cannot be read now. What still holds something down says whom it holds.
    Unreadable {
        /// The host as the request names it.
        host: String,
    },
    /// The alert's evidence was erased, so it will never say whom it means. The same holds for what was done.
    Erased {
        /// The host as the request names it.
        host: String,
    },
}

/// Whom an external request means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalTarget {
    /// Whose API.
    pub vendor: Vendor,
    /// `urn:edr:<vendor>:<device id>`.
    pub target_urn: String,
    /// The machine's name, for people.
    pub host: Option<String>,
    /// `pid`, `image`, `threat_id`, as the playbooks would fill them in.
    pub parameters: std::collections::BTreeMap<String, String>,
    /// Why the machine is special, where it is.
    pub protected: Option<String>,
    /// What the alert was held to be, where it is known and judged.
    pub verdict: Option<vyrox_domain::triage::Verdict>,
    /// The incident that it belongs to, where it does.
    pub incident_id: Option<vyrox_domain::ids::IncidentId>,
}

/// What an external request came to, in the order in which it is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecuteAnswer {
    /// It was answered before with this outcome.
    Replayed(OutcomeKind),
    /// The same request is being carried out.
    InFlight,
    /// The request is known with another body.
    Mismatch,
    /// The budget is used up; when there is room again.
    OverBudget {
        /// In seconds, at least 1.
        retry_after_s: u64,
    },
    /// It was approved too long ago, or in the future.
    Stale,
    /// It names no target.
    NoTarget(NoTarget),
    /// The policies, the blast radius or the kill switch do not permit it.
    Denied {
        /// Which of our rules, in our words.
        why: String,
    },
    /// The blast radius or the kill switch holds it back.
    Withheld(Withheld),
    /// The vendor's API has no such action.
    Unsupported,
    /// There is an outcome.
    Done {
        /// Which.
        outcome: OutcomeKind,
        /// Nothing was sent.
        rehearsal: bool,
    },
}

/// A person takes an action back.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RollBackAction {
    /// Which.
    pub action_id: ActionId,
    /// Who.
    pub person: PersonId,
    /// How it reached us.
    pub via: Via,
    /// Answered once the intent is durable, not the outcome.
    pub reply: oneshot::Sender<Result<StepAnswer, AppendError>>,
}

impl Classified for RollBackAction {
    const CLASS: Class = Class::Containment;

    fn digest(&self) -> u64 {
        identity_of(self.action_id)
    }
}

/// A person has an action driven again that came to nothing.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RedriveAction {
    /// Which.
    pub action_id: ActionId,
    /// Who.
    pub person: PersonId,
    /// Answered once the intent is durable, not the outcome.
    pub reply: oneshot::Sender<Result<StepAnswer, AppendError>>,
}

impl Classified for RedriveAction {
    const CLASS: Class = Class::Containment;

    fn digest(&self) -> u64 {
        identity_of(self.action_id)
    }
}

/// What a person's wish came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepAnswer {
    /// The action of this id is on its way.
    Begun(ActionId),
    /// No such action.
    Unknown,
    /// Not as it stands; why, in our words.
    NotNow(String),
    /// The policies do not permit it; their ids.
    Denied(Vec<String>),
    /// The blast radius or the kill switch holds it back.
    Withheld(Withheld),
}

/// A person has looked at the clock: timers run again.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ReleaseTimers {
    /// Who (`person:<id>`).
    pub by: String,
    /// Whether there was anything to release; answered once it is durable.
    pub reply: oneshot::Sender<Result<bool, AppendError>>,
}

impl Classified for ReleaseTimers {
    const CLASS: Class = Class::Containment;
}

/// The tenant's actions, the last ones first.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ListActs {
    /// Only this one.
    pub only: Option<ActionId>,
    /// At most so many.
    pub limit: usize,
    /// Answered with what is decided so far, once that is durable; not at all where that fails.
    pub reply: oneshot::Sender<Vec<(ActionId, Act)>>,
}

impl Classified for ListActs {
    const CLASS: Class = Class::Containment;
}

fn identity_of(action: ActionId) -> u64 {
    identity(AlertId(action.0))
}
