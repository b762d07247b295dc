//! Promise: a webhook's secret can be replaced without an alert lost, and an ended secret is ended.

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::server::{DEADLINE, Http, NO_RATIONS, Server, Tenant, eventually, unix_s, vyrox};

/// Rotates acme's CrowdStrike secret through the command line; gives the tenant with the new one.
fn rotate(server: &Server, overlap_s: u32) -> Tenant {
    let overlap = overlap_s.to_string();
    let arguments = [
        "tenant",
        "rotate-secret",
        "acme",
        "--vendor",
        "crowdstrike",
        "--overlap",
        &overlap,
        "--json",
    ];
    let output = server.cli(&arguments);
    assert!(output.status.success(), "{output:?}");
    let issued: Value = serde_json::from_slice(&output.stdout).unwrap();
    let webhooks = issued["webhooks"].as_array().unwrap();
    assert_eq!(
        webhooks.len(),
        1,
        "only the one that was rotated is shown: {issued}"
    );
    assert_eq!(webhooks[0]["vendor"], "crowdstrike", "{issued}");
    let secret = webhooks[0]["secret"].as_str().unwrap().to_owned();
    assert!(secret.len() >= 32, "{} characters", secret.len());
    Tenant {
        id: "acme".into(),
        secret,
    }
}

/// The status of a new alert signed by `tenant`.
fn status(tenant: &Tenant, http: &mut Http, id: &str) -> u16 {
    tenant
        .post(http, "crowdstrike", &tenant.body(id, "whoami /all"))
        .status
}

fn rotations(server: &Server) -> usize {
    let entries = server.entries("_host");
    entries
        .iter()
        .filter(|entry| entry["event"] == "secret.rotated")
        .count()
}

#[test]
fn both_secrets_hold_during_the_overlap_also_over_a_restart() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let old = server.add_tenant("acme");
    let new = rotate(&server, 3600);
    assert_ne!(old.secret, new.secret);
    let check = |server: &Server, round: &str| {
        let mut http = server.http();
        assert_eq!(
            status(&old, &mut http, &format!("old-{round}")),
            202,
            "{round}"
        );
        assert_eq!(
            status(&new, &mut http, &format!("new-{round}")),
            202,
            "{round}"
        );
        // The other vendors' secret is what it was, and no secret is everybody's.
        let generic = |secret: &Tenant| {
            let body = json!({ "tenant_id": "acme", "alert_id": round }).to_string();
            secret
                .post(&mut server.http(), "generic", body.as_bytes())
                .status
        };
        assert_eq!((generic(&old), generic(&new)), (202, 401), "{round}");
        let shown = server.get("/api/v1/tenants/acme");
        let webhooks = shown["webhooks"].as_array().unwrap();
        let webhook = webhooks
            .iter()
            .find(|hook| hook["vendor"] == "crowdstrike")
            .unwrap();
        assert_eq!(webhook["secret_version"], 2, "{webhook}");
        assert!(webhook["previous_until_ms"].is_u64(), "{webhook}");
        assert_eq!(rotations(server), 1);
    };
    check(&server, "at once");
    assert!(server.terminate().success());
    let server = Server::start(dir.path(), NO_RATIONS);
    check(&server, "after an orderly end");
    server.kill9();
    check(&Server::start(dir.path(), NO_RATIONS), "after power off");
}

#[test]
fn without_an_overlap_the_old_secret_ends_at_once() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let old = server.add_tenant("acme");
    let first = rotate(&server, 0);
    let check = |server: &Server, new: &Tenant, ended: &[&Tenant], round: &str| {
        let mut http = server.http();
        assert_eq!(status(new, &mut http, round), 202, "{round}");
        for old in ended {
            assert_eq!(
                status(old, &mut http, &format!("old {round}")),
                401,
                "{round}"
            );
        }
    };
    check(&server, &first, &[&old], "at once");
    server.kill9();
    let server = Server::start(dir.path(), NO_RATIONS);
    check(&server, &first, &[&old], "after power off");
    let second = rotate(&server, 0);
    check(&server, &second, &[&first, &old], "a second time");
    assert!(server.terminate().success());
    let server = Server::start(dir.path(), NO_RATIONS);
    check(&server, &second, &[&first, &old], "after an orderly end");
    assert_eq!(rotations(&server), 2);
    assert_eq!(server.verify("_host")["ok"], true);
}

#[test]
fn a_rotation_during_an_overlap_ends_the_oldest_secret() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let oldest = server.add_tenant("acme");
    let old = rotate(&server, 3600);
    let new = rotate(&server, 3600);
    let mut http = server.http();
    let statuses =
        [&oldest, &old, &new].map(|tenant| status(tenant, &mut http, &tenant.secret[..8]));
    assert_eq!(statuses, [401, 202, 202], "two secrets may be live");
}

#[test]
fn an_overlap_ends_by_itself_and_the_chain_says_so() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let old = server.add_tenant("acme");
    let new = rotate(&server, 1);
    let mut http = server.http();
    let mut sent = 0;
    eventually(DEADLINE, || {
        sent += 1;
        match status(&old, &mut http, &format!("old-{sent}")) {
            202 => None,
            401 => Some(()),
            other => panic!("{other}"),
        }
    });
    assert_eq!(status(&new, &mut http, "new"), 202);
    eventually(DEADLINE, || {
        let retired = server
            .entries("_host")
            .into_iter()
            .find(|e| e["event"] == "secret.retired");
        retired.map(|entry| assert_eq!(entry["payload"]["tenant_id"], "acme", "{entry}"))
    });
    // It stays ended when the host comes back.
    assert!(server.terminate().success());
    let server = Server::start(dir.path(), NO_RATIONS);
    let mut http = server.http();
    assert_eq!(
        [
            status(&old, &mut http, "old"),
            status(&new, &mut http, "new-2")
        ],
        [401, 202]
    );
}

#[test]
fn an_overlap_that_ends_while_the_host_is_down_has_ended() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let old = server.add_tenant("acme");
    let new = rotate(&server, 1);
    let shown = server.get("/api/v1/tenants/acme");
    let webhooks = shown["webhooks"].as_array().unwrap();
    let until_ms = webhooks
        .iter()
        .find_map(|hook| hook["previous_until_ms"].as_u64())
        .unwrap();
    server.kill9();
    // The end of the overlap is a moment of the clock, so the clock is what is looked at.
    eventually(DEADLINE, || {
        assert!(vyrox(&["--version"]).status.success());
        (unix_s() * 1000 > until_ms).then_some(())
    });
    let server = Server::start(dir.path(), NO_RATIONS);
    let mut http = server.http();
    assert_eq!(
        [
            status(&old, &mut http, "old"),
            status(&new, &mut http, "new")
        ],
        [401, 202]
    );
}

#[test]
fn a_weak_secret_is_refused_and_changes_nothing() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    for weak in ["", "short", "changeme", &"a".repeat(31)] {
        let body = json!({ "vendor": "crowdstrike", "secret": weak });
        let reply = server.api("POST", "/api/v1/tenants/acme/rotate-secret", Some(&body));
        assert_eq!(reply.status, 400, "{weak:?}: {reply:?}");
        assert_eq!(
            reply.json()["code"],
            "invalid_secret",
            "{weak:?}: {reply:?}"
        );
        assert!(weak.is_empty() || !reply.text().contains(weak), "{reply:?}");
    }
    assert_eq!(status(&acme, &mut server.http(), "d-1"), 202);
    assert_eq!(rotations(&server), 0);
}
