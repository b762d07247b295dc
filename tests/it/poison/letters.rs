//! Dead letters as the command line and the host's chain show them.

use std::process::Output;

use serde_json::Value;

use crate::server::{Reply, Server};

/// Numbers that name no letter, methods and queries that make no sense, callers without a token.
pub(super) fn asks_for_nonsense(server: &Server) {
    for number in ["0", "999", "x", "-1", "1.5", "18446744073709551616", "%20"] {
        let path = format!("/api/v1/dead-letters/{number}");
        for (method, path) in [
            ("DELETE", path.clone()),
            ("POST", format!("{path}/redrive")),
        ] {
            let reply = server.api(method, &path, None);
            let said = (reply.status, code(&reply));
            assert_eq!(
                said,
                (404, "dead_letter_not_found".into()),
                "{method} {path}"
            );
            let stranger = server.http().request(method, &path, &[], b"");
            assert_eq!(
                (stranger.status, code(&stranger)),
                (401, "invalid_token".into())
            );
        }
    }
    for (method, query, said) in [
        ("GET", "?tenant_id=nobody", (404, "tenant_not_found")),
        ("GET", "?tenant_id=%00", (404, "tenant_not_found")),
        ("GET", "?limit=1", (400, "invalid_query")),
        ("DELETE", "", (405, "method_not_allowed")),
        ("GET", "/1/redrive", (405, "method_not_allowed")),
        ("GET", "/1", (405, "method_not_allowed")),
    ] {
        let reply = server.api(method, &format!("/api/v1/dead-letters{query}"), None);
        assert_eq!(
            (reply.status, code(&reply).as_str()),
            said,
            "{method} {query}"
        );
    }
    let refused = server.cli(&["dead-letter", "redrive", "998", "999"]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{why}");
    assert!(
        why.contains("998: ") && why.contains("dead_letter_not_found"),
        "{why}"
    );
}

pub(super) fn letters(server: &Server) -> Vec<Value> {
    let listed = server.cli(&["dead-letter", "list", "--json"]);
    let listed: Value = serde_json::from_str(&said(&listed)).unwrap();
    assert_eq!(listed, server.get("/api/v1/dead-letters"));
    listed["dead_letters"].as_array().unwrap().clone()
}

pub(super) fn numbers(server: &Server) -> Vec<String> {
    letters(server)
        .iter()
        .map(|letter| letter["number"].to_string())
        .collect()
}

/// There is one, of that tenant's, and it tells where the fall was.
pub(super) fn only_letter(server: &Server, tenant: &str) -> Value {
    let letters = letters(server);
    let [letter] = letters.as_slice() else {
        panic!("not one letter: {letters:?}");
    };
    assert_eq!(letter["tenant_id"], tenant, "{letter}");
    let place = letter["location"].as_str().unwrap_or_default();
    assert!(place.contains(".rs:"), "{letter}");
    letter.clone()
}

pub(super) fn assert_no_letters(server: &Server) {
    let listed = said(&server.cli(&["dead-letter", "list"]));
    assert!(listed.starts_with("no dead letters"), "{listed}");
}

pub(super) fn short_name(letter: &Value) -> String {
    let path = letter["message"].as_str().unwrap_or_default();
    path.rsplit("::").next().unwrap_or_default().to_owned()
}

/// What the host's chain tells of dead letters.
pub(super) fn orders(server: &Server) -> Vec<Value> {
    let mut entries = server.entries("_host");
    entries.retain(|entry| {
        entry["event"]
            .as_str()
            .is_some_and(|event| event.starts_with("dead_letter."))
    });
    entries
}

pub(super) fn events(server: &Server, chain: &str) -> Vec<String> {
    let events = server.entries(chain).into_iter();
    events
        .map(|entry| entry["event"].as_str().unwrap_or_default().to_owned())
        .collect()
}

pub(super) fn code(reply: &Reply) -> String {
    reply.json()["code"].as_str().unwrap_or_default().to_owned()
}

/// What a command printed that ended well.
pub(super) fn said(output: &Output) -> String {
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {why}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
