//! Promise: a client that goes away, at whatever byte or moment, changes nothing but its own answer.

use std::thread;

use serde_json::Value;
use tempfile::tempdir;

use crate::server::{DEADLINE, Http, NO_RATIONS, Server, Tenant, eventually, request_bytes, sign};

fn request(acme: &Tenant, body: &[u8]) -> Vec<u8> {
    let signature = sign(&acme.secret, body);
    let headers = [
        ("content-type", "application/json"),
        ("x-vyrox-signature", &signature),
    ];
    request_bytes("POST", "/webhook/crowdstrike", &headers, body)
}

/// How a retry was answered.
#[derive(Default, Debug)]
struct Retries {
    fresh: usize,
    duplicates: usize,
}

impl Retries {
    /// Sends it again, twice, and insists that there is one outcome, found by both.
    fn retry(&mut self, http: &mut Http, request: &[u8]) -> Value {
        let reply = http.try_send(request).unwrap();
        match reply.status {
            202 => self.fresh += 1,
            200 => self.duplicates += 1,
            other => panic!("a retry was answered {other}: {reply:?}"),
        }
        let first = reply.json();
        let again = http.try_send(request).unwrap();
        assert_eq!(again.status, 200, "nothing stays in flight: {again:?}");
        let again = again.json();
        assert_eq!(again["alert_id"], first["alert_id"]);
        assert_eq!(again["receipt"], first["receipt"]);
        first
    }
}

/// Insists that the chain holds each of `outcomes` once, at its receipt, and nothing else of the kind.
fn chain_holds(server: &Server, outcomes: &[Value]) {
    let report = server.verify("acme");
    assert_eq!(report["ok"], true, "{report}");
    let entries = server.entries("acme");
    for outcome in outcomes {
        let seq = usize::try_from(outcome["receipt"]["seq"].as_u64().unwrap()).unwrap();
        assert_eq!(
            entries[seq]["hash"], outcome["receipt"]["hash"],
            "{outcome}"
        );
        assert_eq!(entries[seq]["alert_id"], outcome["alert_id"], "{outcome}");
    }
    let received = entries
        .iter()
        .filter(|entry| entry["event"] == "alert.received")
        .count();
    assert_eq!(received, outcomes.len(), "each alert is there once");
    let rejected = entries
        .iter()
        .filter(|entry| entry["event"] == "intake.rejected")
        .count();
    assert_eq!(rejected, 0, "half a request is no body");
    // Nor does a place in the server stay taken.
    eventually(DEADLINE, || {
        (server.metric("vyrox_requests_in_flight") == 0).then_some(())
    });
}

#[test]
fn a_client_can_leave_at_any_byte_of_its_request() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let mut http = server.http();
    let length = request(&acme, &acme.body("d-00000", "whoami /all")).len();
    let mut retries = Retries::default();
    let mut outcomes = Vec::new();
    for cut in 0..=length {
        let request = request(&acme, &acme.body(&format!("d-{cut:05}"), "whoami /all"));
        assert_eq!(request.len(), length);
        let mut leaving = server.http();
        leaving.send_raw(&request[..cut]).unwrap();
        leaving.go_away();
        outcomes.push(retries.retry(&mut http, &request));
    }
    println!("left at {} places: {retries:?}", length + 1);
    assert!(
        retries.fresh >= length,
        "only a whole request can have been taken: {retries:?}"
    );
    chain_holds(&server, &outcomes);
    assert!(server.terminate().success());
    let server = Server::start(dir.path(), NO_RATIONS);
    chain_holds(&server, &outcomes);
}

/// The moments lie close together and differ by the work that is done in between: a number of
/// requests of somebody else's, or of looks at whether the answer has begun.
#[test]
fn a_client_can_leave_at_any_time_before_its_answer() {
    const ROUNDS: usize = 120;
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let mut http = server.http();
    let mut retries = Retries::default();
    let mut outcomes = Vec::new();
    for round in 0..ROUNDS {
        let request = request(&acme, &acme.body(&format!("d-{round:05}"), "whoami /all"));
        let mut leaving = server.http();
        leaving.send_raw(&request).unwrap();
        for _ in 0..round % 8 {
            assert_eq!(http.get("/health", &[]).status, 200);
        }
        leaving.go_away();
        outcomes.push(retries.retry(&mut http, &request));
    }
    println!("left {ROUNDS} times before the answer: {retries:?}");
    chain_holds(&server, &outcomes);
}

/// The machine's thread is held, so that the alert certainly waits in front of it when the client
/// leaves: it has been taken in, and nobody is there to hear it.
#[cfg(feature = "fault-injection")]
#[test]
fn an_alert_whose_sender_left_while_it_waited_is_there_when_it_is_sent_again() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let mut http = server.http();
    let mut retries = Retries::default();
    let mut outcomes = vec![retries.retry(&mut http, &request(&acme, &acme.body("d-0", "whoami")))];
    let fault =
        serde_json::json!({ "actor": "tenant/acme/machine", "fault": "block_ms:700", "times": 1 });
    let ordered = server.api("POST", "/api/v1/faults", Some(&fault));
    assert_eq!(ordered.status, 204, "{ordered:?}");
    let blocking = request(&acme, &acme.body("d-1", "whoami"));
    let waiting = request(&acme, &acme.body("d-2", "whoami"));
    let mut first = server.http();
    first.send_raw(&blocking).unwrap();
    let handled = |server: &Server| {
        let node = server.get("/health/actors/tenant/acme/machine");
        (
            node["handled"].as_u64().unwrap(),
            node["mailbox"]["depth"].as_u64().unwrap(),
        )
    };
    let mut second = server.http();
    second.send_raw(&waiting).unwrap();
    let waited = eventually(DEADLINE, || {
        let (handled, depth) = handled(&server);
        // Either it is seen to wait, or the block was over before we looked.
        (depth > 0 || handled >= 5).then_some(depth > 0)
    });
    println!("it was seen to wait: {waited}");
    first.go_away();
    second.go_away();
    let before = retries.duplicates;
    outcomes.push(retries.retry(&mut http, &blocking));
    outcomes.push(retries.retry(&mut http, &waiting));
    if waited {
        assert_eq!(
            retries.duplicates,
            before + 2,
            "both had been taken in: {retries:?}"
        );
    }
    chain_holds(&server, &outcomes);
}

#[test]
fn the_same_alert_sent_by_many_at_once_is_one_alert() {
    const AT_ONCE: usize = 8;
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let mut outcomes = Vec::new();
    for round in 0..20 {
        let request = request(&acme, &acme.body(&format!("d-{round}"), "whoami /all"));
        let replies: Vec<_> = thread::scope(|scope| {
            let send = || server.http().try_send(&request).unwrap();
            let senders: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(send)).collect();
            senders
                .into_iter()
                .map(|sender| sender.join().unwrap())
                .collect()
        });
        let fresh = replies.iter().filter(|reply| reply.status == 202).count();
        let repeats = replies.iter().filter(|reply| reply.status == 200).count();
        assert_eq!(
            (fresh, repeats),
            (1, AT_ONCE - 1),
            "round {round}: {replies:?}"
        );
        let answers: Vec<Value> = replies.iter().map(crate::server::Reply::json).collect();
        for answer in &answers {
            assert_eq!(answer["alert_id"], answers[0]["alert_id"]);
            assert_eq!(answer["receipt"], answers[0]["receipt"]);
        }
        outcomes.push(answers[0].clone());
    }
    chain_holds(&server, &outcomes);
}

#[test]
fn a_reader_can_leave_in_the_middle_of_a_download() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let mut http = server.http();
    let outcomes: Vec<Value> = (0..400)
        .map(|n| {
            acme.alert(
                &mut http,
                "crowdstrike",
                &acme.body(&format!("d-{n}"), "whoami"),
            )
        })
        .collect();
    let bearer = format!("Bearer {}", server.token());
    let path = "/audit/export?tenant_id=acme";
    let export = request_bytes("GET", path, &[("authorization", &bearer)], b"");
    for _ in 0..40 {
        let mut leaving = server.http();
        leaving.send_raw(&export).unwrap();
        leaving.wait_for_a_byte().unwrap();
        leaving.go_away();
    }
    chain_holds(&server, &outcomes);
}

#[test]
fn garbage_on_the_wire_harms_nobody_else() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let mut http = server.http();
    let mut retries = Retries::default();
    let mut outcomes = Vec::new();
    let garbage: [&[u8]; 8] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"POST /webhook/crowdstrike HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST /webhook/crowdstrike HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"POST /webhook/crowdstrike HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST /webhook/crowdstrike HTTP/1.1\r\nx: \x00\r\n\r\n",
        b"\r\n\r\n\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense after the preface of another protocol",
    ];
    for (nth, bytes) in garbage.into_iter().enumerate() {
        let mut stranger = server.http();
        // Its answer, if there is one, is an error of the client's; the connection may just end.
        if let Ok(reply) = stranger.send_raw(bytes).and_then(|()| {
            stranger.send_raw(b"\r\n\r\n")?;
            stranger.end_sending()?;
            stranger.read_reply()
        }) {
            assert!((400..500).contains(&reply.status), "{nth}: {reply:?}");
        }
        let request = request(&acme, &acme.body(&format!("d-{nth}"), "whoami"));
        outcomes.push(retries.retry(&mut http, &request));
    }
    assert_eq!(retries.fresh, garbage.len());
    chain_holds(&server, &outcomes);
}
