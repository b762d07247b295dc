//! The demonstration is a promise of its own: from nothing to a contained host and back, with proof.

use std::{path::Path, process::Stdio};

use serde_json::{Value, json};

use super::server::command;

/// The directory's names, for the demonstration must leave nothing.
fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn an_approved_containment_happens_and_is_taken_back() {
    let temporary = tempfile::tempdir().unwrap();
    // Whoever rehearses by habit sees it happen all the same: nothing but the stand-ins is told.
    let played = command(&[("DRY_RUN", "true")])
        .env("TMPDIR", temporary.path())
        .args(["demo", "--json"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&played.stderr);
    assert!(played.status.success(), "{}\n{log}", played.status);
    let told: Value = serde_json::from_slice(&played.stdout).unwrap();

    let containment = &told["containment"];
    assert_eq!(containment["host"], "WS-FINANCE-07");
    assert_eq!(
        containment["readings"],
        json!(["normal", "contained", "normal"])
    );
    assert_eq!(containment["approval"]["by"], json!(["alice"]));
    let (outcome, rollback) = (&containment["outcome"], &containment["rollback"]);
    assert_eq!(outcome["outcome"], "executed");
    assert_eq!(outcome["dry_run"], false);
    assert_eq!(outcome["observed"], "contained");
    assert_eq!(rollback["outcome"], "executed");
    assert_eq!(rollback["observed"], "normal");
    assert_eq!(rollback["release"]["of"], outcome["action_id"]);
    assert_eq!(containment["action"]["undone_by"], rollback["action_id"]);

    assert_eq!(told["alerts"].as_array().unwrap().len(), 13);
    let proof = &told["proof"];
    assert_eq!(proof["verify"]["ok"], true, "{proof}");
    assert_eq!(proof["receipts"], proof["receipts_found"]);
    assert_eq!(names(temporary.path()), [""; 0]);
}
