//! While chat is away: a person's own token decides, over the API and on the command line.

use serde_json::{Value, json};

use super::desk::Desk;
use crate::{
    discord::Outage,
    server::{DEADLINE, Reply, eventually},
};

#[test]
fn while_discord_is_away_people_decide_with_their_own_tokens() {
    let mut desk = Desk::open(&[]);
    desk.fake.outage(Some(Outage::Unavailable));
    let issued = desk.made("POST", "/api/v1/people/alice/tokens", &json!({}));
    let token = issued["token"].as_str().unwrap().to_owned();

    let (first, _) = desk.alert("WS-0001");
    let digest = proposed(&desk, &first);
    let own = "0".repeat(64);
    let reply = approve(&desk, &token, &first, &own);
    assert_eq!(reply.json()["code"], "digest_mismatch", "{reply:?}");
    assert_eq!(desk.refusals(1), ["digest_mismatch"]);
    let reply = approve(&desk, &desk.server.token(), &first, &digest);
    assert_eq!(reply.json()["code"], "person_required", "{reply:?}");
    let reply = approve(&desk, &token, &first, &digest);
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.json()["by"], json!(["alice"]));
    let reply = approve(&desk, &token, &first, &digest);
    assert_eq!(reply.json()["code"], "illegal_transition", "{reply:?}");

    let (second, _) = desk.alert("WS-0002");
    let digest = proposed(&desk, &second);
    let args = [
        "approve", &second, "--tenant", "acme", "--digest", &digest, "--token", &token,
    ];
    let output = desk.server.cli(&args);
    assert!(output.status.success(), "{output:?}");
    let granted = desk.events("approval.granted");
    assert_eq!(granted.len(), 2);
    assert!(granted.iter().all(|one| one["payload"]["via"] == "token"));
    let log = desk.server.stderr();
    assert!(!log.contains(&token), "no token in the log");

    // Chat is there again and shows how things stand, without a button.
    desk.fake.outage(None);
    for host in ["WS-0001", "WS-0002"] {
        desk.message("chat shows what was decided", |message| {
            let shown = message.body["embeds"].to_string();
            shown.contains(host) && shown.contains("approved by alice")
        });
    }
    desk.is_whole();
}

/// The digest of what is proposed for an alert, once something is.
fn proposed(desk: &Desk, alert: &str) -> String {
    eventually(DEADLINE, || {
        let view = desk.server.judged("acme", alert);
        let digest: &Value = &view["proposal"]["manifest_sha256"];
        digest.as_str().map(str::to_owned)
    })
}

fn approve(desk: &Desk, token: &str, alert: &str, digest: &str) -> Reply {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let body = json!({ "tenant_id": "acme", "manifest_sha256": digest }).to_string();
    let path = format!("/api/v1/alerts/{alert}/approve");
    let mut http = desk.server.http();
    http.request("POST", &path, &headers, body.as_bytes())
}
