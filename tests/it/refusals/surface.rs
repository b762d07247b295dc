//! What answers where nothing is, or not like that: always a problem that a program can read.

use serde_json::json;
use tempfile::tempdir;

use crate::server::{DEADLINE, NO_RATIONS, Reply, Server, eventually, request_bytes, sign};

fn is_problem(what: &str, reply: &Reply, status: u16, code: &str) {
    assert_eq!(reply.status, status, "{what}: {reply:?}");
    assert_eq!(
        reply.header("content-type"),
        Some("application/problem+json"),
        "{what}: {reply:?}"
    );
    let problem = reply.json();
    assert_eq!(problem["code"], code, "{what}: {problem}");
    assert_eq!(problem["status"], status, "{what}: {problem}");
    for member in ["type", "title", "detail"] {
        let text = problem[member].as_str();
        assert!(
            text.is_some_and(|text| !text.is_empty()),
            "{what} has no {member}: {problem}"
        );
    }
    let inert = reply
        .body
        .iter()
        .all(|byte| byte.is_ascii() && !b"<>&".contains(byte));
    assert!(inert, "{what} is not inert: {problem}");
}

#[test]
fn what_is_not_there_is_a_problem() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let body = acme.body("d-1", "whoami");
    let signature = sign(&acme.secret, &body);
    let signed = [("x-vyrox-signature", signature.as_str())];
    let mut http = server.http();
    for path in [
        "/",
        "/nowhere",
        "/webhook/",
        "/webhook/nobody",
        "/t/acme/webhook/x",
        "/%3Cscript%3E",
        "/api/v1/none",
        "/health/none",
        "/audit",
    ] {
        is_problem(path, &http.post(path, &signed, &body), 404, "not_found");
    }
    let admin = [
        ("/api/v1/tenants/nobody-known", "tenant_not_found"),
        (
            "/api/v1/alerts/0190a2d4-0000-7000-8000-000000000000",
            "alert_not_found",
        ),
        ("/api/v1/alerts/%3Cimg%3E", "alert_not_found"),
        ("/health/actors/tenant/none/machine", "actor_not_found"),
        ("/health/tenants/nobody-known", "tenant_not_found"),
        ("/audit/head?tenant_id=nobody-known", "tenant_not_found"),
    ];
    for (path, code) in admin {
        is_problem(path, &server.api("GET", path, None), 404, code);
    }
}

#[test]
fn another_method_is_told_which_are_allowed() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let mut http = server.http();
    let wrong = [
        ("GET", "/webhook/crowdstrike", "POST"),
        ("PUT", "/t/acme/webhook/generic", "POST"),
        ("DELETE", "/onboard", "POST"),
        ("POST", "/audit/export", "GET"),
        ("POST", "/health/ready", "GET"),
        ("PUT", "/api/v1/tenants/acme", "GET, PATCH, DELETE"),
        ("PATCH", "/metrics", "GET"),
    ];
    for (method, path, allowed) in wrong {
        let reply = http.request(method, path, &[("content-type", "application/json")], b"");
        is_problem(path, &reply, 405, "method_not_allowed");
        assert_eq!(
            reply.header("allow"),
            Some(allowed),
            "{method} {path}: {reply:?}"
        );
    }
}

#[test]
fn only_plain_json_is_a_body() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let body = acme.body("d-1", "whoami");
    let signature = sign(&acme.secret, &body);
    let signature = ("x-vyrox-signature", signature.as_str());
    let path = "/webhook/crowdstrike";
    let mut http = server.http();
    let kinds = [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "",
    ];
    for kind in kinds {
        let reply = http.request("POST", path, &[("content-type", kind), signature], &body);
        is_problem(kind, &reply, 415, "unsupported_media_type");
    }
    let none = http.request("POST", path, &[signature], &body);
    is_problem("no type", &none, 415, "unsupported_media_type");
    for coding in ["gzip", "br", "deflate", "x-unheard-of"] {
        let reply = http.post(path, &[("content-encoding", coding), signature], &body);
        is_problem(coding, &reply, 415, "unsupported_media_type");
    }
    let kind = ("content-type", "Application/JSON; charset=utf-8");
    let reply = http.request("POST", path, &[kind, signature], &body);
    assert_eq!(reply.status, 202, "{reply:?}");
}

#[test]
fn the_api_answers_nonsense_with_problems() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    server.add_tenant("acme");
    let bearer = format!("Bearer {}", server.token());
    let mut http = server.http();
    let long = format!("{{\"tenant_id\":\"{}\"}}", "x".repeat(70_000));
    let onboard = [
        ("{", 400, "invalid_json"),
        ("[]", 400, "invalid_json"),
        (
            "{\"tenant_id\":\"ok\",\"unheard_of\":1}",
            400,
            "invalid_json",
        ),
        ("{\"tenant_id\":\"_host\"}", 400, "invalid_tenant_id"),
        ("{\"tenant_id\":\"../../etc\"}", 400, "invalid_tenant_id"),
        ("{\"tenant_id\":\"<b>\"}", 400, "invalid_tenant_id"),
        ("{\"tenant_id\":\"acme\"}", 409, "tenant_exists"),
        (long.as_str(), 413, "payload_too_large"),
    ];
    for (body, status, code) in onboard {
        let what: String = body.chars().take(60).collect();
        let reply = http.post("/onboard", &[("authorization", &bearer)], body.as_bytes());
        is_problem(&what, &reply, status, code);
    }
    let queries = [
        "/audit/export?tenant_id=acme&from_seq=minus",
        "/audit/export?tenant_id=acme&format=xml",
        "/audit/export?tenant_id=acme&from_seq=5&to_seq=2",
        "/audit/export",
        "/audit/export?tenant_id=acme&from_seq=18446744073709551616",
        "/api/v1/alerts?tenant_id=acme&limit=0",
        "/api/v1/alerts?tenant_id=acme&before=nonsense",
        "/health/actors?state=happy",
    ];
    for path in queries {
        is_problem(path, &server.api("GET", path, None), 400, "invalid_query");
    }
}

#[test]
fn a_token_is_asked_for_and_a_wrong_one_is_refused_without_a_word_why() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let token = server.token();
    let mut http = server.http();
    let shorter = token[..token.len() - 1].to_owned();
    let longer = format!("{token}0");
    let wrong = ["", "nonsense", &shorter, &longer].map(|token| format!("Bearer {token}"));
    let mut answers = vec![http.get("/api/v1/tenants", &[])];
    answers.extend(
        wrong
            .iter()
            .map(|value| http.get("/api/v1/tenants", &[("authorization", value)])),
    );
    let basic = format!("Basic {token}");
    answers.push(http.get("/api/v1/tenants", &[("authorization", &basic)]));
    for answer in answers {
        is_problem("a token", &answer, 401, "invalid_token");
        assert_eq!(answer.json()["detail"], "invalid token", "{answer:?}");
    }
    let right = format!("Bearer {token}");
    let reply = http.get("/api/v1/tenants", &[("authorization", &right)]);
    assert_eq!(
        (reply.status, reply.json()),
        (200, json!({ "tenants": [] }))
    );
}

#[test]
fn a_body_that_does_not_come_is_given_up() {
    let dir = tempdir().unwrap();
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_SERVER__BODY_TIMEOUT_MS", "200"));
    let server = Server::start(dir.path(), &env);
    let mut http = server.http();
    let head = [
        ("content-type", "application/json"),
        ("content-length", "100"),
    ];
    http.send_raw(&request_bytes(
        "POST",
        "/webhook/crowdstrike",
        &head,
        b"{\"slow\":",
    ))
    .unwrap();
    is_problem(
        "a slow body",
        &http.read_reply().unwrap(),
        408,
        "request_timeout",
    );
    eventually(DEADLINE, || {
        (server.metric("vyrox_requests_in_flight") == 0).then_some(())
    });
}

#[test]
fn a_head_that_does_not_come_is_given_up() {
    let dir = tempdir().unwrap();
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_SERVER__HEAD_TIMEOUT_MS", "200"));
    let server = Server::start(dir.path(), &env);
    let mut http = server.http();
    http.send_raw(b"POST /webhook/crowdstrike HTTP/1.1\r\nhost: loc")
        .unwrap();
    // The framework answers this one below every handler: the status counts, or the end.
    match http.read_reply() {
        Ok(reply) => assert_eq!(reply.status, 408, "{reply:?}"),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{error}"),
    }
}

#[test]
fn a_sender_over_its_ration_is_told_when_to_come_back() {
    let dir = tempdir().unwrap();
    let env = [
        ("VYROX_LIMITS__PER_TENANT_PER_S", "1"),
        ("VYROX_LIMITS__PER_TENANT_BURST", "64"),
    ];
    let server = Server::start(dir.path(), &env);
    let (acme, globex) = (server.add_tenant("acme"), server.add_tenant("globex"));
    let mut http = server.http();
    let mut sent = 0;
    let limited = eventually(DEADLINE, || {
        sent += 1;
        let reply = acme.post(
            &mut http,
            "crowdstrike",
            &acme.body(&format!("d-{sent}"), "whoami"),
        );
        (reply.status != 202).then_some(reply)
    });
    is_problem("a flood", &limited, 429, "rate_limited");
    let seconds = limited
        .header("retry-after")
        .and_then(|value| value.parse::<u64>().ok());
    assert_eq!(
        limited.json()["retry_after"].as_u64(),
        seconds,
        "{limited:?}"
    );
    assert!(
        seconds.is_some_and(|seconds| (1..=2).contains(&seconds)),
        "{limited:?}"
    );
    let neighbour = globex.post(&mut http, "crowdstrike", &globex.body("d-1", "whoami"));
    assert_eq!(neighbour.status, 202, "{neighbour:?}");
    let entries = server.entries("acme");
    let received = entries
        .iter()
        .filter(|entry| entry["event"] == "alert.received")
        .count();
    assert_eq!(
        received,
        sent - 1,
        "what was refused is not there, what was accepted is"
    );
}

#[test]
fn a_body_may_come_in_chunks_or_after_leave_was_given() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let json = ("content-type", "application/json");
    let body = acme.body("d-1", "whoami");
    let signature = sign(&acme.secret, &body);
    let signed = ("x-vyrox-signature", signature.as_str());
    let chunked = [json, signed, ("transfer-encoding", "chunked")];
    let mut request = request_bytes("POST", "/webhook/crowdstrike", &chunked, b"");
    for part in body.chunks(7) {
        request.extend(format!("{:x}\r\n", part.len()).bytes());
        request.extend(part);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    let reply = server.http().try_send(&request).unwrap();
    assert_eq!(
        reply.status, 202,
        "what is signed is the body without its chunks: {reply:?}"
    );

    let body = acme.body("d-2", "whoami");
    let (signature, length) = (sign(&acme.secret, &body), body.len().to_string());
    let expecting = [
        json,
        ("x-vyrox-signature", signature.as_str()),
        ("content-length", length.as_str()),
        ("expect", "100-continue"),
    ];
    let mut http = server.http();
    http.send_raw(&request_bytes(
        "POST",
        "/webhook/crowdstrike",
        &expecting,
        b"",
    ))
    .unwrap();
    http.wait_for_a_byte().unwrap();
    http.send_raw(&body).unwrap();
    let reply = http.read_reply().unwrap();
    assert_eq!(reply.status, 202, "{reply:?}");
}
