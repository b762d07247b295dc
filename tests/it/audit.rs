//! Promise: whoever may ask gets a tenant's chain, and anybody can check a copy of it alone.

mod copies;
mod exports;
mod forgeries;
mod mirrors;
mod signed;

pub(crate) use self::copies::files;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::server::{NO_RATIONS, SERVICE_SECRET, Server};

/// A server with the service secret, and tenants `acme` (with `alerts` alerts) and `globex`.
fn started(dir: &std::path::Path, alerts: usize) -> Server {
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_HMAC_SECRET", SERVICE_SECRET));
    let server = Server::start(dir, &env);
    let (acme, globex) = (server.add_tenant("acme"), server.add_tenant("globex"));
    let mut http = server.http();
    let send = |tenant: &crate::server::Tenant, http: &mut _, n: usize| {
        let body = tenant.body(&format!("d-{n}"), "whoami /all");
        tenant.alert(http, "crowdstrike", &body)["alert_id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let ids: Vec<String> = (0..alerts).map(|n| send(&acme, &mut http, n)).collect();
    send(&globex, &mut http, 0);
    // Triaged, so that the chain does not grow any more.
    for id in &ids {
        let alert = server.judged("acme", id);
        assert!(alert["verdict"].is_string(), "{alert}");
    }
    server
}

fn fetch(server: &Server, query: &str) -> crate::server::Reply {
    let reply = server.api("GET", &format!("/audit/export?tenant_id=acme{query}"), None);
    assert_eq!(reply.status, 200, "{query}: {reply:?}");
    reply
}

#[test]
fn an_export_is_the_chain_in_three_formats() {
    let dir = tempdir().unwrap();
    let server = started(dir.path(), 12);
    let lines = server.export("acme");
    let entries: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        entries.len() >= 25,
        "opened, received and triaged: {}",
        entries.len()
    );
    for (seq, entry) in entries.iter().enumerate() {
        assert_eq!(entry["seq"], seq, "{entry}");
        assert_eq!(entry["tenant_id"], "acme", "{entry}");
    }
    let as_json = fetch(&server, "");
    assert_eq!(as_json.header("content-type"), Some("application/json"));
    assert_eq!(
        as_json.json(),
        json!(entries),
        "the default is an array of the same entries"
    );
    for line in &lines {
        assert!(
            as_json.text().contains(line.as_str()),
            "the bytes of a line are changed: {line}"
        );
    }
    let as_jsonl = fetch(&server, "&format=jsonl");
    assert_eq!(as_jsonl.header("content-type"), Some("application/jsonl"));
    let attachment = as_jsonl.header("content-disposition").unwrap_or_default();
    assert!(attachment.contains("acme-audit.jsonl"), "{attachment}");

    let as_csv = fetch(&server, "&format=csv");
    assert_eq!(
        as_csv.header("content-type"),
        Some("text/csv; charset=utf-8")
    );
    let text = as_csv.text();
    let rows: Vec<&str> = text.split_terminator("\r\n").collect();
    assert_eq!(rows.len(), entries.len() + 1, "a head and a row an entry");
    assert!(
        rows[0].starts_with("seq,timestamp,timestamp_ms,tenant_id,event,"),
        "{}",
        rows[0]
    );
    for (row, entry) in rows[1..].iter().zip(&entries) {
        assert!(
            row.starts_with(&format!("\"{}\",", entry["seq"])),
            "{row} for {entry}"
        );
        assert!(
            row.ends_with(&format!("\"{}\"", entry["hash"].as_str().unwrap())),
            "{row}"
        );
    }
}

#[test]
fn an_export_can_begin_and_end_anywhere() {
    let dir = tempdir().unwrap();
    let server = started(dir.path(), 6);
    let all = server.entries("acme");
    let last = all.len() - 1;
    let ranges = [
        (0, 0),
        (0, last),
        (3, 3),
        (2, 7),
        (last, last),
        (last, last + 50),
        (1, usize::MAX >> 1),
    ];
    for (from, to) in ranges {
        let got = fetch(&server, &format!("&from_seq={from}&to_seq={to}")).json();
        assert_eq!(got, json!(all[from..=to.min(last)]), "{from} to {to}");
    }
    assert_eq!(fetch(&server, "&from_seq=4").json(), json!(all[4..]));
    assert_eq!(fetch(&server, "&to_seq=4").json(), json!(all[..=4]));
    let beyond = fetch(&server, &format!("&from_seq={}", last + 1)).json();
    assert_eq!(beyond, json!([]), "there is nothing after the head");
    let cli = server.cli(&["audit", "export", "acme", "--from", "2", "--to", "7"]);
    assert!(cli.status.success(), "{cli:?}");
    let text = String::from_utf8(cli.stdout).unwrap();
    let parse = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    assert_eq!(text.lines().map(parse).collect::<Vec<_>>(), all[2..=7]);
}

#[test]
fn the_head_is_the_last_entry_and_a_whole_chain_verifies() {
    let dir = tempdir().unwrap();
    let server = started(dir.path(), 4);
    for chain in ["acme", "globex", "_host"] {
        let entries = server.entries(chain);
        let last = entries.last().unwrap();
        let head = server.get(&format!("/audit/head?tenant_id={chain}"));
        assert_eq!(head["seq"], last["seq"], "{chain}: {head}");
        assert_eq!(head["hash"], last["hash"], "{chain}: {head}");
        let report = server.verify(chain);
        assert_eq!(report["ok"], true, "{chain}: {report}");
        assert_eq!(report["entries"], entries.len(), "{chain}: {report}");
        assert_eq!(report["head"]["hash"], last["hash"], "{chain}: {report}");
        let shown = server.cli(&["audit", "verify", chain, "--json"]);
        assert!(shown.status.success(), "{shown:?}");
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        assert_eq!(shown, report, "the command prints what the route answers");
    }
    let opened = server.entries("acme")[0].clone();
    assert_eq!(opened["event"], "chain.opened", "{opened}");
    assert_eq!(opened["previous_hash"], "0".repeat(64), "{opened}");
}

/// The people's part of an alert is evidence, and no export shows it.
#[test]
fn an_export_names_no_people_and_no_command_lines() {
    let dir = tempdir().unwrap();
    let server = started(dir.path(), 1);
    let text = server.export("acme").join("\n");
    for evidence in ["whoami", "jdoe"] {
        assert!(!text.contains(evidence), "{evidence} is in the chain");
    }
    assert!(
        text.contains("WS-0042"),
        "the host's name is for the auditor: {text}"
    );
}
