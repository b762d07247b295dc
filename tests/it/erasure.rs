//! Evidence goes for ever when somebody says so, and the chain still verifies.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    audit_log::{code, execute},
    server::{DEADLINE, NO_RATIONS, SERVICE_SECRET, Server, Tenant, eventually},
};

/// What an ordinary tool says; closed without anybody.
const QUIET: &str = "whoami /all";

fn take_in(server: &Server, tenant: &Tenant, detect_id: &str) -> String {
    let mut http = server.http();
    let answer = tenant.alert(&mut http, "crowdstrike", &tenant.body(detect_id, QUIET));
    let alert = answer["alert_id"].as_str().expect("an id").to_owned();
    judged(server, &tenant.id, &alert);
    alert
}

/// Waits for a verdict, however slow the disk is: evidence that is still to be judged is not erased.
fn judged(server: &Server, tenant: &str, alert: &str) {
    eventually(DEADLINE, || {
        let view = server.judged(tenant, alert);
        view["verdict"].is_string().then_some(())
    });
}

fn erase(server: &Server, tenant: &str, alert: &str, more: &str) -> (u16, Value) {
    let path = format!("/api/v1/tenants/{tenant}/alerts/{alert}/evidence?reason=a+request{more}");
    let reply = server.api("DELETE", &path, None);
    (reply.status, reply.json())
}

/// An erasure that is asked for until it is through: 503 and 202 ask for patience, which a slow disk needs.
fn erased(server: &Server, tenant: &str, alert: &str, more: &str) -> Value {
    eventually(DEADLINE, || {
        let (status, answer) = erase(server, tenant, alert, more);
        assert!(matches!(status, 200 | 202 | 503), "{status}: {answer}");
        (status == 200).then_some(answer)
    })
}

/// The bytes that a tenant's evidence store really holds, with everything that is durable by now.
fn stored(server: &Server, dir: &Path, tenant: &str) -> Vec<u8> {
    assert_eq!(server.verify(tenant)["ok"], true);
    let store = dir.join("journal/evidence").join(format!("{tenant}.ev"));
    fs::read(&store).unwrap_or_else(|why| panic!("{}: {why}", store.display()))
}

#[test]
fn one_alerts_evidence_goes_and_everything_else_stays() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let acme = server.add_tenant("acme");
    let [kept, gone] = ["kept", "gone"].map(|id| take_in(&server, &acme, id));
    let lines = server.export("acme");
    let answer = erased(&server, "acme", &gone, "");
    // Who had to ask again was not told more than that it is through.
    if answer["status"] != "erased_before" {
        assert_eq!(
            (&answer["status"], &answer["copies"]),
            (&json!("erased"), &json!([]))
        );
        assert_eq!(answer["alerts"], json!([gone]));
    }
    let zeros = stored(&server, dir.path(), "acme")
        .split(|byte| *byte != 0)
        .map(<[u8]>::len)
        .sum::<usize>();

    let after = server.export("acme");
    assert_eq!(after[..lines.len()], lines, "no line of the chain changes");
    let entry: Value = serde_json::from_str(after.last().expect("one more")).expect("an entry");
    assert_eq!(entry["event"], "evidence.erased");
    assert_eq!(
        (&entry["alert_id"], &entry["actor"]),
        (&json!(gone), &json!("api_token:bootstrap"))
    );
    assert_eq!(entry["payload"]["cause"], "erasure");
    assert_eq!(entry["payload"]["alerts"], json!([gone]));
    let bytes = entry["payload"]["bytes"].as_u64().expect("a number");
    let bytes = usize::try_from(bytes).expect("a size");
    assert!(
        bytes > 0 && zeros >= bytes,
        "{zeros} zeros for {bytes} bytes"
    );
    assert_eq!(server.verify("acme")["ok"], true);
    let view = eventually(DEADLINE, || {
        let view = server.judged("acme", &gone);
        view["evidence_erased_at_ms"].is_u64().then_some(view)
    });
    assert!(view["verdict"].is_string(), "the verdict stays: {view}");

    let answer = erased(&server, "acme", &gone, "");
    assert_eq!(answer["status"], "erased_before");
    assert_eq!(
        server.export("acme").len(),
        after.len(),
        "and is not written down twice"
    );
    // A repeat is known as one and is not kept a second time.
    let repeat = acme.post(&mut server.http(), "crowdstrike", &acme.body("gone", QUIET));
    assert_eq!(repeat.status, 200, "{repeat:?}");
    assert_eq!(server.export("acme").len(), after.len());

    // Nothing that is replayed needs what is gone, and the other alert has its own.
    let store = stored(&server, dir.path(), "acme");
    assert!(server.terminate().success());
    let server = Server::start(dir.path(), &[]);
    assert_eq!(stored(&server, dir.path(), "acme"), store);
    assert_eq!(server.verify("acme")["ok"], true);
    // A machine that has just begun looks after its last order first, and asks for patience meanwhile.
    erased(&server, "acme", &kept, "");
}

#[test]
fn alerts_of_one_body_go_together_or_not_at_all() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let acme = server.add_tenant("acme");
    let both = json!([
        { "tenant_id": "acme", "id": "g-1", "title": "one", "severity": "low" },
        { "tenant_id": "acme", "id": "g-2", "title": "two", "severity": "low" },
    ]);
    let reply = acme.post(&mut server.http(), "generic", both.to_string().as_bytes());
    assert_eq!(reply.status, 202, "{reply:?}");
    let answer = reply.json();
    let ids: Vec<String> = answer["alerts"]
        .as_array()
        .unwrap_or_else(|| panic!("{answer}"))
        .iter()
        .map(|alert| alert["alert_id"].as_str().expect("an id").to_owned())
        .collect();
    for id in &ids {
        judged(&server, "acme", id);
    }
    let (status, refused) = erase(&server, "acme", &ids[1], "");
    assert_eq!((status, &refused["code"]), (409, &json!("evidence_shared")));
    assert_eq!(refused["alerts"], json!(ids));
    erased(&server, "acme", &ids[1], "&shared=true");
    let order = server.entries("acme").pop().expect("one more");
    assert_eq!(order["payload"]["alerts"], json!(ids));
    let before = erased(&server, "acme", &ids[0], "&shared=true");
    assert_eq!(before["status"], "erased_before");
}

#[test]
fn what_is_not_meant_or_not_known_erases_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let acme = server.add_tenant("acme");
    let alert = take_in(&server, &acme, "one");
    let (store, lines) = (
        stored(&server, dir.path(), "acme"),
        server.export("acme").len(),
    );
    let unknown = "0198c5a0-9b1e-7c40-8a53-0f5cf1f6c9aa";
    let rows = [
        (
            format!("acme/alerts/{unknown}/evidence?reason=x"),
            404,
            "alert_not_found",
        ),
        (
            format!("nobody/alerts/{alert}/evidence?reason=x"),
            404,
            "tenant_not_found",
        ),
        (
            format!("acme/alerts/{alert}/evidence"),
            400,
            "invalid_query",
        ),
        (
            format!("acme/alerts/{alert}/evidence?reason=+"),
            400,
            "invalid_reason",
        ),
        (
            format!("acme/alerts/{alert}/evidence?reason={}", "x".repeat(501)),
            400,
            "invalid_reason",
        ),
    ];
    for (path, status, code) in rows {
        let reply = server.api("DELETE", &format!("/api/v1/tenants/{path}"), None);
        assert_eq!(
            (reply.status, &reply.json()["code"]),
            (status, &json!(code)),
            "{path}"
        );
    }
    let path = format!("/api/v1/tenants/acme/alerts/{alert}/evidence?reason=x");
    assert_eq!(server.http().request("DELETE", &path, &[], b"").status, 401);
    let unmeant = server.cli(&["alert", "erase", &alert, "--reason", "x"]);
    assert!(!unmeant.status.success());
    assert_eq!(stored(&server, dir.path(), "acme"), store);
    assert_eq!(server.export("acme").len(), lines);
    let meant = server.cli(&["alert", "erase", &alert, "--reason", "x", "--yes"]);
    assert!(meant.status.success(), "{meant:?}");
    assert_eq!(server.export("acme").len(), lines + 1);
}

#[test]
fn a_removed_tenant_is_nobody_and_its_chain_still_verifies() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let [acme, globex] = ["acme", "globex"].map(|id| server.add_tenant(id));
    for tenant in [&acme, &globex] {
        take_in(&server, tenant, "one");
    }
    let lines = server.export("acme");
    let unmeant = server.cli(&[
        "tenant", "remove", "acme", "--reason", "it ended", "--erase",
    ]);
    assert!(!unmeant.status.success());
    let reply = server.api(
        "DELETE",
        "/api/v1/tenants/acme?reason=it+ended&erase=true",
        None,
    );
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.json()["erased"], true);

    let check = |server: &Server| {
        let body = acme.body("two", QUIET);
        assert_eq!(
            acme.post(&mut server.http(), "crowdstrike", &body).status,
            401
        );
        assert_eq!(server.api("GET", "/api/v1/tenants/acme", None).status, 404);
        assert_eq!(server.verify("acme")["ok"], true);
        let after = server.export("acme");
        assert_eq!(after[..lines.len()], lines, "no line of the chain changes");
        let last: Value = serde_json::from_str(after.last().expect("one")).expect("an entry");
        assert_eq!(
            (&last["event"], &last["payload"]["cause"]),
            (&json!("evidence.erased"), &json!("removal"))
        );
        let again = server.api("POST", "/onboard", Some(&json!({ "tenant_id": "acme" })));
        assert_eq!(
            (again.status, &again.json()["code"]),
            (409, &json!("tenant_removed"))
        );
        let twice = server.api("DELETE", "/api/v1/tenants/acme?reason=x&erase=true", None);
        assert_eq!(twice.status, 200, "a repeat sees to the bytes: {twice:?}");
    };
    check(&server);
    let host: Vec<Value> = server.entries("_host");
    let removed = host.iter().find(|entry| entry["event"] == "tenant.removed");
    assert_eq!(removed.expect("it is there")["payload"]["erased"], true);
    assert!(server.terminate().success());
    let server = Server::start(dir.path(), &[]);
    check(&server);
    assert_eq!(server.verify("_host")["ok"], true);
    take_in(&server, &globex, "two");
}

/// Kept at first, and erased when somebody says so later: the tenant is nobody by then.
#[test]
fn a_removed_tenants_evidence_can_be_erased_later() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let acme = server.add_tenant("acme");
    take_in(&server, &acme, "one");
    let store = stored(&server, dir.path(), "acme");
    let removed = server.cli(&["tenant", "remove", "acme", "--reason", "it ended", "--yes"]);
    assert!(removed.status.success(), "{removed:?}");
    assert_eq!(
        stored(&server, dir.path(), "acme"),
        store,
        "the evidence is kept"
    );
    let erased = server.cli(&[
        "tenant", "remove", "acme", "--reason", "and", "--erase", "--yes",
    ]);
    assert!(erased.status.success(), "{erased:?}");
    assert_ne!(stored(&server, dir.path(), "acme"), store);
    assert_eq!(server.verify("acme")["ok"], true);
}

/// Whoever wanted something done about an alert whose evidence was erased was told that it cannot be read now, and asked
/// again for ever.
#[test]
fn an_alert_whose_evidence_was_erased_names_no_target() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_HMAC_SECRET", SERVICE_SECRET));
    let server = Server::start(dir.path(), &env);
    let acme = server.add_tenant("acme");
    let [kept, gone] = ["kept", "gone"].map(|id| take_in(&server, &acme, id));
    erased(&server, "acme", &gone, "");
    let refused = execute(&server, &gone);
    assert_eq!(code(&refused), (400, "no_target".to_owned()));
    assert!(refused.text().contains("erased"), "{}", refused.text());
    assert_eq!(code(&execute(&server, &kept)).0, 200);
}
