//! Every vendor, every way to sign, both ways in.

use serde_json::{Value, json};
use tempfile::tempdir;

use super::entry_of;
use crate::server::{
    NO_RATIONS, Reply, SERVICE_SECRET, Server, VENDORS, mac, mac_hex, sign, unix_s,
};

/// A minimal alert of each vendor that names `account` itself.
fn alert(vendor: &str, account: &str, id: &str) -> Vec<u8> {
    let body = match vendor {
        "crowdstrike" => json!({
            "detect_id": id, "customer_id": account, "severity": 70,
            "sensor": { "hostname": "H", "agent_id": "1" },
        }),
        "sentinelone" => json!({
            "id": id, "accountId": account, "severity": "high",
            "agentRealtimeInfo": { "computerName": "H", "agentId": "1" }, "processName": "a.exe",
        }),
        "defender" => json!({
            "id": id, "tenant_id": account, "severity": "High", "title": "t",
            "machineId": "1", "computerDnsName": "H",
        }),
        _ => json!({ "alert_id": id, "tenant_id": account, "severity": "high", "device": "H" }),
    };
    body.to_string().into_bytes()
}

#[test]
fn all_vendors_are_heard_by_payload_and_by_path() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let mut http = server.http();
    for vendor in VENDORS {
        let paths = [
            format!("/webhook/{vendor}"),
            format!("/t/acme/webhook/{vendor}"),
        ];
        for (nth, path) in paths.iter().enumerate() {
            let body = alert(vendor, "acme", &format!("{vendor}-{nth}"));
            let signature = sign(&acme.secret, &body);
            let reply = http.post(path, &[("x-vyrox-signature", &signature)], &body);
            assert_eq!(reply.status, 202, "{path}: {reply:?}");
            let answer = reply.json();
            let entry = entry_of(&server, "acme", &answer["receipt"]);
            assert_eq!(entry["actor"], format!("vendor:{vendor}"), "{entry}");
            let shown = server.judged("acme", answer["alert_id"].as_str().unwrap());
            assert_eq!(shown["vendor"], vendor, "{shown}");
            assert_eq!(shown["host"], "H", "{path}: {shown}");
            assert!(shown["verdict"].is_string(), "{path}: {shown}");
        }
    }
}

#[test]
fn a_vendors_own_account_leads_to_its_tenant() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let globex = server.add_tenant("globex");
    let cid = "0123456789ABCDEF0123456789ABCDEF-12";
    let added = server.cli(&[
        "tenant",
        "update",
        "acme",
        "--account",
        &format!("crowdstrike:{cid}"),
    ]);
    assert!(added.status.success(), "{added:?}");
    let mut http = server.http();
    let answer = acme.alert(&mut http, "crowdstrike", &alert("crowdstrike", cid, "d-1"));
    entry_of(&server, "acme", &answer["receipt"]);
    // One account, one tenant, and no other's signature.
    let taken = server.cli(&[
        "tenant",
        "update",
        "globex",
        "--account",
        &format!("crowdstrike:{cid}"),
    ]);
    assert_eq!(taken.status.code(), Some(1), "{taken:?}");
    let stolen = globex.post(&mut http, "crowdstrike", &alert("crowdstrike", cid, "d-2"));
    assert_eq!(stolen.status, 401, "{stolen:?}");
    // At its own path a tenant's account is data: another's is taken like one that nobody has, and
    // stays with the tenant whose path it is.
    let body = alert("crowdstrike", cid, "d-3");
    let signature = sign(&globex.secret, &body);
    let path = "/t/globex/webhook/crowdstrike";
    let reply = http.post(path, &[("x-vyrox-signature", &signature)], &body);
    assert_eq!(reply.status, 202, "{reply:?}");
    entry_of(&server, "globex", &reply.json()["receipt"]);
    let unheard_of = alert("crowdstrike", "FEDCBA9876543210FEDCBA9876543210-34", "d-4");
    let signature = sign(&globex.secret, &unheard_of);
    let other = http.post(path, &[("x-vyrox-signature", &signature)], &unheard_of);
    assert_eq!(other.status, 202, "{other:?}");
    let shared: Vec<_> = server
        .entries("acme")
        .iter()
        .filter(|entry| entry["event"] == "alert.received")
        .map(|entry| entry["hash"].clone())
        .collect();
    assert_eq!(
        shared,
        [answer["receipt"]["hash"].clone()],
        "acme has its own alone"
    );
}

/// Adds a tenant whose one CrowdStrike webhook authenticates with `auth`; gives its secret.
fn onboard(server: &Server, id: &str, auth: &str) -> String {
    let spec = format!("crowdstrike:{auth}");
    let output = server.cli(&["tenant", "add", id, "--vendor", &spec, "--json"]);
    assert!(output.status.success(), "{auth}: {output:?}");
    let added: Value = serde_json::from_slice(&output.stdout).unwrap();
    let webhook = &added["webhooks"][0];
    assert_eq!(
        webhook["url"],
        format!("{}/t/{id}/webhook/crowdstrike", server.base())
    );
    webhook["secret"]
        .as_str()
        .unwrap_or_else(|| panic!("no secret in {added}"))
        .to_owned()
}

struct Sent<'a> {
    headers: Vec<(&'a str, String)>,
    status: u16,
    why: &'a str,
}

fn sent<'a>(status: u16, why: &'a str, headers: &[(&'a str, &str)]) -> Sent<'a> {
    let headers = headers
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    Sent {
        headers,
        status,
        why,
    }
}

fn try_all(server: &Server, tenant: &str, body: &[u8], all: &[Sent<'_>]) -> Vec<Reply> {
    let mut http = server.http();
    let one = |sent: &Sent<'_>| {
        let headers: Vec<_> = sent.headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let reply = http.post(&format!("/t/{tenant}/webhook/crowdstrike"), &headers, body);
        assert_eq!(reply.status, sent.status, "{}: {reply:?}", sent.why);
        reply
    };
    all.iter().map(one).collect()
}

#[test]
fn a_bearer_token_is_the_secret_itself() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let secret = onboard(&server, "acme", "bearer");
    let body = alert("crowdstrike", "acme", "d-1");
    let header = "authorization";
    let right = format!("Bearer {secret}");
    let signature = sign(&secret, &body);
    try_all(
        &server,
        "acme",
        &body,
        &[
            sent(401, "nothing", &[]),
            sent(401, "no scheme", &[(header, &secret)]),
            sent(
                401,
                "another scheme",
                &[(header, &format!("Basic {secret}"))],
            ),
            sent(401, "cut", &[(header, &right[..right.len() - 1])]),
            sent(401, "longer", &[(header, &format!("{right}0"))]),
            sent(401, "twice", &[(header, &right), (header, &right)]),
            sent(
                401,
                "a signature, which it did not choose",
                &[("x-vyrox-signature", &signature)],
            ),
            sent(202, "right", &[(header, &right)]),
        ],
    );
}

#[test]
fn a_named_header_can_carry_the_secret() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let secret = onboard(&server, "acme", "header-secret=X-Falcon-Key");
    let body = alert("crowdstrike", "acme", "d-1");
    try_all(
        &server,
        "acme",
        &body,
        &[
            sent(401, "nothing", &[]),
            sent(401, "another header", &[("x-webhook-secret", &secret)]),
            sent(401, "empty", &[("x-falcon-key", "")]),
            sent(401, "cut", &[("x-falcon-key", &secret[1..])]),
            sent(202, "right", &[("X-FALCON-KEY", &secret)]),
        ],
    );
    let secret = onboard(&server, "globex", "header-secret");
    let body = alert("crowdstrike", "globex", "d-1");
    try_all(
        &server,
        "globex",
        &body,
        &[
            sent(
                401,
                "a name of another tenant's choice",
                &[("x-falcon-key", &secret)],
            ),
            sent(202, "the default name", &[("x-webhook-secret", &secret)]),
        ],
    );
}

#[test]
fn falcons_own_signature_covers_its_timestamp() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let secret = onboard(&server, "acme", "falcon-hmac");
    let body = alert("crowdstrike", "acme", "d-1");
    let (signature, time) = ("x-cs-primary-signature", "x-cs-delivery-timestamp");
    let signed = |at: &str| base64(&mac(&secret, &[&body, at.as_bytes()].concat()));
    let now = unix_s().to_string();
    let stale = (unix_s() - 3600).to_string();
    try_all(
        &server,
        "acme",
        &body,
        &[
            sent(401, "nothing", &[]),
            sent(
                401,
                "no timestamp",
                &[(signature, &base64(&mac(&secret, &body)))],
            ),
            sent(
                401,
                "another time than signed",
                &[(signature, &signed(&now)), (time, &stale)],
            ),
            sent(
                401,
                "an hour old",
                &[(signature, &signed(&stale)), (time, &stale)],
            ),
            sent(
                401,
                "our own form",
                &[("x-vyrox-signature", &sign(&secret, &body))],
            ),
            sent(202, "right", &[(signature, &signed(&now)), (time, &now)]),
        ],
    );
}

#[test]
fn falcons_header_and_order_are_the_customers_choice() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let auth = "falcon-hmac=X-Cs-Signature,timestamp=X-Cs-Timestamp,form=timestamp-body-hex";
    let secret = onboard(&server, "acme", auth);
    let body = alert("crowdstrike", "acme", "d-1");
    let now = unix_s().to_string();
    let right = mac_hex(&secret, &[now.as_bytes(), &body].concat());
    let other_order = base64(&mac(&secret, &[&body, now.as_bytes()].concat()));
    let time = ("x-cs-timestamp", now.as_str());
    try_all(
        &server,
        "acme",
        &body,
        &[
            sent(
                401,
                "the other order",
                &[("x-cs-signature", &other_order), time],
            ),
            sent(
                401,
                "the default header",
                &[("x-cs-primary-signature", &right), time],
            ),
            sent(202, "right", &[("x-cs-signature", &right), time]),
        ],
    );
}

/// The host-wide secret is a crutch for tenants without a webhook: on demand only, loud, and never in
/// the place of a tenant's own.
#[test]
fn a_fallback_secret_is_used_where_it_is_wanted_and_leaves_a_trace() {
    let dir = tempdir().unwrap();
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_HMAC_SECRET", SERVICE_SECRET));
    let server = Server::start(dir.path(), &env);
    onboard(&server, "acme", "vyrox-hmac");
    let body = alert("generic", "acme", "g-1");
    let by_service = [("x-vyrox-signature", &*sign(SERVICE_SECRET, &body))];
    let refused = server.http().post("/webhook/generic", &by_service, &body);
    assert_eq!(refused.status, 401, "nobody turned it on: {refused:?}");
    assert!(server.terminate().success());

    env.push(("VYROX_AUTH__WEBHOOK_FALLBACK", "true"));
    let server = Server::start(dir.path(), &env);
    let reply = server.http().post("/webhook/generic", &by_service, &body);
    assert_eq!(reply.status, 202, "{reply:?}");
    entry_of(&server, "acme", &reply.json()["receipt"]);
    let used = |server: &Server| {
        let entries = server.entries("acme");
        entries
            .iter()
            .filter(|entry| entry["event"] == "webhook.secret_fallback_used")
            .count()
    };
    assert_eq!(used(&server), 1);
    let log = server.stderr();
    let warned = log
        .lines()
        .any(|line| line.contains("WARN") && line.contains("stood in"));
    assert!(warned, "no warning in:\n{log}");
    // CrowdStrike's webhook has a secret of its own, and a stranger is nobody's tenant.
    for (path, account) in [
        ("/webhook/crowdstrike", "acme"),
        ("/webhook/generic", "nobody-known"),
    ] {
        let body = alert(path.rsplit('/').next().unwrap(), account, "d-1");
        let signature = sign(SERVICE_SECRET, &body);
        let reply = server
            .http()
            .post(path, &[("x-vyrox-signature", &signature)], &body);
        assert_eq!(reply.status, 401, "{path} as {account}: {reply:?}");
    }
    assert_eq!(used(&server), 1);
    assert_eq!(server.verify("acme")["ok"], true);
}

/// RFC 4648 with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let octet = |n: usize| u32::from(three.get(n).copied().unwrap_or_default());
        let group = octet(0) << 16 | octet(1) << 8 | octet(2);
        for digit in 0..4_usize {
            let index = (group >> (18 - 6 * digit)) & 63;
            let padding = digit > three.len();
            text.push(if padding {
                '='
            } else {
                char::from(DIGITS[index as usize])
            });
        }
    }
    text
}

#[test]
fn the_encoder_of_these_tests_knows_the_published_vectors() {
    let vectors = [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foobar", "Zm9vYmFy"),
    ];
    for (plain, encoded) in vectors {
        assert_eq!(base64(plain.as_bytes()), encoded);
    }
}
