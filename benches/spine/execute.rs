//! What a trusted service's order costs in a rehearsal: signed, checked, claimed, durable before and
//! after, answered.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    alerts::{Alerts, Prepared, Tenant, hostname},
    baseline::Baseline,
    load::Load,
    report::{cores, head, line, ms, row, us},
    rounds::{LONGEST, Plan, Window, baseline_window, measure as window_of},
    vyrox::{Counters, Vyrox},
};

const CONNECTIONS: usize = 64;
const TENANTS: usize = 16;
/// Alerts that the orders are about. A machine that is ordered about over and over would be no
/// likely one.
const ALERTS: usize = 1_024;
/// Orders of a window at most: an order is stale 30 seconds after it was approved.
const ORDERS_MAX: usize = 4_000;

const SECRET: &str = "0b7e4f2a9d1c8e6350fa72b4c1d9e8073a5b6c2d4e1f90872635a4b1c0d9e8f7";

/// Limits that this load does not reach.
const SETTINGS: [(&str, &str); 8] = [
    ("VYROX_HMAC_SECRET", SECRET),
    ("VYROX_LIMITS__EXECUTE_PER_S", "100000"),
    ("VYROX_LIMITS__EXECUTE_BURST", "100000"),
    ("VYROX_POLICY__BULK_HOSTS", "100000"),
    ("VYROX_CONTAINMENT__PER_HOUR", "10000"),
    ("VYROX_CONTAINMENT__PER_DAY", "100000"),
    ("VYROX_CONTAINMENT__CONCURRENT", "1000"),
    ("VYROX_CONTAINMENT__CONTAINED_HOSTS", "100000"),
];

struct Round {
    vyrox: Window,
    journal: Counters,
    echo: Window,
}

/// What an order is about.
struct Target {
    tenant: String,
    alert_id: Value,
    host: String,
}

/// Prints the table.
pub(crate) fn measure(plan: &Plan) -> anyhow::Result<()> {
    let vyrox = Vyrox::start(&SETTINGS)?;
    let echo = Baseline::Echo.start(None)?;
    let targets = targets(&vyrox, &vyrox.add_tenants(TENANTS)?)?;
    vyrox.come_to_rest()?;
    let orders = plan.alerts.min(ORDERS_MAX);
    let mut rounds = Vec::new();
    for number in 0..=plan.rounds {
        let prepared = prepare(&targets, orders)?;
        let before = vyrox.counters()?;
        let load = Load {
            connections: CONNECTIONS,
            requests: &prepared,
            repeat: false,
            longest: LONGEST,
        };
        let window = window_of(vyrox.child(), &load, 200)?;
        let journal = vyrox.counters()?.since(&before);
        vyrox.come_to_rest()?;
        let echo = baseline_window(&echo, &prepared, CONNECTIONS)?;
        let round = Round {
            vyrox: window,
            journal,
            echo,
        };
        // The first round warms up.
        rounds.extend((number > 0).then_some(round));
    }
    print(&rounds, orders);
    Ok(())
}

/// Has an alert accepted for each of them.
fn targets(vyrox: &Vyrox, tenants: &[Tenant]) -> anyhow::Result<Vec<Target>> {
    let alerts = Alerts::new(tenants.to_owned()).prepare(ALERTS);
    let senders = tenants.iter().cycle();
    let targets = alerts.iter().zip(senders).enumerate();
    let target = |(number, (alert, tenant)): (usize, (&Prepared, &Tenant))| {
        let answer = vyrox.ask(alert)?;
        let alert_id = answer.get("alert_id").context("no id in the answer")?;
        Ok(Target {
            tenant: tenant.id.clone(),
            alert_id: alert_id.clone(),
            host: hostname(number),
        })
    };
    targets.map(target).collect()
}

/// Orders that are approved now, each with an id of its own.
fn prepare(targets: &[Target], count: usize) -> anyhow::Result<Vec<Prepared>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let order = |target: &Target| {
        let body = json!({
            "request_id": Uuid::new_v4(),
            "tenant_id": target.tenant,
            "alert_id": target.alert_id,
            "action_type": "HOST_ISOLATION",
            "host": target.host,
            "approved_by": "Ann Lee",
            "approved_at": now,
        });
        Prepared::post("/execute", SECRET, &body.to_string())
    };
    Ok(targets.iter().cycle().take(count).map(order).collect())
}

fn print(rounds: &[Round], orders: usize) {
    line("");
    line(&format!(
        "{} cores, shared by server and load; {} rounds; {orders} orders a window; {CONNECTIONS} \
         connections; {TENANTS} tenants",
        cores(),
        rounds.len(),
    ));
    head("/execute in rehearsal");
    let show = |name, digits, figure: &dyn Fn(&Round) -> f64| {
        row(name, digits, None, rounds.iter().map(figure).collect());
    };
    show("orders answered 200 a second", 0, &|it| it.vyrox.ran.rate());
    show("bare echo of the same bodies", 0, &|it| it.echo.ran.rate());
    show("as a multiple of echo", 3, &|it| {
        it.vyrox.ran.rate() / it.echo.ran.rate()
    });
    show("half of the answers within, ms", 2, &|it| {
        ms(it.vyrox.ran.latency(50))
    });
    show("99 % of the answers within, ms", 2, &|it| {
        ms(it.vyrox.ran.latency(99))
    });
    show("echo, half within, ms", 2, &|it| {
        ms(it.echo.ran.latency(50))
    });
    show("echo, 99 % within, ms", 2, &|it| {
        ms(it.echo.ran.latency(99))
    });
    show("CPU an order, us", 1, &|it| us(it.vyrox.server_each()));
    show("CPU a request of the echo, us", 1, &|it| {
        us(it.echo.server_each())
    });
    show("journal entries an order", 2, &|it| {
        it.journal.entries as f64 / it.vyrox.ran.wanted.max(1) as f64
    });
    show("entries a batch", 1, &|it| {
        it.journal.entries as f64 / it.journal.batches.max(1) as f64
    });
    let others = |it: &Round| it.vyrox.ran.others + it.echo.ran.others;
    let others: u64 = rounds.iter().map(others).sum();
    line(&format!("answers that were something else: {others}"));
}
