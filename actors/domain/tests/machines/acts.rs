//! What may be said of actions on their way.

use proptest::prelude::*;
use uuid::Uuid;
use vyrox_domain::{
    action::{ActionManifest, ActionType, MANIFEST_VERSION, OnExpiry, Release},
    containment::{
        ActOrdered, ActReport, ClaimMade, ClockJumped, ContainmentLimits, Gate, Manner, Order,
        OutcomeKind, Redrive, TimersReleased,
    },
    digest::Digest,
    ids::{ActionId, IncidentId},
    incident::Window,
    protocol::{Command, PolicySaid},
    time::Timestamp,
    vendor::Vendor,
};

use crate::{NOW, alert_id};

/// Orders, reports, drift, and clocks that are set, at random.
pub(crate) fn commands() -> impl Strategy<Value = Command> {
    let outcome = proptest::sample::select(OutcomeKind::ALL.to_vec());
    prop_oneof![
        4 => (0_u8..16, 0_u8..5, proptest::option::of(0_u8..16))
            .prop_map(|(n, machine, undoes)| ordered(n, machine, undoes)),
        4 => (0_u8..16, outcome, 1_u32..3).prop_map(|(n, outcome, drive)| reported(n, outcome, drive)),
        1 => (0_u8..16).prop_map(|n| Command::Redrive(Box::new(Redrive {
            action_id: action_id(n),
            by: "person:bo".into(),
            flaw: n.is_multiple_of(11).then(|| "a flaw".into()),
            gate: gate(n),
        }))),
        1 => (0_u8..16).prop_map(|n| Command::NoteDrift {
            action_id: action_id(n),
            observed: "normal".into(),
            back: n.is_multiple_of(4),
        }),
        1 => (0_u64..1 << 40).prop_map(|ms| Command::NoteClock(ClockJumped {
            found_ms: Timestamp::from_ms(ms),
            expected_ms: NOW,
        })),
        1 => Just(Command::ReleaseTimers(TimersReleased { by: "person:ada".into() })),
        1 => Just(Command::Tick(Window::default())),
    ]
}

fn action_id(n: u8) -> ActionId {
    ActionId(Uuid::from_bytes([n; 16]))
}

/// Somebody orders an action, or takes an earlier one back.
fn ordered(n: u8, machine: u8, undoes: Option<u8>) -> Command {
    let manifest = ActionManifest {
        manifest_version: MANIFEST_VERSION,
        action_id: action_id(n),
        tenant_id: "acme".parse().expect("a name"),
        alert_id: alert_id(machine),
        incident_id: IncidentId(Uuid::from_bytes([machine; 16])),
        vendor: Vendor::Crowdstrike,
        action_type: ActionType::HostIsolation,
        target_urn: format!("urn:edr:crowdstrike:{machine}"),
        host: None,
        parameters: std::collections::BTreeMap::new(),
        dry_run: n.is_multiple_of(5),
        on_expiry: OnExpiry::Lift,
        hold_minutes: u32::from(n.is_multiple_of(2)),
        playbook: "contain".into(),
        playbook_sha256: Digest::of(b"playbook"),
        policy_sha256: Digest::of(b"policies"),
        protected: None,
        proposed_by: "service:triage".into(),
        proposed_at_ms: NOW,
        expires_at_ms: NOW.plus_ms(1000),
        release: undoes.map(|of| Release {
            of: Some(action_id(of)),
        }),
    };
    Command::Order(Box::new(Order {
        ordered: ActOrdered {
            manifest_sha256: Digest::of(&[n]),
            jws: "head.body.signature".into(),
            by: "person:ada".into(),
            policy: PolicySaid {
                policy_sha256: manifest.policy_sha256,
                policies: Vec::new(),
            },
            claim: n.is_multiple_of(3).then(|| ClaimMade {
                request_id: machine.to_string(),
                rollback: undoes.is_some(),
                body_sha256: Digest::of(&[machine]),
            }),
            manifest,
        },
        flaw: None,
        gate: gate(n),
    }))
}

fn gate(n: u8) -> Gate {
    Gate {
        halted: n.is_multiple_of(7),
        unproven: false,
        manner: if n.is_multiple_of(5) {
            Manner::DryRun
        } else {
            Manner::Live
        },
        limits: ContainmentLimits {
            per_hour: 8,
            per_day: 8,
            concurrent: 4,
            contained_hosts: 3,
            protected_hosts: 1,
            claim_ms: 10,
        },
    }
}

fn reported(n: u8, outcome: OutcomeKind, drive: u32) -> Command {
    Command::RecordAct(Box::new(ActReport {
        action_id: action_id(n),
        drive,
        outcome,
        observed: Some("contained".into()),
        reference: n.is_multiple_of(2).then(|| n.to_string()),
        status: Some(200),
        why: None,
        sent: 1,
        reconciled: false,
    }))
}
