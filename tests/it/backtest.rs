//! Promise: what changed rules would have said of the alerts that are there can be seen before they come
//! in force, exactly, and nothing changes by looking.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::server::{DEADLINE, Http, NO_RATIONS, Server, eventually, request_bytes, write};

const RULE: &str = "\
title: Widgets frobnicated
id: 0b0f3a4e-6d8c-4a56-9a53-1c5a4d1e7f10
name: site.widgets
description: Only this test runs it.
logsource: {product: edr, category: alert}
detection:
  word:
    seen.command|contains: frobnicate-the-widgets
  condition: word
level: critical
tags: [attack.impact, attack.t1490]
vyrox:
  weight_bp: 9500
  leaning: malicious
";

/// What the thirty alerts run, ten of each kind.
const COMMANDS: [&str; 3] = [
    "tool.exe frobnicate-the-widgets",
    "mimikatz.exe sekurlsa::logonpasswords",
    "notepad.exe notes.txt",
];

/// A server on which thirty alerts were judged.
struct Bench {
    server: Server,
    data: TempDir,
    rules: TempDir,
    /// The ids of the alerts, by what they run.
    ids: [BTreeSet<String>; 3],
}

impl Bench {
    fn new() -> Self {
        let (data, rules) = (tempdir().unwrap(), tempdir().unwrap());
        let server = Server::start(data.path(), NO_RATIONS);
        let acme = server.add_tenant("acme");
        server.add_tenant("globex");
        let mut http = server.http();
        let mut ids = [const { BTreeSet::new() }; 3];
        for n in 0..30 {
            let body = acme.body(&format!("d-{n}"), COMMANDS[n % 3]);
            let answer = acme.alert(&mut http, "crowdstrike", &body);
            let id = answer["alert_id"].as_str().unwrap();
            assert!(server.judged("acme", id)["verdict"].is_string());
            ids[n % 3].insert(id.to_owned());
        }
        write(&rules.path().join("site.yml"), RULE.as_bytes());
        Self {
            server,
            data,
            rules,
            ids,
        }
    }

    fn dir(&self) -> &str {
        self.rules.path().to_str().unwrap()
    }

    /// `vyrox backtest --json`: how it ended, the differences, the counts.
    fn backtest(&self, args: &[&str]) -> (Output, Vec<Value>, Value) {
        let mut all = vec!["backtest", "--json"];
        all.extend_from_slice(args);
        let output = self.server.cli(&all);
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        let lines = text.lines();
        let mut lines: Vec<Value> = lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let done = lines.pop().unwrap_or_else(|| panic!("no end: {output:?}"));
        let differences = lines.iter().map(|line| line["differs"].clone()).collect();
        (output, differences, done["done"].clone())
    }
}

fn own_rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/rules")
}

fn ids(differences: &[Value]) -> BTreeSet<String> {
    let id = |one: &Value| one["alert_id"].as_str().unwrap().to_owned();
    differences.iter().map(id).collect()
}

#[test]
fn exactly_the_alerts_that_would_be_judged_otherwise_are_listed() {
    let bench = Bench::new();
    let before = bench.server.export("acme");

    let own = own_rules();
    let unchanged = [
        "--rules",
        own.to_str().unwrap(),
        "--replace",
        "--fail-on-diff",
    ];
    let (output, differences, done) = bench.backtest(&unchanged);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        (differences.len(), &done["differs"]),
        (0, &json!(0)),
        "{done}"
    );
    assert_eq!(
        (&done["alerts"], &done["shifted"]),
        (&json!(30), &json!(0)),
        "{done}"
    );

    // One rule more.
    let (output, differences, done) = bench.backtest(&["--rules", bench.dir()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(ids(&differences), bench.ids[0]);
    let first = &differences[0];
    assert_eq!(first["tenant_id"], "acme");
    assert_eq!(first["host"], "WS-0042");
    assert_eq!(first["after"]["verdict"], "CRITICAL", "{first}");
    assert_eq!(first["rules_gained"], json!(["site.widgets"]));
    assert_eq!(first["rules_lost"], json!([]));
    assert_eq!(first["proposal_before"], json!([]));
    assert_eq!(first["proposal_after"], json!(["HOST_ISOLATION"]));
    assert_eq!(done["by_change"], json!({ "MEDIUM->CRITICAL": 10 }));
    assert_eq!(done["proposals_added"], 10);
    assert_eq!(done["chains_unread"], 0);

    // That rule alone: what the others found is lost.
    let alone = ["--rules", bench.dir(), "--replace", "--tenant", "acme"];
    let (_, differences, done) = bench.backtest(&alone);
    let both: BTreeSet<String> = bench.ids[0].union(&bench.ids[1]).cloned().collect();
    assert_eq!(ids(&differences), both);
    assert_eq!(done["proposals_removed"], 10, "{done}");

    assert_eq!(bench.server.export("acme"), before, "nothing was written");
}

#[test]
fn a_table_for_people_the_tenant_the_span_and_the_limit() {
    let bench = Bench::new();
    let output = bench
        .server
        .cli(&["backtest", "--rules", bench.dir(), "--limit-diffs", "4"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        text.lines()
            .filter(|line| line.contains("+site.widgets"))
            .count(),
        4,
        "{text}"
    );
    assert!(text.contains("6 more differ"), "{text}");
    assert!(text.contains("10  MEDIUM->CRITICAL"), "{text}");
    assert!(output.stderr.is_empty(), "no progress but on a terminal");

    let failing = ["--rules", bench.dir(), "--fail-on-diff"];
    assert_eq!(bench.backtest(&failing).0.status.code(), Some(1));
    for (name, args) in [
        ("another tenant", ["--tenant", "globex"]),
        ("before them", ["--until", "2026-01-01T00:00:00Z"]),
    ] {
        let since = ["--rules", bench.dir(), "--since", "36500d"];
        let (_, differences, done) = bench.backtest(&[&since[..], &args[..]].concat());
        assert_eq!(
            (differences.len(), &done["alerts"]),
            (0, &json!(0)),
            "{name}"
        );
    }
    let unknown = bench
        .server
        .cli(&["backtest", "--rules", bench.dir(), "--tenant", "nobody"]);
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
}

#[test]
fn broken_rules_are_named_by_the_command_and_by_the_server() {
    let bench = Bench::new();
    let texts = [
        ("one.yml", "title: [unfinished"),
        ("two.yml", "title: Nothing else"),
    ];
    for (name, text) in texts {
        write(&bench.rules.path().join(name), text.as_bytes());
    }
    let output = bench.server.cli(&["backtest", "--rules", bench.dir()]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    let rules = texts.map(|(name, text)| json!({ "name": name, "text": text }));
    let asked = json!({ "rules": rules, "since_ms": 0 });
    let reply = bench.server.api("POST", "/api/v1/backtest", Some(&asked));
    assert_eq!(reply.status, 400, "{reply:?}");
    let problem = reply.json();
    assert_eq!(problem["code"], "invalid_rules");
    let errors = problem["errors"].to_string();
    for (name, _) in texts {
        assert!(said.contains(name), "{name} in {said}");
        assert!(errors.contains(name), "{name} in {errors}");
    }

    let broken =
        json!({ "rules": [], "playbooks": [{ "name": "p.toml", "text": "id = " }], "since_ms": 0 });
    let reply = bench.server.api("POST", "/api/v1/backtest", Some(&broken));
    assert!(
        reply.json()["errors"].to_string().contains("p.toml"),
        "{reply:?}"
    );
    for nonsense in [
        json!({ "rules": [] }),
        json!({ "rules": [], "since_ms": 5, "until_ms": 4 }),
        json!({ "rules": [], "since_ms": 0, "rulez": [] }),
    ] {
        let reply = bench
            .server
            .api("POST", "/api/v1/backtest", Some(&nonsense));
        assert_eq!(
            (reply.status, &reply.json()["code"]),
            (400, &json!("invalid_json")),
            "{nonsense}"
        );
    }
}

/// The store of an entry's evidence is beside the chain, and the disk may damage it alone.
#[test]
fn damaged_evidence_is_counted_and_the_rest_is_compared() {
    /// The first piece of the first alert's evidence is somewhere behind the first header.
    const WITHIN: usize = 200;

    let bench = Bench::new();
    // Verification completes the chain's own files.
    assert_eq!(bench.server.verify("acme")["ok"], true);
    let Bench {
        server,
        data,
        rules,
        ids: known,
    } = bench;
    assert_eq!(server.terminate().code(), Some(0));
    let store = evidence(data.path());
    let mut bytes = fs::read(&store).unwrap();
    bytes[WITHIN] ^= 1;
    write(&store, &bytes);

    let bench = Bench {
        server: Server::start(data.path(), NO_RATIONS),
        data,
        rules,
        ids: known,
    };
    let (output, differences, done) = bench.backtest(&["--rules", bench.dir()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        (&done["alerts"], &done["unreadable"]),
        (&json!(30), &json!(1)),
        "{done}"
    );
    assert_eq!(
        differences.len(),
        9,
        "the first alert of all has the word, and is not readable"
    );
    assert!(ids(&differences).is_subset(&bench.ids[0]));
}

fn evidence(data: &Path) -> PathBuf {
    let mut left = vec![data.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else if path.ends_with("acme.ev") {
                return path;
            }
        }
    }
    panic!("acme has no evidence in {}", data.display());
}

#[test]
fn there_is_one_at_a_time_and_whoever_goes_away_makes_room() {
    let data = tempdir().unwrap();
    let server = Server::start(data.path(), NO_RATIONS);
    let bearer = format!("Bearer {}", server.token());
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("content-length", "100"),
    ];
    let asked = json!({ "rules": [], "builtin": false, "since_ms": 0 });
    let ask = || server.api("POST", "/api/v1/backtest", Some(&asked));
    // One whose body never comes. It may find the place taken by the question after it; then another
    // one is sent.
    let mut first: Http = server.http();
    let head = request_bytes("POST", "/api/v1/backtest", &headers, b"");
    let refused = eventually(DEADLINE, || {
        first.go_away();
        first.send_raw(&head).unwrap();
        Some(ask()).filter(|reply| reply.status == 409)
    });
    assert_eq!(refused.json()["code"], "backtest_running");
    first.go_away();
    let reply = eventually(DEADLINE, || Some(ask()).filter(|reply| reply.status == 200));
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    let end: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(
        end["done"]["alerts"], 0,
        "there is nobody whose alerts they could be"
    );
}

#[test]
fn only_a_token_with_the_right_to_it_may_ask() {
    let data = tempdir().unwrap();
    let server = Server::start(data.path(), NO_RATIONS);
    let asked = json!({ "rules": [], "since_ms": 0 }).to_string();
    let reply = server
        .http()
        .post("/api/v1/backtest", &[], asked.as_bytes());
    assert_eq!(reply.status, 401, "{reply:?}");
    let long = format!(
        "{{\"rules\":[],\"since_ms\":0{}}}",
        " ".repeat(4 * 1024 * 1024)
    );
    let bearer = format!("Bearer {}", server.token());
    let headers = [("authorization", bearer.as_str())];
    let reply = server
        .http()
        .post("/api/v1/backtest", &headers, long.as_bytes());
    assert_eq!(reply.status, 413, "{reply:?}");
}
