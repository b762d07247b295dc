//! Alerts that belong together, and people who hear of them once.

use vyrox_domain::{
    attack::Tactic,
    incident::{LinkKind, Window},
    protocol::{Command, Event, NotifyFailed, NotifySent, Refusal, Told},
    tenant::{TenantState, apply, decide},
    triage::Verdict::{Benign, Critical, High, Low, Medium},
};

use crate::house::{Alarm, MINUTE_MS, Tenant, alarm, incident_id, isolate, message, received};

#[test]
fn an_eight_stage_attack_over_machines_is_one_incident_with_one_revision_a_change() {
    let stages = [
        (1, Tactic::InitialAccess, Low),
        (1, Tactic::Execution, Medium),
        (1, Tactic::Persistence, Low),
        (1, Tactic::CredentialAccess, Medium),
        (2, Tactic::Discovery, Low),
        (3, Tactic::LateralMovement, Medium),
        (4, Tactic::Collection, Low),
        (5, Tactic::Exfiltration, Medium),
    ];
    let mut tenant = Tenant::default();
    let (mut changes, mut seen) = (0, Vec::new());
    for (n, (machine, tactic, verdict)) in (1..).zip(stages) {
        let step = Alarm {
            tactic: Some(tactic),
            ..alarm(n, verdict, machine).also(7)
        };
        for name in tenant.take(&step) {
            if name.starts_with("incident.") {
                changes += 1;
                seen.push(name);
            }
        }
        let revision = tenant.notice(1).map_or(0, |notice| notice.revision);
        assert_eq!(revision, changes, "after stage {n}");
        tenant.wait(5 * MINUTE_MS);
    }
    assert_eq!(
        seen,
        ["incident.opened", "incident.raised", "incident.raised"]
    );
    let notice = tenant.notice(1).expect("shown");
    assert_eq!(
        (notice.level, notice.alerts, notice.host_count),
        (Critical, 8, 5)
    );
    assert_eq!(tenant.state.telling.iter().count(), 1);
}

#[test]
fn what_is_harmless_is_closed_and_nobody_hears_of_it() {
    let mut tenant = Tenant::default();
    assert_eq!(
        tenant.take(&alarm(1, Benign, 1)),
        ["alert.triaged", "alert.closed"]
    );
    assert_eq!(
        tenant.take(&alarm(2, Low, 1)),
        ["alert.triaged", "alert.closed"]
    );
    assert_eq!(tenant.state.counts.closed, 2);
    assert_eq!(tenant.behind(), []);
    assert_eq!(tenant.notice(2), None);
    // What is benign belongs nowhere; small signs are remembered.
    assert_eq!(tenant.state.incidents.len(), 1);
}

/// Rules of level low that were sure of themselves gave a verdict of LOW that was never closed: nobody
/// saw it, and nothing ever ended it.
#[test]
fn a_low_verdict_is_closed_however_sure_the_rules_are() {
    let mut tenant = Tenant::default();
    let sure = Alarm {
        band: vyrox_domain::triage::Band::Classified,
        ..alarm(1, Low, 1)
    };
    assert_eq!(tenant.take(&sure), ["alert.triaged", "alert.closed"]);
}

#[test]
fn folded_alerts_say_why_and_raise_no_revision() {
    let mut tenant = Tenant::default();
    tenant.take(&alarm(1, High, 1));
    for n in 2..40 {
        tenant.run(received(n)).expect("taken in");
        let events = tenant.run(alarm(n, High, 1).judged()).expect("judged");
        let placed = events[0].placed().expect("placed");
        assert!(placed.folded && !placed.fresh);
        assert_eq!(placed.via, [LinkKind::Host]);
        assert_eq!(placed.incident_id, incident_id(1));
        assert_eq!(events.len(), 1);
    }
    let notice = tenant.notice(1).expect("shown");
    assert_eq!((notice.revision, notice.alerts, notice.folded), (1, 39, 38));
    assert!(notice.storm);
}

#[test]
fn an_absorbed_incident_hands_its_proposals_over_and_both_messages_are_due() {
    let mut tenant = Tenant::default();
    tenant.take(&alarm(1, Critical, 1).proposing([isolate(1)]));
    tenant.take(&alarm(2, High, 2).proposing([isolate(2)]));
    tenant.show(1, message(1)).expect("shown");
    tenant.show(2, message(2)).expect("shown");
    assert_eq!(tenant.behind(), []);

    // An account that was on both machines shows them to be one.
    let mut bridge = alarm(3, High, 1).also(9);
    tenant.take(&bridge);
    bridge = alarm(4, High, 2).also(9);
    let followed = tenant.take(&bridge);
    assert_eq!(followed, ["alert.triaged", "incident.closed"]);
    assert_eq!(tenant.behind(), [incident_id(1), incident_id(2)]);

    let survivor = tenant.notice(1).expect("shown");
    let ends = tenant.notice(2).expect("its last word");
    assert_eq!(survivor.proposals.len(), 2);
    assert_eq!(ends.closed.as_deref(), Some("part of another incident"));
    assert!(ends.proposals.is_empty(), "they are the other's now");

    tenant.show(2, message(2)).expect("shown");
    assert_eq!(tenant.notice(2), None, "nothing more is said of it");
    tenant.show(1, message(1)).expect("shown");
    assert_eq!(tenant.behind(), []);
}

#[test]
fn a_closed_incidents_last_word_is_due_and_then_it_is_forgotten() {
    let mut tenant = Tenant::default();
    tenant.take(&alarm(1, High, 1));
    tenant.show(1, message(1)).expect("shown");
    assert_eq!(tenant.tick(), Err(Refusal::NothingNew));
    tenant.wait(30 * MINUTE_MS);
    assert_eq!(tenant.tick(), Ok(vec!["incident.closed"]));
    assert_eq!(tenant.tick(), Err(Refusal::NothingNew));
    let last = tenant.notice(1).expect("its last word");
    assert_eq!(last.closed.as_deref(), Some("quiet"));
    tenant.show(1, message(1)).expect("shown");
    assert_eq!(tenant.notice(1), None);
    assert_eq!(tenant.state.telling.iter().count(), 0);
}

#[test]
fn an_incident_that_chat_never_showed_ends_without_a_word() {
    let mut tenant = Tenant::default();
    tenant.take(&alarm(1, High, 1));
    tenant.wait(30 * MINUTE_MS);
    assert_eq!(tenant.tick(), Ok(vec!["incident.closed"]));
    assert_eq!(tenant.behind(), []);
    assert_eq!(tenant.notice(1), None);
}

/// A post that was under way when its incident ended was reported late; the report was refused as nothing
/// new, and the message kept its buttons for ever.
#[test]
fn a_message_that_comes_to_light_late_still_learns_that_the_incident_ended() {
    let mut tenant = Tenant::default();
    tenant.take(&alarm(1, High, 1));
    let sent = NotifySent {
        incident_id: incident_id(1),
        revision: 1,
        level: High,
        message: message(1),
        shown: Vec::new(),
        quietly: false,
    };
    tenant.wait(Window::default().quiet_ms);
    assert_eq!(tenant.tick(), Ok(vec!["incident.closed"]));
    assert_eq!((tenant.behind(), tenant.notice(1)), (vec![], None));
    let late = || Command::RecordTelling(Told::Sent(sent.clone()));
    tenant.run(late()).expect("news");
    assert_eq!(tenant.behind(), [incident_id(1)]);
    assert!(tenant.run(late()).is_err(), "known by now");
    assert!(
        tenant
            .notice(1)
            .is_some_and(|notice| notice.closed.is_some())
    );
    tenant.show(1, message(1)).expect("shown");
    assert_eq!((tenant.behind(), tenant.notice(1)), (vec![], None));
}

/// A message that could not be edited any more kept its tenant awake for ever.
#[test]
fn a_last_word_that_chat_refuses_for_a_day_is_left_unsaid() {
    let mut tenant = Tenant::default();
    tenant.take(&alarm(1, High, 1));
    tenant.show(1, message(1)).expect("shown");
    tenant.wait(30 * MINUTE_MS);
    assert_eq!(tenant.tick(), Ok(vec!["incident.closed"]));
    let failed = NotifyFailed {
        incident_id: incident_id(1),
        revision: 2,
        why: "missing access".into(),
    };
    let failed = Command::RecordTelling(Told::Failed(failed));
    tenant.run(failed).expect("written");
    tenant.wait(24 * 60 * MINUTE_MS - 1);
    assert_eq!(tenant.tick(), Err(Refusal::NothingNew));
    tenant.wait(1);
    assert_eq!(tenant.tick(), Ok(vec!["notify.failed"]));
    assert_eq!((tenant.behind(), tenant.notice(1)), (vec![], None));
    assert_eq!(tenant.tick(), Err(Refusal::NothingNew));
}

#[test]
fn an_incident_stays_as_long_as_somebody_may_decide_about_it() {
    let mut tenant = Tenant::default();
    tenant.take(&alarm(1, High, 1).proposing([isolate(1)]));
    // Its quiet time ends before the proposal's does.
    tenant.wait(16 * MINUTE_MS);
    tenant.take(&alarm(2, High, 1).proposing([isolate(2)]));
    tenant.wait(31 * MINUTE_MS);
    assert_eq!(
        tenant.tick(),
        Ok(vec!["approval.expired", "approval.expired"])
    );
    assert_eq!(tenant.tick(), Ok(vec!["incident.closed"]));
}

#[test]
fn what_was_told_twice_is_written_once() {
    let mut tenant = Tenant::default();
    tenant.take(&alarm(1, High, 1));
    assert!(matches!(
        tenant.show(1, message(1)).expect("written")[..],
        [Event::NotifySent(_)]
    ));
    assert_eq!(tenant.show(1, message(1)), Err(Refusal::NothingNew));
    // The message was deleted and posted anew.
    assert!(tenant.show(1, message(2)).is_ok());
}

#[test]
fn fifty_thousand_related_alerts_in_a_minute_are_a_few_incidents() {
    let (mut state, began) = (TenantState::default(), Tenant::default().now);
    let mut opened = 0;
    for n in 0..50_000 {
        let verdict = if n % 50 == 7 { Critical } else { High };
        let alarm = alarm(n, verdict, n % 10);
        let now = began.plus_ms(n * 60_000 / 50_000);
        for command in [received(n), alarm.judged()] {
            for event in decide(&state, command, now).expect("possible") {
                opened += u64::from(matches!(event, Event::IncidentOpened { .. }));
                apply(&mut state, &event, now);
            }
        }
    }
    assert_eq!((opened, state.incidents.len()), (10, 10));
    assert_eq!(state.counts.triaged, 50_000);
    // Each opened once and rose once; nothing else is worth an edit but its counts.
    assert!(state.telling.iter().all(|(_, told)| told.revision <= 2));
}
