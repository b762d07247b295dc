//! What is signed of the chains: every state gets a signature that anybody can check, and a server whose
//! chains were turned back notices, does nothing to hosts, takes alerts all the same, and goes on when
//! somebody has accepted it.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::server::{
    DEADLINE, NO_RATIONS, Reply, SERVICE_SECRET, Server, Tenant, eventually, sign, unix_s,
};

fn start(dir: &Path) -> Server {
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_HMAC_SECRET", SERVICE_SECRET));
    env.push(("VYROX_AUDIT__CHECKPOINT_MS", "100"));
    Server::start(dir, &env)
}

/// Posts an alert and waits for its verdict; gives its id.
pub(crate) fn judged(server: &Server, tenant: &Tenant, detect_id: &str) -> String {
    let body = tenant.body(detect_id, "whoami.exe /all");
    let answer = tenant.alert(&mut server.http(), "crowdstrike", &body);
    let id = answer["alert_id"].as_str().expect("an id").to_owned();
    server.judged(&tenant.id, &id);
    id
}

pub(crate) fn execute(server: &Server, alert_id: &str) -> Reply {
    let body = json!({
        "request_id": Uuid::new_v4(),
        "tenant_id": "acme",
        "alert_id": alert_id,
        "action_type": "HOST_ISOLATION",
        "host": "WS-0042",
        "approved_by": "Ann",
        "approved_at": unix_s(),
    });
    let body = body.to_string();
    let signature = sign(SERVICE_SECRET, body.as_bytes());
    let headers = [("x-vyrox-signature", signature.as_str())];
    server.http().post("/execute", &headers, body.as_bytes())
}

/// The size in a chain's newest checkpoint; 0 before the first.
fn signed_size(server: &Server, chain: &str) -> u64 {
    let head = server.get(&format!("/audit/head?tenant_id={chain}"));
    let note = head["checkpoint"].as_str();
    let size = note.and_then(|note| note.lines().nth(1)?.parse().ok());
    size.unwrap_or_default()
}

/// Waits until the whole chain is signed; gives its length.
pub(crate) fn all_signed(server: &Server, chain: &str) -> u64 {
    eventually(DEADLINE, || {
        let head = server.get(&format!("/audit/head?tenant_id={chain}"));
        let entries = head["seq"].as_u64()? + 1;
        (signed_size(server, chain) == entries).then_some(entries)
    })
}

pub(crate) fn code(reply: &Reply) -> (u16, String) {
    let body = reply.json();
    (
        reply.status,
        body["code"].as_str().unwrap_or_default().to_owned(),
    )
}

pub(crate) fn integrity(server: &Server) -> Value {
    server.get("/api/v1/audit/integrity")
}

/// Puts every file of an older copy of the data directory back, but what is signed.
fn turn_back(dir: &Path, copy: &Path) {
    for name in ["journal", "vault.redb", "projections.redb"] {
        let (now, then) = (dir.join(name), copy.join(name));
        if now.is_dir() {
            fs::remove_dir_all(&now).expect("the newer one");
        }
        cp(&then, &now);
    }
}

pub(crate) fn cp(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(done.expect("cp").success(), "{}", from.display());
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one story from its beginning to its end"
)]
fn every_state_of_a_chain_is_signed_and_a_copy_is_proven_without_the_server() {
    let (dir, out) = (
        TempDir::new().expect("a directory"),
        TempDir::new().expect("another"),
    );
    let server = start(dir.path());
    let acme = server.add_tenant("acme");
    judged(&server, &acme, "ldt:1");
    let entries = all_signed(&server, "acme");
    assert!(entries > 2 && all_signed(&server, "_host") > 2);
    let begun = server.entries("_host");
    let begun = begun
        .iter()
        .find(|entry| entry["event"] == "audit.log_begun");
    let key = server.get("/audit/key");
    let vkey = key["vkey"].as_str().expect("a key");
    assert_eq!(begun.expect("an entry")["payload"]["vkey"], vkey);

    let (bundle, copy) = (
        out.path().join("acme.bundle"),
        out.path().join("acme.jsonl"),
    );
    let (bundle, copy) = (
        bundle.to_str().expect("a path"),
        copy.to_str().expect("a path"),
    );
    for args in [
        ["audit", "prove", "acme", "--output", bundle],
        ["audit", "export", "acme", "--output", copy],
    ] {
        let said = server.cli(&args);
        assert!(said.status.success(), "{said:?}");
    }
    let verify = |vkey: &str| {
        let args = ["audit", "verify", copy, "--bundle", bundle, "--vkey", vkey];
        crate::server::vyrox(&args)
    };
    let good = verify(vkey);
    assert!(good.status.success(), "{good:?}");
    assert!(
        String::from_utf8_lossy(&good.stdout).contains("signed"),
        "{good:?}"
    );
    let stranger = "stranger+7ee54fee+AQICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC";
    assert!(!verify(stranger).status.success());
    // A copy whose end was cut off is whole in itself, and the bundle says that it is not all.
    let text = fs::read_to_string(copy).expect("the copy");
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    fs::write(copy, lines[..lines.len() - 1].concat()).expect("written");
    assert!(
        crate::server::vyrox(&["audit", "verify", copy])
            .status
            .success()
    );
    assert!(!verify(vkey).status.success());

    // The last entry before a clean end is signed as well, and the key stays.
    judged(&server, &acme, "ldt:2");
    let last = server.entries("acme").len() as u64;
    assert!(server.terminate().success(), "a clean stop");
    let server = start(dir.path());
    assert!(signed_size(&server, "acme") >= last);
    assert_eq!(server.get("/audit/key")["vkey"], vkey);
    assert_eq!(
        integrity(&server),
        json!({ "status": "whole", "chains": [] })
    );
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one story from its beginning to its end"
)]
fn a_chain_that_was_turned_back_bars_containment_until_somebody_accepts_it() {
    let (dir, old) = (
        TempDir::new().expect("a directory"),
        TempDir::new().expect("another"),
    );
    let server = start(dir.path());
    let acme = server.add_tenant("acme");
    let first = judged(&server, &acme, "ldt:1");
    assert!(server.terminate().success(), "a clean stop");
    let copy = old.path().join("data");
    cp(dir.path(), &copy);
    let server = start(dir.path());
    let globex = server.add_tenant("globex");
    for n in 2..5 {
        judged(&server, &acme, &format!("ldt:{n}"));
    }
    judged(&server, &globex, "ldt:1");
    let signed = all_signed(&server, "acme");
    all_signed(&server, "_host");
    assert_eq!(code(&execute(&server, &first)).0, 200);
    let before = server.get("/audit/key")["vkey"].clone();
    assert!(server.terminate().success(), "a clean stop");

    turn_back(dir.path(), &copy);
    let server = start(dir.path());
    let found = integrity(&server);
    assert_eq!(found["status"], "failed", "{found}");
    let kinds: Vec<_> = found["chains"].as_array().expect("chains").iter().collect();
    let acme_s = kinds
        .iter()
        .find(|fault| fault["chain"] == "acme")
        .expect("acme");
    assert_eq!(acme_s["kind"], "audit_truncated", "{found}");
    assert_eq!(
        code(&execute(&server, &first)),
        (503, "audit_integrity_failed".to_owned())
    );
    let bent = judged(&server, &acme, "ldt:9");
    assert_eq!(
        code(&execute(&server, &bent)),
        (503, "audit_integrity_failed".to_owned())
    );
    // What was signed stands while nobody has accepted anything else.
    assert!(signed_size(&server, "acme") >= signed);
    let shown = server.cli(&["audit", "integrity"]);
    assert!(
        String::from_utf8_lossy(&shown.stdout).contains("audit_truncated"),
        "{shown:?}"
    );

    let rebased = server.cli(&["audit", "rebase", "--reason", "restored the copy of Monday"]);
    assert!(rebased.status.success(), "{rebased:?}");
    assert_eq!(integrity(&server)["status"], "whole");
    assert_eq!(code(&execute(&server, &bent)).0, 200);
    let entries = server.entries("_host");
    let order = entries
        .iter()
        .find(|entry| entry["event"] == "audit.rebased");
    let payload = &order.expect("an entry")["payload"];
    assert_eq!(payload["before"]["vkey"], before, "{payload}");
    assert_eq!(payload["reason"], "restored the copy of Monday");
    assert_ne!(payload["vkey"], before);
    assert_eq!(server.get("/audit/key")["vkey"], payload["vkey"]);
    all_signed(&server, "acme");
    assert!(server.terminate().success(), "a clean stop");
    let server = start(dir.path());
    assert_eq!(integrity(&server)["status"], "whole");
}

#[test]
fn a_log_that_is_gone_is_not_begun_again_in_silence() {
    let dir = TempDir::new().expect("a directory");
    let server = start(dir.path());
    let acme = server.add_tenant("acme");
    let alert = judged(&server, &acme, "ldt:1");
    assert!(server.terminate().success(), "a clean stop");
    fs::remove_dir_all(dir.path().join("proof")).expect("what is signed");
    let server = start(dir.path());
    assert_eq!(integrity(&server)["host"]["kind"], "log_lost");
    assert_eq!(
        code(&execute(&server, &alert)),
        (503, "audit_integrity_failed".to_owned())
    );
    assert_eq!(server.metric("vyrox_audit_integrity_failed"), 1);
    judged(&server, &acme, "ldt:2");
    let bad = server.api(
        "POST",
        "/api/v1/audit/rebase",
        Some(&json!({ "reason": " " })),
    );
    assert_eq!(bad.status, 400, "{bad:?}");
    let order = json!({ "reason": "the disk was changed" });
    let rebased = server.api("POST", "/api/v1/audit/rebase", Some(&order));
    assert_eq!(rebased.status, 200, "{rebased:?}");
    assert_eq!(code(&execute(&server, &alert)).0, 200);
    let again = server.api("POST", "/api/v1/audit/rebase", Some(&order));
    assert_eq!(code(&again), (409, "integrity_is_whole".to_owned()));
    all_signed(&server, "acme");
}

/// One that is empty and well sealed, by the very key, is another log all the same.
#[test]
fn a_fresh_log_does_not_take_the_place_of_the_one_that_there_was() {
    let (dir, other) = (
        TempDir::new().expect("a directory"),
        TempDir::new().expect("another"),
    );
    let server = start(dir.path());
    let acme = server.add_tenant("acme");
    let alert = judged(&server, &acme, "ldt:1");
    all_signed(&server, "acme");
    assert!(server.terminate().success(), "a clean stop");
    let key = "checkpoint.key";
    cp(&dir.path().join(key), &other.path().join(key));
    assert!(start(other.path()).terminate().success(), "a clean stop");
    let proof = dir.path().join("proof");
    fs::remove_dir_all(&proof).expect("what is signed");
    cp(&other.path().join("proof"), &proof);
    for _ in 0..2 {
        let server = start(dir.path());
        assert_eq!(integrity(&server)["host"]["kind"], "log_foreign");
        let refused = code(&execute(&server, &alert));
        assert_eq!(refused, (503, "audit_integrity_failed".to_owned()));
        assert!(server.terminate().success(), "a clean stop");
    }
    let server = start(dir.path());
    let rebased = server.cli(&["audit", "rebase", "--reason", "proof/ was lost"]);
    assert!(rebased.status.success(), "{rebased:?}");
    assert_eq!(integrity(&server)["status"], "whole");
    assert_eq!(code(&execute(&server, &alert)).0, 200);
}

/// Another key was made in the place of a lost one, and the right one had to be written over it and the server started
/// again.
#[test]
fn a_key_that_is_lost_is_not_replaced_and_the_log_opens_when_it_is_back() {
    let dir = TempDir::new().expect("a directory");
    let server = start(dir.path());
    let acme = server.add_tenant("acme");
    judged(&server, &acme, "ldt:1");
    assert!(server.terminate().success(), "a clean stop");
    let (key, kept) = (dir.path().join("checkpoint.key"), dir.path().join("kept"));
    fs::rename(&key, &kept).expect("it goes");
    let server = start(dir.path());
    let host = integrity(&server)["host"].take();
    assert_eq!(host["kind"], "log_unusable", "{host}");
    let detail = host["detail"].as_str().expect("a text");
    assert!(detail.contains("checkpoint.key is missing"), "{detail}");
    let second = judged(&server, &acme, "ldt:2");
    let barred = code(&execute(&server, &second));
    assert_eq!(barred, (503, "audit_integrity_failed".to_owned()));
    assert!(!key.exists());

    fs::rename(&kept, &key).expect("it is back");
    let whole = || (integrity(&server)["status"] == "whole").then_some(());
    eventually(DEADLINE, whole);
    all_signed(&server, "acme");
    assert_eq!(code(&execute(&server, &second)).0, 200);
    assert!(server.terminate().success(), "a clean stop");

    // Lost for good: the next log has a key of its own.
    fs::remove_file(&key).expect("it goes");
    let server = start(dir.path());
    assert_eq!(integrity(&server)["host"]["kind"], "log_unusable");
    let rebased = server.cli(&["audit", "rebase", "--reason", "the key is lost"]);
    assert!(rebased.status.success(), "{rebased:?}");
    assert!(key.exists());
    assert_eq!(integrity(&server)["status"], "whole");
    all_signed(&server, "acme");
}

/// Nothing told of a log that began while the server ran, so whoever took it away before the next start had another one
/// begun in silence.
#[test]
fn a_log_that_begins_late_is_told_of_and_not_begun_again() {
    let dir = TempDir::new().expect("a directory");
    let proof = dir.path().join("proof");
    fs::write(&proof, "in the way").expect("a file");
    let server = start(dir.path());
    assert_eq!(integrity(&server)["host"]["kind"], "log_unusable");
    fs::remove_file(&proof).expect("it goes");
    let begun = eventually(DEADLINE, || {
        let mut entries = server.entries("_host").into_iter();
        entries.find(|entry| entry["event"] == "audit.log_begun")
    });
    assert_eq!(begun["payload"]["vkey"], server.get("/audit/key")["vkey"]);
    assert_eq!(integrity(&server)["status"], "whole");
    assert!(server.terminate().success(), "a clean stop");
    fs::remove_dir_all(&proof).expect("what is signed");
    let server = start(dir.path());
    assert_eq!(integrity(&server)["host"]["kind"], "log_lost");
}
