//! CrowdStrike's forms.

use serde_json::{Value, json};
use vyrox_domain::{alert::Alert, vendor::Vendor::Crowdstrike};

use crate::{all, one, parse};

const SHA256: &str = "de96a6e69944335375dc1ac238336066889d9ffc7d73628ef4fe1b1b160ab32c";

#[test]
fn the_short_form() {
    let payload = json!({
        "detect_id": "ldt:4f6e2a:8871", "customer_id": "acme", "timestamp": 1_768_473_000,
        "severity": "CRITICAL", "tactic": "Credential Access", "technique": "t1003.001",
        "sensor": {"hostname": "DC01", "agent_id": "4f6e2a"},
        "process": {"user_name": "ACME\\svc", "file_name": "procdump64.exe",
            "command_line": "procdump64.exe -ma lsass.exe", "sha256": SHA256.to_uppercase()},
        "unknown": {"kept": "in evidence"}
    });
    let expected = json!({
        "version": 1, "vendor": "crowdstrike", "vendor_alert_id": "ldt:4f6e2a:8871",
        "account": "acme", "created_at": 1_768_473_000_000_u64,
        "severity": "critical", "severity_score": 90,
        "tactics": ["Credential Access"], "techniques": ["T1003.001"],
        "device": {"id": "4f6e2a", "hostname": "DC01"}, "user": {"name": "ACME\\svc"},
        "process": {"image": "procdump64.exe", "command_line": "procdump64.exe -ma lsass.exe",
            "hashes": {"sha256": SHA256}}
    });
    assert_eq!(one(Crowdstrike, &payload), expected);
}

#[test]
fn severities_are_words_in_any_case_or_numbers() {
    for (sent, severity, score) in [
        (json!("low"), "low", 30),
        (json!("Informational"), "informational", 10),
        (json!(1), "informational", 1),
        (json!(39), "low", 39),
        (json!("79"), "high", 79),
        (json!(100), "critical", 100),
        (json!(0), "unknown", 0),
        (json!(101), "unknown", 0),
        (json!("severe"), "unknown", 0),
        (json!(null), "unknown", 0),
    ] {
        let alert = one(Crowdstrike, &json!({"detect_id": "1", "severity": sent}));
        assert_eq!(
            (&alert["severity"], &alert["severity_score"]),
            (&json!(severity), &json!(score))
        );
    }
}

fn alert_v2() -> Value {
    json!({
        "cid": "c0ffee", "composite_id": "c0ffee:ind:a1d2:77-10304-5", "id": "ind:a1d2:77-10304-5",
        "agent_id": "a1d2", "aggregate_id": "aggind:1", "product": "epp", "type": "ldt",
        "created_timestamp": "2026-01-15T10:30:20.1234567Z", "timestamp": "2026-01-15T10:30:00Z",
        "severity": 70, "severity_name": "High", "confidence": 80, "status": "new",
        "display_name": "SuspiciousPowershell", "name": "PowershellEncoded",
        "description": "An encoded command was run.",
        "tactic": "Execution", "tactic_id": "TA0002",
        "technique": "PowerShell", "technique_id": "T1059.001",
        "mitre_attack": [{"tactic": "Execution", "tactic_id": "TA0002", "technique_id": "T1027"}],
        "scenario": "suspicious_activity", "resolution": "true_positive", "email_sent": "false",
        "device": {"device_id": "a1d2", "hostname": "WS-7", "local_ip": "10.0.0.7",
            "external_ip": "198.51.100.7", "machine_domain": "acme.example",
            "platform_name": "Windows", "product_type_desc": "Domain Controller", "groups": []},
        "user_name": "alice", "user_id": "S-1-5-21-1-2-3-1104", "logon_domain": "ACME",
        "filename": "powershell.exe", "filepath": "\\Device\\Vol3\\Windows\\powershell.exe",
        "cmdline": "powershell -enc AAAA", "local_process_id": "4242", "process_id": "38684386611",
        "sha256": SHA256, "sha1": "0".repeat(40), "md5": "not a hash",
        "parent_details": {"filename": "winword.exe", "cmdline": "winword.exe /n",
            "local_process_id": "991"},
        "grandparent_details": {"filepath": "C:\\Windows\\explorer.exe"},
        "quarantined_files": [{"filename": "C:\\Temp\\drop.exe", "sha256": SHA256}],
        "network_accesses": [{"remote_address": "203.0.113.9", "remote_port": 443,
            "protocol": "TCP"}, {"remote_port": 99999}],
        "ioc_type": "domain", "ioc_value": "evil.example",
        "pattern_disposition_description": "Prevention, process killed.",
        "falcon_host_link": "https://falcon.crowdstrike.com/activity/1"
    })
}

#[test]
fn an_alerts_v2_object() {
    let expected = json!({
        "version": 1, "vendor": "crowdstrike", "product": "epp", "account": "c0ffee",
        "vendor_alert_id": "c0ffee:ind:a1d2:77-10304-5",
        "created_at": 1_768_473_020_123_u64, "first_seen_at": 1_768_473_000_000_u64,
        "severity": "high", "severity_score": 70,
        "title": "SuspiciousPowershell", "description": "An encoded command was run.",
        "tactics": ["Execution", "TA0002"], "techniques": ["T1059.001", "T1027"],
        "device": {"id": "a1d2", "hostname": "WS-7", "platform": "windows",
            "role": "domain_controller", "domain": "acme.example",
            "ips": ["10.0.0.7", "198.51.100.7"]},
        "user": {"name": "alice", "domain": "ACME", "sid": "S-1-5-21-1-2-3-1104"},
        "process": {"image": "powershell.exe", "path": "\\Device\\Vol3\\Windows\\powershell.exe",
            "command_line": "powershell -enc AAAA", "pid": 4242, "hashes": {"sha256": SHA256}},
        "parent": {"image": "winword.exe", "command_line": "winword.exe /n", "pid": 991},
        "grandparent": {"image": "explorer.exe", "path": "C:\\Windows\\explorer.exe"},
        "file": {"name": "drop.exe", "path": "C:\\Temp\\drop.exe", "hashes": {"sha256": SHA256}},
        "network": [{"remote_ip": "203.0.113.9", "remote_port": 443, "protocol": "tcp"},
            {"remote_name": "evil.example"}],
        "detection_source": "suspicious_activity", "disposition": "Prevention, process killed.",
        "vendor_verdict": "true_positive", "link": "https://falcon.crowdstrike.com/activity/1"
    });
    assert_eq!(one(Crowdstrike, &alert_v2()), expected);
}

#[test]
fn an_answer_of_the_alerts_api_brings_several() {
    let mut second = alert_v2();
    second["composite_id"] = json!("c0ffee:ind:a1d2:78");
    let payload =
        json!({"meta": {"trace_id": "1"}, "errors": [], "resources": [alert_v2(), second]});
    let alerts = all(Crowdstrike, &payload);
    assert_eq!(alerts.len(), 2);
    assert_eq!(alerts[1]["vendor_alert_id"], "c0ffee:ind:a1d2:78");
}

#[test]
fn an_identity_alert_never_targets_the_controller_that_saw_it() {
    let mut payload = json!({
        "composite_id": "c0ffee:ind:dc:1", "cid": "c0ffee", "product": "idp", "agent_id": "dc",
        "source_account_name": "bob", "source_account_domain": "ACME",
        "source_account_object_sid": "S-1-5-21-9", "source_endpoint_host_name": "WS-9",
        "source_endpoint_address_ip4": "10.0.0.9"
    });
    let alert = one(Crowdstrike, &payload);
    assert_eq!(
        alert["device"],
        json!({"hostname": "WS-9", "ips": ["10.0.0.9"]})
    );
    assert_eq!(
        alert["user"],
        json!({"name": "bob", "domain": "ACME", "sid": "S-1-5-21-9"})
    );

    payload["source_endpoint_sensor_id"] = json!("ws9");
    assert_eq!(one(Crowdstrike, &payload)["device"]["id"], "ws9");
}

#[test]
fn nor_does_an_identity_event() {
    let payload = json!({
        "metadata": {"eventType": "IdpDetectionSummaryEvent"},
        "event": {"CompositeId": "c0ffee:ind:dc:2", "AgentId": "dc", "Severity": 60}
    });
    let alert = one(Crowdstrike, &payload);
    assert_eq!(alert["product"], "idp");
    assert_eq!(alert.get("device"), None);
}

#[test]
fn an_event_stream_envelope() {
    let payload = json!({
        "metadata": {"customerIDString": "c0ffee", "offset": 14_947_764,
            "eventType": "EppDetectionSummaryEvent", "eventCreationTime": 1_768_473_000_123_u64,
            "version": "1.0"},
        "event": {"CompositeId": "c0ffee:ind:a1d2:9", "AgentId": "a1d2", "Hostname": "WS-7",
            "LocalIP": "10.0.0.7", "UserName": "alice", "LogonDomain": "ACME",
            "Name": "Ransomware", "Description": "Files were encrypted.", "Severity": 90,
            "SeverityName": "Critical", "Tactic": "Impact", "Technique": "Data Encrypted for Impact",
            "Objective": "Follow Through", "FileName": "locker.exe",
            "FilePath": "\\Device\\Vol3\\Temp\\locker.exe", "CommandLine": "locker.exe --all",
            "SHA256String": SHA256, "MD5String": "N/A", "ProcessId": 38_684_386_611_u64,
            "ProcessStartTime": 1_768_472_990, "ProcessEndTime": 0,
            "Parent": {"ImageFileName": "cmd.exe", "CommandLine": "cmd /c locker.exe"},
            "GrandParentImageFileName": "explorer.exe",
            "IOCType": "ipv4", "IOCValue": "203.0.113.9",
            "PatternDispositionDescription": "Detection only.",
            "FalconHostLink": "http://not.encrypted.example/"}
    });
    let expected = json!({
        "version": 1, "vendor": "crowdstrike", "product": "epp", "account": "c0ffee",
        "vendor_alert_id": "c0ffee:ind:a1d2:9",
        "created_at": 1_768_473_000_123_u64, "first_seen_at": 1_768_472_990_000_u64,
        "severity": "critical", "severity_score": 90,
        "title": "Ransomware", "description": "Files were encrypted.",
        "tactics": ["Impact"], "techniques": ["Data Encrypted for Impact"],
        "device": {"id": "a1d2", "hostname": "WS-7", "ips": ["10.0.0.7"]},
        "user": {"name": "alice", "domain": "ACME"},
        "process": {"image": "locker.exe", "path": "\\Device\\Vol3\\Temp\\locker.exe",
            "command_line": "locker.exe --all", "hashes": {"sha256": SHA256}},
        "parent": {"image": "cmd.exe", "command_line": "cmd /c locker.exe"},
        "grandparent": {"image": "explorer.exe"},
        "network": [{"remote_ip": "203.0.113.9"}],
        "detection_source": "Follow Through", "disposition": "Detection only."
    });
    assert_eq!(one(Crowdstrike, &payload), expected);
}

#[test]
fn a_legacy_event_counts_severity_from_one_to_five() {
    let payload = json!({
        "metadata": {"eventType": "DetectionSummaryEvent", "customerIDString": "c0ffee"},
        "event": {"DetectId": "ldt:1:2", "SensorId": "a1d2", "ComputerName": "WS-7",
            "DetectName": "NGAV", "DetectDescription": "Known malware.", "Severity": 4,
            "SeverityName": "High"}
    });
    let alert = one(Crowdstrike, &payload);
    assert_eq!(alert["severity"], "high");
    assert_eq!(alert["severity_score"], 70);
    assert_eq!(alert["title"], "NGAV");
    assert_eq!(alert["device"], json!({"id": "a1d2", "hostname": "WS-7"}));
    assert!(alert.get("product").is_none());
}

#[test]
fn a_notification_has_dotted_names_and_its_link_for_an_id() {
    let link = "https://falcon.crowdstrike.com/activity/detections/detail/a1d2/77";
    let payload = json!({
        "meta": {"trigger_name": "New detection", "trigger_category": "Alert",
            "timestamp": 1_768_473_000},
        "data": {"detections.command_line": "rundll32 comsvcs.dll", "detections.hostname": "WS-7",
            "detections.user_name": "alice", "detections.severity": "Medium",
            "detections.action_taken": "None", "detections.url": link}
    });
    let expected = json!({
        "version": 1, "vendor": "crowdstrike", "vendor_alert_id": link, "link": link,
        "created_at": 1_768_473_000_000_u64, "severity": "medium", "severity_score": 50,
        "title": "New detection", "device": {"hostname": "WS-7"}, "user": {"name": "alice"},
        "process": {"command_line": "rundll32 comsvcs.dll"}, "disposition": "None"
    });
    assert_eq!(one(Crowdstrike, &payload), expected);
}

#[test]
fn what_is_no_alert_names_the_members_looked_for() {
    for payload in [
        json!({}),
        json!({"id": "1"}),
        json!([]),
        json!({"resources": []}),
        json!(7),
    ] {
        let refused = parse(Crowdstrike, payload.to_string().as_bytes()).unwrap_err();
        assert!(refused.looked_for.contains(&"composite_id"), "{refused}");
        assert!(refused.to_string().contains("detect_id"), "{refused}");
    }
    let payload = json!([alert_v2(), {"cid": "c0ffee"}]);
    let refused = parse(Crowdstrike, payload.to_string().as_bytes());
    assert!(
        refused.is_err(),
        "one item that is no alert refuses the list"
    );
}

#[test]
fn the_normal_form_reads_back() {
    let alerts = parse(Crowdstrike, alert_v2().to_string().as_bytes()).unwrap();
    let stored = serde_json::to_string(&alerts).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Alert>>(&stored).unwrap(), alerts);
}
