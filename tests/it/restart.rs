//! Ends in good order, and starts on what was lost or changed meanwhile.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::mpsc::{Sender as Tell, channel},
    thread,
};

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

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
        assert!(
            log.contains("drained"),
            "the last words are missing:\n{log}"
        );
        ledger.keep_all(receipts);
        server = Server::start(dir.path(), &env);
        let found = recovery(&server);
        let clean = found["entries"] == 0
            && found["cut"] == false
            && found["damaged"] == false
            && found["held"] == 0;
        assert!(
            clean,
            "round {round}: a clean stop left something to repair: {found}"
        );
        ledger.check(&server);
    }
    println!(
        "{} alerts acknowledged around {ROUNDS} clean stops under load",
        ledger.len()
    );
    ledger.await_verdicts(&server);
}

/// Load until SIGTERM has ended the server: the receipts, and its log.
fn until_terminated(server: Server, round: usize, tenants: &[Tenant]) -> (Vec<Receipt>, String) {
    let (tell, told) = channel();
    thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            let (mut sender, tell) = (Sender::new(&server), tell.clone());
            let tenant = &tenants[connection % tenants.len()];
            let name = format!("r{round}-c{connection}");
            scope.spawn(move || send_while_served(&mut sender, tenant, &name, &tell));
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
                tell.send(Receipt::read(tenant, &detect_id, &reply))
                    .expect("the test listens");
            }
            // Draining: not acknowledged, so nothing was promised.
            Ok(reply) => return assert_eq!(reply.status, 503, "{}", reply.text()),
            Err(_closed) => return,
        }
    }
}

/// What the server said of its journal when it started, in a log of JSON.
pub(crate) fn recovery(server: &Server) -> Value {
    let log = server.stderr();
    let line = log
        .lines()
        .find(|line| line.contains("journal recovered"))
        .unwrap_or_else(|| panic!("nothing about the journal in:\n{log}"));
    let line: Value = serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
    if line["fields"].is_object() {
        line["fields"].clone()
    } else {
        line
    }
}

type Damage = fn(&Path);

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
    let ways: [(&str, Damage); 5] = [
        ("deleted", |file| {
            fs::remove_file(file).expect("it is there");
        }),
        ("emptied", |file| write(file, b"")),
        ("replaced", |file| {
            write(file, &b"no database ".repeat(4096));
        }),
        ("cut in half", cut),
        ("overwritten in the middle", scratch),
    ];
    for (way, damage) in ways {
        assert!(server.terminate().success(), "before it was {way}");
        damage(&file);
        server = Server::start(dir.path(), NO_RATIONS);
        assert_eq!(
            readable(&server, &ledger),
            before,
            "after the projections were {way}"
        );
        let mut sender = Sender::new(&server);
        let repeat = sender.send(&acme, "early-7").expect("an answer");
        assert_eq!(
            repeat.status,
            200,
            "{way}: the repeat is not known: {}",
            repeat.text()
        );
        let repeat = Receipt::read(&acme, "early-7", &repeat);
        assert!(
            ledger.receipts().any(|receipt| *receipt == repeat),
            "{way}: {repeat:?}"
        );
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

/// A host key that is not this host's.
const OTHER_KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0a1b2c3d4e5f60718293a4b5c6d7e8f90";

#[test]
fn without_its_key_the_server_refuses_to_start_and_names_it() {
    let stopped = Stopped::new();
    let key = stopped.path("host.key");
    let good = fs::read(&key).expect("a key");

    fs::remove_file(&key).expect("it is there");
    stopped.refuses(&[], &["host.key", "missing", "vault.redb"]);
    assert!(
        !key.exists(),
        "no new key may take the place of the lost one"
    );
    stopped.refuses(
        &[("VYROX_STORAGE__HOST_KEY", OTHER_KEY)],
        &["acme", "host key"],
    );
    write_key(&key, OTHER_KEY.as_bytes());
    stopped.refuses(&[], &["acme", "host key"]);
    write_key(&key, b"not a key");
    stopped.refuses(&[], &["host.key"]);
    write_key(&key, &good);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("it is ours");
    stopped.refuses(&[], &["host.key", "chmod 600"]);

    write_key(&key, &good);
    stopped.goes_on();
}

#[test]
fn without_its_vault_the_server_refuses_to_start_and_names_it() {
    let stopped = Stopped::new();
    let (key, vault) = (stopped.path("host.key"), stopped.path("vault.redb"));
    let [good_key, good_vault] = [&key, &vault].map(|path| fs::read(path).expect("a file"));

    fs::remove_file(&vault).expect("it is there");
    stopped.refuses(&[], &["vault.redb", "missing", "backup"]);
    assert!(
        !vault.exists(),
        "no empty vault may take the place of the lost one"
    );
    fs::remove_file(&key).expect("it is there");
    stopped.refuses(&[], &["vault.redb", "missing"]);
    assert!(!key.exists(), "nor a new key that of the lost one");
    write_key(&key, &good_key);
    write(&vault, b"this is no vault");
    stopped.refuses(&[], &["vault"]);

    write(&vault, &good_vault);
    stopped.goes_on();
}

/// What a server with one tenant left behind.
struct Stopped {
    dir: TempDir,
    acme: Tenant,
    before: Receipt,
    key: String,
}

impl Stopped {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let server = Server::start(dir.path(), NO_RATIONS);
        let acme = server.add_tenant("acme");
        let before = Sender::new(&server).accepted(&acme, "before");
        assert!(server.terminate().success(), "it ends in good order");
        let key = fs::read_to_string(dir.path().join("host.key")).expect("a key");
        let key = key.trim().to_owned();
        Self {
            dir,
            acme,
            before,
            key,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A start fails, says all these words, and tells no secret.
    fn refuses(&self, env: &[(&str, &str)], words: &[&str]) {
        let Err(not) = Server::try_start(self.dir.path(), env) else {
            panic!("it started, and should have said {words:?}");
        };
        assert!(!not.status.success(), "{not:?}");
        for word in words {
            let said = not.stderr.contains(word);
            assert!(said, "it should say {word:?}:\n{}", not.stderr);
        }
        for secret in [&self.key, OTHER_KEY, &self.acme.secret] {
            let told = not.stderr.contains(secret);
            assert!(!told, "a secret is in the log:\n{}", not.stderr);
        }
    }

    /// All is back in its place: the tenant's secret still counts, and nothing is lost.
    fn goes_on(self) {
        let server = Server::start(self.dir.path(), NO_RATIONS);
        let mut ledger = Ledger::default();
        ledger.keep(self.before);
        ledger.keep(Sender::new(&server).accepted(&self.acme, "after"));
        ledger.await_verdicts(&server);
        ledger.check(&server);
    }
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
