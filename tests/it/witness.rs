//! What witnesses add: a server whose whole data directory was turned back, and which could not know it by
//! itself, is told by somebody who remembers. Whatever a witness does, alerts are taken in.

mod rotation;
pub(crate) mod strict;

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use self::strict::{Mood, StrictWitness};
use crate::{
    audit_log::{all_signed, code, cp, execute, integrity, judged},
    rebuilding::offline,
    server::{DEADLINE, NO_RATIONS, SERVICE_SECRET, Server, Tenant, eventually, vyrox},
};

/// Whether a word of the witness is needed.
#[derive(Clone, Copy)]
enum Needed {
    Yes,
    No,
}

fn start(dir: &Path, witness: &StrictWitness, needed: Needed) -> Server {
    let setting = witness.setting();
    let required = match needed {
        Needed::Yes => "true",
        Needed::No => "false",
    };
    let backups = dir.with_extension("backups");
    fs::create_dir_all(&backups).expect("a place for backups");
    let mut env = NO_RATIONS.to_vec();
    env.extend([
        ("VYROX_HMAC_SECRET", SERVICE_SECRET),
        ("VYROX_AUDIT__CHECKPOINT_MS", "100"),
        ("VYROX_AUDIT__WITNESSES", &setting),
        ("VYROX_AUDIT__WITNESS_REQUIRED", required),
        ("VYROX_AUDIT__WITNESS_INTERVAL_S", "1"),
        ("VYROX_STORAGE__BACKUP_DIR", backups.to_str().expect("text")),
    ]);
    Server::start(dir, &env)
}

/// The same directory, and nobody is asked.
fn start_alone(dir: &Path) -> Server {
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_HMAC_SECRET", SERVICE_SECRET));
    env.push(("VYROX_AUDIT__CHECKPOINT_MS", "100"));
    Server::start(dir, &env)
}

fn vkey(server: &Server) -> String {
    let key = server.get("/audit/key");
    key["vkey"].as_str().expect("a key").to_owned()
}

/// The state of the one witness, as the server has it.
fn state(server: &Server) -> String {
    let found = integrity(server);
    let state = found["witnesses"][0]["state"].as_str();
    state.unwrap_or_else(|| panic!("{found}")).to_owned()
}

fn host_fault(server: &Server) -> Value {
    integrity(server)["host"]["kind"].clone()
}

/// Waits until the witness has cosigned everything that is there of a chain.
fn all_cosigned(server: &Server, witness: &StrictWitness, chain: &str) -> u64 {
    all_signed(server, chain);
    eventually(DEADLINE, || {
        let head = server.get(&format!("/audit/head?tenant_id={chain}"));
        let signed = head["checkpoint"].as_str()?.lines().nth(1)?.parse::<u64>();
        let whole = signed.ok()? == head["seq"].as_u64()? + 1;
        let time = witness.word_under(head["host_checkpoint"].as_str()?)?;
        whole.then_some(time)
    })
}

fn barred(server: &Server, alert: &str) {
    let refused = (503, "audit_integrity_failed".to_owned());
    assert_eq!(code(&execute(server, alert)), refused);
}

/// A server with a tenant, an alert, and a witness that has seen all of it.
fn witnessed(dir: &Path, witness: &StrictWitness) -> (Server, Tenant, String) {
    let server = start(dir, witness, Needed::No);
    witness.learn(&vkey(&server));
    let acme = server.add_tenant("acme");
    let alert = judged(&server, &acme, "ldt:1");
    all_cosigned(&server, witness, "acme");
    (server, acme, alert)
}

#[test]
fn a_witness_cosigns_and_its_word_is_proven_without_the_server() {
    let (dir, out) = (TempDir::new().expect("one"), TempDir::new().expect("two"));
    let data = dir.path().join("data");
    let witness = StrictWitness::start(Mood::Honest);
    let (server, acme, alert) = witnessed(&data, &witness);
    assert_eq!(state(&server), "cosigned");
    assert_eq!(server.metric("vyrox_audit_witnesses"), 1);
    assert_eq!(server.metric("vyrox_audit_witnesses_failing"), 0);
    let metrics = server.api("GET", "/metrics", None).text();
    let age = metrics
        .lines()
        .find_map(|line| line.strip_prefix("vyrox_audit_cosignature_age_seconds "));
    let age: f64 = age.expect("a metric").parse().expect("a number");
    assert!((0.0..60.0).contains(&age), "{age}");

    let file = |name: &str| out.path().join(name).to_str().expect("text").to_owned();
    let (bundle, copy) = (file("acme.bundle"), file("acme.jsonl"));
    for args in [
        ["audit", "prove", "acme", "--output", &bundle],
        ["audit", "export", "acme", "--output", &copy],
    ] {
        assert!(server.cli(&args).status.success(), "{args:?}");
    }
    let vkey = vkey(&server);
    let verify = |witness: &str| {
        let args = [
            "audit", "verify", &copy, "--bundle", &bundle, "--vkey", &vkey,
        ];
        vyrox(&[&args[..], &["--witness-vkey", witness]].concat())
    };
    let good = verify(&witness.vkey());
    assert!(good.status.success(), "{good:?}");
    // Another witness has not seen it.
    let stranger = "w.example+aa7e5b7c+BAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";
    assert!(!verify(stranger).status.success());

    // The process dies at any moment: what a witness has seen was durable before, so an honest server is
    // not barred, and the log goes on.
    judged(&server, &acme, "ldt:2");
    server.kill9();
    let server = start(&data, &witness, Needed::Yes);
    assert_eq!(integrity(&server)["status"], "whole");
    assert_eq!(code(&execute(&server, &alert)).0, 200);
    let seen = witness.seen(&vkey);
    judged(&server, &acme, "ldt:3");
    all_cosigned(&server, &witness, "acme");
    assert!(witness.seen(&vkey) > seen);
    let answers = witness.answers();
    let odd = answers
        .iter()
        .find(|status| ![200, 404, 409].contains(status));
    assert_eq!(odd, None, "{answers:?}");
}

/// Restores a backup in a new place, with the keys that no backup holds.
fn restored(backup: &Path, from: &Path, into: &Path) {
    let name = backup.to_str().expect("text");
    let told = offline(into, &["restore", name]);
    assert!(told.status.success(), "{told:?}");
    for key in ["host.key", "checkpoint.key"] {
        fs::copy(from.join(key), into.join(key)).expect("the key is put back");
    }
}

fn back_up(server: &Server, data: &Path) -> PathBuf {
    let taken = server.cli(&["backup", "--json"]);
    assert!(taken.status.success(), "{taken:?}");
    let text = String::from_utf8_lossy(&taken.stdout);
    let last: Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
    let name = last["name"].as_str().expect("a name");
    data.with_extension("backups").join(name)
}

#[test]
fn an_old_backup_is_known_by_the_witness_and_the_newest_goes_on() {
    let dir = TempDir::new().expect("a directory");
    let data = dir.path().join("data");
    let witness = StrictWitness::start(Mood::Honest);
    let (server, acme, alert) = witnessed(&data, &witness);
    let old = back_up(&server, &data);
    judged(&server, &acme, "ldt:2");
    all_cosigned(&server, &witness, "acme");
    let vkey_before = vkey(&server);
    // From here on nothing new is seen, so the newest backup lacks nothing that was.
    witness.is_now(Mood::Down);
    let newest = back_up(&server, &data);
    assert!(server.terminate().success(), "a clean stop");
    witness.is_now(Mood::Honest);

    let (past, present) = (dir.path().join("past"), dir.path().join("present"));
    restored(&old, &data, &past);
    restored(&newest, &data, &present);

    // Every chain of the old one is what was signed of it there: nobody but the witness knows better.
    let seen = witness.seen(&vkey_before);
    let server = start(&past, &witness, Needed::No);
    assert_eq!(host_fault(&server), "rolled_back", "{}", integrity(&server));
    barred(&server, &alert);
    assert_eq!(server.metric("vyrox_audit_integrity_failed"), 1);
    let late = judged(&server, &acme, "ldt:9");
    barred(&server, &late);
    assert_eq!(server.api("GET", "/health/ready", None).status, 200);
    // The old checkpoint was offered as the newest, and refused.
    assert_eq!(witness.answers().last(), Some(&409));
    let order = json!({ "reason": "restored the backup of Monday" });
    let rebased = server.api("POST", "/api/v1/audit/rebase", Some(&order));
    assert_eq!(rebased.status, 200, "{rebased:?}");
    assert_eq!(integrity(&server)["status"], "whole");
    assert_eq!(code(&execute(&server, &late)).0, 200);
    let payload = rebased.json()["rebased"].clone();
    assert_eq!(payload["host"], "rolled_back", "{payload}");
    let statement = payload["statement"].as_str().expect("a note");
    assert!(
        statement.contains(&format!("\nseen {seen}\n")),
        "{statement}"
    );
    // The log has another name now, of which the witness has to be told.
    eventually(DEADLINE, || (state(&server) == "failing").then_some(()));
    witness.learn(&vkey(&server));
    all_cosigned(&server, &witness, "acme");
    assert_eq!(
        witness.seen(&vkey_before),
        seen,
        "nothing under the old name"
    );
    drop(server);

    let server = start(&present, &witness, Needed::Yes);
    assert_eq!(integrity(&server)["status"], "whole");
    assert_eq!(code(&execute(&server, &alert)).0, 200);
    all_cosigned(&server, &witness, "acme");
    assert!(witness.seen(&vkey_before) >= seen);
}

#[test]
fn a_log_that_went_another_way_than_the_witness_saw_is_a_rollback() {
    let dir = TempDir::new().expect("a directory");
    let (data, copy) = (dir.path().join("data"), dir.path().join("copy"));
    let witness = StrictWitness::start(Mood::Honest);
    let (server, acme, _alert) = witnessed(&data, &witness);
    assert!(server.terminate().success(), "a clean stop");
    cp(&data, &copy);
    let server = start(&data, &witness, Needed::No);
    judged(&server, &acme, "ldt:2");
    all_cosigned(&server, &witness, "acme");
    let seen = witness.seen(&vkey(&server));
    assert!(server.terminate().success(), "a clean stop");

    // The copy goes on by itself until it is the longer one.
    let server = start_alone(&copy);
    let mut last = String::new();
    let mut n = 100;
    eventually(DEADLINE, || {
        n += 1;
        last = judged(&server, &acme, &format!("ldt:{n}"));
        let note = server.get("/audit/key")["checkpoint"].clone();
        let size: u64 = note.as_str()?.lines().nth(1)?.parse().ok()?;
        (size > seen).then_some(())
    });
    assert!(server.terminate().success(), "a clean stop");
    let server = start(&copy, &witness, Needed::No);
    assert_eq!(host_fault(&server), "rolled_back", "{}", integrity(&server));
    assert_eq!(state(&server), "contradicts");
    assert!(witness.answers().contains(&422));
    barred(&server, &last);
    // Nothing more is signed under a name that means something else elsewhere.
    let signed = server.get("/audit/key")["checkpoint"].clone();
    judged(&server, &acme, "ldt:999");
    assert_eq!(server.get("/audit/key")["checkpoint"], signed);
}

#[test]
fn a_witness_that_is_down_bars_only_where_its_word_is_needed() {
    let dir = TempDir::new().expect("a directory");
    let data = dir.path().join("data");
    let witness = StrictWitness::start(Mood::Honest);
    let (server, acme, alert) = witnessed(&data, &witness);
    assert!(server.terminate().success(), "a clean stop");
    witness.is_now(Mood::Down);

    let server = start(&data, &witness, Needed::No);
    assert_eq!(integrity(&server)["status"], "whole");
    assert_eq!(state(&server), "failing");
    assert_eq!(code(&execute(&server, &alert)).0, 200);
    let ready = server.api("GET", "/health/ready", None);
    assert_eq!(
        (ready.status, &ready.json()["witnesses_failing"]),
        (200, &json!(1))
    );
    assert_eq!(server.metric("vyrox_audit_witnesses_failing"), 1);
    // What is signed does not wait for it.
    judged(&server, &acme, "ldt:2");
    all_signed(&server, "acme");
    assert!(server.terminate().success(), "a clean stop");

    let server = start(&data, &witness, Needed::Yes);
    assert_eq!(host_fault(&server), "witness_silent");
    barred(&server, &alert);
    let late = judged(&server, &acme, "ldt:3");
    assert_eq!(server.api("GET", "/health/ready", None).status, 200);
    witness.is_now(Mood::Honest);
    let open = || (integrity(&server)["status"] == "whole").then_some(());
    eventually(DEADLINE, open);
    assert_eq!(code(&execute(&server, &late)).0, 200);
    all_cosigned(&server, &witness, "acme");
    let ready = server.api("GET", "/health/ready", None).json();
    assert_eq!(ready["witnesses_failing"], Value::Null);
    // A word that was given stands while the process lives.
    witness.is_now(Mood::Down);
    eventually(DEADLINE, || (state(&server) == "failing").then_some(()));
    assert_eq!(integrity(&server)["status"], "whole");
}

#[test]
fn a_witness_that_lies_gives_no_word_and_takes_nothing_but_containment() {
    let dir = TempDir::new().expect("a directory");
    let data = dir.path().join("data");
    let witness = StrictWitness::start(Mood::Honest);
    let (server, acme, alert) = witnessed(&data, &witness);
    assert!(server.terminate().success(), "a clean stop");

    for mood in [Mood::Forges, Mood::Floods, Mood::Redirects] {
        witness.is_now(mood);
        let server = start(&data, &witness, Needed::Yes);
        assert_eq!(host_fault(&server), "witness_silent", "{mood:?}");
        assert_eq!(state(&server), "failing", "{mood:?}");
        barred(&server, &alert);
        judged(&server, &acme, &format!("ldt:{mood:?}"));
    }
    assert_eq!(witness.followed(), 0);

    // One that says nothing holds up neither the start nor alerts; containment waits until it is given up.
    witness.is_now(Mood::Silent);
    let server = start(&data, &witness, Needed::No);
    assert!(witness.held() > 0);
    assert_eq!(host_fault(&server), "witnesses_asked");
    barred(&server, &alert);
    judged(&server, &acme, "ldt:silent");
    let open = || (integrity(&server)["status"] == "whole").then_some(());
    eventually(DEADLINE, open);
    assert_eq!(state(&server), "failing");
    assert_eq!(code(&execute(&server, &alert)).0, 200);
    drop(server);

    // A size needs no signature, so a witness can bar containment with one. It alone is named.
    witness.is_now(Mood::Boasts);
    let server = start(&data, &witness, Needed::No);
    assert_eq!(host_fault(&server), "rolled_back");
    let detail = integrity(&server)["host"]["detail"].clone();
    let detail = detail.as_str().expect("text");
    assert!(
        detail.contains("witness.example") && detail.contains("999999"),
        "{detail}"
    );
    judged(&server, &acme, "ldt:boast");
    // Once it comes to its senses and cosigns, nothing was turned back after all.
    witness.is_now(Mood::Honest);
    eventually(DEADLINE, || {
        (integrity(&server)["status"] == "whole").then_some(())
    });
    assert_eq!(code(&execute(&server, &alert)).0, 200);
}

#[test]
fn nonsense_for_a_witness_is_refused_with_what_to_write() {
    let dir = TempDir::new().expect("a directory");
    for (name, text, says) in [
        (
            "VYROX_AUDIT__WITNESSES",
            "https://w.example",
            "with a space between",
        ),
        ("VYROX_AUDIT__WITNESS_REQUIRED", "true", "KEY URL"),
        ("VYROX_AUDIT__WITNESS_INTERVAL_S", "0", "1 to 21600"),
    ] {
        let refused = Server::try_start(dir.path(), &[(name, text)]).err();
        let refused = refused.unwrap_or_else(|| panic!("{name} {text} was taken"));
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
    }
}
