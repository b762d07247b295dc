//! What people read of an alert: derived from the chain, kept in the projections.

mod acted;
mod acting;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vyrox_domain::{
    action::{ActionManifest, ActionType, OnExpiry, short},
    alert::Severity,
    digest::Digest,
    entry::Recorded,
    ids::{ActionId, AlertId, IncidentId, PersonId, TenantId},
    incident::Placement,
    notice::Standing,
    protocol::{AlertReceived, AlertReviewed, AlertTriaged, Event, EvidenceLost, Stage2},
    review::ReviewedBy,
    time::Timestamp,
    triage::{Band, Reason, Verdict},
    vendor::Vendor,
};

pub use self::acted::{ActState, ActView};

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
    /// How far it is.
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
    /// Whether stage 2 is asked, and on whose word its verdict stands since.
    #[serde(default)]
    pub stage2: Option<Stage2>,
    /// On whose word stage 2 ended as it did.
    #[serde(default)]
    pub reviewed_by: Option<ReviewedBy>,
    /// Why its evidence did not come along from the chain that stood in for its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence_lost: Option<EvidenceLost>,
    /// The incident that it belongs to.
    pub incident_id: Option<IncidentId>,
    /// What tied it to that incident; empty where it began one.
    #[serde(default)]
    pub linked_by: Vec<String>,
    /// It got no message of its own, because the incident's stands for it.
    #[serde(default)]
    pub folded: bool,
    /// The action that was proposed last.
    pub proposal: Option<ProposalView>,
    /// How many actions were proposed.
    #[serde(default)]
    pub proposals: u32,
    /// The last of them, the oldest first; a row of an older release has none.
    #[serde(default)]
    pub last_proposals: Vec<ProposalView>,
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
    /// When somebody had its evidence erased. What only grew too old is not told here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence_erased_at_ms: Option<Timestamp>,
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
    /// It has a verdict.
    Triaged,
    /// Nothing more will be done.
    Closed,
    /// Its incident stands in chat.
    Notified,
    /// An action waits for a decision.
    AwaitingApproval,
    /// The action may be carried out.
    Approved,
    /// The action will not be carried out.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// The intent to carry the action out is durable.
    Executing,
    /// The vendor's state reads so.
    Executed,
    /// The vendor took it and the host has yet to comply.
    Containing,
    /// The vendor will not do it.
    Refused,
    /// It was not begun, or nothing reached the vendor.
    Failed,
    /// Nobody can tell whether it happened.
    Unknown,
    /// It was taken back.
    RolledBack,
}

/// A proposed action, for whoever decides about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalView {
    /// Its id.
    pub action_id: ActionId,
    /// What.
    pub action_type: ActionType,
    /// The vendor's device.
    pub target_urn: String,
    /// What of it: the process, the file's digest.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Which playbook.
    pub playbook: String,
    /// A rehearsal.
    pub dry_run: bool,
    /// Why the target is special, where it is.
    pub protected: Option<String>,
    /// The digest of its manifest: what an approval binds to.
    pub manifest_sha256: Digest,
    /// The part of it that chat shows.
    pub manifest_short: String,
    /// The last moment at which it can be approved.
    pub expires_at_ms: Timestamp,
    /// How long it holds once carried out, in minutes; 0 for what has no end.
    #[serde(default)]
    pub hold_minutes: u32,
    /// What becomes of it when its time is over.
    #[serde(default)]
    pub on_expiry: OnExpiry,
    /// Where it stands.
    #[serde(flatten)]
    pub standing: Standing,
    /// What became of it, once it was approved.
    #[serde(default)]
    pub act: Option<ActView>,
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
            stage2: None,
            reviewed_by: None,
            evidence_lost: received.held_receipt.and_then(|it| it.evidence_lost),
            incident_id: None,
            linked_by: Vec::new(),
            folded: false,
            proposal: None,
            proposals: 0,
            last_proposals: Vec::new(),
            host: received.host,
            device_id: received.device_id,
            severity: received.severity,
            techniques: received.techniques,
            received_at_ms: recorded.timestamp_ms,
            vendor_id_reused: received.vendor_id_reused,
            evidence_erased_at_ms: None,
            receipt: Place {
                seq: recorded.seq,
                hash,
            },
            history: vec![Step::of(recorded)],
        }
    }

    /// Something happened to it.
    pub fn happened(&mut self, event: &Event, recorded: &Recorded) {
        match event {
            Event::AlertTriaged { triaged, .. } => self.triaged(triaged),
            Event::AlertReviewed { reviewed, .. } => self.reviewed(reviewed),
            Event::AlertClosed { .. } => self.status = Status::Closed,
            Event::ApprovalRequested(requested) => {
                let waiting = Standing::Waiting {
                    approved_by: Vec::new(),
                };
                self.status = Status::AwaitingApproval;
                self.proposed(&requested.manifest, requested.manifest_sha256, waiting);
            }
            Event::ApprovalGiven(given) => {
                self.yes(given.facts.about.action_id, &given.facts.person_id);
            }
            Event::ApprovalGranted(granted) => {
                let by = granted.facts.approvers.clone();
                let action = granted.facts.about.action_id;
                self.decided(action, &Standing::Approved { by }, Status::Approved);
            }
            Event::ApprovalDenied(denied) => {
                let by = denied.facts.person_id.clone();
                let action = denied.facts.about.action_id;
                self.decided(action, &Standing::Denied { by }, Status::Denied);
            }
            Event::ApprovalExpired(expired) => {
                let action = expired.facts.about.action_id;
                self.decided(action, &Standing::Expired, Status::Expired);
            }
            other => self.acted(other, recorded.timestamp_ms),
        }
        // A flood of refused presses must not make the row grow without end.
        if self.history.len() < HISTORY_MAX {
            self.history.push(Step::of(recorded));
        }
    }

    /// Its evidence is no more.
    pub fn lost_evidence(&mut self, recorded: &Recorded) {
        self.evidence_erased_at_ms = Some(recorded.timestamp_ms);
        if self.history.len() < HISTORY_MAX {
            self.history.push(Step::of(recorded));
        }
    }

    /// Its incident stands in chat.
    pub fn notified(&mut self) {
        if self.status == Status::Triaged {
            self.status = Status::Notified;
        }
    }

    fn triaged(&mut self, triaged: &AlertTriaged) {
        let assessment = triaged.assessment.clone();
        self.status = Status::Triaged;
        self.verdict = Some(assessment.verdict);
        self.confidence_bp = Some(assessment.confidence_bp);
        self.score_bp = Some(assessment.score_bp);
        self.band = Some(assessment.band);
        self.reasons = assessment.reasons;
        self.stage2 = triaged.stage2;
        self.place(triaged.placed.as_ref());
    }

    fn reviewed(&mut self, reviewed: &AlertReviewed) {
        self.verdict = Some(reviewed.verdict);
        self.confidence_bp = Some(reviewed.confidence_bp);
        self.reviewed_by = Some(reviewed.by);
        self.place(reviewed.placed.as_ref());
    }

    fn place(&mut self, placed: Option<&Placement>) {
        let Some(placed) = placed else { return };
        self.incident_id = Some(placed.incident_id);
        self.linked_by = placed
            .via
            .iter()
            .map(|one| one.as_str().to_owned())
            .collect();
        self.folded = placed.folded;
    }

    fn proposed(&mut self, manifest: &ActionManifest, sha256: Digest, standing: Standing) {
        self.proposals = self.proposals.saturating_add(1);
        let proposal = ProposalView {
            action_id: manifest.action_id,
            action_type: manifest.action_type,
            target_urn: manifest.target_urn.clone(),
            parameters: manifest.parameters.clone(),
            playbook: manifest.playbook.clone(),
            dry_run: manifest.dry_run,
            protected: manifest.protected.clone(),
            manifest_sha256: sha256,
            manifest_short: short(&sha256),
            expires_at_ms: manifest.expires_at_ms,
            hold_minutes: manifest.hold_minutes,
            on_expiry: manifest.on_expiry,
            standing,
            act: None,
        };
        self.last_proposals.push(proposal.clone());
        if self.last_proposals.len() > PROPOSALS_MAX {
            self.last_proposals.remove(0);
        }
        self.proposal = Some(proposal);
    }

    /// The proposal wherever the row shows it.
    fn shown(&mut self, action: ActionId) -> impl Iterator<Item = &mut ProposalView> {
        let all = self.proposal.iter_mut().chain(&mut self.last_proposals);
        all.filter(move |it| it.action_id == action)
    }

    fn yes(&mut self, action: ActionId, person: &PersonId) {
        for proposal in self.shown(action) {
            if let Standing::Waiting { approved_by } = &mut proposal.standing {
                approved_by.push(person.clone());
            }
        }
    }

    fn decided(&mut self, action: ActionId, standing: &Standing, status: Status) {
        for proposal in self.shown(action) {
            proposal.standing = standing.clone();
        }
        if self.is_last(action) {
            self.status = status;
        }
    }

    fn is_last(&self, action: ActionId) -> bool {
        let last = self.proposal.as_ref();
        last.is_some_and(|it| it.action_id == action)
    }
}

/// The most proposals that a row shows; the chain has them all.
const PROPOSALS_MAX: usize = 8;
/// The most steps that a row shows; the chain has them all.
pub(crate) const HISTORY_MAX: usize = 64;

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
