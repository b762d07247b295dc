//! A digest stands for one manifest and no other.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use vyrox_domain::{
    action::{ActionManifest, SHORT_DIGITS, short},
    digest::Digest,
    time::Timestamp,
};

use super::{manifest, manifests};

/// Each member with another value that it may have.
fn others() -> Vec<(&'static str, Value)> {
    let id = "09090909-0909-0909-0909-090909090909";
    vec![
        ("manifest_version", json!(2)),
        ("action_id", json!(id)),
        ("tenant_id", json!("globex")),
        ("alert_id", json!(id)),
        ("incident_id", json!(id)),
        ("vendor", json!("sentinelone")),
        ("action_type", json!("HOST_ISOLATION")),
        ("target_urn", json!("urn:edr:crowdstrike:a1b3")),
        ("host", json!("srv-2")),
        ("parameters", json!({"image": "evil.exe", "pid": "4712"})),
        ("dry_run", json!(true)),
        ("on_expiry", json!("lift")),
        ("hold_minutes", json!(1)),
        ("playbook", json!("stop_processes")),
        ("playbook_sha256", json!(Digest([6; 32]))),
        ("policy_sha256", json!(Digest([6; 32]))),
        ("protected", json!("tier0")),
        ("proposed_by", json!("person:eve")),
        ("proposed_at_ms", json!(1_790_000_000_001_u64)),
        ("expires_at_ms", json!(1_790_003_600_001_u64)),
    ]
}

#[test]
fn every_member_counts() {
    let whole = serde_json::to_value(manifest()).unwrap();
    let members: BTreeSet<_> = whole
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let changed: BTreeSet<_> = others().iter().map(|(member, _)| *member).collect();
    assert_eq!(members, changed, "the table has every member");

    let mut seen = BTreeSet::from([manifest().digest().unwrap()]);
    for (member, value) in others() {
        let mut other = whole.clone();
        other[member] = value;
        let other: ActionManifest = serde_json::from_value(other).unwrap();
        assert!(seen.insert(other.digest().unwrap()), "{member}");
    }
}

#[test]
fn what_is_not_a_member_is_refused_and_none_may_be_missing_from_the_form() {
    let whole = serde_json::to_value(manifest()).unwrap();
    let mut more = whole.clone();
    more["extra"] = json!(1);
    assert!(serde_json::from_value::<ActionManifest>(more).is_err());
    let text = manifest().canonical().unwrap();
    let form: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(form, whole, "members without a value are there as null");
}

#[test]
fn the_canonical_form_is_what_one_would_write_by_hand() {
    let by_hand = concat!(
        r#"{"action_id":"01010101-0101-0101-0101-010101010101","action_type":"PROCESS_KILL","#,
        r#""alert_id":"02020202-0202-0202-0202-020202020202","dry_run":false,"#,
        r#""expires_at_ms":1790003600000,"hold_minutes":0,"host":"srv-1","#,
        r#""incident_id":"03030303-0303-0303-0303-030303030303","manifest_version":1,"#,
        r#""on_expiry":"ask","parameters":{"image":"evil.exe","pid":"4711"},"#,
        r#""playbook":"stop_process","#,
        r#""playbook_sha256":"0404040404040404040404040404040404040404040404040404040404040404","#,
        r#""policy_sha256":"0505050505050505050505050505050505050505050505050505050505050505","#,
        r#""proposed_at_ms":1790000000000,"proposed_by":"service:triage","protected":null,"#,
        r#""target_urn":"urn:edr:crowdstrike:a1b2","tenant_id":"acme","vendor":"crowdstrike"}"#,
    );
    let canonical = manifest().canonical().unwrap();
    assert_eq!(String::from_utf8(canonical).unwrap(), by_hand);
    assert_eq!(manifest().digest().unwrap(), Digest::of(by_hand.as_bytes()));
}

/// Canonical JSON writes numbers as doubles. Beyond 2^53 two neighbouring times have the same double,
/// so two manifests would have shared a digest, and an approval of one would have stood for the other.
#[test]
fn a_time_that_would_be_rounded_has_no_digest() {
    let at = |ms| {
        let mut manifest = manifest();
        manifest.expires_at_ms = Timestamp::from_ms(ms);
        manifest.digest()
    };
    assert!(at((1 << 53) - 1).is_ok());
    assert!(at(1 << 53).is_err());
    assert!(at(u64::MAX).is_err());
}

#[test]
fn what_is_shown_is_the_beginning() {
    let digest = manifest().digest().unwrap();
    let shown = short(&digest);
    assert_eq!(shown.len(), SHORT_DIGITS);
    assert!(digest.to_hex().starts_with(&shown));
}

#[test]
fn a_manifest_out_of_bounds_is_named_by_its_member() {
    let many: Map<String, Value> = (0..9).map(|n| (format!("p{n}"), json!("1"))).collect();
    let wrong = [
        ("target_urn", json!("urn:edr:sentinelone:a1b2")),
        ("target_urn", json!("urn:edr:crowdstrike:a/b")),
        ("host", json!("a\u{202e}b")),
        ("host", json!("h".repeat(256))),
        ("parameters", json!({"Pid": "1"})),
        ("parameters", json!({"pid": "1\n"})),
        ("parameters", json!({"pid": ""})),
        ("parameters", json!({"pid": "1".repeat(513)})),
        ("parameters", many.into()),
        ("hold_minutes", json!(10_081)),
        ("playbook", json!("")),
        ("protected", json!("")),
        ("proposed_by", json!("person:\u{7}")),
    ];
    assert_eq!(manifest().check(), Ok(()));
    for (member, value) in wrong {
        let mut edited = serde_json::to_value(manifest()).unwrap();
        edited[member] = value;
        let edited: ActionManifest = serde_json::from_value(edited).unwrap();
        assert_eq!(edited.check().unwrap_err().member, member);
    }
}

proptest! {
    #[test]
    fn two_manifests_share_a_digest_only_if_they_are_one(one in manifests(), other in manifests()) {
        let (first, second) = (one.digest().unwrap(), other.digest().unwrap());
        prop_assert_eq!(first == second, one == other);
        prop_assert_eq!(one.check(), Ok(()));
        let again: ActionManifest = serde_json::from_slice(&one.canonical().unwrap()).unwrap();
        prop_assert_eq!(again, one);
    }
}
