//! Every message between the actors, with its lane.

use std::sync::Arc;

use actix::Message;
use tokio::sync::oneshot;
use vyrox_domain::{
    alert::Alert, digest::Digest, ids::AlertId, protocol::AlertTriaged, time::Timestamp,
    vendor::Vendor,
};
use vyrox_journal::AppendError;
use vyrox_supervision::{Class, Classified, Handle};

use crate::tenant::Machine;

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

/// What became of an intake, once durable.
pub type IntakeReply = oneshot::Sender<Result<Vec<Accepted>, IntakeError>>;

/// One alert is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Our id; the first one's where it is a repeat.
    pub alert_id: AlertId,
    /// It was taken in before.
    pub duplicate: bool,
    /// Where its entry stands.
    pub seq: u64,
    /// The entry's hash.
    pub hash: Digest,
}

/// An intake came to nothing; nothing of it was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// The tenant's quota is used up.
    #[error("the tenant's evidence quota is used up")]
    QuotaExceeded,
    /// The journal did not take it.
    #[error("the journal did not take it: {0}")]
    Journal(AppendError),
}

/// Take in a verified body with its alerts (at least one).
#[derive(Message)]
#[rtype(result = "()")]
pub struct Receive {
    /// The body.
    pub intake: Intake,
    /// What stands in it.
    pub alerts: Vec<ParsedAlert>,
    /// Where the answer goes, once durable.
    pub reply: IntakeReply,
}

impl Classified for Receive {
    const CLASS: Class = Class::Bulk;

    fn digest(&self) -> u64 {
        let mut first = [0_u8; 8];
        for (to, from) in first.iter_mut().zip(self.intake.body_sha256.0) {
            *to = from;
        }
        u64::from_be_bytes(first)
    }
}

/// Keep a verified body that no parser understood.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Reject {
    /// The body.
    pub intake: Intake,
    /// What was wrong, in our words.
    pub detail: String,
    /// Answered with one receipt, as if it were an alert.
    pub reply: oneshot::Sender<Result<(u64, Digest), IntakeError>>,
}

impl Classified for Reject {
    const CLASS: Class = Class::Bulk;
}

/// Stage 1 has spoken about an alert.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RecordVerdict {
    /// Which.
    pub alert_id: AlertId,
    /// What it said.
    pub triaged: AlertTriaged,
}

impl Classified for RecordVerdict {
    const CLASS: Class = Class::Bulk;
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

/// Ask stage 1 about alerts whose normal form has to be read from their evidence.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AssessOwed {
    /// Which, with the seqs of their entries.
    pub cases: Vec<(AlertId, u64)>,
    /// Who wants to know.
    pub machine: Handle<Machine>,
}

impl Classified for AssessOwed {
    const CLASS: Class = Class::Bulk;

    fn digest(&self) -> u64 {
        let ids = self.cases.iter().map(|(id, _)| id.0.as_u64_pair().1);
        ids.fold(1, |sum, id| sum.rotate_left(7) ^ id)
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
        self.alert_id.0.as_u64_pair().1
    }
}
