mod answers;
mod targets;

use std::{collections::HashMap, sync::Arc};

use serde_json::{Value, json};
use vyrox_actors::{
    journal::seal::DataKey,
    keyring::{Keyring, TenantKeys, TenantSettings, secret},
};
use vyrox_domain::{action::ActionType, signature::signature_of, webhook::Secret};

use super::{
    Direction::{Execute, Rollback},
    asked::Asked,
    proof::{Proof, prove},
};
use crate::http::problem::Problem;

const OWN: &str = "5f0e4be1c7d2a8936e1f40c2b7d95a83c6e20f1b9d7a4c58e3061f2b8a9d7c45";
const HOST: &str = "91c0be417dd8a2f63e5f1a40c7b2d95a83c6e20f1b9d7a4c58e3061f2b8a9d7c";

fn tenant(name: &str, action_secret: Option<&str>) -> TenantKeys {
    TenantKeys {
        tenant: name.parse().unwrap(),
        opaque_id: "0".repeat(32),
        data_key: Arc::new(DataKey::generate(name)),
        webhooks: HashMap::new(),
        settings: TenantSettings::default(),
        action_seed: None,
        action_kid: None,
        edr: HashMap::new(),
        action_secret: action_secret.map(secret),
        halted: false,
    }
}

/// Acme has a key of its own, globex has none.
fn keyring() -> Keyring {
    let tenants = [tenant("acme", Some(OWN)), tenant("globex", None)];
    Keyring::new(tenants.map(Arc::new), [])
}

fn body(tenant: &str) -> Value {
    json!({
        "request_id": "0190a2d4-0000-7000-8000-000000000001",
        "tenant_id": tenant,
        "alert_id": "0190a2d4-0000-7000-8000-000000000002",
        "action_type": "HOST_ISOLATION",
        "host": "WS-1",
        "approved_by": "Ann O'Neil <ann@example.org>",
        "approved_at": 1_700_000_000,
        "edr_credentials": null,
    })
}

fn shows(body: &[u8], signature: Option<&str>, host: Option<&Secret>) -> String {
    match prove(&keyring(), host, body, signature.map(str::as_bytes)) {
        Proof::Proven(keys) => keys.tenant.to_string(),
        Proof::Unproven => "unproven".into(),
        Proof::NotProvisioned => "not provisioned".into(),
    }
}

#[test]
fn a_tenants_own_key_counts_alone_and_the_hosts_for_those_who_have_none() {
    let (own, host) = (secret(OWN), secret(HOST));
    let of = |name: &str| body(name).to_string().into_bytes();
    for (name, key, with_host, without) in [
        ("acme", &own, "acme", "acme"),
        ("acme", &host, "unproven", "unproven"),
        ("globex", &host, "globex", "unproven"),
        ("globex", &own, "unproven", "unproven"),
        ("initech", &host, "unproven", "unproven"),
    ] {
        let bytes = of(name);
        let signature = signature_of(key, &bytes);
        assert_eq!(shows(&bytes, Some(&signature), Some(&host)), with_host);
        assert_eq!(shows(&bytes, Some(&signature), None), without);
    }
}

/// A tenant without a key was answered another thing than one with a key, so anybody could try names.
#[test]
fn that_there_is_no_key_is_said_where_nobody_has_one() {
    let nobody = Keyring::new([Arc::new(tenant("globex", None))], []);
    for name in ["globex", "initech"] {
        let bytes = body(name).to_string().into_bytes();
        let signature = signature_of(&secret(HOST), &bytes);
        let proof = prove(&nobody, None, &bytes, Some(signature.as_bytes()));
        assert!(matches!(proof, Proof::NotProvisioned), "{name}");
    }
}

#[test]
fn whatever_is_wrong_with_a_signature_is_one_thing() {
    let (own, host) = (secret(OWN), secret(HOST));
    let bytes = body("acme").to_string().into_bytes();
    let good = signature_of(&own, &bytes);
    let digits = good.trim_start_matches("sha256=");
    let cut = good.get(..good.len() - 2).unwrap();
    let (longer, spaced, sha1) = (
        format!("{good}00"),
        format!(" {good}"),
        good.replace("sha256", "sha1"),
    );
    assert_eq!(shows(&bytes, Some(&good), Some(&host)), "acme");
    for bad in ["", "sha256=", digits, cut, &longer, &spaced, &sha1] {
        assert_eq!(shows(&bytes, Some(bad), Some(&host)), "unproven", "{bad}");
    }
    assert_eq!(shows(&bytes, None, Some(&host)), "unproven");
    let mut other = bytes;
    other.push(b' ');
    assert_eq!(shows(&other, Some(&good), Some(&host)), "unproven");
}

#[test]
fn a_body_that_names_no_tenant_proves_nothing_however_well_it_is_signed() {
    let host = secret(HOST);
    let twice = r#"{"tenant_id":"globex","tenant_id":"globex"}"#;
    let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
    for text in ["", "{", "[]", "{}", r#"{"tenant":"globex"}"#, twice, &deep] {
        let signature = signature_of(&host, text.as_bytes());
        let shown = shows(text.as_bytes(), Some(&signature), Some(&host));
        assert_eq!(shown, "unproven", "{text:.60}");
    }
}

fn read(body: &Value) -> Result<Asked, Problem> {
    Asked::read(body.to_string().as_bytes(), &"acme".parse().unwrap())
}

fn with(member: &str, value: Value) -> Value {
    let mut body = body("acme");
    body[member] = value;
    body
}

#[test]
fn a_request_is_read_whole_or_refused_with_the_member_that_is_wrong() {
    let asked = read(&body("acme")).unwrap();
    assert_eq!(asked.action_type, ActionType::HostIsolation);
    assert_eq!(asked.approved_at.s(), 1_700_000_000);
    assert_eq!(asked.host, "WS-1");
    for (member, value) in [
        ("request_id", json!("")),
        ("request_id", json!("a b")),
        ("request_id", json!("x".repeat(129))),
        ("request_id", json!(7)),
        ("tenant_id", json!("globex")),
        ("alert_id", json!("17")),
        ("action_type", json!("HASH_BLOCK")),
        ("action_type", json!("host_isolation")),
        ("host", json!("")),
        ("host", json!(" ")),
        ("host", json!("a\u{202e}b")),
        ("host", json!("h".repeat(256))),
        ("approved_by", json!("")),
        ("approved_by", json!("a\nb")),
        ("approved_by", json!("é".repeat(127) + "xx")),
        ("approved_at", json!("1700000000")),
        ("approved_at", json!(-1)),
        ("approved_at", json!(1_700_000_000.5)),
        ("dry_run", json!(false)),
    ] {
        let problem = read(&with(member, value.clone())).unwrap_err();
        assert_eq!(
            problem.code().as_str(),
            "invalid_payload",
            "{member} {value}"
        );
        // Of a value of the wrong type the reader says where it stands.
        let says = problem.body();
        assert!(says.contains(member) || says.contains("column"), "{says}");
    }
    for member in ["request_id", "host", "approved_by", "approved_at"] {
        let mut without = body("acme");
        without.as_object_mut().unwrap().remove(member);
        let problem = read(&without).unwrap_err();
        assert!(problem.body().contains(member), "{}", problem.body());
    }
    let twice = body("acme").to_string().replacen('{', r#"{"host":"x","#, 1);
    assert!(Asked::read(twice.as_bytes(), &"acme".parse().unwrap()).is_err());
}

#[test]
fn credentials_in_a_request_are_refused_and_never_repeated() {
    for value in [
        json!({ "provider": "crowdstrike", "api_key": "s3cret-key" }),
        json!({}),
        json!("s3cret-key"),
        json!(0),
    ] {
        let problem = read(&with("edr_credentials", value)).unwrap_err();
        assert_eq!(problem.code().as_str(), "inline_credentials_disabled");
        assert!(!problem.body().contains("s3cret"));
        assert!(!format!("{problem:?}").contains("s3cret"));
    }
    let mut without = body("acme");
    without.as_object_mut().unwrap().remove("edr_credentials");
    assert!(read(&without).is_ok());
}

#[test]
fn two_requests_are_the_same_if_they_mean_the_same_whenever_they_were_approved() {
    let digest = |body: &Value| read(body).unwrap().claim(Execute).body_sha256;
    let first = digest(&body("acme"));
    assert_eq!(digest(&with("approved_at", json!(1_700_000_060))), first);
    let mut without = body("acme");
    without.as_object_mut().unwrap().remove("edr_credentials");
    assert_eq!(digest(&without), first);
    let spaced = serde_json::to_string_pretty(&body("acme")).unwrap();
    let spaced = Asked::read(spaced.as_bytes(), &"acme".parse().unwrap()).unwrap();
    assert_eq!(spaced.claim(Execute).body_sha256, first);
    for (member, value) in [
        ("alert_id", json!("0190a2d4-0000-7000-8000-000000000003")),
        ("action_type", json!("PROCESS_KILL")),
        ("host", json!("ws-1")),
        ("approved_by", json!("bob")),
    ] {
        assert_ne!(digest(&with(member, value)), first, "{member}");
    }
    let asked = read(&body("acme")).unwrap();
    assert!(asked.claim(Rollback).rollback && !asked.claim(Execute).rollback);
}
