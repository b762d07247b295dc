//! Promise: approving takes a person, whom the host knows by accounts and tokens that outlast it, and of
//! whose secrets it keeps nothing that anybody could use.

use std::{
    io::Write as _,
    path::Path,
    process::{Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::{
    audit::files,
    server::{NO_RATIONS, Reply, Server, command},
};

/// The command line, which must do what it is told; its JSON.
fn told(server: &Server, arguments: &str) -> Value {
    let arguments: Vec<_> = arguments.split(' ').chain(["--json"]).collect();
    let output = server.cli(&arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The same with something on its standard input.
fn piped(server: &Server, dir: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = command(&[])
        .args(arguments)
        .args(["--url", server.base(), "--data-dir"])
        .arg(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command runs");
    let mut stdin = child.stdin.take().expect("its input is a pipe");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

/// A request that shows this token.
fn with(server: &Server, token: &str, method: &str, path: &str) -> Reply {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    server.http().request(method, path, &headers, b"")
}

fn code_of(reply: &Reply) -> (u16, String) {
    let code = reply.json()["code"].as_str().unwrap_or_default().to_owned();
    (reply.status, code)
}

/// Alice, who approves for acme, by Discord account 42 and this token.
fn alice(server: &Server) -> String {
    server.add_tenant("acme");
    told(server, "person add alice --tenant acme --role approver");
    told(server, "person link alice --discord 42");
    let output = server.cli(&["person", "token", "alice", "--ttl", "1h"]);
    assert!(output.status.success(), "{output:?}");
    let token = String::from_utf8(output.stdout).unwrap();
    let digits = token.trim_end().strip_prefix("vyp_").expect(&token);
    assert!(
        digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "standard output has the token and nothing else: {token}"
    );
    token.trim_end().to_owned()
}

#[test]
fn a_person_outlasts_a_restart_with_roles_accounts_and_tokens() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let token = alice(&server);
    let check = |server: &Server, round: &str| {
        let me = with(server, &token, "GET", "/api/v1/me");
        assert_eq!(me.status, 200, "{round}: {me:?}");
        let me = me.json();
        assert_eq!(me["person_id"], "alice", "{round}");
        assert_eq!(me["roles"], json!({ "acme": ["approver"] }), "{round}");
        let account = json!([{ "provider": "discord", "account_id": "42" }]);
        assert_eq!(me["links"], account, "{round}");
        let listed = told(server, "person list");
        assert_eq!(listed["people"], json!([me]), "{round}");
        let tokens = told(server, "token list");
        assert_eq!(tokens["tokens"][0]["person_id"], "alice", "{round}");
        assert!(tokens["tokens"][0].get("token").is_none(), "{round}");
    };
    check(&server, "at once");
    assert!(server.terminate().success());
    let server = Server::start(dir.path(), NO_RATIONS);
    check(&server, "after an orderly end");
    server.kill9();
    let server = Server::start(dir.path(), NO_RATIONS);
    check(&server, "after power off");

    let tokens = told(&server, "token list");
    let id = tokens["tokens"][0]["token_id"].as_str().unwrap();
    told(&server, &format!("token revoke {id}"));
    let refused = with(&server, &token, "GET", "/api/v1/me");
    assert_eq!(code_of(&refused), (401, "invalid_token".into()));
    server.kill9();
    let server = Server::start(dir.path(), NO_RATIONS);
    let refused = with(&server, &token, "GET", "/api/v1/me");
    assert_eq!(code_of(&refused), (401, "invalid_token".into()));
    assert_eq!(server.verify("_host")["ok"], true);
}

#[test]
fn no_other_token_stands_for_a_person_and_a_persons_does_nothing_else() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let token = alice(&server);
    server.add_tenant("globex");
    let bootstrap = with(&server, &server.token(), "GET", "/api/v1/me");
    assert_eq!(code_of(&bootstrap), (403, "person_required".into()));
    let read = |path: &str| with(&server, &token, "GET", path);
    assert_eq!(read("/api/v1/alerts?tenant_id=acme").status, 200);
    let elsewhere = read("/api/v1/alerts?tenant_id=globex");
    assert_eq!(code_of(&elsewhere), (404, "tenant_not_found".into()));
    let anywhere = read("/api/v1/alerts/0190a2d4-0000-7000-8000-000000000000");
    assert_eq!(code_of(&anywhere), (400, "invalid_query".into()));
    for (method, path) in [
        ("GET", "/api/v1/tenants"),
        ("PATCH", "/api/v1/tenants/acme"),
        ("POST", "/onboard"),
        ("GET", "/api/v1/people"),
        ("POST", "/api/v1/people"),
        ("POST", "/api/v1/people/alice/tokens"),
        ("PUT", "/api/v1/people/alice/roles/globex"),
        ("GET", "/api/v1/tokens"),
        ("POST", "/api/v1/tenants/acme/chat-code"),
        ("PUT", "/api/v1/chat/discord/bot-token"),
        ("GET", "/api/v1/dead-letters"),
        ("GET", "/audit/head?tenant_id=acme"),
        ("GET", "/health/actors"),
        ("GET", "/metrics"),
    ] {
        let reply = with(&server, &token, method, path);
        let refused = (403, "insufficient_scope".to_owned());
        assert_eq!(code_of(&reply), refused, "{method} {path}");
    }
    told(&server, "person remove alice");
    let gone = read("/api/v1/alerts?tenant_id=acme");
    assert_eq!(code_of(&gone), (401, "invalid_token".into()));
}

/// A person of one tenant once could list another one's incidents, with the digests to approve by, and
/// have each try to decide there written on that tenant's chain.
#[test]
fn a_person_is_nobody_in_a_tenant_of_others() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let token = alice(&server);
    server.add_tenant("globex");
    let read = |path: &str| with(&server, &token, "GET", path);
    let alert = "0190a2d4-0000-7000-8000-000000000000";
    let of =
        |path: &str, tenant: &str| read(&format!("/api/v1/incidents{path}?tenant_id={tenant}"));
    assert_eq!(of("", "acme").status, 200);
    for path in ["", "/0190a2d4-0000-7000-8000-000000000000"] {
        let elsewhere = of(path, "globex");
        assert_eq!(
            code_of(&elsewhere),
            (404, "tenant_not_found".into()),
            "{path}"
        );
    }
    let before = server.get("/api/v1/tenants/globex")["head"].clone();
    for verb in ["approve", "deny", "break-glass"] {
        let body = serde_json::json!({
            "tenant_id": "globex", "manifest_sha256": "5f".repeat(32),
            "incident_id": alert, "reason": "because I want to see it",
        });
        let mut body = body.as_object().expect("an object").clone();
        match verb {
            "approve" => body.retain(|name, _| name == "tenant_id" || name == "manifest_sha256"),
            "deny" => body.retain(|name, _| name != "incident_id"),
            _ => {}
        }
        let body = serde_json::to_vec(&body).expect("JSON");
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        let path = format!("/api/v1/alerts/{alert}/{verb}");
        let reply = server.http().request("POST", &path, &headers, &body);
        assert_eq!(code_of(&reply), (404, "tenant_not_found".into()), "{verb}");
    }
    assert_eq!(server.get("/api/v1/tenants/globex")["head"], before);
}

/// Status, code, method, path, body.
const REFUSED: &str = r#"409 person_exists POST people {"person_id":"alice"}
400 invalid_person_id POST people {"person_id":"A"}
400 invalid_json POST people {"person_id":"x1","name":"X"}
400 invalid_role PUT people/bob/roles/acme {"roles":["boss"]}
404 tenant_not_found PUT people/bob/roles/nobody {"roles":[]}
404 person_not_found PUT people/eve/roles/acme {"roles":["analyst"]}
409 account_linked POST people/bob/links {"provider":"discord","account_id":"42"}
400 invalid_link POST people/bob/links {"provider":"discord","account_id":"111111111111111111111"}
400 invalid_link POST people/bob/links {"provider":"irc","account_id":"1"}
404 link_not_found DELETE people/bob/links/discord/42 null
404 person_not_found DELETE people/eve null
404 person_not_found POST people/eve/tokens {}
400 invalid_lifetime POST people/bob/tokens {"ttl_s":86401}
400 invalid_lifetime POST people/bob/tokens {"ttl_s":18446744073709551615}
400 invalid_lifetime POST people/bob/tokens {"ttl_s":0}
404 token_not_found DELETE tokens/tok_none null
409 chat_not_linked DELETE tenants/acme/chat null
409 chat_not_linked PATCH tenants/acme {"chat_admin_role":"5"}
404 tenant_not_found POST tenants/nobody/chat-code {}
400 invalid_secret PUT chat/discord/bot-token {"token":"changeme"}"#;

#[test]
fn what_cannot_be_is_refused_by_name() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    alice(&server);
    told(&server, "person add bob");
    for line in REFUSED.lines() {
        let mut cells = line.splitn(5, ' ');
        let mut next = || cells.next().unwrap();
        let (status, code, method, path): (u16, _, _, _) =
            (next().parse().unwrap(), next(), next(), next());
        let body: Value = serde_json::from_str(next()).unwrap();
        let reply = server.api(method, &format!("/api/v1/{path}"), Some(&body));
        assert_eq!(code_of(&reply), (status, code.to_owned()), "{line}");
    }
    for _ in 0..4 {
        told(&server, "person token bob");
    }
    let more = server.api("POST", "/api/v1/people/bob/tokens", Some(&json!({})));
    assert_eq!(code_of(&more), (409, "token_limit".into()));
    // What is so already is no fault, and leaves no second entry.
    told(&server, "person grant alice --tenant acme --role approver");
    let entries = server.entries("_host");
    let granted = |entry: &&Value| entry["event"] == "person.granted";
    assert_eq!(entries.iter().filter(granted).count(), 1);
}

#[test]
fn each_tenant_has_its_own_signing_key_and_keeps_it() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let keys = |server: &Server| {
        ["acme", "globex"].map(|id| {
            let key = server.get(&format!("/api/v1/tenants/{id}"))["action_key"].clone();
            assert!(key["kid"].as_str().unwrap().starts_with("act_"), "{key}");
            key["public_key_hex"].as_str().unwrap().to_owned()
        })
    };
    server.add_tenant("acme");
    server.add_tenant("globex");
    let [acme, globex] = keys(&server);
    assert_ne!(acme, globex);
    server.kill9();
    let server = Server::start(dir.path(), NO_RATIONS);
    assert_eq!(keys(&server), [acme, globex]);
    let entries = server.entries("_host");
    let issued = |entry: &&Value| entry["event"] == "key.issued";
    assert_eq!(entries.iter().filter(issued).count(), 2, "made once each");
}

#[test]
fn alert_data_stays_here_until_somebody_says_otherwise() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    server.add_tenant("acme");
    let llm = |server: &Server| server.get("/api/v1/tenants/acme")["llm"].clone();
    assert_eq!(llm(&server), false);
    assert_eq!(told(&server, "tenant update acme --llm on")["llm"], true);
    server.kill9();
    let server = Server::start(dir.path(), NO_RATIONS);
    assert_eq!(llm(&server), true);
    told(&server, "tenant update acme --llm off");
    assert_eq!(llm(&server), false);
}

#[test]
fn tokens_and_codes_lie_open_nowhere() {
    let dir = tempdir().unwrap();
    let dir = dir.path().join("data");
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_LOG__LEVEL", "trace"));
    let server = Server::start(&dir, &env);
    let token = alice(&server);
    let code = told(&server, "tenant chat-code acme");
    let text = code["code"].as_str().unwrap().to_owned();
    assert_eq!(code["say"], format!("/vyrox register code:{text}"));
    assert_ne!(told(&server, "tenant chat-code acme")["code"], text);
    let bot = "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs";
    for version in 1..=2 {
        let arguments = ["chat", "set-token", "--json"];
        let output = piped(&server, &dir, &arguments, &format!("{bot}\n"));
        assert!(output.status.success(), "{output:?}");
        let sealed: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(sealed["secret_version"], version);
    }
    // It is used, so that whatever logs a request has had its chance.
    assert_eq!(with(&server, &token, "GET", "/api/v1/me").status, 200);
    let bare = text.replace('-', "");
    let secrets = [token.as_str(), &token[4..], bot, &text, &bare];
    for page in [
        "/api/v1/people",
        "/api/v1/tokens",
        "/api/v1/tenants/acme",
        "/audit/export?tenant_id=_host",
        "/health/actors",
        "/metrics",
    ] {
        let shown = server.api("GET", page, None).text();
        for secret in secrets {
            assert!(!shown.contains(secret), "{page} shows a secret");
        }
    }
    server.signal(nix::sys::signal::Signal::SIGTERM);
    let (status, log) = server.wait();
    assert!(status.success() && log.contains("TRACE"), "{log}");
    for secret in secrets {
        assert!(!log.contains(secret), "the log has a secret");
    }
    let mut searched = 0;
    for file in files(&dir) {
        let bytes = std::fs::read(&file).expect("nobody writes any more");
        searched += bytes.len();
        for secret in secrets {
            let found = occurs(&bytes, secret.as_bytes());
            assert!(!found, "{} has a secret", file.display());
        }
    }
    println!("{searched} bytes searched");
    // What was sealed opens again: the preflight of the next start looks at every row.
    let server = Server::start(&dir, &env);
    assert_eq!(with(&server, &token, "GET", "/api/v1/me").status, 200);
}

/// Whether the needle occurs.
fn occurs(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}
