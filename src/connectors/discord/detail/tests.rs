use proptest::prelude::*;
use uuid::Uuid;
use vyrox_domain::{
    alert::{Device, User},
    vendor::Vendor,
};

use super::*;
use crate::connectors::discord::documented::{Call, faults};

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("@everyone <@1> [x](https://evil.example) ```".to_owned()),
        r"[@<>`\[\]()*_:/|\\ 𝔞]{0,300}",
        "[_*]{3000}",
        ".{0,60}",
        Just(String::new()),
    ]
}

fn process() -> impl Strategy<Value = Process> {
    (hostile(), hostile(), hostile(), hostile()).prop_map(|(image, path, line, hash)| Process {
        image: Some(image),
        path: Some(path),
        command_line: Some(line),
        pid: Some(u64::MAX),
        hashes: Hashes {
            md5: Some(hash.clone()),
            sha1: Some(hash.clone()),
            sha256: Some(hash),
        },
    })
}

fn view() -> AlertView {
    serde_json::from_value(json!({
        "alert_id": Uuid::from_u128(1), "tenant_id": "acme", "vendor": "crowdstrike",
        "vendor_alert_id": "ldt:1", "status": "triaged", "verdict": "CRITICAL",
        "confidence_bp": 9000, "score_bp": 9000, "band": null, "reasons": [],
        "incident_id": Uuid::from_u128(2), "proposal": null, "host": null, "device_id": null,
        "severity": "high", "techniques": [], "received_at_ms": 1, "vendor_id_reused": false,
        "receipt": { "seq": 1, "hash": "00".repeat(32) }, "history": [],
    }))
    .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn whatever_an_alert_says_fits_and_calls_nobody(
        title in hostile(),
        texts in prop::collection::vec(hostile(), 0..20),
        (name, own, parent, grandparent) in (hostile(), process(), process(), process()),
    ) {
        let connection = |text: &String| Connection {
            remote_ip: Some(text.clone()),
            remote_port: Some(u16::MAX),
            remote_name: Some(text.clone()),
            protocol: None,
        };
        let alert = Alert {
            title: Some(title),
            tactics: texts.clone(),
            techniques: texts.clone(),
            device: Device {
                id: Some(name.clone()),
                hostname: Some(name.clone()),
                domain: Some(name.clone()),
                ips: texts.clone(),
                ..Device::default()
            },
            user: User { name: Some(name.clone()), domain: Some(name.clone()), sid: Some(name) },
            process: own,
            parent,
            grandparent,
            network: texts.iter().map(connection).collect(),
            ..Alert::bare(Vendor::Crowdstrike, "ldt:1".into())
        };
        let message = detail(&alert, &view());
        let found = faults(&message, Call::Answer);
        prop_assert!(found.is_empty(), "{:?}", found);
        for field in message["embeds"][0]["fields"].as_array().unwrap() {
            let text = field["value"].as_str().unwrap();
            for active in ["@", "<", "``", "]("] {
                let outside = text.split('`').step_by(2).any(|part| part.contains(active));
                prop_assert!(!outside, "{} in {}", active, text);
            }
            prop_assert!(text.matches('`').count().is_multiple_of(2), "an open span: {}", text);
        }
    }
}

#[test]
fn an_analyst_sees_who_ran_what_where() {
    let alert = Alert {
        title: Some("LSASS read".into()),
        device: Device {
            hostname: Some("WS_1".into()),
            id: Some("a1b2".into()),
            ..Device::default()
        },
        process: Process {
            image: Some("mimikatz.exe".into()),
            command_line: Some("mimikatz.exe sekurlsa::logonpasswords".into()),
            ..Process::default()
        },
        ..Alert::bare(Vendor::Crowdstrike, "ldt:1".into())
    };
    let message = detail(&alert, &view());
    let embed = &message["embeds"][0];
    assert_eq!(embed["title"], "CRITICAL · LSASS read");
    let fields: Vec<_> = embed["fields"].as_array().unwrap().iter().collect();
    assert_eq!(fields[0]["value"], "WS\\_1\n`a1b2`");
    assert_eq!(fields[1]["value"], "mimikatz.exe");
    assert_eq!(
        fields[2]["value"],
        "`mimikatz.exe sekurlsa::logonpasswords`"
    );
    assert_eq!(message["components"], Value::Null);
}
