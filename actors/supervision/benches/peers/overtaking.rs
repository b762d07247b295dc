//! How much of a backlog runs before a health probe does.

use crate::contest::Contest;
use crate::messages::Work;
use crate::ours::{LONG, Probe, Worker, spec};
use crate::stock::Bare;
use crate::{Outcome, Plan};
use actix::{Actor as _, Arbiter, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use vyrox_supervision::Tree;

pub(crate) fn run(plan: &Plan) -> Outcome<()> {
    let (system, backlog) = (System::new(), plan.backlog);
    Contest::new(
        format!("a probe from another thread, behind {backlog} bulk messages of 2 us"),
        &["bulk messages before it", "us until its answer"],
    )
    .entry("stock actix", "", || system.block_on(stock(backlog)))
    .entry("ours", "16, one budget, or less", || {
        system.block_on(ours(backlog))
    })
    .run(plan.rounds.min(5))
}

async fn stock(backlog: u32) -> Outcome<Vec<f64>> {
    let (arbiter, handled) = (Arbiter::new(), Arc::new(AtomicU64::new(0)));
    let counter = Arc::clone(&handled);
    let bare = Bare::start_in_arbiter(&arbiter.handle(), move |_| Bare {
        handled: counter,
        ..Bare::default()
    });
    for _ in 0..backlog {
        bare.do_send(Work);
    }
    let (before, began) = (handled.load(Ordering::Relaxed), Instant::now());
    let at_probe = bare.send(Probe).await?;
    let figures = vec![
        at_probe.saturating_sub(before) as f64,
        began.elapsed().as_nanos() as f64 / 1e3,
    ];
    arbiter.stop();
    Ok(figures)
}

async fn ours(backlog: u32) -> Outcome<Vec<f64>> {
    let (arbiter, tree) = (Arbiter::new(), Tree::new(1));
    let handled = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&handled);
    let worker = tree.supervise(spec("ours", backlog), &arbiter.handle(), move |_| {
        Worker::counting_in(&counter)
    });
    for _ in 0..backlog {
        worker.try_cast(Work)?;
    }
    let (before, began) = (handled.load(Ordering::Relaxed), Instant::now());
    let at_probe = worker.ask(Probe, LONG).await?;
    let figures = vec![
        at_probe.saturating_sub(before) as f64,
        began.elapsed().as_nanos() as f64 / 1e3,
    ];
    arbiter.stop();
    Ok(figures)
}
