//! The process dies at every step of the way, and starts again: the host was told once, and the chain
//! says so.

mod others;

use std::{fmt::Debug, thread};

use serde_json::json;
use uuid::Uuid;
use vyrox::{mock_edr::Network, scenario::Scenario};
use vyrox_actors::failpoint::Step;
use vyrox_domain::vendor::Vendor;

use super::house::{House, said, signed, signed_bytes};
use crate::server::{DEADLINE, eventually, unix_s};

/// How an action comes to be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Ann approves what was proposed.
    Contain,
    /// Ann takes it back.
    Release,
    /// A service orders it, and waits.
    Execute,
}

impl Way {
    /// Whether the way leads past that step. A step that is new has to be thought of here.
    const fn leads_past(self, step: Step) -> bool {
        match step {
            // An order holds approval and intent in one.
            Step::Approved => matches!(self, Self::Contain),
            Step::BeforeReply => matches!(self, Self::Execute),
            Step::BeforeIntent
            | Step::IntentDurable
            | Step::CarryHanded
            | Step::BeforeRead
            | Step::BeforeSend
            | Step::AfterSend
            | Step::BeforeReadBack
            | Step::BeforeReport
            | Step::ReportTaken
            | Step::OutcomeDurable => true,
        }
    }

    fn steps(self) -> impl Iterator<Item = Step> {
        Step::ALL
            .into_iter()
            .filter(move |step| self.leads_past(*step))
    }
}

/// Whether the vendor has been told by then.
const fn has_told(step: Step) -> bool {
    match step {
        Step::Approved
        | Step::BeforeIntent
        | Step::IntentDurable
        | Step::CarryHanded
        | Step::BeforeRead
        | Step::BeforeSend => false,
        Step::AfterSend
        | Step::BeforeReadBack
        | Step::BeforeReport
        | Step::ReportTaken
        | Step::OutcomeDurable
        | Step::BeforeReply => true,
    }
}

/// Tries each in a house of its own, all at once: most of the time goes by in waiting.
fn at_each<T: Copy + Debug + Send>(cases: impl Iterator<Item = T>, trial: impl Fn(T) + Sync) {
    thread::scope(|scope| {
        let trial = &trial;
        let trials: Vec<_> = cases
            .map(|case| (case, scope.spawn(move || trial(case))))
            .collect();
        for (case, tried) in trials {
            assert!(tried.join().is_ok(), "dying at {case:?}");
        }
    });
}

fn host(vendor: Vendor) -> String {
    Scenario::Mimikatz.sightings()[0].device_id(vendor)
}

#[test]
fn a_death_at_any_step_of_a_containment_contains_once() {
    at_each(Way::Contain.steps(), |step| {
        contains_once(Vendor::Crowdstrike, step);
    });
}

fn contains_once(vendor: Vendor, step: Step) {
    let house = House::open(&[], &[vendor]);
    let alert = house.alert("acme", vendor, Scenario::Mimikatz);
    let proposed = house.proposed("acme", &alert);
    house.die_at(step);
    // Whether there is an answer hangs on how fast it dies.
    house.try_approve(&proposed).ok();
    let house = house.died();
    let action = house.settled("acme", &proposed.action_id);
    assert_eq!(action["outcome"], "executed", "{step}: {action}");
    let outcomes = house.outcomes("acme", &proposed.action_id);
    assert_eq!(outcomes, ["executed"], "{step}");
    let told = house.changes(vendor, &host(vendor));
    assert_eq!(told.len(), 1, "{step}: {told:?}");
    assert_eq!(house.network(vendor, &host(vendor)), Network::Contained);
    house.is_whole();
}

#[test]
fn a_death_at_any_step_of_a_release_releases_once() {
    at_each(Way::Release.steps(), |step| {
        releases_once(Vendor::Crowdstrike, step);
    });
}

fn releases_once(vendor: Vendor, step: Step) {
    let house = House::open(&[], &[vendor]);
    let alert = house.alert("acme", vendor, Scenario::Mimikatz);
    let proposed = house.proposed("acme", &alert);
    house.approve(&proposed);
    house.settled("acme", &proposed.action_id);
    house.mock.forget();
    house.die_at(step);
    house.try_roll_back("acme", &proposed.action_id).ok();
    let house = house.died();
    let begun = house.undoing("acme", &proposed.action_id);
    assert_eq!(begun.is_none(), step == Step::BeforeIntent, "{step}");
    let id = match begun {
        Some(release) => release["action_id"].as_str().unwrap().to_owned(),
        // Nothing of it is durable, so ann was told nothing, and asks again.
        None => house.roll_back("acme", &proposed.action_id),
    };
    let release = house.settled("acme", &id);
    assert_eq!(release["outcome"], "executed", "{step}: {release}");
    assert_eq!(house.outcomes("acme", &id), ["executed"], "{step}");
    let told = house.changes(vendor, &host(vendor));
    assert_eq!(told.len(), 1, "{step}: {told:?}");
    assert_eq!(house.network(vendor, &host(vendor)), Network::Normal);
    let contained = house.action("acme", &proposed.action_id);
    assert_eq!(contained["stage"], "undone", "{step}: {contained}");
    house.is_whole();
}

/// Between these steps lies what differs from vendor to vendor.
const AROUND_THE_REQUEST: [Step; 3] = [Step::BeforeSend, Step::AfterSend, Step::BeforeReport];

#[test]
fn a_death_around_the_request_contains_and_releases_once_at_the_other_vendors() {
    let vendors = [Vendor::Sentinelone, Vendor::Defender];
    let ways: [fn(Vendor, Step); 2] = [contains_once, releases_once];
    let cases = vendors.into_iter().flat_map(|vendor| {
        let ways = ways.into_iter();
        ways.flat_map(move |way| AROUND_THE_REQUEST.map(|step| (way, vendor, step)))
    });
    at_each(cases, |(way, vendor, step): (fn(Vendor, Step), _, _)| {
        way(vendor, step);
    });
}

#[test]
fn a_caller_whose_connection_broke_asks_again_and_is_answered_once() {
    at_each(Way::Execute.steps(), executes_once);
}

fn executes_once(step: Step) {
    let vendor = Vendor::Crowdstrike;
    let house = House::open(&[], &[vendor]);
    let alert = house.alert("acme", vendor, Scenario::Mimikatz);
    let mut body = json!({
        "request_id": Uuid::new_v4(),
        "tenant_id": "acme",
        "alert_id": alert,
        "action_type": "HOST_ISOLATION",
        "host": "WS-FINANCE-07",
        "approved_by": "ann@acme.example",
        "approved_at": unix_s(),
    });
    house.die_at(step);
    let broken = house
        .server
        .http()
        .try_send(&signed_bytes("/execute", &body));
    assert!(broken.is_err(), "{step}: {broken:?}");
    let house = house.died();
    // While nobody knows what the first one did, there is no answer and no second one.
    let answer = eventually(DEADLINE, || {
        body["approved_at"] = json!(unix_s());
        let reply = said(&signed(&mut house.server.http(), "/execute", &body));
        (reply.0 != 409).then_some(reply)
    });
    let word = if has_told(step) {
        "replayed"
    } else {
        "executed"
    };
    assert_eq!(answer, (200, word.to_owned()), "{step}");
    let told = house.changes(vendor, &host(vendor));
    assert_eq!(told.len(), 1, "{step}: {told:?}");
    assert_eq!(house.network(vendor, &host(vendor)), Network::Contained);

    let again = said(&signed(&mut house.server.http(), "/execute", &body));
    assert_eq!(again, (200, "replayed".to_owned()), "{step}");
    assert_eq!(ordered(&house), expected(step), "{step}");
    house.is_whole();
}

/// The outcomes of all that was ordered, in order.
fn ordered(house: &House) -> Vec<Vec<String>> {
    let entries = house.server.entries("acme");
    let orders = entries
        .iter()
        .filter(|one| one["event"] == "action.ordered");
    let ids = orders.map(|order| &order["payload"]["manifest"]["action_id"]);
    ids.map(|id| house.outcomes("acme", id.as_str().unwrap()))
        .collect()
}

/// What was ordered and not sent is released, and the caller's second try is another action.
fn expected(step: Step) -> Vec<Vec<String>> {
    let one = |word: &str| vec![word.to_owned()];
    match step {
        Step::BeforeIntent | Step::Approved => vec![one("executed")],
        step if has_told(step) => vec![one("executed")],
        _ => vec![one("unreachable"), one("executed")],
    }
}
