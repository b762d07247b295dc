//! What people read of an alert: derived from the chain, kept in the projections.

use serde::{Deserialize, Serialize};
use vyrox_domain::{
    alert::Severity,
    digest::Digest,
    entry::Recorded,
    ids::{AlertId, TenantId},
    protocol::{AlertReceived, AlertTriaged},
    time::Timestamp,
    triage::{Band, Reason, Verdict},
    vendor::Vendor,
};

/// One alert with what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertView {
    /// Our id.
    pub alert_id: AlertId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Who sent it.
    pub vendor: Vendor,
    /// The vendor's id of it.
    pub vendor_alert_id: String,
    /// `received`, `triaged` or `closed`.
    pub status: Status,
    /// What it is held to be, once stage 1 has spoken.
    pub verdict: Option<Verdict>,
    /// How sure that is, in basis points.
    pub confidence_bp: Option<u16>,
    /// The computed score, in basis points.
    pub score_bp: Option<u16>,
    /// The band of the score.
    pub band: Option<Band>,
    /// Which rules spoke.
    pub reasons: Vec<Reason>,
    /// The incident that it belongs to.
    pub incident_id: Option<String>,
    /// The action that is proposed.
    pub proposal: Option<String>,
    /// The machine's name.
    pub host: Option<String>,
    /// The vendor's id of the machine.
    pub device_id: Option<String>,
    /// The vendor's severity.
    pub severity: Severity,
    /// ATT&CK techniques that the vendor named.
    pub techniques: Vec<String>,
    /// When we took it in.
    pub received_at_ms: Timestamp,
    /// The vendor's id came before with another body.
    pub vendor_id_reused: bool,
    /// Where its first entry stands, with the entry's hash.
    pub receipt: Place,
    /// Every entry about it.
    pub history: Vec<Step>,
}

/// Where an alert is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Durable.
    Received,
    /// Stage 1 has spoken.
    Triaged,
    /// Nothing more will be done.
    Closed,
}

/// A place in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its seq.
    pub seq: u64,
    /// The hash of the entry there.
    pub hash: Digest,
}

/// One entry about an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Where it stands.
    pub seq: u64,
    /// What happened.
    pub event: String,
    /// When.
    pub at_ms: Timestamp,
    /// Who did it.
    pub actor: String,
}

impl AlertView {
    /// The view of an alert that was just received.
    pub fn received(
        tenant_id: TenantId,
        alert_id: AlertId,
        received: AlertReceived,
        recorded: &Recorded,
        hash: Digest,
    ) -> Self {
        Self {
            alert_id,
            tenant_id,
            vendor: received.vendor,
            vendor_alert_id: received.vendor_alert_id,
            status: Status::Received,
            verdict: None,
            confidence_bp: None,
            score_bp: None,
            band: None,
            reasons: Vec::new(),
            incident_id: None,
            proposal: None,
            host: received.host,
            device_id: received.device_id,
            severity: received.severity,
            techniques: received.techniques,
            received_at_ms: recorded.timestamp_ms,
            vendor_id_reused: received.vendor_id_reused,
            receipt: Place {
                seq: recorded.seq,
                hash,
            },
            history: vec![Step::of(recorded)],
        }
    }

    /// Stage 1 has spoken.
    pub fn triaged(&mut self, triaged: AlertTriaged, recorded: &Recorded) {
        let assessment = triaged.assessment;
        self.status = Status::Triaged;
        self.verdict = Some(assessment.verdict);
        self.confidence_bp = Some(assessment.confidence_bp);
        self.score_bp = Some(assessment.score_bp);
        self.band = Some(assessment.band);
        self.reasons = assessment.reasons;
        self.history.push(Step::of(recorded));
    }

    /// It was closed.
    pub fn closed(&mut self, recorded: &Recorded) {
        self.status = Status::Closed;
        self.history.push(Step::of(recorded));
    }
}

impl Step {
    fn of(recorded: &Recorded) -> Self {
        Self {
            seq: recorded.seq,
            event: recorded.event.clone(),
            at_ms: recorded.timestamp_ms,
            actor: recorded.actor.clone(),
        }
    }
}
