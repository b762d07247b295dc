use serde_json::json;
use vyrox_domain::{
    action::{ActionManifest, ActionType, OnExpiry, Release},
    containment::{
        ActAbout, ActBegun, ActDrifted, ActOrdered, ActOutcome, ActWithheld, HoldEnded, Manner,
        OutcomeKind, Withheld,
    },
    protocol::{ActionTop, ApprovalRequested, Decided, PolicySaid},
};

use super::*;

const ALERT: &str = "0190a2d4-0000-7000-8000-0000000000a1";
const ACT: &str = "0190a2d4-0000-7000-8000-0000000000b1";
const UNDO: &str = "0190a2d4-0000-7000-8000-0000000000b2";

fn id(text: &str) -> ActionId {
    text.parse().unwrap()
}

fn manifest(action_id: &str, of: Option<&str>) -> ActionManifest {
    ActionManifest {
        manifest_version: 1,
        action_id: id(action_id),
        tenant_id: "acme".parse().unwrap(),
        alert_id: ALERT.parse().unwrap(),
        incident_id: ALERT.parse().unwrap(),
        vendor: Vendor::Crowdstrike,
        action_type: ActionType::HostIsolation,
        target_urn: "urn:edr:crowdstrike:0a1b".into(),
        host: Some("WS-1".into()),
        parameters: BTreeMap::new(),
        dry_run: false,
        on_expiry: OnExpiry::Ask,
        hold_minutes: 10,
        playbook: "isolate".into(),
        playbook_sha256: Digest::of(b"p"),
        policy_sha256: Digest::of(b"c"),
        protected: None,
        proposed_by: "service:triage".into(),
        proposed_at_ms: Timestamp::from_ms(1),
        expires_at_ms: Timestamp::from_ms(900_000),
        release: of.map(|of| Release { of: Some(id(of)) }),
    }
}

fn decided<T>(facts: T, action_id: &str) -> Decided<T> {
    Decided {
        alert_id: ALERT.parse().unwrap(),
        action: ActionTop::of(&manifest(action_id, None)),
        facts,
    }
}

fn about(action_id: &str, of: Option<&str>) -> ActAbout {
    ActAbout {
        action_id: id(action_id),
        manifest_sha256: Digest::of(b"m"),
        release: of.map(|of| Release { of: Some(id(of)) }),
    }
}

fn begun(manner: Manner) -> Event {
    let facts = ActBegun {
        about: about(ACT, None),
        drive: 1,
        manner,
        by: None,
    };
    Event::ActBegun(decided(facts, ACT))
}

fn ended(action_id: &str, of: Option<&str>, outcome: OutcomeKind) -> Event {
    let facts = ActOutcome {
        about: about(action_id, of),
        drive: 1,
        outcome,
        observed: Some("contained".into()),
        reference: None,
        status: None,
        why: None,
        sent: 1,
        reconciled: false,
        given_up: false,
    };
    Event::ActOutcome(decided(facts, action_id))
}

fn ordered(action_id: &str, of: Option<&str>, by: &str) -> Event {
    Event::ActOrdered(Box::new(ActOrdered {
        manifest: manifest(action_id, of),
        manifest_sha256: Digest::of(b"m"),
        jws: String::new(),
        by: by.into(),
        policy: PolicySaid {
            policy_sha256: Digest::of(b"c"),
            policies: Vec::new(),
        },
        claim: None,
    }))
}

fn recorded(seq: u64) -> Recorded {
    let line = json!({
        "seq": seq, "event": "test", "event_version": 1, "actor": "system",
        "timestamp_ms": seq * 1000, "alert_id": ALERT, "payload": {},
    });
    serde_json::from_value(line).unwrap()
}

/// An alert of which these things happened, one a second from the first on.
fn after(events: &[Event]) -> AlertView {
    let received: AlertReceived = serde_json::from_value(json!({
        "vendor": "crowdstrike", "vendor_alert_id": "1", "host": "WS-1", "device_id": "0a1b",
        "severity": "high", "severity_score": 70, "techniques": [], "detected_at_ms": null,
        "evidence": [],
    }))
    .unwrap();
    let mut view = AlertView::received(
        "acme".parse().unwrap(),
        ALERT.parse().unwrap(),
        received,
        &recorded(0),
        Digest::of(b"0"),
    );
    for (seq, event) in (1..).zip(events) {
        view.happened(event, &recorded(seq));
    }
    // What a row holds is what is read of it again.
    let stored = serde_json::to_vec(&view).unwrap();
    assert_eq!(serde_json::from_slice::<AlertView>(&stored).unwrap(), view);
    view
}

fn requested() -> Event {
    Event::ApprovalRequested(Box::new(ApprovalRequested {
        manifest: manifest(ACT, None),
        manifest_sha256: Digest::of(b"m"),
        verdict: Verdict::High,
    }))
}

fn act(view: &AlertView) -> ActView {
    let proposal = view.proposal.as_ref().unwrap();
    assert_eq!(view.last_proposals.last(), Some(proposal));
    proposal.act.clone().unwrap()
}

#[test]
fn an_outcome_is_the_status_of_its_alert() {
    use OutcomeKind::{Accepted, AlreadySo, Executed, Refused, Unknown, Unreachable};
    let live = || vec![requested(), begun(Manner::Live)];
    assert_eq!(after(&live()).status, Status::Executing);
    for (outcome, status) in [
        (Executed, Status::Executed),
        (AlreadySo, Status::Executed),
        (Accepted, Status::Containing),
        (Refused, Status::Refused),
        (Unreachable, Status::Failed),
        (Unknown, Status::Unknown),
    ] {
        let mut events = live();
        events.push(ended(ACT, None, outcome));
        assert_eq!(after(&events).status, status, "{outcome:?}");
    }
}

#[test]
fn a_rehearsal_leaves_an_approved_action_approved() {
    let rehearsed = [
        ordered(ACT, None, "external:bob"),
        begun(Manner::DryRun),
        ended(ACT, None, OutcomeKind::DryRun),
    ];
    let view = after(&rehearsed);
    assert_eq!(view.status, Status::Approved);
    assert_eq!(act(&view).state, ActState::DryRun);
    assert_eq!(act(&view).in_force_since_ms, None);
}

#[test]
fn an_order_without_a_proposal_is_shown_like_one_with_its_giver() {
    let view = after(&[ordered(ACT, None, "external:bob")]);
    assert_eq!(view.status, Status::Approved);
    assert_eq!(view.proposals, 1);
    let shown = view.proposal.as_ref().unwrap();
    assert_eq!(shown.standing, Standing::Approved { by: Vec::new() });
    assert_eq!(act(&view).ordered_by.as_deref(), Some("external:bob"));
}

#[test]
fn a_hold_counts_from_the_first_moment_in_force() {
    let events = [
        requested(),
        begun(Manner::Live),
        ended(ACT, None, OutcomeKind::Accepted),
        ended(ACT, None, OutcomeKind::Executed),
    ];
    let view = after(&events);
    assert_eq!(act(&view).in_force_since_ms, Some(Timestamp::from_ms(3000)));
    assert_eq!(
        act(&view).hold_ends_at_ms,
        Some(Timestamp::from_ms(603_000))
    );
    assert_eq!(act(&view).since_ms, Timestamp::from_ms(4000));
    assert_eq!(act(&view).observed.as_deref(), Some("contained"));
}

#[test]
fn an_end_of_its_time_and_a_release_behind_our_back_are_shown_beside_the_outcome() {
    let ended_hold = HoldEnded {
        about: about(ACT, None),
        on_expiry: OnExpiry::Ask,
    };
    let drifted = ActDrifted {
        about: about(ACT, None),
        observed: "normal".into(),
        back: false,
    };
    let view = after(&[
        requested(),
        begun(Manner::Live),
        ended(ACT, None, OutcomeKind::Executed),
        Event::HoldEnded(decided(ended_hold, ACT)),
        Event::ActDrifted(decided(drifted, ACT)),
    ]);
    assert_eq!(view.status, Status::Executed);
    assert_eq!(act(&view).hold_ended_at_ms, Some(Timestamp::from_ms(4000)));
    assert_eq!(act(&view).drifted_at_ms, Some(Timestamp::from_ms(5000)));
    assert_eq!(act(&view).observed.as_deref(), Some("normal"));
}

#[test]
fn what_was_withheld_says_why_and_may_begin_later() {
    let facts = ActWithheld {
        about: about(ACT, None),
        why: Withheld::HourBudget,
        detail: None,
    };
    let withheld = Event::ActWithheld(decided(facts, ACT));
    let view = after(&[requested(), withheld.clone()]);
    assert_eq!(view.status, Status::Failed);
    assert_eq!(act(&view).withheld, Some(Withheld::HourBudget));
    assert!(act(&view).why.unwrap().contains("hour"));
    let view = after(&[requested(), withheld, begun(Manner::Live)]);
    assert_eq!(view.status, Status::Executing);
    assert_eq!((act(&view).withheld, act(&view).why), (None, None));
}

#[test]
fn only_a_release_that_is_seen_rolls_its_action_back() {
    let contained = || {
        vec![
            requested(),
            begun(Manner::Live),
            ended(ACT, None, OutcomeKind::Executed),
            ordered(UNDO, Some(ACT), "person:ann"),
        ]
    };
    let view = after(&contained());
    assert_eq!(view.status, Status::Executed);
    assert_eq!(view.proposals, 1, "taking it back is no proposal");
    assert_eq!(act(&view).undoing, Some(id(UNDO)));
    for (outcome, status) in [
        (OutcomeKind::Executed, Status::RolledBack),
        (OutcomeKind::AlreadySo, Status::RolledBack),
        (OutcomeKind::Accepted, Status::Executed),
        (OutcomeKind::Refused, Status::Executed),
        (OutcomeKind::Unreachable, Status::Executed),
        (OutcomeKind::Unknown, Status::Executed),
        (OutcomeKind::DryRun, Status::Executed),
    ] {
        let mut events = contained();
        events.push(ended(UNDO, Some(ACT), outcome));
        let view = after(&events);
        assert_eq!(view.status, status, "{outcome:?}");
        assert_eq!(act(&view).undoing_outcome, Some(outcome));
    }
}

#[test]
fn a_row_of_an_older_release_is_read() {
    let mut row = serde_json::to_value(after(&[requested()])).unwrap();
    let proposal = row["proposal"].as_object_mut().unwrap();
    for member in ["act", "hold_minutes", "on_expiry"] {
        proposal.remove(member);
    }
    let view: AlertView = serde_json::from_value(row).unwrap();
    assert_eq!(view.proposal.unwrap().act, None);
}
