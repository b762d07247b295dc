//! SIGTERM in the worst moment: under load, while tenants fall, are suspended, and block their thread.
//! Needs the feature `fault-injection`.

use std::{
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{Sender as Tell, channel},
    },
    thread,
};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{
    load::{Dice, Ledger, Receipt, Sender},
    restart::recovery,
    server::{DEADLINE, NO_RATIONS, Server, Tenant, eventually, now},
};

const SERVING: [&str; 3] = ["acme", "globex", "initech"];
/// One whose machine falls at each start, one that is suspended for it, one whose machine blocks.
const TROUBLED: [&str; 3] = ["looping", "suspended", "stuck"];
/// Connections that post for each tenant, as fast as they are answered.
const CONNECTIONS: usize = 2;
/// Answers before the signal, and so many more by chance.
const ANSWERS: (u64, u64) = (200, 400);
/// A handler that will not return while a test lasts.
const FOR_EVER: &str = "block_ms:600000";
/// Started first, ended last; the journal's watch is the very last.
const HOST: [&str; 7] = [
    "audit_writer",
    "projector",
    "nonce_cache",
    "notary",
    "deadlines",
    "registry",
    "tenants",
];

#[test]
fn sigterm_amid_falls_and_a_blocked_thread_loses_nothing_and_ends_in_order() {
    let mut dice = Dice::announced("shutdown");
    let dir = tempfile::tempdir().expect("a directory");
    let env = env(&[
        ("VYROX_SUPERVISION__INTENSITY", "2"),
        // Long pauses, so that the one that falls is still at it when the signal comes.
        ("VYROX_SUPERVISION__BACKOFF_MS", "1000"),
        ("VYROX_SUPERVISION__PROBE_MS", "600000"),
    ]);
    let server = Server::start(dir.path(), &env);
    let mut ledger = Ledger::default();
    let tenants = SERVING.into_iter().chain(TROUBLED);
    let tenants: Vec<_> = tenants.map(|id| server.add_tenant(id)).collect();
    // The order in which they are woken is the order in which their actors start.
    for tenant in &tenants {
        ledger.keep(Sender::new(&server).accepted(tenant, "first"));
    }
    server.strike("tenant/suspended/machine", "panic_in_started", 3);
    ledger.keep(Sender::new(&server).accepted(&tenants[4], "falls"));
    server.await_state("tenant/suspended/machine", "suspended");

    let (receipts, log) = until_terminated(server, &tenants, &mut dice);
    println!("{} alerts were acknowledged in the load", receipts.len());
    ledger.keep_all(receipts);
    check_order(&log);

    let server = Server::start(dir.path(), &env);
    nothing_to_repair(&server);
    ledger.check(&server);
    ledger.await_verdicts(&server);
}

/// The order of ends, as the log tells it.
fn check_order(log: &str) {
    let ended = ended(log);
    let ids: Vec<_> = ended.iter().map(|end| end.actor.as_str()).collect();
    println!("ended: {}", ids.join(" "));
    let host: Vec<_> = HOST.iter().rev().copied().collect();
    assert!(
        ids.ends_with(&host),
        "the host's own actors end last: {ids:?}"
    );
    let of_serving: Vec<_> = ids
        .iter()
        .filter(|id| {
            SERVING
                .iter()
                .any(|tenant| id.starts_with(&format!("tenant/{tenant}/")))
        })
        .copied()
        .collect();
    let started = SERVING.iter().rev();
    let expected: Vec<_> = started
        .flat_map(|tenant| {
            let adapters = ["edr/defender", "edr/sentinelone", "edr/crowdstrike"];
            let all = ["machine"]
                .into_iter()
                .chain(adapters)
                .chain(["triage_engine"]);
            all.map(move |actor| format!("tenant/{tenant}/{actor}"))
        })
        .collect();
    assert_eq!(
        of_serving, expected,
        "each tenant's in the reverse order of their start"
    );
    for end in &ended {
        let troubled = TROUBLED.iter().any(|tenant| end.actor.contains(tenant));
        assert!(
            troubled || (end.exit == "ended" && end.unhandled == 0),
            "{} was served well and was not ended so: {end:?}",
            end.actor
        );
    }
}

/// Load until SIGTERM has ended the server: the receipts, and its log.
fn until_terminated(server: Server, tenants: &[Tenant], dice: &mut Dice) -> (Vec<Receipt>, String) {
    let (tell, told) = channel();
    let draining = AtomicBool::new(false);
    thread::scope(|scope| {
        for tenant in tenants {
            for connection in 0..CONNECTIONS {
                let (sender, tell, draining) = (Sender::new(&server), tell.clone(), &draining);
                scope.spawn(move || press_on(sender, tenant, connection, &tell, draining));
            }
        }
        drop(tell);
        let enough = dice.between(ANSWERS.0, ANSWERS.1);
        let first = (0..enough).map(|_| told.recv_timeout(DEADLINE).expect("answers keep coming"));
        let mut receipts: Vec<_> = first.collect();
        server.strike("tenant/looping/machine", "panic_in_started", 1_000_000);
        eventually(DEADLINE, || {
            let machine = server.node("tenant/looping/machine");
            machine["last_crash"].is_object().then_some(())
        });
        server.strike("tenant/stuck/machine", FOR_EVER, 1);
        server.await_state("tenant/stuck/machine", "stalled");
        draining.store(true, Ordering::Release);
        server.signal(Signal::SIGTERM);
        let from = now();
        let (status, log) = server.wait();
        println!("ended {:?} after SIGTERM", from.elapsed());
        assert_eq!(status.code(), Some(0), "SIGTERM ends with 0:\n{log}");
        assert!(
            log.contains("\"drained\""),
            "the last words are missing:\n{log}"
        );
        receipts.extend(told);
        (receipts, log)
    })
}

/// Posts until the doors are closed. Before that, only a tenant in trouble may be told to come back.
fn press_on(
    mut sender: Sender,
    tenant: &Tenant,
    connection: usize,
    tell: &Tell<Receipt>,
    draining: &AtomicBool,
) {
    let in_trouble = TROUBLED.contains(&tenant.id.as_str());
    for n in 0_u64.. {
        let detect_id = format!("c{connection}-{n}");
        let reply = sender.send(tenant, &detect_id);
        let ends = draining.load(Ordering::Acquire);
        match reply {
            Ok(reply) if reply.status == 202 => {
                tell.send(Receipt::read(tenant, &detect_id, &reply))
                    .expect("the test listens");
            }
            Ok(reply) => {
                assert_eq!(reply.status, 503, "{} {}", tenant.id, reply.text());
                assert!(reply.header("retry-after").is_some(), "{reply:?}");
                assert!(ends || in_trouble, "{} {}", tenant.id, reply.text());
            }
            Err(error) => return assert!(ends, "{} got no answer: {error}", tenant.id),
        }
    }
}

/// Those who wait in front of a machine that never comes back.
const WAITING: usize = 5;

#[test]
fn an_actor_that_never_comes_back_is_left_behind_and_what_it_left_is_in_the_log() {
    let dir = tempfile::tempdir().expect("a directory");
    let env = env(&[
        // Nobody takes over from the blocked thread.
        ("VYROX_SUPERVISION__STALL_MS", "600000"),
        ("VYROX_SERVER__REQUEST_TIMEOUT_MS", "500"),
    ]);
    let server = Server::start(dir.path(), &env);
    let (acme, stuck) = (server.add_tenant("acme"), server.add_tenant("stuck"));
    let mut ledger = Ledger::default();
    ledger.keep(Sender::new(&server).accepted(&acme, "before"));
    ledger.keep(Sender::new(&server).accepted(&stuck, "before"));
    ledger.await_verdicts(&server);

    server.strike("tenant/stuck/machine", FOR_EVER, 1);
    for n in 0..=WAITING {
        let reply = Sender::new(&server).send(&stuck, &format!("waits-{n}"));
        let reply = reply.expect("an answer in any case");
        assert_eq!(reply.status, 503, "{}", reply.text());
        assert_eq!(reply.json()["code"], "timed_out", "{}", reply.text());
    }
    let from = now();
    server.signal(Signal::SIGTERM);
    let (status, log) = server.wait();
    println!("ended {:?} after SIGTERM", from.elapsed());
    assert_eq!(
        status.code(),
        Some(0),
        "a stuck actor holds up nobody:\n{log}"
    );
    let ended = ended(&log);
    let badly: Vec<_> = ended
        .iter()
        .filter(|end| end.exit != "ended" || end.unhandled > 0)
        .map(|end| (end.actor.as_str(), end.exit.as_str(), end.unhandled))
        .filter(|(actor, ..)| !actor.starts_with("tenant/acme/"))
        .collect();
    println!("{badly:?}");
    let machine = ("tenant/stuck/machine", "killed", WAITING as u64);
    assert!(badly.contains(&machine), "{badly:?}");

    let server = Server::start(dir.path(), &env);
    nothing_to_repair(&server);
    // Nothing of it was acknowledged, and nothing of it was done behind the sender's back.
    for n in 0..=WAITING {
        ledger.keep(Sender::new(&server).accepted(&stuck, &format!("waits-{n}")));
    }
    ledger.check(&server);
    ledger.await_verdicts(&server);
}

fn env(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_LOG__FORMAT", "json"));
    env.push(("VYROX_LOG__LEVEL", "info,vyrox=debug"));
    env.extend_from_slice(more);
    env
}

/// A start on what an orderly end left has nothing to cut, to copy, to mend or to fold anew.
fn nothing_to_repair(server: &Server) {
    let found = recovery(server);
    assert_eq!(
        (
            &found["entries"],
            &found["cut"],
            &found["damaged"],
            &found["held"]
        ),
        (&0.into(), &false.into(), &false.into(), &0.into()),
        "{found}"
    );
    let log = server.stderr();
    for sign in ["rebuilt", "stand still", "projections are behind"] {
        assert!(!log.contains(sign), "{sign}:\n{log}");
    }
    let host = server.entries("_host");
    let noted = host
        .iter()
        .find(|entry| entry["event"] == "journal.recovered");
    assert_eq!(noted, None, "the host's own chain tells of a repair");
}

/// How an actor ended, as the log has it.
#[derive(Debug)]
struct End {
    actor: String,
    exit: String,
    unhandled: u64,
}

/// All of them, in the order in which they ended.
fn ended(log: &str) -> Vec<End> {
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let told = lines.map(|line| match line.get("fields") {
        Some(fields) => fields.clone(),
        None => line,
    });
    let ends = told.filter(|told| {
        let message = told["message"].as_str();
        message.is_some_and(|message| message.starts_with("actor ended"))
    });
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    ends.map(|end| End {
        actor: text(&end["actor"]),
        exit: text(&end["exit"]),
        unhandled: end["unhandled"].as_u64().expect("a number"),
    })
    .collect()
}
