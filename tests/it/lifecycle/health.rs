//! Health: open where it says nothing, for this machine or a token where it shows the tree.

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::server::{NO_RATIONS, Server};

#[test]
fn liveness_and_readiness_are_open() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let mut http = server.http();
    let stranger = [
        ("host", "vyrox.example.org"),
        ("x-forwarded-for", "203.0.113.9"),
    ];
    for headers in [&[][..], &stranger] {
        for (path, body) in [
            ("/health", json!({ "status": "ok" })),
            ("/health/live", json!({ "status": "ok" })),
            ("/health/ready", json!({ "status": "ready" })),
        ] {
            let reply = http.get(path, headers);
            assert_eq!(
                (reply.status, reply.json()),
                (200, body),
                "{path} with {headers:?}"
            );
        }
    }
}

#[test]
fn the_tree_is_for_this_machine_alone_or_for_a_token() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    server.add_tenant("acme");
    let mut http = server.http();
    let bearer = format!("Bearer {}", server.token());
    let local = [
        "localhost",
        "127.0.0.1",
        "127.0.0.1:8001",
        "[::1]:80",
        "LOCALHOST:1",
    ];
    let foreign = [
        vec![("host", "vyrox.example.org")],
        vec![("host", "localhost.example.org")],
        vec![("host", "127.0.0.1.example.org")],
        vec![("host", "")],
        vec![("x-forwarded-for", "127.0.0.1")],
        vec![("forwarded", "for=127.0.0.1")],
        vec![("x-forwarded-host", "localhost")],
        vec![("x-real-ip", "127.0.0.1")],
        vec![("via", "1.1 proxy")],
    ];
    for path in [
        "/health/actors",
        "/health/actors/tenants",
        "/health/tenants/acme",
        "/metrics",
    ] {
        for host in local {
            let reply = http.get(path, &[("host", host)]);
            assert_eq!(reply.status, 200, "{path} as {host}: {reply:?}");
        }
        for headers in &foreign {
            let reply = http.get(path, headers);
            assert_eq!(reply.status, 401, "{path} with {headers:?}: {reply:?}");
            let mut vouched = headers.clone();
            vouched.push(("authorization", &bearer));
            let reply = http.get(path, &vouched);
            assert_eq!(
                reply.status, 200,
                "{path} with a token and {headers:?}: {reply:?}"
            );
        }
        // A token that is given counts, also from here: a wrong one is not passed over.
        let reply = http.get(path, &[("authorization", "Bearer nonsense")]);
        assert_eq!(reply.status, 401, "{path}: {reply:?}");
    }
}

const STATES: [&str; 6] = [
    "running",
    "passive",
    "backing_off",
    "suspended",
    "stopped",
    "stalled",
];

fn is_node(node: &Value) {
    assert!(node["id"].is_string() && node["kind"].is_string(), "{node}");
    assert!(STATES.contains(&node["state"].as_str().unwrap()), "{node}");
    for number in [
        "generation",
        "handled",
        "queue_wait_us_p99",
        "restarts",
        "poisoned",
    ] {
        assert!(node[number].is_u64(), "{number} in {node}");
    }
    for number in ["depth", "capacity", "rejected"] {
        assert!(
            node["mailbox"][number].is_u64(),
            "mailbox.{number} in {node}"
        );
    }
    assert!(node.get("last_crash").is_some(), "{node}");
    for child in node["children"]
        .as_array()
        .unwrap_or_else(|| panic!("no children in {node}"))
    {
        is_node(child);
    }
}

fn ids(node: &Value, found: &mut Vec<String>) {
    found.push(node["id"].as_str().unwrap().to_owned());
    node["children"]
        .as_array()
        .unwrap()
        .iter()
        .for_each(|child| ids(child, found));
}

#[test]
fn the_tree_shows_every_actor() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    server.add_tenant("globex");
    acme.alert(
        &mut server.http(),
        "crowdstrike",
        &acme.body("d-1", "whoami"),
    );
    let tree = server.get("/health/actors");
    is_node(&tree["host"]);
    let mut found = Vec::new();
    ids(&tree["host"], &mut found);
    for id in [
        "audit_writer",
        "registry",
        "projector",
        "tenants",
        "tenant/acme",
        "tenant/acme/machine",
        "tenant/acme/triage_engine",
    ] {
        assert!(
            found.iter().any(|own| own == id),
            "{id} is not in {found:?}"
        );
        let node = server.get(&format!("/health/actors/{id}"));
        assert_eq!(node["id"], id, "{node}");
        is_node(&node);
    }
    let mut distinct = found.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), found.len(), "an id stands twice: {found:?}");

    let shallow = server.get("/health/actors?depth=1");
    for child in shallow["host"]["children"].as_array().unwrap() {
        assert_eq!(child["children"], json!([]), "{child}");
    }
    assert_eq!(
        server.get("/health/actors?depth=0")["host"]["children"],
        json!([])
    );
    let stalled = server.get("/health/actors?state=stalled");
    assert_eq!(stalled["host"]["children"], json!([]), "{stalled}");
    let running = server.get("/health/actors?state=running");
    let mut found = Vec::new();
    ids(&running["host"], &mut found);
    assert!(
        found.iter().any(|id| id == "tenant/acme/machine"),
        "{found:?}"
    );

    let tenant = server.get("/health/tenants/acme");
    assert_eq!(tenant["state"], "serving", "{tenant}");
    assert!(
        tenant["head_seq"].as_u64().is_some_and(|seq| seq >= 1),
        "{tenant}"
    );
    // Nobody spoke to the other one yet: its chain was opened, and that is all.
    let other = server.get("/health/tenants/globex");
    assert_eq!(other["head_seq"], 0, "{other}");
}

#[test]
fn metrics_count_what_happened() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let mut http = server.http();
    let body = acme.body("d-1", "whoami");
    acme.alert(&mut http, "crowdstrike", &body);
    assert_eq!(acme.post(&mut http, "crowdstrike", &body).status, 200);
    assert_eq!(http.post("/webhook/crowdstrike", &[], &body).status, 401);
    let broken = br#"{"tenant_id":"acme"}"#;
    assert_eq!(acme.post(&mut http, "generic", broken).status, 400);
    let text = http.get("/metrics", &[]).text();
    for line in [
        "vyrox_alerts_total{tenant=\"acme\",outcome=\"accepted\"} 1",
        "vyrox_alerts_total{tenant=\"acme\",outcome=\"duplicate\"} 1",
        "vyrox_alerts_total{tenant=\"acme\",outcome=\"rejected\"} 1",
        "vyrox_webhook_signatures_refused_total 1",
        "vyrox_webhook_macs_total 8",
        "vyrox_journal_poisoned 0",
        "vyrox_requests_in_flight 0",
    ] {
        assert!(
            text.lines().any(|own| own == line),
            "{line} is not in:\n{text}"
        );
    }
    let open = http.get(
        "/metrics",
        &[("accept", "application/openmetrics-text; version=1.0.0")],
    );
    assert!(open.text().ends_with("# EOF\n"), "{}", open.text());
    let kind = open.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    assert!(
        !text.contains("# EOF"),
        "that mark is OpenMetrics' own:\n{text}"
    );
}
