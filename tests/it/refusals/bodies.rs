//! Bodies that are too long, cut, of the wrong type or out of every range: signed and unsigned.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::tempdir;

use crate::server::{Http, NO_RATIONS, Reply, Server, Tenant, request_bytes, sign};

/// The default `server.body_limit_bytes`.
const LIMIT: usize = 262_144;

fn code(reply: &Reply) -> String {
    reply.json()["code"].as_str().unwrap_or_default().to_owned()
}

/// Posts to the path of the tenant, signed or not.
fn post(http: &mut Http, acme: &Tenant, body: &[u8], signed: bool) -> Reply {
    let signature = sign(&acme.secret, body);
    let headers = [("x-vyrox-signature", signature.as_str())];
    let headers = if signed { &headers[..] } else { &[] };
    http.post("/t/acme/webhook/crowdstrike", headers, body)
}

/// Insists that the refused body is on the chain, with the digest and length of its raw bytes.
fn kept(server: &Server, reply: &Reply, body: &[u8]) {
    let problem = reply.json();
    assert_eq!(
        (reply.status, code(reply).as_str()),
        (400, "invalid_payload"),
        "{reply:?}"
    );
    let looked_for = problem["looked_for"].as_array();
    assert!(
        looked_for.is_some_and(|names| !names.is_empty()),
        "{problem}"
    );
    let seq = problem["receipt"]["seq"]
        .as_u64()
        .unwrap_or_else(|| panic!("no seq: {problem}"));
    let entry = &server.entries("acme")[usize::try_from(seq).unwrap()];
    assert_eq!(entry["event"], "intake.rejected", "{entry}");
    assert_eq!(entry["hash"], problem["receipt"]["hash"], "{entry}");
    let evidence = entry["payload"]["evidence"].as_array().unwrap();
    let raw = evidence.iter().find(|piece| piece["kind"] == "raw");
    let raw = raw.unwrap_or_else(|| panic!("no raw evidence in {entry}"));
    assert_eq!(raw["sha256"], hex::encode(Sha256::digest(body)), "{entry}");
    assert_eq!(raw["length"], body.len(), "{entry}");
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_is_read_and_one_at_the_limit_is_taken() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let sized = |id: &str, length: usize| {
        let mut body = acme.body(id, "whoami /all");
        body.resize(length, b' ');
        body
    };
    for signed in [true, false] {
        let reply = post(&mut server.http(), &acme, &sized("d-1", LIMIT + 1), signed);
        assert_eq!(
            (reply.status, code(&reply).as_str()),
            (413, "payload_too_large"),
            "{reply:?}"
        );
        // Announced alone: not a byte of the body is needed for the answer.
        let length = (50 * LIMIT).to_string();
        let head = [
            ("content-type", "application/json"),
            ("content-length", length.as_str()),
        ];
        let announced = request_bytes("POST", "/webhook/crowdstrike", &head, b"");
        let reply = server.http().try_send(&announced).unwrap();
        assert_eq!(
            (reply.status, code(&reply).as_str()),
            (413, "payload_too_large"),
            "{reply:?}"
        );
    }
    // Not announced: chunk by chunk, until it is too much.
    let head = [
        ("content-type", "application/json"),
        ("transfer-encoding", "chunked"),
    ];
    let mut http = server.http();
    http.send_raw(&request_bytes("POST", "/webhook/crowdstrike", &head, b""))
        .unwrap();
    let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 0x10000], b"\r\n"].concat();
    for _ in 0..6 {
        // It may be refused while it is being written.
        if http.send_raw(&chunk).is_err() {
            break;
        }
    }
    let reply = http.read_reply().unwrap();
    assert_eq!(
        (reply.status, code(&reply).as_str()),
        (413, "payload_too_large"),
        "{reply:?}"
    );

    let whole = sized("d-2", LIMIT);
    assert_eq!(post(&mut server.http(), &acme, &whole, false).status, 401);
    let reply = post(&mut server.http(), &acme, &whole, true);
    assert_eq!(reply.status, 202, "{reply:?}");
    assert_eq!(server.verify("acme")["ok"], true);
}

#[test]
fn a_truncated_body_is_never_an_alert() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let body = acme.body("d-1", "whoami /all");
    // Signed as a whole and cut on its way, and signed as it is, cut: both are unreadable.
    for cut in [1, body.len() / 3, body.len() - 1] {
        let part = &body[..cut];
        let signature = sign(&acme.secret, &body);
        let path = "/t/acme/webhook/crowdstrike";
        let reply = server
            .http()
            .post(path, &[("x-vyrox-signature", &signature)], part);
        assert_eq!(reply.status, 401, "{cut} bytes: {reply:?}");
        for signed in [true, false] {
            let reply = post(&mut server.http(), &acme, part, signed);
            assert_eq!(reply.status, 401, "{cut} bytes, signed {signed}: {reply:?}");
        }
    }
    let events: Vec<Value> = server
        .entries("acme")
        .iter()
        .map(|e| e["event"].clone())
        .collect();
    assert!(!events.contains(&json!("alert.received")), "{events:?}");
    // The whole of it is welcome afterwards.
    assert_eq!(post(&mut server.http(), &acme, &body, true).status, 202);
}

/// Authentic, JSON, and nothing that any reader of ours knows.
#[test]
fn an_authentic_body_of_no_known_shape_is_refused_and_kept() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let bodies: [&[u8]; 13] = [
        b"{}",
        b"null",
        b"17",
        b"\"a text\"",
        b"[]",
        b"[1,2,3]",
        b"{\"customer_id\":\"acme\"}",
        b"{\"customer_id\":\"acme\",\"detect_id\":null}",
        b"{\"customer_id\":\"acme\",\"detect_id\":{\"a\":1}}",
        b"{\"customer_id\":\"acme\",\"detect_id\":[\"d\"]}",
        b"{\"customer_id\":\"acme\",\"detect_id\":\"\"}",
        b"{\"customer_id\":\"acme\",\"something\":\"mimikatz.exe \\u202e \\ud800\"}",
        b"{\"resources\":[]}",
    ];
    let mut http = server.http();
    for body in bodies {
        let sent = String::from_utf8_lossy(body);
        assert_eq!(
            post(&mut http, &acme, body, false).status,
            401,
            "{sent} unsigned"
        );
        let reply = post(&mut http, &acme, body, true);
        assert_eq!(reply.status, 400, "{sent}: {reply:?}");
        kept(&server, &reply, body);
    }
    assert_eq!(server.verify("acme")["ok"], true);
}

/// The account's member alone must be unambiguous before the signature is checked; any other member
/// that stands twice is for the full parser, which either way loses nothing.
#[test]
fn a_member_that_stands_twice_is_never_read_in_two_ways() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let mut http = server.http();
    let account = br#"{"customer_id":"acme","detect_id":"d","customer_id":"acme"}"#;
    let escaped = br#"{"customer_id":"acme","detect_id":"d","customer\u005fid":"acme"}"#;
    for body in [account.as_slice(), escaped] {
        for signed in [true, false] {
            assert_eq!(post(&mut http, &acme, body, signed).status, 401);
        }
    }
    let id = br#"{"customer_id":"acme","detect_id":"d-1","severity":"LOW","detect_id":"d-2"}"#;
    assert_eq!(post(&mut http, &acme, id, false).status, 401);
    let reply = post(&mut http, &acme, id, true);
    println!(
        "a doubled detect_id, signed: {} {}",
        reply.status,
        reply.text()
    );
    match reply.status {
        400 => kept(&server, &reply, id),
        202 => holds_raw(&server, &reply, id),
        other => panic!("{other}: {reply:?}"),
    }
    assert_eq!(server.verify("acme")["ok"], true);
}

/// Insists that an accepted body is kept as it came.
fn holds_raw(server: &Server, reply: &Reply, body: &[u8]) {
    assert_eq!(reply.status, 202, "{reply:?}");
    let seq = reply.json()["receipt"]["seq"].as_u64().unwrap();
    let entry = &server.entries("acme")[usize::try_from(seq).unwrap()];
    let evidence = entry["payload"]["evidence"].as_array().unwrap();
    let raw = evidence.iter().find(|piece| piece["kind"] == "raw");
    let raw = raw.unwrap_or_else(|| panic!("no raw evidence in {entry}"));
    assert_eq!(raw["sha256"], hex::encode(Sha256::digest(body)), "{entry}");
    assert_eq!(raw["length"], body.len(), "{entry}");
}

#[test]
fn numbers_out_of_every_range_and_members_of_other_types_do_not_hide_an_alert() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let mut http = server.http();
    let digits = "9".repeat(4000);
    let odd = [
        "\"severity\":1e999999".to_owned(),
        "\"severity\":-0.0e-400".to_owned(),
        format!("\"severity\":{digits}"),
        format!("\"timestamp\":{digits}"),
        "\"timestamp\":-1e308".to_owned(),
        "\"timestamp\":18446744073709551616".to_owned(),
        "\"severity\":{\"level\":5}".to_owned(),
        "\"sensor\":\"a text\"".to_owned(),
        "\"sensor\":{\"hostname\":17,\"agent_id\":[]}".to_owned(),
        "\"process\":[1,2]".to_owned(),
        "\"process\":{\"command_line\":{\"a\":1},\"file_name\":false}".to_owned(),
        "\"tactic\":true,\"technique\":null".to_owned(),
        "\"process\":{\"command_line\":\"\\ud800 mimikatz.exe \\udfff\"}".to_owned(),
        format!(
            "\"process\":{{\"command_line\":\"{}\"}}",
            "A".repeat(100_000)
        ),
    ];
    for (nth, members) in odd.iter().enumerate() {
        let body = format!("{{\"customer_id\":\"acme\",\"detect_id\":\"d-{nth}\",{members}}}");
        let body = body.as_bytes();
        let shown: String = members.chars().take(60).collect();
        assert_eq!(
            post(&mut http, &acme, body, false).status,
            401,
            "{shown} unsigned"
        );
        let reply = post(&mut http, &acme, body, true);
        assert_eq!(reply.status, 202, "{shown}: {reply:?}");
        holds_raw(&server, &reply, body);
        let alert = server.judged("acme", reply.json()["alert_id"].as_str().unwrap());
        assert!(alert["verdict"].is_string(), "{shown}: {alert}");
    }
    let report = server.verify("acme");
    assert_eq!(report["ok"], true, "{report}");
}

/// A tenant that has used up its room is told so, whatever it sends; what it had is not touched, and
/// its neighbour has room.
#[test]
fn a_tenants_used_up_quota_stops_that_tenant_alone() {
    let dir = tempdir().unwrap();
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_LIMITS__TENANT_QUOTA_BYTES", "1048576"));
    let server = Server::start(dir.path(), &env);
    let (acme, globex) = (server.add_tenant("acme"), server.add_tenant("globex"));
    let wide = |mut body: Vec<u8>| {
        body.resize(200_000, b' ');
        body
    };
    let alert = |tenant: &Tenant, n: usize| wide(tenant.body(&format!("d-{n}"), "whoami /all"));
    let unknown = |n: usize| wide(format!("{{\"customer_id\":\"acme\",\"n\":{n}}}").into_bytes());
    let mut http = server.http();
    let mut statuses = Vec::new();
    // Alerts and what nobody understands take their room from the same quota.
    for n in 0..6 {
        statuses.push(post(&mut http, &acme, &unknown(n), true).status);
        statuses.push(post(&mut http, &acme, &alert(&acme, n), true).status);
    }
    let taken = statuses
        .iter()
        .filter(|status| [202, 400].contains(status))
        .count();
    let refused = statuses.iter().filter(|status| **status == 507).count();
    assert_eq!((taken, refused), (5, 7), "{statuses:?}");
    let reply = post(&mut http, &acme, &alert(&acme, 9), true);
    assert_eq!(
        (reply.status, code(&reply).as_str()),
        (507, "quota_exceeded"),
        "{reply:?}"
    );
    let repeat = post(&mut http, &acme, &alert(&acme, 0), true);
    assert_eq!(
        repeat.status, 200,
        "what is there is still recognised: {repeat:?}"
    );
    let neighbour = globex.post(&mut http, "crowdstrike", &alert(&globex, 0));
    assert_eq!(neighbour.status, 202, "{neighbour:?}");
    assert!(server.terminate().success());
    let server = Server::start(dir.path(), &env);
    for body in [alert(&acme, 9), unknown(9)] {
        let reply = post(&mut server.http(), &acme, &body, true);
        assert_eq!(reply.status, 507, "after a restart: {reply:?}");
    }
    let entries = server.entries("acme");
    let told = |entry: &&Value| {
        let event = entry["event"].as_str().unwrap();
        ["alert.received", "intake.rejected"].contains(&event)
    };
    let of_quota = |entry: &&Value| entry["payload"]["reason"] == "quota_exceeded";
    let (refused, kept): (Vec<_>, Vec<_>) = entries.iter().filter(told).partition(of_quota);
    assert_eq!(kept.len(), taken);
    assert_eq!(refused.len(), 1, "said once an hour: {refused:?}");
    assert_eq!(server.verify("acme")["ok"], true);
}
