//! A backup that was taken while alerts came in, restored in another place, is the same deployment up
//! to there, and goes on.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Output,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    load::{Ledger, Receipt, Sender},
    rebuilding::{copy, offline},
    server::{NO_RATIONS, Server, Tenant, vyrox, write},
};

fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{out}{err}")
}

/// The last line that a command printed, as JSON.
fn json(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", said(output));
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|why| panic!("{why}: {text}"))
}

/// A data directory, and a place for backups.
struct House {
    data: TempDir,
    backups: TempDir,
}

impl House {
    fn new() -> Self {
        Self {
            data: tempfile::tempdir().expect("a directory"),
            backups: tempfile::tempdir().expect("a directory"),
        }
    }

    fn start(&self) -> Server {
        let below = self.backups.path().to_str().expect("text");
        let mut env = NO_RATIONS.to_vec();
        env.push(("VYROX_STORAGE__BACKUP_DIR", below));
        Server::start(self.data.path(), &env)
    }

    fn only_backup(&self) -> PathBuf {
        let mut found = fs::read_dir(self.backups.path()).expect("a directory");
        let backup = found.next().expect("a backup").expect("readable").path();
        assert!(found.next().is_none(), "and nothing else");
        backup
    }
}

/// Restores into a new directory and gives it the one thing that no backup holds.
fn restored(backup: &Path, key: &Path) -> (TempDir, PathBuf, Value) {
    let parent = tempfile::tempdir().expect("a directory");
    let data = parent.path().join("vyrox");
    let told = json(&restore(backup, &data, &["--json"]));
    fs::copy(key, data.join("host.key")).expect("the key is put back");
    (parent, data, told)
}

fn restore(backup: &Path, data: &Path, more: &[&str]) -> Output {
    let backup = backup.to_str().expect("text");
    offline(data, &[&["restore", backup], more].concat())
}

/// A backup while four senders post alerts: what the command said, and what they were promised.
fn backed_up_under_load(server: &Server, tenants: &[Tenant]) -> (Output, Vec<Receipt>) {
    let done = AtomicBool::new(false);
    let load = |worker: usize| {
        let (mut sender, tenant) = (Sender::new(server), &tenants[worker % 2]);
        let mut receipts: Vec<Receipt> = Vec::new();
        while !done.load(Ordering::Acquire) {
            let name = format!("during-{worker}-{}", receipts.len());
            receipts.push(sender.accepted(tenant, &name));
        }
        receipts
    };
    thread::scope(|scope| {
        let load = &load;
        let workers: Vec<_> = (0..4).map(|n| scope.spawn(move || load(n))).collect();
        let taken = server.cli(&["backup", "--json"]);
        done.store(true, Ordering::Release);
        let receipts = workers
            .into_iter()
            .map(|worker| worker.join().expect("a worker"));
        (taken, receipts.flatten().collect::<Vec<_>>())
    })
}

#[test]
fn a_backup_under_load_is_restored_elsewhere_and_goes_on() {
    let house = House::new();
    let server = house.start();
    let tenants = ["acme", "globex"].map(|id| server.add_tenant(id));
    let (mut sender, mut ledger) = (Sender::new(&server), Ledger::default());
    for n in 0..40 {
        ledger.keep(sender.accepted(&tenants[n % 2], &format!("before-{n}")));
    }
    let (taken, meanwhile) = backed_up_under_load(&server, &tenants);
    let taken = json(&taken);
    assert_eq!(taken["chains"], 3, "{taken}");
    assert!(server.terminate().success(), "a clean stop");

    let backup = house.only_backup();
    assert_eq!(
        backup.file_name(),
        taken["name"].as_str().map(AsRef::as_ref)
    );
    no_secret_is_in(&backup, house.data.path());
    let (_parent, data, told) = restored(&backup, &house.data.path().join("host.key"));
    let last = |tenant: &str| told["heads"][tenant]["seq"].as_u64().expect("a head");
    ledger.keep_all(
        meanwhile
            .into_iter()
            .filter(|receipt| receipt.seq <= last(&receipt.tenant)),
    );
    println!("{} receipts lie within the backup's heads", ledger.len());

    let server = Server::start(&data, NO_RATIONS);
    ledger.check(&server);
    for tenant in ["acme", "globex", "_host"] {
        assert_eq!(server.verify(tenant)["ok"], true, "{tenant}");
    }
    ledger.await_verdicts(&server);
    // The old secrets count, repeats are known, and evidence opens: a changed rule reads it.
    let mut sender = Sender::new(&server);
    let repeat = sender.send(&tenants[0], "before-0").expect("an answer");
    assert_eq!(repeat.status, 200, "{}", repeat.text());
    for tenant in &tenants {
        let next = sender.accepted(tenant, "after");
        assert!(
            next.seq > last(&tenant.id),
            "{next:?} goes on behind the backup"
        );
        ledger.keep(next);
    }
    evidence_opens(&server);
    ledger.check(&server);
    assert!(server.terminate().success(), "a clean stop");
    let compared = offline(&data, &["rebuild", "--dry-run"]);
    assert_eq!(compared.status.code(), Some(0), "{}", said(&compared));
}

const RULE: &str = "\
title: Passwords read
id: 0b0f3a4e-6d8c-4a56-9a53-1c5a4d1e7f11
name: site.passwords
description: Only this test runs it.
logsource: {product: edr, category: alert}
detection:
  word:
    seen.command|contains: logonpasswords
  condition: word
level: critical
tags: [attack.impact, attack.t1490]
vyrox:
  weight_bp: 9500
  leaning: malicious
";

/// A backtest reads every alert's evidence; what does not open counts as unreadable.
fn evidence_opens(server: &Server) {
    let rules = tempfile::tempdir().expect("a directory");
    write(&rules.path().join("site.yml"), RULE.as_bytes());
    let rules = rules.path().to_str().expect("text");
    let output = server.cli(&["backtest", "--rules", rules, "--json"]);
    let text = said(&output);
    let done = text.lines().find(|line| line.contains("\"done\""));
    let done: Value = serde_json::from_str(done.unwrap_or_else(|| panic!("{text}"))).expect("JSON");
    assert_eq!(done["done"]["unreadable"], 0, "{done}");
    assert!(done["done"]["alerts"].as_u64() > Some(0), "{done}");
}

/// Neither the key to it nor a token is in a backup, by name or by content, and nobody else reads it.
fn no_secret_is_in(backup: &Path, data: &Path) {
    let secrets = ["host.key", "admin.token"].map(|name| {
        let text = fs::read_to_string(data.join(name)).expect("there");
        text.trim().to_owned().into_bytes()
    });
    let mut folders = vec![backup.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a directory") {
            let path = entry.expect("readable").path();
            let mode = path.metadata().expect("there").permissions().mode() & 0o777;
            if path.is_dir() {
                assert_eq!(mode, 0o700, "{}", path.display());
                folders.push(path);
                continue;
            }
            assert_eq!(mode, 0o600, "{}", path.display());
            let bytes = fs::read(&path).expect("readable");
            for secret in &secrets {
                let found = bytes.windows(secret.len()).any(|window| window == secret);
                assert!(!found, "a secret in {}", path.display());
            }
        }
    }
}

#[test]
fn a_backup_is_taken_of_a_directory_that_no_server_runs_on() {
    let house = House::new();
    let server = house.start();
    let acme = server.add_tenant("acme");
    let (mut sender, mut ledger) = (Sender::new(&server), Ledger::default());
    for n in 0..10 {
        ledger.keep(sender.accepted(&acme, &format!("acme-{n}")));
    }
    // Not a clean stop: what was acknowledged stands in the log alone.
    server.kill9();
    let backup = house.backups.path().join("mine");
    let name = backup.to_str().expect("text");
    let output = offline(house.data.path(), &["backup", name]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let again = offline(house.data.path(), &["backup", name]);
    assert_eq!(again.status.code(), Some(3), "{}", said(&again));
    assert!(
        said(&again).contains("is there already"),
        "{}",
        said(&again)
    );

    let (_parent, data, _) = restored(&backup, &house.data.path().join("host.key"));
    let into_the_same = restore(&backup, &data, &[]);
    assert_eq!(into_the_same.status.code(), Some(3));
    assert!(
        said(&into_the_same).contains("not empty"),
        "{}",
        said(&into_the_same)
    );
    let server = Server::start(&data, NO_RATIONS);
    ledger.check(&server);
}

#[test]
fn a_forged_backup_is_refused_and_named() {
    let house = House::new();
    let server = house.start();
    let acme = server.add_tenant("acme");
    Sender::new(&server).accepted(&acme, "acme-1");
    json(&server.cli(&["backup", "--json"]));
    assert!(server.terminate().success(), "a clean stop");
    let backup = house.only_backup();
    let forged = house.backups.path().join("forged");
    copy(&backup, &forged);
    let file = forged.join("journal/tenants/acme.jsonl");
    let text = fs::read_to_string(&file).expect("a chain");
    write(
        &file,
        text.replacen("HOST-", "HOST_", 1)
            .replacen("alert", "ALERT", 1)
            .as_bytes(),
    );
    let elsewhere = house.backups.path().join("new");
    let refused = restore(&forged, &elsewhere, &[]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("acme"), "{}", said(&refused));
    assert!(!elsewhere.exists());
    let nothing = vyrox(&["restore", "nowhere", "--data-dir", "nowhere-2"]);
    assert_eq!(nothing.status.code(), Some(3), "{}", said(&nothing));
    assert!(restore(&backup, &elsewhere, &[]).status.success());
}

/// A restore begins with folders, and a directory with nothing but folders looked like a new one: a server began
/// there, with new chains.
#[test]
fn nothing_is_done_with_what_a_restore_that_was_cut_off_left() {
    let house = House::new();
    let server = house.start();
    json(&server.cli(&["backup", "--json"]));
    assert!(server.terminate().success(), "a clean stop");
    let left = house.data.path().join("left");
    fs::create_dir_all(left.join("journal")).expect("a directory");
    write(&left.join("journal/restore.unfinished"), b"");
    let backup = house.only_backup();
    let starts: [&[&str]; 3] = [
        &["serve", "--listen", "127.0.0.1:0"],
        &["rebuild"],
        &["backup", "b"],
    ];
    let refused = starts.map(|command| offline(&left, command));
    for refused in refused.iter().chain([&restore(&backup, &left, &[])]) {
        assert!(!refused.status.success(), "{}", said(refused));
        let says = "delete the directory and restore again";
        assert!(said(refused).contains(says), "{}", said(refused));
    }
    fs::remove_dir_all(&left).expect("it goes");
    json(&restore(&backup, &left, &["--json"]));
}

#[test]
fn a_server_without_a_place_for_backups_says_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), NO_RATIONS);
    let reply = server.api("POST", "/api/v1/backups", Some(&serde_json::json!({})));
    assert_eq!(reply.status, 501, "{reply:?}");
    assert_eq!(reply.json()["code"], "backup_not_provisioned");
    let reply = server.http().request("POST", "/api/v1/backups", &[], b"{}");
    assert_eq!(reply.status, 401, "{reply:?}");

    let missing = House::new();
    let below = missing.backups.path().join("not there");
    let below = below.to_str().expect("text");
    fs::write(missing.backups.path().join("not there"), b"a file").expect("written");
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_STORAGE__BACKUP_DIR", below));
    let server = Server::start(missing.data.path(), &env);
    let output = server.cli(&["backup"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(
        said(&output).contains("cannot be written"),
        "{}",
        said(&output)
    );
    assert!(!said(&output).contains(below), "{}", said(&output));
}

/// What a mirror is for: it is only added to, and a chain that is another one now is named.
#[test]
fn copies_of_all_chains_grow_and_show_a_chain_that_was_put_back() {
    let house = House::new();
    let server = house.start();
    let tenants = ["acme", "globex"].map(|id| server.add_tenant(id));
    let mut sender = Sender::new(&server);
    for n in 0..6 {
        sender.accepted(&tenants[0], &format!("acme-{n}"));
    }
    json(&server.cli(&["backup", "--json"]));
    let mirror = house.backups.path().join("mirror");
    let mirror = mirror.to_str().expect("text");
    let export = |server: &Server| server.cli(&["audit", "export", "--all", "--into", mirror]);
    let first = export(&server);
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    sender.accepted(&tenants[0], "acme-late");
    let file = Path::new(mirror).join("acme.jsonl");
    let earlier = fs::read(&file).expect("a copy");
    // The rest of a line: this command was interrupted while it added it.
    write(&file, &[earlier.as_slice(), b"{\"half"].concat());
    let second = export(&server);
    assert_eq!(second.status.code(), Some(0), "{}", said(&second));
    let later = fs::read(&file).expect("a copy");
    assert!(later.starts_with(&earlier) && later.len() > earlier.len());
    let verified = vyrox(&["audit", "verify", file.to_str().expect("text")]);
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
    let head = server.get("/audit/head?tenant_id=acme")["seq"].as_u64();
    assert!(server.terminate().success(), "a clean stop");

    // Put back to the backup, and gone on with from there.
    let backup = fs::read_dir(house.backups.path()).expect("a directory");
    let mut backup = backup.map(|entry| entry.expect("readable").path());
    let backup = backup
        .find(|path| !path.ends_with("mirror"))
        .expect("the backup");
    let (_parent, data, told) = restored(&backup, &house.data.path().join("host.key"));
    let fork = told["heads"]["acme"]["seq"].as_u64().expect("a head") + 1;
    let server = Server::start(&data, NO_RATIONS);
    let shorter = export(&server);
    assert_eq!(shorter.status.code(), Some(1), "{}", said(&shorter));
    assert_eq!(
        fs::read(&file).expect("a copy"),
        later,
        "the copy is the proof"
    );
    let mut sender = Sender::new(&server);
    for n in 0..20 {
        sender.accepted(&tenants[0], &format!("other-{n}"));
    }
    assert!(server.get("/audit/head?tenant_id=acme")["seq"].as_u64() > head);
    let forked = export(&server);
    assert_eq!(forked.status.code(), Some(1), "{}", said(&forked));
    let text = said(&forked);
    let named = text
        .lines()
        .find(|line| line.starts_with("acme"))
        .unwrap_or_default();
    assert!(named.contains(&format!("seq {fork}:")), "{fork} in {text}");
    assert_eq!(fs::read(&file).expect("a copy"), later);
}
