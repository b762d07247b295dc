//! Bytes that turn bad on the disk while nobody reads them are found and named, and stop nothing.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt as _,
    path::Path,
};

use serde_json::{Value, json};

use crate::server::{DEADLINE, NO_RATIONS, Server, Tenant, eventually};

const FAST: &[(&str, &str)] = &[
    ("VYROX_STORAGE__SCRUB_BYTES_PER_S", "1073741824"),
    ("VYROX_STORAGE__SCRUB_PAUSE_MS", "10"),
    ("VYROX_STORAGE__CHECKPOINT_MS", "10"),
];

/// What an ordinary tool says; closed without anybody.
const QUIET: &str = "whoami /all";

fn take_in(server: &Server, tenant: &Tenant, detect_id: &str) {
    let mut http = server.http();
    let answer = tenant.alert(&mut http, "crowdstrike", &tenant.body(detect_id, QUIET));
    let alert = answer["alert_id"].as_str().expect("an id").to_owned();
    server.judged(&tenant.id, &alert);
}

/// Turns one bit of one byte, as a disk does: the file has neither another length nor another name.
fn flip(path: &Path, at: usize) {
    let byte = fs::read(path).expect("the file")[at] ^ 1;
    let file = OpenOptions::new().write(true).open(path).expect("the file");
    file.write_all_at(&[byte], at as u64).expect("one byte");
}

/// Waits until everything was looked at once more from now on.
fn looked(server: &Server) {
    let rounds = || server.metric("vyrox_journal_scrub_rounds_total");
    let before = rounds();
    eventually(DEADLINE, || (rounds() >= before + 2).then_some(()));
}

fn health(server: &Server, tenant: &str) -> Value {
    server.get(&format!("/health/tenants/{tenant}"))
}

fn damages(server: &Server) -> Vec<Value> {
    let entries = server.entries("_host").into_iter();
    let told = entries.filter(|entry| entry["event"] == "journal.damaged");
    told.map(|entry| entry["payload"].clone()).collect()
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one story from its beginning to its end"
)]
fn what_turned_bad_is_named_once_and_everything_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[NO_RATIONS, FAST].concat());
    let [acme, globex, initech] = ["acme", "globex", "initech"].map(|id| server.add_tenant(id));
    for n in 0..3 {
        for tenant in [&acme, &globex, &initech] {
            take_in(&server, tenant, &format!("one-{n}"));
        }
    }
    for tenant in ["acme", "globex", "initech"] {
        assert_eq!(server.verify(tenant)["ok"], true);
    }
    looked(&server);
    assert_eq!(server.metric("vyrox_journal_files_damaged"), 0);
    assert!(server.metric("vyrox_journal_bytes_scrubbed_total") > 0);
    assert_eq!(health(&server, "acme")["damaged"], json!([]));

    let lines = server.export("acme");
    let journal = dir.path().join("journal");
    flip(&journal.join("tenants/acme.jsonl"), lines[0].len() + 1 + 40);
    // Behind the first header of the store.
    flip(&journal.join("evidence/globex.ev"), 60);
    let received = server.entries("globex");
    let received = received
        .iter()
        .find(|entry| entry["event"] == "alert.received")
        .expect("an alert");
    let of_acme = json!({"what": "lines", "from_seq": 1});
    let of_globex = json!({"what": "evidence", "from_seq": received["seq"]});
    for (tenant, damaged) in [("acme", &of_acme), ("globex", &of_globex)] {
        let told = eventually(DEADLINE, || {
            let told = health(&server, tenant);
            (told["state"] == "degraded").then_some(told)
        });
        assert_eq!(told["damaged"], json!([damaged]), "{told}");
    }
    assert_eq!(health(&server, "initech")["damaged"], json!([]));
    assert_ne!(health(&server, "initech")["state"], "degraded");
    assert_eq!(server.metric("vyrox_journal_files_damaged"), 2);
    let ready = server.get("/health/ready");
    assert_eq!(ready["status"], "ready", "{ready}");
    assert_eq!(ready["files_damaged"], 2, "{ready}");

    for tenant in [&acme, &globex, &initech] {
        take_in(&server, tenant, "two");
    }
    let expected = [("acme", of_acme), ("globex", of_globex)].map(|(tenant, mut damaged)| {
        damaged["tenant_id"] = json!(tenant);
        damaged
    });
    let told = eventually(DEADLINE, || {
        let told = damages(&server);
        (told.len() >= 2).then_some(told)
    });
    assert_eq!(told.len(), 2, "{told:?}");
    for one in &expected {
        assert!(told.contains(one), "{one} is not in {told:?}");
    }
    looked(&server);
    assert_eq!(damages(&server), told, "once");
    let verified = server.verify("acme");
    assert_eq!(
        (&verified["ok"], &verified["divergent_seq"]),
        (&json!(false), &json!(1))
    );
    assert_eq!(server.verify("initech")["ok"], true);
    assert!(server.terminate().success(), "a clean stop");
}
