//! Services without a token sign `"T:N"` with the secret that they share with the server.

use tempfile::tempdir;

use super::started;
use crate::server::{NO_RATIONS, SERVICE_SECRET, Server, sign, unix_s};

/// Asks for `tenant` with a signature over `"{signed}:{at}"`.
fn ask(server: &Server, path: &str, signed: &str, at: &str, secret: &str) -> u16 {
    let signature = sign(secret, format!("{signed}:{at}").as_bytes());
    let headers = [
        ("x-vyrox-timestamp", at),
        ("x-vyrox-signature", signature.as_str()),
    ];
    let reply = server.http().get(path, &headers);
    if reply.status != 200 {
        assert_eq!(reply.json()["code"], "invalid_signature", "{reply:?}");
    }
    reply.status
}

#[test]
fn a_signature_over_tenant_and_time_opens_that_tenants_audit_for_half_a_minute() {
    let dir = tempdir().unwrap();
    let server = started(dir.path(), 1);
    let paths = ["export", "head", "verify"].map(|of| format!("/audit/{of}?tenant_id=acme"));
    for path in &paths {
        let now = unix_s();
        // Well inside and well outside of the thirty seconds: the test itself takes time.
        for near in [now, now - 20, now + 20] {
            let status = ask(&server, path, "acme", &near.to_string(), SERVICE_SECRET);
            assert_eq!(status, 200, "{path} at {near}, now {now}");
        }
        for far in [now - 3600, now - 120, now + 120, now + 86_400, 0] {
            let status = ask(&server, path, "acme", &far.to_string(), SERVICE_SECRET);
            assert_eq!(status, 401, "{path} at {far}, now {now}");
        }
        let now = now.to_string();
        let wrong = [
            (
                "globex",
                now.as_str(),
                SERVICE_SECRET,
                "another tenant was signed",
            ),
            (
                "acme",
                now.as_str(),
                "0123456789abcdef0123456789abcdef",
                "another secret",
            ),
            ("acme", "", SERVICE_SECRET, "no time"),
            ("acme", "soon", SERVICE_SECRET, "no number"),
            ("acme", "-1", SERVICE_SECRET, "before all time"),
            (
                "acme",
                "99999999999999999999999999",
                SERVICE_SECRET,
                "no such time",
            ),
        ];
        for (signed, at, secret, why) in wrong {
            assert_eq!(ask(&server, path, signed, at, secret), 401, "{path}: {why}");
        }
        let bare = server.http().get(path, &[]);
        assert_eq!(bare.status, 401, "{path}: {bare:?}");
    }
}

#[test]
fn whoever_is_unknown_looks_like_a_wrong_signature() {
    let dir = tempdir().unwrap();
    let server = started(dir.path(), 1);
    let now = unix_s().to_string();
    for tenant in ["nobody-known", "_host", "", "acme%00", "..%2Fglobex"] {
        let path = format!("/audit/head?tenant_id={tenant}");
        assert_eq!(
            ask(&server, &path, tenant, &now, SERVICE_SECRET),
            401,
            "{tenant:?}"
        );
    }
    // A signature is for one tenant: it opens no other's chain.
    let signature = sign(SERVICE_SECRET, format!("acme:{now}").as_bytes());
    let headers = [
        ("x-vyrox-timestamp", now.as_str()),
        ("x-vyrox-signature", &signature),
    ];
    let reply = server
        .http()
        .get("/audit/export?tenant_id=globex", &headers);
    assert_eq!(reply.status, 401, "{reply:?}");
}

#[test]
fn without_a_shared_secret_only_tokens_open_the_audit() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    server.add_tenant("acme");
    let now = unix_s().to_string();
    for secret in ["", SERVICE_SECRET] {
        assert_eq!(
            ask(&server, "/audit/head?tenant_id=acme", "acme", &now, secret),
            401
        );
    }
    let head = server.get("/audit/head?tenant_id=acme");
    assert!(
        head.get("seq").is_some() && head.get("checkpoint").is_some(),
        "{head}"
    );
}
