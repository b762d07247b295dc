//! Callers who race each other, and a halt that comes in between: what may be done once is done once, and
//! what may not be done is not.

use std::{collections::BTreeMap, sync::Barrier, thread};

use serde_json::{Value, json};
use uuid::Uuid;
use vyrox::{
    mock_edr::{Answer, Fault, Host, Route},
    scenario::Scenario,
};
use vyrox_domain::vendor::Vendor;

use super::house::{House, said, signed, signed_bytes};
use crate::server::{DEADLINE, Http, Reply, unix_s};

const VENDOR: Vendor = Vendor::Crowdstrike;
const CONNECTIONS: usize = 64;

/// How often each answer came.
type Answers = BTreeMap<(u16, String), usize>;

/// An isolation of that device, of an alert that nobody knows.
pub(super) fn isolation(tenant: &str, device: &str) -> Value {
    json!({
        "request_id": Uuid::new_v4(),
        "tenant_id": tenant,
        "alert_id": Uuid::new_v4(),
        "action_type": "HOST_ISOLATION",
        "host": device,
        "approved_by": "ann@acme.example",
        "approved_at": unix_s(),
    })
}

/// The device id of the `n`th host.
pub(super) fn device(n: usize) -> String {
    format!("{n:032x}")
}

/// Hosts beside those of the scenarios, from 1 on.
fn with_hosts(env: &[(&str, &str)], count: usize) -> House {
    let house = House::open(env, &[VENDOR]);
    for n in 1..=count {
        let host = Host::new(VENDOR, &device(n), &format!("WS-{n:04}"));
        house.mock.add_host(host);
    }
    house
}

/// Each connection asks at the same moment, `per` times; all answers.
fn race(house: &House, per: usize, body: impl Fn(usize) -> Value + Sync) -> Vec<Reply> {
    let ready = Barrier::new(CONNECTIONS);
    let ask = |nth: usize| {
        let mut http: Http = house.server.http();
        ready.wait();
        let asks = (0..per).map(|_| signed(&mut http, "/execute", &body(nth)));
        asks.collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let ask = &ask;
        let racers: Vec<_> = (1..=CONNECTIONS)
            .map(|nth| scope.spawn(move || ask(nth)))
            .collect();
        let answers = racers
            .into_iter()
            .map(|racer| racer.join().expect("answers"));
        answers.flatten().collect()
    })
}

fn count(replies: &[Reply]) -> Answers {
    let mut answers = Answers::new();
    for reply in replies {
        *answers.entry(said(reply)).or_default() += 1;
    }
    answers
}

fn of(answers: &Answers, status: u16, word: &str) -> usize {
    answers
        .get(&(status, word.to_owned()))
        .copied()
        .unwrap_or(0)
}

#[test]
fn of_a_thousand_identical_requests_one_reaches_the_vendor() {
    const PER: usize = 16;
    let house = with_hosts(&[], 1);
    let body = isolation("acme", &device(1));
    let answers = count(&race(&house, PER, |_| body.clone()));
    assert_eq!(of(&answers, 200, "executed"), 1, "{answers:?}");
    let others = of(&answers, 200, "replayed") + of(&answers, 409, "in_flight");
    assert_eq!(others, CONNECTIONS * PER - 1, "{answers:?}");
    assert_eq!(house.mock.count(VENDOR, Route::Contain), 1);

    let mut http = house.server.http();
    let mut other = body.clone();
    other["approved_by"] = json!("bob");
    let mismatch = said(&signed(&mut http, "/execute", &other));
    assert_eq!(mismatch, (409, "idempotency_mismatch".to_owned()));
    let house = house.power_cycle();
    // Its approval is as old as can be: a known request is looked up before that.
    let mut late = body.clone();
    late["approved_at"] = json!(1);
    for body in [&body, &late] {
        let replay = said(&signed(&mut house.server.http(), "/execute", body));
        assert_eq!(replay, (200, "replayed".to_owned()));
    }
    assert_eq!(house.mock.count(VENDOR, Route::Contain), 1);
    assert_eq!(house.events("acme", "action.intent").len(), 1);
    house.is_whole();
}

#[test]
fn what_may_not_be_is_refused_in_earnest_as_in_rehearsal_and_sends_nothing() {
    let house = with_hosts(&[], 0);
    let alert = house.alert("acme", VENDOR, Scenario::Mimikatz);
    let mut http = house.server.http();
    for (member, value, status, code) in [
        ("approved_at", json!(unix_s() - 31), 410, "approval_stale"),
        ("approved_at", json!(unix_s() + 60), 410, "approval_stale"),
        ("action_type", json!("PROCESS_KILL"), 400, "no_target"),
        (
            "action_type",
            json!("NETWORK_QUARANTINE"),
            501,
            "unsupported_action",
        ),
    ] {
        let mut body = isolation("acme", "WS-FINANCE-07");
        body["alert_id"] = json!(alert);
        body[member] = value;
        let answer = said(&signed(&mut http, "/execute", &body));
        assert_eq!(answer, (status, code.to_owned()), "{member}");
    }
    let changes = house
        .mock
        .calls()
        .iter()
        .filter(|call| call.changes)
        .count();
    assert_eq!(changes, 0);
    assert!(house.events("acme", "action.intent").is_empty());
    house.is_whole();
}

#[test]
fn however_many_race_the_budget_is_kept() {
    let house = with_hosts(&[("VYROX_CONTAINMENT__PER_HOUR", "3")], CONNECTIONS);
    let replies = race(&house, 1, |nth| isolation("acme", &device(nth)));
    let answers = count(&replies);
    assert_eq!(of(&answers, 200, "executed"), 3, "{answers:?}");
    let refused = of(&answers, 429, "containment_budget");
    assert_eq!(refused, CONNECTIONS - 3, "{answers:?}");
    for reply in replies.iter().filter(|reply| reply.status == 429) {
        let after: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=3600).contains(&after), "{reply:?}");
    }
    assert_eq!(house.mock.count(VENDOR, Route::Contain), 3);
    assert_eq!(house.events("acme", "action.intent").len(), 3);
    house.is_whole();
}

#[test]
fn no_more_are_under_way_than_may_be() {
    let house = with_hosts(&[("VYROX_CONTAINMENT__CONCURRENT", "2")], 3);
    house.mock.fault(
        Fault::once(VENDOR, Route::Contain, Answer::Hang)
            .always()
            .applied(),
    );
    let mut under_way = Vec::new();
    for n in 1..=2 {
        let mut http = house.server.http();
        let body = isolation("acme", &device(n));
        http.send_raw(&signed_bytes("/execute", &body)).unwrap();
        let sent = house.mock.wait_until(DEADLINE, |calls| {
            calls
                .iter()
                .filter(|call| call.is(VENDOR, Route::Contain))
                .count()
                == n
        });
        assert!(sent, "{n} under way");
        under_way.push(http);
    }
    let third = isolation("acme", &device(3));
    let mut http = house.server.http();
    let refused = signed(&mut http, "/execute", &third);
    assert_eq!(said(&refused), (429, "containment_budget".to_owned()));
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    house.mock.mend();
    for mut http in under_way {
        let reply = http.read_reply().unwrap();
        assert_eq!(said(&reply), (200, "executed".to_owned()));
    }
    let now = signed(&mut http, "/execute", &third);
    assert_eq!(said(&now), (200, "executed".to_owned()));
    house.is_whole();
}

#[test]
fn nothing_is_begun_after_a_halt_was_answered() {
    let env = [
        ("VYROX_CONTAINMENT__CONCURRENT", "100"),
        ("VYROX_CONTAINMENT__PER_HOUR", "100"),
        ("VYROX_CONTAINMENT__CONTAINED_HOSTS", "100"),
        ("VYROX_POLICY__BULK_HOSTS", "1000"),
    ];
    let house = with_hosts(&env, CONNECTIONS + 1);
    let (replies, sent, begun) = thread::scope(|scope| {
        let racing = scope.spawn(|| race(&house, 1, |nth| isolation("acme", &device(nth))));
        let first = house.mock.wait_until(DEADLINE, |calls| {
            calls.iter().any(|call| call.is(VENDOR, Route::Contain))
        });
        assert!(first, "one is sent");
        let reason = json!({ "tenant_id": "acme", "reason": "a wrong rule" });
        let halt = house.server.api("POST", "/api/v1/halt", Some(&reason));
        assert_eq!(halt.status, 200, "{halt:?}");
        let sent = house.mock.count(VENDOR, Route::Contain);
        // What asks from now on is refused, whatever is under way.
        let late = isolation("acme", &device(CONNECTIONS + 1));
        let late = signed(&mut house.server.http(), "/execute", &late);
        assert_eq!(said(&late), (403, "containment_halted".to_owned()));
        let begun = house.events("acme", "action.intent").len();
        (racing.join().expect("answers"), sent, begun)
    });
    let answers = count(&replies);
    let at_last = house.mock.count(VENDOR, Route::Contain);
    println!(
        "{sent} sent and {begun} begun at the halt's answer, {at_last} sent in the end: {answers:?}"
    );
    assert_eq!(house.events("acme", "action.intent").len(), begun);
    let executed = of(&answers, 200, "executed");
    assert_eq!(executed, at_last, "{answers:?}");
    // Requests that were let go already may arrive after the answer, as many as the pace lets go at once; what
    // waited for its turn does not leave, and that is most of them.
    let late = at_last - sent;
    assert!(late <= CONNECTIONS / 4, "{sent} then, {at_last} in the end");
    house.is_whole();
}
