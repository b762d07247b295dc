//! A vendor that never answers holds up nobody but the tenant whose vendor it is.

use serde_json::Value;
use vyrox::mock_edr::{Answer, Fault, Host, MockEdr, MockSettings, Route};
use vyrox_domain::vendor::Vendor;

use super::{
    house::{House, said, signed, signed_bytes},
    pager::Pager,
    races::{device, isolation},
};
use crate::server::{DEADLINE, eventually};

const VENDOR: Vendor = Vendor::Crowdstrike;
const EACH: usize = 20;

fn hosts(mock: &MockEdr) {
    for n in 1..=EACH {
        mock.add_host(Host::new(VENDOR, &device(n), &format!("WS-{n:04}")));
    }
}

/// The actions of a tenant that have no outcome.
fn under_way(house: &House, tenant: &str) -> usize {
    let listed = house
        .server
        .get(&format!("/api/v1/actions?tenant_id={tenant}&limit=200"));
    let all = listed["actions"].as_array().expect("a list");
    all.iter().filter(|one| one["stage"] == "begun").count()
}

#[test]
fn a_vendor_that_hangs_holds_up_its_own_tenant_alone() {
    let pager = Pager::start();
    let mut env = vec![
        ("VYROX_CONTAINMENT__CONCURRENT", "100"),
        ("VYROX_CONTAINMENT__PER_HOUR", "100"),
        ("VYROX_CONTAINMENT__CONTAINED_HOSTS", "100"),
        ("VYROX_POLICY__BULK_HOSTS", "1000"),
        ("VYROX_EDR__TIMEOUT_S", "15"),
    ];
    env.extend(pager.env());
    let mut house = House::open(&env, &[VENDOR]);
    let hanging = MockEdr::start(MockSettings::default()).expect("stand-ins");
    house.add_tenant_at("globex", &[VENDOR], &hanging);
    hosts(&house.mock);
    hosts(&hanging);
    hanging.fault(Fault::once(VENDOR, Route::Contain, Answer::Hang).always());

    let mut http = house.server.http();
    let mut waiting = Vec::new();
    for n in 1..=EACH {
        let mut hangs = house.server.http();
        let body = isolation("globex", &device(n));
        hangs.send_raw(&signed_bytes("/execute", &body)).unwrap();
        waiting.push(hangs);
        let reply = signed(&mut http, "/execute", &isolation("acme", &device(n)));
        assert_eq!(said(&reply), (200, "executed".to_owned()));
    }
    // All of acme's have ended, and not one of globex's.
    let all_sent = hanging.wait_until(DEADLINE, |calls| {
        calls
            .iter()
            .filter(|call| call.is(VENDOR, Route::Contain))
            .count()
            == EACH
    });
    assert!(all_sent);
    assert_eq!(under_way(&house, "globex"), EACH);
    assert_eq!(under_way(&house, "acme"), 0);
    let note = eventually(DEADLINE, || {
        let node = house
            .server
            .get("/health/actors/tenant/globex/edr/crowdstrike");
        node["note"].as_str().map(str::to_owned)
    });
    assert!(note.contains("actions in hand"), "{note}");
    assert!(note.contains("the oldest for"), "{note}");

    for mut http in waiting {
        let reply = http.read_reply().expect("an answer");
        assert_eq!(said(&reply), (504, "outcome_unknown".to_owned()));
    }
    is_told(&house);
    assert!(pager.incidents() >= EACH, "{}", pager.incidents());
    pager.is_content();
    assert_eq!(
        hanging.count(VENDOR, Route::Contain),
        EACH,
        "nothing is sent twice"
    );
    assert_eq!(hanging.violations(), [""; 0]);
    house.is_whole();
}

/// Each of them has its outcome, in time, and somebody is called for it.
fn is_told(house: &House) {
    let ids: Vec<_> = house
        .events("globex", "action.intent")
        .iter()
        .map(|intent| intent["payload"]["action_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), EACH);
    for id in &ids {
        assert_eq!(house.outcomes("globex", id), ["unknown"]);
    }
    // Somebody is called for each of them.
    eventually(DEADLINE, || {
        let told = house.events("globex", "notify.fallback");
        let is_it = |entry: &&Value| entry["payload"]["reason"] == "outcome_unknown";
        (told.iter().filter(is_it).count() >= EACH).then_some(())
    });
}
