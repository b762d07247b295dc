//! actix as it is.

use crate::Outcome;
use crate::messages::{Ping, Work, work};
use crate::ours::Probe;
use actix::{Actor, Addr, Context, Handler};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
pub(crate) struct Bare {
    pub(crate) sum: u64,
    pub(crate) capacity: Option<usize>,
    pub(crate) handled: Arc<AtomicU64>,
}

impl Actor for Bare {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(capacity) = self.capacity {
            ctx.set_mailbox_capacity(capacity);
        }
    }
}

impl Handler<Ping> for Bare {
    type Result = u64;

    fn handle(&mut self, message: Ping, _: &mut Self::Context) -> u64 {
        self.sum = self.sum.wrapping_add(message.0);
        self.sum
    }
}

impl Handler<Work> for Bare {
    type Result = ();

    fn handle(&mut self, _: Work, _: &mut Self::Context) {
        work();
        self.handled.fetch_add(1, Ordering::Relaxed);
    }
}

impl Handler<Probe> for Bare {
    type Result = u64;

    fn handle(&mut self, _: Probe, _: &mut Self::Context) -> u64 {
        self.handled.load(Ordering::Relaxed)
    }
}

/// Sends `count` times, and waits for each answer.
pub(crate) async fn sends(bare: Addr<Bare>, count: u32) -> Outcome<()> {
    for _ in 0..count {
        black_box(bare.send(Ping(1)).await?);
    }
    Ok(())
}

/// Handles `count` pings, the last of them asked for.
pub(crate) async fn drain(bare: &Addr<Bare>, count: u32) -> Outcome<()> {
    for _ in 0..count {
        bare.do_send(Ping(1));
    }
    bare.send(Ping(1)).await?;
    Ok(())
}
