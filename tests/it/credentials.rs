//! Promise: what an EDR knows a tenant by comes in on standard input, lies sealed, and is told to nobody.

use std::{
    io::Write as _,
    net::TcpListener,
    path::Path,
    process::{Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::{
    audit::files,
    lifecycle::secrecy::occurs,
    server::{NO_RATIONS, Reply, Server, command},
};

const FIRST: &str = "Rindfleischetikettierung-1887";
const SECOND: &str = "Kuckucksuhrenzeigerspitze-1999";
const ACTION: &str = "Donaudampfschifffahrtsgesellschaft-1829";

/// The command line with a secret on its standard input.
fn piped(server: &Server, arguments: &str, secret: &str) -> Output {
    let mut child = command(&[("VYROX_TOKEN", &server.token())])
        .args(arguments.split(' '))
        .args(["--url", server.base()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command runs");
    let mut stdin = child.stdin.take().expect("its input is a pipe");
    // It may end without reading, and says why itself.
    writeln!(stdin, "{secret}").ok();
    drop(stdin);
    child.wait_with_output().expect("its output can be read")
}

fn told(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

const FALCON: &str = "secret set acme crowdstrike --base-url https://api.eu-1.crowdstrike.com/ \
                      --client-id 0f3c --unchecked --json";

fn listed(server: &Server) -> Value {
    let output = server.cli(&["secret", "list", "acme", "--json"]);
    told(&output)
}

/// Names and payloads of the host's entries about credentials.
fn entries(server: &Server) -> Vec<(String, Value)> {
    let about = |entry: Value| {
        let event = entry["event"].as_str()?.to_owned();
        let ours = event.starts_with("edr.") || event.starts_with("action_secret.");
        ours.then(|| (event, entry["payload"].clone()))
    };
    server
        .entries("_host")
        .into_iter()
        .filter_map(about)
        .collect()
}

fn assert_clean(what: &str, bytes: &[u8]) {
    for secret in [FIRST, SECOND, ACTION] {
        assert!(!occurs(bytes, secret), "{secret} is in {what}");
    }
}

fn assert_nowhere(server: &Server, dir: &Path) {
    for path in [
        "/api/v1/tenants",
        "/api/v1/tenants/acme",
        "/api/v1/tenants/acme/edr",
        "/audit/export?tenant_id=_host",
        "/audit/export?tenant_id=acme",
        "/health/actors",
        "/metrics",
    ] {
        let reply = server.api("GET", path, None);
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        assert_clean(path, &reply.body);
    }
    assert_clean("the log", server.stderr().as_bytes());
    let mut searched = 0;
    for file in files(dir) {
        // A segment may be recycled between the listing and the look.
        let Ok(bytes) = std::fs::read(&file) else {
            assert!(!file.exists(), "{} can't be read", file.display());
            continue;
        };
        assert_clean(&file.display().to_string(), &bytes);
        searched += bytes.len();
    }
    assert!(searched > 4096, "{searched} bytes searched");
}

#[test]
fn a_credential_is_set_on_standard_input_listed_rotated_removed_and_never_shown() {
    let dir = tempdir().unwrap();
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_LOG__LEVEL", "trace"));
    let server = Server::start(dir.path(), &env);
    server.add_tenant("acme");
    for (version, secret) in [(1, FIRST), (2, SECOND)] {
        let output = piped(&server, FALCON, secret);
        assert_clean("the output", &[&output.stdout[..], &output.stderr].concat());
        assert_eq!(told(&output)["secret_version"], version);
    }
    let output = piped(&server, "secret set acme action --json", ACTION);
    assert_eq!(told(&output)["secret"], Value::Null, "it was given");

    let before = listed(&server);
    let edr = &before["edr"][0];
    assert_eq!(edr["vendor"], "crowdstrike", "{before}");
    assert_eq!(edr["secret_version"], 2, "{before}");
    assert_eq!(
        edr["base_url"], "https://api.eu-1.crowdstrike.com",
        "{before}"
    );
    assert_eq!(edr["checked"], false, "{before}");
    let (since, until) = (edr["since_ms"].as_u64(), edr["previous_until_ms"].as_u64());
    let overlap_ms = until.unwrap() - since.unwrap();
    // The end is reckoned from when it was asked for, the beginning from when it was durable.
    let (hour_ms, day_ms) = (60 * 60 * 1000, 24 * 60 * 60 * 1000);
    assert!(
        overlap_ms <= day_ms && overlap_ms > day_ms - hour_ms,
        "{before}"
    );
    assert_eq!(before["action_secret"]["secret_version"], 1, "{before}");
    assert_nowhere(&server, dir.path());
    server.kill9();

    let server = Server::start(dir.path(), &env);
    assert_eq!(listed(&server), before, "after power off");
    assert_eq!(before["edr"][0]["opens"], true);
    let removed = server.cli(&["secret", "remove", "acme", "crowdstrike", "--json"]);
    assert_eq!(told(&removed)["status"], "removed");
    let removed = server.cli(&["secret", "remove", "acme", "action", "--json"]);
    assert_eq!(told(&removed)["status"], "removed");
    let again = server.cli(&["secret", "remove", "acme", "action"]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    let none = json!({ "tenant_id": "acme", "edr": [], "action_secret": null });
    assert_eq!(listed(&server), none);
    assert_nowhere(&server, dir.path());

    assert_told(&server);
}

/// The chain tells of all that the test above did, and of nothing secret.
fn assert_told(server: &Server) {
    let entries = entries(server);
    let events: Vec<_> = entries.iter().map(|(event, _)| event.as_str()).collect();
    let expected = [
        "edr.credential_set",
        "edr.credential_set",
        "action_secret.set",
        "edr.credential_removed",
        "action_secret.removed",
    ];
    assert_eq!(events, expected);
    let (_, set) = &entries[1];
    assert_eq!(set["base_host"], "api.eu-1.crowdstrike.com", "{set}");
    assert_eq!(set["by"], "api_token:bootstrap", "{set}");
    assert_eq!(server.verify("_host")["ok"], true);
}

#[test]
fn a_credential_that_the_vendor_did_not_accept_is_not_put_in_force() {
    // Nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let dir = tempdir().unwrap();
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_EDR__ALLOW_PRIVATE", "true"));
    let server = Server::start(dir.path(), &env);
    server.add_tenant("acme");
    let line = format!("secret set acme sentinelone --base-url http://{gone}");
    let output = piped(&server, &line, FIRST);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("--unchecked"), "{said}");
    assert_clean("the output", &[&output.stdout[..], &output.stderr].concat());
    assert_eq!(listed(&server)["edr"], json!([]));
    assert!(entries(&server).is_empty());
    let none = server.api("POST", "/api/v1/tenants/acme/edr/sentinelone/check", None);
    is_problem(&none, 404, "credential_not_found");

    told(&piped(
        &server,
        &format!("{line} --unchecked --json"),
        FIRST,
    ));
    let checked = server.cli(&["vendor", "check", "acme", "sentinelone"]);
    assert_eq!(
        checked.status.code(),
        Some(3),
        "nobody can be asked: {checked:?}"
    );
}

fn is_problem(reply: &Reply, status: u16, code: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.json()["code"], code, "{reply:?}");
    assert_clean("a refusal", &reply.body);
}

const PATH: &str = "/api/v1/tenants/acme/edr/sentinelone";

fn good() -> Value {
    json!({ "base_url": "https://acme.sentinelone.net", "secret": FIRST, "unchecked": true })
}

#[test]
fn what_is_no_credential_is_refused_and_changes_nothing() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    server.add_tenant("acme");
    for (path, status, code) in [
        ("globex/edr/sentinelone", 404, "tenant_not_found"),
        ("acme/edr/generic", 400, "invalid_credential"),
        ("acme/edr/falcon", 400, "invalid_credential"),
        ("acme/edr/crowdstrike", 400, "invalid_credential"),
    ] {
        let path = format!("/api/v1/tenants/{path}");
        is_problem(&server.api("PUT", &path, Some(&good())), status, code);
    }
    for (member, value, code) in [
        ("base_url", json!("http://x"), "invalid_credential"),
        ("base_url", json!("https://10.0.0.1"), "invalid_credential"),
        ("secret", json!(""), "invalid_credential"),
        ("overlap_h", json!(721), "invalid_credential"),
        ("token", json!(FIRST), "invalid_json"),
    ] {
        let mut body = good();
        body[member] = value;
        is_problem(&server.api("PUT", PATH, Some(&body)), 400, code);
    }
    let headers = [("content-type", "application/json")];
    let body = good().to_string();
    let stranger = server
        .http()
        .request("PUT", PATH, &headers, body.as_bytes());
    is_problem(&stranger, 401, "invalid_token");
    assert!(entries(&server).is_empty());
}

#[test]
fn an_action_secret_is_shown_once_where_it_was_made_and_never_where_it_was_given() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    server.add_tenant("acme");
    let path = "/api/v1/tenants/acme/action-secret";
    for path in [PATH, path] {
        is_problem(
            &server.api("DELETE", path, None),
            404,
            "credential_not_found",
        );
    }
    let weak = json!({ "secret": "changeme" });
    is_problem(&server.api("PUT", path, Some(&weak)), 400, "invalid_secret");
    assert!(entries(&server).is_empty());
    let made = server.api("PUT", path, Some(&json!({})));
    assert_eq!(made.header("cache-control"), Some("no-store"), "{made:?}");
    let made = made.json()["secret"].as_str().map(str::len);
    assert_eq!(made, Some(64));
    let given = server.api("PUT", path, Some(&json!({ "secret": ACTION })));
    assert_eq!(given.json()["secret"], Value::Null);
}
