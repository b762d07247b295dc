//! Promise: the server begins, changes and ends in order, and what is secret stays in it.

mod health;
mod rules;
pub(crate) mod secrecy;

use nix::sys::signal::Signal;
use serde_json::json;
use tempfile::tempdir;

use crate::server::{DEADLINE, NO_RATIONS, Server, eventually, request_bytes, sign};

#[test]
fn sigterm_answers_what_is_in_hand_takes_nothing_new_and_exits_with_0() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let body = acme.body("d-1", "whoami /all");
    let signature = sign(&acme.secret, &body);
    let headers = [
        ("content-type", "application/json"),
        ("x-vyrox-signature", &signature),
    ];
    let request = request_bytes("POST", "/webhook/crowdstrike", &headers, &body);
    // Half a request is in hand when the signal comes, and the server knows it.
    let (begun, rest) = request.split_at(request.len() - 10);
    let mut in_hand = server.http();
    in_hand.send_raw(begun).unwrap();
    eventually(DEADLINE, || {
        (server.metric("vyrox_requests_in_flight") == 1).then_some(())
    });
    let address = server.addr();
    server.signal(Signal::SIGTERM);
    eventually(DEADLINE, || {
        server.stderr().contains("draining").then_some(())
    });
    in_hand.send_raw(rest).unwrap();
    let reply = in_hand.read_reply().unwrap();
    assert_eq!(reply.status, 202, "{reply:?}");
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("drained"), "{log}");
    assert!(
        std::net::TcpStream::connect(address).is_err(),
        "the door is still open"
    );

    let server = Server::start(dir.path(), NO_RATIONS);
    let again = acme.post(&mut server.http(), "crowdstrike", &body);
    assert_eq!(again.status, 200, "what was answered is there: {again:?}");
    assert_eq!(again.json()["receipt"], reply.json()["receipt"]);
    let alert = server.judged("acme", reply.json()["alert_id"].as_str().unwrap());
    assert!(alert["verdict"].is_string(), "and it is judged: {alert}");
}

#[test]
fn a_second_sigterm_ends_it_at_once_and_loses_nothing() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let body = acme.body("d-1", "whoami /all");
    let first = acme.alert(&mut server.http(), "crowdstrike", &body);
    // A request that never becomes whole keeps the first one waiting.
    let mut in_hand = server.http();
    let head = [
        ("content-type", "application/json"),
        ("content-length", "100"),
    ];
    in_hand
        .send_raw(&request_bytes("POST", "/webhook/generic", &head, b"{"))
        .unwrap();
    eventually(DEADLINE, || {
        (server.metric("vyrox_requests_in_flight") == 1).then_some(())
    });
    server.signal(Signal::SIGTERM);
    eventually(DEADLINE, || {
        server.stderr().contains("draining").then_some(())
    });
    server.signal(Signal::SIGTERM);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(143), "as a shell expects: {log}");
    let server = Server::start(dir.path(), NO_RATIONS);
    let again = acme.post(&mut server.http(), "crowdstrike", &body);
    assert_eq!(
        (again.status, &again.json()["receipt"]),
        (200, &first["receipt"]),
        "{again:?}"
    );
}

#[test]
fn a_data_directory_has_one_server() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let Err(refused) = Server::try_start(dir.path(), NO_RATIONS) else {
        panic!("two servers have one directory");
    };
    println!("{}", refused.stderr.trim());
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let place = dir.path().to_str().unwrap();
    assert!(
        refused.stderr.contains(place),
        "it doesn't say which: {}",
        refused.stderr
    );
    assert!(!refused.stderr.contains("panicked"), "{}", refused.stderr);
    let reply = acme.post(
        &mut server.http(),
        "crowdstrike",
        &acme.body("d-1", "whoami"),
    );
    assert_eq!(reply.status, 202, "the first one serves on: {reply:?}");
    // Once it is gone, however it went, the directory is free.
    server.kill9();
    assert!(Server::start(dir.path(), NO_RATIONS).terminate().success());
}

#[test]
fn a_start_that_cannot_be_says_what_is_wrong() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("a-file");
    crate::server::write(&file, b"not a directory");
    let data = dir.path().join("data");
    let refused = [
        (&file, vec![], "a-file"),
        (
            &data,
            vec![("VYROX_LIMITS__NO_SUCH", "1")],
            "VYROX_LIMITS__NO_SUCH",
        ),
        (
            &data,
            vec![("VYROX_HMAC_SECRET", "short")],
            "VYROX_HMAC_SECRET",
        ),
        (&data, vec![("VYROX_STORAGE__HOST_KEY", "abc")], "host_key"),
        (
            &data,
            vec![("VYROX_TRIAGE__RULES_DIR", "/nowhere/at/all")],
            "/nowhere/at/all",
        ),
        (&data, vec![("TLS_CERT_PATH", "/nowhere.pem")], "tls"),
    ];
    for (dir, env, named) in refused {
        let Err(not) = Server::try_start(dir, &env) else {
            panic!("it started with {env:?}")
        };
        let stderr = not.stderr.to_lowercase();
        assert_eq!(not.status.code(), Some(1), "{env:?}: {stderr}");
        assert!(
            stderr.contains(&named.to_lowercase()),
            "{named} is not named: {stderr}"
        );
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
    let status = Server::start(&data, NO_RATIONS).terminate();
    assert!(
        status.success(),
        "the directory came to no harm: {status:?}"
    );
}

#[test]
fn a_lost_host_key_is_never_replaced() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    assert!(server.terminate().success());
    let (key, away) = (
        dir.path().join("host.key"),
        dir.path().join("host.key.away"),
    );
    std::fs::rename(&key, &away).unwrap();
    let Err(refused) = Server::try_start(dir.path(), NO_RATIONS) else {
        panic!("it started without the key that everything is sealed under");
    };
    assert!(refused.stderr.contains("host.key"), "{}", refused.stderr);
    assert!(!key.exists(), "a new key was made over old seals");
    std::fs::rename(&away, &key).unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let reply = acme.post(
        &mut server.http(),
        "crowdstrike",
        &acme.body("d-1", "whoami"),
    );
    assert_eq!(reply.status, 202, "{reply:?}");
    let tenants = server.get("/api/v1/tenants");
    assert_eq!(
        tenants["tenants"][0]["tenant_id"],
        json!("acme"),
        "{tenants}"
    );
}
