//! What is proposed, and what is not proposed again.

use vyrox_domain::{
    action::{ActionType, Draft},
    notice::Standing,
    protocol::{Event, Refusal},
    tenant::WAITING_MAX,
    triage::Verdict::{Critical, High, Medium},
};

use crate::house::{
    APPROVAL_MS, MINUTE_MS, Tenant, action_id, alarm, approve, deny, isolate, received,
};

const PROPOSED: [&str; 2] = ["alert.triaged", "approval.requested"];

#[test]
fn a_manifest_says_what_the_draft_and_the_terms_say() {
    let mut tenant = Tenant::default();
    let followed = tenant.take(&alarm(1, Critical, 1).proposing([isolate(1)]));
    assert_eq!(
        followed,
        ["alert.triaged", "incident.opened", "approval.requested"]
    );
    let proposed = tenant.proposed(action_id(1, 0));
    let manifest = &proposed.manifest;
    assert_eq!(manifest.digest().expect("canonical"), proposed.digest);
    assert_eq!(manifest.check(), Ok(()));
    assert_eq!(manifest.target_urn, isolate(1).target_urn);
    assert_eq!(manifest.expires_at_ms, tenant.now.plus_ms(APPROVAL_MS));
    assert_eq!(manifest.proposed_by, "service:triage");
    let notice = tenant.notice(1).expect("shown");
    assert_eq!(notice.proposals[0].digest, proposed.digest);
}

#[test]
fn the_same_is_not_proposed_while_it_waits_or_holds() {
    let mut tenant = Tenant::default();
    tenant.take(&alarm(1, High, 1).proposing([isolate(1)]));
    let again = |n| alarm(n, Critical, 1).proposing([isolate(1)]);
    let followed = tenant.take(&again(2));
    assert_eq!(followed, ["alert.triaged", "incident.raised"]);
    tenant.decide(approve(1, "ana"));
    assert_eq!(tenant.take(&again(3)), ["alert.triaged"]);
    // Another machine is another matter.
    let other = alarm(4, High, 1).proposing([isolate(2)]);
    assert_eq!(tenant.take(&other), PROPOSED);
    // The isolation held for four hours.
    tenant.wait(240 * MINUTE_MS + 1);
    assert!(tenant.take(&again(5)).contains(&"approval.requested"));
}

/// Two playbooks that both isolate the machine made two proposals of one alert: each was held against
/// those that waited before the alert, and not against the other.
#[test]
fn one_alert_does_not_propose_the_same_twice() {
    let mut tenant = Tenant::default();
    let mut second = isolate(1);
    second.playbook = "contain_lateral_movement".into();
    let twice = alarm(1, High, 1).proposing([isolate(1), second, isolate(2)]);
    assert_eq!(
        tenant.take(&twice),
        [
            "alert.triaged",
            "incident.opened",
            "approval.requested",
            "approval.requested"
        ]
    );
    assert_eq!(tenant.state.proposals.waiting(), 2);
}

/// One machine had one place for each kind of action, so that the first process that somebody was asked
/// about kept all others alive.
#[test]
fn another_process_of_the_same_machine_is_another_matter() {
    let kill = |pid: u32| Draft {
        action_type: ActionType::ProcessKill,
        parameters: [("pid".to_owned(), pid.to_string())].into(),
        ..isolate(1)
    };
    let mut tenant = Tenant::default();
    tenant.take(&alarm(1, High, 1).proposing([kill(100)]));
    assert_eq!(
        tenant.take(&alarm(2, High, 1).proposing([kill(100), kill(200)])),
        PROPOSED
    );
    assert_eq!(tenant.state.proposals.waiting(), 2);
}

#[test]
fn a_hash_is_blocked_once_from_whichever_machine() {
    let block = |machine, digit: &str| Draft {
        action_type: ActionType::HashBlock,
        parameters: [("sha256".to_owned(), digit.repeat(64))].into(),
        ..isolate(machine)
    };
    let mut tenant = Tenant::default();
    tenant.take(&alarm(1, High, 1).proposing([block(1, "a")]));
    let other = alarm(2, High, 1).proposing([block(2, "a")]);
    assert_eq!(tenant.take(&other), ["alert.triaged"]);
    let other = alarm(3, High, 1).proposing([block(2, "b")]);
    assert_eq!(tenant.take(&other), PROPOSED);
}

/// A no of somebody who could not have said yes kept a machine from being contained for four hours.
#[test]
fn what_was_denied_comes_back_with_a_new_alert_after_a_while() {
    let mut tenant = Tenant::default();
    tenant.take(&alarm(1, High, 1).proposing([isolate(1)]));
    tenant.decide(deny(1, "ana"));
    tenant.wait(15 * MINUTE_MS);
    let again = |n| alarm(n, High, 1).proposing([isolate(1)]);
    assert_eq!(tenant.take(&again(2)), ["alert.triaged"]);
    tenant.wait(1);
    assert_eq!(tenant.take(&again(3)), PROPOSED);
}

#[test]
fn what_was_denied_comes_back_at_once_only_if_it_got_worse() {
    let mut tenant = Tenant::default();
    tenant.take(&alarm(1, High, 1).proposing([isolate(1)]));
    assert!(matches!(
        tenant.decide(deny(1, "ana")),
        Event::ApprovalDenied(_)
    ));
    let same = alarm(2, High, 1).proposing([isolate(1)]);
    assert_eq!(tenant.take(&same), ["alert.triaged"]);
    let worse = alarm(3, Critical, 1).proposing([isolate(1)]);
    assert_eq!(
        tenant.take(&worse),
        ["alert.triaged", "incident.raised", "approval.requested"]
    );
}

#[test]
fn nobody_deciding_in_time_is_said_once_and_it_may_be_proposed_again() {
    let mut tenant = Tenant::default();
    tenant.take(&alarm(1, High, 1).proposing([isolate(1)]));
    tenant.wait(APPROVAL_MS);
    assert_eq!(tenant.tick(), Err(Refusal::NothingNew), "the last moment");
    tenant.wait(1);
    assert_eq!(tenant.tick(), Ok(vec!["approval.expired"]));
    assert_eq!(tenant.tick(), Err(Refusal::NothingNew));
    assert_eq!(tenant.proposed(action_id(1, 0)).standing, Standing::Expired);
    let again = alarm(2, High, 1).proposing([isolate(1)]);
    assert_eq!(tenant.take(&again), PROPOSED);
}

/// A playbook of a tenant's own may speak of any verdict; what people are asked to do to a machine
/// still takes more than suspicion.
#[test]
fn a_medium_verdict_proposes_nothing() {
    let mut tenant = Tenant::default();
    let medium = alarm(1, Medium, 1).proposing([isolate(1)]);
    assert_eq!(tenant.take(&medium), ["alert.triaged", "incident.opened"]);
}

/// The limit was looked at once an alert, so that the last one could pass it with several proposals.
#[test]
fn no_more_wait_than_may() {
    let mut tenant = Tenant::default();
    for n in 0..=WAITING_MAX as u64 / 3 {
        tenant.run(received(n)).expect("taken in");
        let alarm = alarm(n, Critical, n).proposing([0, 1, 2].map(|at| isolate(n * 3 + at)));
        tenant.run(alarm.judged()).expect("judged");
        assert!(tenant.state.proposals.waiting() <= WAITING_MAX);
    }
    assert_eq!(tenant.state.proposals.waiting(), WAITING_MAX);
}

/// A flood of alerts took all places, and the one that mattered asked nobody.
#[test]
fn a_flood_leaves_room_for_the_worst_and_for_other_incidents() {
    let mut tenant = Tenant::default();
    let flood = alarm(1, High, 1).proposing((0..80).map(isolate));
    let followed = tenant.take(&flood);
    assert_eq!(tenant.state.proposals.waiting(), 64, "one incident's share");
    let left_out = followed
        .iter()
        .filter(|name| **name == "approval.not_requested");
    assert_eq!(left_out.count(), 16, "and the chain says what was left out");
    for n in (100..1_100).step_by(100) {
        let first = n * 100;
        tenant.take(&alarm(n, High, n).proposing((first..first + 60).map(isolate)));
    }
    assert_eq!(tenant.state.proposals.waiting(), WAITING_MAX - 128);
    let worst = alarm(5_000, Critical, 5_000).proposing([isolate(500_000)]);
    assert!(tenant.take(&worst).contains(&"approval.requested"));
}
