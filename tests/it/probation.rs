//! Suspension and probation of a tenant, to the letter. Needs the feature `fault-injection`.

use std::{
    collections::HashMap,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::Value;

use crate::{
    load::{Ledger, Receipt, Sender},
    server::{DEADLINE, NO_RATIONS, Server, Tenant, eventually},
};

/// The first pause of a suspended tenant, in milliseconds; each further one is twice as long.
const PROBE_MS: u64 = 1000;
/// A pause that no test waits for.
const NEVER_MS: u64 = 600_000;
/// How long a machine must be in service to be called well.
const PROBATION_MS: u64 = 10_000;
/// Falls that suspend: one more than the intensity. A start that panics is a fall.
const FALLS: u32 = 3;
/// Probes that fail before one goes well.
const FAILING: u32 = 2;
/// Alerts sent at least while the tenant is suspended: more than stage 1 is asked about at once.
const BACKLOG: usize = 80;

#[test]
fn each_probe_that_fails_doubles_the_pause_and_the_backlog_is_judged_in_order_in_the_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = start(dir.path(), PROBE_MS);
    let (acme, globex) = (server.add_tenant("acme"), server.add_tenant("globex"));
    let mut ledger = Ledger::default();
    ledger.keep(Sender::new(&server).accepted(&acme, "before"));
    ledger.keep(Sender::new(&server).accepted(&globex, "before"));
    ledger.await_verdicts(&server);

    let over = AtomicBool::new(false);
    let beside = thread::scope(|scope| {
        let beside = scope.spawn(|| post_until(&server, &globex, &over));
        let course = scope.spawn(|| suspended_thrice(&server, &acme));
        let course = course.join();
        over.store(true, Ordering::Release);
        ledger.keep_all(course.expect("the course of the suspension is as it should be"));
        beside.join().expect("another tenant saw an error")
    });
    println!("{} alerts of another tenant meanwhile", beside.len());
    ledger.keep_all(beside);
    server.await_health("acme", |health| health["state"] == "serving");
    ledger.keep(Sender::new(&server).accepted(&acme, "after"));
    ledger.await_verdicts(&server);
    ledger.check(&server);

    verdicts_follow_the_chain(&server, "acme");
    let mut course = vec!["added"];
    course.extend(["suspended", "probed"].repeat(FAILING as usize + 1));
    course.push("resumed");
    assert_eq!(told(&server, "acme"), course);
    assert_eq!(told(&server, "globex"), ["added"]);
    let neighbour = server.node("tenant/globex/machine");
    assert_eq!(neighbour["generation"], 1, "{neighbour}");
    assert_eq!(neighbour["restarts"], 0, "{neighbour}");
}

/// The tenant's machine falls until it is suspended, and at the first probes; its alerts are taken in
/// all the while. Gives their receipts once a probe has gone well.
fn suspended_thrice(server: &Server, acme: &Tenant) -> Vec<Receipt> {
    // The first strike is in a handler, so one start less falls before the suspension.
    let starts = (FALLS - 1) + FAILING * FALLS;
    server.strike("tenant/acme/machine", "panic_in_started", starts);
    let mut sender = Sender::new(server);
    let mut kept = vec![sender.accepted(acme, "falls")];
    let (rounds, mut probes) = (FAILING as usize + 1, Vec::new());
    let on_probation = eventually(DEADLINE, || {
        let health = server.health("acme");
        match health["next_probe_at_ms"].as_u64() {
            Some(next) if probes.last() != Some(&next) => {
                println!("{health}");
                assert_eq!(health["state"], "suspended", "{health}");
                assert!(health["suspended_since_ms"].is_u64(), "{health}");
                probes.push(next);
            }
            None if probes.len() == rounds => return Some(health),
            _ => {}
        }
        let enough = if probes.len() < rounds {
            BACKLOG * 3
        } else {
            BACKLOG
        };
        if kept.len() < enough {
            kept.push(sender.accepted(acme, &format!("kept-{}", kept.len())));
        }
        None
    });
    // A pause begins after the probe before it, which came when it was told or later.
    for (pair, doublings) in probes.windows(2).zip(1_u32..) {
        let pause = PROBE_MS << doublings;
        assert!(
            pair[1] >= pair[0] + pause,
            "{pause} ms apart at least: {probes:?}"
        );
    }
    server.await_state("tenant/acme/machine", "running");
    assert_eq!(
        on_probation["state"], "suspended",
        "not well until it lasts: {on_probation}"
    );
    kept
}

/// Posts one after the other; every one must be taken in.
fn post_until(server: &Server, tenant: &Tenant, over: &AtomicBool) -> Vec<Receipt> {
    let mut sender = Sender::new(server);
    let mut receipts = Vec::new();
    for n in 0_u64.. {
        receipts.push(sender.accepted(tenant, &format!("beside-{n}")));
        if over.load(Ordering::Acquire) {
            break;
        }
    }
    receipts
}

#[test]
fn a_restart_is_a_probe_and_a_relapse_on_probation_suspends_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = start(dir.path(), NEVER_MS);
    let (acme, globex) = (server.add_tenant("acme"), server.add_tenant("globex"));
    let mut ledger = Ledger::default();
    ledger.keep(Sender::new(&server).accepted(&globex, "before"));
    ledger.keep_all(fall(&server, &acme, "first"));
    assert!(
        server.terminate().success(),
        "a suspended tenant holds up no end"
    );

    let server = start(dir.path(), NEVER_MS);
    // Nobody has sent anything yet: it is woken because it is owed verdicts, and is on probation.
    ledger.await_verdicts(&server);
    let on_probation = server.health("acme");
    assert_eq!(on_probation["state"], "suspended", "{on_probation}");
    assert!(
        on_probation["suspended_since_ms"].is_u64(),
        "{on_probation}"
    );
    ledger.keep_all(fall(&server, &acme, "relapse"));
    let again = server.health("acme");
    let since = |health: &Value| health["suspended_since_ms"].as_u64();
    assert!(
        since(&again) > since(&on_probation),
        "{again} after {on_probation}"
    );
    ledger.check(&server);
    server.kill9();

    let server = start(dir.path(), PROBE_MS);
    ledger.keep(Sender::new(&server).accepted(&acme, "after"));
    ledger.await_verdicts(&server);
    server.await_health("acme", |health| health["state"] == "serving");
    ledger.check(&server);
    let course = ["added", "suspended", "suspended", "resumed"];
    assert_eq!(
        told(&server, "acme"),
        course,
        "a start is no probe of the router's"
    );
    assert_eq!(told(&server, "globex"), ["added"]);
}

/// The router fell while a tenant was suspended. Its next generation began that tenant anew and left
/// the writer that had stood in for the machine in the tree, ended: the tenant was called degraded until
/// the server was started anew.
#[test]
fn a_router_that_falls_gives_a_suspended_tenant_its_probe_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = start(dir.path(), NEVER_MS);
    let (acme, globex) = (server.add_tenant("acme"), server.add_tenant("globex"));
    assert!(server.terminate().success(), "it ends in good order");
    // From here on only the first alert of a tenant wakes it.
    let server = start(dir.path(), NEVER_MS);
    let (mut sender, mut ledger) = (Sender::new(&server), Ledger::default());
    ledger.keep(sender.accepted(&acme, "before"));
    server.strike("tenant/acme/machine", "panic_in_started", FALLS - 1);
    ledger.keep(sender.accepted(&acme, "falls"));
    server.await_health("acme", |health| health["next_probe_at_ms"].is_u64());
    ledger.keep(sender.accepted(&acme, "meanwhile"));

    server.strike("tenants", "panic", 1);
    ledger.keep(sender.accepted(&globex, "wakes"));
    assert_eq!(server.node("tenants")["generation"], 2);
    ledger.keep(sender.accepted(&acme, "after"));
    ledger.await_verdicts(&server);
    let health = server.await_health("acme", |health| health["state"] != "suspended");
    assert_eq!(health["state"], "serving", "{health}");
    let below = server.node("tenant/acme")["children"].clone();
    let below = below.as_array().expect("a list").iter();
    let kinds: Vec<_> = below.map(|child| child["kind"].clone()).collect();
    assert_eq!(
        kinds,
        [
            "edr_adapter",
            "edr_adapter",
            "edr_adapter",
            "machine",
            "triage_engine"
        ]
    );
    ledger.check(&server);
}

/// A machine on probation fell at every start, with pauses so long that nobody gave it up. Ten seconds
/// after the probe its tenant was written down as resumed all the same.
#[test]
fn a_machine_that_falls_on_and_on_is_not_called_well_though_nobody_gives_it_up() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = start(dir.path(), NEVER_MS);
    let acme = server.add_tenant("acme");
    fall(&server, &acme, "first");
    assert!(server.terminate().success(), "it ends in good order");

    let patient = [
        ("VYROX_SUPERVISION__INTENSITY", "1000"),
        ("VYROX_SUPERVISION__BACKOFF_MS", "5000"),
        ("VYROX_SUPERVISION__BACKOFF_MAX_MS", "5000"),
    ];
    let server = start_with(dir.path(), NEVER_MS, &patient);
    let machine = "tenant/acme/machine";
    // Tenants that are owed something are woken beside the serving.
    eventually(DEADLINE, || {
        let there = server.api("GET", &format!("/health/actors/{machine}"), None);
        (there.status == 200).then_some(())
    });
    // A node can be seen between its entering and its start.
    let probed_at = eventually(DEADLINE, || {
        server.await_state(machine, "running")["started_at"].as_u64()
    });
    server.strike(machine, "panic_in_started", 1_000_000);
    // The machine falls over it, and then at every start; whatever the sender is told.
    let body = acme.body("falls", "whoami");
    println!("{:?}", acme.post(&mut server.http(), "crowdstrike", &body));
    // By the server's own clock, and later than it could be called well by.
    let node = eventually(DEADLINE, || {
        let node = server.node(machine);
        let crash = node["last_crash"]["at"].as_u64();
        crash
            .is_some_and(|at| at > probed_at + PROBATION_MS + 1000)
            .then_some(node)
    });
    println!("{node}");
    assert_eq!(told(&server, "acme"), ["added", "suspended"]);
    let health = server.health("acme");
    assert!(health["suspended_since_ms"].is_u64(), "{health}");
}

/// Suspends the tenant, and leaves it so that no probe goes well; alerts go on being taken in.
fn fall(server: &Server, tenant: &Tenant, name: &str) -> Vec<Receipt> {
    let machine = format!("tenant/{}/machine", tenant.id);
    let mut sender = Sender::new(server);
    let first = sender.accepted(tenant, &format!("{name}-before"));
    server.strike(&machine, "panic_in_started", 1_000_000);
    let falls = sender.accepted(tenant, &format!("{name}-falls"));
    server.await_health(&tenant.id, |health| health["next_probe_at_ms"].is_u64());
    let kept = (0..10).map(|n| sender.accepted(tenant, &format!("{name}-{n}")));
    [first, falls].into_iter().chain(kept).collect()
}

fn start(dir: &Path, probe_ms: u64) -> Server {
    start_with(dir, probe_ms, &[])
}

/// The same with settings that overrule the others.
fn start_with(dir: &Path, probe_ms: u64, more: &[(&str, &str)]) -> Server {
    let probe_ms = probe_ms.to_string();
    let intensity = (FALLS - 1).to_string();
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_SUPERVISION__INTENSITY", &intensity));
    env.push(("VYROX_SUPERVISION__PROBE_MS", &probe_ms));
    // One thread for all tenants, so that whatever one does to it is felt by all.
    env.push(("VYROX_SUPERVISION__ARBITERS", "1"));
    env.extend(more);
    Server::start(dir, &env)
}

/// What the host's own chain tells of a tenant, in order.
fn told(server: &Server, tenant: &str) -> Vec<String> {
    let host = server.entries("_host");
    let of_it = host
        .iter()
        .filter(|entry| entry["payload"]["tenant_id"] == tenant);
    let events = of_it.filter_map(|entry| entry["event"].as_str()?.strip_prefix("tenant."));
    events.map(str::to_owned).collect()
}

/// Verdicts come in the order in which the alerts came.
fn verdicts_follow_the_chain(server: &Server, tenant: &str) {
    let entries = server.entries(tenant);
    let ids = |event: &str| -> Vec<String> {
        let of_kind = entries.iter().filter(|entry| entry["event"] == event);
        of_kind
            .filter_map(|entry| entry["alert_id"].as_str().map(str::to_owned))
            .collect()
    };
    let (received, triaged) = (ids("alert.received"), ids("alert.triaged"));
    assert!(received.len() > BACKLOG, "{} alerts", received.len());
    let place: HashMap<_, _> = received.iter().zip(0..).collect();
    let order: Vec<usize> = triaged.iter().map(|alert_id| place[alert_id]).collect();
    assert!(order.is_sorted(), "the order of verdicts: {order:?}");
    assert_eq!(order.len(), received.len(), "each has its verdict");
}
