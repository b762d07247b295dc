//! The generic form.

use serde_json::json;
use vyrox_domain::{alert::MAX_ALERTS, vendor::Vendor::Generic};

use crate::{all, one, parse};

const MD5: &str = "5d41402abc4b2a76b9719d911017c592";

#[test]
fn the_names_are_those_of_the_normal_form() {
    let payload = json!({
        "tenant_id": "acme", "alert_id": "siem-1", "product": "wazuh", "severity": "high",
        "created_at": "2026-01-15 10:30:00", "first_seen_at": 1_768_472_940,
        "title": "t", "description": "d", "tactics": ["ta0006"], "techniques": ["T1003", "t1003"],
        "device": {"id": "d1", "hostname": "h", "platform": "Darwin 23", "role": "Server",
            "domain": "acme", "ips": ["10.0.0.1"]},
        "user": {"name": "u", "domain": "acme", "sid": "S-1"},
        "process": {"path": "/usr/bin/curl", "command_line": "curl x", "pid": 9, "md5": MD5},
        "parent": {"image": "bash"}, "grandparent": {"image": "sshd", "pid": "not a number"},
        "file": {"path": "C:\\a\\b.txt", "hashes": {"md5": MD5}},
        "network": [{"remote_ip": "203.0.113.9", "remote_port": 53, "remote_name": "x.example",
            "protocol": "UDP"}, {}],
        "detection_source": "rule 7", "disposition": "blocked", "vendor_verdict": "malicious",
        "link": "https://siem.example/1", "threat_id": 12
    });
    let expected = json!({
        "version": 1, "vendor": "generic", "account": "acme", "vendor_alert_id": "siem-1",
        "product": "wazuh", "severity": "high", "severity_score": 70,
        "created_at": 1_768_473_000_000_u64, "first_seen_at": 1_768_472_940_000_u64,
        "title": "t", "description": "d", "tactics": ["TA0006"], "techniques": ["T1003"],
        "device": {"id": "d1", "hostname": "h", "platform": "macos", "role": "server",
            "domain": "acme", "ips": ["10.0.0.1"]},
        "user": {"name": "u", "domain": "acme", "sid": "S-1"},
        "process": {"image": "curl", "path": "/usr/bin/curl", "command_line": "curl x", "pid": 9,
            "hashes": {"md5": MD5}},
        "parent": {"image": "bash"}, "grandparent": {"image": "sshd"},
        "file": {"name": "b.txt", "path": "C:\\a\\b.txt", "hashes": {"md5": MD5}},
        "network": [{"remote_ip": "203.0.113.9", "remote_port": 53, "remote_name": "x.example",
            "protocol": "udp"}],
        "detection_source": "rule 7", "disposition": "blocked", "vendor_verdict": "malicious",
        "link": "https://siem.example/1", "threat_id": "12"
    });
    assert_eq!(one(Generic, &payload), expected);
}

#[test]
fn the_documented_example_is_read() {
    let page = include_str!("../../../../docs/alert.md");
    let (_, after) = page.split_once("```json\n").unwrap();
    let (example, _) = after.split_once("```").unwrap();
    let payload: serde_json::Value = serde_json::from_str(example).unwrap();
    let alert = one(Generic, &payload);
    for (member, expected) in [
        ("/account", "acme"),
        ("/severity", "high"),
        ("/device/id", "sensor-17"),
        ("/process/image", "procdump64.exe"),
        ("/techniques/0", "T1003.001"),
        ("/detection_source", "rule 100-17"),
    ] {
        assert_eq!(alert.pointer(member), Some(&json!(expected)), "{member}");
    }
}

#[test]
fn short_cuts() {
    let payload = json!({"id": 7, "host": "ws7", "user": "eve", "severity": 85,
        "tactic": "Impact", "technique": "Data Encrypted for Impact (T1486)"});
    let expected = json!({
        "version": 1, "vendor": "generic", "vendor_alert_id": "7", "severity": "critical",
        "severity_score": 85, "tactics": ["Impact"], "techniques": ["T1486"],
        "device": {"hostname": "ws7"}, "user": {"name": "eve"}
    });
    assert_eq!(one(Generic, &payload), expected);
}

#[test]
fn a_batch_has_a_bound_and_is_refused_beyond_it() {
    let batch = |count: usize| json!(vec![json!({"id": 1}); count]);
    assert_eq!(all(Generic, &batch(MAX_ALERTS)).len(), MAX_ALERTS);
    assert_eq!(all(Generic, &json!({"alerts": batch(2)})).len(), 2);
    let refused = parse(Generic, batch(MAX_ALERTS + 1).to_string().as_bytes()).unwrap_err();
    assert!(refused.detail.contains("more than 64"), "{refused}");
}
