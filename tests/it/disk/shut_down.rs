//! The file system goes away under load, as at a power cut: what was not synced is lost. Whatever was
//! acknowledged is there when it is back.

use std::{
    path::Path,
    sync::mpsc::{Sender as Tell, channel},
    thread,
};

use super::{
    mounted::{Kind, Mounted},
    skipped,
};
use crate::{
    load::{Dice, Ledger, Receipt, Sender},
    server::{DEADLINE, NO_RATIONS, Server, Tenant},
};

const TENANTS: usize = 4;
const CONNECTIONS: usize = 6;
/// Acknowledged alerts of a round before its end comes.
const ALERTS: (u64, u64) = (40, 160);

#[test]
fn a_file_system_that_goes_away_under_load_still_has_what_was_acknowledged() {
    play(3);
}

#[test]
#[ignore = "minutes; `make soak` runs it"]
fn a_file_system_that_goes_away_thirty_times() {
    play(30);
}

fn play(rounds: u64) {
    let mut dice = Dice::announced("shut_down");
    for kind in [Kind::Ext4, Kind::Xfs] {
        match live(kind, rounds, &mut dice) {
            Ok(receipts) => println!("{kind:?}: {rounds} power cuts, {receipts} receipts"),
            Err(why) => skipped(&why),
        }
    }
}

/// The number of receipts that were given; Err where no such file system can be had, with the reason.
fn live(kind: Kind, rounds: u64, dice: &mut Dice) -> Result<usize, String> {
    // One that nobody writes to tells whether they can be shut down here at all.
    Mounted::new(kind)?.shut_down()?;
    let mounted = Mounted::new(kind)?;
    let dir = mounted.data_dir();
    let mut server = start(&dir);
    let tenants: Vec<_> = (0..TENANTS)
        .map(|n| server.add_tenant(&format!("disk-{n}")))
        .collect();
    let mut ledger = Ledger::default();
    for round in 0..rounds {
        let enough = dice.between(ALERTS.0, ALERTS.1);
        let given = Storm {
            server: &server,
            tenants: &tenants,
            round,
        }
        .rage(enough, || mounted.shut_down());
        let (status, log) = server.wait();
        assert!(
            status.code().is_some_and(|code| code != 0),
            "{kind:?}, round {round}: ended with {status}:\n{log}"
        );
        ledger.keep_all(given);
        mounted.mount_again();
        server = start(&dir);
        ledger.check(&server);
        let host = server.verify("_host");
        assert_eq!(host["ok"], true, "{kind:?}, round {round}: {host}");
    }
    ledger.keep(Sender::new(&server).accepted(&tenants[0], "after"));
    ledger.await_verdicts(&server);
    ledger.check(&server);
    let status = server.terminate();
    assert!(status.success(), "a clean stop ends with {status}");
    Ok(ledger.len())
}

fn start(dir: &Path) -> Server {
    // Small segments and many checkpoints, so that the end comes in the midst of those too.
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_STORAGE__SEGMENT_BYTES", "1048576"));
    env.push(("VYROX_STORAGE__CHECKPOINT_MS", "20"));
    Server::start(dir, &env)
}

/// The load of one round.
#[derive(Clone, Copy)]
struct Storm<'a> {
    server: &'a Server,
    tenants: &'a [Tenant],
    round: u64,
}

impl Storm<'_> {
    /// Sends from several connections; `end` comes after `enough` receipts. Every receipt.
    fn rage(self, enough: u64, end: impl FnOnce() -> Result<(), String>) -> Vec<Receipt> {
        let (tell, told) = channel();
        thread::scope(|scope| {
            for connection in 0..CONNECTIONS {
                let tell = tell.clone();
                scope.spawn(move || self.send_until_it_ends(connection, &tell));
            }
            drop(tell);
            let given = (0..enough).map(|_| told.recv_timeout(DEADLINE).expect("receipts"));
            let mut given: Vec<_> = given.collect();
            end().expect("it was shut down before");
            given.extend(told);
            given
        })
    }

    fn send_until_it_ends(self, connection: usize, tell: &Tell<Receipt>) {
        let (mut sender, mut refused) = (Sender::new(self.server), false);
        for n in 0_u64.. {
            let tenant = &self.tenants[(connection + usize::from(n % 3 == 0)) % TENANTS];
            let detect_id = format!("r{}-c{connection}-{n}", self.round);
            let Ok(reply) = sender.send(tenant, &detect_id) else {
                return;
            };
            match reply.status {
                202 => {
                    assert!(!refused, "acknowledged after a refusal: {}", reply.text());
                    tell.send(Receipt::read(tenant, &detect_id, &reply))
                        .expect("the test listens");
                }
                503 => refused = true,
                status => panic!("{detect_id}: {status} {}", reply.text()),
            }
        }
    }
}
