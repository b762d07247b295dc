//! A chain whose end is lost, in its own file and in the log: its tenant is held and says so everywhere,
//! its alerts are kept on another chain, nobody else feels it, and an operator lets it go on.

mod bad_bytes;
mod proven;
mod quarantined;
mod unseen;
mod untold;

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    load::{Ledger, Receipt, Sender},
    server::{DEADLINE, NO_RATIONS, Server, Tenant, eventually, write},
};

/// Cuts a chain's own file before line `from`, and damages what the log still has of it from there on.
fn lose(dir: &Path, chain: &str, from: usize) {
    let file = dir.join(format!("journal/tenants/{chain}.jsonl"));
    let text = fs::read_to_string(&file).expect("the chain");
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    write(&file, lines[..from].concat().as_bytes());
    for entry in fs::read_dir(dir.join("journal")).expect("the journal") {
        let path = entry.expect("a file").path();
        let name = path.file_name().and_then(|name| name.to_str());
        if !name.is_some_and(|name| name.starts_with("seg-")) {
            continue;
        }
        let mut bytes = fs::read(&path).expect("a segment");
        let written = bytes[..bytes.len() - 4096]
            .iter()
            .rposition(|byte| *byte != 0);
        let written = written.expect("a batch") + 1;
        for line in &lines[from..] {
            let line = line.trim_end().as_bytes();
            let windows = bytes[..written].windows(line.len());
            let found = windows.enumerate().filter(|(_, window)| *window == line);
            let places: Vec<_> = found.map(|(place, _)| place).collect();
            for place in places {
                bytes[place + 20] ^= 1;
            }
        }
        write(&path, &bytes);
    }
}

/// A server on `dir` that has a tenant with some alerts, all of them judged, and stopped in order; with
/// the lines of the tenant's chain.
fn stopped(dir: &Path, alerts: usize) -> (Tenant, Vec<String>) {
    let server = Server::start(dir, NO_RATIONS);
    let acme = server.add_tenant("acme");
    let (mut sender, mut ledger) = (Sender::new(&server), Ledger::default());
    for n in 0..alerts {
        ledger.keep(sender.accepted(&acme, &format!("acme-{n}")));
    }
    ledger.await_verdicts(&server);
    assert!(server.terminate().success(), "a clean stop");
    let file = dir.join("journal/tenants/acme.jsonl");
    let lines = fs::read_to_string(file).expect("acme's chain");
    (acme, lines.lines().map(String::from).collect())
}

/// Posts an alert that must be kept on the chain that stands in.
fn kept(sender: &mut Sender, tenant: &Tenant, detect_id: &str) -> (Receipt, String) {
    let reply = sender.send(tenant, detect_id).expect("an answer");
    assert_eq!(reply.status, 202, "{}", reply.text());
    let body = reply.json();
    assert_eq!(body["status"], "held", "{body}");
    let chain = body["receipt"]["chain"].as_str().expect("a chain");
    (Receipt::read(tenant, detect_id, &reply), chain.to_owned())
}

/// The tenant's chain is whole again: it begins with these lines, says that it was repaired, and has every
/// alert that was kept, once, by its own id.
fn check_repaired(server: &Server, before: &[String], kept: &[(Receipt, String)]) -> Value {
    let last = &kept.last().expect("one").0.alert_id;
    server.await_health("acme", |health| health["state"] == "serving");
    server.judged("acme", last);
    let verified = server.verify("acme");
    assert_eq!(verified["ok"], true, "{verified}");
    assert_eq!(server.export("acme")[..before.len()], *before);
    let entries = server.entries("acme");
    let repaired = &entries[before.len()];
    assert_eq!(repaired["event"], "journal.repaired", "{repaired}");
    assert_eq!(taken_over(&entries), promised(kept));
    for (receipt, chain) in [&kept[0], &kept[kept.len() - 1]] {
        let alert = server.judged("acme", &receipt.alert_id);
        assert_eq!(
            alert["vendor_alert_id"],
            receipt.detect_id.as_str(),
            "{chain}"
        );
    }
    repaired.clone()
}

/// What a chain's entries took over from chains that stood in.
fn taken_over(entries: &[Value]) -> Vec<Value> {
    let taken = entries
        .iter()
        .filter(|entry| !entry["payload"]["held_receipt"].is_null());
    let taken = taken.map(|entry| {
        let at = &entry["payload"]["held_receipt"];
        json!([entry["alert_id"], at["chain"], at["seq"], at["hash"]])
    });
    taken.collect()
}

/// What those who sent them hold in their hands.
fn promised(kept: &[(Receipt, String)]) -> Vec<Value> {
    let promised = kept.iter();
    let promised = promised
        .map(|(receipt, chain)| json!([receipt.alert_id, chain, receipt.seq, receipt.hash]));
    promised.collect()
}

/// Three alerts that are kept; repeats of one of them and of one from before the damage are known.
fn keep_some(sender: &mut Sender, acme: &Tenant) -> Vec<(Receipt, String)> {
    let waiting: Vec<_> = (0..3)
        .map(|n| kept(sender, acme, &format!("late-{n}")))
        .collect();
    let again = sender.send(acme, "late-1").expect("an answer");
    assert_eq!(again.status, 200, "{}", again.text());
    assert_eq!(again.json()["receipt"]["hash"], waiting[1].0.hash.as_str());
    assert_eq!(again.json()["receipt"]["chain"], waiting[1].1.as_str());
    let old = sender.send(acme, "acme-0").expect("an answer");
    assert_eq!(old.status, 200, "{}", old.text());
    assert!(old.json()["receipt"]["chain"].is_null(), "{}", old.text());
    waiting
}

/// The chain that stands in is an ordinary one that cites the held one, and can be read.
fn check_stand_in(server: &Server, from: usize, first: &(Receipt, String)) {
    let stand_in = first.1.as_str();
    let health = server.get("/health/tenants/acme");
    assert_eq!(health["stands_in"], stand_in, "{health}");
    // A plus in a query is a space.
    let named = stand_in.replace('+', "%2B");
    let chains = server.get("/audit/chains");
    let listed = chains["chains"].as_array().expect("a list");
    assert!(listed.contains(&json!(stand_in)), "{chains}");
    let opened = &server.entries(&named)[0]["payload"]["stands_for"];
    assert_eq!(opened["chain"], "acme");
    assert_eq!(opened["seq"], json!(from - 1));
    assert_eq!(server.verify(&named)["ok"], true);
    let path = format!("/api/v1/alerts/{}?tenant_id=acme", first.0.alert_id);
    let shown = eventually(DEADLINE, || {
        let shown = server.api("GET", &path, None);
        (shown.status == 200).then(|| shown.json())
    });
    assert_eq!(shown["status"], "received", "{shown}");
    let refused = format!("/api/v1/alerts/{}/approve", first.0.alert_id);
    assert_ne!(server.api("POST", &refused, Some(&json!({}))).status, 200);
}

/// The chain and the host's chain say what was repaired, and by whose order.
fn check_facts(server: &Server, (from, lines): (usize, &[String]), waiting: &[(Receipt, String)]) {
    let repaired = check_repaired(server, lines, waiting);
    let facts = &repaired["payload"];
    assert_eq!(facts["from_seq"], json!(from), "{repaired}");
    assert_eq!(facts["restored"], json!(lines.len() - from), "{repaired}");
    assert_eq!(facts["loss_accepted"], false, "{repaired}");
    assert_eq!(
        facts["held"][0]["chain"],
        waiting[0].1.as_str(),
        "{repaired}"
    );
    assert_eq!(facts["by"], repaired["actor"]);
    let host = server.entries("_host");
    let order = host
        .iter()
        .rfind(|entry| entry["event"] == "journal.repair_ordered");
    let order = order.expect("an order on the host's chain");
    assert_eq!(order["payload"]["repair_id"], facts["repair_id"]);
}

/// With a wrong copy `--accept-loss` gave up what the right one would have brought back: the chain went on
/// behind what had been found good of it. Now nothing is even ordered.
fn check_wrong_copies_refused(server: &Server, dir: &Path, lines: &[String]) {
    let path = "/api/v1/tenants/acme/repair";
    let (known, entries) = (
        server.api("GET", path, None).json(),
        server.entries("_host").len(),
    );
    let (file, last) = (dir.join("wrong.jsonl"), lines.len() - 1);
    let mut cut = lines.to_vec();
    cut[last].truncate(40);
    for wrong in [server.export("globex"), cut, lines[last..].to_vec()] {
        write(&file, format!("{}\n", wrong.join("\n")).as_bytes());
        let from = file.to_str().expect("a path");
        let order = ["audit", "repair", "acme", "--from", from, "--accept-loss"];
        let refused = server.cli(&order);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(told.contains("nothing was ordered"), "{told}");
        assert_eq!(server.api("GET", path, None).json(), known);
        assert_eq!(server.entries("_host").len(), entries);
    }
}

/// One line was restored by a copy that ended too early. Whose order that was, was nowhere to be read;
/// and the next copy was not held against it: the command left out what the chain had by then.
fn check_lines_refused(server: &Server, dir: &Path, (from, lines): (usize, &[String])) {
    let host = server.entries("_host");
    let order = host.last().expect("an entry");
    assert_eq!(order["event"], "journal.repair_ordered", "{order}");
    assert_eq!(order["payload"]["lines"], json!(2), "{order}");
    assert_eq!(order["payload"]["restored_to"]["seq"], json!(from - 1));
    assert_eq!(order["payload"]["by"], order["actor"]);

    let known = server.api("GET", "/api/v1/tenants/acme/repair", None);
    assert_eq!(known.json()["proven"]["seq"], json!(from));
    let mut changed = lines.to_vec();
    changed[from] = changed[from].replacen("\"timestamp\":1", "\"timestamp\":2", 1);
    assert_ne!(changed[from], lines[from]);
    let other = dir.join("other.jsonl");
    write(&other, format!("{}\n", changed.join("\n")).as_bytes());
    let other = other.to_str().expect("a path");
    let refused = server.cli(&["audit", "repair", "acme", "--from", other]);
    assert!(!refused.status.success(), "{refused:?}");

    // A line that is no event is refused before anything is ordered, however well it is linked.
    let entries = server.entries("_host").len();
    let unknown = lines[from + 1].replacen("\"event\":\"", "\"event\":\"x.", 1);
    let order = json!({ "tail": [unknown], "more": true });
    let refused = server.api("POST", "/api/v1/tenants/acme/repair", Some(&order));
    assert_eq!(refused.json()["code"], "tail_refused", "{}", refused.text());
    assert!(refused.text().contains("x."), "{}", refused.text());
    assert_eq!(server.entries("_host").len(), entries);
    assert_eq!(server.get("/health/tenants/acme")["state"], "held");
}

/// What the chain's entries say they brought is overwritten in its store.
fn await_no_evidence(server: &Server, dir: &Path, chain: &str) {
    let entries = server.entries(&chain.replace('+', "%2B"));
    let pieces = entries
        .iter()
        .filter_map(|entry| entry["payload"]["evidence"].as_array());
    let lengths = pieces.flatten().filter(|piece| piece["at_seq"].is_null());
    let bytes: u64 = lengths.filter_map(|piece| piece["length"].as_u64()).sum();
    assert!(bytes > 0, "{entries:?}");
    await_zeros(dir, chain, usize::try_from(bytes).expect("a size"));
}

fn await_zeros(dir: &Path, chain: &str, bytes: usize) {
    let store = dir.join(format!("journal/evidence/{chain}.ev"));
    eventually(DEADLINE, || {
        let stored = fs::read(&store).expect("the store");
        let runs = stored.split(|byte| *byte != 0);
        let zeros: usize = runs.map(<[u8]>::len).sum();
        (zeros >= bytes).then_some(())
    });
}

/// The evidence of a chain that stood in had the tenant's own key, and stayed when the tenant went.
#[test]
fn a_held_tenant_that_is_removed_leaves_no_evidence_where_its_alerts_were_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let (acme, lines) = stopped(dir.path(), 2);
    lose(dir.path(), "acme", lines.len() - 1);
    let server = Server::start(dir.path(), NO_RATIONS);
    let (receipt, chain) = kept(&mut Sender::new(&server), &acme, "late");
    let entries = server.entries(&chain.replace('+', "%2B"));
    let entry = entries
        .iter()
        .find(|entry| entry["hash"] == receipt.hash.as_str());
    let pieces = &entry.expect("the alert's entry")["payload"]["evidence"];
    let lengths = pieces.as_array().expect("evidence").iter();
    let bytes: u64 = lengths.filter_map(|piece| piece["length"].as_u64()).sum();
    let path = "/api/v1/tenants/acme?reason=it+left&erase=true&force=true";
    let removed = server.api("DELETE", path, None);
    assert!(bytes > 0 && removed.status != 404, "{}", removed.text());
    await_zeros(dir.path(), &chain, usize::try_from(bytes).expect("a size"));
}

#[test]
fn a_held_tenant_s_alerts_are_kept_and_a_mirror_makes_its_chain_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let (acme, lines) = stopped(dir.path(), 4);
    let from = lines.len() / 2;
    lose(dir.path(), "acme", from);
    let mirror = dir.path().join("mirror.jsonl");
    write(&mirror, format!("{}\n", lines.join("\n")).as_bytes());
    let mirror = mirror.to_str().expect("a path");
    let short = dir.path().join("short.jsonl");
    write(
        &short,
        format!("{}\n", lines[..=from].join("\n")).as_bytes(),
    );

    let server = Server::start(dir.path(), NO_RATIONS);
    let globex = server.add_tenant("globex");
    let mut sender = Sender::new(&server);
    let health = server.get("/health/tenants/acme");
    assert_eq!(health["state"], "held", "{health}");
    assert_eq!(health["held_from_seq"], json!(from), "{health}");
    let verified = server.verify("acme");
    assert_eq!(verified["ok"], false, "{verified}");
    assert_eq!(verified["divergent_seq"], json!(from), "{verified}");
    sender.accepted(&globex, "globex-0");

    let waiting = keep_some(&mut sender, &acme);
    check_stand_in(&server, from, &waiting[0]);
    proven::check(&server, &waiting[0].1);
    proven::check_not_forgotten(&server);
    let told = server.cli(&["audit", "repair", "acme"]);
    assert!(told.status.success(), "{told:?}");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("3 entries wait"), "{told}");
    check_wrong_copies_refused(&server, dir.path(), &lines);
    let short = short.to_str().expect("a path");
    let refused = server.cli(&["audit", "repair", "acme", "--from", short]);
    assert!(!refused.status.success(), "{refused:?}");
    assert_eq!(server.get("/health/tenants/acme")["state"], "held");
    check_lines_refused(&server, dir.path(), (from, &lines));
    let repaired = server.cli(&["audit", "repair", "acme", "--from", mirror]);
    assert!(repaired.status.success(), "{repaired:?}");

    check_facts(&server, (from, &lines), &waiting);
    await_no_evidence(&server, dir.path(), &waiting[0].1);
    let fresh = sender.send(&acme, "fresh").expect("an answer");
    assert_eq!(fresh.json()["status"], "queued", "{}", fresh.text());
    let nothing = server.cli(&["audit", "repair", "acme", "--accept-loss"]);
    assert!(!nothing.status.success(), "{nothing:?}");

    assert!(server.terminate().success(), "a clean stop");
    let server = Server::start(dir.path(), NO_RATIONS);
    check_repaired(&server, &lines, &waiting);
}

#[test]
fn an_accepted_loss_and_a_kill_while_alerts_are_taken_over() {
    const KEPT: usize = 300;
    let dir = tempfile::tempdir().expect("a directory");
    let (acme, lines) = stopped(dir.path(), 3);
    let from = lines.len() - 2;
    lose(dir.path(), "acme", from);
    let server = Server::start(dir.path(), NO_RATIONS);
    let mut sender = Sender::new(&server);
    let waiting: Vec<_> = (0..KEPT)
        .map(|n| kept(&mut sender, &acme, &format!("late-{n}")))
        .collect();
    let refused = server.api("POST", "/api/v1/tenants/acme/repair", Some(&json!({})));
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert_eq!(refused.json()["code"], "loss_not_accepted");
    let order = json!({ "accept_loss": true });
    let repaired = server.api("POST", "/api/v1/tenants/acme/repair", Some(&order));
    assert_eq!(repaired.status, 200, "{}", repaired.text());
    server.kill9();

    let server = Server::start(dir.path(), NO_RATIONS);
    let repaired = check_repaired(&server, &lines[..from], &waiting);
    assert_eq!(repaired["payload"]["loss_accepted"], true, "{repaired}");
    assert_eq!(repaired["payload"]["restored"], 0, "{repaired}");
    assert_eq!(repaired["payload"]["held"][0]["waiting"], json!(KEPT));
}

#[test]
fn a_held_host_serves_alerts_and_changes_nothing_until_it_is_repaired() {
    let dir = tempfile::tempdir().expect("a directory");
    let (acme, _) = stopped(dir.path(), 1);
    let file = dir.path().join("journal/tenants/_host.jsonl");
    let host = fs::read_to_string(file).expect("the host's chain");
    let entries = host.lines().count();
    // Whoever added the tenant is proven; something behind it is lost.
    let server = Server::start(dir.path(), NO_RATIONS);
    server.add_tenant("globex");
    assert!(server.terminate().success(), "a clean stop");
    lose(dir.path(), "_host", entries);

    let server = Server::start(dir.path(), NO_RATIONS);
    Sender::new(&server).accepted(&acme, "acme-late");
    let refused = server.api("POST", "/onboard", Some(&json!({ "tenant_id": "initech" })));
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(refused.json()["code"], "chain_held");
    let repaired = server.cli(&["audit", "repair", "_host", "--accept-loss"]);
    assert!(repaired.status.success(), "{repaired:?}");
    server.add_tenant("initech");
    let noted = &server.entries("_host")[entries];
    assert_eq!(noted["event"], "journal.repaired", "{noted}");
    assert_eq!(server.verify("_host")["ok"], true);
}
