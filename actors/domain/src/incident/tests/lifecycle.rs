//! One incident's life: begun, joined, raised, absorbed, ended.

use super::*;
use crate::attack::Tactic::{
    Collection, CredentialAccess, Discovery, Execution, Exfiltration, Impact, InitialAccess,
    LateralMovement, Persistence,
};

#[test]
fn an_eight_stage_lateral_chain_is_one_incident_that_ends_critical() {
    // One account goes from machine to machine; each stage by itself is a small sign.
    let stages = [
        (1, InitialAccess, Low, None),
        (1, Execution, Medium, Some(Raise::Verdict)),
        (1, Persistence, Low, Some(Raise::Tactics { in_order: 3 })),
        (1, CredentialAccess, Medium, None),
        (2, Discovery, Low, Some(Raise::Tactics { in_order: 5 })),
        (3, LateralMovement, Medium, None),
        (4, Collection, Low, None),
        (5, Exfiltration, Medium, None),
    ];
    let levels = [
        Low, Medium, High, High, Critical, Critical, Critical, Critical,
    ];
    let mut tenant = Tenant::default();
    for (n, ((machine, tactic, verdict, raised_by), level)) in
        stages.into_iter().zip(levels).enumerate()
    {
        let facts = facts(&[host(machine), user(7)], &[tactic]);
        let placed = tenant.take(n as u64 * 10 * MINUTE_MS, verdict, facts);
        assert_eq!(
            (placed.incident_id, placed.level),
            (id(1), level),
            "stage {n}"
        );
        assert_eq!(placed.raised_by, raised_by, "stage {n}");
        assert_eq!(placed.folded, raised_by.is_none(), "stage {n}");
    }
    let incident = tenant.only();
    assert_eq!(
        (incident.level, incident.alerts, incident.folded),
        (Critical, 8, 5)
    );
    assert_eq!(incident.host_count, 5);
    assert_eq!(incident.hosts, ["ws-1", "ws-2", "ws-3", "ws-4", "ws-5"]);
    assert_eq!(incident.tactics.len(), 8);
    assert!(incident.linked_by.contains(&LinkKind::User));
    assert!(!incident.storm);
}

#[test]
fn an_attack_seen_backwards_raises_nothing() {
    let mut tenant = Tenant::default();
    for (n, tactic) in [Impact, Exfiltration, Collection, Discovery, Execution]
        .into_iter()
        .enumerate()
    {
        let placed = tenant.take(n as u64, Low, facts(&[host(1)], &[tactic]));
        assert_eq!((placed.level, placed.folded), (Low, true));
    }
    assert!(!tenant.only().visible());
}

#[test]
fn the_window_slides_with_each_alert_and_ends() {
    let mut tenant = Tenant::default();
    for n in 0..4 {
        tenant.take(n * 29 * MINUTE_MS, Medium, facts(&[host(1)], &[]));
    }
    assert_eq!(tenant.only().alerts, 4);

    let over = at(3 * 29 * MINUTE_MS + 30 * MINUTE_MS);
    let before = Timestamp::from_ms(over.ms() - 1);
    assert_eq!(tenant.incidents.due(before, &tenant.window, 10), []);
    assert_eq!(
        tenant.incidents.due(over, &tenant.window, 10),
        [(id(1), Ended::Quiet)]
    );
    assert_eq!(tenant.incidents.due(over, &tenant.window, 0), []);

    // Nobody closed it yet, but what comes now is another incident.
    let later = tenant.take(200 * MINUTE_MS, Medium, facts(&[host(1)], &[]));
    assert!(later.fresh && !later.folded);
    tenant.incidents.close(id(1));
    tenant.incidents.check();
    assert_eq!(tenant.only().incident_id, id(5));
    assert_eq!(
        tenant
            .take(201 * MINUTE_MS, Medium, facts(&[host(1)], &[]))
            .incident_id,
        id(5)
    );
}

#[test]
fn an_incident_lives_for_a_day_at_most() {
    let mut tenant = Tenant::default();
    let day = 24 * 60 * MINUTE_MS;
    for n in 0..(24 * 3) {
        tenant.take(n * 20 * MINUTE_MS, Medium, facts(&[host(1)], &[]));
    }
    assert_eq!(tenant.only().alerts, 72);
    assert_eq!(
        tenant.incidents.due(at(day), &tenant.window, 10),
        [(id(1), Ended::TooLong)]
    );
    assert!(tenant.take(day, Medium, facts(&[host(1)], &[])).fresh);
}

#[test]
fn small_signs_that_lead_to_nothing_are_forgotten_without_a_word() {
    let mut tenant = Tenant::default();
    for n in 0..6 {
        tenant.take(n, Low, facts(&[host(n)], &[]));
    }
    assert_eq!(tenant.incidents.len(), 6);
    assert_eq!(
        tenant.incidents.due(at(40 * MINUTE_MS), &tenant.window, 10),
        []
    );
    for n in 10..12 {
        tenant.take(40 * MINUTE_MS, Medium, facts(&[host(n)], &[]));
    }
    assert_eq!(tenant.incidents.len(), 2);
}

#[test]
fn an_alert_that_ties_incidents_leaves_the_one_people_look_at() {
    let mut tenant = Tenant::default();
    tenant.take(0, Low, facts(&[host(1)], &[Execution]));
    tenant.take(1, High, facts(&[user(2)], &[]));
    tenant.take(2, Medium, facts(&[host(3)], &[]));

    let tying = tenant.take(3, Low, facts(&[host(1), user(2), host(3)], &[Impact]));
    assert_eq!(tying.incident_id, id(2));
    assert_eq!(tying.absorbed, [id(3), id(1)]);
    assert_eq!(tying.via, [LinkKind::User]);
    assert!(tying.folded);
    let incident = tenant.only();
    assert_eq!(
        (incident.alerts, incident.level, incident.host_count),
        (4, High, 2)
    );
    assert_eq!(incident.opened_at, at(0));
    assert_eq!(tenant.incidents.resolve(id(1)), id(2));
    assert_eq!(tenant.incidents.resolve(id(3)), id(2));

    // Their links lead to it, and an absorbed one's absorbed ones too.
    tenant.take(4, Critical, facts(&[host(9)], &[]));
    let tying = tenant.take(5, Low, facts(&[host(9), host(1)], &[]));
    assert_eq!((tying.incident_id, tying.absorbed), (id(5), vec![id(2)]));
    assert_eq!(tenant.incidents.resolve(id(1)), id(5));
    tenant.incidents.close(id(5));
    assert_eq!(tenant.incidents.resolve(id(1)), id(1));
    assert_eq!(tenant.incidents, Incidents::default());
}

#[test]
fn a_hash_joins_but_makes_no_two_incidents_one() {
    let mut tenant = Tenant::default();
    tenant.take(0, Medium, facts(&[host(1), hash(7)], &[]));
    let joined = tenant.take(1, Medium, facts(&[host(2), hash(7)], &[]));
    assert_eq!(
        (joined.incident_id, joined.via),
        (id(1), vec![LinkKind::Hash])
    );

    tenant.take(2, High, facts(&[host(3)], &[]));
    let host_first = tenant.take(3, Medium, facts(&[host(3), hash(7)], &[]));
    assert_eq!(
        (host_first.incident_id, host_first.absorbed),
        (id(3), vec![])
    );
    assert_eq!(tenant.incidents.len(), 2);
}

#[test]
fn an_account_that_is_everywhere_no_longer_makes_incidents_one() {
    let mut tenant = Tenant::default();
    for n in 0..200 {
        tenant.take(n, Low, facts(&[host(n), user(7)], &[]));
    }
    assert_eq!(tenant.only().host_count, 64);
    tenant.take(300, Medium, facts(&[host(1000)], &[]));
    let own = tenant.take(301, Medium, facts(&[host(1000), user(7)], &[]));
    assert_eq!((own.incident_id, own.absorbed), (id(201), vec![]));
    // Where there is nothing better, it still joins.
    let other = tenant.take(302, Medium, facts(&[host(1001), user(7)], &[]));
    assert_eq!(other.incident_id, id(1));
}

#[test]
fn the_alert_that_made_it_worse_leads() {
    let mut tenant = Tenant::default();
    tenant.take(0, Medium, facts(&[host(1)], &[Execution]));
    assert_eq!(tenant.only().title, "Execution");
    let mut worse = facts(&[host(1)], &[]);
    worse.reasons = vec!["Memory of LSASS read".into()];
    worse.techniques = vec!["T1003.001".into()];
    let placed = tenant.take(1, High, worse);
    assert_eq!(placed.raised_by, Some(Raise::Verdict));
    tenant.take(2, High, facts(&[host(1)], &[]));
    let incident = tenant.only();
    assert_eq!(incident.title, "Memory of LSASS read");
    assert_eq!(incident.lead_alert, AlertId(Uuid::from_u64_pair(1, 2)));
    assert_eq!(incident.techniques, ["T1003.001"]);
    assert_eq!((incident.alerts, incident.folded), (3, 1));
}

#[test]
fn an_alert_of_which_nothing_is_known_still_has_a_title() {
    let mut tenant = Tenant::default();
    let placed = tenant.take(0, Medium, facts(&[], &[]));
    assert!(placed.fresh && !placed.folded);
    assert_eq!(tenant.only().title, "Alert from crowdstrike");
    assert_eq!(
        (tenant.only().host_count, tenant.only().hosts.len()),
        (0, 0)
    );
    // Nothing ties another one to it.
    assert!(tenant.take(1, Medium, facts(&[], &[])).fresh);
}

#[test]
fn the_journaled_form() {
    let mut tenant = Tenant::default();
    tenant.take(0, Low, facts(&[host(1)], &[Execution]));
    let placed = tenant.take(1, Low, facts(&[host(1)], &[CredentialAccess]));
    assert_eq!(
        serde_json::to_value(placed).expect("JSON"),
        serde_json::json!({
            "incident_id": "00000000-0000-0000-0000-000000000001",
            "fresh": false,
            "via": ["host"],
            "level": "MEDIUM",
            "raised_by": {"by": "tactics", "in_order": 2},
            "absorbed": [],
            "folded": false,
            "facts": {
                "vendor": "crowdstrike",
                "host": "ws-1",
                "device_id": null,
                "links": ["host:0000000000000001"],
                "tactics": ["credential-access"],
                "techniques": [],
                "reasons": [],
            },
        })
    );
}

#[test]
fn room_is_made_by_what_nobody_sees_then_asked_for() {
    let mut tenant = Tenant::default();
    tenant.window.open_max = 3;
    tenant.take(0, Low, facts(&[host(0)], &[]));
    for n in 1..4 {
        tenant.take(n, Medium, facts(&[host(n)], &[]));
    }
    assert_eq!(tenant.incidents.len(), 3);
    assert!(tenant.incidents.get(id(1)).is_none());
    assert_eq!(tenant.incidents.due(at(4), &tenant.window, 10), []);

    for n in 4..6 {
        assert!(tenant.take(n, Medium, facts(&[host(n)], &[])).fresh);
    }
    assert_eq!(
        tenant.incidents.due(at(6), &tenant.window, 10),
        [(id(2), Ended::Room), (id(3), Ended::Room)]
    );
    let later = at(30 * MINUTE_MS + 1);
    assert_eq!(
        tenant.incidents.due(later, &tenant.window, 10),
        [(id(2), Ended::Quiet), (id(3), Ended::Room)]
    );
}

#[test]
fn a_clock_that_was_wrong_for_a_while_holds_nothing_open() {
    // A clock set a year ahead and back again must leave no incident that is open for a year.
    let mut tenant = Tenant::default();
    let year = 365 * 24 * 60 * MINUTE_MS;
    tenant.take(year, Medium, facts(&[host(1)], &[]));
    tenant.take(year, Medium, facts(&[host(2)], &[]));
    tenant.take(year, Low, facts(&[host(3)], &[]));
    tenant.take(0, Medium, facts(&[host(1)], &[]));
    assert_eq!(
        tenant.incidents.get(id(1)).map(|i| (i.alerts, i.last_at)),
        Some((2, at(0)))
    );
    assert!(tenant.incidents.get(id(3)).is_none());
    assert_eq!(
        tenant.incidents.due(at(1), &tenant.window, 10),
        [(id(2), Ended::Quiet)]
    );
    assert_eq!(
        tenant.incidents.due(at(31 * MINUTE_MS), &tenant.window, 10),
        [(id(1), Ended::Quiet), (id(2), Ended::Quiet)]
    );
}

#[test]
fn many_alerts_do_not_push_out_the_machine_that_they_are_about() {
    // The strongest links were kept whatever their number: the ids of 64 alerts pushed out their
    // machine, and a storm became one incident for each 64 alerts.
    let mut tenant = Tenant::default();
    for n in 0..500 {
        let kind = LinkKind::VendorAlert;
        let own = Link { kind, key: n };
        tenant.take(n, Medium, facts(&[own, host(1)], &[]));
    }
    assert_eq!(tenant.only().alerts, 500);
}
