//! No room is left on the disk: what cannot be kept is refused, what was acknowledged is
//! there, and with the room everything else comes back, without anybody's doing.

use std::{fs, path::Path};

use serde_json::json;
use vyrox_actors::journal::vault::{DATA_KEY_ROW, Vault};

use super::{
    mounted::{Kind, Mounted},
    skipped,
};
use crate::{
    audit_log::integrity,
    load::{Ledger, Receipt, Sender},
    server::{DEADLINE, NO_RATIONS, Reply, Server, Tenant, eventually, write},
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

/// So few tenants that the vault has no pages yet which it could use again: to remove one it has to grow.
const REMOVED: usize = 2;

/// The entry was durable and the tenant gone; that its secrets could not be taken out of the vault was answered
/// with "nothing was accepted", and a repeat with "nothing to do".
#[test]
fn a_tenant_that_is_removed_on_a_full_disk_is_gone_and_its_secrets_follow_with_the_room() {
    for kind in [Kind::Ext4, Kind::Xfs] {
        if let Err(why) = remove_on_a_full_disk(kind) {
            skipped(&why);
        }
    }
}

fn remove_on_a_full_disk(kind: Kind) -> Result<(), String> {
    let mounted = Mounted::new(kind)?;
    let dir = mounted.data_dir();
    let server = Server::start(&dir, &env());
    let names: Vec<_> = (0..REMOVED).map(|n| format!("acme-{n}")).collect();
    for name in &names {
        server.add_tenant(name);
    }
    let ballast = mounted.fill();
    let mut left = Vec::new();
    for name in &names {
        let removed = remove(&server, name);
        assert!(matches!(removed.status, 200 | 202), "{}", removed.text());
        assert_eq!(removed.json()["status"], "removed");
        let shown = server.api("GET", &format!("/api/v1/tenants/{name}"), None);
        assert_eq!(shown.status, 404, "{}", shown.text());
        if removed.status == 202 {
            assert_eq!(removed.json()["unfinished"], json!(["secrets"]));
            left.push(name);
        }
    }
    println!("{kind:?}: secrets of {} tenants are left", left.len());
    let Some(one) = left.first() else {
        panic!("the vault had room on a full disk");
    };
    let again = remove(&server, one);
    assert_eq!(again.status, 202, "{}", again.text());
    assert_eq!(again.json()["unfinished"], json!(["secrets"]));

    ballast.throw_off();
    eventually(DEADLINE, || {
        (remove(&server, one).status == 200).then_some(())
    });
    // The vault takes secrets again, and the others' go without anybody's doing.
    server.add_tenant("globex");
    server.kill9();
    let server = Server::start(&dir, &env());
    for name in &names {
        eventually(DEADLINE, || {
            (remove(&server, name).status == 200).then_some(())
        });
    }
    let removed = server.entries("_host").into_iter();
    let removed = removed.filter(|entry| entry["event"] == "tenant.removed");
    assert_eq!(removed.count(), REMOVED, "each is removed once");
    assert!(server.terminate().success(), "a clean stop");
    holds_secrets_of(&dir, &["globex"]);
    Ok(())
}

fn remove(server: &Server, name: &str) -> Reply {
    server.api(
        "DELETE",
        &format!("/api/v1/tenants/{name}?reason=it+ended"),
        None,
    )
}

/// The data keys of those who were removed stay: their evidence was not to be erased.
fn holds_secrets_of(dir: &Path, tenants: &[&str]) {
    let vault = Vault::open(&dir.join("vault.redb")).expect("a vault");
    for tenant in vault.tenants().expect("names") {
        let rows = vault.for_tenant(&tenant).expect("rows");
        let secrets = rows.iter().filter(|row| row.name != DATA_KEY_ROW).count();
        let is_one = tenants.contains(&tenant.as_str());
        assert_eq!(secrets > 0, is_one, "{tenant}: {secrets}");
    }
}

/// What was signed was moved away before there was anything to put in its place.
#[test]
fn a_rebase_on_a_full_disk_leaves_what_was_signed_in_its_place() {
    if let Err(why) = rebase_on_a_full_disk() {
        skipped(&why);
    }
}

fn rebase_on_a_full_disk() -> Result<(), String> {
    let mounted = Mounted::new(Kind::Ext4)?;
    let dir = mounted.data_dir();
    let server = Server::start(&dir, &env());
    let tenant = server.add_tenant("acme");
    Sender::new(&server).accepted(&tenant, "before");
    assert!(server.terminate().success(), "a clean stop");
    let signed = dir.join("proof/proof.redb");
    write(&signed, b"damaged");
    let server = Server::start(&dir, &env());
    let is = |status: &str| {
        let status = status.to_owned();
        eventually(DEADLINE, || {
            (integrity(&server)["status"] == status.as_str()).then_some(())
        });
    };
    is("failed");

    let ballast = mounted.fill();
    let order = || server.cli(&["audit", "rebase", "--reason", "the disk was bad"]);
    let refused = order();
    assert!(!refused.status.success(), "{refused:?}");
    let folders = || {
        let names = fs::read_dir(&dir).expect("the data directory");
        let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names
            .filter(|name| name.starts_with("proof"))
            .collect::<Vec<_>>()
    };
    assert_eq!(folders(), ["proof"], "{refused:?}");
    assert_eq!(fs::read(&signed).expect("it is there"), b"damaged");
    ballast.throw_off();
    eventually(DEADLINE, || order().status.success().then_some(()));
    is("whole");
    assert_eq!(folders().len(), 2, "the old one is kept aside");
    Ok(())
}
