//! A thread that does not come back: seen from outside while it blocks, named with actor and message,
//! and made up for. Needs the feature `fault-injection`.

use serde_json::{Value, json};

use crate::{
    load::{Ledger, Sender},
    server::{DEADLINE, Http, NO_RATIONS, Server, Tenant, eventually, request_bytes, sign},
};

const MACHINE: &str = "tenant/acme/machine";
const NOTICE: &str = "an actor keeps its thread busy";
/// Longer than any test here: whatever is answered is answered beside the blocked thread.
const FOR_GOOD: &str = "block_ms:600000";

#[test]
fn a_blocked_thread_is_seen_and_named_while_it_blocks() {
    let dir = tempfile::tempdir().expect("a directory");
    // Nobody is moved here.
    let server = start(dir.path(), &[("VYROX_SUPERVISION__STALL_MS", "600000")]);
    let acme = server.add_tenant("acme");
    settle(&server, &acme);
    let looks = server.metric("vyrox_watchdog_looks_total");

    server.strike(MACHINE, FOR_GOOD, 1);
    let _waiting = send(&server, &acme, "blocks");
    let seen = eventually(DEADLINE, || {
        let answer = server.get("/health/actors");
        let is_stuck = stuck_in_machine(&answer).count() > 0;
        is_stuck.then_some(answer)
    });
    let thread = stuck_in_machine(&seen).next().expect("it was seen");
    let message = thread["message"].as_str().unwrap_or_default();
    assert!(message.ends_with("::Receive"), "{thread}");
    assert_eq!(node_in(&seen["host"], MACHINE)["state"], "stalled");
    assert_eq!(server.node(MACHINE)["state"], "stalled");

    tree_alone_is_filtered(&server);
    let ready = server.get("/health/ready");
    assert_eq!(ready["status"], "ready", "{ready}");
    assert!(ready["threads_stuck"].as_u64() >= Some(1), "{ready}");
    assert!(server.metric("vyrox_threads_stuck") >= 1);
    assert!(server.metric("vyrox_stalls_noticed_total") >= 1);
    assert_eq!(server.metric("vyrox_stalls_replaced_total"), 0);
    assert!(server.metric("vyrox_watchdog_looks_total") > looks);
    let other = server.add_tenant(elsewhere());
    Sender::new(&server).accepted(&other, "on the other thread");

    let top = server.cli(&["top", "--once"]);
    let top = String::from_utf8_lossy(&top.stdout);
    let told = format!("in {MACHINE}, handling {message}");
    let mut lines = top
        .lines()
        .filter(|line| line.starts_with("thread stuck for "));
    assert!(lines.any(|line| line.ends_with(&told)), "{told}\n{top}");
    let notice = said(&server, NOTICE).remove(0);
    assert_eq!(
        [&notice["actor"], &notice["handling"], &notice["thread"]],
        [&json!(MACHINE), &thread["message"], &thread["name"]]
    );
    println!("noticed after {}", notice["lasted"]);
}

/// `depth` and `state` leave nothing out of what stands beside the tree.
fn tree_alone_is_filtered(server: &Server) {
    let answer = server.get("/health/actors?depth=0&state=running");
    assert_eq!(answer["host"]["children"], json!([]));
    assert_eq!(stuck_in_machine(&answer).count(), 1, "{answer}");
    assert!(answer["threads"].as_array().map(Vec::len) >= Some(3));
    let stalls = &answer["stalls"];
    assert!(stalls["noticed"].as_u64() >= Some(1), "{stalls}");
    assert!(stalls["threads_stuck"].as_u64() >= Some(1), "{stalls}");
    let answer = server.get("/health/actors?state=stalled");
    assert_eq!(node_in(&answer["host"], MACHINE)["state"], "stalled");
    assert_eq!(
        node_in(&answer["host"], "tenant/acme/triage_engine"),
        &Value::Null
    );
}

/// The only spare thread was taken by the first stall, and the tenants of the second one stayed where
/// they were; new tenants were sent to threads that were stuck already.
#[test]
fn each_stuck_thread_is_made_up_for_and_new_tenants_are_served_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = start(
        dir.path(),
        &[
            ("VYROX_SUPERVISION__STALL_MS", "300"),
            ("VYROX_SUPERVISION__SPARE_THREADS", "1"),
            ("VYROX_SUPERVISION__INTENSITY", "100"),
        ],
    );
    let (mut sender, mut ledger) = (Sender::new(&server), Ledger::default());
    let (acme, other) = (server.add_tenant("acme"), server.add_tenant(elsewhere()));
    ledger.keep(settle(&server, &acme));
    ledger.keep(settle(&server, &other));

    for (turn, name) in beside("acme").enumerate() {
        server.strike(MACHINE, FOR_GOOD, 1);
        ledger.keep(sender.accepted(&acme, &format!("blocks-{turn}")));
        let newcomer = server.add_tenant(&name);
        ledger.keep(sender.accepted(&newcomer, "comes"));
        ledger.keep(sender.accepted(&acme, &format!("goes-on-{turn}")));

        let seen = server.get("/health/actors");
        let stuck: Vec<_> = stuck_in_machine(&seen).collect();
        assert_eq!(stuck.len(), turn + 1, "{seen}");
        assert!(
            stuck.iter().all(|thread| thread["actors"] == 0),
            "{stuck:?}"
        );
        let machine = node_in(&seen["host"], MACHINE);
        assert_eq!(machine["last_crash"]["panic"], "stalled", "{machine}");
        assert_eq!(machine["last_crash"]["message"], message_of(&server, turn));
    }
    let ready = server.get("/health/ready");
    assert_eq!(ready["status"], "ready", "{ready}");
    assert!(ready["threads_stuck"].as_u64() >= Some(3), "{ready}");
    assert!(server.metric("vyrox_stalls_replaced_total") >= 3);
    ledger.keep(sender.accepted(&other, "was never touched"));
    ledger.check(&server);
    ledger.await_verdicts(&server);
}

/// The message in which the machine lost its thread for the time `turn`, by the log: noticed by thread,
/// actor and message, and only then moved.
fn message_of(server: &Server, turn: usize) -> Value {
    let log = log(server);
    let notices = log.iter().enumerate().filter_map(|(at, line)| {
        let moves = line["message"] == "the actors of a stuck thread move";
        let mut earlier = log[..at].iter().rev().filter(|_| moves);
        earlier.find(|earlier| {
            earlier["message"] == NOTICE
                && earlier["actor"] == MACHINE
                && earlier["thread"] == line["thread"]
        })
    });
    let notices: Vec<_> = notices.collect();
    let notice = notices.get(turn);
    let notice = notice.unwrap_or_else(|| panic!("moved before it was noticed: {log:?}"));
    println!("noticed after {}: {}", notice["lasted"], notice["handling"]);
    notice["handling"].clone()
}

#[test]
fn a_thread_that_comes_back_is_well_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = start(dir.path(), &[("VYROX_SUPERVISION__STALL_MS", "600000")]);
    let acme = server.add_tenant("acme");
    settle(&server, &acme);
    server.strike(MACHINE, "block_ms:2000", 1);
    Sender::new(&server).accepted(&acme, "blocks for a while");
    let recovered = "recovered: an actor keeps its thread busy";
    eventually(DEADLINE, || {
        server.metric("vyrox_stalls_recovered_total");
        let told = said(&server, recovered);
        told.into_iter().find(|line| line["actor"] == MACHINE)
    });
    let log = log(&server);
    let at = |text: &str| log.iter().position(|line| line["message"] == text);
    assert!(at(NOTICE) < at(recovered), "{log:?}");
    assert!(server.metric("vyrox_stalls_recovered_total") >= 1);
    let seen = server.get("/health/actors");
    assert_eq!(stuck_in_machine(&seen).count(), 0, "{seen}");
    assert_eq!(
        server.node(MACHINE)["generation"],
        1,
        "it went on where it was"
    );
}

/// With more than 62 threads for tenants the server took its own threads for stuck ones and did not start.
#[test]
fn the_most_threads_that_may_be_asked_for_start() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = start(dir.path(), &[("VYROX_SUPERVISION__ARBITERS", "256")]);
    assert_eq!(server.get("/health")["status"], "ok");
}

fn start(dir: &std::path::Path, more: &[(&'static str, &'static str)]) -> Server {
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_LOG__FORMAT", "json"));
    env.push(("VYROX_SUPERVISION__ARBITERS", "2"));
    env.extend_from_slice(more);
    Server::start(dir, &env)
}

/// Takes in an alert and waits for its verdict, so that a fault strikes none of what that sends about.
fn settle(server: &Server, tenant: &Tenant) -> crate::load::Receipt {
    let receipt = Sender::new(server).accepted(tenant, "before");
    let alert = server.judged(&tenant.id, &receipt.alert_id);
    assert!(alert["verdict"].is_string(), "{alert}");
    receipt
}

/// Posts an alert on a connection whose answer nobody reads.
fn send(server: &Server, tenant: &Tenant, detect_id: &str) -> Http {
    let body = tenant.body(detect_id, "whoami");
    let signature = sign(&tenant.secret, &body);
    let headers = [
        ("content-type", "application/json"),
        ("x-vyrox-signature", signature.as_str()),
    ];
    let bytes = request_bytes("POST", "/webhook/crowdstrike", &headers, &body);
    let mut http = server.http();
    http.send_raw(&bytes).expect("the server listens");
    http
}

/// The threads of an answer that are stuck in the machine.
fn stuck_in_machine(answer: &Value) -> impl Iterator<Item = &Value> {
    let threads = answer["threads"].as_array().into_iter().flatten();
    threads.filter(|thread| thread["stuck_for_ms"].is_u64() && thread["polling"] == MACHINE)
}

/// The node of that id in a tree; null if it is not there.
fn node_in<'t>(node: &'t Value, id: &str) -> &'t Value {
    if node["id"] == id {
        return node;
    }
    let children = node["children"].as_array().into_iter().flatten();
    let mut found = children.map(|child| node_in(child, id));
    found.find(|found| !found.is_null()).unwrap_or(&Value::Null)
}

/// The lines of the log so far.
fn log(server: &Server) -> Vec<Value> {
    let log = server.stderr();
    let lines = log.lines().map(serde_json::from_str);
    lines.filter_map(Result::ok).collect()
}

/// Those with this text.
fn said(server: &Server, text: &str) -> Vec<Value> {
    let mut lines = log(server);
    lines.retain(|line| line["message"] == text);
    lines
}

/// Which of two threads a tenant lives on depends on its name alone.
fn place(tenant: &str) -> usize {
    tenant.bytes().map(usize::from).sum::<usize>() % 2
}

/// Three tenants that share their thread with `tenant`.
fn beside(tenant: &str) -> impl Iterator<Item = String> {
    let names = (0..6).map(|n| format!("beside-{n}"));
    names.filter(move |name| place(name) == place(tenant))
}

/// A tenant that does not share its thread with `acme`.
fn elsewhere() -> &'static str {
    let names = ["globex", "initech"];
    let other = names.into_iter().find(|name| place(name) != place("acme"));
    other.expect("one of them lives elsewhere")
}
