//! Microsoft Defender's forms.

use serde_json::{Value, json};
use vyrox_domain::vendor::Vendor::Defender;

use crate::{all, one, parse};

const SHA1: &str = "3395856ce81f2b7382dee72602f798b642f14140";

#[test]
fn an_alert_of_the_endpoint_api() {
    let payload = json!({
        "id": "da637472900382838869_1364969609", "incidentId": 1_126_093, "severity": "Low",
        "status": "New", "classification": "Unknown", "determination": null,
        "detectionSource": "WindowsDefenderAtp", "category": "Execution",
        "title": "Suspicious command", "description": "Something ran.",
        "alertCreationTime": "2026-01-15T10:30:00.1234567Z",
        "firstEventTime": "2026-01-15T10:29:00.0000001Z",
        "machineId": "111e6dd8c833c8a052ea231ec1b19adaf497b625", "computerDnsName": "ws7.acme.example",
        "aadTenantId": "a839b112", "mitreTechniques": ["T1064", "T1085"],
        "relatedUser": {"userName": "eve", "domainName": "ACME"},
        "evidence": [
            {"entityType": "User", "accountName": "other", "userSid": "S-1-5-21-9-9"},
            {"entityType": "User", "accountName": "EVE", "userSid": "S-1-5-21-1-2"},
            {"entityType": "Process", "sha1": SHA1, "fileName": "rundll32.exe",
                "filePath": "C:\\Windows\\SysWOW64", "processId": 3276,
                "processCommandLine": "rundll32.exe x.dll,y", "parentProcessId": 8420,
                "parentProcessFileName": "cmd.exe",
                "parentProcessFilePath": "C:\\Windows\\System32\\cmd.exe",
                "detectionStatus": "Detected"},
            {"entityType": "File", "fileName": "x.dll", "filePath": "C:\\Temp\\", "sha1": SHA1},
            {"entityType": "Ip", "ipAddress": "203.0.113.9"},
            {"entityType": "Url", "url": "http://evil.example/x"},
            {"entityType": "Hologram"}
        ]
    });
    let expected = json!({
        "version": 1, "vendor": "defender", "product": "mde", "account": "a839b112",
        "vendor_alert_id": "da637472900382838869_1364969609",
        "created_at": 1_768_473_000_123_u64, "first_seen_at": 1_768_472_940_000_u64,
        "severity": "low", "severity_score": 30,
        "title": "Suspicious command", "description": "Something ran.",
        "tactics": ["Execution"], "techniques": ["T1064", "T1085"],
        "device": {"id": "111e6dd8c833c8a052ea231ec1b19adaf497b625", "hostname": "ws7.acme.example"},
        "user": {"name": "eve", "domain": "ACME", "sid": "S-1-5-21-1-2"},
        "process": {"image": "rundll32.exe", "path": "C:\\Windows\\SysWOW64\\rundll32.exe",
            "command_line": "rundll32.exe x.dll,y", "pid": 3276, "hashes": {"sha1": SHA1}},
        "parent": {"image": "cmd.exe", "path": "C:\\Windows\\System32\\cmd.exe", "pid": 8420},
        "file": {"name": "x.dll", "path": "C:\\Temp\\x.dll", "hashes": {"sha1": SHA1}},
        "network": [{"remote_ip": "203.0.113.9"}, {"remote_name": "http://evil.example/x"}],
        "detection_source": "WindowsDefenderAtp", "disposition": "Detected"
    });
    assert_eq!(one(Defender, &payload), expected);
    let listed = json!({"@odata.context": "x", "value": [payload]});
    assert_eq!(all(Defender, &listed), vec![expected]);
}

#[test]
fn an_alert_of_graph() {
    let kind = |name: &str| format!("#microsoft.graph.security.{name}");
    let payload = json!({
        "id": "da637551227677560813_-961444813", "providerAlertId": "da63", "incidentId": "28282",
        "status": "unknownFutureValue", "severity": "high", "classification": "truePositive",
        "serviceSource": "microsoftDefenderForEndpoint", "detectionSource": "antivirus",
        "tenantId": "b3c1b5fc", "title": "Ransomware found", "description": "d", "category": "Impact",
        "alertWebUrl": "https://security.microsoft.com/alerts/da63", "mitreTechniques": ["T1486"],
        "createdDateTime": "2026-01-15T10:30:00Z", "firstActivityDateTime": "2026-01-15T10:29:00Z",
        "evidence": [
            {"@odata.type": kind("deviceEvidence"), "mdeDeviceId": "73e7", "deviceDnsName": "srv1",
                "osPlatform": "WindowsServer2022", "ipInterfaces": ["10.0.0.1"], "roles": ["server"]},
            {"@odata.type": kind("processEvidence"), "processId": 4780, "parentProcessId": 668,
                "processCommandLine": "locker -a", "detectionStatus": "prevented",
                "imageFile": {"fileName": "locker.exe", "filePath": "c:\\temp", "sha1": SHA1},
                "parentProcessImageFile": {"fileName": "services.exe"},
                "userAccount": {"accountName": "SYSTEM", "domainName": "NT AUTHORITY",
                    "userSid": "S-1-5-18"}, "mdeDeviceId": "73e7"},
            {"@odata.type": kind("fileEvidence"), "fileDetails": {"fileName": "note.txt",
                "filePath": "/home/x"}},
            {"@odata.type": kind("urlEvidence"), "url": "evil.example"},
            {"@odata.type": kind("tomorrowEvidence"), "x": 1}, null, "noise"
        ]
    });
    let expected = json!({
        "version": 1, "vendor": "defender", "product": "microsoftDefenderForEndpoint",
        "account": "b3c1b5fc", "vendor_alert_id": "da637551227677560813_-961444813",
        "created_at": 1_768_473_000_000_u64, "first_seen_at": 1_768_472_940_000_u64,
        "severity": "high", "severity_score": 70, "title": "Ransomware found", "description": "d",
        "tactics": ["Impact"], "techniques": ["T1486"],
        "device": {"id": "73e7", "hostname": "srv1", "platform": "windows", "role": "server",
            "ips": ["10.0.0.1"]},
        "user": {"name": "SYSTEM", "domain": "NT AUTHORITY", "sid": "S-1-5-18"},
        "process": {"image": "locker.exe", "path": "c:\\temp\\locker.exe", "command_line": "locker -a",
            "pid": 4780, "hashes": {"sha1": SHA1}},
        "parent": {"image": "services.exe", "pid": 668},
        "file": {"name": "note.txt", "path": "/home/x/note.txt"},
        "network": [{"remote_name": "evil.example"}],
        "detection_source": "antivirus", "disposition": "prevented",
        "vendor_verdict": "truePositive", "link": "https://security.microsoft.com/alerts/da63"
    });
    assert_eq!(one(Defender, &payload), expected);
}

#[test]
fn one_device_s_id_never_gets_another_s_name() {
    let device = |id: &str| {
        json!({"@odata.type": "#microsoft.graph.security.deviceEvidence", "mdeDeviceId": id,
            "deviceDnsName": format!("host-{id}")})
    };
    let process = json!({"@odata.type": "#microsoft.graph.security.processEvidence",
        "processId": 1, "mdeDeviceId": "b"});
    let device_of = |evidence: &[&Value]| {
        let payload = json!({"id": "1", "serviceSource": "x", "evidence": evidence});
        one(Defender, &payload)["device"].clone()
    };
    let [a, b] = [device("a"), device("b")];
    assert_eq!(
        device_of(&[&a, &b]),
        json!({"id": "a", "hostname": "host-a"})
    );
    assert_eq!(
        device_of(&[&a, &b, &process]),
        json!({"id": "b", "hostname": "host-b"})
    );
    assert_eq!(device_of(&[&a, &process]), json!({"id": "b"}));

    let row = |kind: &str, id: &str, name: &str| {
        json!({"properties": {"AlertId": "1", "EntityType": kind, "DeviceId": id,
            "DeviceName": name, "FileName": "x.exe"}})
    };
    let records = json!({"records": [row("Ip", "a", ""), row("File", "c", "host-c"), row("Process", "b", "host-b")]});
    assert_eq!(
        one(Defender, &records)["device"],
        json!({"id": "b", "hostname": "host-b"})
    );
}

#[test]
fn hunting_rows_are_joined_by_alert_in_any_order() {
    let record = |category: &str, properties| {
        json!({"time": "2026-01-15T10:31:00Z", "tenantId": "b3c1", "operationName": "Publish",
            "category": format!("AdvancedHunting-{category}"), "properties": properties})
    };
    let process = json!({"AlertId": "da1", "Timestamp": "2026-01-15T10:30:05Z",
        "EntityType": "Process", "EvidenceRole": "Related", "FileName": "powershell.exe",
        "FolderPath": "C:\\Windows\\powershell.exe", "SHA1": SHA1, "DeviceId": "73e7",
        "DeviceName": "srv1", "AccountName": "eve", "AccountDomain": "acme", "AccountSid": "S-1",
        "ProcessCommandLine": "powershell -enc AA", "AdditionalFields": "{}"});
    let address = json!({"AlertId": "da1", "EntityType": "Ip", "RemoteIP": "203.0.113.9"});
    let info = json!({"AlertId": "da1", "Timestamp": "2026-01-15T10:30:00Z", "Title": "Encoded",
        "Category": "Execution", "Severity": "Medium", "ServiceSource": "MDE",
        "DetectionSource": "EDR",
        "AttackTechniques": "[\"PowerShell (T1059.001)\",\"Obfuscation (T1027)\"]"});
    let other = json!({"AlertId": "da2", "Title": "Other", "AttackTechniques": ""});
    let noise = json!({"DeviceId": "73e7", "ActionType": "ProcessCreated"});
    let payload = json!({"records": [
        record("AlertEvidence", process), record("DeviceProcessEvents", noise),
        record("AlertInfo", info.clone()), record("AlertInfo", other),
        record("AlertEvidence", address)
    ]});
    let expected = json!({
        "version": 1, "vendor": "defender", "product": "MDE", "account": "b3c1",
        "vendor_alert_id": "da1", "created_at": 1_768_473_000_000_u64,
        "severity": "medium", "severity_score": 50, "title": "Encoded", "tactics": ["Execution"],
        "techniques": ["T1059.001", "T1027"],
        "device": {"id": "73e7", "hostname": "srv1"},
        "user": {"name": "eve", "domain": "acme", "sid": "S-1"},
        "process": {"image": "powershell.exe", "path": "C:\\Windows\\powershell.exe",
            "command_line": "powershell -enc AA", "hashes": {"sha1": SHA1}},
        "network": [{"remote_ip": "203.0.113.9"}], "detection_source": "EDR"
    });
    let alerts = all(Defender, &payload);
    assert_eq!(alerts.len(), 2);
    assert_eq!(alerts[0], expected);
    assert_eq!(alerts[1]["vendor_alert_id"], "da2");
    assert_eq!(
        one(Defender, &record("AlertInfo", info))["title"],
        "Encoded"
    );
}

#[test]
fn what_is_no_alert_is_refused() {
    let notification = json!({"value": [{"id": "1", "subscriptionId": "s", "clientState": "c",
        "changeType": "created", "resource": "security/alerts/1", "tenantId": "b3c1"}]});
    let other_table = json!({"records": [{"properties": {"DeviceId": "73e7"}}]});
    for payload in [
        notification,
        other_table,
        json!({"value": []}),
        json!({"tenant_id": "acme"}),
    ] {
        assert!(
            parse(Defender, payload.to_string().as_bytes()).is_err(),
            "{payload}"
        );
    }
}
