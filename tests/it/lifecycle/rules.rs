//! SIGHUP: new rules from the next alert on, broken ones never.

use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::tempdir;

use crate::server::{DEADLINE, NO_RATIONS, Server, Tenant, eventually, write};

const WORD: &str = "frobnicate-the-widgets";

fn rule(title: &str) -> String {
    format!(
        "title: {title}\n\
         id: 0b0f3a4e-6d8c-4a56-9a53-1c5a4d1e7f10\n\
         name: site.widgets\n\
         description: Only this test runs it.\n\
         logsource: {{product: edr, category: alert}}\n\
         detection:\n  word:\n    seen.command|contains: {WORD}\n  condition: word\n\
         level: critical\n\
         tags: [attack.impact, attack.t1490]\n\
         vyrox:\n  weight_bp: 9000\n  leaning: malicious\n"
    )
}

/// The titles of the reasons of a new alert that runs [`WORD`].
fn reasons(server: &Server, acme: &Tenant, id: &str) -> Vec<String> {
    let body = acme.body(id, &format!("tool.exe {WORD}"));
    let answer = acme.alert(&mut server.http(), "crowdstrike", &body);
    let alert = server.judged("acme", answer["alert_id"].as_str().unwrap());
    let reasons = alert["reasons"]
        .as_array()
        .unwrap_or_else(|| panic!("{alert}"));
    let title = |reason: &Value| reason["title"].as_str().unwrap().to_owned();
    reasons.iter().map(title).collect()
}

/// Sends SIGHUP and waits until the log says `said` once more.
fn reload(server: &Server, said: &str) {
    let count = |log: String| log.matches(said).count();
    let before = count(server.stderr());
    server.signal(Signal::SIGHUP);
    eventually(DEADLINE, || (count(server.stderr()) > before).then_some(()));
}

fn changes(server: &Server) -> usize {
    let entries = server.entries("_host");
    entries
        .iter()
        .filter(|entry| entry["event"] == "rules.changed")
        .count()
}

fn started(data: &Path, rules: &Path) -> (Server, Tenant) {
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_TRIAGE__RULES_DIR", rules.to_str().unwrap()));
    let server = Server::start(data, &env);
    let acme = server.add_tenant("acme");
    (server, acme)
}

/// Rules that must not come in force, and why.
fn broken() -> [(String, &'static str); 4] {
    let edited = |from: &str, to: &str| rule("Other").replace(from, to);
    [
        ("title: [unfinished".to_owned(), "no YAML"),
        (
            edited("seen.command", "seen.comand"),
            "a field that no alert has",
        ),
        (
            edited("condition: word", "condition: words"),
            "an unknown word",
        ),
        (
            edited("weight_bp: 9000", "weight_bp: 90000"),
            "a weight above all",
        ),
    ]
}

#[test]
fn sighup_puts_new_rules_in_force_and_a_broken_one_changes_nothing() {
    let (data, rules) = (tempdir().unwrap(), tempdir().unwrap());
    let (server, acme) = started(data.path(), rules.path());
    let has = |id: &str, title: &str| reasons(&server, &acme, id).iter().any(|own| own == title);
    assert!(
        !has("d-1", "Widgets frobnicated"),
        "there is no such rule yet"
    );
    assert_eq!(changes(&server), 1, "the rules of the start");

    let file = rules.path().join("site.yml");
    write(&file, rule("Widgets frobnicated").as_bytes());
    reload(&server, "rules reloaded");
    assert!(has("d-2", "Widgets frobnicated"));
    eventually(DEADLINE, || (changes(&server) == 2).then_some(()));

    for (nth, (text, why)) in broken().iter().enumerate() {
        write(&file, text.as_bytes());
        reload(&server, "rules not reloaded");
        let has = has(&format!("d-broken-{nth}"), "Widgets frobnicated");
        assert!(has, "{why}: the last good set is not in force");
        let log = server.stderr();
        assert!(
            log.contains("site.yml"),
            "{why}: the log names no file:\n{log}"
        );
    }
    assert_eq!(
        changes(&server),
        2,
        "nothing changed, nothing is written down"
    );

    write(&file, rule("Widgets frobnicated again").as_bytes());
    reload(&server, "rules reloaded");
    assert!(
        has("d-3", "Widgets frobnicated again"),
        "mended, they are read"
    );
    let entries = server.entries("acme");
    let digests: Vec<_> = entries
        .iter()
        .filter(|entry| entry["event"] == "alert.triaged")
        .map(|entry| entry["payload"]["rules_sha256"].as_str().unwrap())
        .collect();
    let mut distinct = digests.clone();
    distinct.dedup();
    assert_eq!(
        distinct.len(),
        3,
        "a verdict names the rules that it rests on: {digests:?}"
    );
}

#[test]
fn a_start_with_broken_rules_is_refused_with_every_error() {
    let (data, rules) = (tempdir().unwrap(), tempdir().unwrap());
    for name in ["one.yml", "two.yml"] {
        write(&rules.path().join(name), b"title: [unfinished");
    }
    let env = [("VYROX_TRIAGE__RULES_DIR", rules.path().to_str().unwrap())];
    let Err(refused) = Server::try_start(data.path(), &env) else {
        panic!("it started")
    };
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    for name in ["one.yml", "two.yml"] {
        assert!(
            refused.stderr.contains(name),
            "{name} is not named: {}",
            refused.stderr
        );
    }
}
