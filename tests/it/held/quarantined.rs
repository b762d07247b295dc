//! A chain that comes to be held while the server runs, because its own files cannot be written any more: from the
//! first alert that only the log has to the tenant that is served again.

use std::path::PathBuf;

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::*;
use crate::{audit_log::integrity, rebuilding::offline, server::falcon_short};

/// More alerts of somebody else's than make the log look for room.
const ALERTS: usize = 2_000;
/// As many of them have several segments written anew.
const SOME: usize = 16;
/// So many alerts are kept elsewhere before anybody looks.
const KEPT: usize = 3;

/// Which file of the chain breaks, and what is left of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Breaks {
    /// The store of its evidence, which is mended.
    Store,
    /// Its lines, of which there is a copy.
    Lines,
    /// Its lines, and there is none.
    LinesForGood,
}

/// A server, its tenants, and what was promised to them.
struct House {
    dir: TempDir,
    server: Server,
    acme: Tenant,
    globex: Tenant,
    /// By acme's own chain.
    own: Ledger,
    /// By chains that stood in for it.
    waiting: Vec<(Receipt, String)>,
    /// By globex's.
    others: Ledger,
    noise: String,
}

/// Small segments, so that a few megabytes press the log.
fn start(dir: &Path) -> Server {
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_STORAGE__SEGMENT_BYTES", "1048576"));
    env.push(("VYROX_STORAGE__CHECKPOINT_MS", "20"));
    env.push(("VYROX_AUDIT__CHECKPOINT_MS", "100"));
    Server::start(dir, &env)
}

/// A quarter of a mebibyte, nearly, in which nothing repeats.
fn noise() -> String {
    let blocks = (0..3_700_u32).map(|n| hex::encode(Sha256::digest(n.to_be_bytes())));
    blocks.collect()
}

impl House {
    /// Three alerts of acme's are judged, and far behind in the log.
    fn open() -> Self {
        let dir = TempDir::new().expect("a directory");
        let server = start(dir.path());
        let (acme, globex) = (server.add_tenant("acme"), server.add_tenant("globex"));
        let mut house = Self {
            dir,
            server,
            acme,
            globex,
            own: Ledger::default(),
            waiting: Vec::new(),
            others: Ledger::default(),
            noise: noise(),
        };
        let mut sender = Sender::new(&house.server);
        for n in 0..3 {
            house
                .own
                .keep(sender.accepted(&house.acme, &format!("early-{n}")));
        }
        house.own.await_verdicts(&house.server);
        for n in 0..SOME {
            house.press(&format!("before-{n}"));
        }
        for chain in ["acme", "globex"] {
            assert_eq!(house.server.verify(chain)["ok"], true);
        }
        house
    }

    /// Globex sends a long alert, and is served.
    fn press(&mut self, detect_id: &str) {
        let mut body = falcon_short("globex", detect_id, "whoami /all");
        body["padding"] = json!(self.noise);
        let mut http = self.server.http();
        let body = body.to_string();
        let reply = self.globex.post(&mut http, "crowdstrike", body.as_bytes());
        assert_eq!(reply.status, 202, "{detect_id}: {}", reply.text());
        self.others
            .keep(Receipt::read(&self.globex, detect_id, &reply));
    }

    fn file(&self, breaks: Breaks) -> PathBuf {
        let journal = self.dir.path().join("journal");
        match breaks {
            Breaks::Store => journal.join("evidence/acme.ev"),
            Breaks::Lines | Breaks::LinesForGood => journal.join("tenants/acme.jsonl"),
        }
    }

    /// A folder stands in the place of the file: whoever is root can write to whatever is a file.
    fn break_file(&self, breaks: Breaks) {
        let file = self.file(breaks);
        fs::rename(&file, file.with_extension("kept")).expect("the file goes");
        fs::create_dir(&file).expect("a folder");
    }

    fn mend_file(&self, breaks: Breaks) {
        let file = self.file(breaks);
        fs::remove_dir(&file).expect("the folder goes");
        if breaks == Breaks::Store {
            fs::rename(file.with_extension("kept"), &file).expect("the file is back");
        }
    }

    /// Both go on, until some of acme's alerts are kept elsewhere. In the moment in which the chain is held
    /// and its tenant is not yet, nothing is promised.
    fn go_on_until_held(&mut self) {
        let mut sender = Sender::new(&self.server);
        for n in 0..ALERTS {
            let detect_id = format!("late-{n}");
            let reply = sender.send(&self.acme, &detect_id).expect("an answer");
            assert!(matches!(reply.status, 202 | 503), "{}", reply.text());
            if reply.status == 202 {
                let receipt = Receipt::read(&self.acme, &detect_id, &reply);
                let body = reply.json();
                match body["receipt"]["chain"].as_str() {
                    None => self.own.keep(receipt),
                    Some(chain) => self.waiting.push((receipt, chain.to_owned())),
                }
            }
            if self.waiting.len() == KEPT {
                return;
            }
            self.press(&format!("globex-{n}"));
        }
        panic!("never held: {}", self.server.get("/health/tenants/acme"));
    }

    /// What an operator sees before anything is done about it.
    fn look(&self) {
        let server = &self.server;
        let health = server.await_health("acme", |health| health["state"] == "held");
        assert_eq!(health["stands_in"], self.waiting[0].1.as_str(), "{health}");
        assert!(self.waiting[0].1.starts_with("acme+held-"), "{health}");
        assert_eq!(server.metric("vyrox_journal_chains_quarantined"), 1);
        let noted = eventually(DEADLINE, || {
            let mut entries = server.entries("_host").into_iter();
            entries.find(|entry| entry["event"] == "journal.quarantined")
        });
        assert_eq!(noted["payload"]["from_seq"], health["held_from_seq"]);
        let told = server.cli(&["audit", "repair", "acme"]);
        assert!(told.status.success(), "{told:?}");
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(told.contains(&format!("{KEPT} entries wait")), "{told}");
        let globex = server.get("/health/tenants/globex");
        assert_eq!(globex["state"], "serving", "{globex}");
    }

    /// Acme is served again, and every promise is kept.
    fn check(&mut self) -> Value {
        let server = &self.server;
        server.await_health("acme", |health| health["state"] == "serving");
        for (receipt, chain) in &self.waiting {
            let alert = server.judged("acme", &receipt.alert_id);
            assert!(alert["verdict"].is_string(), "{chain}: {alert}");
        }
        self.own.check(server);
        self.others.check(server);
        self.own.await_verdicts(server);
        for receipt in self.own.receipts() {
            let alert = server.judged("acme", &receipt.alert_id);
            assert_eq!(alert["vendor_alert_id"], receipt.detect_id.as_str());
        }
        for chain in ["acme", "globex", "_host"] {
            let verified = server.verify(chain);
            assert_eq!(verified["ok"], true, "{chain}: {verified}");
        }
        let entries = server.entries("acme");
        assert_eq!(taken_over(&entries), promised(&self.waiting));
        let mut repaired = entries.into_iter();
        let repaired = repaired.find(|entry| entry["event"] == "journal.repaired");
        repaired.expect("the chain says so")["payload"].take()
    }

    /// What was derived is what a look at the chains gives, and another start finds all as it was.
    fn start_again(mut self) {
        assert!(self.server.terminate().success(), "a clean stop");
        let dry = offline(self.dir.path(), &["rebuild", "--dry-run", "--json"]);
        assert!(dry.status.success(), "{dry:?}");
        self.server = start(self.dir.path());
        self.check();
        let fresh = Sender::new(&self.server).accepted(&self.acme, "fresh");
        self.own.keep(fresh);
        self.check();
        let whole = || (integrity(&self.server)["status"] == "whole").then_some(());
        eventually(DEADLINE, whole);
    }
}

/// Nothing of a chain is lost whose evidence could not be written for a while: all that its files lack is in the log,
/// or was set aside.
#[test]
fn a_chain_that_cannot_be_written_is_held_mended_and_goes_on() {
    let mut house = House::open();
    house.break_file(Breaks::Store);
    house.go_on_until_held();
    house.look();
    house.mend_file(Breaks::Store);
    let path = "/api/v1/tenants/acme/repair";
    let repaired = house.server.api("POST", path, Some(&json!({})));
    assert_eq!(repaired.status, 200, "{}", repaired.text());
    let facts = house.check();
    assert_eq!(facts["loss_accepted"], false, "{facts}");
    for receipt in house.own.receipts() {
        let path = format!(
            "/api/v1/alerts/{}?tenant_id=acme&evidence=true",
            receipt.alert_id
        );
        let shown = house.server.api("GET", &path, None).json();
        assert_eq!(shown["evidence"], "kept", "{shown}");
    }
    house.start_again();
}

/// The file itself is gone: a copy has what the log has not any more.
#[test]
fn a_chain_whose_lines_are_gone_is_restored_from_a_copy_and_the_log() {
    let mut house = House::open();
    let copy = house.dir.path().with_extension("jsonl");
    let lines = house.server.export("acme");
    write(&copy, format!("{}\n", lines.join("\n")).as_bytes());
    house.break_file(Breaks::Lines);
    house.go_on_until_held();
    house.look();
    house.mend_file(Breaks::Lines);
    refused_without_loss(&house.server);
    let from = copy.to_str().expect("a path");
    let repaired = house
        .server
        .cli(&["audit", "repair", "acme", "--from", from]);
    assert!(repaired.status.success(), "{repaired:?}");
    fs::remove_file(&copy).expect("it was ours");
    let facts = house.check();
    assert_eq!(facts["loss_accepted"], false, "{facts}");
    house.start_again();
}

/// There is no copy: what its own chain had promised is lost, as somebody has accepted, and nothing else. That the chain
/// was signed when it was longer was known an hour later, and by then it could be the longer one again: all that was
/// signed of it from there on was good for nothing, and nobody was told.
#[test]
fn a_chain_whose_lines_are_gone_for_good_begins_anew() {
    let mut house = House::open();
    house.break_file(Breaks::LinesForGood);
    house.go_on_until_held();
    house.look();
    house.mend_file(Breaks::LinesForGood);
    refused_without_loss(&house.server);
    let accepted = ["audit", "repair", "acme", "--accept-loss"];
    let accepted = house.server.cli(&accepted);
    assert!(accepted.status.success(), "{accepted:?}");
    let found = integrity(&house.server);
    assert_eq!(found["status"], "failed", "{found}");
    assert_eq!(found["chains"][0]["chain"], "acme", "{found}");
    assert_eq!(found["chains"][0]["kind"], "audit_truncated", "{found}");

    let lost = std::mem::take(&mut house.own);
    let facts = house.check();
    assert_eq!(facts["loss_accepted"], true, "{facts}");
    for receipt in lost.receipts() {
        let path = format!("/api/v1/alerts/{}?tenant_id=acme", receipt.alert_id);
        assert_eq!(house.server.api("GET", &path, None).status, 404, "{path}");
    }
    // Who sends one of them again has it taken in.
    let again = Sender::new(&house.server).accepted(&house.acme, "early-0");
    house.own.keep(again);
    house.check();
    let rebased = ["audit", "rebase", "--reason", "acme's disk was lost"];
    let rebased = house.server.cli(&rebased);
    assert!(rebased.status.success(), "{rebased:?}");
    house.start_again();
}

fn refused_without_loss(server: &Server) {
    let refused = server.api("POST", "/api/v1/tenants/acme/repair", Some(&json!({})));
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert_eq!(refused.json()["code"], "loss_not_accepted");
}
