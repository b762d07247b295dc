//! Promise: a webhook that does not name its device leads to the same proposal as one that does, where the
//! tenant has a credential.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::tempdir;
use vyrox::{
    mock_edr::{MockEdr, MockSettings},
    scenario::{Occasion, Scenario},
};
use vyrox_domain::{time::Timestamp, vendor::Vendor};

use crate::server::{DEADLINE, NO_RATIONS, Server, Tenant, eventually, unix_s};

/// What CrowdStrike would post about the stand-in's alert of that id, without the device's.
fn short(tenant: &Tenant, id: &str) -> Vec<u8> {
    let at = Occasion {
        id: "1",
        now: Timestamp::from_s(unix_s()),
        tenant: &tenant.id,
    };
    let mut body = Scenario::Mimikatz
        .alerts(Vendor::Crowdstrike, at)
        .swap_remove(0)
        .body;
    body["detect_id"] = json!(id);
    let sensor = body["sensor"].as_object_mut().expect("an object");
    sensor.remove("agent_id").expect("it names its device");
    body.to_string().into_bytes()
}

fn entries(server: &Server, event: &str) -> Vec<Value> {
    let mut entries = server.entries("acme");
    entries.retain(|entry| entry["event"] == event);
    entries
}

#[test]
fn a_short_webhook_is_completed_by_the_vendor_and_leads_to_a_proposal() {
    let dir = tempdir().unwrap();
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_EDR__ALLOW_PRIVATE", "true"));
    let server = Server::start(dir.path(), &env);
    let tenant = server.add_tenant("acme");
    let mock = MockEdr::start(MockSettings::default()).unwrap();
    let seen = &Scenario::Mimikatz.sightings()[0];
    let now = Timestamp::from_s(unix_s());
    let mut sightings = [(); 2].map(|()| mock.add_sighting(Vendor::Crowdstrike, seen, now));
    sightings.sort();

    // Without a credential nobody is asked.
    let first = short(&tenant, &sightings[0]);
    let answer = tenant.alert(&mut server.http(), "crowdstrike", &first);
    let alert_id = answer["alert_id"].as_str().unwrap();
    server.judged("acme", alert_id);
    eventually(DEADLINE, || {
        (entries(&server, "alert.triaged").len() == 1).then_some(())
    });
    assert_eq!(entries(&server, "approval.requested"), [Value::Null; 0]);

    let given = mock.credential(Vendor::Crowdstrike);
    let credential = json!({
        "base_url": given.base_url,
        "client_id": given.client_id,
        "secret": given.secret,
    });
    let path = "/api/v1/tenants/acme/edr/crowdstrike";
    let reply = server.api("PUT", path, Some(&credential));
    assert!(matches!(reply.status, 200 | 201), "{reply:?}");
    mock.forget();
    let second = short(&tenant, &sightings[1]);
    tenant.alert(&mut server.http(), "crowdstrike", &second);
    let requested = eventually(DEADLINE + Duration::from_secs(10), || {
        entries(&server, "approval.requested").pop()
    });

    let device = seen.device_id(Vendor::Crowdstrike);
    let target = format!("urn:edr:crowdstrike:{device}");
    assert_eq!(requested["payload"]["manifest"]["target_urn"], target);
    let triaged = entries(&server, "alert.triaged");
    assert_eq!(triaged[0]["payload"]["enriched"], Value::Null);
    let enriched = &triaged[1]["payload"]["enriched"];
    assert_eq!(enriched["device_id"], device);
    assert_eq!(enriched["host"], seen.host);
    assert_eq!(mock.violations(), [""; 0]);
    assert!(mock.calls().iter().all(|call| !call.changes));
    assert_eq!(server.verify("acme")["ok"], true);
}
