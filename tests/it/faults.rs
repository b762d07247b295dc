//! One tenant's fault stays in that tenant: panics, panics without end, a blocked thread, a broken
//! stage 1. Needs the feature `fault-injection`.

mod beside;

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    load::{Ledger, Receipt, Sender},
    server::{DEADLINE, NO_RATIONS, Server, Tenant, eventually},
};

#[test]
fn a_tenant_that_falls_again_and_again_is_suspended_and_its_alerts_are_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_SUPERVISION__INTENSITY", "2"));
    env.push(("VYROX_SUPERVISION__PROBE_MS", "6000"));
    let server = Server::start(dir.path(), &env);
    let (acme, globex) = (server.add_tenant("acme"), server.add_tenant("globex"));
    let (mut sender, mut ledger) = (Sender::new(&server), Ledger::default());
    let before = sender.accepted(&acme, "before");
    // The faults are for the alerts to come, not for its verdict.
    judged(&server, &before);
    ledger.keep(before);
    ledger.keep(sender.accepted(&globex, "before"));

    ledger.keep(fall_until_suspended(&server, &acme, 3));
    ledger.keep_all(be_kept_meanwhile(&server, &acme));
    for n in 0..20 {
        ledger.keep(sender.accepted(&globex, &format!("meanwhile-{n}")));
    }
    assert_eq!(state(&server, &globex)["state"], "serving");
    assert_eq!(server.get("/health/ready")["status"], "ready");

    await_state(&server, &acme, "serving");
    ledger.keep(sender.accepted(&acme, "after"));
    ledger.await_verdicts(&server);
    ledger.check(&server);
    let host = server.entries("_host");
    let told: Vec<_> = host
        .iter()
        .filter(|entry| entry["payload"]["tenant_id"] == "acme")
        .filter_map(|entry| entry["event"].as_str())
        .filter(|event| event.starts_with("tenant."))
        .collect();
    let course = ["added", "suspended", "probed", "resumed"].map(|step| format!("tenant.{step}"));
    assert_eq!(told, course, "what the host's own chain tells of it");
}

/// Lets the tenant's machine fall over so many alerts, of which the last is one too many: that one is
/// taken in by who stands in for the machine.
fn fall_until_suspended(server: &Server, tenant: &Tenant, alerts: u32) -> Receipt {
    let mut sender = Sender::new(server);
    let bad = (1..=alerts).map(|n| {
        order(server, tenant, "machine", "panic", 2);
        let detect_id = format!("falls-{n}");
        let reply = sender.send(tenant, &detect_id);
        let reply = reply.expect("an answer in any case");
        assert_eq!(reply.status, 202, "alert {n}: {}", reply.text());
        let status = if n < alerts { "quarantined" } else { "queued" };
        assert_eq!(reply.json()["status"], status, "alert {n}");
        (detect_id, reply)
    });
    let (detect_id, reply) = bad.last().expect("there are alerts");
    let health = eventually(DEADLINE, || {
        let health = state(server, tenant);
        health["suspended_since_ms"].is_u64().then_some(health)
    });
    assert_eq!(health["state"], "suspended", "{health}");
    assert!(health["next_probe_at_ms"].is_u64(), "{health}");
    let machine = node(server, &format!("tenant/{}/machine", tenant.id));
    assert_eq!(machine["state"], "suspended", "{machine}");
    assert_injected(&machine["last_crash"]);
    Receipt::read(tenant, &detect_id, &reply)
}

/// Sends 20 new alerts and two known ones to a suspended tenant; nobody but its intake is there.
fn be_kept_meanwhile(server: &Server, tenant: &Tenant) -> Vec<Receipt> {
    let mut sender = Sender::new(server);
    let kept = (0..20).map(|n| sender.accepted(tenant, &format!("meanwhile-{n}")));
    let kept = kept.collect();
    for known in ["before", "meanwhile-7"] {
        let repeat = sender.send(tenant, known).expect("an answer");
        assert_eq!(repeat.status, 200, "{known} is known: {}", repeat.text());
    }
    let writer = node(server, &format!("tenant/{}/intake_writer", tenant.id));
    assert_eq!(
        writer["handled"], 23,
        "the intake alone took them: {writer}"
    );
    kept
}

#[test]
fn a_machine_that_cannot_start_is_suspended_and_a_restart_of_the_server_heals_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_SUPERVISION__INTENSITY", "2"));
    env.push(("VYROX_SUPERVISION__PROBE_MS", "600000"));
    let server = Server::start(dir.path(), &env);
    let acme = server.add_tenant("acme");
    let (mut sender, mut ledger) = (Sender::new(&server), Ledger::default());
    ledger.keep(sender.accepted(&acme, "before"));

    // The first strikes in the handler, the others before the next generation serves.
    order(&server, &acme, "machine", "panic_in_started", 3);
    ledger.keep(sender.accepted(&acme, "falls"));
    let health = await_state(&server, &acme, "suspended");
    let machine = node(&server, "tenant/acme/machine");
    assert_injected(&machine["last_crash"]);
    assert!(
        health["why"].to_string().contains("injected panic"),
        "{health}"
    );
    for n in 0..5 {
        ledger.keep(sender.accepted(&acme, &format!("meanwhile-{n}")));
    }
    let status = server.terminate();
    assert!(
        status.success(),
        "a server with a suspended tenant ends with {status}"
    );

    let server = Server::start(dir.path(), &env);
    ledger.await_verdicts(&server);
    let mut sender = Sender::new(&server);
    ledger.keep(sender.accepted(&acme, "after"));
    await_state(&server, &acme, "serving");
    ledger.check(&server);
}

#[test]
fn an_alert_over_which_stage_1_falls_is_judged_in_the_end_or_left_to_people() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), NO_RATIONS);
    let (acme, globex) = (server.add_tenant("acme"), server.add_tenant("globex"));
    let (mut sender, mut ledger) = (Sender::new(&server), Ledger::default());

    order(&server, &acme, "triage_engine", "panic", 1);
    let once = sender.accepted(&acme, "falls-once");
    let judged = judged(&server, &once);
    assert_eq!(judged["verdict"], "CRITICAL", "{judged}");
    let engine = node(&server, "tenant/acme/triage_engine");
    assert_eq!(engine["generation"], 2, "{engine}");
    assert_injected(&engine["last_crash"]);

    order(&server, &acme, "triage_engine", "panic", 1000);
    let always = sender.accepted(&acme, "falls-always");
    let beside = sender.accepted(&globex, "beside");
    let neighbour = server.judged("globex", &beside.alert_id);
    assert_eq!(neighbour["verdict"], "CRITICAL", "{neighbour}");
    let left = self::judged(&server, &always);
    assert_eq!(left["verdict"], "MEDIUM", "{left}");
    assert_eq!(
        left["status"], "triaged",
        "not closed, but left to people: {left}"
    );
    assert_eq!(
        left["reasons"][0]["rule_id"], "vyrox.stage1_unavailable",
        "{left}"
    );
    ledger.keep_all([once, always, beside]);
    ledger.await_verdicts(&server);
    ledger.check(&server);
}

#[test]
fn a_blocked_machine_is_replaced_and_its_neighbours_move_to_another_thread() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut env = NO_RATIONS.to_vec();
    // One thread for all tenants, so that a block is everybody's.
    env.push(("VYROX_SUPERVISION__ARBITERS", "1"));
    env.push(("VYROX_SUPERVISION__STALL_MS", "300"));
    let server = Server::start(dir.path(), &env);
    let (acme, globex) = (server.add_tenant("acme"), server.add_tenant("globex"));
    let (mut sender, mut ledger) = (Sender::new(&server), Ledger::default());
    ledger.keep(sender.accepted(&acme, "before"));
    ledger.keep(sender.accepted(&globex, "before"));

    // Longer than any answer here may take: whatever is answered is answered beside the blocked thread.
    order(&server, &acme, "machine", "block_ms:600000", 1);
    let blocks = sender.accepted(&acme, "blocks");
    ledger.keep(sender.accepted(&globex, "meanwhile"));
    ledger.keep(sender.accepted(&acme, "meanwhile"));
    ledger.keep(blocks);
    let machine = node(&server, "tenant/acme/machine");
    assert_eq!(machine["last_crash"]["panic"], "stalled", "{machine}");
    ledger.check(&server);
    ledger.await_verdicts(&server);
}

/// A fall of the router, which all tenants share, once made every machine start over.
#[test]
fn a_fall_of_the_router_is_nothing_to_those_that_are_served() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_SUPERVISION__INTENSITY", "2"));
    env.push(("VYROX_SUPERVISION__PROBE_MS", "600000"));
    let server = Server::start(dir.path(), &env);
    let acme = server.add_tenant("acme");
    let (mut sender, mut ledger) = (Sender::new(&server), Ledger::default());
    ledger.keep(sender.accepted(&acme, "before"));
    let before = node(&server, "tenant/acme/machine");
    let body = json!({ "actor": "tenants", "fault": "panic", "times": 1 });
    assert_eq!(
        server.api("POST", "/api/v1/faults", Some(&body)).status,
        204
    );
    // A new tenant's first alert asks the router for the way in.
    let globex = server.add_tenant("globex");
    ledger.keep(sender.accepted(&globex, "wakes"));
    eventually(DEADLINE, || {
        (node(&server, "tenants")["generation"] == 2).then_some(())
    });
    ledger.keep(sender.accepted(&acme, "after"));
    let after = node(&server, "tenant/acme/machine");
    for same in ["generation", "started_at"] {
        assert_eq!(before[same], after[same], "{after}");
    }
    // The new generation hears of it when one that it found there gives up.
    order(&server, &acme, "machine", "panic", 100);
    for n in 0..4 {
        drop(sender.send(&acme, &format!("falls-{n}")));
    }
    await_state(&server, &acme, "suspended");
    ledger.check(&server);
}

/// Lets `fault` befall the next so many messages of a tenant's actor.
pub(crate) fn order(server: &Server, tenant: &Tenant, actor: &str, fault: &str, times: u32) {
    let actor = format!("tenant/{}/{actor}", tenant.id);
    let body = json!({ "actor": actor, "fault": fault, "times": times });
    let reply = server.api("POST", "/api/v1/faults", Some(&body));
    assert_eq!(
        reply.status, 204,
        "is the feature fault-injection on? {reply:?}"
    );
}

pub(crate) fn node(server: &Server, id: &str) -> Value {
    server.get(&format!("/health/actors/{id}"))
}

/// The panic's text and its place, as `file:line:column`.
#[track_caller]
fn assert_injected(crash: &Value) {
    assert_eq!(crash["panic"], "injected panic", "{crash}");
    let place = crash["location"].as_str().unwrap_or_default();
    let mut parts = place.rsplitn(3, ':');
    let numbers = [parts.next(), parts.next()].map(|n| n.and_then(|n| n.parse::<u32>().ok()));
    let file = parts.next().unwrap_or_default();
    assert!(
        numbers.iter().all(Option::is_some) && file.ends_with("strike.rs"),
        "the place is file:line:column: {crash}"
    );
    assert!(
        crash["message"].is_string() && crash["at"].is_u64(),
        "{crash}"
    );
}

fn state(server: &Server, tenant: &Tenant) -> Value {
    server.get(&format!("/health/tenants/{}", tenant.id))
}

fn await_state(server: &Server, tenant: &Tenant, wanted: &str) -> Value {
    eventually(DEADLINE, || {
        let health = state(server, tenant);
        (health["state"] == wanted).then_some(health)
    })
}

/// The alert once it has a verdict, however long that takes.
fn judged(server: &Server, receipt: &Receipt) -> Value {
    eventually(DEADLINE + Duration::from_mins(1), || {
        let alert = server.judged(&receipt.tenant, &receipt.alert_id);
        (!alert["verdict"].is_null()).then_some(alert)
    })
}
