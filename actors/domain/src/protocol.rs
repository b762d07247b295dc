//! What a tenant can be told, what can happen to it, what must be done about it, and what it refuses.

use serde::{Deserialize, Serialize};

use crate::{
    alert::{Alert, Severity},
    digest::Digest,
    entry::{Entry, Recorded, ReplayError, payload},
    ids::AlertId,
    time::Timestamp,
    triage::{Assessment, Band, Leaning, Level, Reason, Verdict},
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
        /// The most bytes of evidence that this tenant may hold, `None` for no limit.
        quota_bytes: Option<u64>,
    },
    /// Keep the outcome of stage 1.
    RecordVerdict {
        /// Which alert.
        alert_id: AlertId,
        /// What was concluded.
        triaged: AlertTriaged,
    },
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
    /// The most bytes of evidence that this tenant may hold, `None` for no limit.
    pub quota_bytes: Option<u64>,
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
    /// `alert.closed`
    AlertClosed {
        /// Our id.
        alert_id: AlertId,
        /// The facts.
        closed: AlertClosed,
    },
}

/// Entry 0 of every chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainOpened {
    /// A random id of the tenant that tells nothing about it.
    pub opaque_id: String,
    /// The version of the chain's format, 1.
    pub format_version: u32,
    /// Ids of the keys in force when the chain was opened.
    pub key_ids: Vec<String>,
}

/// An alert is durable. People, command lines and paths are in its evidence, not here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertReceived {
    /// Who sent it.
    pub vendor: Vendor,
    /// The vendor's id of it.
    pub vendor_alert_id: String,
    /// The machine's name.
    pub host: Option<String>,
    /// The vendor's id of the machine.
    pub device_id: Option<String>,
    /// The vendor's severity.
    pub severity: Severity,
    /// The vendor's severity, 0..=100.
    pub severity_score: u8,
    /// ATT&CK techniques that the vendor named.
    pub techniques: Vec<String>,
    /// When the vendor says that it happened.
    pub detected_at_ms: Option<Timestamp>,
    /// What is kept beside the chain, in the order of the attachments.
    pub evidence: Vec<Evidence>,
    /// The vendor's id was seen before with another body.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub vendor_id_reused: bool,
}

/// A sealed piece of evidence, by the digest and length of its plain bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// `alert` (normal form, JSON) or `raw` (the body as it came).
    pub kind: EvidenceKind,
    /// SHA-256 of the plain bytes.
    pub sha256: Digest,
    /// Their number.
    pub length: u64,
    /// The entry that it is attached to, where that is another one (a body with several alerts).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_seq: Option<u64>,
}

/// What a piece of evidence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// The normalised alert as JSON.
    Alert,
    /// The body of the request.
    Raw,
}

/// A body was vouched for by the host-wide secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretFallbackUsed {
    /// Which entrance it came in by.
    pub vendor: Vendor,
}

/// A body had a good signature and became no alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntakeRejected {
    /// Which entrance it came in by.
    pub vendor: Vendor,
    /// What was wrong with it, in our words.
    pub detail: String,
    /// The same for programs; absent where the body was of no known shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<RejectReason>,
    /// The vendor's ids of alerts that were read out of it all the same, so that they can be found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vendor_alert_ids: Vec<String>,
    /// The raw body.
    pub evidence: Vec<Evidence>,
}

/// Why a body of a known shape became no alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// The tenant's machine fell over it more than once, so it was set aside.
    Quarantined,
}

/// Stage 1 has spoken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertTriaged {
    /// The verdict and why.
    #[serde(flatten)]
    pub assessment: Assessment,
    /// The digest of the rules that spoke.
    pub rules_sha256: Digest,
}

/// Nothing more will be done about an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertClosed {
    /// Why: `benign` or `low`.
    pub reason: String,
}

/// Work that an event calls for, done outside of the machine and only once the event is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask stage 1 about an alert.
    Triage {
        /// Which.
        alert_id: AlertId,
        /// Where its evidence is.
        seq: u64,
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
    /// The chain is open already.
    #[error("the chain is open already")]
    AlreadyOpen,
    /// No such alert waits for a verdict.
    #[error("no such alert waits for a verdict")]
    NotAwaitingVerdict,
}

impl AlertReceived {
    /// The part of `alert` that goes on the chain.
    pub fn of(alert: &Alert, evidence: Vec<Evidence>) -> Self {
        Self {
            vendor: alert.vendor,
            vendor_alert_id: alert.vendor_alert_id.clone(),
            host: alert.device.hostname.clone(),
            device_id: alert.device.id.clone(),
            severity: alert.severity,
            severity_score: alert.severity_score,
            techniques: alert.techniques.clone(),
            detected_at_ms: alert.created_at.or(alert.first_seen_at),
            evidence,
            vendor_id_reused: false,
        }
    }
}

impl AlertTriaged {
    /// A verdict where the rules could not speak: medium, open, left to people, with the reason.
    pub fn undecided(why: Undecided, rules_sha256: Digest) -> Self {
        let (rule_id, title) = match why {
            Undecided::EvidenceUnavailable => (
                "vyrox.evidence_unavailable",
                "The evidence to triage by is gone or damaged",
            ),
            Undecided::Stage1Unavailable => (
                "vyrox.stage1_unavailable",
                "Stage 1 gave no answer to this alert",
            ),
        };
        let reason = Reason {
            rule_id: rule_id.into(),
            title: title.into(),
            leaning: Leaning::Malicious,
            weight_bp: 0,
            level: Level::Informational,
            techniques: Vec::new(),
            matched: Vec::new(),
        };
        let assessment = Assessment {
            verdict: Verdict::Medium,
            confidence_bp: 5_000,
            score_bp: 5_000,
            band: Band::Stage2,
            reasons: vec![reason],
        };
        Self {
            assessment,
            rules_sha256,
        }
    }
}

/// Why the rules could not speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecided {
    /// The evidence expired, was erased or does not match the chain.
    EvidenceUnavailable,
    /// Stage 1 fell over this alert more than once.
    Stage1Unavailable,
}

impl Event {
    /// The entry that says so, made at `at`.
    pub fn entry(&self, at: Timestamp) -> Entry {
        let (event, actor, alert_id, payload) = match self {
            Self::ChainOpened(opened) => ("chain.opened", "system".into(), None, payload(opened)),
            Self::AlertReceived { alert_id, received } => (
                "alert.received",
                format!("vendor:{}", received.vendor),
                Some(*alert_id),
                payload(received),
            ),
            Self::SecretFallbackUsed(used) => (
                "webhook.secret_fallback_used",
                "system".into(),
                None,
                payload(used),
            ),
            Self::IntakeRejected(rejected) => (
                "intake.rejected",
                format!("vendor:{}", rejected.vendor),
                None,
                payload(rejected),
            ),
            Self::AlertTriaged { alert_id, triaged } => (
                "alert.triaged",
                "service:triage".into(),
                Some(*alert_id),
                payload(triaged),
            ),
            Self::AlertClosed { alert_id, closed } => (
                "alert.closed",
                "system".into(),
                Some(*alert_id),
                payload(closed),
            ),
        };
        Entry {
            event,
            event_version: 1,
            actor,
            at,
            alert_id,
            payload,
        }
    }

    /// Reads an event back from the chain.
    ///
    /// # Errors
    /// [`ReplayError`] where the event is unknown to this release or malformed.
    pub fn from_recorded(recorded: &Recorded) -> Result<Self, ReplayError> {
        let event = match (recorded.event.as_str(), recorded.event_version) {
            ("chain.opened", 1) => Self::ChainOpened(recorded.read()?),
            ("alert.received", 1) => Self::AlertReceived {
                alert_id: recorded.alert()?,
                received: recorded.read()?,
            },
            ("webhook.secret_fallback_used", 1) => Self::SecretFallbackUsed(recorded.read()?),
            ("intake.rejected", 1) => Self::IntakeRejected(recorded.read()?),
            ("alert.triaged", 1) => Self::AlertTriaged {
                alert_id: recorded.alert()?,
                triaged: recorded.read()?,
            },
            ("alert.closed", 1) => Self::AlertClosed {
                alert_id: recorded.alert()?,
                closed: recorded.read()?,
            },
            _ => return Err(recorded.unknown()),
        };
        Ok(event)
    }
}
