//! A chain that stands in has an id and proofs of its own.

use serde_json::Value;

use crate::server::{DEADLINE, Server, eventually, vyrox};

/// The copy of the chain `stand_in` verifies against its own bundle, not against that of `acme`, for which
/// it stands, and `acme`'s copy does not against its.
pub(super) fn check(server: &Server, stand_in: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = |name: &str| dir.path().join(name).display().to_string();
    let key = server.get("/audit/key");
    let vkey = key["vkey"].as_str().expect("a key");
    for chain in [stand_in, "acme"] {
        let (bundle, copy) = (
            file(&format!("{chain}.bundle")),
            file(&format!("{chain}.jsonl")),
        );
        // Its first state is signed within a second of its first entry.
        eventually(DEADLINE, || {
            let said = server.cli(&["audit", "prove", chain, "--output", &bundle]);
            said.status.success().then_some(())
        });
        let said = server.cli(&["audit", "export", chain, "--output", &copy]);
        assert!(said.status.success(), "{said:?}");
    }
    // Of acme more was signed than is left.
    for (copy, bundle, kind) in [
        (stand_in, stand_in, None),
        (stand_in, "acme", Some("another_chain")),
        ("acme", "acme", Some("truncated")),
        ("acme", stand_in, Some("another_chain")),
    ] {
        let (copy, bundle) = (
            file(&format!("{copy}.jsonl")),
            file(&format!("{bundle}.bundle")),
        );
        let said = vyrox(&[
            "audit", "verify", &copy, "--bundle", &bundle, "--vkey", vkey, "--json",
        ]);
        let found: Value = serde_json::from_slice(&said.stdout).expect("a document");
        assert_eq!(found["kind"].as_str(), kind, "{copy} {bundle}: {found}");
        assert_eq!(
            said.status.success(),
            kind.is_none(),
            "{copy} {bundle}: {said:?}"
        );
    }
}

/// What was signed of a held chain was forgotten by a rebase, and a forged copy was a good one then.
pub(super) fn check_not_forgotten(server: &Server) {
    let truncated = || {
        let integrity = server.get("/api/v1/audit/integrity");
        (integrity["chains"][0]["kind"] == "audit_truncated").then_some(())
    };
    eventually(DEADLINE, truncated);
    let refused = server.cli(&["audit", "rebase", "--reason", "a test"]);
    assert!(!refused.status.success(), "{refused:?}");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("Repair it first"), "{said}");
    assert_eq!(truncated(), Some(()));
}
