//! An export streams: whatever its length and however slowly it is read, the server holds little.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    sync::{Arc, mpsc},
};

use serde_json::json;
use tempfile::tempdir;
use vyrox_actors::journal::{Append, Draft, Journal as _, LocalJournal, Options};

use super::started;
use crate::server::{DEADLINE, NO_RATIONS, Server, eventually, request_bytes};

/// Memory above idle that an export may take, of any length.
const ABOVE_IDLE_KIB: u64 = 64 * 1024;
/// Entries that are appended at a time.
const AT_A_TIME: usize = 1000;

/// A server whose tenant `acme` has so many entries of about 1,700 bytes more than it made itself.
fn with_a_long_chain(dir: &Path, entries: usize) -> Server {
    let server = started(dir, 1);
    let alert_id = server
        .entries("acme")
        .iter()
        .find_map(|entry| entry["alert_id"].as_str().map(str::to_owned))
        .unwrap();
    assert!(server.terminate().success());
    fill(&dir.join("journal"), &alert_id, entries);
    let server = Server::start(dir, NO_RATIONS);
    // Idle means that everything is read that is read by itself.
    eventually(DEADLINE, || {
        let tenant = server.get("/health/tenants/acme");
        (tenant["readable_seq"] == tenant["head_seq"]).then_some(())
    });
    server
}

fn fill(dir: &Path, alert_id: &str, entries: usize) {
    let options = Options {
        segment_bytes: 16 << 20,
        ..Options::default()
    };
    let journal = LocalJournal::open(dir, options, None).unwrap();
    let opened = journal.open("acme").unwrap();
    let mut last = opened.head.map(|head| head.seq);
    let mut left = entries;
    while left > 0 {
        let count = left.min(AT_A_TIME);
        let (answer, answered) = mpsc::channel();
        let append = Append {
            class: vyrox_actors::journal::Class::Ordinary,
            chain: Arc::from("acme"),
            epoch: opened.epoch,
            expected_last: last,
            drafts: vec![shown(alert_id); count],
        };
        let done = Box::new(move |result| answer.send(result).unwrap());
        journal.append(append, done);
        match answered.recv_timeout(DEADLINE).unwrap() {
            Ok(receipts) => {
                last = receipts.last().map(|receipt| receipt.seq);
                left -= count;
            }
            // The chain's own file lags behind: wait for it.
            Err(vyrox_actors::journal::AppendError::Full) => journal.flush("acme").unwrap(),
            Err(error) => panic!("{error}"),
        }
    }
    journal.close().unwrap();
}

/// An entry of which nothing follows.
fn shown(alert_id: &str) -> Draft {
    Draft {
        event: "evidence.shown".into(),
        event_version: 1,
        actor: "person:ann".into(),
        timestamp_ms: 1_768_473_000_000,
        alert_id: Some(alert_id.to_owned()),
        action: None,
        payload: json!({
            "alert_id": alert_id, "by": "ann", "via": "chat", "guild_id": "1".repeat(500),
            "channel_id": "2".repeat(500), "message_id": "3".repeat(100), "account_id": "4".repeat(100),
            "interaction_id": "5".repeat(50),
        }),
        attachments: Vec::new(),
    }
}

/// The memory that a process has in use now.
fn resident_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .unwrap_or_else(|| panic!("no VmRSS in {status}"))
        .parse()
        .unwrap()
}

/// A download whose beginning was read.
struct Download {
    stream: BufReader<TcpStream>,
    status: String,
}

impl Download {
    fn begin(server: &Server, format: &str) -> Self {
        let mut stream = TcpStream::connect_timeout(&server.addr(), DEADLINE).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let bearer = format!("Bearer {}", server.token());
        let path = format!("/audit/export?tenant_id=acme&format={format}");
        let request = request_bytes("GET", &path, &[("authorization", &bearer)], b"");
        stream.write_all(&request).unwrap();
        let mut stream = BufReader::with_capacity(64 << 10, stream);
        let mut status = String::new();
        stream.read_line(&mut status).unwrap();
        Self { stream, status }
    }

    fn refused(&self) -> bool {
        self.status.contains(" 429 ")
    }

    /// Reads all of it. Gives the entries that the answer promised, those that came, the bytes, and
    /// the most memory that the server had in use meanwhile.
    fn finish(mut self, server: &Server) -> (u64, u64, u64, u64) {
        assert!(self.status.contains(" 200 "), "{}", self.status);
        let mut promised = 0;
        let mut header = String::new();
        while self.stream.read_line(&mut header).unwrap() > 2 {
            if let Some(number) = header.to_ascii_lowercase().strip_prefix("x-vyrox-entries:") {
                promised = number.trim().parse().unwrap();
            }
            header.clear();
        }
        let (mut lines, mut bytes, mut most) = (0, 0, 0);
        let mut chunk = Vec::new();
        loop {
            let mut size = String::new();
            self.stream.read_line(&mut size).unwrap();
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            chunk.resize(size + 2, 0);
            self.stream.read_exact(&mut chunk).unwrap();
            if size == 0 {
                return (promised, lines, bytes, most);
            }
            lines += chunk[..size].split(|byte| *byte == b'\n').skip(1).count() as u64;
            bytes += size as u64;
            most = most.max(resident_kib(server));
        }
    }
}

fn stays_within_its_bound(entries: usize) {
    let dir = tempdir().unwrap();
    let server = with_a_long_chain(dir.path(), entries);
    let head = server.get("/audit/head?tenant_id=acme")["seq"]
        .as_u64()
        .unwrap();
    assert!(head >= entries as u64);
    let idle = resident_kib(&server);
    // An array is closed on a line of its own; a table has a line of headings.
    for (format, more_lines) in [("json", 1), ("jsonl", 0), ("csv", 1)] {
        let (promised, lines, bytes, most) = Download::begin(&server, format).finish(&server);
        assert_eq!(
            (promised, lines),
            (head + 1, head + 1 + more_lines),
            "{format}"
        );
        assert!(
            bytes / 1024 > ABOVE_IDLE_KIB,
            "an export of {bytes} bytes would not show that it is streamed"
        );
        println!("{format}: {promised} entries, {bytes} bytes, {most} KiB in use, {idle} KiB idle");
        assert!(
            most < idle + ABOVE_IDLE_KIB,
            "{format}: {most} KiB in use, {idle} KiB idle"
        );
    }
    let report = server.verify("acme");
    assert_eq!(
        (&report["ok"], &report["entries"]),
        (&true.into(), &(head + 1).into())
    );
    let verified = resident_kib(&server);
    assert!(
        verified < idle + ABOVE_IDLE_KIB,
        "{verified} KiB after a verification"
    );
}

#[test]
fn an_export_of_fifty_thousand_entries_takes_little_memory() {
    stays_within_its_bound(50_000);
}

#[test]
#[ignore = "writes and reads two gigabytes"]
fn an_export_of_a_million_entries_takes_little_memory() {
    stays_within_its_bound(1_000_000);
}

#[test]
fn readers_who_stop_reading_hold_their_places_and_little_else() {
    let dir = tempdir().unwrap();
    let server = with_a_long_chain(dir.path(), 10_000);
    let idle = resident_kib(&server);
    let mut stopped: Vec<_> = (0..4).map(|_| Download::begin(&server, "jsonl")).collect();
    assert!(stopped.iter().all(|one| !one.refused()));
    let refused = Download::begin(&server, "jsonl");
    assert!(refused.refused(), "{}", refused.status);
    let held = resident_kib(&server);
    assert!(
        held < idle + ABOVE_IDLE_KIB,
        "{held} KiB for {idle} KiB idle"
    );
    // The others are served, and the place of one who goes away is the next one's.
    let other = server.api("GET", "/audit/export?tenant_id=globex", None);
    assert_eq!(other.status, 200);
    drop(stopped.pop());
    let next = eventually(DEADLINE, || {
        let next = Download::begin(&server, "jsonl");
        (!next.refused()).then_some(next)
    });
    let (promised, lines, ..) = next.finish(&server);
    assert_eq!(promised, lines);
}
