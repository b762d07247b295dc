//! Actions for tests, as people would have approved them.

use vyrox_domain::{
    action::{
        ActionManifest, ActionType, MANIFEST_VERSION, OnExpiry, Release,
        jws::{ActionKey, Approval, ApprovalKind, Expected, SignedAction, sign, verify},
        target_urn,
    },
    digest::Digest,
    ids::{ActionId, AlertId, IncidentId},
    time::Timestamp,
    vendor::Vendor,
};

/// The action that all tests are about, and the one that its undoing takes back.
pub(super) const ACTION: &str = "018f3c1e-0000-7000-8000-000000000001";

/// An action on this device; with `undo`, the taking back of [`ACTION`].
pub(super) fn manifest(
    vendor: Vendor,
    device: &str,
    action_type: ActionType,
    parameters: &[(&str, &str)],
    undo: bool,
) -> ActionManifest {
    let own: ActionId = ACTION.parse().unwrap();
    let other: ActionId = "018f3c1e-0000-7000-8000-000000000002".parse().unwrap();
    ActionManifest {
        manifest_version: MANIFEST_VERSION,
        action_id: if undo { other } else { own },
        tenant_id: "acme".parse().unwrap(),
        alert_id: AlertId(own.0),
        incident_id: IncidentId(own.0),
        vendor,
        action_type,
        target_urn: target_urn(vendor, device).unwrap(),
        host: None,
        parameters: parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        dry_run: false,
        on_expiry: OnExpiry::Ask,
        hold_minutes: 0,
        playbook: "test".to_owned(),
        playbook_sha256: Digest::of(b"playbook"),
        policy_sha256: Digest::of(b"policy"),
        protected: None,
        proposed_by: "service:triage".to_owned(),
        proposed_at_ms: Timestamp::from_ms(1_768_471_200_000),
        expires_at_ms: Timestamp::from_ms(1_768_474_800_000),
        release: undo.then_some(Release { of: Some(own) }),
    }
}

/// The same, approved.
pub(super) fn signed(manifest: &ActionManifest) -> SignedAction {
    let key = ActionKey::from_seed(&[7; 32]);
    let approval = Approval {
        kind: ApprovalKind::Chat,
        approvers: vec!["person:ada".to_owned()],
        approved_at_ms: manifest.proposed_at_ms,
        policies: vec!["default".to_owned()],
    };
    let jws = sign(&key, manifest, &approval).unwrap();
    let expected = Expected {
        tenant: &manifest.tenant_id,
        keys: &[key.public()],
        policy_sha256: None,
        now: manifest.proposed_at_ms,
    };
    verify(&jws, &expected).unwrap()
}
