//! Whom a request means.

use std::sync::Arc;

use serde_json::json;
use vyrox_actors::{
    edr::EdrCredential,
    keyring::{EdrKeys, TenantKeys, WebhookKeys, secret},
    messages::NoTarget,
};
use vyrox_domain::{
    alert::Alert,
    playbook::Assets,
    triage::Verdict,
    vendor::Vendor,
    webhook::{AuthScheme, Keys},
};

use super::{
    super::{
        Direction::{Execute, Rollback},
        asked::Asked,
        target::{Meant, Seen, of_alert, of_host},
    },
    OWN, read, tenant, with,
};

fn seen(vendor: Vendor) -> Seen {
    let mut alert = Alert::bare(vendor, "1".into());
    alert.device.id = Some("0A1B2C".into());
    alert.device.hostname = Some("WS-1".into());
    Seen {
        alert,
        verdict: Some(Verdict::High),
        incident_id: None,
    }
}

fn asked(action: &str, host: &str) -> Asked {
    let mut body = with("action_type", json!(action));
    body["host"] = json!(host);
    read(&body).unwrap()
}

fn lacks(meant: Meant, what: &str) -> bool {
    matches!(meant, Err(NoTarget::Missing(missing)) if missing.contains(what))
}

#[test]
fn the_machine_of_the_alert_is_meant_by_its_name_or_its_id_and_by_nothing_else() {
    let (seen, assets) = (seen(Vendor::Crowdstrike), Assets::default());
    for host in ["WS-1", "ws-1", "0a1b2c"] {
        let target = of_alert(&seen, &asked("HOST_ISOLATION", host), Execute, &assets);
        let target = target.unwrap();
        assert_eq!(target.target_urn, "urn:edr:crowdstrike:0a1b2c");
        assert_eq!(target.host.as_deref(), Some("WS-1"));
        assert_eq!(target.verdict, Some(Verdict::High));
        assert_eq!(target.protected, None);
        assert!(target.parameters.is_empty());
    }
    for host in ["WS-2", "WS-1.corp.example", "0A1B2"] {
        let refused = of_alert(&seen, &asked("HOST_ISOLATION", host), Execute, &assets);
        assert_eq!(refused.unwrap_err(), NoTarget::OtherHost);
    }
}

#[test]
fn a_machine_without_an_id_at_its_edr_is_no_target() {
    let mut nameless = seen(Vendor::Crowdstrike);
    nameless.alert.device.id = None;
    let meant = of_alert(
        &nameless,
        &asked("HOST_ISOLATION", "WS-1"),
        Execute,
        &Assets::default(),
    );
    assert!(lacks(meant, "no device"));
}

#[test]
fn a_process_is_ended_only_where_the_alert_names_it() {
    let assets = Assets::default();
    let mut seen = seen(Vendor::Crowdstrike);
    let asked = asked("PROCESS_KILL", "WS-1");
    let nothing = of_alert(&seen, &asked, Execute, &assets);
    assert!(lacks(nothing, "PROCESS_KILL"));
    seen.alert.process.pid = Some(4711);
    seen.alert.process.image = Some("evil.exe".into());
    let target = of_alert(&seen, &asked, Execute, &assets).unwrap();
    assert_eq!(target.parameters["pid"], "4711");
    assert_eq!(target.parameters["image"], "evil.exe");
}

/// What cannot be done is answered as that, though the alert names no process and no threat either.
#[test]
fn what_is_not_supported_needs_no_object() {
    let assets = Assets::default();
    for (vendor, action, direction) in [
        (Vendor::Defender, "PROCESS_KILL", Execute),
        (Vendor::Crowdstrike, "NETWORK_QUARANTINE", Execute),
        (Vendor::Crowdstrike, "PROCESS_KILL", Rollback),
        (Vendor::Sentinelone, "NETWORK_QUARANTINE", Rollback),
    ] {
        let meant = of_alert(&seen(vendor), &asked(action, "WS-1"), direction, &assets);
        assert!(meant.is_ok(), "{vendor} {action} {direction:?}");
    }
}

#[test]
fn a_protected_machine_is_named_as_one_known_or_not() {
    let assets = Assets::parse(&["device:0a1b2c".into()], &["host:ws-*".into()]).unwrap();
    let known = of_alert(
        &seen(Vendor::Crowdstrike),
        &asked("HOST_ISOLATION", "WS-1"),
        Execute,
        &assets,
    );
    assert_eq!(known.unwrap().protected.as_deref(), Some("tier0"));
    let keys = with_senders(&[Vendor::Crowdstrike]);
    let unknown = of_host(&keys, &asked("HOST_ISOLATION", "0A1B2C"), &assets).unwrap();
    assert_eq!(unknown.protected.as_deref(), Some("tier0"));
    let by_name = of_host(&keys, &asked("HOST_ISOLATION", "ws-7"), &assets).unwrap();
    assert_eq!(by_name.protected.as_deref(), Some("pattern:host:ws-*"));
}

fn with_senders(vendors: &[Vendor]) -> TenantKeys {
    let webhook = |vendor: &Vendor| {
        let current = Keys {
            scheme: AuthScheme::VyroxHmac,
            current: secret(OWN),
            previous: None,
        };
        let keys = WebhookKeys {
            current,
            overlap: None,
        };
        (*vendor, keys)
    };
    TenantKeys {
        webhooks: vendors.iter().map(webhook).collect(),
        ..tenant("acme", None)
    }
}

fn with_credentials(mut keys: TenantKeys, vendors: &[Vendor]) -> TenantKeys {
    let credential = EdrCredential {
        version: 1,
        base_url: "https://edr.example".into(),
        login_url: None,
        client_id: None,
        secret: secret(OWN),
        realm: None,
    };
    let edr = Arc::new(EdrKeys {
        current: Arc::new(credential),
        previous: None,
    });
    keys.edr = vendors.iter().map(|it| (*it, Arc::clone(&edr))).collect();
    keys
}

#[test]
fn of_an_unknown_alert_the_host_is_looked_for_at_the_only_edr() {
    use Vendor::{Crowdstrike, Defender, Generic, Sentinelone};
    let meant = |keys: &TenantKeys, action: &str, host: &str| {
        of_host(keys, &asked(action, host), &Assets::default())
    };
    let isolate = |keys: &TenantKeys| meant(keys, "HOST_ISOLATION", "0a1b");
    let one = with_senders(&[Generic, Sentinelone]);
    let target = isolate(&one).unwrap();
    assert_eq!(target.target_urn, "urn:edr:sentinelone:0a1b");
    let two = with_senders(&[Crowdstrike, Sentinelone]);
    assert!(isolate(&two).is_err());
    let told = with_credentials(two, &[Defender]);
    assert_eq!(isolate(&told).unwrap().vendor, Defender);
    assert!(isolate(&with_credentials(told, &[Defender, Crowdstrike])).is_err());
    assert!(isolate(&with_senders(&[Generic])).is_err());
    assert!(isolate(&with_senders(&[])).is_err());
    assert!(meant(&one, "PROCESS_KILL", "0a1b").is_err());
    assert!(meant(&one, "HOST_ISOLATION", "../0a1b").is_err());
}
