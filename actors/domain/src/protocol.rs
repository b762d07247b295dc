//! What a tenant can be told, what can happen to it, what must be done about it, and what it refuses.

mod command;

mod approvals;
mod erasing;
mod facts;
mod held;
mod told;

mod record;

use crate::{
    action::{self, ActionManifest},
    containment::{
        ActBegun, ActDrifted, ActOrdered, ActOutcome, ActWithheld, ClockJumped, HoldEnded,
        OutcomeKind, TimersReleased, Withheld,
    },
    ids::{ActionId, AlertId},
    incident::Placement,
};

pub use self::{
    approvals::{
        About, ApprovalDenied, ApprovalExpired, ApprovalGiven, ApprovalGranted,
        ApprovalNotRequested, ApprovalRefused, ApprovalRequested, BreakGlass, EvidenceShown,
        NotDecided, PolicySaid, Verb, Via,
    },
    command::{
        Case, Command, Decide, Known, ReceiveAlert, RecordReview, RecordVerdict, Ruling, Terms,
        Told,
    },
    erasing::{ERASURE_REASON_MAX, ErasureCause, EvidenceErased, SeqRun, brought},
    facts::{
        AlertClosed, AlertReceived, AlertReviewed, AlertTriaged, CallFailed, ChainOpened, Enriched,
        Evidence, EvidenceKind, IntakePolled, IntakeRejected, RejectReason, SecretFallbackUsed,
        Stage2, Undecided,
    },
    held::{
        EvidenceLost, HeldReceipt, JournalRepaired, StandsFor, StoodIn, TakeOver,
        TakeoverIncomplete,
    },
    told::{
        ClosedBecause, IncidentClosed, IncidentOpened, IncidentRaised, NotifyFailed,
        NotifyFallback, NotifySent, SlaBreached,
    },
};

/// Something that happened to a tenant; past tense, never changed once written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// `chain.opened`
    ChainOpened(ChainOpened),
    /// `alert.received`
    AlertReceived {
        /// Our id.
        alert_id: AlertId,
        /// The facts.
        received: AlertReceived,
    },
    /// `webhook.secret_fallback_used`
    SecretFallbackUsed(SecretFallbackUsed),
    /// `intake.rejected`
    IntakeRejected(IntakeRejected),
    /// `alert.triaged`
    AlertTriaged {
        /// Our id.
        alert_id: AlertId,
        /// The facts.
        triaged: AlertTriaged,
    },
    /// `llm_call_parse_error`, `llm_call_timed_out` and its kin
    CallFailed {
        /// Our id.
        alert_id: AlertId,
        /// The facts.
        failed: CallFailed,
    },
    /// `alert.reviewed`
    AlertReviewed {
        /// Our id.
        alert_id: AlertId,
        /// The facts.
        reviewed: AlertReviewed,
    },
    /// `alert.closed`
    AlertClosed {
        /// Our id.
        alert_id: AlertId,
        /// The facts.
        closed: AlertClosed,
    },
    /// `incident.opened`
    IncidentOpened {
        /// The alert that opened it.
        alert_id: AlertId,
        /// The facts.
        opened: IncidentOpened,
    },
    /// `incident.raised`
    IncidentRaised {
        /// The alert that raised it.
        alert_id: AlertId,
        /// The facts.
        raised: IncidentRaised,
    },
    /// `incident.closed`
    IncidentClosed(IncidentClosed),
    /// `approval.requested`
    ApprovalRequested(Box<ApprovalRequested>),
    /// `approval.not_requested`
    ApprovalNotRequested {
        /// The alert that called for it.
        alert_id: AlertId,
        /// The facts.
        left_out: ApprovalNotRequested,
    },
    /// `approval.given`
    ApprovalGiven(Decided<ApprovalGiven>),
    /// `approval.granted`
    ApprovalGranted(Decided<ApprovalGranted>),
    /// `approval.denied`
    ApprovalDenied(Decided<ApprovalDenied>),
    /// `approval.expired`
    ApprovalExpired(Decided<ApprovalExpired>),
    /// `approval.refused`, `approve.denied_role` or `approve.duplicate_click_ignored`
    ApprovalRefused(ApprovalRefused),
    /// `evidence.shown`
    EvidenceShown(EvidenceShown),
    /// `evidence.erased`
    EvidenceErased(EvidenceErased),
    /// `notify.sent`
    NotifySent(NotifySent),
    /// `notify.failed`
    NotifyFailed(NotifyFailed),
    /// `notify.fallback`
    NotifyFallback(NotifyFallback),
    /// `sla.breached`
    SlaBreached(SlaBreached),
    /// `action.ordered`
    ActOrdered(Box<ActOrdered>),
    /// `action.intent`
    ActBegun(Decided<ActBegun>),
    /// `action.withheld` or `manifest.rejected`
    ActWithheld(Decided<ActWithheld>),
    /// `action.executed` and the others that [`OutcomeKind`] names
    ActOutcome(Decided<ActOutcome>),
    /// `action.drifted`
    ActDrifted(Decided<ActDrifted>),
    /// `action.hold_ended`
    HoldEnded(Decided<HoldEnded>),
    /// `clock.jumped`
    ClockJumped(ClockJumped),
    /// `timers.released`
    TimersReleased(TimersReleased),
    /// `intake.polled`
    IntakePolled(IntakePolled),
    /// `journal.repaired`
    JournalRepaired(Box<JournalRepaired>),
    /// `takeover.incomplete`
    TakeoverIncomplete(TakeoverIncomplete),
}

impl Event {
    /// Where it was kept while its chain was held.
    pub const fn held_receipt(&self) -> Option<&HeldReceipt> {
        match self {
            Self::AlertReceived { received, .. } => received.held_receipt.as_ref(),
            Self::IntakeRejected(rejected) => rejected.held_receipt.as_ref(),
            _ => None,
        }
    }

    /// Where it puts an alert among the incidents.
    pub const fn placed(&self) -> Option<&Placement> {
        match self {
            Self::AlertTriaged { triaged, .. } => triaged.placed.as_ref(),
            Self::AlertReviewed { reviewed, .. } => reviewed.placed.as_ref(),
            _ => None,
        }
    }

    /// What the vendor's API added to the alert; its evidence is attached to this very entry.
    pub fn enriched(&self) -> Option<&Enriched> {
        match self {
            Self::AlertTriaged { triaged, .. } => triaged.enriched.as_deref(),
            Self::AlertReviewed { reviewed, .. } => reviewed.enriched.as_deref(),
            _ => None,
        }
    }

    /// Whether stage 2 has to be asked now.
    pub fn asks_stage2(&self) -> bool {
        match self {
            Self::AlertTriaged { triaged, .. } => triaged.stage2 == Some(Stage2::Asked),
            _ => false,
        }
    }

    /// The action whose standing it changes, from its proposal to its undoing.
    pub fn about_action(&self) -> Option<ActionId> {
        self.about_proposal().or_else(|| self.about_act())
    }

    fn about_proposal(&self) -> Option<ActionId> {
        match self {
            Self::ApprovalRequested(it) => Some(it.manifest.action_id),
            Self::ApprovalGiven(it) => Some(it.facts.about.action_id),
            Self::ApprovalGranted(it) => Some(it.facts.about.action_id),
            Self::ApprovalDenied(it) => Some(it.facts.about.action_id),
            Self::ApprovalExpired(it) => Some(it.facts.about.action_id),
            _ => None,
        }
    }

    /// The approved action that something became of.
    pub fn about_act(&self) -> Option<ActionId> {
        match self {
            Self::ActOrdered(it) => Some(it.manifest.action_id),
            Self::ActBegun(it) => Some(it.facts.about.action_id),
            Self::ActWithheld(it) => Some(it.facts.about.action_id),
            Self::ActOutcome(it) => Some(it.facts.about.action_id),
            Self::ActDrifted(it) => Some(it.facts.about.action_id),
            Self::HoldEnded(it) => Some(it.facts.about.action_id),
            _ => None,
        }
    }
}

/// What became of a proposed action, with what an entry about an action carries at its top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided<T> {
    /// The alert that led to the action.
    pub alert_id: AlertId,
    /// The action, for the top of the entry.
    pub action: ActionTop,
    /// The facts.
    pub facts: T,
}

/// What every entry about an action carries beside its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionTop {
    /// What.
    pub action_type: action::ActionType,
    /// The machine: its name, else the target.
    pub host: String,
    /// Who approved it, once somebody has.
    pub approved_by: Option<String>,
    /// A rehearsal.
    pub dry_run: bool,
}

impl ActionTop {
    /// That of a manifest that nobody has approved.
    pub fn of(manifest: &ActionManifest) -> Self {
        let host = manifest.host.as_ref().filter(|host| !host.is_empty());
        Self {
            action_type: manifest.action_type,
            host: host.unwrap_or(&manifest.target_urn).clone(),
            approved_by: None,
            dry_run: manifest.dry_run,
        }
    }
}

/// Work that an event calls for, done outside of the machine and only once the event is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask stage 1 about an alert. Where it spoke before and stage 2 has not, that one is asked next.
    Triage {
        /// Which.
        alert_id: AlertId,
        /// Where its evidence is.
        seq: u64,
    },
    /// Begin an action that was approved.
    Begin {
        /// Which.
        action_id: ActionId,
    },
    /// Have the adapter carry out an action whose intent is durable, or after a fall: find out about it.
    Carry {
        /// Which.
        action_id: ActionId,
    },
    /// Take back a containment whose time is over.
    Lift {
        /// Which.
        action_id: ActionId,
    },
}

/// Why a command led to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The very same alert is there already.
    #[error("the same alert was taken in before")]
    Duplicate {
        /// Under which id.
        alert_id: AlertId,
        /// At which place of the chain.
        seq: u64,
    },
    /// The tenant's evidence would grow over its quota.
    #[error("the tenant's evidence quota is used up")]
    QuotaExceeded,
    /// More than the tenant may send in a day would come in.
    #[error("the tenant has sent as much as it may in a day")]
    DailyQuota,
    /// The chain is open already.
    #[error("the chain is open already")]
    AlreadyOpen,
    /// No such alert waits for a verdict.
    #[error("no such alert waits for a verdict")]
    NotAwaitingVerdict,
    /// No action is known by that id.
    #[error("there is no such action")]
    UnknownAction,
    /// The action cannot be begun, driven again or taken back as it stands.
    #[error("the action does not stand so that this could be done")]
    WrongStage,
    /// A caller's request is being carried out.
    #[error("the same request is being carried out")]
    ClaimInFlight,
    /// A caller's request was known with another body.
    #[error("the request was known with another body")]
    ClaimMismatch,
    /// A caller's request has its outcome.
    #[error("the request was answered before")]
    ClaimAnswered(OutcomeKind),
    /// An order is not begun.
    #[error("{0}")]
    Withheld(Withheld),
    /// Somebody is still to decide by the evidence of this alert.
    #[error(
        "alert {alert_id} waits for a verdict, a decision or an outcome, and keeps its evidence until then"
    )]
    EvidenceInUse {
        /// Which.
        alert_id: AlertId,
    },
    /// A reason that says nothing, or too much.
    #[error("a reason has 1 to {ERASURE_REASON_MAX} characters and no control characters")]
    BadReason,
    /// Nothing is over, or it is known already.
    #[error("there is nothing to write down")]
    NothingNew,
}
