//! What is kept beside the chain: how an entry names it, and what its seal is bound to.

use vyrox_domain::{
    digest::Digest,
    ids::TenantId,
    protocol::{Evidence, EvidenceKind},
};

use crate::messages::{Intake, ParsedAlert};

/// What a sealed piece of evidence is bound to.
pub fn evidence_aad(tenant: &TenantId, sha256: &Digest) -> Vec<u8> {
    let mut aad = Vec::with_capacity(16 + 33 + 32);
    aad.extend_from_slice(b"vyrox evidence 1|");
    aad.extend_from_slice(tenant.as_str().as_bytes());
    aad.push(b'|');
    aad.extend_from_slice(&sha256.0);
    aad
}

pub(super) fn alert_evidence(parsed: &ParsedAlert) -> Evidence {
    Evidence {
        kind: EvidenceKind::Alert,
        sha256: parsed.sha256,
        length: parsed.json.len() as u64,
        at_seq: None,
    }
}

pub(super) fn raw_evidence(intake: &Intake, at_seq: Option<u64>) -> Evidence {
    Evidence {
        kind: EvidenceKind::Raw,
        sha256: intake.body_sha256,
        length: intake.body.len() as u64,
        at_seq,
    }
}
