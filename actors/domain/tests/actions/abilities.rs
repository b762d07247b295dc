//! What each vendor can do to a machine, and what an alert has to say for it.

use serde_json::{Value, json};
use vyrox_domain::{action::ActionType, alert::Alert, playbook::possible, vendor::Vendor};

use super::cases::{full, step};

/// The parameters of what is proposed, in one line; `-` for nothing.
fn parameters(alert: &Alert, action: ActionType) -> String {
    let Some(draft) = step(alert, action) else {
        return "-".to_owned();
    };
    assert_eq!(draft.action_type, action);
    let pairs = draft.parameters.iter();
    let pairs: Vec<String> = pairs
        .map(|(name, value)| format!("{name}={value:.9}"))
        .collect();
    format!("[{}]", pairs.join(" "))
}

/// Each action is possible for a full alert, and no longer when one member is another.
fn refused(cases: &[(Vendor, ActionType, &str, Value)]) {
    for (vendor, action, pointer, value) in cases {
        let mut alert = serde_json::to_value(full(*vendor)).unwrap();
        *alert.pointer_mut(pointer).unwrap() = value.clone();
        let alert: Alert = serde_json::from_value(alert).unwrap();
        assert!(step(&full(*vendor), *action).is_some(), "{vendor} {action}");
        assert_eq!(
            step(&alert, *action),
            None,
            "{vendor} {action} {pointer} {value}"
        );
    }
}

#[test]
fn what_each_vendor_can_do_and_has_to_be_told() {
    let mut table = Vec::new();
    for vendor in Vendor::ALL {
        for action in ActionType::ALL {
            let told = parameters(&full(vendor), action);
            assert_eq!(told != "-", possible(vendor, action), "{vendor} {action}");
            table.push(format!("{vendor} {action} {told}"));
        }
    }
    insta::assert_snapshot!(table.join("\n"), @r"
    crowdstrike HOST_ISOLATION []
    crowdstrike PROCESS_KILL [image=evil.exe pid=4711]
    crowdstrike NETWORK_QUARANTINE -
    crowdstrike HASH_BLOCK [sha256=222222222]
    crowdstrike FILE_QUARANTINE -
    sentinelone HOST_ISOLATION []
    sentinelone PROCESS_KILL [threat_id=99]
    sentinelone NETWORK_QUARANTINE [threat_id=99]
    sentinelone HASH_BLOCK [platform=windows sha256=222222222]
    sentinelone FILE_QUARANTINE [threat_id=99]
    defender HOST_ISOLATION []
    defender PROCESS_KILL -
    defender NETWORK_QUARANTINE -
    defender HASH_BLOCK [sha256=222222222]
    defender FILE_QUARANTINE [sha1=111111111]
    generic HOST_ISOLATION -
    generic PROCESS_KILL -
    generic NETWORK_QUARANTINE -
    generic HASH_BLOCK -
    generic FILE_QUARANTINE -
    ");
}

#[test]
fn without_a_device_nothing_is_proposed() {
    for id in [None, Some(""), Some("a/b"), Some("a b"), Some("\u{202e}")] {
        let mut alert = full(Vendor::Crowdstrike);
        alert.device.id = id.map(str::to_owned);
        assert_eq!(step(&alert, ActionType::HostIsolation), None, "{id:?}");
    }
}

#[test]
fn a_process_or_threat_that_is_not_named_is_not_made_up() {
    use ActionType::{FileQuarantine, NetworkQuarantine, ProcessKill};
    use Vendor::{Crowdstrike, Sentinelone};
    let cases = [
        (Crowdstrike, ProcessKill, "/process/pid", json!(null)),
        (Crowdstrike, ProcessKill, "/process/pid", json!(4)),
        (Crowdstrike, ProcessKill, "/process/pid", json!(1_u64 << 32)),
        (Crowdstrike, ProcessKill, "/process/image", json!(null)),
        (Crowdstrike, ProcessKill, "/process/image", json!("a\u{7}b")),
        (
            Crowdstrike,
            ProcessKill,
            "/process/image",
            json!("x".repeat(513)),
        ),
        (
            Crowdstrike,
            ProcessKill,
            "/process/image",
            json!("LSASS.exe"),
        ),
        (Sentinelone, ProcessKill, "/threat_id", json!(null)),
        (Sentinelone, NetworkQuarantine, "/threat_id", json!("9/9")),
        (Sentinelone, FileQuarantine, "/threat_id", json!("")),
    ];
    refused(&cases);
}

#[test]
fn a_hash_that_is_unknown_or_the_systems_is_not_blocked() {
    use ActionType::{FileQuarantine, HashBlock};
    use Vendor::{Crowdstrike, Defender, Sentinelone};
    let cases = [
        (Sentinelone, HashBlock, "/device/platform", json!(null)),
        (
            Crowdstrike,
            HashBlock,
            "/process/hashes/sha256",
            json!(null),
        ),
        (
            Defender,
            HashBlock,
            "/process/hashes/sha256",
            json!("G".repeat(64)),
        ),
        (Crowdstrike, HashBlock, "/process/path", json!(null)),
        (
            Crowdstrike,
            HashBlock,
            "/process/path",
            json!(r"C:\Windows\System32\x.exe"),
        ),
        (
            Defender,
            FileQuarantine,
            "/process/hashes/sha1",
            json!(null),
        ),
        (
            Defender,
            FileQuarantine,
            "/process/path",
            json!("/usr/bin/x"),
        ),
    ];
    refused(&cases);
}

#[test]
fn sentinelone_makes_do_with_sha_1_and_others_do_not() {
    for vendor in [Vendor::Crowdstrike, Vendor::Sentinelone, Vendor::Defender] {
        let mut alert = full(vendor);
        alert.process.hashes.sha256 = None;
        let draft = step(&alert, ActionType::HashBlock);
        assert_eq!(draft.is_some(), vendor == Vendor::Sentinelone, "{vendor}");
    }
}

#[test]
fn the_file_that_the_alert_is_about_comes_before_the_image() {
    let mut alert = full(Vendor::Crowdstrike);
    alert.file.hashes.sha256 = Some("f".repeat(64));
    alert.file.path = Some(r"C:\Temp\x.dll".to_owned());
    assert_eq!(
        parameters(&alert, ActionType::HashBlock),
        "[sha256=fffffffff]"
    );
    // The image is what opened it, and has done nothing by itself.
    alert.file.path = Some(r"C:\Windows\System32\x.dll".to_owned());
    assert_eq!(parameters(&alert, ActionType::HashBlock), "-");
}
