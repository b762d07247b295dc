//! A message that makes its actor fall again and again is set aside, and nothing else comes of it: one
//! bad alert is one answer, evidence in its tenant's chain, and a dead letter that an operator sees and
//! settles from the command line. Needs the feature `fault-injection`.

mod letters;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use self::letters::{
    asks_for_nonsense, assert_no_letters, code, events, letters, numbers, only_letter, orders,
    said, short_name,
};
use crate::{
    faults::{node, order},
    load::{HARMFUL, Receipt, Sender},
    server::{DEADLINE, NO_PROPOSALS, NO_RATIONS, Reply, Server, Tenant, eventually},
};

/// An authentic body of no known shape.
const SHAPELESS: &[u8] = br#"{"customer_id":"acme","weather":"fine"}"#;

fn start(dir: &tempfile::TempDir, settings: &[(&'static str, &'static str)]) -> Server {
    let env: Vec<_> = NO_RATIONS.iter().chain(settings).copied().collect();
    Server::start(dir.path(), &env)
}

/// The tightest budget of restarts that there is.
const ONE_FALL: (&str, &str) = ("VYROX_SUPERVISION__INTENSITY", "1");

#[test]
fn a_bad_alert_is_evidence_and_a_dead_letter_and_redriven_it_is_an_alert_like_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir, &[ONE_FALL]);
    let (acme, globex) = (server.add_tenant("acme"), server.add_tenant("globex"));
    let mut sender = Sender::new(&server);
    for tenant in [&acme, &globex] {
        let before = sender.accepted(tenant, "before");
        assert_eq!(
            server.judged(&tenant.id, &before.alert_id)["verdict"],
            "CRITICAL"
        );
    }

    let entry = fell_over(&server, &acme, "bad");
    assert_eq!(entry["payload"]["reason"], "quarantined", "{entry}");
    assert_eq!(
        entry["payload"]["vendor_alert_ids"],
        json!(["bad"]),
        "{entry}"
    );
    let detail = entry["payload"]["detail"].as_str().unwrap();
    assert!(
        detail.contains("(Receive at ") && detail.contains(".rs:"),
        "{detail}"
    );
    assert_eq!(node(&server, "tenant/acme/machine")["restarts"], 2);
    for tenant in [&acme, &globex] {
        let after = sender.accepted(tenant, "after");
        assert_eq!(
            server.judged(&tenant.id, &after.alert_id)["verdict"],
            "CRITICAL"
        );
        let health = server.get(&format!("/health/tenants/{}", tenant.id));
        assert_eq!(health["state"], "serving", "{health}");
    }
    assert_eq!(node(&server, "tenant/globex/machine")["restarts"], 0);

    let letter = letter_of(&server, &entry);
    redriven(&server, &acme, &letter);
}

/// The dead letter of the body that an entry keeps.
fn letter_of(server: &Server, entry: &Value) -> Value {
    let letter = only_letter(server, "acme");
    assert_eq!(letter["actor"], "tenant/acme/machine", "{letter}");
    assert_eq!(letter["panic"], "injected panic", "{letter}");
    assert_eq!(letter["kept"], true, "{letter}");
    let body_sha256 = entry["payload"]["evidence"][0]["sha256"].as_str().unwrap();
    let digest = letter["digest"].as_str().unwrap();
    assert_eq!(
        digest,
        &body_sha256[..16],
        "by this the two are told to be of one body"
    );
    let shown = said(&server.cli(&["dead-letter", "list"]));
    for cell in ["tenant/acme/machine", "Receive", "injected panic", ".rs:"] {
        assert!(shown.contains(cell), "{cell} in {shown}");
    }
    letter
}

/// From the command line: the alert `bad` comes in late, and the host's chain tells by whose order.
fn redriven(server: &Server, acme: &Tenant, letter: &Value) {
    let number = letter["number"].to_string();
    let told = said(&server.cli(&["dead-letter", "redrive", &number]));
    assert!(told.contains("Receive of tenant/acme/machine"), "{told}");
    let alert = taken_in_late(server, "acme", "bad");
    let alert_id = alert["alert_id"].as_str().unwrap();
    assert_eq!(server.judged("acme", alert_id)["verdict"], "CRITICAL");
    assert_no_letters(server);
    let repeat = Sender::new(server).send(acme, "bad").unwrap();
    assert_eq!((repeat.status, status(&repeat)), (200, "duplicate".into()));
    assert_eq!(server.verify("acme")["ok"], true);
    let orders = orders(server);
    assert_eq!(orders.len(), 1, "{orders:?}");
    assert_eq!(orders[0]["event"], "dead_letter.redriven");
    assert_eq!(orders[0]["actor"], "api_token:bootstrap");
    for member in ["actor", "message", "digest", "number"] {
        assert_eq!(
            orders[0]["payload"][member], letter[member],
            "{}",
            orders[0]
        );
    }
}

#[test]
fn a_dead_letter_stays_until_it_is_discarded_and_is_not_forgiven_by_that() {
    let dir = tempfile::tempdir().unwrap();
    let rest = ("VYROX_SUPERVISION__IDLE_PASSIVATE_S", "1");
    let server = start(&dir, &[rest, NO_PROPOSALS]);
    let (acme, globex) = (server.add_tenant("acme"), server.add_tenant("globex"));
    fell_over(&server, &acme, "bad");
    Sender::new(&server).accepted(&globex, "later");

    // Both have nothing to do, and acme has had nothing to do for longer.
    await_state(&server, &globex, "passive");
    let letter = only_letter(&server, "acme");
    let listed = said(&server.cli(&["dead-letter", "list", "--tenant", "globex"]));
    assert!(listed.starts_with("no dead letters"), "{listed}");
    asks_for_nonsense(&server);
    assert_eq!(
        only_letter(&server, "acme"),
        letter,
        "nonsense changed nothing"
    );
    assert!(orders(&server).is_empty(), "nor is it written down");

    // It is known now: it is set aside again without a fall.
    let restarts = node(&server, "tenant/acme/machine")["restarts"].clone();
    let again = Sender::new(&server).send(&acme, "bad").unwrap();
    assert_eq!((again.status, status(&again)), (202, "quarantined".into()));
    assert_eq!(node(&server, "tenant/acme/machine")["restarts"], restarts);

    let numbers = numbers(&server);
    assert_eq!(numbers.len(), 2);
    let mut args = vec!["dead-letter", "discard"];
    args.extend(numbers.iter().map(String::as_str));
    said(&server.cli(&args));
    assert_no_letters(&server);
    let gone = server.api(
        "DELETE",
        &format!("/api/v1/dead-letters/{}", numbers[0]),
        None,
    );
    assert_eq!(
        (gone.status, code(&gone)),
        (404, "dead_letter_not_found".into())
    );
    let told: Vec<_> = orders(&server)
        .into_iter()
        .map(|entry| entry["event"].clone())
        .collect();
    assert_eq!(told, ["dead_letter.discarded"; 2]);
    await_state(&server, &acme, "passive");
}

#[test]
fn a_dead_letter_outlives_the_suspension_of_its_tenant() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir, &[ONE_FALL, ("VYROX_SUPERVISION__PROBE_MS", "6000")]);
    let acme = server.add_tenant("acme");
    fell_over(&server, &acme, "bad");
    // A second one within the period is one too many: it is taken in by who stands in for the machine.
    order(&server, &acme, "machine", "panic", 2);
    Sender::new(&server).accepted(&acme, "worse");
    await_state(&server, &acme, "suspended");

    let letter = only_letter(&server, "acme");
    let path = format!("/api/v1/dead-letters/{}/redrive", letter["number"]);
    let refused = server.api("POST", &path, None);
    assert_eq!(
        (refused.status, code(&refused)),
        (503, "unavailable".into())
    );
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    assert!(
        orders(&server).is_empty(),
        "what can't be done is not written down"
    );

    eventually(DEADLINE, || {
        let machine = node(&server, "tenant/acme/machine");
        (machine["state"] == "running").then_some(())
    });
    assert_eq!(only_letter(&server, "acme"), letter);
    assert_eq!(server.api("POST", &path, None).status, 202);
    for late in ["bad", "worse"] {
        let alert = taken_in_late(&server, "acme", late);
        let alert_id = alert["alert_id"].as_str().unwrap();
        assert_eq!(
            server.judged("acme", alert_id)["verdict"],
            "CRITICAL",
            "{late}"
        );
    }
    assert_no_letters(&server);
}

#[test]
fn a_body_that_cannot_even_be_kept_is_refused_and_never_hangs() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir, &[]);
    let acme = server.add_tenant("acme");
    let post = |body: &[u8]| acme.post(&mut server.http(), "crowdstrike", body);

    order(&server, &acme, "machine", "panic", 2);
    for _ in 0..2 {
        let reply = post(SHAPELESS);
        assert_eq!((reply.status, code(&reply)), (503, "quarantined".into()));
        assert!(reply.header("retry-after").is_some(), "{reply:?}");
    }
    assert_eq!(node(&server, "tenant/acme/machine")["restarts"], 2);
    // An alert over which the machine falls, and over its being kept as well.
    order(&server, &acme, "machine", "panic", 4);
    let reply = post(&acme.body("bad", HARMFUL));
    assert_eq!((reply.status, code(&reply)), (503, "quarantined".into()));
    let names: Vec<_> = letters(&server).iter().map(short_name).collect();
    assert_eq!(names, ["Reject", "Reject", "Receive", "Reject"]);
    assert!(!events(&server, "acme").contains(&"intake.rejected".into()));

    let told = said(&server.cli(&[
        "dead-letter",
        "redrive",
        "--all",
        "--tenant",
        "acme",
        "--json",
    ]));
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["redriven"].as_array().map(Vec::len), Some(4), "{told}");
    taken_in_late(&server, "acme", "bad");
    let kept = eventually(DEADLINE, || {
        let events = events(&server, "acme");
        let kept = events.iter().filter(|event| *event == "intake.rejected");
        (kept.count() == 3).then_some(events)
    });
    assert_eq!(
        kept.iter()
            .filter(|event| *event == "alert.received")
            .count(),
        1
    );
    assert_eq!(
        post(SHAPELESS).status,
        400,
        "kept and refused, as it should be"
    );
    assert_no_letters(&server);
}

#[test]
fn an_alert_over_which_stage_1_falls_is_left_to_people_once() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir, &[ONE_FALL]);
    let acme = server.add_tenant("acme");
    let mut sender = Sender::new(&server);
    order(&server, &acme, "triage_engine", "panic", 2);
    let bad = sender.accepted(&acme, "bad");
    let left = eventually(DEADLINE, || {
        let alert = server.judged("acme", &bad.alert_id);
        (!alert["verdict"].is_null()).then_some(alert)
    });
    assert_eq!(left["verdict"], "MEDIUM", "{left}");
    assert_eq!(
        left["reasons"][0]["rule_id"], "vyrox.stage1_unavailable",
        "{left}"
    );
    assert_eq!(node(&server, "tenant/acme/triage_engine")["restarts"], 2);
    let letter = only_letter(&server, "acme");
    assert_eq!(
        (letter["actor"].as_str(), short_name(&letter)),
        (Some("tenant/acme/triage_engine"), "Assess".into())
    );

    // A verdict stands: redriven, the question is answered and nothing comes of it.
    said(&server.cli(&["dead-letter", "redrive", "--all"]));
    let after = sender.accepted(&acme, "after");
    assert_eq!(
        server.judged("acme", &after.alert_id)["verdict"],
        "CRITICAL"
    );
    assert_no_letters(&server);
    let verdicts = server.entries("acme").into_iter().filter(|entry| {
        entry["event"] == "alert.triaged" && entry["alert_id"] == bad.alert_id.as_str()
    });
    assert_eq!(verdicts.count(), 1);
    let health = server.get("/health/tenants/acme");
    assert_eq!(health["state"], "serving", "{health}");
}

/// The verdict of one alert made the machine fall, again and again, because each new generation asked for
/// it anew: the tenant was suspended for as long as that alert was there.
#[test]
fn an_alert_whose_verdict_fells_the_machine_does_not_suspend_its_tenant() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir, &[ONE_FALL, ("VYROX_SUPERVISION__STALL_MS", "600000")]);
    let acme = server.add_tenant("acme");
    let before = Sender::new(&server).accepted(&acme, "before");
    judged(&server, &before);
    // Stage 1 takes its time, so that the machine's next messages are about its verdict.
    order(&server, &acme, "triage_engine", "block_ms:500", 1);
    let alert = Sender::new(&server).accepted(&acme, "fells-by-its-verdict");
    order(&server, &acme, "machine", "panic", 2);
    assert!(judged(&server, &alert)["verdict"].is_string());
    let health = server.get("/health/tenants/acme");
    assert_eq!(health["state"], "serving", "{health}");
    let machine = server.get("/health/actors/tenant/acme/machine");
    assert_eq!(machine["restarts"], 2, "{machine}");
}

/// A redriven alert that fell once more was gone, from the list and from everywhere.
#[test]
fn a_redriven_alert_that_falls_again_is_back_in_the_list() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir, &[]);
    let acme = server.add_tenant("acme");
    fell_over(&server, &acme, "falls");
    let number = || letters(&server)[0]["number"].clone();
    let letter = number();
    order(&server, &acme, "machine", "panic", 1);
    let path = format!("/api/v1/dead-letters/{letter}/redrive");
    assert!(server.api("POST", &path, None).status < 300);
    eventually(DEADLINE, || {
        let machine = server.get("/health/actors/tenant/acme/machine");
        (machine["restarts"] == 3).then_some(())
    });
    assert_eq!(number(), letter);
    assert!(server.api("POST", &path, None).status < 300);
    taken_in_late(&server, "acme", "falls");
}

fn judged(server: &Server, receipt: &Receipt) -> Value {
    eventually(DEADLINE, || {
        let alert = server.judged(&receipt.tenant, &receipt.alert_id);
        (!alert["verdict"].is_null()).then_some(alert)
    })
}

/// Lets the machine fall over an alert as often as it may: one POST, one answer, and the entry that
/// keeps the alert's bytes.
fn fell_over(server: &Server, tenant: &Tenant, detect_id: &str) -> Value {
    order(server, tenant, "machine", "panic", 2);
    let reply = Sender::new(server).send(tenant, detect_id).unwrap();
    assert_eq!((reply.status, status(&reply)), (202, "quarantined".into()));
    let answer = reply.json();
    assert!(answer.get("alert_id").is_none(), "{answer}");
    let seq = answer["receipt"]["seq"].as_u64().unwrap();
    let entry = server.entries(&tenant.id)[usize::try_from(seq).unwrap()].clone();
    assert_eq!(entry["hash"], answer["receipt"]["hash"], "{entry}");
    assert_eq!(entry["event"], "intake.rejected", "{entry}");
    let body = tenant.body(detect_id, HARMFUL);
    let raw = json!([{
        "kind": "raw", "length": body.len(), "sha256": hex::encode(Sha256::digest(&body)),
    }]);
    assert_eq!(entry["payload"]["evidence"], raw, "{entry}");
    assert!(
        !entry.to_string().contains("mimikatz"),
        "no payload on the chain: {entry}"
    );
    entry
}

/// The alert, once there is one.
fn taken_in_late(server: &Server, tenant: &str, detect_id: &str) -> Value {
    eventually(DEADLINE, || {
        let page = server.get(&format!("/api/v1/alerts?tenant_id={tenant}"));
        let mut alerts = page["alerts"].as_array()?.iter();
        alerts
            .find(|alert| alert["vendor_alert_id"] == detect_id)
            .cloned()
    })
}

fn await_state(server: &Server, tenant: &Tenant, wanted: &str) {
    eventually(DEADLINE, || {
        let health = server.get(&format!("/health/tenants/{}", tenant.id));
        (health["state"] == wanted).then_some(())
    });
}

fn status(reply: &Reply) -> String {
    reply.json()["status"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}
