//! The host's chain has lost the entry that tells of the signed log.

use super::*;
use crate::audit_log::integrity;

/// Loses all of the host's chain but its entry 0; gives a file with all of its lines.
fn forgotten(dir: &Path, copies: &Path) -> String {
    stopped(dir, 1);
    let chain = dir.join("journal/tenants/_host.jsonl");
    let copy = copies.join("_host.jsonl");
    fs::copy(chain, &copy).expect("a copy");
    lose(dir, "_host", 1);
    copy.to_str().expect("a path").to_owned()
}

fn begun(server: &Server) -> usize {
    let entries = server.entries("_host");
    let begun = entries
        .iter()
        .filter(|entry| entry["event"] == "audit.log_begun");
    begun.count()
}

/// What the server wanted to write there was refused, so it ended, and only one that runs can repair the chain.
#[test]
fn a_host_that_does_not_tell_of_its_log_any_more_is_repaired_by_a_server_that_runs() {
    let (dir, copies) = (
        tempfile::tempdir().expect("a directory"),
        tempfile::tempdir().expect("another"),
    );
    let copy = forgotten(dir.path(), copies.path());
    let server = Server::start(dir.path(), NO_RATIONS);
    assert_eq!(integrity(&server)["status"], "failed");
    let repaired = server.cli(&["audit", "repair", "_host", "--from", &copy]);
    assert!(repaired.status.success(), "{repaired:?}");
    assert!(server.terminate().success(), "a clean stop");
    let server = Server::start(dir.path(), NO_RATIONS);
    assert_eq!(
        (begun(&server), &integrity(&server)["status"]),
        (1, &json!("whole"))
    );
}

/// Nobody knows whether there was a log, so none is begun before somebody does.
#[test]
fn no_log_is_begun_while_the_host_s_chain_is_held() {
    let (dir, copies) = (
        tempfile::tempdir().expect("a directory"),
        tempfile::tempdir().expect("another"),
    );
    let copy = forgotten(dir.path(), copies.path());
    let proof = dir.path().join("proof");
    fs::remove_dir_all(&proof).expect("what is signed");
    let server = Server::start(dir.path(), NO_RATIONS);
    assert_eq!(integrity(&server)["host"]["kind"], "log_lost");
    assert!(!proof.exists());
    let repaired = server.cli(&["audit", "repair", "_host", "--from", &copy]);
    assert!(repaired.status.success(), "{repaired:?}");
    assert!(server.terminate().success(), "a clean stop");
    let server = Server::start(dir.path(), NO_RATIONS);
    assert_eq!(integrity(&server)["host"]["kind"], "log_lost");
    assert_eq!(begun(&server), 1);
}
