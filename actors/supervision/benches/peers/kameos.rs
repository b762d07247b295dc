//! The same actor on `kameo`, under a supervisor of `kameo`'s own.

use crate::Outcome;
use crate::messages::{Boom, Ping, Stamp, boom, since_crash};
use kameo::actor::{Actor, ActorRef, Spawn};
use kameo::error::Infallible;
use kameo::mailbox;
use kameo::message::{Context, Message};
use kameo::supervision::RestartPolicy;
use std::hint::black_box;
use std::time::Duration;

#[derive(Clone)]
pub(crate) struct Worker(u64);

impl Actor for Worker {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(state: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(state)
    }
}

impl Message<Ping> for Worker {
    type Reply = u64;

    async fn handle(&mut self, message: Ping, _: &mut Context<Self, u64>) -> u64 {
        self.0 = self.0.wrapping_add(message.0);
        self.0
    }
}

impl Message<Boom> for Worker {
    type Reply = ();

    async fn handle(&mut self, _: Boom, _: &mut Context<Self, ()>) {
        boom();
    }
}

impl Message<Stamp> for Worker {
    type Reply = u64;

    async fn handle(&mut self, _: Stamp, _: &mut Context<Self, u64>) -> u64 {
        since_crash()
    }
}

/// Ends, and its worker with it, when nobody holds it any more.
pub(crate) struct Keeper;

impl Actor for Keeper {
    type Args = ();
    type Error = Infallible;

    async fn on_start((): (), _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

/// A worker with a queue of the default length.
pub(crate) fn start() -> ActorRef<Worker> {
    Worker::spawn(Worker(0))
}

/// A worker with a queue as long as need be.
pub(crate) fn start_unbounded() -> ActorRef<Worker> {
    Worker::spawn_with_mailbox(Worker(0), mailbox::unbounded())
}

/// A worker that is started anew however often it falls.
pub(crate) async fn start_supervised() -> (ActorRef<Keeper>, ActorRef<Worker>) {
    let keeper = Keeper::spawn(());
    let worker = Worker::supervise(&keeper, Worker(0))
        .restart_policy(RestartPolicy::Permanent)
        .restart_limit(u32::MAX, Duration::from_millis(1))
        .spawn()
        .await;
    (keeper, worker)
}

pub(crate) async fn ping(worker: &ActorRef<Worker>) -> Outcome<u64> {
    worker
        .ask(Ping(1))
        .await
        .map_err(|error| error.to_string().into())
}

/// Handles `count` pings, the last of them asked for.
pub(crate) async fn drain(worker: &ActorRef<Worker>, count: u32) -> Outcome<()> {
    for _ in 0..count {
        let sent = worker.tell(Ping(1)).try_send();
        sent.map_err(|error| error.to_string())?;
    }
    ping(worker).await?;
    Ok(())
}

/// Nanoseconds from a crash until the next message was handled.
pub(crate) async fn fall(worker: &ActorRef<Worker>) -> Outcome<u64> {
    worker.tell(Boom).await.map_err(|error| error.to_string())?;
    let stamp = worker.ask(Stamp).await;
    stamp.map_err(|error| error.to_string().into())
}

/// Asks `count` times, one after the other.
pub(crate) async fn asks(worker: ActorRef<Worker>, count: u32) -> Outcome<()> {
    for _ in 0..count {
        black_box(ping(&worker).await?);
    }
    Ok(())
}
