//! A PagerDuty that takes events exactly as the Events API v2 says, and nothing else.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// The largest event, in bytes.
const EVENT_MAX: usize = 512 * 1024;

/// What it saw, and what it answers next.
#[derive(Default)]
pub(crate) struct Seen {
    /// Answered before anything is looked at, in order.
    pub(crate) answers: VecDeque<u16>,
    /// Requests, refused ones too.
    pub(crate) requests: u64,
    /// What was wrong with requests.
    pub(crate) faults: Vec<String>,
    /// Events that were taken, by their key: those of one key are one incident.
    pub(crate) incidents: BTreeMap<String, Vec<Value>>,
}

/// The service.
pub(crate) struct FakePagerduty {
    pub(crate) base_url: String,
    routing_key: String,
    seen: Arc<Mutex<Seen>>,
}

impl FakePagerduty {
    /// Listens on a free port until the runtime ends.
    pub(crate) async fn start(routing_key: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base_url = format!("http://{}", listener.local_addr().expect("an address"));
        let fake = Self {
            base_url,
            routing_key: routing_key.to_owned(),
            seen: Arc::default(),
        };
        let (seen, key) = (Arc::clone(&fake.seen), fake.routing_key.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, &seen, &key).await;
            }
        });
        fake
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("nobody panics with the lock")
    }
}

async fn serve(mut stream: TcpStream, seen: &Mutex<Seen>, routing_key: &str) {
    let Some((head, body)) = request(&mut stream).await else {
        return;
    };
    let (status, answer) = {
        let mut seen = seen.lock().expect("nobody panics with the lock");
        seen.requests += 1;
        match seen.answers.pop_front() {
            Some(status) => (status, "{}".to_owned()),
            None => take(&mut seen, &head, &body, routing_key),
        }
    };
    let text = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{answer}",
        answer.len()
    );
    stream.write_all(text.as_bytes()).await.ok();
    stream.shutdown().await.ok();
}

/// Head and body of a request; `None` if the client went away.
async fn request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        (stream.read_buf(&mut bytes).await.ok()? > 0).then_some(())?;
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))?;
    let length: usize = length.trim().parse().ok()?;
    while bytes.len() < head_end + length {
        (stream.read_buf(&mut bytes).await.ok()? > 0).then_some(())?;
    }
    Some((head, bytes.split_off(head_end)))
}

fn take(seen: &mut Seen, head: &str, body: &[u8], routing_key: &str) -> (u16, String) {
    let event: Value = serde_json::from_slice(body).unwrap_or_default();
    let faults = faults(head, body, &event, routing_key);
    if !faults.is_empty() {
        let answer = serde_json::json!({
            "status": "invalid event", "message": "Event object is invalid", "errors": faults,
        });
        seen.faults.extend(faults);
        return (400, answer.to_string());
    }
    let key = event["dedup_key"].as_str().unwrap_or_default().to_owned();
    let answer = serde_json::json!({
        "status": "success", "message": "Event processed", "dedup_key": key,
    });
    seen.incidents.entry(key).or_default().push(event);
    (202, answer.to_string())
}

fn faults(head: &str, body: &[u8], event: &Value, routing_key: &str) -> Vec<String> {
    let payload = &event["payload"];
    let length = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
    let only = |value: &Value, known: &[&str]| {
        let members = value.as_object();
        members.is_some_and(|all| all.keys().all(|key| known.contains(&key.as_str())))
    };
    let event_members = [
        "routing_key",
        "event_action",
        "dedup_key",
        "payload",
        "client",
        "client_url",
        "links",
        "images",
    ];
    let payload_members = [
        "summary",
        "source",
        "severity",
        "timestamp",
        "component",
        "group",
        "class",
        "custom_details",
    ];
    let severities = ["critical", "error", "warning", "info"];
    let checks = [
        (
            head.starts_with("post /v2/enqueue http/1.1\r\n"),
            "method or path",
        ),
        (
            head.contains("content-type: application/json"),
            "content type",
        ),
        (body.len() <= EVENT_MAX, "too long"),
        (only(event, &event_members), "unknown member of the event"),
        (
            only(payload, &payload_members),
            "unknown member of the payload",
        ),
        (event["routing_key"] == routing_key, "routing_key"),
        (event["event_action"] == "trigger", "event_action"),
        (
            (1..=255).contains(&length(&event["dedup_key"])),
            "dedup_key",
        ),
        ((1..=1024).contains(&length(&payload["summary"])), "summary"),
        (length(&payload["source"]) > 0, "source"),
        (
            severities.iter().any(|one| payload["severity"] == *one),
            "severity",
        ),
        (payload["custom_details"].is_object(), "custom_details"),
    ];
    let wrong = checks.into_iter().filter(|(good, _)| !good);
    wrong.map(|(_, what)| what.to_owned()).collect()
}
