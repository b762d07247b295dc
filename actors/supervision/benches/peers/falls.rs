//! How long an actor is away after a panic. Stock actix is not here: its actor never comes back.

use crate::contest::{Against, Contest, percentile};
use crate::messages::{Boom, Stamp};
use crate::ours::Worker;
use crate::runtimes::here;
use crate::{Outcome, Plan, kameos, ractors};
use actix::{Arbiter, System};
use std::panic;
use vyrox_supervision::{Handle, Tree, install_panic_hook};

/// Nobody prints the panics that this bench lives on; the tree is told their places all the same.
pub(crate) fn silence_panics() {
    panic::set_hook(Box::new(|_| {}));
    install_panic_hook();
}

pub(crate) fn run(plan: &Plan) -> Outcome<()> {
    let (system, runtime, tree, n) = (System::new(), here()?, Tree::new(1), plan.falls);
    let ours = system.block_on(async { Worker::start(&tree, "ours", &Arbiter::current(), 1024) });
    let ractor = runtime.block_on(ractors::start_keeper())?;
    let (_keeper, kameo) = runtime.block_on(kameos::start_supervised());
    Contest::new(
        "us from a panic to the next message handled, no backoff (stock actix: never)",
        &["p50", "p99"],
    )
    .digits(2)
    .against(Against::BestOfOthers)
    .entry("ractor", "", || {
        runtime.block_on(falls(n, async || ractors::fall(&ractor).await))
    })
    .entry("kameo", "", || {
        runtime.block_on(falls(n, async || kameos::fall(&kameo).await))
    })
    .entry("ours", "2x or less of the best peer", || {
        system.block_on(falls(n, async || fall(&ours).await))
    })
    .run(plan.rounds)
}

/// The queue survives the fall, so the next message waits in it already.
async fn fall(worker: &Handle<Worker>) -> Outcome<u64> {
    worker.try_cast(Boom)?;
    Ok(worker.try_ask(Stamp)?.await?)
}

async fn falls(count: u32, fall: impl AsyncFn() -> Outcome<u64>) -> Outcome<Vec<f64>> {
    let mut times = Vec::new();
    for _ in 0..count {
        times.push(fall().await? as f64 / 1e3);
    }
    Ok(vec![
        percentile(&mut times, 0.5),
        percentile(&mut times, 0.99),
    ])
}
