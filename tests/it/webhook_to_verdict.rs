//! Promise: signed bytes become a durable, triaged, provable alert, once, whichever vendor sent them
//! and however it signs.

mod senders;
mod verdicts;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::server::{NO_RATIONS, Server, falcon_short};

/// Insists that the entry at the receipt's seq has the receipt's hash; gives the entry.
fn entry_of(server: &Server, chain: &str, receipt: &Value) -> Value {
    let seq = receipt["seq"]
        .as_u64()
        .unwrap_or_else(|| panic!("no seq in {receipt}"));
    let entries = server.entries(chain);
    let entry = entries.get(usize::try_from(seq).unwrap());
    let entry = entry.unwrap_or_else(|| panic!("{} entries, none at {seq}", entries.len()));
    assert_eq!(entry["seq"], receipt["seq"], "{entry}");
    assert_eq!(
        entry["hash"], receipt["hash"],
        "the receipt is not for {entry}"
    );
    entry.clone()
}

#[test]
fn a_receipts_hash_stands_at_its_seq_for_ever() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let mut http = server.http();
    let receipts: Vec<Value> = (0..20)
        .map(|n| {
            let body = acme.body(&format!("d-{n}"), "whoami /all");
            let answer = acme.alert(&mut http, "crowdstrike", &body);
            assert_eq!(answer["status"], "queued", "{answer}");
            answer
        })
        .collect();
    let check = |server: &Server| {
        for answer in &receipts {
            let entry = entry_of(server, "acme", &answer["receipt"]);
            assert_eq!(entry["event"], "alert.received", "{entry}");
            assert_eq!(entry["alert_id"], answer["alert_id"], "{entry}");
        }
        let report = server.verify("acme");
        assert_eq!(report["ok"], true, "{report}");
    };
    check(&server);
    assert!(server.terminate().success());
    check(&Server::start(dir.path(), NO_RATIONS));
}

#[test]
fn a_repeat_is_answered_as_the_first_was_also_after_a_restart() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let body = acme.body("d-1", "whoami /all");
    let first = acme.alert(&mut server.http(), "crowdstrike", &body);
    let expected = json!({
        "status": "duplicate", "alert_id": first["alert_id"], "receipt": first["receipt"],
    });
    let repeat = |server: &Server| {
        for _ in 0..3 {
            let reply = acme.post(&mut server.http(), "crowdstrike", &body);
            assert_eq!((reply.status, reply.json()), (200, expected.clone()));
        }
    };
    repeat(&server);
    assert!(server.terminate().success());
    let server = Server::start(dir.path(), NO_RATIONS);
    repeat(&server);
    server.kill9();
    let server = Server::start(dir.path(), NO_RATIONS);
    repeat(&server);
    let received = received(&server);
    assert_eq!(received, 1, "one alert was sent, however often");
}

fn received(server: &Server) -> usize {
    let entries = server.entries("acme");
    entries
        .iter()
        .filter(|entry| entry["event"] == "alert.received")
        .count()
}

#[test]
fn a_vendors_id_with_another_body_is_another_alert_and_says_so() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let mut http = server.http();
    let first = acme.alert(&mut http, "crowdstrike", &acme.body("d-1", "whoami /all"));
    let second = acme.alert(&mut http, "crowdstrike", &acme.body("d-1", "mimikatz.exe"));
    assert_ne!(first["alert_id"], second["alert_id"]);
    assert_eq!(second["status"], "queued", "{second}");
    for (answer, reused) in [(&first, false), (&second, true)] {
        let shown = server.judged("acme", answer["alert_id"].as_str().unwrap());
        assert_eq!(shown["vendor_id_reused"], reused, "{shown}");
        assert_eq!(shown["vendor_alert_id"], "d-1", "{shown}");
        let entry = entry_of(&server, "acme", &answer["receipt"]);
        assert_eq!(
            entry["payload"]["vendor_id_reused"] == true,
            reused,
            "{entry}"
        );
    }
    // Neither hides the other: each is still recognised.
    for (command, first) in [("whoami /all", &first), ("mimikatz.exe", &second)] {
        let reply = acme.post(&mut http, "crowdstrike", &acme.body("d-1", command));
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.json()["alert_id"], first["alert_id"]);
    }
    assert_eq!(received(&server), 2);
}

#[test]
fn the_same_alert_of_two_tenants_is_two_alerts() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let (acme, globex) = (server.add_tenant("acme"), server.add_tenant("globex"));
    // No account in the body, so that both can send the very same bytes, each to its own path.
    let mut alert = falcon_short("", "d-1", "whoami /all");
    alert.as_object_mut().unwrap().remove("customer_id");
    let body = alert.to_string().into_bytes();
    let ids = [&acme, &globex].map(|tenant| {
        let signature = crate::server::sign(&tenant.secret, &body);
        let path = format!("/t/{}/webhook/crowdstrike", tenant.id);
        let reply = server
            .http()
            .post(&path, &[("x-vyrox-signature", &signature)], &body);
        assert_eq!(reply.status, 202, "{}: {reply:?}", tenant.id);
        let answer = reply.json();
        entry_of(&server, &tenant.id, &answer["receipt"]);
        answer["alert_id"].clone()
    });
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn each_alert_of_a_list_has_its_own_answer() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let mut http = server.http();
    let one = |id: &str, command: &str| {
        json!({
            "alert_id": id, "severity": "high", "device": "WS-7",
            "process": { "command_line": command },
        })
    };
    let list = |alerts: &[Value]| {
        json!({ "tenant_id": "acme", "alerts": alerts })
            .to_string()
            .into_bytes()
    };
    let (a, b, c) = (
        one("a", "whoami"),
        one("b", "mimikatz.exe"),
        one("c", "ipconfig"),
    );
    let first = acme.alert(&mut http, "generic", &list(&[a.clone(), b.clone()]));
    let answers = first["alerts"]
        .as_array()
        .unwrap_or_else(|| panic!("no list in {first}"));
    assert_eq!(answers.len(), 2, "{first}");
    assert_eq!(answers[0]["alert_id"], first["alert_id"], "{first}");
    for (answer, vendor_id) in answers.iter().zip(["a", "b"]) {
        let entry = entry_of(&server, "acme", &answer["receipt"]);
        assert_eq!(entry["payload"]["vendor_alert_id"], vendor_id, "{entry}");
        let shown = server.judged("acme", answer["alert_id"].as_str().unwrap());
        assert!(shown["verdict"].is_string(), "{shown}");
    }
    let again = acme.post(&mut http, "generic", &list(&[a, b]));
    assert_eq!(again.status, 200, "{again:?}");
    let again = again.json();
    for (repeat, answer) in again["alerts"].as_array().unwrap().iter().zip(answers) {
        assert_eq!(repeat["status"], "duplicate", "{again}");
        assert_eq!(repeat["receipt"], answer["receipt"], "{again}");
    }
    // All or nothing: one that has no id refuses the list, and the body is kept.
    let mixed = acme.post(
        &mut http,
        "generic",
        &list(&[c.clone(), json!({ "severity": "low" })]),
    );
    assert_eq!(mixed.status, 400, "{mixed:?}");
    let refused = entry_of(&server, "acme", &mixed.json()["receipt"]);
    assert_eq!(refused["event"], "intake.rejected", "{refused}");
    let alone = acme.alert(&mut http, "generic", &list(&[c]));
    assert_eq!(
        alone["alerts"],
        Value::Null,
        "one alert needs no list: {alone}"
    );
    assert_eq!(received(&server), 3);
}
