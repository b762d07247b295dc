//! SentinelOne's forms.

use serde_json::{Value, json};
use vyrox_domain::vendor::Vendor::Sentinelone;

use crate::{all, one, parse};

const SHA1: &str = "3395856ce81f2b7382dee72602f798b642f14140";

#[test]
fn the_short_form() {
    let payload = json!({
        "id": 225_494_730_938_493_804_u64, "accountId": "acme", "createdAt": "2026-01-15T10:30:00Z",
        "severity": "high", "mitreTactic": "Lateral Movement", "mitreTechnique": "T1021.002",
        "agentRealtimeInfo": {"computerName": "SRV-2", "agentId": "1234", "domain": "ACME",
            "accountId": "acme"},
        "processName": "psexesvc.exe", "fileFullName": "C:\\Windows\\psexesvc.exe",
        "commandLine": "psexesvc.exe", "fileContentHash": SHA1
    });
    let expected = json!({
        "version": 1, "vendor": "sentinelone", "vendor_alert_id": "225494730938493804",
        "account": "acme", "created_at": 1_768_473_000_000_u64,
        "severity": "high", "severity_score": 70,
        "tactics": ["Lateral Movement"], "techniques": ["T1021.002"],
        "device": {"id": "1234", "hostname": "SRV-2", "domain": "ACME"},
        "process": {"image": "psexesvc.exe", "path": "C:\\Windows\\psexesvc.exe",
            "command_line": "psexesvc.exe", "hashes": {"sha1": SHA1}}
    });
    assert_eq!(one(Sentinelone, &payload), expected);
}

fn threat() -> Value {
    json!({
        "id": "900", "agentDetectionInfo": {"accountId": "433", "agentIpV4": "10.0.0.5, 10.1.0.5",
            "externalIp": "198.51.100.5", "agentOsName": "Windows 11 Pro", "agentDomain": "ACME"},
        "agentRealtimeInfo": {"accountId": "433", "agentId": "1409", "agentComputerName": "LT-5",
            "agentOsType": "windows", "agentMachineType": "laptop",
            "networkInterfaces": [{"inet": ["10.0.0.5"], "inet6": ["fe80::1"], "name": "eth0"}]},
        "threatInfo": {"threatId": "901", "threatName": "mimikatz.exe",
            "classification": "Infostealer", "confidenceLevel": "malicious",
            "analystVerdict": "undefined", "mitigationStatus": "not_mitigated",
            "detectionType": "dynamic", "detectionEngines": [{"key": "lateral", "title": "Lateral"}],
            "filePath": "\\Device\\Vol3\\Users\\eve\\mimikatz.exe",
            "maliciousProcessArguments": "sekurlsa::logonpasswords",
            "originatorProcess": "cmd.exe", "processUser": "ACME\\eve",
            "sha1": SHA1, "sha256": null, "md5": null,
            "identifiedAt": "2026-01-15T10:29:58.000Z", "createdAt": "2026-01-15T10:30:00.000Z"},
        "indicators": [{"category": "Infostealer", "description": "Read LSASS memory.",
            "tactics": [{"name": "Credential Access", "source": "MITRE",
                "techniques": [{"name": "T1003.001", "link": "https://x.example"}]}]},
            {"description": "Injected code.", "tactics": [{"name": "Defense Evasion",
                "techniques": [{"name": "T1055"}]}]}],
        "mitigationStatus": []
    })
}

#[test]
fn a_threat() {
    let expected = json!({
        "version": 1, "vendor": "sentinelone", "vendor_alert_id": "900", "threat_id": "901",
        "account": "433",
        "created_at": 1_768_473_000_000_u64, "first_seen_at": 1_768_472_998_000_u64,
        "severity": "high", "severity_score": 70, "title": "mimikatz.exe",
        "description": "Infostealer; Read LSASS memory.; Injected code.",
        "tactics": ["Credential Access", "Defense Evasion"], "techniques": ["T1003.001", "T1055"],
        "device": {"id": "1409", "hostname": "LT-5", "platform": "windows", "role": "workstation",
            "domain": "ACME", "ips": ["10.0.0.5", "10.1.0.5", "198.51.100.5", "fe80::1"]},
        "user": {"name": "ACME\\eve"},
        "process": {"image": "mimikatz.exe", "path": "\\Device\\Vol3\\Users\\eve\\mimikatz.exe",
            "command_line": "sekurlsa::logonpasswords", "hashes": {"sha1": SHA1}},
        "parent": {"image": "cmd.exe"}, "detection_source": "Lateral",
        "disposition": "not_mitigated", "vendor_verdict": "malicious"
    });
    assert_eq!(one(Sentinelone, &threat()), expected);
    let listed = json!({"data": [threat(), threat()], "pagination": {"totalItems": 2}});
    assert_eq!(all(Sentinelone, &listed), vec![expected.clone(), expected]);
}

#[test]
fn a_threat_at_rest_is_a_file() {
    let mut payload = threat();
    payload["threatInfo"]["detectionType"] = json!("static");
    payload["threatInfo"]["maliciousProcessArguments"] = Value::Null;
    let alert = one(Sentinelone, &payload);
    assert_eq!(alert["file"]["name"], "mimikatz.exe");
    assert_eq!(alert["file"]["hashes"]["sha1"], SHA1);
    assert_eq!(alert["process"], json!({"image": "cmd.exe"}));
}

#[test]
fn the_severity_of_a_threat_is_derived() {
    for (confidence, kind, mitigation, verdict, score) in [
        ("malicious", "Trojan", "not_mitigated", "undefined", 70),
        ("malicious", "Trojan", "mitigated", "undefined", 60),
        ("malicious", "Ransomware", "not_mitigated", "undefined", 90),
        ("suspicious", "Ransomware", "mitigated", "undefined", 80),
        (
            "suspicious",
            "Malware",
            "not_mitigated",
            "true_positive",
            50,
        ),
        ("malicious", "PUA", "not_mitigated", "undefined", 30),
        ("n/a", "", "not_mitigated", "undefined", 30),
        (
            "malicious",
            "Ransomware",
            "marked_as_benign",
            "undefined",
            10,
        ),
        ("malicious", "Ransomware", "mitigated", "false_positive", 10),
    ] {
        let mut payload = threat();
        let info = &mut payload["threatInfo"];
        info["confidenceLevel"] = json!(confidence);
        info["classification"] = json!(kind);
        info["mitigationStatus"] = json!(mitigation);
        info["analystVerdict"] = json!(verdict);
        let alert = one(Sentinelone, &payload);
        assert_eq!(
            alert["severity_score"], score,
            "{confidence} {kind} {mitigation} {verdict}"
        );
    }
}

#[test]
fn a_custom_rule_s_activity() {
    let payload = json!({
        "accountId": "433", "activityType": 3608, "agentId": "1409", "id": "7001",
        "createdAt": "2026-01-15T10:30:00Z", "primaryDescription": "Alert created",
        "threatId": null, "siteId": "5",
        "data": {"alertid": 6001, "rulename": "Encoded PowerShell", "severity": "E_MEDIUM",
            "detectedat": 1_768_472_999_000_u64, "origagentname": "LT-5",
            "origagentosfamily": "windows", "origagentmachinetype": "desktop",
            "sourceprocessname": "powershell.exe", "sourceprocesscommandline": "powershell -enc AA",
            "sourceprocessfilepath": "C:\\powershell.exe", "sourceprocesspid": "77",
            "sourceprocessusername": "ACME\\eve", "sourceparentprocessname": "cmd.exe",
            "dstip": "203.0.113.9", "dstport": "8443", "tgtfilepath": "/tmp/drop.sh"}
    });
    let expected = json!({
        "version": 1, "vendor": "sentinelone", "vendor_alert_id": "6001", "account": "433",
        "created_at": 1_768_473_000_000_u64, "first_seen_at": 1_768_472_999_000_u64,
        "severity": "medium", "severity_score": 50, "title": "Encoded PowerShell",
        "device": {"id": "1409", "hostname": "LT-5", "platform": "windows", "role": "workstation"},
        "user": {"name": "ACME\\eve"},
        "process": {"image": "powershell.exe", "path": "C:\\powershell.exe",
            "command_line": "powershell -enc AA", "pid": 77},
        "parent": {"image": "cmd.exe"},
        "file": {"name": "drop.sh", "path": "/tmp/drop.sh"},
        "network": [{"remote_ip": "203.0.113.9", "remote_port": 8443}]
    });
    assert_eq!(one(Sentinelone, &payload), expected);
}

#[test]
fn an_activity_about_a_threat_has_the_threat_s_id() {
    let payload = json!({"activityType": 19, "id": "7002", "threatId": "901", "agentId": "1409",
        "primaryDescription": "Threat with confidence level malicious detected"});
    let alert = one(Sentinelone, &payload);
    assert_eq!(alert["vendor_alert_id"], "901");
    assert_eq!(alert["threat_id"], "901");
}

#[test]
fn what_is_no_alert_is_refused() {
    for payload in [
        json!({"accountId": "1"}),
        json!({"data": []}),
        json!({"id": ""}),
    ] {
        assert!(
            parse(Sentinelone, payload.to_string().as_bytes()).is_err(),
            "{payload}"
        );
    }
}
