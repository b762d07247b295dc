//! What a tenant can be told.

use super::{
    AlertReceived, AlertTriaged, ApprovalRefused, ChainOpened, Enriched, Evidence, EvidenceErased,
    EvidenceShown, IntakePolled, IntakeRejected, JournalRepaired, NotDecided, NotifyFailed,
    NotifyFallback, NotifySent, PolicySaid, RejectReason, SecretFallbackUsed, SlaBreached,
    TakeOver, TakeoverIncomplete, Verb, Via,
};
use crate::{
    action,
    containment::{ActReport, Begin, ClockJumped, Order, Redrive, TimersReleased},
    digest::Digest,
    ids::{ActionId, AlertId, IncidentId, PersonId, TenantId},
    incident::{CaseFacts, Window},
    review::ReviewOutcome,
    tenant::Quota,
    vendor::Vendor,
};

/// Something that a tenant is asked to take in.
#[derive(Clone, Debug)]
pub enum Command {
    /// Write entry 0, so that no line can be moved here from another tenant's chain.
    OpenChain(ChainOpened),
    /// Take in one verified alert.
    ReceiveAlert(Box<ReceiveAlert>),
    /// Write down that the host-wide secret stood in for the tenant's own.
    NoteFallback(SecretFallbackUsed),
    /// Keep a verified body that no parser understood.
    RejectIntake {
        /// The facts for the chain.
        rejected: IntakeRejected,
        /// What this tenant may send and hold.
        quota: Quota,
    },
    /// Write down that something was refused for a quota.
    NoteOverQuota {
        /// Which entrance it came in by.
        vendor: Vendor,
        /// Which quota.
        reason: RejectReason,
    },
    /// Keep the outcome of stage 1, and what follows from it.
    RecordVerdict(Box<RecordVerdict>),
    /// Keep the outcome of stage 2, and what follows from it.
    RecordReview(Box<RecordReview>),
    /// Decide about a proposed action.
    Decide(Box<Decide>),
    /// Write down that a decision was turned away before anybody looked at what it is about.
    NoteRefusal(Box<ApprovalRefused>),
    /// Write down that somebody is about to be shown evidence.
    NoteShown(EvidenceShown),
    /// Erase evidence; the shell has found the entries that brought it.
    EraseEvidence(EvidenceErased),
    /// Write down who was told of an incident, or that nobody was.
    RecordTelling(Told),
    /// Let what is over be over: proposals that nobody decided, incidents that fell silent, containments
    /// whose time has come.
    Tick(Window),
    /// Begin what was approved.
    Begin(Box<Begin>),
    /// Begin what somebody ordered without a proposal.
    Order(Box<Order>),
    /// Drive an action again that came to nothing.
    Redrive(Box<Redrive>),
    /// Keep what an adapter said of a drive.
    RecordAct(Box<ActReport>),
    /// Write down that a containment was released behind our back, or is in force again.
    NoteDrift {
        /// Which.
        action_id: ActionId,
        /// The vendor's own word for what was read.
        observed: String,
        /// It is in force again.
        back: bool,
    },
    /// Hold timers, for the clock was set.
    NoteClock(ClockJumped),
    /// Let timers run again.
    ReleaseTimers(TimersReleased),
    /// Keep how far a vendor was polled.
    NotePolled(IntakePolled),
    /// Write down that the chain was held and goes on.
    NoteRepair(Box<JournalRepaired>),
    /// Take over what was kept while the chain was held.
    TakeOver(TakeOver),
    /// Leave what is not taken over yet of the first chain that stood in: it cannot be read.
    LeaveStandIn(TakeoverIncomplete),
}

/// A verified alert with what the world around the machine knows of it.
#[derive(Clone, Debug)]
pub struct ReceiveAlert {
    /// The id that it gets if it is new.
    pub alert_id: AlertId,
    /// The facts for the chain.
    pub received: AlertReceived,
    /// What the durable index of earlier alerts says about it.
    pub known: Known,
    /// What this tenant may send and hold.
    pub quota: Quota,
}

/// What is known of a vendor's alert id when it comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Never seen in the retention window.
    New,
    /// The very same body was taken in before.
    Same {
        /// Under which id.
        alert_id: AlertId,
        /// At which place of the chain.
        seq: u64,
    },
    /// The vendor's id was seen, with another body.
    IdReused,
}

/// Stage 1 has spoken.
#[derive(Clone, Debug)]
pub struct RecordVerdict {
    /// About which alert.
    pub alert_id: AlertId,
    /// What it said.
    pub triaged: AlertTriaged,
    /// How many calls of stage 2 the tenant may make a day; `None` where it makes none at all.
    pub daily_calls: Option<u32>,
    /// What follows if this is the last word.
    pub case: Case,
}

/// Stage 2 has spoken, or has failed to.
#[derive(Clone, Debug)]
pub struct RecordReview {
    /// About which alert.
    pub alert_id: AlertId,
    /// What it came to.
    pub outcome: ReviewOutcome,
    /// The model that was asked.
    pub model: Option<String>,
    /// What follows.
    pub case: Case,
}

/// What is needed to give an alert its incident and to propose what to do; made by the shell, as ids
/// and settings come from the world.
#[derive(Clone, Debug)]
pub struct Case {
    /// What ties the alert to others.
    pub facts: CaseFacts,
    /// What the vendor's API added to the alert; facts and drafts are made of the completed one.
    pub enriched: Option<Box<Enriched>>,
    /// The id of the incident, if it begins one.
    pub incident_id: IncidentId,
    /// What the playbooks propose, each with the id that it gets.
    pub drafts: Vec<(ActionId, action::Draft)>,
    /// The terms of a proposal.
    pub terms: Terms,
}

/// The terms of proposals, from the configuration.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Whose.
    pub tenant_id: TenantId,
    /// How long a proposal may be approved, in milliseconds.
    pub approval_ms: u64,
    /// A rehearsal.
    pub dry_run: bool,
    /// The policies in force.
    pub policy_sha256: Digest,
}

/// A decision about a proposed action, with what was found out about whoever makes it.
#[derive(Clone, Debug)]
pub struct Decide {
    /// The alert that was named.
    pub alert_id: AlertId,
    /// The digest that was shown, or its first digits; `None` where only the alert was named.
    pub shown: Option<String>,
    /// What is wanted.
    pub verb: Verb,
    /// Who, where the account is a person's.
    pub person: Option<PersonId>,
    /// How it reached us.
    pub via: Via,
    /// What keeps it from counting, found before the machine was asked (role, guild).
    pub barred: Option<NotDecided>,
    /// The reason that was given, as evidence.
    pub reason: Option<Evidence>,
    /// The incident that was named for breaking the glass.
    pub incident_id: Option<IncidentId>,
    /// Those who said yes before and whose yes still counts.
    pub earlier: Vec<PersonId>,
    /// What the policies say.
    pub ruling: Ruling,
}

/// What the policies say about a decision.
#[derive(Clone, Debug)]
pub enum Ruling {
    /// They were not asked, as the decision cannot count anyway.
    NotAsked,
    /// They do not permit it.
    Denied(PolicySaid),
    /// They permit it, and it is not enough yet.
    Counts(PolicySaid),
    /// They permit it, and with it the action may be carried out. The approval, signed; `None` where
    /// that failed.
    Suffices {
        /// Why.
        policy: PolicySaid,
        /// The compact JWS.
        jws: Option<String>,
    },
}

/// What became of telling people about an incident.
#[derive(Clone, Debug)]
pub enum Told {
    /// Chat shows it.
    Sent(NotifySent),
    /// Chat did not take it.
    Failed(NotifyFailed),
    /// Somebody was called by other means.
    FellBack(NotifyFallback),
    /// Nobody was reached in time.
    Breached(SlaBreached),
}
