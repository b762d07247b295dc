//! A bound holds under any load, and the books balance.

use crate::worker::{Gate, LONG, Note, Urgent, Worker, bulk, with_threads, worker_in};
use actix::prelude::*;
use futures_util::future::join_all;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use tokio::runtime::Builder;
use vyrox_supervision::{Exit, Failure, Handle, Overflow, Reason, Stop, Tree};

const CAPACITY: usize = 500;
const HANDLES: usize = 10_000;
const THREADS: usize = 4;
/// Messages that every handle sends.
const EACH: usize = 10;

/// What became of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    answered: usize,
    evicted: usize,
    full: usize,
}

impl Tally {
    fn count(mut self, outcome: &Result<u64, Failure>) -> Self {
        match outcome {
            Ok(1) => self.answered += 1,
            Err(Failure::Evicted) => self.evicted += 1,
            Err(Failure::Rejected(Reason::Full)) => self.full += 1,
            other => panic!("{other:?}"),
        }
        self
    }

    const fn and(self, other: Self) -> Self {
        Self {
            answered: self.answered + other.answered,
            evicted: self.evicted + other.evicted,
            full: self.full + other.full,
        }
    }

    const fn total(self) -> usize {
        self.answered + self.evicted + self.full
    }
}

/// Sends from all these handles, at once as far as the lane lets them.
fn send_all(handles: &[Handle<Worker>]) -> Tally {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    (0..EACH).fold(Tally::default(), |tally, _| {
        let outcomes = runtime.block_on(join_all(
            handles.iter().map(|handle| handle.ask(Note(1), LONG)),
        ));
        outcomes.iter().fold(tally, Tally::count)
    })
}

/// Sets its flag also when the test fails: a sampler that goes on would hold it up.
struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The greatest depth seen, from now until `done`.
fn greatest_depth(handle: &Handle<Worker>, done: &AtomicBool) -> usize {
    let mut greatest = 0;
    while !done.load(Ordering::Acquire) {
        greatest = greatest.max(handle.depth());
        thread::yield_now();
    }
    greatest
}

/// Floods one worker from all sides, first while it does not handle anything, then while it does.
async fn flood(overflow: Overflow) -> (Tally, usize) {
    let (tree, arbiter) = (Tree::new(1), Arbiter::new());
    let policy = bulk(CAPACITY, overflow);
    let (handle, diary) = worker_in(&tree, "worker", policy, &arbiter.handle());
    let (gate, block) = Gate::new();
    handle.try_cast(block).unwrap();
    gate.wait_until_blocked();
    let clones: Vec<_> = (0..HANDLES).map(|_| handle.clone()).collect();
    let done = AtomicBool::new(false);
    let (tally, extra, greatest) = thread::scope(|scope| {
        let sampler = scope.spawn(|| greatest_depth(&handle, &done));
        let over = SetAtEnd(&done);
        let senders: Vec<_> = clones
            .chunks(HANDLES / THREADS)
            .map(|part| scope.spawn(|| send_all(part)))
            .collect();
        while handle.depth() < CAPACITY {
            thread::yield_now();
        }
        let extra = handle.try_ask(Note(1)); // one more than there is room for, and it does not wait
        drop(gate);
        let tallies = senders.into_iter().map(|sender| sender.join().unwrap());
        let tally = tallies.fold(Tally::default(), Tally::and);
        drop(over);
        (tally, extra, sampler.join().unwrap())
    });
    let extra = match extra {
        Ok(ask) => ask.await,
        Err(rejected) => Err(Failure::Rejected(rejected.reason)),
    };
    let tally = tally.count(&extra);
    handle.ask(Urgent(0), LONG).await.unwrap();
    let mailbox = handle.snapshot().mailbox;
    drop(clones);
    handle.stop(Stop::Drain);
    assert_eq!(handle.exited().await, Exit::Normal);
    // Admitted = handled + evicted + waiting; and nobody waits any more.
    assert_eq!(mailbox.depth, 0);
    assert_eq!(diary.notes().len(), tally.answered + 1);
    assert_eq!(mailbox.rejected, tally.full as u64);
    assert_eq!(tally.total(), HANDLES * EACH + 1, "each was told one thing");
    (tally, greatest)
}

#[test]
fn no_flood_gets_a_lane_over_its_bound_and_the_books_balance() {
    for overflow in [Overflow::Reject, Overflow::Wait(LONG), Overflow::DropOldest] {
        let (tally, greatest) = with_threads(flood(overflow));
        println!("{overflow:?}: {tally:?}, greatest depth {greatest}");
        assert!((1..=CAPACITY).contains(&greatest), "{greatest}");
        match overflow {
            Overflow::Reject => assert!(tally.full > 0 && tally.evicted == 0),
            Overflow::Wait(_) => assert_eq!((tally.full, tally.evicted), (1, 0)),
            Overflow::DropOldest => assert!(tally.full == 0 && tally.evicted > 0),
        }
    }
}
