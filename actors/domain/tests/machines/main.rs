//! The tenant's machine against its own chain: whatever was decided and applied live is what a reader
//! of the chain gets back, and nothing that was refused changes anything.
#![expect(clippy::expect_used, reason = "a test says what it expected")]

mod acts;
#[path = "../writing/line.rs"]
mod line;

use proptest::{collection::vec, prelude::*};
use serde_json::Value;
use uuid::Uuid;
use vyrox_domain::{
    alert::{Alert, Severity},
    digest::Digest,
    entry::{Entry, Recorded, ReplayError},
    ids::{AlertId, IncidentId},
    incident::CaseFacts,
    protocol::{
        AlertReceived, AlertTriaged, Case, ChainOpened, Command, Effect, Evidence, EvidenceKind,
        IntakeRejected, Known, ReceiveAlert, RecordVerdict, Refusal, RejectReason,
        SecretFallbackUsed, Terms,
    },
    tenant::{Quota, TenantState, apply, decide, outstanding_effects, replay},
    time::Timestamp,
    triage::{Bands, Leaning, Level, RuleHit, assess},
    vendor::Vendor,
};

const NOW: Timestamp = Timestamp::from_ms(1_700_000_000_000);

/// The line of an entry; where nobody approved it a null says so, which is read as a member that is missing.
fn line(entry: &Entry, seq: u64) -> Vec<u8> {
    let mut line = line::line(entry, seq, "acme");
    if entry.action.is_some() {
        let members = line.as_object_mut().expect("an object");
        members.entry("approved_by").or_insert(Value::Null);
    }
    line.to_string().into_bytes()
}

fn alert_id(n: u8) -> AlertId {
    AlertId(Uuid::from_bytes([n; 16]))
}

fn received(n: u8, known: Known, evidence_bytes: u64, quota_bytes: Option<u64>) -> Command {
    let vendor = *Vendor::ALL
        .iter()
        .cycle()
        .nth(usize::from(n))
        .expect("vendors");
    let mut alert = Alert::bare(vendor, format!("vendor-{n}"));
    alert.severity = Severity::from_score(n);
    alert.device.hostname = (!n.is_multiple_of(3)).then(|| format!("host \u{1F980} {n}"));
    let piece = |kind, at_seq| Evidence {
        kind,
        sha256: Digest::of(&[n]),
        length: evidence_bytes / 2,
        at_seq,
    };
    let evidence = vec![
        piece(EvidenceKind::Alert, None),
        piece(EvidenceKind::Raw, n.is_multiple_of(5).then_some(1)),
    ];
    Command::ReceiveAlert(Box::new(ReceiveAlert {
        alert_id: alert_id(n),
        received: AlertReceived::of(&alert, evidence),
        known,
        quota: holding(quota_bytes),
    }))
}

fn holding(bytes: Option<u64>) -> Quota {
    Quota {
        bytes,
        ..Quota::default()
    }
}

fn rejected(length: u64, quota_bytes: Option<u64>) -> Command {
    let raw = Evidence {
        kind: EvidenceKind::Raw,
        sha256: Digest::of(b"raw"),
        length,
        at_seq: None,
    };
    Command::RejectIntake {
        rejected: IntakeRejected {
            vendor: Vendor::Generic,
            detail: "no known shape".into(),
            reason: length
                .is_multiple_of(2)
                .then_some(RejectReason::Quarantined),
            vendor_alert_ids: (0..length % 3).map(|n| format!("ldt:{n}")).collect(),
            evidence: vec![raw],
            held_receipt: None,
        },
        quota: holding(quota_bytes),
    }
}

fn verdict(n: u8, weight_bp: u16) -> Command {
    let hit = RuleHit {
        rule_id: format!("rule.{n}"),
        title: "a rule".into(),
        leaning: if n.is_multiple_of(2) {
            Leaning::Malicious
        } else {
            Leaning::Benign
        },
        level: Level::High,
        weight_bp,
        overrides: false,
        tactics: vec!["execution".into()],
        techniques: vec!["T1059".into()],
        matched: vec!["process.command_line".into()],
    };
    let assessment = assess(Severity::Low, &[hit], Bands::default());
    let triaged = AlertTriaged::of(assessment, Digest::of(b"rules"));
    Command::RecordVerdict(Box::new(RecordVerdict {
        alert_id: alert_id(n),
        triaged,
        daily_calls: None,
        case: case(n),
    }))
}

/// What is known of an alert that nothing ties to another.
fn case(n: u8) -> Case {
    Case {
        facts: CaseFacts {
            vendor: Vendor::Generic,
            host: None,
            device_id: None,
            links: Vec::new(),
            tactics: Vec::new(),
            techniques: Vec::new(),
            reasons: Vec::new(),
        },
        enriched: None,
        incident_id: IncidentId(Uuid::from_bytes([n; 16])),
        drafts: Vec::new(),
        terms: Terms {
            tenant_id: "acme".parse().expect("a name"),
            approval_ms: 60_000,
            dry_run: false,
            policy_sha256: Digest::of(b"policies"),
        },
    }
}

fn command() -> impl Strategy<Value = Command> {
    let known = prop_oneof![
        Just(Known::New),
        Just(Known::IdReused),
        (any::<u8>(), any::<u32>()).prop_map(|(n, seq)| Known::Same {
            alert_id: alert_id(n),
            seq: u64::from(seq)
        }),
    ];
    prop_oneof![
        1 => Just(Command::OpenChain(ChainOpened {
            opaque_id: "0011".into(),
            format_version: 1,
            key_ids: vec!["k".into()],
            stands_for: None,
        })),
        6 => (0_u8..12, known, 0_u64..5000, proptest::option::of(0_u64..20_000))
            .prop_map(|(n, known, bytes, quota)| received(n, known, bytes, quota)),
        4 => (0_u8..12, 0_u16..10_000).prop_map(|(n, weight)| verdict(n, weight)),
        5 => acts::commands(),
        1 => Just(Command::NoteFallback(SecretFallbackUsed { vendor: Vendor::Defender })),
        1 => (0_u64..5000, proptest::option::of(0_u64..20_000))
            .prop_map(|(bytes, quota)| rejected(bytes, quota)),
    ]
}

proptest! {
    #[test]
    fn replaying_a_tenants_chain_gives_its_live_state(commands in vec(command(), 0..60)) {
        let (mut live, mut chain) = (TenantState::default(), Vec::new());
        for (n, command) in commands.into_iter().enumerate() {
            let before = live.clone();
            let at = Timestamp::from_ms(1_700_000_000_000 + 7_000 * n as u64);
            let Ok(events) = decide(&live, command, at) else {
                prop_assert_eq!(&live, &before);
                continue;
            };
            for event in events {
                chain.push(line(&event.entry(at), live.next_seq));
                apply(&mut live, &event, at);
            }
        }
        let mut replayed = TenantState::default();
        for line in &chain {
            replay(&mut replayed, &Recorded::parse(line).expect("a line")).expect("replays");
        }
        prop_assert_eq!(&replayed, &live);
        prop_assert_eq!(live.next_seq, chain.len() as u64);

        let owed: Vec<_> = outstanding_effects(&live);
        let seqs: Vec<_> = owed.iter().filter_map(|effect| match effect {
            Effect::Triage { seq, .. } => Some(*seq),
            _ => None,
        }).collect();
        prop_assert!(seqs.is_sorted());
        prop_assert_eq!(seqs.len(), live.untriaged.len());

        // A snapshot is the state, too.
        let kept = serde_json::to_vec(&live).expect("JSON");
        prop_assert_eq!(serde_json::from_slice::<TenantState>(&kept).expect("a state"), live);
    }

    #[test]
    fn the_quota_is_never_passed(bytes in vec(0_u64..4000, 1..40), quota in 0_u64..30_000) {
        let mut state = TenantState::default();
        for (n, bytes) in (0_u8..).zip(bytes) {
            // What nobody understood takes room like any alert.
            let command = if n.is_multiple_of(3) {
                rejected(bytes, Some(quota))
            } else {
                received(n.saturating_mul(5).saturating_add(1), Known::New, bytes, Some(quota))
            };
            match decide(&state, command, NOW) {
                Ok(events) => events.iter().for_each(|event| apply(&mut state, event, NOW)),
                Err(refusal) => prop_assert_eq!(refusal, Refusal::QuotaExceeded),
            }
            prop_assert!(state.evidence_bytes <= quota);
        }
    }
}

#[test]
fn a_verdict_counts_once_and_for_an_alert_that_waits() {
    let mut state = TenantState::default();
    assert_eq!(
        decide(&state, verdict(2, 9000), NOW),
        Err(Refusal::NotAwaitingVerdict)
    );
    for event in decide(&state, received(2, Known::New, 10, None), NOW).expect("taken in") {
        apply(&mut state, &event, NOW);
    }
    let events = decide(&state, verdict(2, 9000), NOW).expect("counts");
    for event in &events {
        apply(&mut state, event, NOW);
    }
    assert_eq!(
        decide(&state, verdict(2, 9000), NOW),
        Err(Refusal::NotAwaitingVerdict)
    );
    let triage = outstanding_effects(&state).into_iter();
    let triage = triage.filter(|effect| matches!(effect, Effect::Triage { .. }));
    assert_eq!(triage.count(), 0);
}

#[test]
fn a_chain_out_of_order_or_from_the_future_is_refused() {
    let opened = ChainOpened {
        opaque_id: "1".into(),
        format_version: 1,
        key_ids: Vec::new(),
        stands_for: None,
    };
    let events = decide(&TenantState::default(), Command::OpenChain(opened), NOW).expect("opens");
    let entry = events.first().expect("one").entry(Timestamp::from_ms(5));
    let mut state = TenantState::default();
    let skipped = Recorded::parse(&line(&entry, 1)).expect("a line");
    let refused = replay(&mut state, &skipped);
    assert_eq!(
        refused,
        Err(ReplayError::OutOfOrder {
            expected: 0,
            found: 1
        })
    );

    let newer = Entry {
        event_version: 2,
        ..entry
    };
    let newer = Recorded::parse(&line(&newer, 0)).expect("a line");
    let refused = replay(&mut state, &newer).expect_err("unknown");
    assert!(
        refused.to_string().contains("chain.opened version 2"),
        "{refused}"
    );
    assert_eq!(state, TenantState::default());
}
