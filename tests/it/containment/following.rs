//! What comes after a containment: somebody releases the host behind our back, it was away and comes back,
//! it cannot be taken back.

use serde_json::Value;
use vyrox::{
    mock_edr::{Answer, Fault, Network, Route},
    scenario::Scenario,
};
use vyrox_domain::vendor::Vendor;

use super::{
    house::{House, Proposed},
    pager::Pager,
};
use crate::server::{DEADLINE, eventually};

const HOST: &str = "WS-FINANCE-07";

fn proposed(house: &House, vendor: Vendor) -> Proposed {
    let alert = house.alert("acme", vendor, Scenario::Mimikatz);
    house.proposed("acme", &alert)
}

fn device(vendor: Vendor) -> String {
    Scenario::Mimikatz.sightings()[0].device_id(vendor)
}

/// The act as people see it at the alert, once `so` holds of it.
fn shown(house: &House, what: &Proposed, so: impl Fn(&Value) -> bool) -> Value {
    eventually(DEADLINE, || {
        let act = house.server.judged("acme", &what.alert_id)["proposal"]["act"].take();
        Some(act).filter(&so)
    })
}

/// Somebody was called for that reason.
fn called(house: &House, reason: &str) {
    eventually(DEADLINE, || {
        let told = house.events("acme", "notify.fallback");
        let mut told = told.iter().map(|entry| &entry["payload"]);
        told.any(|payload| payload["reason"] == reason && payload["via"][0] == "pager")
            .then_some(())
    });
}

#[test]
fn a_host_that_somebody_else_releases_is_noticed_and_people_are_called() {
    let pager = Pager::start();
    let mut env = vec![("VYROX_CONTAINMENT__DRIFT_S", "1")];
    env.extend(pager.env());
    let vendor = Vendor::Crowdstrike;
    let house = House::open(&env, &[vendor]);
    let what = proposed(&house, vendor);
    house.approve(&what);
    let action = house.settled("acme", &what.action_id);
    assert_eq!(action["outcome"], "executed", "{action}");
    assert_eq!(action["in_force"], true, "{action}");
    house.mock.release_behind_back(HOST);
    let act = shown(&house, &what, |act| !act["drifted_at_ms"].is_null());
    assert_eq!(act["observed"], "normal", "{act}");
    let drifted = house.told("acme", &what.action_id, "action.drifted");
    assert_eq!(drifted.len(), 1, "{drifted:?}");
    called(&house, "drifted");
    let told = house.changes(vendor, &device(vendor));
    assert_eq!(told.len(), 1, "nobody contains it again unasked: {told:?}");
    pager.is_content();
    house.is_whole();
}

#[test]
fn a_host_that_is_away_is_contained_when_it_is_back_at_every_vendor() {
    let vendors = [Vendor::Crowdstrike, Vendor::Sentinelone, Vendor::Defender];
    let house = House::open(&[], &vendors);
    house.mock.set_online(HOST, false);
    let all = vendors.map(|vendor| (vendor, proposed(&house, vendor)));
    for (_, what) in &all {
        house.approve(what);
    }
    for (vendor, what) in &all {
        let act = shown(&house, what, |act| act["state"] == "containing");
        assert!(act["in_force_since_ms"].is_u64(), "{vendor}: {act}");
    }
    house.mock.set_online(HOST, true);
    for (vendor, what) in &all {
        let act = shown(&house, what, |act| act["state"] == "executed");
        assert!(act["in_force_since_ms"].is_u64(), "{vendor}: {act}");
        let outcomes = house.outcomes("acme", &what.action_id);
        assert_eq!(outcomes, ["accepted", "executed"], "{vendor}");
        assert_eq!(house.network(*vendor, &device(*vendor)), Network::Contained);
        assert_eq!(
            house.changes(*vendor, &device(*vendor)).len(),
            1,
            "{vendor}"
        );
    }
    house.is_whole();
}

#[test]
fn a_rollback_that_is_refused_leaves_the_host_contained_and_people_are_called() {
    let pager = Pager::start();
    let vendor = Vendor::Crowdstrike;
    let house = House::open(&pager.env(), &[vendor]);
    let what = proposed(&house, vendor);
    house.approve(&what);
    house.settled("acme", &what.action_id);
    house
        .mock
        .fault(Fault::once(vendor, Route::Release, Answer::Status(403)));
    let refused = house.roll_back("acme", &what.action_id);
    let action = house.settled("acme", &refused);
    assert_eq!(action["outcome"], "refused", "{action}");
    called(&house, "release_failed");
    let contained = house.action("acme", &what.action_id);
    assert_eq!(contained["in_force"], true, "{contained}");
    assert_eq!(house.network(vendor, &device(vendor)), Network::Contained);

    let released = house.roll_back("acme", &what.action_id);
    assert_ne!(released, refused, "a new try is a new action");
    let action = house.settled("acme", &released);
    assert_eq!(action["outcome"], "executed", "{action}");
    let act = shown(&house, &what, |act| act["state"] == "rolled_back");
    assert_eq!(act["undoing"], released.as_str(), "{act}");
    assert_eq!(house.network(vendor, &device(vendor)), Network::Normal);
    pager.is_content();
    house.is_whole();
}
