//! How long a picture of the whole tree takes.

use crate::contest::Contest;
use crate::ours::{Block, LONG, Probe, Worker};
use crate::{Outcome, Plan};
use actix::{Arbiter, System};
use std::hint::black_box;
use std::sync::mpsc;
use std::time::Instant;
use vyrox_supervision::{Handle, Spec, Tree};

pub(crate) fn run(plan: &Plan) -> Outcome<()> {
    let (system, tree) = (System::new(), Tree::new(1));
    let (free, stuck) = system.block_on(async { (Arbiter::new(), Arbiter::new()) });
    let all: Vec<_> = (0..plan.actors)
        .map(|number| {
            let arbiter = if number % 2 == 0 { &free } else { &stuck };
            let spec = Spec::new(format!("tenant/{number}"), "worker");
            tree.supervise(spec, &arbiter.handle(), |_| Worker::default())
        })
        .collect();
    system.block_on(async {
        for worker in &all {
            worker.ask(Probe, LONG).await?;
        }
        Outcome::Ok(())
    })?;
    Contest::new(
        format!("ms a snapshot of the tree, {} actors", plan.actors),
        &[""],
    )
    .digits(2)
    .entry("all arbiters free", "about 10", || {
        Ok(vec![snapshot(&tree)])
    })
    .entry("one arbiter stuck", "about 10", || while_stuck(&tree, &all))
    .run(plan.rounds)?;
    drop(all);
    free.stop();
    stuck.stop();
    Ok(())
}

/// The second actor lives on the arbiter that gets stuck.
fn while_stuck(tree: &Tree, all: &[Handle<Worker>]) -> Outcome<Vec<f64>> {
    let (release, blocked) = mpsc::channel();
    let victim = all.get(1).ok_or("too few actors")?;
    let stuck = victim
        .try_ask(Block(blocked))
        .map_err(|rejected| rejected.reason)?;
    while victim.depth() > 0 {
        std::hint::spin_loop(); // until its thread has taken the message
    }
    let ms = snapshot(tree);
    drop((release, stuck));
    Ok(vec![ms])
}

fn snapshot(tree: &Tree) -> f64 {
    let began = Instant::now();
    black_box(tree.snapshot());
    began.elapsed().as_nanos() as f64 / 1e6
}
