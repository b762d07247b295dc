//! Trees as a server would describe them, for tests.

use serde_json::{Value, json};

use super::{
    super::model::{Tree, view},
    picture::{Moment, Picture},
    view::{Listing, View},
};

/// When every picture here is taken unless it says otherwise: 2026-01-01 00:00:00 UTC.
pub(super) const NOW_MS: u64 = 1_767_225_600_000;
/// When every server here was started.
const STARTED_MS: u64 = NOW_MS - 3 * 3_600_000;

/// What the server would say of a tree.
pub(super) fn tree(host: &Value) -> Tree {
    view(&json!({ "host": host }))
}

/// A picture with nothing before it.
pub(super) fn picture(host: &Value) -> Picture {
    Picture::new(tree(host), at(NOW_MS), None)
}

/// A view of it.
pub(super) fn view_of(host: &Value) -> View {
    View::new("http://127.0.0.1:8001", Listing::default(), picture(host))
}

/// A moment at which both clocks agree.
pub(super) fn at(ms: u64) -> Moment {
    Moment {
        server_ms: ms,
        local_ms: ms,
    }
}

/// An actor that is well.
pub(super) fn actor(id: &str, handled: u64) -> Value {
    json!({
        "id": id, "kind": id.rsplit('/').next(), "state": "running", "generation": 1,
        "started_at": STARTED_MS, "handled": handled, "queue_wait_us_p99": 180,
        "mailbox": { "depth": 0, "capacity": 1024, "rejected": 0 },
    })
}

/// A node that supervises others.
pub(super) fn group(id: &str, children: Vec<Value>) -> Value {
    let mut group = json!({
        "id": id, "kind": "group", "state": "running", "generation": 0,
        "started_at": STARTED_MS,
    });
    group["children"] = children.into();
    group
}

/// The same node with other members.
pub(super) fn with(mut node: Value, members: &Value) -> Value {
    let into = node.as_object_mut().unwrap();
    into.extend(members.as_object().unwrap().clone());
    node
}

/// A tenant with its actors.
pub(super) fn tenant(name: &str) -> Value {
    let id = format!("tenant/{name}");
    let child = |role: &str, handled| actor(&format!("{id}/{role}"), handled);
    group(&id, vec![child("machine", 420), child("triage_engine", 77)])
}

/// A host that serves these tenants.
pub(super) fn host(tenants: Vec<Value>) -> Value {
    group(
        "host",
        vec![
            actor("audit_writer", 12_345),
            actor("registry", 42),
            group("tenants", tenants),
        ],
    )
}

/// Two tenants, all well.
pub(super) fn healthy() -> Value {
    host(vec![tenant("acme"), tenant("globex")])
}

/// One tenant's machine falls again and again.
pub(super) fn crash_loop() -> Value {
    let machine = with(
        actor("tenant/acme/machine", 420),
        &json!({
            "state": "backing_off", "generation": 7, "restarts": 6,
            "started_at": null, "next_restart_at": NOW_MS + 2_500, "poisoned": 1,
            "mailbox": { "depth": 12, "capacity": 1024, "rejected": 3 },
            "last_crash": {
                "at": NOW_MS - 4_000, "message": "vyrox_actors::tenant::Decide",
                "panic": "index out of bounds: the len is 3 but the index is 7",
                "location": "actors/src/tenant/machine.rs:120:9",
            },
        }),
    );
    let acme = group(
        "tenant/acme",
        vec![machine, actor("tenant/acme/triage_engine", 77)],
    );
    host(vec![acme, tenant("globex")])
}

/// One tenant is given up for now, and one actor is stuck.
pub(super) fn suspended_and_stalled() -> Value {
    let acme = with(
        group("tenant/acme", vec![]),
        &json!({
            "state": "suspended", "strategy": "one_for_all", "next_restart_at": NOW_MS + 28_000,
            "generation": 2, "restarts": 1,
            "last_crash": {
                "at": NOW_MS - 2_000, "message": "vyrox_actors::messages::Assess",
                "panic": "panicked at 'no rules' (in Assess)",
            },
        }),
    );
    let stuck = with(
        actor("tenant/globex/machine", 99),
        &json!({
            "state": "stalled", "queue_wait_us_p99": 1_250_000,
            "mailbox": { "depth": 1024, "capacity": 1024, "rejected": 20_480 },
        }),
    );
    host(vec![acme, group("tenant/globex", vec![stuck])])
}

/// The same as a whole answer: what stands beside the tree says which thread is stuck in whom.
pub(super) fn stuck_thread() -> Value {
    let thread = |number: u8, actors: u8| {
        let name = format!("actix-rt|system:0|arbiter:{number}");
        json!({ "name": name, "stuck_for_ms": null, "polling": null, "message": null, "actors": actors })
    };
    let stuck = json!({
        "stuck_for_ms": 3_217, "polling": "tenant/globex/machine",
        "message": "vyrox_actors::messages::Receive",
    });
    json!({
        "host": suspended_and_stalled(),
        "threads": [thread(0, 1), thread(1, 5), with(thread(2, 4), &stuck), thread(3, 2)],
        "stalls": { "noticed": 1, "threads_stuck": 1 },
        "dead_letters": { "held": 2, "gone": 0 },
    })
}

/// A view of a whole answer.
pub(super) fn view_of_answer(answer: &Value) -> View {
    let picture = Picture::new(view(answer), at(NOW_MS), None);
    View::new("http://127.0.0.1:8001", Listing::default(), picture)
}

/// Ten thousand tenants, one of which is in trouble.
pub(super) fn ten_thousand() -> Value {
    let mut tenants: Vec<Value> = (0..10_000).map(|n| tenant(&format!("t{n:05}"))).collect();
    if let Some(unwell) = tenants.get_mut(7_654) {
        let crashed = json!({
            "state": "backing_off", "generation": 2, "restarts": 1,
            "last_crash": { "at": NOW_MS - 1_000, "panic": "boom" },
        });
        *unwell = group(
            "tenant/t07654",
            vec![with(actor("tenant/t07654/machine", 5), &crashed)],
        );
    }
    host(tenants)
}
