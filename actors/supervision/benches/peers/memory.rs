//! What an actor holds on to while it has nothing to do.

use crate::contest::Contest;
use crate::messages::Ping;
use crate::ours::{LONG, Worker};
use crate::runtimes::here;
use crate::stock::Bare;
use crate::{Outcome, Plan, kameos, ractors};
use actix::{Actor as _, Arbiter, System};
use std::process::Command;
use std::{env, fs};
use vyrox_supervision::{Spec, Tree};

/// Makes this program measure one kind of actor: what no other kind has touched cannot favour any.
pub(crate) const ARGUMENT: &str = "--memory-of";

pub(crate) fn run(plan: &Plan) -> Outcome<()> {
    let count = plan.actors;
    Contest::new(
        format!("bytes an idle actor, resident; {count} actors after a message each"),
        &[""],
    )
    .entry("stock actix", "", || in_a_child("stock", count))
    .entry("ours", "2048 or less", || in_a_child("ours", count))
    .entry("ractor", "", || in_a_child("ractor", count))
    .entry("kameo", "", || in_a_child("kameo", count))
    .run(plan.rounds.min(3))
}

fn in_a_child(kind: &str, count: u32) -> Outcome<Vec<f64>> {
    let output = Command::new(env::current_exe()?)
        .args([ARGUMENT, kind, &count.to_string()])
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let bytes: f64 = text
        .trim()
        .parse()
        .map_err(|error| format!("{text}: {error}"))?;
    Ok(vec![bytes])
}

/// Bytes an actor of one kind, in this process.
pub(crate) fn measure(kind: &str, count: u32) -> Outcome<u64> {
    let grown = match kind {
        "stock" => System::new().block_on(stock(count)),
        "ours" => System::new().block_on(ours(count)),
        "ractor" => here()?.block_on(ractor(count)),
        "kameo" => here()?.block_on(kameo(count)),
        _ => Err(format!("no such kind: {kind}").into()),
    }?;
    Ok(grown / u64::from(count))
}

async fn stock(count: u32) -> Outcome<u64> {
    let before = resident()?;
    let all: Vec<_> = (0..count).map(|_| Bare::default().start()).collect();
    for bare in &all {
        bare.send(Ping(1)).await?;
    }
    grown(before, all)
}

async fn ours(count: u32) -> Outcome<u64> {
    let (tree, before) = (Tree::new(1), resident()?);
    let arbiter = Arbiter::current();
    let all: Vec<_> = (0..count)
        .map(|n| tree.supervise(Spec::new(id(n), "worker"), &arbiter, |_| Worker::default()))
        .collect();
    for worker in &all {
        worker.ask(Ping(1), LONG).await?;
    }
    grown(before, all)
}

async fn ractor(count: u32) -> Outcome<u64> {
    let (mut all, before) = (Vec::new(), resident()?);
    for _ in 0..count {
        all.push(ractors::start().await?);
    }
    for worker in &all {
        ractors::ping(worker).await?;
    }
    grown(before, all)
}

async fn kameo(count: u32) -> Outcome<u64> {
    let (mut all, before) = (Vec::new(), resident()?);
    for _ in 0..count {
        all.push(kameos::start());
    }
    for worker in &all {
        kameos::ping(worker).await?;
    }
    grown(before, all)
}

fn id(number: u32) -> String {
    format!("tenant/{number}")
}

/// How much has come on top of `before` while `actors` are alive.
fn grown<T>(before: u64, actors: Vec<T>) -> Outcome<u64> {
    let grown = resident()?.saturating_sub(before);
    drop(actors);
    Ok(grown)
}

/// This process's memory, in bytes.
fn resident() -> Outcome<u64> {
    const PAGE: u64 = 4096;
    let text = fs::read_to_string("/proc/self/statm")?;
    let pages = text.split(' ').nth(1).ok_or("an unreadable statm")?;
    Ok(pages.parse::<u64>()? * PAGE)
}
