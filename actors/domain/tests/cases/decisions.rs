//! Decisions: once, by a person who may, about what was shown, in time. Each way of failing has its
//! own reason on the chain.

use vyrox_domain::{
    action::short,
    digest::Digest,
    notice::Standing,
    protocol::{ApprovalRequested, Decide, Event, NotDecided, Ruling, Verb, Via},
    triage::Verdict::{Critical, High},
};

use crate::house::{
    APPROVAL_MS, Tenant, action_id, alarm, alert_id, approve, deny, evidence, incident_id, isolate,
    message, person, said,
};

/// A tenant with one proposal, of alert 1.
fn waiting() -> Tenant {
    let mut tenant = Tenant::default();
    tenant.take(&alarm(1, Critical, 1).proposing([isolate(1)]));
    tenant
}

fn from_chat(message_id: Option<&str>) -> Via {
    Via::Chat {
        guild_id: "7".into(),
        channel_id: "100".into(),
        message_id: message_id.map(str::to_owned),
        account_id: "42".into(),
        interaction_id: "9000".into(),
    }
}

fn counts() -> Ruling {
    Ruling::Counts(said())
}

#[test]
fn an_approval_counts_once() {
    let mut tenant = waiting();
    let Event::ApprovalGranted(granted) = tenant.decide(approve(1, "ana")) else {
        panic!("not granted")
    };
    assert_eq!(granted.action.approved_by.as_deref(), Some("person:ana"));
    assert_eq!(granted.facts.approvers, [person("ana")]);
    let standing = tenant.proposed(action_id(1, 0)).standing.clone();
    for again in [approve(1, "ana"), approve(1, "ben"), deny(1, "ben")] {
        assert_eq!(tenant.refused(again), NotDecided::AlreadyDecided);
    }
    let last = String::from_utf8_lossy(tenant.chain.last().expect("lines")).into_owned();
    assert!(last.contains("approve.duplicate_click_ignored"), "{last}");
    assert_eq!(tenant.proposed(action_id(1, 0)).standing, standing);
    assert_eq!(tenant.state.proposals.waiting(), 0);
}

#[test]
fn a_digest_is_taken_whole_or_as_chat_shows_it() {
    let digest = waiting().proposed(action_id(1, 0)).digest;
    for shown in [digest.to_hex(), short(&digest)] {
        let mut tenant = waiting();
        let decide = Decide {
            shown: Some(shown),
            ..approve(1, "ana")
        };
        assert!(matches!(tenant.decide(decide), Event::ApprovalGranted(_)));
    }
    let other = Digest::of(b"another manifest");
    let wrong = [
        other.to_hex(),
        short(&other),
        digest.to_hex().chars().take(15).collect(),
        digest.to_hex().to_uppercase(),
        String::new(),
    ];
    for shown in wrong {
        let mut tenant = waiting();
        let decide = Decide {
            shown: Some(shown.clone()),
            ..approve(1, "ana")
        };
        assert_eq!(
            tenant.refused(decide),
            NotDecided::DigestMismatch,
            "{shown}"
        );
        assert_eq!(tenant.state.proposals.waiting(), 1);
    }
}

#[test]
fn an_alert_without_a_proposal_and_one_with_two() {
    let mut tenant = waiting();
    assert_eq!(tenant.refused(approve(9, "ana")), NotDecided::UnknownAction);
    let named = Decide {
        shown: Some("00".into()),
        ..approve(9, "ana")
    };
    assert_eq!(tenant.refused(named), NotDecided::UnknownAction);
    tenant.take(&alarm(2, High, 2).proposing([isolate(2), isolate(3)]));
    assert_eq!(tenant.refused(approve(2, "ana")), NotDecided::DigestNeeded);
}

#[test]
fn a_press_counts_from_the_message_that_shows_the_proposal() {
    let mut tenant = waiting();
    tenant.show(1, message(5)).expect("shown");
    for other in [None, Some("4")] {
        let press = Decide {
            via: from_chat(other),
            ..approve(1, "ana")
        };
        assert_eq!(tenant.refused(press), NotDecided::WrongMessage, "{other:?}");
    }
    let press = Decide {
        via: from_chat(Some("5")),
        ..approve(1, "ana")
    };
    assert!(matches!(tenant.decide(press), Event::ApprovalGranted(_)));
}

#[test]
fn what_was_barred_before_the_machine_was_asked_is_written_down() {
    for why in [NotDecided::WrongPlace, NotDecided::RoleMissing] {
        let mut tenant = waiting();
        let press = Decide {
            barred: Some(why),
            via: from_chat(None),
            ..approve(1, "ana")
        };
        assert_eq!(tenant.refused(press), why);
    }
    let mut tenant = waiting();
    let stranger = Decide {
        person: None,
        via: from_chat(None),
        ..approve(1, "ana")
    };
    assert_eq!(tenant.refused(stranger), NotDecided::NotAPerson);
    let last = String::from_utf8_lossy(tenant.chain.last().expect("lines")).into_owned();
    assert!(last.contains("discord:42"), "{last}");
}

#[test]
fn two_persons_are_two_persons() {
    let mut tenant = waiting();
    let first = Decide {
        ruling: counts(),
        ..approve(1, "ana")
    };
    assert!(matches!(
        tenant.decide(first.clone()),
        Event::ApprovalGiven(given) if given.facts.approvals == 1
    ));
    assert_eq!(tenant.refused(first), NotDecided::SamePerson);
    assert_eq!(tenant.refused(approve(1, "ana")), NotDecided::SamePerson);
    let Event::ApprovalGranted(granted) = tenant.decide(approve(1, "ben")) else {
        panic!("not granted")
    };
    assert_eq!(granted.facts.approvers, [person("ana"), person("ben")]);
    let by = granted.facts.approvers;
    assert_eq!(
        tenant.proposed(action_id(1, 0)).standing,
        Standing::Approved { by }
    );
}

#[test]
fn whoever_said_yes_may_still_say_no() {
    let mut tenant = waiting();
    tenant.decide(Decide {
        ruling: counts(),
        ..approve(1, "ana")
    });
    assert!(matches!(
        tenant.decide(deny(1, "ana")),
        Event::ApprovalDenied(_)
    ));
}

#[test]
fn policies_have_the_last_word() {
    let mut tenant = waiting();
    for ruling in [Ruling::NotAsked, Ruling::Denied(said())] {
        let asked = matches!(ruling, Ruling::Denied(_));
        let decide = Decide {
            ruling,
            ..approve(1, "ana")
        };
        let Event::ApprovalRefused(refused) = tenant.decide(decide) else {
            panic!("it counted")
        };
        assert_eq!(refused.why, NotDecided::PolicyDenied);
        assert_eq!(refused.policy.is_some(), asked, "the policies are named");
    }
    let unsigned = Decide {
        ruling: Ruling::Suffices {
            policy: said(),
            jws: None,
        },
        ..approve(1, "ana")
    };
    assert_eq!(tenant.refused(unsigned), NotDecided::Unsigned);
    assert_eq!(tenant.state.proposals.waiting(), 1);
}

#[test]
fn time_is_over_when_it_is_over() {
    let mut tenant = waiting();
    tenant.wait(APPROVAL_MS + 1);
    assert_eq!(tenant.refused(approve(1, "ana")), NotDecided::Expired);
    tenant.tick().expect("it expires");
    assert_eq!(tenant.refused(approve(1, "ana")), NotDecided::Expired);
    assert_eq!(tenant.refused(deny(1, "ana")), NotDecided::Expired);

    let mut tenant = waiting();
    tenant.wait(APPROVAL_MS);
    assert!(matches!(
        tenant.decide(approve(1, "ana")),
        Event::ApprovalGranted(_)
    ));
}

#[test]
fn whoever_proposed_it_does_not_approve_it() {
    let mut tenant = Tenant::default();
    tenant.take(&alarm(1, Critical, 1));
    // A person's own proposal, as it stands on a chain.
    let mut manifest = waiting().proposed(action_id(1, 0)).manifest.clone();
    manifest.proposed_by = "person:ana".into();
    let event = Event::ApprovalRequested(Box::new(ApprovalRequested {
        manifest_sha256: manifest.digest().expect("canonical"),
        manifest,
        verdict: Critical,
    }));
    tenant.record(&event);
    assert_eq!(tenant.refused(approve(1, "ana")), NotDecided::SelfApproval);
    assert!(matches!(
        tenant.decide(approve(1, "ben")),
        Event::ApprovalGranted(_)
    ));
}

#[test]
fn breaking_the_glass_takes_the_incident_and_a_reason() {
    let glass = |incident: Option<u64>, reason: bool| Decide {
        verb: Verb::BreakGlass,
        incident_id: incident.map(incident_id),
        reason: reason.then(|| evidence(vyrox_domain::protocol::EvidenceKind::Reason, 30)),
        ..approve(1, "ana")
    };
    let mut tenant = waiting();
    for wrong in [
        glass(None, true),
        glass(Some(2), true),
        glass(Some(1), false),
    ] {
        assert_eq!(tenant.refused(wrong), NotDecided::WrongIncident);
    }
    let Event::ApprovalGranted(granted) = tenant.decide(glass(Some(1), true)) else {
        panic!("not granted")
    };
    let glass = granted.facts.break_glass.expect("written down");
    assert_eq!(glass.incident_id, incident_id(1));
    assert_eq!(granted.alert_id, alert_id(1));
}

#[test]
fn a_denial_without_a_reason_does_not_count() {
    let mut tenant = waiting();
    let mute = Decide {
        reason: None,
        ..deny(1, "ana")
    };
    assert_eq!(tenant.refused(mute), NotDecided::PolicyDenied);
}
