//! What a question and its answer take.

use crate::contest::Contest;
use crate::messages::Ping;
use crate::ours::{LONG, Worker};
use crate::runtimes::{Elsewhere, here};
use crate::stock::Bare;
use crate::{Outcome, Plan, kameos, ractors};
use actix::{Actor as _, Arbiter, System};
use std::hint::black_box;
use std::time::Instant;
use vyrox_supervision::Tree;

/// Asker and actor share a thread.
pub(crate) fn on_one_thread(plan: &Plan) -> Outcome<()> {
    let (system, runtime, tree, n) = (System::new(), here()?, Tree::new(1), plan.asks);
    let (bare, ours) = system.block_on(async {
        let ours = Worker::start(&tree, "ours", &Arbiter::current(), 1024);
        (Bare::default().start(), ours)
    });
    let ractor = runtime.block_on(ractors::start())?;
    let kameo = runtime.block_on(async { kameos::start() });
    Contest::new("ns an ask, asker and actor on one thread", &[""])
        .entry("stock actix, send", "", || {
            system.block_on(per(n, async || Ok(bare.send(Ping(1)).await?)))
        })
        .entry("ours, try_ask", "1.3x or less", || {
            system.block_on(per(n, async || Ok(ours.try_ask(Ping(1))?.await?)))
        })
        .entry("ours, ask with a deadline", "1.3x or less", || {
            system.block_on(per(n, async || Ok(ours.ask(Ping(1), LONG).await?)))
        })
        .entry("ractor, call", "", || {
            runtime.block_on(per(n, async || ractors::ping(&ractor).await))
        })
        .entry("kameo, ask", "", || {
            runtime.block_on(per(n, async || kameos::ping(&kameo).await))
        })
        .run(plan.rounds)
}

/// Asker and actor share a thread, and the asker is a task as others, not the thread's main future, which
/// tokio looks after the system's events for at each turn.
pub(crate) fn among_tasks(plan: &Plan) -> Outcome<()> {
    let (system, runtime, tree, n) = (System::new(), here()?, Tree::new(1), plan.asks);
    let (bare, ours) = system.block_on(async {
        let ours = Worker::start(&tree, "ours", &Arbiter::current(), 1024);
        (Bare::default().start(), ours)
    });
    let ractor = runtime.block_on(ractors::start())?;
    let kameo = runtime.block_on(async { kameos::start() });
    Contest::new("ns an ask, asker and actor are tasks of one thread", &[""])
        .entry("stock actix, send", "", || {
            let bare = bare.clone();
            system.block_on(async {
                let asks = per(n, async move || Ok(bare.send(Ping(1)).await?));
                actix::spawn(asks).await?
            })
        })
        .entry("ours, try_ask", "1.3x or less", || {
            let ours = ours.clone();
            system.block_on(async {
                let asks = per(n, async move || Ok(ours.try_ask(Ping(1))?.await?));
                actix::spawn(asks).await?
            })
        })
        .entry("ours, ask with a deadline", "1.3x or less", || {
            let ours = ours.clone();
            system.block_on(async {
                let asks = per(n, async move || Ok(ours.ask(Ping(1), LONG).await?));
                actix::spawn(asks).await?
            })
        })
        .entry("ractor, call", "", || {
            let ractor = ractor.clone();
            runtime.block_on(async {
                let asks = async move {
                    let began = Instant::now();
                    for _ in 0..n {
                        black_box(ractors::ping(&ractor).await?);
                    }
                    Outcome::Ok(vec![began.elapsed().as_nanos() as f64 / f64::from(n)])
                };
                tokio::spawn(asks).await?
            })
        })
        .entry("kameo, ask", "", || {
            let kameo = kameo.clone();
            runtime.block_on(async {
                let asks = async move {
                    let began = Instant::now();
                    for _ in 0..n {
                        black_box(kameos::ping(&kameo).await?);
                    }
                    Outcome::Ok(vec![began.elapsed().as_nanos() as f64 / f64::from(n)])
                };
                tokio::spawn(asks).await?
            })
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
            system.block_on(per(n, async || Ok(bare.send(Ping(1)).await?)))
        })
        .entry("ours, try_ask", "", || {
            system.block_on(per(n, async || Ok(ours.try_ask(Ping(1))?.await?)))
        })
        .entry("ours, ask with a deadline", "", || {
            system.block_on(per(n, async || Ok(ours.ask(Ping(1), LONG).await?)))
        })
        .entry("ractor, call", "", || {
            runtime.block_on(per(n, async || ractors::ping(&ractor).await))
        })
        .entry("kameo, ask", "", || {
            runtime.block_on(per(n, async || kameos::ping(&kameo).await))
        })
        .run(plan.rounds)
}

/// Nanoseconds that each of `count` takes, one after the other.
async fn per(count: u32, ask: impl AsyncFn() -> Outcome<u64>) -> Outcome<Vec<f64>> {
    let began = Instant::now();
    for _ in 0..count {
        black_box(ask().await?);
    }
    Ok(vec![began.elapsed().as_nanos() as f64 / f64::from(count)])
}
