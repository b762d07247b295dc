//! Promise: who can't prove where a request comes from learns nothing but that, and whatever is
//! authentic and broken is answered by the contract and kept.

mod bodies;
mod surface;

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;
use tempfile::tempdir;

use crate::server::{NO_RATIONS, Reply, Server, Tenant, now, request_bytes, sign};

/// A request that proves nothing, and why it doesn't.
struct Stranger {
    class: &'static str,
    bytes: Vec<u8>,
}

/// All bodies have this length, so that all must cost the same.
const LENGTH: usize = 600;

/// `json` with as much room after it as makes it [`LENGTH`] bytes.
fn padded(mut json: Vec<u8>) -> Vec<u8> {
    assert!(json.len() <= LENGTH, "{} bytes", json.len());
    json.resize(LENGTH, b' ');
    json
}

fn request(path: &str, signature: Option<&str>, body: &[u8]) -> Vec<u8> {
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(signature.map(|signature| ("x-vyrox-signature", signature)));
    request_bytes("POST", path, &headers, body)
}

fn strangers(acme: &Tenant, globex: &Tenant) -> Vec<Stranger> {
    let path = "/webhook/crowdstrike";
    let body = padded(acme.body("d-1", "whoami /all"));
    let right = sign(&acme.secret, &body);
    let digits = right.trim_start_matches("sha256=");
    let mut all = Vec::new();
    let mut add = |class, bytes| all.push(Stranger { class, bytes });
    let signed = |signature: &str| request(path, Some(signature), &body);

    add(
        "wrong secret",
        signed(&sign("0123456789abcdef0123456789abcdef", &body)),
    );
    add(
        "another tenant's secret",
        signed(&sign(&globex.secret, &body)),
    );
    add("missing header", request(path, None, &body));
    add("malformed header", signed(""));
    add("malformed header", signed(digits));
    add("malformed header", signed(&format!("sha1={digits}")));
    add("malformed header", signed(&right[..right.len() - 1]));
    add("malformed header", signed(&format!("{right}00")));
    add(
        "malformed header",
        signed(&format!("sha256={}", "zz".repeat(32))),
    );
    add("malformed header", signed("sha256=\u{fc}\u{fc}"));
    let twice = [
        ("content-type", "application/json"),
        ("x-vyrox-signature", right.as_str()),
        ("x-vyrox-signature", right.as_str()),
    ];
    add(
        "malformed header",
        request_bytes("POST", path, &twice, &body),
    );

    let nobody = Tenant {
        id: "nobody-known".into(),
        secret: acme.secret.clone(),
    };
    let unknown = padded(nobody.body("d-1", "whoami /all"));
    add(
        "unknown tenant",
        request(path, Some(&sign(&acme.secret, &unknown)), &unknown),
    );
    for tenant in ["nobody-known", "_host", "NOT%20AN%20ID", "acme.x"] {
        let path = format!("/t/{tenant}/webhook/crowdstrike");
        add("unknown tenant", request(&path, Some(&right), &body));
    }
    other_ways_to_sign(&mut add);
    for unreadable in unreadable(acme) {
        let unreadable = padded(unreadable);
        let signature = sign(&acme.secret, &unreadable);
        for path in [path, "/t/acme/webhook/crowdstrike"] {
            add(
                "unreadable body",
                request(path, Some(&signature), &unreadable),
            );
        }
    }
    all
}

/// Tenants whose one webhook authenticates in another way, or is another vendor's.
const OTHERS: [(&str, &str); 4] = [
    ("by-bearer", "crowdstrike:bearer"),
    ("by-header", "crowdstrike:header-secret"),
    ("by-falcon", "crowdstrike:falcon-hmac"),
    ("elsewhere", "generic:vyrox-hmac"),
];

fn add_others(server: &Server) {
    for (tenant, webhook) in OTHERS {
        let output = server.cli(&["tenant", "add", tenant, "--vendor", webhook]);
        assert!(output.status.success(), "{output:?}");
    }
}

fn other_ways_to_sign(add: &mut impl FnMut(&'static str, Vec<u8>)) {
    let json = ("content-type", "application/json");
    let guess = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let bearer = format!("Bearer {guess}");
    let long = "9".repeat(500);
    for (tenant, _) in OTHERS {
        let nobody = Tenant {
            id: tenant.to_owned(),
            secret: guess.to_owned(),
        };
        let body = padded(nobody.body("d-1", "whoami /all"));
        let signature = sign(guess, &body);
        let guesses = [
            vec![json],
            vec![json, ("x-vyrox-signature", signature.as_str())],
            vec![json, ("authorization", bearer.as_str())],
            vec![json, ("x-webhook-secret", guess)],
            vec![
                json,
                ("x-cs-primary-signature", guess),
                ("x-cs-delivery-timestamp", "1767225600"),
            ],
            vec![
                json,
                ("x-cs-primary-signature", guess),
                ("x-cs-delivery-timestamp", &long),
            ],
        ];
        let class = if tenant == "elsewhere" {
            "no such webhook"
        } else {
            "another way to sign"
        };
        for headers in &guesses {
            add(
                class,
                request_bytes("POST", "/webhook/crowdstrike", headers, &body),
            );
        }
    }
}

/// Bodies from which no account can be read, whoever signed them.
fn unreadable(acme: &Tenant) -> Vec<Vec<u8>> {
    let good = acme.body("d-1", "whoami /all");
    let truncated = good[..good.len() / 2].to_vec();
    let mut not_utf8 = good;
    let at = not_utf8
        .windows(6)
        .position(|six| six == b"whoami")
        .unwrap();
    not_utf8[at] = 0xff;
    let deep = format!(
        "{{\"customer_id\":\"acme\",\"x\":{}{}}}",
        "[".repeat(40),
        "]".repeat(40)
    );
    let twice = br#"{"customer_id":"acme","detect_id":"d","customer_id":"acme"}"#.to_vec();
    let two_accounts = br#"{"customer_id":"acme","detect_id":"d","cid":"globex"}"#.to_vec();
    vec![
        b"this is no JSON".to_vec(),
        Vec::new(),
        truncated,
        not_utf8,
        deep.into_bytes(),
        twice,
        two_accounts,
        br#"{"customer_id":"acme","detect_id":"d"} {}"#.to_vec(),
        br#"{"customer_id":"acme","detect_id":"d","severity":01}"#.to_vec(),
        br#"{"customer_id":"acme","detect_id":'d'}"#.to_vec(),
    ]
}

/// An answer without what differs between any two: the time of day.
fn timeless(mut reply: Reply) -> Reply {
    reply.headers.retain(|(name, _)| name != "date");
    reply
}

fn macs(server: &Server) -> (u64, u64) {
    let bytes = server.metric("vyrox_webhook_mac_bytes_total");
    (server.metric("vyrox_webhook_macs_total"), bytes)
}

#[test]
fn every_stranger_gets_the_same_answer_for_the_same_work() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let (acme, globex) = (server.add_tenant("acme"), server.add_tenant("globex"));
    add_others(&server);
    let mut http = server.http();
    let mut work = |bytes: &[u8]| {
        let before = macs(&server);
        let reply = http.try_send(bytes).unwrap();
        let after = macs(&server);
        (timeless(reply), (after.0 - before.0, after.1 - before.1))
    };
    let strangers = strangers(&acme, &globex);
    let (expected, cost) = work(&strangers[0].bytes);
    assert_eq!(expected.status, 401, "{expected:?}");
    assert_eq!(
        expected.header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(expected.json()["code"], "invalid_signature");
    assert_eq!(cost.0, 2, "two secrets may be live");
    assert!(cost.1 >= 2 * LENGTH as u64, "{} bytes were hashed", cost.1);
    for stranger in &strangers {
        let (reply, its_cost) = work(&stranger.bytes);
        let sent = String::from_utf8_lossy(&stranger.bytes);
        assert_eq!(reply, expected, "{} was told apart: {sent}", stranger.class);
        assert_eq!(its_cost, cost, "{} cost other work: {sent}", stranger.class);
    }
    // He who is let in costs the same too.
    let body = padded(acme.body("d-1", "whoami /all"));
    let (reply, its_cost) = work(&request(
        "/webhook/crowdstrike",
        Some(&sign(&acme.secret, &body)),
        &body,
    ));
    assert_eq!((reply.status, its_cost), (202, cost), "{reply:?}");
    // And nothing of all that has left a trace on a chain: it was opened, and one alert came.
    let events: Vec<_> = server
        .entries("acme")
        .iter()
        .map(|e| e["event"].clone())
        .collect();
    assert_eq!(
        events[..2],
        [json!("chain.opened"), json!("alert.received")]
    );
    assert!(!events.contains(&json!("intake.rejected")), "{events:?}");
    assert_eq!(server.verify("globex")["ok"], true);
}

#[test]
fn the_time_of_a_refusal_is_printed_by_class() {
    const ROUNDS: usize = 400;
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let (acme, globex) = (server.add_tenant("acme"), server.add_tenant("globex"));
    add_others(&server);
    let mut classes: BTreeMap<&str, Vec<Vec<u8>>> = BTreeMap::new();
    for Stranger { class, bytes } in strangers(&acme, &globex) {
        classes.entry(class).or_default().push(bytes);
    }
    let classes: Vec<_> = classes.into_iter().collect();
    let mut http = server.http();
    let mut times: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for round in 0..ROUNDS {
        // Each class once a round. Each round begins elsewhere, and every other one goes the other
        // way, so that no class profits from its place.
        for step in 0..classes.len() {
            let place = (round + step) % classes.len();
            let place = if round % 2 == 0 {
                place
            } else {
                classes.len() - 1 - place
            };
            let (class, requests) = &classes[place];
            let from = now();
            let reply = http.try_send(&requests[round % requests.len()]).unwrap();
            times.entry(class).or_default().push(from.elapsed());
            assert_eq!(reply.status, 401, "{class}: {reply:?}");
        }
    }
    assert_eq!(times.len(), 8, "{:?}", times.keys());
    let head = ["refused for", "n", "p50 us", "p90 us", "p99 us"];
    let [class, n, p50, p90, p99] = head;
    println!("{class:<26} {n:>6} {p50:>9} {p90:>9} {p99:>9}");
    for (class, times) in &mut times {
        times.sort_unstable();
        let n = times.len();
        let [p50, p90, p99] = [50, 90, 99].map(|percent| times[(n - 1) * percent / 100]);
        let [p50, p90, p99] = [p50, p90, p99].map(|time| time.as_micros());
        println!("{class:<26} {n:>6} {p50:>9} {p90:>9} {p99:>9}");
    }
}
