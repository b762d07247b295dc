//! Which alerts meet.

use sha2::{Digest as _, Sha256};

use super::*;
use crate::{
    alert::{Alert, Process, Severity},
    triage::{Bands, Leaning, Level, RuleHit, assess},
};

/// A pseudonym without a key is enough for a test.
fn pseudonym(kind: LinkKind, text: &str) -> u64 {
    let digest = Sha256::digest(format!("{}|{text}", kind.as_str()));
    let mut head = [0; 8];
    head.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(head)
}

fn alert(change: impl FnOnce(&mut Alert)) -> Alert {
    let mut alert = Alert::bare(Vendor::Crowdstrike, Uuid::nil().to_string());
    change(&mut alert);
    alert
}

fn kinds(alert: &Alert) -> Vec<LinkKind> {
    let links = links_of(alert, &pseudonym);
    links
        .into_iter()
        .map(|link| link.kind)
        .filter(|kind| *kind != LinkKind::VendorAlert)
        .collect()
}

/// By what two alerts meet.
fn common(one: &Alert, other: &Alert) -> Vec<LinkKind> {
    let others = links_of(other, &pseudonym);
    let mut kinds: Vec<LinkKind> = links_of(one, &pseudonym)
        .into_iter()
        .filter(|link| others.contains(link))
        .map(|link| link.kind)
        .filter(|kind| *kind != LinkKind::VendorAlert)
        .collect();
    kinds.dedup();
    kinds
}

#[track_caller]
fn check_hosts(one: (Option<&str>, Option<&str>), other: (Option<&str>, Option<&str>), meet: bool) {
    let on = |(id, name): (Option<&str>, Option<&str>)| {
        alert(|alert| {
            alert.device.id = id.map(Into::into);
            alert.device.hostname = name.map(Into::into);
        })
    };
    let expected: &[LinkKind] = if meet { &[LinkKind::Host] } else { &[] };
    assert_eq!(
        common(&on(one), &on(other)),
        expected,
        "{one:?} and {other:?}"
    );
}

#[test]
fn machines_meet_by_id_or_by_name() {
    check_hosts(
        (None, Some("WS-7.corp.example")),
        (None, Some("ws-7")),
        true,
    );
    check_hosts((Some("aid1"), Some("ws-7")), (Some("aid1"), None), true);
    check_hosts((Some("aid1"), Some("ws-7")), (None, Some("WS-7")), true);
    check_hosts((Some("AID1"), None), (Some("aid1"), None), true);
    check_hosts((None, Some("10.0.0.1")), (None, Some("10.0.0.1")), true);

    check_hosts((None, Some("10.0.0.1")), (None, Some("10.0.0.2")), false);
    check_hosts((None, Some("ws-7")), (None, Some("ws-8")), false);
    check_hosts((Some("ws-7"), None), (None, Some("ws-7")), false);
    for nothing in [
        "",
        " ",
        "-",
        "N/A",
        "unknown",
        "localhost",
        "localhost.localdomain",
        ".",
    ] {
        check_hosts((None, Some(nothing)), (None, Some(nothing)), false);
    }
}

#[test]
fn an_id_of_one_vendor_says_nothing_to_another() {
    let by = |vendor| {
        let mut alert = Alert::bare(vendor, "1".into());
        alert.device.id = Some("7".into());
        alert.threat_id = Some("9".into());
        alert
    };
    let [one, other] = [Vendor::Crowdstrike, Vendor::Sentinelone].map(by);
    assert_eq!(common(&one, &other), []);
    assert_eq!(common(&one, &one), [LinkKind::Lineage, LinkKind::Host]);
}

#[track_caller]
fn check_user(name: Option<&str>, domain: Option<&str>, sid: Option<&str>, links: usize) {
    let alert = alert(|alert| {
        alert.user.name = name.map(Into::into);
        alert.user.domain = domain.map(Into::into);
        alert.user.sid = sid.map(Into::into);
    });
    assert_eq!(
        kinds(&alert),
        vec![LinkKind::User; links],
        "{:?}",
        alert.user
    );
}

#[test]
fn accounts_that_are_everywhere_make_no_link() {
    let own = "S-1-5-21-1004336348-1177238915-682003330-1001";
    check_user(Some("jdoe"), None, None, 1);
    check_user(Some("jdoe"), Some("CORP"), Some(own), 2);
    check_user(None, None, Some(own), 1);
    check_user(Some(r"CORP\administrator"), None, None, 1);
    check_user(Some("jdoe"), None, Some("1000"), 1);

    for name in [
        "SYSTEM",
        "system",
        "LOCAL SERVICE",
        "NETWORK SERVICE",
        "root",
        "nobody",
        "WS-7$",
        r"CORP\WS-7$",
        r"NT AUTHORITY\SYSTEM",
        r"NT AUTHORITY\whatever",
        r"Window Manager\DWM-1",
        "DWM-3",
        "UMFD-0",
        r"Font Driver Host\UMFD-1",
        r"NT SERVICE\MSSQLSERVER",
        "Administrator",
        "www-data",
        "-",
        "",
        r"CORP\",
    ] {
        check_user(Some(name), None, None, 0);
    }
    check_user(Some("jdoe"), Some("NT AUTHORITY"), None, 0);
    // The name says whose it is, whatever id the vendor gave it, and the other way round.
    check_user(Some("SYSTEM"), None, Some("8a1f-vendor-id"), 0);
    check_user(Some("WS7"), Some("CORP"), Some("S-1-5-18"), 0);
    for sid in [
        "S-1-5-18",
        "s-1-5-19",
        "S-1-5-20",
        "S-1-5-90-0-1",
        "S-1-5-32-544",
        "0",
        "1000",
    ] {
        check_user(None, None, Some(sid), 0);
    }
}

#[test]
fn an_account_is_one_however_it_is_written() {
    let named = |name: &str, domain: Option<&str>| {
        alert(|alert| {
            alert.user.name = Some(name.into());
            alert.user.domain = domain.map(Into::into);
        })
    };
    let whole = named(r"CORP\JDoe", None);
    for same in [
        named("jdoe", Some("corp")),
        named("jdoe@corp.example", None),
        named("JDOE", Some("CORP.EXAMPLE")),
        named(r"corp.example\jdoe", Some("ignored")),
    ] {
        assert_eq!(common(&whole, &same), [LinkKind::User], "{:?}", same.user);
    }
    for other in [
        named("jdoe", None),
        named("jdoe", Some("lab")),
        named(r"CORP\jroe", None),
    ] {
        assert_eq!(common(&whole, &other), [], "{:?}", other.user);
    }
}

#[test]
fn a_childs_alert_meets_its_parents() {
    let process = |pid, image: &str| Process {
        pid,
        image: Some(image.into()),
        ..Process::default()
    };
    let on = |name: &str, process: Process, parent: Process| {
        alert(|alert| {
            alert.device.hostname = Some(name.into());
            alert.process = process;
            alert.parent = parent;
        })
    };
    let parent = on("ws-7", process(Some(40), "WINWORD.EXE"), Process::default());
    let child = on(
        "ws-7.corp",
        process(Some(41), "a.exe"),
        process(Some(40), "winword.exe"),
    );
    assert_eq!(common(&parent, &child), [LinkKind::Lineage, LinkKind::Host]);

    let elsewhere = on(
        "ws-8",
        process(Some(41), "a.exe"),
        process(Some(40), "winword.exe"),
    );
    assert_eq!(common(&parent, &elsewhere), []);
    let reused = on("ws-7", process(Some(40), "other.exe"), Process::default());
    assert_eq!(common(&parent, &reused), [LinkKind::Host]);
    for bare in [
        process(None, "a.exe"),
        process(Some(4), "System"),
        process(Some(1), "systemd"),
    ] {
        assert_eq!(
            kinds(&on("ws-7", bare, Process::default())),
            [LinkKind::Host]
        );
    }
}

#[test]
fn a_file_that_is_not_the_systems_is_a_link() {
    let with =
        |path: Option<&str>, image: Option<&str>, sha256: Option<&str>, sha1: Option<&str>| {
            alert(|alert| {
                alert.process.path = path.map(Into::into);
                alert.process.image = image.map(Into::into);
                alert.process.hashes.sha256 = sha256.map(Into::into);
                alert.process.hashes.sha1 = sha1.map(Into::into);
            })
        };
    let [ab, cd, zeros] = ["ab", "cd", "00"].map(|pair| pair.repeat(32));
    let tool = Some(r"C:\Users\Public\tool.exe");
    assert_eq!(
        kinds(&with(tool, None, Some(&ab), Some(&cd))),
        [LinkKind::Hash]
    );
    assert_eq!(kinds(&with(tool, None, None, Some(&cd))), [LinkKind::Hash]);
    assert_eq!(kinds(&with(None, None, Some(&ab), None)), [LinkKind::Hash]);
    assert_eq!(kinds(&with(tool, None, None, None)), []);
    assert_eq!(kinds(&with(tool, None, Some(&zeros), None)), []);
    assert_eq!(
        kinds(&with(
            Some(r"C:\Windows\System32\cmd.exe"),
            None,
            Some(&ab),
            None
        )),
        []
    );
    assert_eq!(
        kinds(&with(None, Some("PowerShell.exe"), Some(&ab), None)),
        []
    );

    let mut dropped = with(None, None, None, None);
    dropped.file.path = Some("/tmp/x".into());
    dropped.file.hashes.sha256 = Some(ab.to_uppercase());
    assert_eq!(
        common(&dropped, &with(tool, None, Some(&ab), None)),
        [LinkKind::Hash]
    );
}

#[test]
fn the_facts_hold_no_person_path_or_command_line() {
    let alert = alert(|alert| {
        alert.device.hostname = Some("ws-7".into());
        alert.user.name = Some(r"CORP\secretperson".into());
        alert.process.path = Some(r"C:\secretpath\tool.exe".into());
        alert.process.command_line = Some("tool --secretword".into());
        alert.techniques = vec![
            "OS Credential Dumping".into(),
            "secretperson logged in".into(),
        ];
        alert.tactics = vec!["secretword".into()];
        alert.process.hashes.sha256 = Some("ab".repeat(32));
    });
    let hit = |title: &str, leaning| RuleHit {
        rule_id: title.into(),
        title: title.into(),
        leaning,
        level: Level::High,
        weight_bp: 9_000,
        overrides: false,
        tactics: vec!["execution".into()],
        techniques: vec!["T1059.001".into()],
        matched: vec!["process.command_line".into()],
    };
    let hits = [
        hit("A shell", Leaning::Malicious),
        hit("Known good", Leaning::Benign),
    ];
    let assessment = assess(Severity::High, &hits, Bands::default());
    let facts = CaseFacts::of(&alert, &assessment, &["execution".into()], &pseudonym);
    assert_eq!(facts.reasons, ["A shell"]);
    assert_eq!(facts.techniques, ["T1059.001", "T1003"]);
    assert_eq!(facts.tactics, [Tactic::Execution, Tactic::CredentialAccess]);
    let json = serde_json::to_string(&facts).expect("JSON");
    assert!(!json.contains("secret"), "{json}");
    assert!(json.contains("\"host:"), "{json}");
}
