//! From a verdict to a signed action: what is proposed, what a digest binds, what a signature proves.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod abilities;
mod cases;
mod definitions;
mod digests;
mod proposals;
mod signed;

use proptest::prelude::*;
use uuid::Uuid;
use vyrox_domain::{
    action::{
        ActionManifest, ActionType, MANIFEST_VERSION, OnExpiry,
        jws::{ActionKey, ActionPublicKey, Approval, ApprovalKind, Expected},
        target_urn,
    },
    digest::Digest,
    ids::{ActionId, AlertId, IncidentId, TenantId},
    time::Timestamp,
    vendor::Vendor,
};

const PROPOSED: Timestamp = Timestamp::from_s(1_790_000_000);
const EXPIRES: Timestamp = Timestamp::from_s(1_790_003_600);
const NOW: Timestamp = Timestamp::from_s(1_790_000_100);

fn tenant() -> TenantId {
    "acme".parse().unwrap()
}

fn key() -> ActionKey {
    ActionKey::from_seed(&[7; 32])
}

fn manifest() -> ActionManifest {
    let id = |n| Uuid::from_bytes([n; 16]);
    ActionManifest {
        manifest_version: MANIFEST_VERSION,
        action_id: ActionId(id(1)),
        tenant_id: tenant(),
        alert_id: AlertId(id(2)),
        incident_id: IncidentId(id(3)),
        vendor: Vendor::Crowdstrike,
        action_type: ActionType::ProcessKill,
        target_urn: target_urn(Vendor::Crowdstrike, "a1b2").unwrap(),
        host: Some("srv-1".to_owned()),
        parameters: [("image", "evil.exe"), ("pid", "4711")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        dry_run: false,
        on_expiry: OnExpiry::Ask,
        hold_minutes: 0,
        playbook: "stop_process".to_owned(),
        playbook_sha256: Digest([4; 32]),
        policy_sha256: Digest([5; 32]),
        protected: None,
        proposed_by: "service:triage".to_owned(),
        proposed_at_ms: PROPOSED,
        expires_at_ms: EXPIRES,
        release: None,
    }
}

fn approval() -> Approval {
    Approval {
        kind: ApprovalKind::Chat,
        approvers: vec!["person:ada".to_owned()],
        approved_at_ms: NOW,
        policies: vec!["high-one-approver".to_owned()],
    }
}

fn expected<'a>(tenant: &'a TenantId, keys: &'a [ActionPublicKey]) -> Expected<'a> {
    Expected {
        tenant,
        keys,
        policy_sha256: None,
        now: NOW,
    }
}

prop_compose! {
    /// A manifest within its bounds, with a target of its own vendor.
    fn manifests()(
        ids in any::<([u8; 16], [u8; 16], [u8; 16])>(),
        vendor in prop::sample::select(Vendor::ALL.to_vec()),
        action_type in prop::sample::select(ActionType::ALL.to_vec()),
        device in "[0-9a-f]{1,40}",
        host in prop::option::of("[ -~é漢🦀]{1,40}"),
        parameters in prop::collection::btree_map("[a-z0-9_]{1,32}", "[ -~é漢🦀]{1,64}", 0..8),
        flags in any::<(bool, bool)>(),
        hold_minutes in 0_u32..=10_080,
        texts in ("[ -~é]{1,64}", "[ -~é]{1,64}", prop::option::of("[ -~é]{1,64}")),
        digests in any::<([u8; 32], [u8; 32])>(),
        times in (0_u64..1 << 53, 0_u64..1 << 53),
    ) -> ActionManifest {
        ActionManifest {
            manifest_version: MANIFEST_VERSION,
            action_id: ActionId(Uuid::from_bytes(ids.0)),
            tenant_id: tenant(),
            alert_id: AlertId(Uuid::from_bytes(ids.1)),
            incident_id: IncidentId(Uuid::from_bytes(ids.2)),
            vendor,
            action_type,
            target_urn: target_urn(vendor, &device).unwrap(),
            host,
            parameters,
            dry_run: flags.0,
            on_expiry: if flags.1 { OnExpiry::Lift } else { OnExpiry::Ask },
            hold_minutes,
            playbook: texts.0,
            playbook_sha256: Digest(digests.0),
            policy_sha256: Digest(digests.1),
            protected: texts.2,
            proposed_by: texts.1,
            proposed_at_ms: Timestamp::from_ms(times.0),
            expires_at_ms: Timestamp::from_ms(times.1),
            release: None,
        }
    }
}
