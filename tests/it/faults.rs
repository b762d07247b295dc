//! One tenant's fault stays in that tenant: panics, panics without end, a blocked thread, a broken
//! stage 1. Needs the feature `fault-injection`.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
        mpsc::channel,
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    load::{Ledger, Receipt, Sender, Times},
    server::{DEADLINE, NO_RATIONS, Server, Tenant, eventually, now},
};

const TENANTS: usize = 16;
/// Windows without and with faults, in turns.
const WINDOWS: usize = 8;
/// Alerts of the tenant with the faults in one window, and after how many of them one is ordered.
const ALERTS: usize = 40;
const FAULT_EVERY: usize = 8;

#[test]
fn a_panicking_machine_is_felt_by_no_other_tenant() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_SUPERVISION__INTENSITY", "1000"));
    env.push(("VYROX_SUPERVISION__BACKOFF_MAX_MS", "50"));
    let server = Server::start(dir.path(), &env);
    let tenants: Vec<_> = (0..TENANTS)
        .map(|n| server.add_tenant(&format!("fault-{n:02}")))
        .collect();
    let (victim, others) = tenants.split_first().expect("there are tenants");

    let (start, end, over) = (Barrier::new(TENANTS), Barrier::new(TENANTS), AtomicBool::new(false));
    let (broken, neighbours) = thread::scope(|scope| {
        let work: Vec<_> = others
            .iter()
            .map(|tenant| {
                let (sender, barriers, over) = (Sender::new(&server), [&start, &end], &over);
                scope.spawn(move || go_on(sender, tenant, barriers, over))
            })
            .collect();
        let mut broken = Vec::new();
        for window in 0..WINDOWS {
            start.wait();
            broken.push(fall(&server, victim, window, window % 2 == 1));
            over.store(true, Ordering::Release);
            end.wait();
            over.store(false, Ordering::Release);
        }
        let neighbours: Vec<_> = work.into_iter().map(|w| w.join().expect("only sends")).collect();
        (broken, neighbours)
    });

    let (mut ledger, mut quiet, mut shaken) = (Ledger::default(), Times::default(), Times::default());
    for seen in neighbours {
        assert_eq!(seen.errors, [""; 0], "a neighbour of the panicking tenant saw these");
        quiet.extend(seen.times[0].as_slice());
        shaken.extend(seen.times[1].as_slice());
        seen.receipts.into_iter().for_each(|receipt| ledger.keep(receipt));
    }
    println!("15 tenants, without a fault  {quiet}");
    println!("15 tenants, beside panics    {shaken}");
    broken.into_iter().flatten().for_each(|receipt| ledger.keep(receipt));
    assert_eq!(
        ledger.receipts().filter(|receipt| receipt.tenant == victim.id).count(),
        WINDOWS * ALERTS,
        "each alert of the panicking tenant was taken in once it was sent again"
    );

    let panics = (WINDOWS / 2 * ALERTS / FAULT_EVERY) as u64;
    let machine = node(&server, &format!("tenant/{}/machine", victim.id));
    assert_eq!(machine["state"], "running", "{machine}");
    assert_eq!(machine["generation"], 1 + panics, "{machine}");
    assert_eq!(machine["restarts"], panics, "{machine}");
    assert_injected(&machine["last_crash"]);
    for tenant in others {
        let machine = node(&server, &format!("tenant/{}/machine", tenant.id));
        assert_eq!((&machine["generation"], &machine["restarts"]), (&json!(1), &json!(0)), "{machine}");
    }
    ledger.check(&server);
    ledger.await_verdicts(&server);
}

/// What a tenant without faults saw: times of windows without and with faults elsewhere.
#[derive(Default)]
struct Neighbour {
    times: [Times; 2],
    receipts: Vec<Receipt>,
    errors: Vec<String>,
}

/// Sends one alert after the other until each window is over. Nothing here may panic: the others
/// would wait for it at the barrier for ever.
fn go_on(
    mut sender: Sender,
    tenant: &Tenant,
    [start, end]: [&Barrier; 2],
    over: &AtomicBool,
) -> Neighbour {
    let mut seen = Neighbour::default();
    for window in 0..WINDOWS {
        start.wait();
        for n in 0_u64.. {
            let detect_id = format!("w{window}-{n}");
            let from = now();
            match sender.send(tenant, &detect_id) {
                Ok(reply) if reply.status == 202 => {
                    seen.times[window % 2].add(from.elapsed());
                    seen.receipts.push(Receipt::read(tenant, &detect_id, &reply));
                }
                Ok(reply) => seen.errors.push(format!("{}: {} {}", tenant.id, reply.status, reply.text())),
                Err(error) => seen.errors.push(format!("{}: {error}", tenant.id)),
            }
            if over.load(Ordering::Acquire) {
                break;
            }
        }
        end.wait();
    }
    seen
}

/// One window of the tenant whose machine panics, if it does: what is answered with 503 is sent
/// again, as any sender does.
fn fall(server: &Server, victim: &Tenant, window: usize, faulty: bool) -> Vec<Receipt> {
    let mut sender = Sender::new(server);
    (0..ALERTS)
        .map(|n| {
            let detect_id = format!("w{window}-{n}");
            if faulty && n % FAULT_EVERY == 0 {
                order(server, victim, "machine", "panic", 1);
                let reply = sender.send(victim, &detect_id).expect("an answer in any case");
                assert_eq!(reply.status, 503, "the machine panicked: {}", reply.text());
                assert!(reply.header("retry-after").is_some(), "{reply:?}");
            }
            sender.accepted(victim, &detect_id)
        })
        .collect()
}

#[test]
fn a_tenant_that_falls_again_and_again_is_suspended_and_its_alerts_are_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_SUPERVISION__INTENSITY", "2"));
    env.push(("VYROX_SUPERVISION__PROBE_MS", "6000"));
    let server = Server::start(dir.path(), &env);
    let (acme, globex) = (server.add_tenant("acme"), server.add_tenant("globex"));
    let (mut sender, mut ledger) = (Sender::new(&server), Ledger::default());
    ledger.keep(sender.accepted(&acme, "before"));
    ledger.keep(sender.accepted(&globex, "before"));

    order(&server, &acme, "machine", "panic", 3);
    for n in 0..3 {
        let reply = sender.send(&acme, &format!("falls-{n}")).expect("an answer in any case");
        assert_eq!(reply.status, 503, "panic {n}: {}", reply.text());
    }
    let health = await_state(&server, &acme, "suspended");
    assert!(health["suspended_since_ms"].is_u64(), "{health}");
    assert!(health["next_probe_at_ms"].is_u64(), "{health}");
    let machine = node(&server, "tenant/acme/machine");
    assert_eq!(machine["state"], "suspended", "{machine}");
    assert_injected(&machine["last_crash"]);

    let kept: Vec<_> = (0..20)
        .map(|n| sender.accepted(&acme, &format!("meanwhile-{n}")))
        .collect();
    let repeat = sender.send(&acme, "before").expect("an answer");
    assert_eq!(repeat.status, 200, "known from before the fall: {}", repeat.text());
    let repeat = sender.send(&acme, "meanwhile-7").expect("an answer");
    assert_eq!(repeat.status, 200, "known since the fall: {}", repeat.text());
    let writer = node(&server, "tenant/acme/intake_writer");
    assert_eq!(writer["handled"], 22, "the intake alone took them in: {writer}");
    for n in 0..20 {
        ledger.keep(sender.accepted(&globex, &format!("meanwhile-{n}")));
    }
    assert_eq!(state(&server, &globex)["state"], "serving");
    assert_eq!(server.get("/health/ready")["status"], "ready");
    kept.into_iter().for_each(|receipt| ledger.keep(receipt));

    await_state(&server, &acme, "serving");
    ledger.keep(sender.accepted(&acme, "after"));
    ledger.await_verdicts(&server);
    ledger.check(&server);
    let noted: Vec<_> = server
        .entries("_host")
        .into_iter()
        .filter(|entry| entry["payload"]["tenant_id"] == "acme")
        .map(|entry| entry["event"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(noted, ["tenant.added", "tenant.suspended", "tenant.probed", "tenant.resumed"]);
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
    let reply = sender.send(&acme, "falls").expect("an answer in any case");
    assert_eq!(reply.status, 503, "{}", reply.text());
    let health = await_state(&server, &acme, "suspended");
    let machine = node(&server, "tenant/acme/machine");
    assert_injected(&machine["last_crash"]);
    assert!(health["why"].to_string().contains("injected fault"), "{health}");
    for n in 0..5 {
        ledger.keep(sender.accepted(&acme, &format!("meanwhile-{n}")));
    }
    let status = server.terminate();
    assert!(status.success(), "a server with a suspended tenant ends with {status}");

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
    assert_eq!(left["status"], "triaged", "not closed, but left to people: {left}");
    assert_eq!(left["reasons"][0]["rule_id"], "vyrox.stage1_unavailable", "{left}");
    [once, always, beside].into_iter().for_each(|receipt| ledger.keep(receipt));
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

    order(&server, &acme, "machine", "block_ms:6000", 1);
    let (tell, told) = channel();
    thread::scope(|scope| {
        let (mut stuck, acme) = (Sender::new(&server), &acme);
        scope.spawn(move || {
            let reply = stuck.send(acme, "blocks").expect("an answer in any case");
            tell.send(reply.status).expect("the test listens");
        });
        let stuck = eventually(DEADLINE, || {
            let machine = node(&server, "tenant/acme/machine");
            machine["last_crash"]["panic"].is_string().then_some(machine)
        });
        assert_eq!(stuck["last_crash"]["panic"], "stalled", "{stuck}");
        ledger.keep(sender.accepted(&globex, "meanwhile"));
        ledger.keep(sender.accepted(acme, "meanwhile"));
        assert!(told.try_recv().is_err(), "both were answered while the thread was blocked");
        let status = told.recv_timeout(DEADLINE).expect("the blocked one is answered too");
        assert_eq!(status, 503, "the generation that was replaced can no longer write");
    });
    ledger.keep(sender.accepted(&acme, "blocks"));
    ledger.check(&server);
    ledger.await_verdicts(&server);
}

/// Lets `fault` befall the next so many messages of a tenant's actor.
fn order(server: &Server, tenant: &Tenant, actor: &str, fault: &str, times: u32) {
    let actor = format!("tenant/{}/{actor}", tenant.id);
    let body = json!({ "actor": actor, "fault": fault, "times": times });
    let reply = server.api("POST", "/api/v1/faults", Some(&body));
    assert_eq!(reply.status, 204, "is the feature fault-injection on? {reply:?}");
}

fn node(server: &Server, id: &str) -> Value {
    server.get(&format!("/health/actors/{id}"))
}

/// The panic's text and its place, as `file:line:column`.
#[track_caller]
fn assert_injected(crash: &Value) {
    assert_eq!(crash["panic"], "injected fault", "{crash}");
    let place = crash["location"].as_str().unwrap_or_default();
    let mut parts = place.rsplitn(3, ':');
    let numbers = [parts.next(), parts.next()].map(|n| n.and_then(|n| n.parse::<u32>().ok()));
    let file = parts.next().unwrap_or_default();
    assert!(
        numbers.iter().all(Option::is_some) && file.ends_with("faults.rs"),
        "the place is file:line:column: {crash}"
    );
    assert!(crash["message"].is_string() && crash["at_ms"].is_u64(), "{crash}");
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
    eventually(DEADLINE + Duration::from_secs(60), || {
        let alert = server.judged(&receipt.tenant, &receipt.alert_id);
        (!alert["verdict"].is_null()).then_some(alert)
    })
}
