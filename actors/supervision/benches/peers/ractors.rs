//! The same actor on `ractor`, and the supervisor that its users write for it.

use crate::Outcome;
use crate::messages::{boom, since_crash};
use ractor::rpc::CallResult;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use std::hint::black_box;

pub(crate) struct Worker;

pub(crate) enum Job {
    Ping(u64, RpcReplyPort<u64>),
    Add(u64),
    Boom,
    Stamp(RpcReplyPort<u64>),
}

impl Actor for Worker {
    type Msg = Job;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Job>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Job>,
        job: Job,
        sum: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        match job {
            Job::Ping(number, reply) => {
                *sum = sum.wrapping_add(number);
                reply.send(*sum)?;
            }
            Job::Add(number) => *sum = sum.wrapping_add(number),
            Job::Boom => boom(),
            Job::Stamp(reply) => reply.send(since_crash())?,
        }
        Ok(())
    }
}

pub(crate) async fn start() -> Outcome<ActorRef<Job>> {
    let (worker, _task) = Actor::spawn(None, Worker, ()).await?;
    Ok(worker)
}

pub(crate) async fn ping(worker: &ActorRef<Job>) -> Outcome<u64> {
    answered(worker.call(|reply| Job::Ping(1, reply), None).await?)
}

/// Calls `count` times, one after the other.
pub(crate) async fn calls(worker: ActorRef<Job>, count: u32) -> Outcome<()> {
    for _ in 0..count {
        black_box(ping(&worker).await?);
    }
    Ok(())
}

/// Handles `count` pings, the last of them asked for.
pub(crate) async fn drain(worker: &ActorRef<Job>, count: u32) -> Outcome<()> {
    for _ in 0..count {
        worker.cast(Job::Add(1))?;
    }
    ping(worker).await?;
    Ok(())
}

/// Starts its worker anew whenever it failed, and gives it the next message.
pub(crate) struct Keeper;

/// Have the worker crash; answered by the next one.
pub(crate) struct Crash(RpcReplyPort<u64>);

pub(crate) struct Kept {
    worker: ActorRef<Job>,
    next: Option<RpcReplyPort<u64>>,
}

impl Actor for Keeper {
    type Msg = Crash;
    type State = Kept;
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Crash>, (): ()) -> Result<Kept, ActorProcessingErr> {
        let (worker, _task) = Actor::spawn_linked(None, Worker, (), myself.into()).await?;
        Ok(Kept { worker, next: None })
    }

    async fn handle(
        &self,
        _: ActorRef<Crash>,
        Crash(reply): Crash,
        kept: &mut Kept,
    ) -> Result<(), ActorProcessingErr> {
        kept.next = Some(reply);
        kept.worker.cast(Job::Boom)?;
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Crash>,
        event: SupervisionEvent,
        kept: &mut Kept,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(..) = event {
            let (worker, _task) = Actor::spawn_linked(None, Worker, (), myself.into()).await?;
            kept.worker = worker;
            if let Some(next) = kept.next.take() {
                kept.worker.cast(Job::Stamp(next))?;
            }
        }
        Ok(())
    }
}

pub(crate) async fn start_keeper() -> Outcome<ActorRef<Crash>> {
    let (keeper, _task) = Actor::spawn(None, Keeper, ()).await?;
    Ok(keeper)
}

/// Nanoseconds from a crash until the next message was handled.
pub(crate) async fn fall(keeper: &ActorRef<Crash>) -> Outcome<u64> {
    answered(keeper.call(Crash, None).await?)
}

fn answered<T>(result: CallResult<T>) -> Outcome<T> {
    match result {
        CallResult::Success(answer) => Ok(answer),
        CallResult::Timeout | CallResult::SenderError => Err("ractor did not answer".into()),
    }
}
