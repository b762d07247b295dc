//! What stands on a chain about alerts: payloads of its entries.

use serde::{Deserialize, Serialize};

use super::{HeldReceipt, StandsFor};
use crate::{
    alert::{Alert, Severity},
    digest::Digest,
    incident::Placement,
    review::{Failure, ReviewedBy},
    time::Timestamp,
    triage::{Assessment, Band, Leaning, Level, Reason, Verdict},
    vendor::Vendor,
};

/// Entry 0 of every chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainOpened {
    /// A random id of the tenant that tells nothing about it.
    pub opaque_id: String,
    /// The version of the chain's format, 1.
    pub format_version: u32,
    /// Ids of the keys in force when the chain was opened.
    pub key_ids: Vec<String>,
    /// The held chain whose alerts this one takes meanwhile; absent for every other chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_for: Option<StandsFor>,
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
    /// Nobody signed it: the vendor's own API gave it when it was asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub polled: bool,
    /// Where it was kept while this chain was held; its sender has this receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_receipt: Option<HeldReceipt>,
}

/// A sealed piece of evidence, by the digest and length of its plain bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// `alert` (normal form, JSON), `raw` (the body as it came), `reason` or `enriched`.
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
    /// What a person gave as a reason.
    Reason,
    /// What the vendor's API said of an alert that came in short.
    Enriched,
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
    /// Where it was kept while this chain was held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_receipt: Option<HeldReceipt>,
}

/// Why a body of a known shape became no alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// The tenant's machine fell over it more than once, so it was set aside.
    Quarantined,
    /// The tenant's evidence quota was used up. Nothing was kept, and its sender was told so; written once
    /// an hour at most.
    QuotaExceeded,
    /// The same of what the tenant may send in a day.
    DailyQuota,
}

impl RejectReason {
    /// Whether a quota was used up.
    pub const fn is_quota(self) -> bool {
        matches!(self, Self::QuotaExceeded | Self::DailyQuota)
    }
}

/// Stage 1 has spoken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertTriaged {
    /// The verdict and why.
    #[serde(flatten)]
    pub assessment: Assessment,
    /// The digest of the rules that spoke.
    pub rules_sha256: Digest,
    /// Whether stage 2 is asked, where stage 1 left that open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage2: Option<Stage2>,
    /// Where among the incidents it belongs; absent for what is benign, and while stage 2 is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed: Option<Placement>,
    /// What the vendor's API added before anything was proposed; absent where it was not asked, or added
    /// nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enriched: Option<Box<Enriched>>,
}

/// An alert came in short, and the vendor's API was asked for the rest. The alert itself stays what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enriched {
    /// The vendor's id of the machine, as it is taken from now on.
    pub device_id: Option<String>,
    /// The machine's name, likewise.
    pub host: Option<String>,
    /// The vendor's answer, attached to the same entry.
    pub evidence: Evidence,
}

/// What becomes of an alert in the ambiguous band.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage2 {
    /// It is asked; until it answers the verdict is open.
    Asked,
    /// The tenant has not opted in, or no model is configured.
    Off,
    /// The tenant's calls of this day are used up.
    OverBudget,
}

/// Stage 2 has spoken, or has failed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertReviewed {
    /// What the alert is held to be from now on.
    pub verdict: Verdict,
    /// How sure that is, in basis points.
    pub confidence_bp: u16,
    /// Whose word that is.
    pub by: ReviewedBy,
    /// The model that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Where among the incidents it belongs; absent for what is benign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed: Option<Placement>,
    /// As in [`AlertTriaged`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enriched: Option<Box<Enriched>>,
}

/// A call of the model came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallFailed {
    /// How.
    pub failure: Failure,
    /// The model that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// Nothing more will be done about an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertClosed {
    /// Why: `benign` or `low`.
    pub reason: String,
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
            polled: false,
            held_receipt: None,
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
        Self::of(assessment, rules_sha256)
    }

    /// The word of stage 1, before anybody decided what follows from it.
    pub const fn of(assessment: Assessment, rules_sha256: Digest) -> Self {
        Self {
            assessment,
            rules_sha256,
            stage2: None,
            placed: None,
            enriched: None,
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

/// A vendor was asked for what is new (`intake.polled`); written when that brought something, or moved the
/// place by an hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntakePolled {
    /// Whom.
    pub vendor: Vendor,
    /// Everything up to this moment was asked for; the next question begins some minutes before it.
    pub up_to_ms: Timestamp,
    /// How many alerts came.
    pub alerts: u32,
}
