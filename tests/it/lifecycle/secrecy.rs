//! Secrets and evidence lie sealed: looked for byte by byte in everything that the server writes.

use std::{os::unix::fs::PermissionsExt as _, path::Path};

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::{
    audit::files,
    server::{NO_RATIONS, Reply, SERVICE_SECRET, Server, Tenant},
};

const USER: &str = "geheimrat.von.und.zu";
const COMMAND: &str = "zylinderkopfdichtung --with-password=Kuckucksuhr-1887";
const IMAGE_PATH: &str = r"C:\Rindfleisch\Etikettierung\ueberwachung.exe";

/// Whether `needle` occurs in `bytes`, as it is or as hexadecimal text.
pub(crate) fn occurs(bytes: &[u8], needle: &str) -> bool {
    let plain = needle.as_bytes();
    let hexadecimal = hex::encode(plain).into_bytes();
    let wide: Vec<u8> = needle.encode_utf16().flat_map(u16::to_le_bytes).collect();
    [plain, &hexadecimal, &wide]
        .into_iter()
        .any(|needle| contains(bytes, needle))
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    let Some((first, rest)) = needle.split_first() else {
        return true;
    };
    let starts = bytes.iter().enumerate().filter(|(_, byte)| *byte == first);
    let mut tails = starts.map(|(at, _)| &bytes[at + 1..]);
    tails.any(|tail| tail.starts_with(rest))
}

#[test]
fn the_search_of_this_test_finds_what_is_there() {
    let seen = b"..Kuckucksuhr..";
    assert!(occurs(seen, "Kuckucksuhr") && !occurs(seen, "Kuckucksuhren"));
    assert!(occurs(hex::encode(seen).as_bytes(), "Kuckucksuhr"));
    assert!(occurs(b"K\0u\0c\0k\0", "Kuck") && !occurs(b"K\0u\0c\0", "Kuck"));
}

/// Fails if a file below `dir` holds one of the secrets, but where it is kept on purpose.
fn search(dir: &Path, secrets: &[(&str, String)], when: &str) {
    let mut searched = 0;
    for file in files(dir) {
        // A segment may be recycled between the listing and the look.
        let Ok(bytes) = std::fs::read(&file) else {
            assert!(!file.exists(), "{} can't be read", file.display());
            continue;
        };
        searched += bytes.len();
        let name = file.strip_prefix(dir).unwrap().display().to_string();
        for (what, secret) in secrets {
            let kept = *what == "the token" && name == "admin.token";
            assert!(
                kept || !occurs(&bytes, secret),
                "{when}: {what} is in {name}"
            );
        }
        if ["admin.token", "host.key"].contains(&name.as_str()) {
            let mode = file.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{when}: {name} has mode {mode:o}");
        }
    }
    println!("{when}: {searched} bytes searched");
    let mode = dir.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o700, "{when}: the directory has mode {mode:o}");
}

fn clean(what: &str, bytes: &[u8], secrets: &[(&str, String)]) {
    for (kind, secret) in secrets {
        assert!(!occurs(bytes, secret), "{kind} is in {what}");
    }
}

/// What a tenant sends, good and bad, with the evidence in every place that an alert has for it.
fn traffic(server: &Server, acme: &Tenant) -> Vec<Reply> {
    let mut http = server.http();
    let mut replies = Vec::new();
    let alert = |vendor_id: &str| {
        let mut alert = crate::server::falcon_short("acme", vendor_id, COMMAND);
        alert["process"]["user_name"] = USER.into();
        alert["process"]["file_path"] = IMAGE_PATH.into();
        alert["unknown_member"] = json!({ "of": [USER, COMMAND] });
        alert.to_string().into_bytes()
    };
    let generic = json!({
        "tenant_id": "acme", "alert_id": "g-1", "user": USER, "description": COMMAND,
        "process": { "path": IMAGE_PATH, "command_line": COMMAND },
    });
    for n in 0..30 {
        replies.push(acme.post(&mut http, "crowdstrike", &alert(&format!("d-{n}"))));
    }
    replies.push(acme.post(&mut http, "generic", generic.to_string().as_bytes()));
    // Refused and kept; refused; unsigned; a secret where none belongs.
    let unknown = json!({ "tenant_id": "acme", "strange": [USER, COMMAND] }).to_string();
    replies.push(acme.post(&mut http, "generic", unknown.as_bytes()));
    replies.push(http.post(
        "/webhook/crowdstrike",
        &[("x-vyrox-signature", &acme.secret)],
        &alert("u"),
    ));
    let broken = &alert("b")[..200];
    replies.push(acme.post(&mut http, "crowdstrike", broken));
    replies.push(http.post(
        &format!("/t/{}/webhook/crowdstrike", acme.secret),
        &[],
        b"{}",
    ));
    let path = format!("/api/v1/tenants/{}", acme.secret);
    replies.push(http.get(
        &path,
        &[("authorization", &format!("Bearer {}", acme.secret))],
    ));
    let onboard = json!({ "tenant_id": "acme", "webhooks": [
        { "vendor": "generic", "secret": acme.secret, "auth": "no such scheme" },
    ] });
    replies.push(server.api("POST", "/onboard", Some(&onboard)));
    for reply in &replies {
        if let Some(id) = reply
            .status
            .eq(&202)
            .then(|| reply.json()["alert_id"].clone())
        {
            let alert = server.judged("acme", id.as_str().unwrap());
            assert!(alert["verdict"].is_string(), "{alert}");
        }
    }
    replies
}

const PAGES: [&str; 7] = [
    "/metrics",
    "/health/actors",
    "/health/tenants/acme",
    "/api/v1/tenants",
    "/api/v1/tenants/acme",
    "/audit/export?tenant_id=acme",
    "/audit/export?tenant_id=_host",
];

/// Everything that must lie open nowhere.
fn secrets(server: &Server, acme: &Tenant) -> Vec<(&'static str, String)> {
    let rotate = [
        "tenant",
        "rotate-secret",
        "acme",
        "--vendor",
        "defender",
        "--json",
    ];
    let rotated: Value = serde_json::from_slice(&server.cli(&rotate).stdout).unwrap();
    let rotated = rotated["webhooks"][0]["secret"].as_str().unwrap();
    vec![
        ("the webhook's secret", acme.secret.clone()),
        ("a rotated secret", rotated.to_owned()),
        ("the service's secret", SERVICE_SECRET.to_owned()),
        ("the token", server.token()),
        ("the user's name", USER.to_owned()),
        ("the command line", COMMAND.to_owned()),
        ("a password in it", "Kuckucksuhr-1887".to_owned()),
        ("the path", "Rindfleisch".to_owned()),
    ]
}

fn host_key(dir: &Path) -> String {
    let text = std::fs::read_to_string(dir.join("host.key")).unwrap();
    text.trim().to_owned()
}

#[test]
fn no_secret_and_no_evidence_lies_open_anywhere() {
    let dir = tempdir().unwrap();
    let dir = dir.path().join("data");
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_HMAC_SECRET", SERVICE_SECRET));
    env.push(("VYROX_LOG__LEVEL", "trace"));
    env.push(("VYROX_STORAGE__SEGMENT_BYTES", "1048576"));
    let server = Server::start(&dir, &env);
    let acme = server.add_tenant("acme");
    let (secrets, host_key) = (secrets(&server, &acme), host_key(&dir));
    let replies = traffic(&server, &acme);
    assert!(
        replies.iter().filter(|reply| reply.status == 202).count() == 31,
        "{replies:?}"
    );
    for reply in &replies {
        clean(
            &format!("an answer {}", reply.status),
            &reply.body,
            &secrets,
        );
    }
    for page in PAGES {
        let reply = server.api("GET", page, None);
        assert_eq!(reply.status, 200, "{page}: {reply:?}");
        clean(page, &reply.body, &secrets);
    }
    // Everything that writes to the disk has written: the checkpointer, and at last the end.
    search(&dir, &secrets, "while it runs");
    server.signal(nix::sys::signal::Signal::SIGTERM);
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
    assert!(
        log.contains("DEBUG") || log.contains("TRACE"),
        "the log was to tell everything"
    );
    clean("the log", log.as_bytes(), &secrets);
    clean("the log", log.as_bytes(), &[("the host key", host_key)]);
    search(&dir, &secrets, "after its end");
}
