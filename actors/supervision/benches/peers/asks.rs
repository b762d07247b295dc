//! What a question and its answer take.

use crate::contest::{Contest, timed};
use crate::ours::{self, Worker};
use crate::runtimes::{Elsewhere, here};
use crate::stock::{self, Bare};
use crate::{Outcome, Plan, kameos, ractors};
use actix::{Actor as _, Arbiter, System};
use std::pin::Pin;
use vyrox_supervision::Tree;

/// The asker is the main future of the actor's thread, so each answer comes with a look at the system's
/// events: tokio's price, which everybody pays.
pub(crate) fn on_one_thread(plan: &Plan) -> Outcome<()> {
    let (system, runtime, tree, n) = (System::new(), here()?, Tree::new(1), plan.asks);
    let (bare, ours) = system.block_on(async {
        let ours = Worker::start(&tree, "ours", &Arbiter::current(), 1024);
        (Bare::default().start(), ours)
    });
    let ractor = runtime.block_on(ractors::start())?;
    let kameo = runtime.block_on(async { kameos::start() });
    Contest::new("ns an ask, of an actor on the asker's thread", &[""])
        .entry("stock actix, send", "", || {
            system.block_on(timed(n, stock::sends(bare.clone(), n)))
        })
        .entry("ours, try_ask", "1.3x or less", || {
            system.block_on(timed(n, ours::try_asks(ours.clone(), n)))
        })
        .entry("ours, ask with a deadline", "1.3x or less", || {
            system.block_on(timed(n, ours::asks(ours.clone(), n)))
        })
        .entry("ractor, call", "", || {
            runtime.block_on(timed(n, ractors::calls(ractor.clone(), n)))
        })
        .entry("kameo, ask", "", || {
            runtime.block_on(timed(n, kameos::asks(kameo.clone(), n)))
        })
        .run(plan.rounds)
}

type Asks = Pin<Box<dyn Future<Output = Outcome<Vec<f64>>> + Send>>;

/// The asker is a task beside the actor: nothing but the messages is paid for.
pub(crate) fn among_tasks(plan: &Plan) -> Outcome<()> {
    let (system, runtime, tree, n) = (System::new(), here()?, Tree::new(1), plan.asks);
    let (bare, ours) = system.block_on(async {
        let ours = Worker::start(&tree, "ours", &Arbiter::current(), 1024);
        (Bare::default().start(), ours)
    });
    let ractor = runtime.block_on(ractors::start())?;
    let kameo = runtime.block_on(async { kameos::start() });
    let on_actix = |asks: Asks| system.block_on(async { actix::spawn(asks).await? });
    let on_tokio = |asks: Asks| runtime.block_on(async { tokio::spawn(asks).await? });
    Contest::new(
        "ns an ask, of an actor that is a task of the asker's thread",
        &[""],
    )
    .entry("stock actix, send", "", || {
        on_actix(Box::pin(timed(n, stock::sends(bare.clone(), n))))
    })
    .entry("ours, try_ask", "", || {
        on_actix(Box::pin(timed(n, ours::try_asks(ours.clone(), n))))
    })
    .entry("ours, ask with a deadline", "", || {
        on_actix(Box::pin(timed(n, ours::asks(ours.clone(), n))))
    })
    .entry("ractor, call", "", || {
        on_tokio(Box::pin(timed(n, ractors::calls(ractor.clone(), n))))
    })
    .entry("kameo, ask", "", || {
        on_tokio(Box::pin(timed(n, kameos::asks(kameo.clone(), n))))
    })
    .run(plan.rounds)
}

/// Every question wakes another thread, and so does every answer.
pub(crate) fn across_threads(plan: &Plan) -> Outcome<()> {
    let (system, runtime, tree, n) = (System::new(), here()?, Tree::new(1), plan.asks / 10);
    let (arbiter, there) = system.block_on(async { (Arbiter::new(), Elsewhere::start()) });
    let there = there?;
    let bare = Bare::start_in_arbiter(&arbiter.handle(), |_| Bare::default());
    let ours = Worker::start(&tree, "ours", &arbiter.handle(), 1024);
    let ractor = runtime.block_on(there.run(ractors::start()))??;
    let kameo = runtime.block_on(there.run(async { kameos::start() }))?;
    Contest::new("ns an ask, across threads", &[""])
        .entry("stock actix, send", "", || {
            system.block_on(timed(n, stock::sends(bare.clone(), n)))
        })
        .entry("ours, try_ask", "", || {
            system.block_on(timed(n, ours::try_asks(ours.clone(), n)))
        })
        .entry("ours, ask with a deadline", "", || {
            system.block_on(timed(n, ours::asks(ours.clone(), n)))
        })
        .entry("ractor, call", "", || {
            runtime.block_on(timed(n, ractors::calls(ractor.clone(), n)))
        })
        .entry("kameo, ask", "", || {
            runtime.block_on(timed(n, kameos::asks(kameo.clone(), n)))
        })
        .run(plan.rounds)
}
