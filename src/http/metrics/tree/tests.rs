use std::{collections::HashSet, sync::Mutex as StdMutex};

use prometheus_client::registry::Registry;
use vyrox_actors::supervision::Strategy;

use super::*;
use crate::http::metrics::{
    exposition::Format,
    ledger::tests::{handled, host, node, over},
    tenants::OWN_LABELS_MAX,
};

fn registry(snapshot: impl Fn() -> Node + Send + Sync + 'static) -> Registry {
    let mut registry = Registry::with_prefix("vyrox");
    let tree = Tree::new(snapshot, Arc::default());
    registry.register_collector(Box::new(tree));
    registry
}

#[test]
fn a_small_tree_in_full() {
    let registry = registry(|| {
        let mut root = host(&[("acme", Some(handled(3)))]);
        let tenant = &mut root.children[0].children[0];
        tenant.strategy = Some(Strategy::OneForOne);
        (tenant.generation, tenant.restarts) = (3, 2);
        tenant.children[0].queue_wait_us_p99 = 1500;
        root
    });
    let text = Format::OpenMetrics.write(&registry).unwrap();
    let of_actors: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with("vyrox_actors{") || line.ends_with(" 1"))
        .filter(|line| !line.starts_with("# HELP"))
        .collect();
    assert_eq!(
        of_actors,
        [
            "# TYPE vyrox_actors gauge",
            "vyrox_actors{kind=\"host\",state=\"running\"} 1",
            "vyrox_actors{kind=\"machine\",state=\"running\"} 1",
            "vyrox_actors{kind=\"tenant\",state=\"running\"} 1",
            "vyrox_actors{kind=\"tenants\",state=\"running\"} 1",
            "# TYPE vyrox_supervisor_restarts counter",
            "vyrox_supervisor_restarts_total{kind=\"tenant\",tenant=\"acme\"} 2",
            "# TYPE vyrox_actor_messages_handled counter",
            "vyrox_actor_messages_handled_total{kind=\"machine\",tenant=\"acme\"} 3",
            "vyrox_actor_messages_handled_total{kind=\"tenants\"} 7",
            "# TYPE vyrox_actor_messages_rejected counter",
            "vyrox_actor_messages_rejected_total{kind=\"machine\",tenant=\"acme\"} 0",
            "vyrox_actor_messages_rejected_total{kind=\"tenants\"} 0",
            "# TYPE vyrox_actor_messages_poisoned counter",
            "vyrox_actor_messages_poisoned_total{kind=\"machine\",tenant=\"acme\"} 0",
            "vyrox_actor_messages_poisoned_total{kind=\"tenants\"} 0",
            "# TYPE vyrox_actor_restarts counter",
            "vyrox_actor_restarts_total{kind=\"machine\",tenant=\"acme\"} 0",
            "vyrox_actor_restarts_total{kind=\"tenants\"} 0",
            "# TYPE vyrox_actor_mailbox_depth gauge",
            "vyrox_actor_mailbox_depth{kind=\"machine\",tenant=\"acme\"} 2",
            "vyrox_actor_mailbox_depth{kind=\"tenants\"} 2",
            "# TYPE vyrox_actor_mailbox_capacity gauge",
            "vyrox_actor_mailbox_capacity{kind=\"machine\",tenant=\"acme\"} 10",
            "vyrox_actor_mailbox_capacity{kind=\"tenants\"} 10",
            "# TYPE vyrox_actor_queue_wait_p99_seconds gauge",
            "# UNIT vyrox_actor_queue_wait_p99_seconds seconds",
            "vyrox_actor_queue_wait_p99_seconds{kind=\"machine\",tenant=\"acme\"} 0.0015",
            "vyrox_actor_queue_wait_p99_seconds{kind=\"tenants\"} 0.0",
            "# TYPE vyrox_actor_last_crash_timestamp_seconds gauge",
            "# UNIT vyrox_actor_last_crash_timestamp_seconds seconds",
            "# EOF",
        ]
    );
}

#[test]
fn ten_thousand_actors_are_a_bounded_number_of_lines() {
    const TENANTS: u64 = 5_000;
    let names: Vec<_> = (0..TENANTS).map(|n| format!("t{n}")).collect();
    let machines: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), Some(handled(1))))
        .collect();
    let mut root = host(&machines);
    for tenant in &mut root.children[0].children {
        let id = format!("{}/triage_engine", tenant.id);
        tenant
            .children
            .push(node(&id, "triage_engine", Some(handled(2))));
    }
    let root = StdMutex::new(root);
    let registry = registry(move || {
        let mut root = root.lock().unwrap();
        let before = root.clone();
        // At the next look every tenant is at rest.
        let groups = before.children[0].children.iter();
        let resting = groups.map(|tenant| over(tenant.clone(), Vec::new()));
        root.children[0].children = resting.collect();
        before
    });
    let (first, second) = (
        Format::Text.write(&registry).unwrap(),
        Format::Text.write(&registry).unwrap(),
    );
    for text in [&first, &second] {
        let handled: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("vyrox_actor_messages_handled_total{"))
            .collect();
        // Two kinds of tenants' actors and the router.
        assert_eq!(handled.len(), 2 * (OWN_LABELS_MAX + 1) + 1);
        let values = handled
            .iter()
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
        assert_eq!(values.sum::<u64>(), 3 * TENANTS + 7);
        let others = TENANTS - OWN_LABELS_MAX as u64;
        let line = format!(
            "vyrox_actor_messages_handled_total{{kind=\"machine\",tenant=\"other\"}} {others}"
        );
        assert!(handled.contains(&line.as_str()), "{line}");
    }
    let samples: Vec<_> = first
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    let series: HashSet<_> = samples
        .iter()
        .filter_map(|line| Some(line.rsplit_once(' ')?.0))
        .collect();
    assert_eq!(series.len(), samples.len(), "no series twice");
    println!(
        "{} nodes: {} series in {} bytes",
        2 + 3 * TENANTS,
        samples.len(),
        first.len()
    );
}
