//! The owner of a tree as a test needs it: gives spares, and writes down what it is told.

use crate::worker::{LONG, ms};
use actix::prelude::*;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use vyrox_supervision::{OnStall, Plan, Stall, StallKind, Tree, Watchdog};

/// What the watchdog told its owner.
#[derive(Debug)]
pub(crate) enum Told {
    Noticed(Stall),
    /// It asked for a spare.
    Asked(Stall),
    Recovered(Stall, Duration),
}

struct Keeper {
    tell: Sender<Told>,
    /// Given away from the end.
    spares: Vec<ArbiterHandle>,
}

impl OnStall for Keeper {
    fn noticed(&mut self, stall: &Stall) {
        self.tell.send(Told::Noticed(stall.clone())).ok();
    }

    fn spare(&mut self, stall: &Stall) -> Option<ArbiterHandle> {
        self.tell.send(Told::Asked(stall.clone())).ok();
        self.spares.pop()
    }

    fn recovered(&mut self, stall: &Stall, after: Duration) {
        self.tell.send(Told::Recovered(stall.clone(), after)).ok();
    }
}

/// A watchdog under observation.
pub(crate) struct Watched {
    told: Receiver<Told>,
    _watchdog: Watchdog,
}

/// Quick to see and to act, yet slow enough for a machine that has other things to do.
pub(crate) fn brisk() -> Plan {
    Plan {
        look_every: ms(20),
        notice_after: ms(200),
        replace_after: ms(500),
        progress_after: Duration::from_hours(1),
    }
}

/// Sees everything, moves nobody.
pub(crate) fn onlooker() -> Plan {
    Plan {
        replace_after: Duration::from_hours(1),
        ..brisk()
    }
}

/// Watches `tree`; `spares` are given away in order.
pub(crate) fn watched(tree: &Tree, plan: Plan, spares: &[&Arbiter]) -> Watched {
    let (tell, told) = channel();
    let spares = spares.iter().rev().map(|spare| spare.handle()).collect();
    let watchdog = Watchdog::spawn(tree, plan, Keeper { tell, spares });
    Watched {
        told,
        _watchdog: watchdog.unwrap(),
    }
}

impl Watched {
    /// Waits for something that `pick` wants to hear; the rest goes by.
    pub(crate) fn hear<T>(&self, mut pick: impl FnMut(Told) -> Option<T>) -> T {
        loop {
            let told = self.told.recv_timeout(LONG).expect("heard nothing more");
            if let Some(picked) = pick(told) {
                return picked;
            }
        }
    }

    /// The next stall of that actor to be noticed.
    pub(crate) fn noticed(&self, id: &str) -> Stall {
        self.hear(|told| match told {
            Told::Noticed(stall) if stall.id.as_deref() == Some(id) => Some(stall),
            Told::Noticed(_) | Told::Asked(_) | Told::Recovered(..) => None,
        })
    }

    /// The next stall of that kind to be noticed.
    pub(crate) fn noticed_as(&self, kind: StallKind) -> Stall {
        self.hear(|told| match told {
            Told::Noticed(stall) if stall.kind == kind => Some(stall),
            Told::Noticed(_) | Told::Asked(_) | Told::Recovered(..) => None,
        })
    }

    /// The next stall of that thread or actor to pass.
    pub(crate) fn recovered(&self, name: &str) -> Stall {
        self.hear(|told| match told {
            Told::Recovered(stall, after) if is_of(&stall, name) => {
                assert!(after >= ms(1));
                Some(stall)
            }
            Told::Noticed(_) | Told::Asked(_) | Told::Recovered(..) => None,
        })
    }

    /// Everything that was told and not heard yet.
    pub(crate) fn rest(&self) -> Vec<Told> {
        self.told.try_iter().collect()
    }
}

fn is_of(stall: &Stall, name: &str) -> bool {
    stall.id.as_deref() == Some(name) || stall.thread.as_deref() == Some(name)
}

/// Something on `arbiter` that is no actor and blocks until the sender is dropped.
pub(crate) fn block_foreign(arbiter: &Arbiter) -> Sender<()> {
    let (open, wait) = channel::<()>();
    let (entered, blocked) = channel();
    arbiter.spawn_fn(move || {
        entered.send(()).unwrap();
        assert!(wait.recv().is_err());
    });
    blocked.recv_timeout(LONG).unwrap();
    open
}

/// The thread's name as the watchdog gives it.
pub(crate) fn name_of(arbiter: &Arbiter) -> String {
    let (tell, name) = channel();
    arbiter.spawn_fn(move || {
        let name = std::thread::current().name().unwrap().to_owned();
        tell.send(name).unwrap();
    });
    name.recv_timeout(LONG).unwrap()
}
