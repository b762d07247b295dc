//! What a neighbour on the same arbiter feels of an actor that is flooded at full speed.

use crate::contest::{Contest, percentile};
use crate::messages::{Ping, Work};
use crate::ours::{LONG, Worker};
use crate::stock::Bare;
use crate::{Outcome, Plan};
use actix::{Actor as _, Arbiter, ArbiterHandle, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use vyrox_supervision::Tree;

/// Messages that may wait in the flooded actor.
const CAPACITY: u16 = 20_000;
/// The pause of a flooder that finds the queue full.
const PAUSE: Duration = Duration::from_micros(500);

pub(crate) fn run(plan: &Plan) -> Outcome<()> {
    let (system, window) = (System::new(), plan.window);
    Contest::new(
        "us a neighbour's ping takes while the arbiter is flooded with messages of 2 us",
        &["p50", "p99"],
    )
    .entry("stock actix", "", || system.block_on(stock(window)))
    .entry("ours", "a few budgets of 50 us", || {
        system.block_on(ours(window))
    })
    .run(plan.rounds.min(5))
}

async fn stock(window: Duration) -> Outcome<Vec<f64>> {
    let arbiter = Arbiter::new();
    let start = |at: &ArbiterHandle| {
        Bare::start_in_arbiter(at, |_| Bare {
            capacity: Some(usize::from(CAPACITY)),
            ..Bare::default()
        })
    };
    let (flooded, near) = (start(&arbiter.handle()), start(&arbiter.handle()));
    near.send(Ping(1)).await?;
    let flood = Flood::start(move || flooded.try_send(Work).is_ok())?;
    let figures = pings(window, async || Ok(near.send(Ping(1)).await?)).await;
    flood.stop();
    arbiter.stop();
    figures
}

async fn ours(window: Duration) -> Outcome<Vec<f64>> {
    let (arbiter, tree) = (Arbiter::new(), Tree::new(1));
    let start = |id| Worker::start(&tree, id, &arbiter.handle(), u32::from(CAPACITY));
    let (flooded, near) = (start("flooded"), start("near"));
    near.ask(Ping(1), LONG).await?;
    let flood = Flood::start(move || flooded.try_cast(Work).is_ok())?;
    let figures = pings(window, async || Ok(near.ask(Ping(1), LONG).await?)).await;
    flood.stop();
    arbiter.stop();
    figures
}

/// A thread that sends as fast as it can.
struct Flood {
    on: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Flood {
    fn start(send: impl Fn() -> bool + Send + 'static) -> Outcome<Self> {
        let on = Arc::new(AtomicBool::new(true));
        let still = Arc::clone(&on);
        let flood = move || {
            while still.load(Ordering::Relaxed) {
                if !send() {
                    thread::sleep(PAUSE);
                }
            }
        };
        let thread = thread::Builder::new().spawn(flood)?;
        Ok(Self { on, thread })
    }

    fn stop(self) {
        self.on.store(false, Ordering::Relaxed);
        self.thread.join().ok();
    }
}

/// Pings for as long as `window`, a millisecond between them. One that is not answered by its end counts
/// with the time that it has waited.
async fn pings(window: Duration, ping: impl AsyncFn() -> Outcome<u64>) -> Outcome<Vec<f64>> {
    tokio::time::sleep(window / 10).await; // until the flood has built up
    let (end, mut times) = (Instant::now() + window, Vec::new());
    while Instant::now() < end {
        let began = Instant::now();
        if let Ok(answer) = tokio::time::timeout_at(end.into(), ping()).await {
            answer?;
        }
        times.push(began.elapsed().as_nanos() as f64 / 1e3);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(vec![
        percentile(&mut times, 0.5),
        percentile(&mut times, 0.99),
    ])
}
