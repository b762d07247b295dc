//! Every message between the actors, with its lane.

mod containing;
mod deciding;
mod enriching;
mod erasing;
mod polling;

use std::{fmt, sync::Arc};

use actix::Message;
use tokio::sync::oneshot;
use vyrox_domain::{
    alert::Alert,
    digest::Digest,
    ids::AlertId,
    protocol::{AlertTriaged, RejectReason},
    time::Timestamp,
    vendor::Vendor,
};
use vyrox_journal::AppendError;
use vyrox_supervision::{Class, Classified, DeadLetter, Handle};

pub use self::containing::{
    ActReported, Carry, EffectRead, ExecuteAction, ExecuteAnswer, External, ExternalTarget,
    ListActs, LookAt, NoTarget, RedriveAction, ReleaseTimers, RollBackAction, StepAnswer,
};
pub use self::deciding::{DecideAction, NoteRefusal, NoteShown, Outcome, Who};
pub use self::enriching::{FullAlert, LookUp, LookedUp};
pub use self::erasing::{
    EraseAll, EraseEvidence, ErasedEvidence, ListOpenActs, NotErased, SweepEvidence,
};
pub use self::polling::{NotePolled, WherePolled};
use crate::{notifier::Report, reviewer::Reviewed, tenant::Machine};

/// A verified body and what was read out of it; made at the edge, where the cores are.
pub struct Intake {
    /// Which entrance.
    pub vendor: Vendor,
    /// The body as it came.
    pub body: Vec<u8>,
    /// SHA-256 of the body.
    pub body_sha256: Digest,
    /// When it came.
    pub received_at: Timestamp,
    /// The host-wide secret vouched for it, for want of one of the tenant's own.
    pub fallback: bool,
    /// It was not sent to us: the vendor's API gave it when it was asked. There an alert comes again with
    /// each change of it, so one whose id is known is the same one, whatever its body.
    pub polled: bool,
}

/// One alert of a body.
pub struct ParsedAlert {
    /// The normal form.
    pub alert: Arc<Alert>,
    /// The normal form as JSON: evidence.
    pub json: Vec<u8>,
    /// Its SHA-256.
    pub sha256: Digest,
}

impl ParsedAlert {
    /// Writes the normal form down and takes its digest.
    ///
    /// # Errors
    /// Whatever JSON cannot hold; the normal form has nothing of that kind.
    pub fn new(alert: Alert) -> Result<Self, serde_json::Error> {
        let json = serde_json::to_vec(&alert)?;
        let sha256 = Digest::of(&json);
        Ok(Self {
            alert: Arc::new(alert),
            json,
            sha256,
        })
    }
}

/// Where it is told what became of an intake: once durable, or when it came to nothing. Dropped without
/// a word if its taker falls before it has handed anything to the journal; what was handed over takes
/// its reply along. So an intake without an answer has left no trace and may be offered again.
pub type IntakeReply<T> = oneshot::Sender<Result<T, IntakeError>>;

/// One alert is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Our id; the first one's where it is a repeat.
    pub alert_id: AlertId,
    /// It was taken in before.
    pub duplicate: bool,
    /// Where its entry stands.
    pub seq: u64,
    /// The entry's hash.
    pub hash: Digest,
    /// The chain that the entry is on, where that stands in for the tenant's own.
    pub held: Option<Arc<str>>,
}

/// An intake came to nothing; nothing of it was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// The tenant's quota is used up.
    #[error("the tenant's evidence quota is used up")]
    QuotaExceeded,
    /// The tenant has sent as much as it may in a day.
    #[error("the tenant has sent as much as it may in a day")]
    DailyQuota,
    /// The last room is kept for what is under way.
    #[error("the disk is nearly full")]
    NoRoom,
    /// The journal did not take it.
    #[error("the journal did not take it: {0}")]
    Journal(AppendError),
    /// Its taker fell over it more than once and does not touch it again.
    #[error("set aside: {0}")]
    Quarantined(Quarantine),
}

/// Where a message made its actor fall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// The message's type, without its path.
    pub message: &'static str,
    /// The place of the last fall (`file:line:column`), where it is known.
    pub location: Option<String>,
}

impl Quarantine {
    fn of(letter: &DeadLetter) -> Self {
        let path = letter.message;
        Self {
            message: path.rsplit("::").next().unwrap_or(path),
            location: letter.location.clone(),
        }
    }
}

/// `Receive at actors/src/intake.rs:120:9`
impl fmt::Display for Quarantine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.location.as_deref().unwrap_or("an unknown place");
        write!(f, "{} at {place}", self.message)
    }
}

/// Take in a verified body with its alerts (at least one).
#[derive(Message)]
#[rtype(result = "()")]
pub struct Receive {
    /// The body; shared, so that it can be offered again at no cost.
    pub intake: Arc<Intake>,
    /// What stands in it.
    pub alerts: Arc<[ParsedAlert]>,
    /// Where the answer goes, once durable.
    pub reply: IntakeReply<Vec<Accepted>>,
}

impl Classified for Receive {
    const CLASS: Class = Class::Bulk;

    fn digest(&self) -> u64 {
        self.intake.identity()
    }

    fn quarantined(&mut self, letter: &DeadLetter) {
        set_aside(&mut self.reply, letter);
    }

    fn again(&self) -> Option<Self> {
        Some(Self {
            intake: Arc::clone(&self.intake),
            alerts: Arc::clone(&self.alerts),
            reply: deaf(),
        })
    }
}

/// Keep a verified body as evidence, and make no alert of it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Reject {
    /// The body.
    pub intake: Arc<Intake>,
    /// Why.
    pub why: Unfit,
    /// Answered with one receipt, as if it were an alert.
    pub reply: IntakeReply<(u64, Digest)>,
}

/// Why no alert is made of a body.
#[derive(Clone, Debug)]
pub struct Unfit {
    /// What was wrong, in our words.
    pub detail: String,
    /// The same for programs; `None` where the body was of no known shape.
    pub reason: Option<RejectReason>,
    /// The vendor's ids of alerts that were read out of it all the same.
    pub vendor_alert_ids: Vec<String>,
}

impl Classified for Reject {
    const CLASS: Class = Class::Bulk;

    fn digest(&self) -> u64 {
        self.intake.identity()
    }

    fn quarantined(&mut self, letter: &DeadLetter) {
        set_aside(&mut self.reply, letter);
    }

    fn again(&self) -> Option<Self> {
        Some(Self {
            intake: Arc::clone(&self.intake),
            why: self.why.clone(),
            reply: deaf(),
        })
    }
}

impl Intake {
    /// The first eight bytes of the body's digest: what a dead letter shows of it.
    fn identity(&self) -> u64 {
        let first = self.body_sha256.0.first_chunk();
        first.map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }
}

/// Answers instead of the taker, and leaves a reply behind that nobody listens to: what is redriven
/// has no asker.
fn set_aside<T>(reply: &mut IntakeReply<T>, letter: &DeadLetter) {
    let told = std::mem::replace(reply, deaf())
        .send(Err(IntakeError::Quarantined(Quarantine::of(letter))));
    // The caller may have gone; the letter says the same.
    told.ok();
}

/// A reply that nobody listens to.
fn deaf<T>() -> IntakeReply<T> {
    let (deaf, _) = oneshot::channel();
    deaf
}

/// What tells one alert from another, never 0.
fn identity(alert_id: AlertId) -> u64 {
    alert_id.0.as_u64_pair().1 | 1
}

/// Stage 1 has spoken about an alert.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RecordVerdict {
    /// Which.
    pub alert_id: AlertId,
    /// What it said.
    pub triaged: AlertTriaged,
    /// The tactics of the rules that spoke.
    pub tactics: Vec<String>,
    /// Its normal form, for whoever has the next word.
    pub alert: Arc<Alert>,
}

impl Classified for RecordVerdict {
    const CLASS: Class = Class::Bulk;

    /// One alert whose verdict fells the machine must not use up the budget of all others.
    fn digest(&self) -> u64 {
        identity(self.alert_id)
    }
}

/// Stage 2 has spoken about an alert, or has failed to.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RecordReview(pub Reviewed);

impl Classified for RecordReview {
    const CLASS: Class = Class::Bulk;

    fn digest(&self) -> u64 {
        identity(self.0.alert_id)
    }
}

/// The notifier tells what became of an incident's message.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RecordReport(pub Report);

impl Classified for RecordReport {
    const CLASS: Class = Class::Containment;
}

/// Something that people must see is durable.
#[derive(Message)]
#[rtype(result = "()")]
pub struct TellPeople;

impl Classified for TellPeople {
    const CLASS: Class = Class::Containment;
}

/// The journal refused an append, so what the machine did since never happened.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AppendFailed {
    /// The writer epoch of the append; a later machine does not care.
    pub epoch: u64,
    /// Why.
    pub error: AppendError,
}

impl Classified for AppendFailed {
    const CLASS: Class = Class::Control;
}

/// Stage 1 fell over an alert more than once and does not touch it again: leave it to people.
#[derive(Message)]
#[rtype(result = "()")]
pub struct LeaveToPeople {
    /// Which.
    pub alert_id: AlertId,
}

impl Classified for LeaveToPeople {
    const CLASS: Class = Class::Bulk;

    fn digest(&self) -> u64 {
        identity(self.alert_id)
    }
}

/// Ask stage 1 about an alert.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Assess {
    /// Which.
    pub alert_id: AlertId,
    /// Its normal form.
    pub alert: Arc<Alert>,
    /// Who wants to know.
    pub machine: Handle<Machine>,
}

impl Classified for Assess {
    const CLASS: Class = Class::Bulk;

    fn digest(&self) -> u64 {
        identity(self.alert_id)
    }

    fn again(&self) -> Option<Self> {
        Some(Self {
            alert_id: self.alert_id,
            alert: Arc::clone(&self.alert),
            machine: self.machine.clone(),
        })
    }

    fn quarantined(&mut self, _: &DeadLetter) {
        let alert_id = self.alert_id;
        // If there is no room, the machine finds out that an answer was lost and asks again.
        self.machine.try_cast(LeaveToPeople { alert_id }).ok();
    }
}
