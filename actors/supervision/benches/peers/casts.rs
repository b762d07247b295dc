//! What a message without an answer takes, its handling included.

use crate::contest::{Contest, timed};
use crate::ours::{self, Worker};
use crate::runtimes::here;
use crate::stock::{self, Bare};
use crate::{Outcome, Plan, kameos, ractors};
use actix::{Actor as _, Arbiter, System};
use vyrox_supervision::Tree;

/// All are queued, then all are handled.
pub(crate) fn run(plan: &Plan) -> Outcome<()> {
    let (system, runtime, tree, n) = (System::new(), here()?, Tree::new(1), plan.casts);
    let (bare, worker) = system.block_on(async {
        let worker = Worker::start(&tree, "ours", &Arbiter::current(), n + 1);
        (Bare::default().start(), worker)
    });
    let ractor = runtime.block_on(ractors::start())?;
    let kameo = runtime.block_on(async { kameos::start_unbounded() });
    Contest::new(
        format!("ns a cast with its handling, {n} queued and drained"),
        &[""],
    )
    .entry("stock actix, do_send", "", || {
        system.block_on(timed(n, stock::drain(&bare, n)))
    })
    .entry("ours, try_cast", "3x or less", || {
        system.block_on(timed(n, ours::drain(&worker, n)))
    })
    .entry("ractor, cast", "", || {
        runtime.block_on(timed(n, ractors::drain(&ractor, n)))
    })
    .entry("kameo, tell", "", || {
        runtime.block_on(timed(n, kameos::drain(&kameo, n)))
    })
    .run(plan.rounds)
}
