//! Promise: whoever crowds the doors, silently or in a hurry, learns nothing and keeps nobody else out.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::{SocketAddr, TcpStream},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::server::{
    DEADLINE, Http, NO_RATIONS, Reply, Server, Tenant, eventually, request_bytes, sign,
};

/// A connection that fails after [`DEADLINE`] rather than hang.
fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, DEADLINE).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

#[test]
fn a_socket_that_never_says_anything_is_closed() {
    let dir = tempdir().unwrap();
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_SERVER__HEAD_TIMEOUT_MS", "200"));
    let server = Server::start(dir.path(), &env);
    let mut silent: Vec<_> = (0..8).map(|_| connect(server.addr())).collect();
    for stream in &mut silent {
        let mut said = Vec::new();
        // To the end: it is the close that is waited for.
        stream.read_to_end(&mut said).unwrap();
        let said = String::from_utf8_lossy(&said);
        assert!(
            said.is_empty() || said.starts_with("HTTP/1.1 408 "),
            "{said}"
        );
    }
}

/// A server under a limit of open files that is far below what it is configured for.
struct Tight {
    child: Child,
    http: Http,
    address: SocketAddr,
    bearer: String,
}

impl Tight {
    fn start(dir: &Path, open_files: u32) -> Self {
        let mut child = Command::new("sh")
            .arg0("sh")
            .args(["-c", &format!("ulimit -n {open_files}; exec \"$0\" \"$@\"")])
            .arg(env!("CARGO_BIN_EXE_vyrox"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(dir)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(NO_RATIONS.iter().copied())
            .env("VYROX_STORAGE__CHECKPOINT_MS", "10")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line.trim().rsplit('/').next().unwrap().parse().unwrap();
        let token = std::fs::read_to_string(dir.join("admin.token")).unwrap();
        Self {
            child,
            http: Http::new(address),
            address,
            bearer: format!("Bearer {}", token.trim()),
        }
    }

    fn onboard(&mut self, id: &str) -> Reply {
        let body = json!({ "tenant_id": id }).to_string();
        let headers = [("authorization", self.bearer.as_str())];
        self.http.post("/onboard", &headers, body.as_bytes())
    }

    fn verify(&mut self, id: &str) -> Reply {
        let headers = [("authorization", self.bearer.as_str())];
        let path = format!("/audit/verify?tenant_id={id}");
        self.http.get(&path, &headers)
    }

    /// Its log, after an end in good order.
    fn end(mut self) -> String {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
        let mut log = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut log).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}:\n{log}");
        log
    }
}

impl Drop for Tight {
    fn drop(&mut self) {
        // It may have ended already, and then there is nothing to kill.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn a_crowd_at_the_door_takes_no_descriptor_that_a_file_needs() {
    let dir = tempdir().unwrap();
    let mut server = Tight::start(dir.path(), 200);
    assert_eq!(server.onboard("before").status, 201);
    let crowd: Vec<_> = (0..250).map(|_| connect(server.address)).collect();
    // On the connection that was there before: files are made and opened all the same.
    for n in 0..20 {
        let reply = server.onboard(&format!("amid-{n}"));
        assert_eq!(reply.status, 201, "tenant {n}: {reply:?}");
    }
    for n in 0..100 {
        let reply = server.verify("before");
        let whole = reply.status == 200 && reply.json()["ok"] == true;
        assert!(whole, "look {n}: {reply:?}");
    }
    drop(crowd);
    let log = server.end();
    let warned = log.lines().any(|line| {
        line.contains("WARN")
            && line.contains("max_connections=10000")
            && line.contains("connections=100 ")
    });
    assert!(warned, "{log}");
    assert!(!log.contains("poisoned"), "{log}");
}

/// What a stranger sends: signed with a secret that is nobody's.
fn strangers(name: &str) -> Vec<u8> {
    let stranger = Tenant {
        id: name.to_owned(),
        secret: "0123456789abcdef0123456789abcdef".into(),
    };
    let body = stranger.body("d-1", "whoami");
    let signature = sign(&stranger.secret, &body);
    let headers = [
        ("content-type", "application/json"),
        ("x-vyrox-signature", signature.as_str()),
    ];
    request_bytes("POST", "/webhook/crowdstrike", &headers, &body)
}

/// How many failures follow each other in a round.
const ROUND: usize = 12;

/// Known and unknown names by turns: what was answered, without the time of day.
fn round(http: &mut Http, names: [&str; 2]) -> Vec<Reply> {
    let answer = |place: usize| {
        let mut reply = http.try_send(&strangers(names[place % 2])).unwrap();
        reply.headers.retain(|(name, _)| name != "date");
        reply
    };
    (0..ROUND).map(answer).collect()
}

#[test]
fn past_the_rations_known_and_unknown_names_are_answered_alike_and_the_genuine_as_ever() {
    let dir = tempdir().unwrap();
    let mut env = NO_RATIONS.to_vec();
    env.retain(|(name, _)| !name.ends_with("FAILED_PER_SOURCE_PER_S"));
    env.push(("VYROX_LIMITS__FAILED_PER_SOURCE_PER_S", "1"));
    let server = Server::start(dir.path(), &env);
    let acme = server.add_tenant("acme");
    let (mut http, mut genuine) = (server.http(), server.http());
    let mut sent = 0;
    let [one, other] = [["acme", "nope"], ["nope", "acme"]].map(|names| {
        // The first failure is answered as one and the others are too many: a round in which the
        // ration was not full at first, or was refilled in between, is done again.
        eventually(DEADLINE, || {
            let macs = server.metric("vyrox_webhook_macs_total");
            let answers = round(&mut http, names);
            let macs = server.metric("vyrox_webhook_macs_total") - macs;
            assert_eq!(macs, 2 * ROUND as u64, "too many or not, all are verified");
            sent += 1;
            // From the same address, in the middle of it.
            let body = acme.body(&format!("genuine-{sent}"), "whoami");
            let reply = acme.post(&mut genuine, "crowdstrike", &body);
            assert_eq!(reply.status, 202, "{reply:?}");
            let statuses: Vec<_> = answers.iter().map(|reply| reply.status).collect();
            assert!(
                statuses.iter().all(|status| [401, 429].contains(status)),
                "{statuses:?}"
            );
            let full_once = statuses[0] == 401 && !statuses[1..].contains(&401);
            full_once.then_some(answers)
        })
    });
    let limited: Value = one[1].json();
    assert_eq!(limited["code"], "rate_limited", "{limited}");
    assert_eq!(one, other, "by position, byte for byte");
}

#[test]
fn without_a_token_nothing_is_said_about_a_body_or_a_query() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    server.add_tenant("acme");
    let mut http = server.http();
    let mut answer = |method: &str, path: &str, kind: &str, body: &[u8]| {
        let mut reply = http.request(method, path, &[("content-type", kind)], body);
        reply.headers.retain(|(name, _)| name != "date");
        (reply.status, reply)
    };
    let long = vec![b' '; 70_000];
    let bodies: [(&str, &[u8]); 5] = [
        ("application/json", b"{\"tenant_id\":\"new\"}"),
        ("application/json", b"{"),
        (
            "application/json",
            b"{\"tenant_id\":\"acme\",\"unheard_of\":1}",
        ),
        ("text/plain", b"{}"),
        ("application/json", &long),
    ];
    for (method, path) in [
        ("POST", "/onboard"),
        ("PATCH", "/api/v1/tenants/acme"),
        ("POST", "/api/v1/tenants/nobody-known/rotate-secret"),
    ] {
        let (_, expected) = answer("GET", "/api/v1/alerts", "application/json", b"");
        for (kind, body) in bodies {
            let (status, reply) = answer(method, path, kind, body);
            assert_eq!(status, 401, "{path}: {reply:?}");
            assert_eq!(reply.body, expected.body, "{path}");
        }
    }
    for path in [
        "/api/v1/alerts",
        "/api/v1/alerts/x",
        "/audit/chains",
        "/audit/export",
        "/audit/head",
        "/audit/verify",
    ] {
        let (_, expected) = answer("GET", path, "", b"");
        assert_eq!(expected.status, 401, "{path}: {expected:?}");
        for query in [
            "tenant_id=acme",
            "tenant_id=nobody-known",
            "tenant_id=acme&limit=x",
            "tenant_id=acme&tenant_id=acme",
            "unheard_of=1",
            "format=xml&from_seq=minus",
            "%ff=%ff",
        ] {
            let (_, reply) = answer("GET", &format!("{path}?{query}"), "", b"");
            assert_eq!(reply, expected, "{path}?{query}");
        }
    }
}

#[test]
fn a_body_of_many_alerts_spends_as_many_of_the_tenants_budget() {
    let dir = tempdir().unwrap();
    let env = [
        ("VYROX_LIMITS__PER_TENANT_PER_S", "1"),
        ("VYROX_LIMITS__PER_TENANT_BURST", "64"),
    ];
    let server = Server::start(dir.path(), &env);
    let acme = server.add_tenant("acme");
    let mut http = server.http();
    let mut post = |name: &str| {
        let alert = |n| json!({ "alert_id": format!("{name}-{n}"), "severity": "low" });
        let alerts: Vec<_> = (0..64).map(alert).collect();
        let body = json!({ "tenant_id": "acme", "alerts": alerts }).to_string();
        acme.post(&mut http, "generic", body.as_bytes())
    };
    let reply = post("first");
    assert_eq!(reply.status, 202, "the fullest body fits: {reply:?}");
    assert_eq!(reply.json()["alerts"].as_array().unwrap().len(), 64);
    let reply = post("second");
    assert_eq!(reply.status, 429, "{reply:?}");
    let entries = server.entries("acme");
    let received = entries
        .iter()
        .filter(|entry| entry["event"] == "alert.received");
    assert_eq!(received.count(), 64, "nothing of what was refused is there");
}

#[test]
fn where_requests_are_passed_on_nobody_is_local() {
    let dir = tempdir().unwrap();
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_SERVER__PUBLIC_URL", "https://vyrox.example.org"));
    let server = Server::start(dir.path(), &env);
    let mut http = server.http();
    for path in ["/health/actors", "/metrics"] {
        assert_eq!(http.get(path, &[]).status, 401, "{path}");
        assert_eq!(server.api("GET", path, None).status, 200, "{path}");
    }
    assert_eq!(http.get("/health/ready", &[]).status, 200);
}
