//! Ends in good order, and starts on what was lost or changed meanwhile.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::mpsc::{Sender as Tell, channel},
    thread,
};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{
    load::{Ledger, Receipt, Sender},
    server::{DEADLINE, NO_RATIONS, Server, Tenant, write},
};

const ROUNDS: usize = 3;
const CONNECTIONS: usize = 6;
/// Acknowledged alerts after which a round is told to end.
const ALERTS: usize = 150;

#[test]
fn sigterm_under_load_loses_nothing_and_leaves_nothing_to_repair() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_LOG__FORMAT", "json"));
    let mut server = Server::start(dir.path(), &env);
    let tenants = ["acme", "globex", "initech"].map(|id| server.add_tenant(id));
    let mut ledger = Ledger::default();
    for round in 0..ROUNDS {
        let (receipts, log) = until_terminated(server, round, &tenants);
        assert!(log.contains("drained"), "the last words are missing:\n{log}");
        receipts.into_iter().for_each(|receipt| ledger.keep(receipt));
        server = Server::start(dir.path(), &env);
        let found = recovery(&server);
        let clean = found["entries"] == 0
            && found["cut"] == false
            && found["damaged"] == false
            && found["held"] == 0;
        assert!(clean, "round {round}: a clean stop left something to repair: {found}");
        ledger.check(&server);
    }
    println!("{} alerts acknowledged around {ROUNDS} clean stops under load", ledger.len());
    ledger.await_verdicts(&server);
}

/// Load until SIGTERM has ended the server: the receipts, and its log.
fn until_terminated(server: Server, round: usize, tenants: &[Tenant]) -> (Vec<Receipt>, String) {
    let (tell, told) = channel();
    thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            let (mut sender, tell) = (Sender::new(&server), tell.clone());
            let tenant = &tenants[connection % tenants.len()];
            scope.spawn(move || send_while_served(&mut sender, tenant, &format!("r{round}-c{connection}"), &tell));
        }
        drop(tell);
        let first = (0..ALERTS).map(|_| told.recv_timeout(DEADLINE).expect("answers keep coming"));
        let mut receipts: Vec<_> = first.collect();
        server.signal(Signal::SIGTERM);
        let (status, log) = server.wait();
        assert_eq!(status.code(), Some(0), "SIGTERM ends with 0:\n{log}");
        receipts.extend(told);
        (receipts, log)
    })
}

fn send_while_served(sender: &mut Sender, tenant: &Tenant, name: &str, tell: &Tell<Receipt>) {
    for n in 0_u64.. {
        let detect_id = format!("{name}-{n}");
        match sender.send(tenant, &detect_id) {
            Ok(reply) if reply.status == 202 => {
                tell.send(Receipt::read(tenant, &detect_id, &reply)).expect("the test listens");
            }
            // Draining: not acknowledged, so nothing was promised.
            Ok(reply) => return assert_eq!(reply.status, 503, "{}", reply.text()),
            Err(_closed) => return,
        }
    }
}

/// What the server said of its journal when it started.
fn recovery(server: &Server) -> Value {
    let log = server.stderr();
    let line = log
        .lines()
        .find(|line| line.contains("journal recovered"))
        .unwrap_or_else(|| panic!("nothing about the journal in:\n{log}"));
    let line: Value = serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
    if line["fields"].is_object() { line["fields"].clone() } else { line }
}

#[test]
fn lost_or_damaged_projections_are_built_anew() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let (mut sender, mut ledger) = (Sender::new(&server), Ledger::default());
    for n in 0..30 {
        ledger.keep(sender.accepted(&acme, &format!("early-{n}")));
    }
    ledger.await_verdicts(&server);
    let before = readable(&server, &ledger);

    let file = dir.path().join("projections.redb");
    let ways: [(&str, &dyn Fn(&Path)); 5] = [
        ("deleted", &|file| fs::remove_file(file).expect("it is there")),
        ("emptied", &|file| write(file, b"")),
        ("replaced by something else", &|file| write(file, &b"no database ".repeat(4096))),
        ("cut in half", &|file| cut(file)),
        ("overwritten in the middle", &|file| scratch(file)),
    ];
    for (way, damage) in ways {
        assert!(server.terminate().success(), "before it was {way}");
        damage(&file);
        server = Server::start(dir.path(), NO_RATIONS);
        assert_eq!(readable(&server, &ledger), before, "after the projections were {way}");
        let mut sender = Sender::new(&server);
        let repeat = sender.send(&acme, "early-7").expect("an answer");
        assert_eq!(repeat.status, 200, "{way}: the repeat is not known: {}", repeat.text());
        let repeat = Receipt::read(&acme, "early-7", &repeat);
        assert!(ledger.receipts().any(|receipt| *receipt == repeat), "{way}: {repeat:?}");
        ledger.check(&server);
    }
    let mut sender = Sender::new(&server);
    ledger.keep(sender.accepted(&acme, "late"));
    ledger.await_verdicts(&server);
}

/// Every alert as people read it.
fn readable(server: &Server, ledger: &Ledger) -> Vec<Value> {
    ledger
        .receipts()
        .map(|receipt| server.judged(&receipt.tenant, &receipt.alert_id))
        .collect()
}

fn cut(file: &Path) {
    let bytes = fs::read(file).expect("readable");
    write(file, &bytes[..bytes.len() / 2]);
}

fn scratch(file: &Path) {
    let mut bytes = fs::read(file).expect("readable");
    let (from, to) = (bytes.len() / 16, bytes.len() / 2);
    bytes[from..to].fill(0xa5);
    write(file, &bytes);
}

#[test]
fn a_lost_or_wrong_key_or_vault_refuses_to_start_and_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let mut ledger = Ledger::default();
    ledger.keep(Sender::new(&server).accepted(&acme, "before"));
    assert!(server.terminate().success());

    let (key, vault) = (dir.path().join("host.key"), dir.path().join("vault.redb"));
    let (good_key, good_vault) = (fs::read(&key).expect("a key"), fs::read(&vault).expect("a vault"));
    let other = "0f1e2d3c4b5a69788796a5b4c3d2e1f0a1b2c3d4e5f60718293a4b5c6d7e8f90";
    let given = [("VYROX_STORAGE__HOST_KEY", other)];
    let secret = String::from_utf8_lossy(&good_key).trim().to_owned();
    let refused = |env: &[(&str, &str)], words: &[&str]| {
        let Err(not) = Server::try_start(dir.path(), env) else {
            panic!("it started, and should have said {words:?}");
        };
        assert!(!not.status.success(), "{not:?}");
        for word in words {
            assert!(not.stderr.contains(word), "it should say {word:?}:\n{}", not.stderr);
        }
        for secret in [secret.as_str(), other, acme.secret.as_str()] {
            assert!(!not.stderr.contains(secret), "a secret is in the log:\n{}", not.stderr);
        }
    };

    fs::remove_file(&key).expect("it is there");
    refused(&[], &["host.key", "missing", "vault.redb"]);
    assert!(!key.exists(), "no new key may take the place of the lost one");
    refused(&given, &["acme", "host key"]);
    write_key(&key, other.as_bytes());
    refused(&[], &["acme", "host key"]);
    write_key(&key, b"not a key");
    refused(&[], &["host.key"]);
    write_key(&key, &good_key);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("it is ours");
    refused(&[], &["host.key", "chmod 600"]);
    write_key(&key, &good_key);

    fs::remove_file(&vault).expect("it is there");
    refused(&[], &["vault.redb", "missing", "backup"]);
    assert!(!vault.exists(), "no empty vault may take the place of the lost one");
    fs::remove_file(&key).expect("it is there");
    refused(&[], &["vault.redb", "missing"]);
    assert!(!key.exists(), "nor a new key that of the lost one");
    write_key(&key, &good_key);
    write(&vault, b"this is no vault");
    refused(&[], &["vault"]);

    write(&vault, &good_vault);
    let server = Server::start(dir.path(), NO_RATIONS);
    ledger.keep(Sender::new(&server).accepted(&acme, "after"));
    ledger.await_verdicts(&server);
    ledger.check(&server);
}

fn write_key(path: &Path, bytes: &[u8]) {
    write(path, bytes);
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("it is ours");
}

#[test]
fn a_second_server_on_the_same_directory_is_turned_away() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let (mut sender, mut ledger) = (Sender::new(&server), Ledger::default());
    ledger.keep(sender.accepted(&acme, "before"));
    let Err(not) = Server::try_start(dir.path(), NO_RATIONS) else {
        panic!("two servers on one directory");
    };
    assert!(!not.status.success(), "{not:?}");
    let named = not.stderr.contains(&dir.path().display().to_string());
    assert!(named, "it should name the directory:\n{}", not.stderr);
    ledger.keep(sender.accepted(&acme, "after"));
    ledger.check(&server);
}
