//! Looks that come late, in a time of their own.

use super::*;
use crate::desk::{self, Desk};
use crate::fence::Run;
use actix::System;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

/// Milliseconds: notice 60, replace 1,000, a look each 25 at least.
fn plan() -> Plan {
    Plan::default()
}

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Noticed(Duration),
    Asked(Duration),
}

struct Owner(Sender<Told>);

impl OnStall for Owner {
    fn noticed(&mut self, stall: &Stall) {
        self.0.send(Told::Noticed(stall.busy_for)).unwrap();
    }

    fn spare(&mut self, stall: &Stall) -> Option<ArbiterHandle> {
        self.0.send(Told::Asked(stall.busy_for)).unwrap();
        None
    }
}

/// One thread with one actor on it, which is polled when the test says so.
struct Bench {
    patrol: Patrol<Owner>,
    desk: Arc<Desk>,
    seat: u64,
    told: Receiver<Told>,
    origin: Instant,
    _handle: crate::Handle<Nobody>,
    _system: actix::SystemRunner,
}

struct Nobody;

impl actix::Actor for Nobody {
    type Context = crate::SupervisedContext<Self>;
}

impl Bench {
    fn new() -> Self {
        let (tree, system) = (Tree::new(1), System::new());
        let (handle, desk, seat) = system.block_on(async {
            let spec = crate::Spec::new("polled", "nobody");
            let handle = tree.supervise(spec, &actix::Arbiter::current(), |_| Nobody);
            tokio::task::yield_now().await;
            let child = Arc::downgrade(&tree.child("polled").unwrap());
            let desk = desk::here(tree.roster()).unwrap();
            let seat = desk.seat(&Run::new("polled".into(), 1), child);
            (handle, desk, seat)
        });
        let (tell, told) = channel();
        Self {
            patrol: Patrol::new(tree, plan(), Owner(tell)),
            desk,
            seat,
            told,
            origin: clock::monotonic(),
            _handle: handle,
            _system: system,
        }
    }

    fn poll_begins(&self, ms: u64) {
        let at = self.origin + Duration::from_millis(ms);
        self.desk.poll_begins(self.seat, clock::ticks(at));
    }

    fn look(&mut self, ms: u64) -> Vec<Told> {
        let at = self.origin + Duration::from_millis(ms) + Duration::from_micros(1);
        self.patrol.look_at(clock::ticks(at));
        self.told.try_iter().collect()
    }
}

/// The process was stopped for three seconds in the middle of a handler that takes 40 ms. The look after
/// that came late and judged nobody, but the next one, a millisecond later, found a poll that had begun
/// three seconds ago, and the actor lost its thread, its message and a restart.
#[test]
fn a_pause_of_the_machine_counts_against_nobody() {
    let mut bench = Bench::new();
    assert_eq!(bench.look(0), []);
    bench.poll_begins(10);
    assert_eq!(bench.look(25), []);
    for ms in [3_030, 3_031, 3_050, 3_070] {
        assert_eq!(bench.look(ms), [], "at {ms}");
    }
    let told = bench.look(3_075);
    let [Told::Noticed(lasted)] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert!((plan().notice_after..plan().notice_after * 2).contains(lasted));
}

/// Where each look is late, a stuck actor is found all the same, if later.
#[test]
fn a_machine_that_is_always_late_does_not_hide_a_stall() {
    let mut bench = Bench::new();
    bench.look(0);
    bench.poll_begins(10);
    let told: Vec<_> = (1..100).flat_map(|nth| bench.look(nth * 100)).collect();
    assert!(matches!(told[0], Told::Noticed(_)), "{told:?}");
    let asked = told.iter().find_map(|told| match told {
        Told::Asked(lasted) => Some(*lasted),
        Told::Noticed(_) => None,
    });
    assert!(asked.unwrap() >= plan().replace_after);
}
