use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::draft::ActionFields;

fn draft(payload: Value) -> Draft {
    Draft {
        event: "alert.received".into(),
        event_version: 1,
        actor: "vendor:crowdstrike".into(),
        timestamp_ms: 1_700_000_000_123,
        alert_id: Some("a-1".into()),
        action: None,
        payload,
        attachments: Vec::new(),
    }
}

fn line_of(draft: Draft, seq: u64, previous: [u8; 32]) -> (Vec<u8>, [u8; 32], usize) {
    draft.check().unwrap();
    let template = Template::new("acme", draft).unwrap();
    let mut line = Vec::new();
    let hash = template.write_line(seq, &previous, &mut line);
    (line, hash, template.line_len(seq))
}

/// The line, the hash and the length agree with canonicalising and hashing the whole object.
fn check(draft: Draft, seq: u64, previous: [u8; 32]) {
    let (line, hash, len) = line_of(draft, seq, previous);
    assert_eq!(line.len(), len);
    let mut entry: Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(serde_json_canonicalizer::to_vec(&entry).unwrap(), line);
    assert_eq!(entry["seq"], seq);
    assert_eq!(entry["previous_hash"], hex::encode(previous));
    assert_eq!(
        entry.as_object_mut().unwrap().remove("hash"),
        Some(json!(hex::encode(hash)))
    );
    let canonical = serde_json_canonicalizer::to_vec(&entry).unwrap();
    assert_eq!(
        chain_hash(hex::encode(previous).as_bytes(), &[&canonical]),
        hash
    );
    assert_eq!(
        read_place("acme", &line),
        Some(Place {
            seq,
            previous,
            hash
        })
    );
}

#[test]
fn the_published_vector_holds() {
    let zeros = "0".repeat(64);
    let entry = format!(
        "{{\"action_type\":\"HostIsolation\",\"approved_by\":\"alice\",\"dry_run\":true,\
         \"host\":\"host-a\",\"previous_hash\":\"{zeros}\",\"tenant_id\":\"t1\",\
         \"timestamp\":1700000000}}"
    );
    let hash = chain_hash(zeros.as_bytes(), &[entry.as_bytes()]);
    let expected = "0d23ddbfc10fd1e1f870bda521b34d57c84c6248abed90ea796cd36ba7538043";
    assert_eq!(hex::encode(hash), expected);
}

#[test]
fn an_entry_has_its_members_in_order() {
    let mut draft = draft(json!({"z": 1, "a": [true, null, -7], "hash": "x"}));
    draft.action = Some(ActionFields {
        action_type: "HOST_ISOLATION".into(),
        host: "h".into(),
        approved_by: None,
        dry_run: false,
    });
    let (line, hash, _) = line_of(draft, 10, [0xab; 32]);
    let expected = format!(
        "{{\"action_type\":\"HOST_ISOLATION\",\"actor\":\"vendor:crowdstrike\",\
         \"alert_id\":\"a-1\",\"dry_run\":false,\"event\":\"alert.received\",\"event_version\":1,\
         \"hash\":\"{}\",\"host\":\"h\",\"payload\":{{\"a\":[true,null,-7],\"hash\":\"x\",\"z\":1}},\
         \"previous_hash\":\"{}\",\"seq\":10,\"tenant_id\":\"acme\",\"timestamp\":1700000000,\
         \"timestamp_ms\":1700000000123}}",
        hex::encode(hash),
        "ab".repeat(32),
    );
    assert_eq!(String::from_utf8(line).unwrap(), expected);
}

#[test]
fn a_payload_that_imitates_the_structure_does_not_mislead() {
    let inner = json!({
        "previous_hash": "0".repeat(64),
        "hash": "1".repeat(64),
        "seq": 3,
        "text": ",\"hash\":\"x\",\"previous_hash\":\"y\"",
    });
    let mut draft = draft(json!({"entry": inner, "hash": "2".repeat(64)}));
    draft.actor = ",\"hash\":\"".into();
    check(draft, 7, [1; 32]);
}

#[test]
fn what_the_format_forbids_is_refused() {
    let bad = [
        json!({"a": 1.5}),
        json!({"a": 9_007_199_254_740_992_u64}),
        json!({"a": -9_007_199_254_740_992_i64}),
        json!({"A": 1}),
        json!({"": 1}),
        json!({"a": {"b-c": 1}}),
        json!({"a": [{"é": 1}]}),
        json!([]),
        json!(null),
    ];
    for payload in bad {
        assert!(draft(payload.clone()).check().is_err(), "{payload}");
    }
    let good = json!({"a": 9_007_199_254_740_991_u64, "b_2": -9_007_199_254_740_991_i64});
    assert_eq!(draft(good).check(), Ok(()));
    let deep = (0..100).fold(json!({}), |inner, _| json!({"a": inner}));
    assert!(draft(deep).check().is_err());
    let mut attached = draft(json!({}));
    attached.attachments = vec![Vec::new(); 5];
    assert!(attached.check().is_err());
    let mut nameless = draft(json!({}));
    nameless.event = "Alert".into();
    assert!(nameless.check().is_err());
}

fn payload() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991_i64..9_007_199_254_740_992).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[a-z0-9_]{1,6}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    prop::collection::btree_map("[a-z0-9_]{1,6}", value, 0..6)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

proptest! {
    #[test]
    fn a_line_is_the_canonical_form_of_its_entry(
        payload in payload(),
        actor in ".{1,40}",
        alert_id in prop::option::of(".{1,40}"),
        action in prop::option::of((".{1,20}", ".{1,20}", prop::option::of(".{1,20}"), any::<bool>())),
        seq in 0_u64..9_007_199_254_740_991,
        previous in any::<[u8; 32]>(),
    ) {
        let mut draft = draft(payload);
        draft.actor = actor;
        draft.alert_id = alert_id;
        draft.action = action.map(|(action_type, host, approved_by, dry_run)| {
            ActionFields { action_type, host, approved_by, dry_run }
        });
        check(draft, seq, previous);
    }

    #[test]
    fn a_changed_byte_is_seen(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let (mut line, _, _) = line_of(draft(json!({"text": "Grüße"})), 3, [9; 32]);
        let at = at.index(line.len());
        line[at] ^= 1 << bit;
        prop_assert_eq!(read_place("acme", &line), None);
    }

    #[test]
    fn reading_a_place_never_panics(line in prop::collection::vec(any::<u8>(), 0..300)) {
        read_place("acme", &line);
    }
}
