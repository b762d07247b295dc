//! The supervised actor.

use crate::Outcome;
use crate::messages::{Boom, Ping, Stamp, Work, boom, since_crash, work};
use actix::{Actor, ArbiterHandle, Handler, Message};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use vyrox_supervision::{
    Backoff, Class, Classified, Handle, Lane, Overflow, Policy, Spec, SupervisedContext, Tree,
};

/// A deadline that nothing here comes near.
pub(crate) const LONG: Duration = Duration::from_mins(1);

#[derive(Default)]
pub(crate) struct Worker {
    sum: u64,
    /// Shared, so that a sender knows what has been handled at the moment of its sending.
    handled: Arc<AtomicU64>,
}

impl Worker {
    pub(crate) fn counting_in(handled: &Arc<AtomicU64>) -> Self {
        Self {
            sum: 0,
            handled: Arc::clone(handled),
        }
    }

    /// Starts one with queues of `capacity` and nothing between a fall and the next generation.
    pub(crate) fn start(tree: &Tree, id: &str, at: &ArbiterHandle, capacity: u32) -> Handle<Self> {
        tree.supervise(spec(id, capacity), at, |_| Self::default())
    }
}

/// The default policy, but for longer queues and for the licence to crash all the time.
pub(crate) fn spec(id: &str, capacity: u32) -> Spec {
    let lane = Lane {
        capacity: usize::try_from(capacity).unwrap_or(usize::MAX),
        overflow: Overflow::Reject,
    };
    Spec::new(id, "worker").policy(Policy {
        lanes: [lane; 3],
        intensity: 65_536,
        period: Duration::from_millis(1),
        backoff: Backoff {
            base: Duration::ZERO,
            ..Backoff::default()
        },
        ..Policy::default()
    })
}

impl Actor for Worker {
    type Context = SupervisedContext<Self>;
}

impl Message for Ping {
    type Result = u64;
}

impl Classified for Ping {
    const CLASS: Class = Class::Bulk;
}

impl Handler<Ping> for Worker {
    type Result = u64;

    fn handle(&mut self, message: Ping, _: &mut Self::Context) -> u64 {
        self.sum = self.sum.wrapping_add(message.0);
        self.sum
    }
}

impl Message for Work {
    type Result = ();
}

impl Classified for Work {
    const CLASS: Class = Class::Bulk;
}

impl Handler<Work> for Worker {
    type Result = ();

    fn handle(&mut self, _: Work, _: &mut Self::Context) {
        work();
        self.handled.fetch_add(1, Ordering::Relaxed);
    }
}

impl Message for Boom {
    type Result = ();
}

impl Classified for Boom {
    const CLASS: Class = Class::Bulk;
}

impl Handler<Boom> for Worker {
    type Result = ();

    fn handle(&mut self, _: Boom, _: &mut Self::Context) {
        boom();
    }
}

impl Message for Stamp {
    type Result = u64;
}

impl Classified for Stamp {
    const CLASS: Class = Class::Bulk;
}

impl Handler<Stamp> for Worker {
    type Result = u64;

    fn handle(&mut self, _: Stamp, _: &mut Self::Context) -> u64 {
        since_crash()
    }
}

/// Answered, before everything that waits, with how many [`Work`] were handled.
pub(crate) struct Probe;

impl Message for Probe {
    type Result = u64;
}

impl Classified for Probe {
    const CLASS: Class = Class::Control;
}

impl Handler<Probe> for Worker {
    type Result = u64;

    fn handle(&mut self, _: Probe, _: &mut Self::Context) -> u64 {
        self.handled.load(Ordering::Relaxed)
    }
}

/// Blocks the thread until the other end is gone.
#[derive(Debug)]
pub(crate) struct Block(pub(crate) std::sync::mpsc::Receiver<()>);

impl Message for Block {
    type Result = ();
}

impl Classified for Block {
    const CLASS: Class = Class::Control;
}

impl Handler<Block> for Worker {
    type Result = ();

    fn handle(&mut self, message: Block, _: &mut Self::Context) {
        message.0.recv().ok();
    }
}

/// Asks `count` times, one after the other, without a deadline.
pub(crate) async fn try_asks(worker: Handle<Worker>, count: u32) -> Outcome<()> {
    for _ in 0..count {
        black_box(worker.try_ask(Ping(1))?.await?);
    }
    Ok(())
}

/// Asks `count` times, one after the other.
pub(crate) async fn asks(worker: Handle<Worker>, count: u32) -> Outcome<()> {
    for _ in 0..count {
        black_box(worker.ask(Ping(1), LONG).await?);
    }
    Ok(())
}

/// Handles `count` pings, the last of them asked for.
pub(crate) async fn drain(worker: &Handle<Worker>, count: u32) -> Outcome<()> {
    for _ in 0..count {
        worker.try_cast(Ping(1))?;
    }
    worker.try_ask(Ping(1))?.await?;
    Ok(())
}
