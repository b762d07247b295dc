//! What was approved and is not begun when the server starts, while a witness whose word is needed is down.

use serde_json::json;
use uuid::Uuid;
use vyrox::{mock_edr::Network, scenario::Scenario};
use vyrox_actors::failpoint::Step;
use vyrox_domain::vendor::Vendor;

use super::house::{House, said, signed};
use crate::{
    audit_log::integrity,
    server::{DEADLINE, eventually, unix_s},
    witness::strict::{Mood, StrictWitness},
};

/// A witness was down in the first second after a start, and what people had approved before was withheld for good.
#[test]
fn what_was_approved_is_carried_out_once_the_witness_is_back() {
    let vendor = Vendor::Crowdstrike;
    let witness = StrictWitness::start(Mood::Honest);
    let setting = witness.setting();
    let env = [
        ("VYROX_AUDIT__WITNESSES", setting.as_str()),
        ("VYROX_AUDIT__WITNESS_REQUIRED", "true"),
        ("VYROX_AUDIT__WITNESS_INTERVAL_S", "1"),
        ("VYROX_AUDIT__CHECKPOINT_MS", "100"),
    ];
    let house = House::open(&env, &[vendor]);
    let key = house.server.get("/audit/key");
    witness.learn(key["vkey"].as_str().expect("a key"));
    let cosigned = |house: &House| integrity(&house.server)["witnesses"][0]["state"] == "cosigned";
    eventually(DEADLINE, || cosigned(&house).then_some(()));
    let alert = house.alert("acme", vendor, Scenario::Mimikatz);
    let proposed = house.proposed("acme", &alert);

    witness.is_now(Mood::Down);
    house.die_at(Step::Approved);
    // Whether there is an answer hangs on how fast it dies.
    house.try_approve(&proposed).ok();
    let house = house.died();
    let asked = witness.asked();
    // The machine looks each second at what it owes, and the witness is left alone for longer than that by then.
    eventually(DEADLINE, || (witness.asked() >= asked + 3).then_some(()));
    let fault = integrity(&house.server)["host"]["kind"].clone();
    assert_eq!(fault, "witness_silent");
    let action = house.action("acme", &proposed.action_id);
    assert_eq!(action["stage"], "approved", "{action}");
    let order = json!({
        "request_id": Uuid::new_v4(),
        "tenant_id": "acme",
        "alert_id": alert,
        "action_type": "HOST_ISOLATION",
        "host": "WS-FINANCE-07",
        "approved_by": "ann@acme.example",
        "approved_at": unix_s(),
    });
    // Whoever asks now is told so, and does not wait.
    let refused = said(&signed(&mut house.server.http(), "/execute", &order));
    assert_eq!(refused, (503, "audit_integrity_failed".to_owned()));
    let host = Scenario::Mimikatz.sightings()[0].device_id(vendor);
    assert_eq!(house.changes(vendor, &host).len(), 0);

    witness.is_now(Mood::Honest);
    let action = house.settled("acme", &proposed.action_id);
    assert_eq!(action["outcome"], "executed", "{action}");
    let withheld = house.told("acme", &proposed.action_id, "action.withheld");
    assert_eq!(withheld.len(), 0, "{withheld:?}");
    assert_eq!(house.changes(vendor, &host).len(), 1);
    assert_eq!(house.network(vendor, &host), Network::Contained);
    house.is_whole();
}
