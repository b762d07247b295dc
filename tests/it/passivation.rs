//! A quiet tenant leaves memory and comes back with its next alert, and nobody can tell.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use crate::{
    load::{Dice, Ledger, Receipt, Sender},
    server::{DEADLINE, Http, NO_PROPOSALS, NO_RATIONS, Server, Tenant, eventually, now},
};

const TENANTS: usize = 8;
const ROUNDS: usize = 5;

fn restless() -> Vec<(&'static str, &'static str)> {
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_SUPERVISION__IDLE_PASSIVATE_S", "1"));
    env.push(NO_PROPOSALS);
    env
}

#[test]
fn a_passive_tenant_goes_on_where_it_was() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &restless());
    let acme = server.add_tenant("acme");
    let (mut sender, mut ledger) = (Sender::new(&server), Ledger::default());
    let first = sender.accepted(&acme, "first");
    ledger.keep(first.clone());
    ledger.await_verdicts(&server);

    await_rest(&server, &acme);
    let node = server.get("/health/actors/tenant/acme");
    assert_eq!(node["state"], "passive", "{node}");
    assert_eq!(node["children"].as_array().map(Vec::len), Some(0), "{node}");
    let repeat = sender.send(&acme, "first").expect("an answer");
    assert_eq!(repeat.status, 200, "the repeat is known: {}", repeat.text());
    assert_eq!(Receipt::read(&acme, "first", &repeat), first);

    await_rest(&server, &acme);
    let before = server.get("/audit/head?tenant_id=acme");
    let second = sender.accepted(&acme, "second");
    assert_eq!(
        Some(second.seq),
        before["seq"].as_u64().map(|seq| seq + 1),
        "the chain goes on right after its head"
    );
    ledger.keep(second);
    ledger.await_verdicts(&server);
    ledger.check(&server);
}

#[test]
fn alerts_that_race_with_passivation_are_all_taken_in() {
    let mut dice = Dice::announced("passivation");
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &restless());
    let tenants: Vec<_> = (0..TENANTS)
        .map(|n| server.add_tenant(&format!("rest-{n}")))
        .collect();
    let rests = AtomicU64::new(0);
    let receipts: Vec<Receipt> = thread::scope(|scope| {
        let work: Vec<_> = tenants
            .iter()
            .map(|tenant| {
                let (mut dice, rests) = (dice.another(), &rests);
                let (http, senders) = (server.http(), [(); 2].map(|()| Sender::new(&server)));
                scope.spawn(move || race(http, senders, tenant, &mut dice, rests))
            })
            .collect();
        work.into_iter()
            .flat_map(|w| w.join().expect("only races"))
            .collect()
    });
    let rests = rests.into_inner();
    println!(
        "{} alerts at the edge of rest, {rests} of them found the tenant at rest",
        receipts.len()
    );
    assert!(
        rests > 0,
        "no tenant ever came to rest, so nothing was shown"
    );
    let mut ledger = Ledger::default();
    ledger.keep_all(receipts);
    ledger.check(&server);
    ledger.await_verdicts(&server);
    ledger.check(&server);
}

/// Sends two alerts at once at about the moment when the tenant is put away: either the very moment
/// when its health first says that it rests, or a random one around it.
fn race(
    mut http: Http,
    mut senders: [Sender; 2],
    tenant: &Tenant,
    dice: &mut Dice,
    rests: &AtomicU64,
) -> Vec<Receipt> {
    let mut receipts = Vec::new();
    for round in 0..ROUNDS {
        let moment = Duration::from_millis(dice.between(800, 2_400));
        let from = now();
        let rested = loop {
            let rested = rests_now(&mut http, tenant);
            if rested || from.elapsed() >= moment {
                break rested;
            }
        };
        rests.fetch_add(u64::from(rested), Ordering::Relaxed);
        thread::scope(|scope| {
            let both = senders.iter_mut().enumerate().map(|(n, sender)| {
                scope.spawn(move || sender.accepted(tenant, &format!("r{round}-{n}")))
            });
            let both: Vec<_> = both.collect();
            receipts.extend(both.into_iter().map(|one| one.join().expect("taken in")));
        });
    }
    receipts
}

fn rests_now(http: &mut Http, tenant: &Tenant) -> bool {
    let reply = http.get(&format!("/health/tenants/{}", tenant.id), &[]);
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["state"] == "passive"
}

fn await_rest(server: &Server, tenant: &Tenant) {
    let mut http = server.http();
    eventually(DEADLINE, || rests_now(&mut http, tenant).then_some(()));
}
