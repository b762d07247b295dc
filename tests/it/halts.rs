//! Promise: the switch that stops all containment is thrown by one command, stands in the chain, and
//! stays where it is over power off.

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::server::{DEADLINE, NO_RATIONS, Server, eventually};

fn halt(server: &Server, arguments: &[&str]) -> Value {
    let mut all = vec!["halt", "--json"];
    all.extend(arguments);
    let output = server.cli(&all);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Whether all are halted, and which tenants by themselves.
fn standing(answer: &Value) -> (bool, Vec<&str>) {
    let tenants = answer["tenants"].as_array().expect("a list");
    let ids = tenants
        .iter()
        .filter_map(|tenant| tenant["tenant_id"].as_str());
    (answer["halted"].as_bool().expect("a truth"), ids.collect())
}

#[test]
fn a_halt_is_journaled_and_outlasts_power_off() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    server.add_tenant("acme");
    server.add_tenant("globex");
    assert_eq!(standing(&halt(&server, &["--show"])), (false, vec![]));
    let one = halt(&server, &["acme", "--reason", " maintenance "]);
    assert_eq!(standing(&one), (false, vec!["acme"]));
    assert_eq!(one["tenants"][0]["reason"], "maintenance", "{one}");
    let all = halt(&server, &["--reason", "a wrong rule"]);
    assert_eq!(standing(&all), (true, vec!["acme"]));
    assert_eq!(all["halt"]["by"], "api_token:bootstrap", "{all}");
    server.kill9();

    let server = Server::start(dir.path(), NO_RATIONS);
    let shown = halt(&server, &["--show"]);
    assert_eq!(shown, all);
    let lifted = halt(&server, &["--lift", "--reason", "mended"]);
    assert_eq!(standing(&lifted), (false, vec!["acme"]));
    assert!(server.terminate().success());

    let server = Server::start(dir.path(), NO_RATIONS);
    assert_eq!(standing(&halt(&server, &["--show"])), (false, vec!["acme"]));
    assert_eq!(
        standing(&halt(&server, &["--lift", "acme"])),
        (false, vec![])
    );
    let again = server.cli(&["halt", "--lift", "acme"]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");

    let entries = server.entries("_host");
    let told = entries.iter().filter_map(|entry| {
        let event = entry["event"].as_str()?.strip_prefix("containment.")?;
        let payload = &entry["payload"];
        Some((
            event,
            payload["tenant_id"].as_str(),
            payload["reason"].as_str(),
        ))
    });
    let expected = [
        ("halted", Some("acme"), Some("maintenance")),
        ("halted", None, Some("a wrong rule")),
        ("resumed", None, Some("mended")),
        ("resumed", Some("acme"), None),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    assert_eq!(server.verify("_host")["ok"], true);
}

#[test]
fn whoever_has_used_up_its_calls_can_still_halt() {
    let dir = tempdir().unwrap();
    let env = [
        ("VYROX_LIMITS__API_PER_S", "1"),
        ("VYROX_LIMITS__API_BURST", "1"),
    ];
    let server = Server::start(dir.path(), &env);
    let used_up = eventually(DEADLINE, || {
        let reply = server.api("GET", "/api/v1/halt", None);
        (reply.status == 429).then_some(reply)
    });
    assert_eq!(used_up.json()["code"], "rate_limited");
    let body = json!({ "reason": "a flood of approvals" });
    let reply = server.api("POST", "/api/v1/halt", Some(&body));
    assert_eq!((reply.status, &reply.json()["halted"]), (200, &json!(true)));
}

#[test]
fn who_may_not_or_says_nothing_halts_nothing() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    server.add_tenant("acme");
    let long = "w".repeat(501);
    for (body, status, code) in [
        (json!({ "reason": "" }), 400, "invalid_reason"),
        (json!({ "reason": " \n " }), 400, "invalid_reason"),
        (json!({ "reason": "two\nlines" }), 400, "invalid_reason"),
        (json!({ "reason": long }), 400, "invalid_reason"),
        (json!({ "tenant_id": "acme" }), 400, "invalid_json"),
        (
            json!({ "tenant": "acme", "reason": "why" }),
            400,
            "invalid_json",
        ),
        (
            json!({ "tenant_id": "globex", "reason": "why" }),
            404,
            "tenant_not_found",
        ),
    ] {
        let reply = server.api("POST", "/api/v1/halt", Some(&body));
        assert_eq!(
            (reply.status, &reply.json()["code"]),
            (status, &json!(code)),
            "{body}"
        );
    }
    // Whoever misspells a tenant does not lift the halt of all.
    halt(&server, &["--reason", "why"]);
    for (query, status, code) in [
        ("?tenant=acme", 400, "invalid_query"),
        ("?tenant_id=globex", 404, "tenant_not_found"),
        ("?tenant_id=", 404, "tenant_not_found"),
        ("?tenant_id=acme", 409, "not_halted"),
    ] {
        let reply = server.api("DELETE", &format!("/api/v1/halt{query}"), None);
        assert_eq!(
            (reply.status, &reply.json()["code"]),
            (status, &json!(code)),
            "{query}"
        );
    }
    let headers = [("content-type", "application/json")];
    let body = br#"{"reason":"why"}"#;
    for method in ["GET", "POST", "DELETE"] {
        let reply = server
            .http()
            .request(method, "/api/v1/halt", &headers, body);
        assert_eq!(reply.status, 401, "{method}: {reply:?}");
    }
    assert_eq!(standing(&halt(&server, &["--show"])), (true, vec![]));
}
