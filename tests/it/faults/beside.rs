//! A tenant whose machine panics, and fifteen beside it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, ScopedJoinHandle},
};

use super::{assert_injected, node, order};
use crate::{
    load::{Ledger, Receipt, Sender, Times},
    server::{NO_RATIONS, Server, Tenant, now},
};

const TENANTS: usize = 16;
/// Windows without and with faults, in turns.
const WINDOWS: usize = 8;
/// Alerts of the tenant with the faults in one window, and after how many of them one is ordered.
const ALERTS: usize = 40;
const FAULT_EVERY: usize = 8;

#[test]
fn a_panicking_machine_is_felt_by_no_other_tenant() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_SUPERVISION__INTENSITY", "1000"));
    env.push(("VYROX_SUPERVISION__BACKOFF_MAX_MS", "50"));
    let server = Server::start(dir.path(), &env);
    let tenants: Vec<_> = (0..TENANTS)
        .map(|n| server.add_tenant(&format!("fault-{n:02}")))
        .collect();
    let (victim, others) = tenants.split_first().expect("there are tenants");

    let (broken, neighbours) = windows(&server, victim, others);
    let mut ledger = Ledger::default();
    ledger.keep_all(broken);
    let kept = ledger.len();
    assert_eq!(
        kept,
        WINDOWS * ALERTS,
        "each alert of the panicking tenant was taken in at its first sending"
    );
    let [mut quiet, mut shaken] = [Times::default(), Times::default()];
    for seen in neighbours {
        assert_eq!(seen.errors, [""; 0], "another tenant saw these");
        quiet.extend(seen.times[0].as_slice());
        shaken.extend(seen.times[1].as_slice());
        ledger.keep_all(seen.receipts);
    }
    println!("15 tenants, without a fault  {quiet}");
    println!("15 tenants, beside panics    {shaken}");
    check_machines(&server, victim, others);
    ledger.check(&server);
    ledger.await_verdicts(&server);
}

/// All windows: the receipts of the tenant with the faults, and what the others saw.
fn windows(server: &Server, victim: &Tenant, others: &[Tenant]) -> (Vec<Receipt>, Vec<Neighbour>) {
    let barriers = [(); 2].map(|()| Barrier::new(TENANTS));
    let over = AtomicBool::new(false);
    let [start, end] = &barriers;
    let (broken, neighbours) = thread::scope(|scope| {
        let work: Vec<_> = others
            .iter()
            .map(|tenant| {
                let (sender, over) = (Sender::new(server), &over);
                scope.spawn(move || go_on(sender, tenant, [start, end], over))
            })
            .collect();
        let mut broken = Vec::new();
        for window in 0..WINDOWS {
            start.wait();
            // A failure has to wait until nobody waits at a barrier any more.
            let fall = || fall(server, victim, window, window % 2 == 1);
            broken.push(catch_unwind(AssertUnwindSafe(fall)));
            over.store(true, Ordering::Release);
            end.wait();
            over.store(false, Ordering::Release);
        }
        let neighbours: Vec<_> = work.into_iter().map(ScopedJoinHandle::join).collect();
        (broken, neighbours)
    });
    let broken = broken.into_iter();
    let broken = broken.flat_map(|window| window.unwrap_or_else(|why| resume_unwind(why)));
    let neighbours = neighbours
        .into_iter()
        .map(|seen| seen.expect("it only sends"));
    (broken.collect(), neighbours.collect())
}

fn check_machines(server: &Server, victim: &Tenant, others: &[Tenant]) {
    let panics = (WINDOWS / 2 * ALERTS / FAULT_EVERY) as u64;
    let machine = node(server, &format!("tenant/{}/machine", victim.id));
    assert_eq!(machine["state"], "running", "{machine}");
    assert_eq!(machine["generation"], 1 + panics, "{machine}");
    assert_eq!(machine["restarts"], panics, "{machine}");
    assert_injected(&machine["last_crash"]);
    for tenant in others {
        let machine = node(server, &format!("tenant/{}/machine", tenant.id));
        assert_eq!(machine["generation"], 1, "{machine}");
        assert_eq!(machine["restarts"], 0, "{machine}");
    }
}

/// What a tenant without faults saw: times of windows without and with faults elsewhere.
#[derive(Default)]
struct Neighbour {
    times: [Times; 2],
    receipts: Vec<Receipt>,
    errors: Vec<String>,
}

/// Sends one alert after the other until each window is over. Nothing here may panic: the others
/// would wait for it at the barrier for ever.
fn go_on(
    mut sender: Sender,
    tenant: &Tenant,
    [start, end]: [&Barrier; 2],
    over: &AtomicBool,
) -> Neighbour {
    let mut seen = Neighbour::default();
    for window in 0..WINDOWS {
        start.wait();
        for n in 0_u64.. {
            let detect_id = format!("w{window}-{n}");
            let from = now();
            match sender.send(tenant, &detect_id) {
                Ok(reply) if reply.status == 202 => {
                    seen.times[window % 2].add(from.elapsed());
                    seen.receipts
                        .push(Receipt::read(tenant, &detect_id, &reply));
                }
                Ok(reply) => {
                    seen.errors
                        .push(format!("{}: {} {}", tenant.id, reply.status, reply.text()));
                }
                Err(error) => seen.errors.push(format!("{}: {error}", tenant.id)),
            }
            if over.load(Ordering::Acquire) {
                break;
            }
        }
        end.wait();
    }
    seen
}

/// One window of the tenant whose machine panics, if it does. Its sender notices nothing: an alert over
/// which the machine fell once is offered to it again.
fn fall(server: &Server, victim: &Tenant, window: usize, faulty: bool) -> Vec<Receipt> {
    let mut sender = Sender::new(server);
    (0..ALERTS)
        .map(|n| {
            let detect_id = format!("w{window}-{n}");
            if faulty && n % FAULT_EVERY == 0 {
                order(server, victim, "machine", "panic", 1);
            }
            sender.accepted(victim, &detect_id)
        })
        .collect()
}
