//! Whatever an authentic body contains, parsing answers, within bounds, and never repeats it.

use proptest::prelude::*;
use serde_json::{Value, json};
use vyrox_domain::{
    alert::{
        Alert, MAX_COMMAND_LINE_BYTES, MAX_ID_BYTES, MAX_ITEMS, MAX_PAYLOAD_BYTES, MAX_TEXT_BYTES,
    },
    vendor::Vendor,
};

use crate::{one, parse};

#[test]
fn wrong_types_of_optional_members_count_as_absent() {
    for wrong in [
        json!(null),
        json!(true),
        json!([]),
        json!({}),
        json!(-1.5),
        json!([[]]),
    ] {
        let payload = json!({
            "detect_id": "1", "timestamp": wrong, "severity": wrong, "tactic": wrong,
            "technique": wrong, "sensor": wrong, "process": wrong
        });
        let expected = json!({"version": 1, "vendor": "crowdstrike", "vendor_alert_id": "1",
            "severity": "unknown", "severity_score": 0});
        assert_eq!(one(Vendor::Crowdstrike, &payload), expected);
    }
}

#[test]
fn only_an_unusable_id_is_fatal() {
    let long = "x".repeat(MAX_ID_BYTES + 1);
    for id in [
        json!(""),
        json!(" \t"),
        json!({}),
        json!(true),
        json!(1.5),
        json!(long),
    ] {
        let refused = parse(Vendor::Generic, json!({"id": id}).to_string().as_bytes()).unwrap_err();
        assert!(refused.detail.contains("no usable id"), "{refused}");
    }
    let longest = json!({"id": "x".repeat(MAX_ID_BYTES)});
    assert!(parse(Vendor::Generic, longest.to_string().as_bytes()).is_ok());
}

#[test]
fn a_device_id_is_never_cut() {
    let device = json!({"id": "d".repeat(MAX_ID_BYTES + 1), "hostname": "h"});
    let alert = one(Vendor::Generic, &json!({"id": 1, "device": device}));
    assert_eq!(alert["device"], json!({"hostname": "h"}));
}

#[test]
fn huge_numbers_lone_surrogates_and_control_characters_go_through() {
    let body = br#"{"id":"1","severity":1e999,"created_at":123456789012345678901234567890,
        "title":"a\ud800b\u0000c\u0007","process":{"pid":99999999999999,"command_line":"x	y"}}"#;
    let alerts = parse(Vendor::Generic, body).unwrap();
    let alert = alerts.first().unwrap();
    assert_eq!(alert.title.as_deref(), Some("a\u{fffd}b\0c\u{7}"));
    assert_eq!(alert.process.command_line.as_deref(), Some("x\ty"));
    assert_eq!(alert.process.pid, None);
    assert_eq!(alert.created_at, None);
}

#[test]
fn texts_are_cut_between_characters_and_lists_at_their_bound() {
    let ips: Vec<String> = (0..100).map(|n| format!("10.0.0.{n}")).collect();
    let payload = json!({"id": 1, "title": "ä".repeat(MAX_TEXT_BYTES), "device": {"ips": ips},
        "process": {"command_line": "€".repeat(MAX_COMMAND_LINE_BYTES)}});
    let alerts = parse(Vendor::Generic, payload.to_string().as_bytes()).unwrap();
    let alert = alerts.first().unwrap();
    assert_eq!(alert.title.as_ref().map(String::len), Some(MAX_TEXT_BYTES));
    assert_eq!(
        alert.process.command_line.as_ref().map(String::len),
        Some(MAX_COMMAND_LINE_BYTES / 3 * 3)
    );
    assert_eq!(alert.device.ips.len(), MAX_ITEMS);
}

#[test]
fn broken_bodies_are_refused_without_repeating_them() {
    let nested = format!(
        r#"{{"id":"1","secret":{}{}}}"#,
        "[".repeat(64),
        "]".repeat(64)
    );
    let large = format!(
        r#"{{"id":"1","secret":"{}"}}"#,
        "x".repeat(MAX_PAYLOAD_BYTES)
    );
    let many = format!(r#"{{"id":"1","secret":[{}1]}}"#, "1,".repeat(100_000));
    let twice = r#"{"id":"1","tenant_id":"secret","tenant_id":"secret"}"#.to_owned();
    let truncated = r#"{"id":"1","secret":"#.to_owned();
    for body in [nested, large, many, twice, truncated] {
        let refused = parse(Vendor::Generic, body.as_bytes()).unwrap_err();
        assert!(!refused.to_string().contains("secret"), "{refused}");
    }
    assert!(parse(Vendor::Generic, b"{\"id\":\"\xff\"}").is_err());
}

fn is_within_bounds(alert: &Alert) -> bool {
    fn within(value: &Value, max: usize) -> bool {
        match value {
            Value::String(text) => text.len() <= max,
            Value::Array(items) => {
                items.len() <= MAX_ITEMS && items.iter().all(|item| within(item, max))
            }
            Value::Object(members) => members.iter().all(|(name, value)| {
                let is_command_line = name == "command_line";
                within(
                    value,
                    if is_command_line {
                        MAX_COMMAND_LINE_BYTES
                    } else {
                        MAX_TEXT_BYTES
                    },
                )
            }),
            _ => true,
        }
    }
    !alert.vendor_alert_id.is_empty() && within(&serde_json::to_value(alert).unwrap(), 0)
}

fn valid_payloads() -> Vec<(Vendor, String)> {
    let nested = json!({"id": "1", "hostname": "h", "agentId": 5, "command_line": "x \\ y"});
    vec![
        (
            Vendor::Crowdstrike,
            json!({"detect_id": "1", "sensor": nested, "process": nested}),
        ),
        (
            Vendor::Crowdstrike,
            json!({"composite_id": "1", "device": nested, "cid": "a",
            "quarantined_files": [nested], "technique_id": "T1003", "parent_details": nested}),
        ),
        (
            Vendor::Crowdstrike,
            json!({"metadata": {"eventCreationTime": 1}, "event":
            {"CompositeId": "1", "Severity": 70, "Parent": nested}}),
        ),
        (
            Vendor::Crowdstrike,
            json!({"meta": {}, "data": {"detections.url": "https://x"}}),
        ),
        (
            Vendor::Sentinelone,
            json!({"data": [{"threatInfo": {"threatId": "1", "filePath": "/a"},
            "agentRealtimeInfo": nested, "indicators": [{"tactics": [{"name": "x"}]}]}]}),
        ),
        (
            Vendor::Sentinelone,
            json!({"activityType": 3608, "data": {"alertid": 1}}),
        ),
        (
            Vendor::Defender,
            json!({"id": "1", "evidence": [{"entityType": "Process",
            "fileName": "a", "filePath": "C:\\"}], "mitreTechniques": ["T1"]}),
        ),
        (
            Vendor::Defender,
            json!({"id": "1", "createdDateTime": "2026-01-15T10:30:00Z",
            "evidence": [{"@odata.type": "x.deviceEvidence", "mdeDeviceId": "1"}]}),
        ),
        (
            Vendor::Defender,
            json!({"records": [{"properties": {"AlertId": "1",
            "AttackTechniques": "[\"T1003\"]"}}]}),
        ),
        (
            Vendor::Generic,
            json!({"id": 1, "process": nested, "network": [nested], "host": "h"}),
        ),
    ]
    .into_iter()
    .map(|(vendor, payload)| (vendor, payload.to_string()))
    .collect()
}

#[test]
fn every_payload_to_mutate_is_valid_before() {
    for (vendor, payload) in valid_payloads() {
        assert!(parse(vendor, payload.as_bytes()).is_ok(), "{payload}");
    }
}

/// One change to a payload, of the kinds that broken senders and attackers make.
#[derive(Clone, Debug)]
enum Change {
    Cut,
    Overwrite(u8),
    Insert(&'static str),
    Repeat(usize),
}

fn any_change() -> impl Strategy<Value = Change> {
    let inserted = prop::sample::select(vec![
        "\"",
        "\\",
        "\\ud800",
        "\\u0000",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "1e999",
        "null",
        "-",
        "\"id\":1,",
        "[[[[[[[[",
    ]);
    prop_oneof![
        Just(Change::Cut),
        any::<u8>().prop_map(Change::Overwrite),
        inserted.prop_map(Change::Insert),
        (1_usize..40).prop_map(Change::Repeat),
    ]
}

fn apply(body: &mut Vec<u8>, at: usize, change: &Change) {
    match change {
        Change::Cut => body.truncate(at),
        Change::Overwrite(byte) => body[at] = *byte,
        Change::Insert(text) => {
            body.splice(at..at, text.bytes());
        }
        Change::Repeat(length) => {
            let part = body[at..body.len().min(at + length)].to_vec();
            body.splice(at..at, part);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for vendor in Vendor::ALL {
            if let Ok(alerts) = parse(vendor, &bytes) {
                prop_assert!(!alerts.is_empty());
            }
        }
    }

    #[test]
    fn changed_payloads_are_answered(
        which in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any_change()), 1..5),
        door in 0_usize..4,
    ) {
        let payloads = valid_payloads();
        let (vendor, payload) = &payloads[which.index(payloads.len())];
        let mut body = payload.clone().into_bytes();
        for (at, change) in changes {
            if !body.is_empty() {
                let at = at.index(body.len());
                apply(&mut body, at, &change);
            }
        }
        for vendor in [*vendor, Vendor::ALL[door]] {
            if let Ok(alerts) = parse(vendor, &body) {
                prop_assert!(!alerts.is_empty());
                prop_assert!(alerts.iter().all(is_within_bounds));
            }
        }
    }
}
