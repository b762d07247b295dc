//! A held chain while the signed log cannot be looked at: nobody knows whether what is lost was signed.

use tempfile::TempDir;

use super::*;
use crate::audit_log::{code, integrity};

/// The chain was let go on, and grew past what had been signed of it before anybody could compare the two.
#[test]
fn nothing_is_given_up_while_nobody_can_say_what_was_signed_of_it() {
    let dir = TempDir::new().expect("a directory");
    let (_acme, lines) = stopped(dir.path(), 4);
    let from = lines.len() - 3;
    lose(dir.path(), "acme", from);
    let store = dir.path().join("proof/proof.redb");
    let good = fs::read(&store).expect("the log");
    write(&store, b"garbage");

    let server = Server::start(dir.path(), NO_RATIONS);
    server.await_health("acme", |health| health["state"] == "held");
    assert_eq!(integrity(&server)["host"]["kind"], "log_unusable");
    let path = "/api/v1/tenants/acme/repair";
    let known = server.api("GET", path, None).json();
    // Not even lines that it has go back first.
    let order = json!({ "tail": lines[from..=from], "accept_loss": true });
    let refused = server.api("POST", path, Some(&order));
    assert_eq!(code(&refused), (503, "audit_log_unavailable".to_owned()));
    let after = server.api("GET", path, None).json();
    assert_eq!(
        (&after["status"], &after["proven"], &after["ordered"]),
        (&json!("held"), &known["proven"], &Value::Null),
        "{after}"
    );
    let ordered = |entry: &Value| entry["event"] == "journal.repair_ordered";
    assert!(!server.entries("_host").iter().any(ordered));

    // The log comes back by itself, and what is missing is known.
    write(&store, &good);
    let found = eventually(DEADLINE, || {
        let found = integrity(&server);
        found["host"].is_null().then_some(found)
    });
    assert_eq!(found["chains"][0]["kind"], "audit_truncated", "{found}");
    let accepted = server.api("POST", path, Some(&order));
    assert_eq!(accepted.status, 200, "{}", accepted.text());
    server.await_health("acme", |health| health["state"] == "serving");
    let found = integrity(&server);
    assert_eq!(found["chains"][0]["chain"], "acme", "{found}");
}
