//! A running server lets in what its chat application signed, and nothing else.

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::{
    discord::clicker::{Account, Clicker, Kind, fault},
    server::{NO_RATIONS, SERVICE_SECRET, Server, sign, unix_s},
};

const ALERT: &str = "01a201b8-7acf-7414-b523-7c6f4cc7942e";

fn says(answer: &Value) -> &str {
    assert_eq!(answer["type"], 4, "{answer}");
    assert_eq!(
        answer["data"]["flags"], 64,
        "for one person's eyes: {answer}"
    );
    answer["data"]["content"].as_str().expect("a sentence")
}

#[test]
fn pings_are_answered_and_probes_are_told_401() {
    let dir = tempdir().unwrap();
    let discord = Clicker::new(1);
    let server = Server::start(dir.path(), &discord.settings());
    let mut http = server.http();
    let body = br#"{"type":1}"#;
    let stamp = unix_s().to_string();
    let good = discord.sign(&stamp, body);
    let other = Clicker::new(2).sign(&stamp, body);
    let old = (unix_s() - 400).to_string();
    let signed_old = discord.sign(&old, body);
    let mut flipped = *body;
    flipped[8] ^= 1;
    // More of them than any source may fail elsewhere: each is told the same.
    for _ in 0..100 {
        for (signature, stamp, body) in [
            ("", stamp.as_str(), &body[..]),
            (&good, "", body),
            (&other, &stamp, body),
            (&signed_old, &old, body),
            (&good, &stamp, &flipped),
        ] {
            let reply = Clicker::post_with(&mut http, signature, stamp, body);
            assert_eq!(reply.status, 401, "{reply:?}");
            assert_eq!(reply.json()["code"], "invalid_signature");
        }
        discord.ping(&mut http);
    }
    let reply = discord.post(&mut http, b"{\"type\":");
    assert_eq!(
        (reply.status, &reply.json()["code"]),
        (400, &json!("invalid_payload"))
    );
    let log = server.stderr();
    assert!(!log.contains(&good), "no signature in the log:\n{log}");
}

#[test]
fn without_a_key_the_routes_of_chat_are_not_provisioned() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let mut http = server.http();
    let reply = Clicker::new(1).post(&mut http, br#"{"type":1}"#);
    assert_eq!(reply.status, 501, "{reply:?}");
    assert_eq!(reply.json()["code"], "interactions_not_provisioned");
    let reply = http.post("/webhook", &[], b"{}");
    assert_eq!(reply.status, 501, "{reply:?}");
    assert_eq!(reply.json()["code"], "notify_not_provisioned");
    for path in ["/interactions", "/webhook"] {
        let reply = http.get(path, &[]);
        assert_eq!(
            (reply.status, reply.header("allow")),
            (405, Some("POST")),
            "{path}"
        );
    }
}

#[test]
fn a_key_that_can_vouch_for_nothing_keeps_the_server_from_starting() {
    let dir = tempdir().unwrap();
    for bad in ["abc", &"0".repeat(64)] {
        let Err(not) = Server::try_start(dir.path(), &[("DISCORD_PUBLIC_KEY", bad)]) else {
            panic!("it started with {bad}");
        };
        assert!(not.stderr.contains("discord.public_key"), "{}", not.stderr);
    }
}

#[test]
fn a_guild_that_nobody_claimed_decides_nothing() {
    let dir = tempdir().unwrap();
    let discord = Clicker::new(1);
    let env = [&discord.settings()[..], NO_RATIONS].concat();
    let server = Server::start(dir.path(), &env);
    server.add_tenant("acme");
    let mut http = server.http();
    let analyst = Account::with_role("53908232506183680", "290926798626357250");
    let manager = analyst.clone().managing();
    for verb in ["approve", "deny", "investigate"] {
        let id = format!("{verb}_{ALERT}_acme.0123456789abcdef");
        let answer = discord.click(&mut http, &analyst, "846462639134605313", &id);
        assert!(says(&answer).contains("not linked"), "{answer}");
    }
    let deny = format!("deny_{ALERT}_acme.0123456789abcdef");
    let form = (deny.as_str(), "a test box");
    let answer = discord.fill_in(&mut http, &analyst, "846462639134605313", form);
    assert!(says(&answer).contains("not linked"), "{answer}");
    let answer = discord.command(&mut http, &analyst, "status", &json!([]));
    assert!(says(&answer).contains("not linked"), "{answer}");
    let code = json!([{ "type": 3, "name": "code", "value": "no-such-code" }]);
    let answer = discord.command(&mut http, &analyst, "register", &code);
    assert!(says(&answer).contains("manage this server"), "{answer}");
    let answer = discord.command(&mut http, &manager, "register", &code);
    assert!(says(&answer).contains("code is wrong"), "{answer}");
    let log = server.stderr();
    assert!(
        !log.contains("no-such-code") && !log.contains("token_of_"),
        "{log}"
    );

    let once = discord.press(&analyst, "846462639134605313", &deny);
    let first = discord.done(&mut http, Kind::Button, &once);
    assert!(says(&first).contains("not linked"), "{first}");
    let again = discord.done(&mut http, Kind::Button, &once);
    assert_eq!(says(&again), "This was already handled.");
}

#[test]
fn an_external_worker_signs_what_it_says() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[("VYROX_HMAC_SECRET", SERVICE_SECRET)]);
    server.add_tenant("acme");
    let mut http = server.http();
    for (tenant, status, code) in [
        ("acme", 409, "chat_not_linked"),
        ("globex", 404, "tenant_not_found"),
        ("_host", 400, "invalid_tenant_id"),
    ] {
        let body = json!({ "tenant_id": tenant, "text": "the backup failed" }).to_string();
        let signature = sign(SERVICE_SECRET, body.as_bytes());
        let header = [("x-vyrox-signature", signature.as_str())];
        let reply = http.post("/webhook", &header, body.as_bytes());
        assert_eq!(
            (reply.status, &reply.json()["code"]),
            (status, &json!(code)),
            "{reply:?}"
        );
        let reply = http.post("/webhook", &header, format!("{body} ").as_bytes());
        assert_eq!(reply.status, 401, "{reply:?}");
    }
}

/// The stand-in is worth something only if it is strict.
#[test]
fn the_stand_in_takes_no_answer_that_discord_would_not() {
    let field = |max: u64| json!({ "type": 4, "custom_id": "reason", "style": 2, "min_length": 1, "max_length": max });
    let form = |title: &str, max: u64| {
        json!({ "type": 9, "data": { "custom_id": "deny_x", "title": title, "components": [
            { "type": 18, "label": "Why?", "component": field(max) }] } })
    };
    let message = |data: Value| {
        let mut data = data;
        data["allowed_mentions"] = json!({ "parse": [] });
        json!({ "type": 4, "data": data })
    };
    let text = |chars| "x".repeat(chars);
    let parts = |embeds: usize| vec![json!({ "description": text(2000) }); embeds];
    for (kind, good) in [
        (Kind::Ping, json!({ "type": 1 })),
        (Kind::Button, form("Deny", 1024)),
        (Kind::Command, json!({ "type": 5, "data": { "flags": 64 } })),
        (
            Kind::Form,
            message(json!({ "content": text(2000), "flags": 64 })),
        ),
        (Kind::Form, message(json!({ "embeds": parts(3) }))),
    ] {
        assert_eq!(fault(kind, &good), None, "{good}");
    }
    for (kind, bad) in [
        (Kind::Ping, json!({ "type": 4 })),
        (Kind::Ping, json!({})),
        (Kind::Ping, json!({ "type": 1, "more": 1 })),
        (Kind::Form, form("Deny", 1024)),
        (Kind::Button, form("", 1024)),
        (Kind::Button, form(&text(46), 1024)),
        (Kind::Button, form("Deny", 4001)),
        (Kind::Button, form("Deny", 0)),
        (Kind::Command, json!({ "type": 6 })),
        (Kind::Command, json!({ "type": 5, "data": { "flags": 1 } })),
        (Kind::Button, json!({ "type": 4 })),
        (
            Kind::Button,
            json!({ "type": 4, "data": { "content": "hi" } }),
        ),
        (Kind::Button, message(json!({}))),
        (Kind::Button, message(json!({ "content": text(2001) }))),
        (
            Kind::Button,
            message(json!({ "content": "hi", "unknown": 1 })),
        ),
        (Kind::Button, message(json!({ "embeds": parts(4) }))),
        (
            Kind::Button,
            message(json!({ "embeds": [{ "title": text(257) }] })),
        ),
        (
            Kind::Button,
            message(json!({ "embeds": [{ "fields": [{ "name": "", "value": "x" }] }] })),
        ),
    ] {
        assert!(fault(kind, &bad).is_some(), "{kind:?} takes {bad}");
    }
}
