//! For people at a command line: how the hosts are, and what is to happen to them.

use serde_json::{Map, Value, json};
use uuid::Uuid;
use vyrox_domain::vendor::Vendor;

use super::{
    alerts,
    fault::Fault,
    http::{Reply, Request},
    serving::{Desk, State},
    world::{Alert, MachineAction, Network, World},
};
use crate::{clock, scenario::Scenario};

const HELP: &str = "
GET    /_mock/hosts               every host, in JSON
POST   /_mock/hosts/NAME_OR_ID    {\"online\": false}, {\"released\": true}, {\"contained\": true}
GET    /_mock/calls               every request so far; ?changes=true: only those that change something
GET    /_mock/faults              what is still to go wrong
POST   /_mock/fault               crowdstrike:contain:503:times=2
DELETE /_mock/faults              nothing goes wrong any more
POST   /_mock/alerts              {\"vendor\": \"sentinelone\", \"scenario\": \"mimikatz\"}
";

pub(super) fn answer(desk: &Desk, request: &Request) -> Reply {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    match (request.method.as_str(), path.as_slice()) {
        ("GET", [""]) => Reply::text(200, desk.with(|state| page(state))),
        ("GET", ["_mock", "hosts"]) => {
            let hosts: Value = desk.with(|state| {
                let hosts = state.world.hosts.iter();
                hosts.map(super::Host::to_json).collect()
            });
            Reply::json(200, &json!({ "hosts": hosts }))
        }
        ("POST", ["_mock", "hosts", called]) => change_host(desk, called, &request.body),
        ("GET", ["_mock", "calls"]) => calls(desk, request.asked("changes") == Some("true")),
        ("GET", ["_mock", "faults"]) => {
            let faults = desk.with(|state| state.script.to_json());
            Reply::json(200, &json!({ "faults": faults }))
        }
        ("POST", ["_mock", "fault"]) => fault(desk, &request.body),
        ("DELETE", ["_mock", "faults"]) => {
            desk.with(|state| state.script.clear());
            desk.let_go();
            Reply::json(200, &json!({ "faults": [] }))
        }
        ("POST", ["_mock", "alerts"]) => add_alerts(desk, &request.body),
        _ => Reply::text(404, format!("nothing here; there is:\n{HELP}")),
    }
}

fn page(state: &State) -> String {
    let mut page = format!(
        "{:<12} {:<16} {:<42} {:<8} {}\n",
        "VENDOR", "HOST", "ID", "ONLINE", "NETWORK"
    );
    for host in &state.world.hosts {
        let row = format!(
            "{:<12} {:<16} {:<42} {:<8} {}\n",
            host.vendor.as_str(),
            host.name,
            host.id,
            if host.online { "yes" } else { "no" },
            host.network.as_str(),
        );
        page.push_str(&row);
    }
    page + HELP
}

fn refused(why: &str) -> Reply {
    Reply::json(400, &json!({ "error": why }))
}

fn object_of(body: &[u8]) -> Result<Map<String, Value>, Reply> {
    serde_json::from_slice(body).map_err(|_error| refused("the body is no JSON object"))
}

fn change_host(desk: &Desk, called: &str, body: &[u8]) -> Reply {
    let wishes = match object_of(body) {
        Ok(wishes) => wishes,
        Err(reply) => return reply,
    };
    let known = ["online", "released", "contained"];
    if let Some(unknown) = wishes.keys().find(|name| !known.contains(&name.as_str())) {
        return refused(&format!("`{unknown}` is none of {}", known.join(", ")));
    }
    let wish = |name: &str| wishes.get(name).and_then(Value::as_bool);
    let hosts: Vec<_> = desk.with(|state| {
        for (name, contained) in [("released", false), ("contained", true)] {
            if wish(name) == Some(true) {
                behind_back(&mut state.world, called, contained);
            }
        }
        let hosts = state.world.hosts_called(called);
        let changed = hosts.map(|host| {
            if let Some(online) = wish("online") {
                host.online = online;
            }
            host.to_json()
        });
        changed.collect()
    });
    if hosts.is_empty() {
        return Reply::json(404, &json!({ "error": "no host of that name or id" }));
    }
    Reply::json(200, &json!({ "hosts": hosts }))
}

/// Somebody else cuts off or lets back the hosts of that id or name; how many there are. Defender keeps a
/// machine action of it, as of all that happens to its machines.
pub(super) fn behind_back(world: &mut World, called: &str, contained: bool) -> usize {
    let (network, kind) = if contained {
        (Network::Contained, "Isolate")
    } else {
        (Network::Normal, "Unisolate")
    };
    let mut found = Vec::new();
    for host in world.hosts_called(called) {
        host.network = network;
        found.push((host.vendor, host.id.clone()));
    }
    let count = found.len();
    found.retain(|(vendor, _)| *vendor == Vendor::Defender);
    for (_, host) in found {
        let id = format!("00000000-0000-4000-8000-{:012}", world.number());
        // Later than all before it, also within a millisecond: the newest action is what a machine's state is.
        let before = world.actions.iter().map(|action| action.created).max();
        let now = clock::now();
        let created = before.map_or(now, |before| now.max(before.plus_ms(1)));
        world.actions.push(MachineAction {
            id,
            host,
            kind,
            status: "Succeeded",
            comment: "by somebody else".to_owned(),
            sha1: None,
            created,
        });
    }
    count
}

fn calls(desk: &Desk, changes_only: bool) -> Reply {
    let calls: Value = desk.with(|state| {
        let calls = state.calls.iter();
        calls
            .filter(|call| call.changes || !changes_only)
            .map(super::Call::to_json)
            .collect()
    });
    Reply::json(200, &json!({ "calls": calls }))
}

/// The body is the fault's text, or an object with it as `fault`.
fn fault(desk: &Desk, body: &[u8]) -> Reply {
    let text = match object_of(body) {
        Ok(object) => object
            .get("fault")
            .and_then(Value::as_str)
            .map(str::to_owned),
        Err(_) => str::from_utf8(body).map(str::to_owned).ok(),
    };
    match text.unwrap_or_default().trim().parse::<Fault>() {
        Ok(fault) => {
            let faults = desk.with(|state| {
                state.script.add(fault);
                state.script.to_json()
            });
            Reply::json(200, &json!({ "faults": faults }))
        }
        Err(error) => refused(&error.to_string()),
    }
}

/// Alerts of a scenario, or one as it is given (`alert`, with its `id`); created now.
fn add_alerts(desk: &Desk, body: &[u8]) -> Reply {
    let wishes = match object_of(body) {
        Ok(wishes) => wishes,
        Err(reply) => return reply,
    };
    let text = |name: &str| wishes.get(name).and_then(Value::as_str);
    let vendor = text("vendor").and_then(|vendor| vendor.parse::<Vendor>().ok());
    let Some(vendor) = vendor.filter(|vendor| *vendor != Vendor::Generic) else {
        return refused("`vendor` is crowdstrike, sentinelone or defender");
    };
    let scenario = Scenario::ALL
        .into_iter()
        .find(|scenario| Some(scenario.as_str()) == text("scenario"));
    let now = clock::now();
    let added = match (scenario, text("id"), wishes.get("alert")) {
        (Some(scenario), None, None) => {
            let new = |seen| alerts::of_sighting(vendor, seen, &new_id(), now);
            scenario.sightings().iter().map(new).collect()
        }
        (None, Some(id), Some(body @ Value::Object(_))) => vec![Alert {
            vendor,
            id: id.to_owned(),
            created: now,
            body: body.clone(),
        }],
        _ => return refused("either a known `scenario`, or an `alert` and its `id`"),
    };
    let ids: Vec<_> = added.iter().map(|alert| alert.id.clone()).collect();
    desk.with(|state| state.world.alerts.extend(added));
    Reply::json(200, &json!({ "ids": ids }))
}

/// Decimal digits, as SentinelOne's ids are.
fn new_id() -> String {
    let number = Uuid::new_v4().as_u128() % 1_000_000_000_000_000_000;
    format!("{number:018}")
}
