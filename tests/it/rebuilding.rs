//! Projections can be lost, damaged, of another time or of another place: the chains make them anew.

use std::{fs, path::Path, process::Output};

use serde_json::Value;

use crate::{
    load::{Ledger, Sender},
    server::{NO_RATIONS, Server, command, write},
};

/// A server that took thirty alerts of acme's and some of globex's, stopped.
fn lived(dir: &Path) -> Ledger {
    let server = Server::start(dir, NO_RATIONS);
    let (acme, globex) = (server.add_tenant("acme"), server.add_tenant("globex"));
    let (mut sender, mut ledger) = (Sender::new(&server), Ledger::default());
    for n in 0..30 {
        ledger.keep(sender.accepted(&acme, &format!("acme-{n}")));
    }
    for n in 0..5 {
        ledger.keep(sender.accepted(&globex, &format!("globex-{n}")));
    }
    ledger.await_verdicts(&server);
    assert!(server.terminate().success(), "a clean stop");
    ledger
}

/// A command on a data directory, beside whatever server runs there.
pub(crate) fn offline(dir: &Path, args: &[&str]) -> Output {
    command(&[("VYROX_STORAGE__SEGMENT_BYTES", "4194304")])
        .args(args)
        .arg("--data-dir")
        .arg(dir)
        .output()
        .expect("the command runs")
}

fn rebuild(dir: &Path, more: &[&str]) -> (Option<i32>, Value) {
    let output = offline(dir, &[&["rebuild", "--json"], more].concat());
    let told = String::from_utf8_lossy(&output.stdout);
    let told = serde_json::from_str(&told).unwrap_or(Value::Null);
    (output.status.code(), told)
}

/// Every alert as people read it, of a server that is started for it.
fn readable(dir: &Path, ledger: &Ledger) -> Vec<Value> {
    let server = Server::start(dir, NO_RATIONS);
    let receipts = ledger.receipts();
    let read = receipts.map(|receipt| server.judged(&receipt.tenant, &receipt.alert_id));
    let read = read.collect();
    assert!(server.terminate().success(), "a clean stop");
    read
}

#[test]
fn a_rebuild_agrees_with_what_was_in_use_and_finds_what_does_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let ledger = lived(dir.path());
    let before = readable(dir.path(), &ledger);
    let file = dir.path().join("projections.redb");
    let whole = fs::read(&file).expect("projections");

    let (code, told) = rebuild(dir.path(), &["--dry-run"]);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(told["agrees"], true, "{told}");
    assert_eq!(told["replaced"], false, "{told}");
    assert_eq!(told["chains"], 3, "{told}");
    let same = |table: &Value| table["same"].as_u64().expect("a count");
    let counts: Vec<u64> = told["tables"]
        .as_array()
        .expect("tables")
        .iter()
        .map(same)
        .collect();
    assert_eq!(counts, [3, 35, 35, 35, 35, 2], "{told}");
    assert!(!dir.path().join("projections.redb.new").exists());

    let (code, told) = rebuild(dir.path(), &[]);
    assert_eq!(
        (code, &told["replaced"]),
        (Some(0), &Value::Bool(true)),
        "{told}"
    );
    assert_eq!(readable(dir.path(), &ledger), before);

    // Projections of an earlier time are behind, and right as far as they go.
    write(&file, &whole);
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("initech");
    let mut sender = Sender::new(&server);
    sender.accepted(&acme, "late");
    assert!(server.terminate().success(), "a clean stop");
    write(&file, &whole);
    let (code, told) = rebuild(dir.path(), &["--dry-run"]);
    assert_eq!(
        (code, &told["agrees"]),
        (Some(0), &Value::Bool(true)),
        "{told}"
    );

    for (way, found) in [("missing", "missing"), ("garbage", "damaged")] {
        match way {
            "missing" => fs::remove_file(&file).expect("it is there"),
            _ => write(&file, &b"no database ".repeat(4096)),
        }
        let (code, told) = rebuild(dir.path(), &["--dry-run"]);
        assert_eq!(
            (code, &told["found"]),
            (Some(1), &Value::from(found)),
            "{told}"
        );
        assert_eq!(told["replaced"], false, "{told}");
        let (code, told) = rebuild(dir.path(), &[]);
        assert_eq!(
            (code, &told["replaced"]),
            (Some(0), &Value::Bool(true)),
            "{told}"
        );
        assert_eq!(readable(dir.path(), &ledger), before, "{way}");
    }
}

#[test]
fn a_rebuild_stays_away_from_a_running_server_and_from_where_none_ever_was() {
    let dir = tempfile::tempdir().expect("a directory");
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let nothing = offline(&dir.path().join("typo"), &["rebuild"]);
    assert_eq!(nothing.status.code(), Some(3));
    assert!(
        said(&nothing).contains("there is no journal"),
        "{}",
        said(&nothing)
    );
    assert!(!dir.path().join("typo").exists());

    let server = Server::start(dir.path(), NO_RATIONS);
    for args in [&["rebuild"][..], &["backup", "somewhere"]] {
        let refused = offline(dir.path(), args);
        assert_eq!(refused.status.code(), Some(3));
        let said = said(&refused);
        assert!(said.contains("a server runs on"), "{said}");
        assert!(said.contains("hint"), "{said}");
    }
    assert!(server.terminate().success(), "it was not disturbed");
}

#[test]
fn turned_bits_are_found_at_the_start_and_mended() {
    let dir = tempfile::tempdir().expect("a directory");
    let ledger = lived(dir.path());
    let before = readable(dir.path(), &ledger);
    let file = dir.path().join("projections.redb");
    let whole = fs::read(&file).expect("projections");
    let in_use = whole
        .iter()
        .rposition(|byte| *byte != 0)
        .expect("not empty");
    for step in 0..8 {
        let mut turned = whole.clone();
        turned[in_use * step / 8] ^= 0x20;
        write(&file, &turned);
        assert_eq!(readable(dir.path(), &ledger), before, "eighth {step}");
    }
}

/// The journal was put back and its projections were not, or they were another deployment's: they tell
/// of entries that the chains do not have, or have otherwise.
#[test]
fn projections_that_are_not_of_these_chains_are_not_believed() {
    let dir = tempfile::tempdir().expect("a directory");
    let ledger = lived(dir.path());
    let before = readable(dir.path(), &ledger);
    let file = dir.path().join("projections.redb");

    let other = tempfile::tempdir().expect("a directory");
    let foreign = lived(other.path());
    let server = Server::start(other.path(), NO_RATIONS);
    let initech = server.add_tenant("initech");
    Sender::new(&server).accepted(&initech, "initech-1");
    assert!(server.terminate().success(), "a clean stop");
    write(
        &file,
        &fs::read(other.path().join("projections.redb")).expect("theirs"),
    );

    let (code, told) = rebuild(dir.path(), &["--dry-run"]);
    assert_eq!(
        (code, &told["agrees"]),
        (Some(1), &Value::Bool(false)),
        "{told}"
    );
    assert_eq!(readable(dir.path(), &ledger), before);
    let server = Server::start(dir.path(), NO_RATIONS);
    for receipt in foreign.receipts() {
        let path = format!(
            "/api/v1/alerts/{}?tenant_id={}",
            receipt.alert_id, receipt.tenant
        );
        let reply = server.api("GET", &path, None);
        assert_eq!(reply.status, 404, "{reply:?}");
    }
    assert!(server.terminate().success(), "a clean stop");
    let (code, told) = rebuild(dir.path(), &["--dry-run"]);
    assert_eq!(
        (code, &told["agrees"]),
        (Some(0), &Value::Bool(true)),
        "{told}"
    );

    // Ahead: the same deployment, its journal put back to an earlier day.
    let earlier = tempfile::tempdir().expect("a directory");
    copy(&dir.path().join("journal"), &earlier.path().join("journal"));
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("umbrella");
    Sender::new(&server).accepted(&acme, "umbrella-1");
    assert!(server.terminate().success(), "a clean stop");
    fs::remove_dir_all(dir.path().join("journal")).expect("it is there");
    copy(&earlier.path().join("journal"), &dir.path().join("journal"));
    assert_eq!(readable(dir.path(), &ledger), before);
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}
