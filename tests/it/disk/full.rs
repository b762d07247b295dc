//! No room is left on the disk: what cannot be kept is refused, what was acknowledged is
//! there, and with the room everything else comes back, without anybody's doing.

use super::{
    mounted::{Kind, Mounted},
    skipped,
};
use crate::{
    load::{Ledger, Receipt, Sender},
    server::{DEADLINE, NO_RATIONS, Reply, Server, Tenant, eventually},
};

/// More alerts than the log has room for.
const ALERTS: usize = 4_000;

#[test]
fn a_full_disk_refuses_loses_nothing_and_recovers_with_the_room() {
    for kind in [Kind::Ext4, Kind::Xfs] {
        if let Err(why) = fill_and_empty(kind) {
            skipped(&why);
        }
    }
}

/// Small segments, so that the log is soon in need of room.
fn env() -> Vec<(&'static str, &'static str)> {
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_STORAGE__SEGMENT_BYTES", "1048576"));
    env.push(("VYROX_SUPERVISION__PROBE_MS", "500"));
    env
}

fn fill_and_empty(kind: Kind) -> Result<(), String> {
    let mounted = Mounted::new(kind)?;
    let dir = mounted.data_dir();
    let server = Server::start(&dir, &env());
    let tenant = server.add_tenant("acme");
    let mut ledger = Ledger::default();
    ledger.keep(Sender::new(&server).accepted(&tenant, "before"));

    let ballast = mounted.fill();
    let (given, refusal) = send_until_refused(&server, &tenant);
    println!("{kind:?}: {} receipts on a full disk", given.len());
    ledger.keep_all(given);
    is_clear(&refusal);
    lives(&server);

    // A crash on a full disk costs nothing either.
    server.kill9();
    ballast.throw_off();
    let server = Server::start(&dir, &env());
    let after = eventually(DEADLINE, || {
        let reply = Sender::new(&server).send(&tenant, "after").ok()?;
        // What was refused for want of room may have found it, and then this one is a repeat.
        matches!(reply.status, 200 | 202).then(|| Receipt::read(&tenant, "after", &reply))
    });
    ledger.keep(after);
    ledger.check(&server);
    ledger.await_verdicts(&server);
    eventually(DEADLINE, || {
        let tenant = server.get("/health/tenants/acme");
        (tenant["projections_stuck"].is_null() && is_ready(&server)).then_some(())
    });
    let status = server.terminate();
    assert!(status.success(), "a clean stop ends with {status}");
    let server = Server::start(&dir, &env());
    ledger.check(&server);
    assert_eq!(server.verify("_host")["ok"], true);
    Ok(())
}

/// Every receipt until the first answer that is none, and that answer.
fn send_until_refused(server: &Server, tenant: &Tenant) -> (Vec<Receipt>, Reply) {
    let (mut sender, mut given) = (Sender::new(server), Vec::new());
    for n in 0..ALERTS {
        let detect_id = format!("load-{n}");
        let reply = sender.send(tenant, &detect_id).expect("an answer");
        if reply.status != 202 {
            return (given, reply);
        }
        given.push(Receipt::read(tenant, &detect_id, &reply));
    }
    panic!("{ALERTS} alerts found room on a full disk");
}

/// The sender is told that nothing is wrong with the alert, and when to come again.
fn is_clear(refusal: &Reply) {
    assert!(matches!(refusal.status, 503 | 507), "{refusal:?}");
    let after: u64 = refusal
        .header("retry-after")
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("{refusal:?}"));
    assert!(after > 0, "{refusal:?}");
    let problem = refusal.json();
    // The log itself is sound, and takes entries again as soon as there is room.
    assert_ne!(problem["code"], "journal_unavailable", "{problem}");
}

fn lives(server: &Server) {
    assert_eq!(server.http().get("/health/live", &[]).status, 200);
}

fn is_ready(server: &Server) -> bool {
    server.api("GET", "/health/ready", None).status == 200
}
