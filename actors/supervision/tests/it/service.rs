//! In which order an actor serves, and what it leaves to its neighbours.

use crate::worker::{
    Do, Gate, LONG, Note, Pressing, Promptly, Urgent, Worker, bulk, ms, quick, run_in,
    with_threads, worker, worker_in,
};
use actix::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use vyrox_supervision::testing::{run, settle};
use vyrox_supervision::{Handle, Overflow, Policy, Stop, Tree};

/// Messages that one poll may handle.
const BUDGET: usize = 16;

/// A slice that never ends, so that only the count matters.
fn flooded() -> Policy {
    let policy = Policy {
        slice: Duration::from_hours(1),
        ..bulk(100_000, Overflow::Reject)
    };
    assert_eq!(policy.budget as usize, BUDGET);
    policy
}

/// How often something has happened, counted wherever it happens.
#[derive(Clone, Default)]
struct Counter(Arc<AtomicUsize>);

impl Counter {
    fn count(&self) -> Do {
        let counter = self.clone();
        run_in(move |_, _| {
            counter.0.fetch_add(1, Ordering::Relaxed);
        })
    }

    /// Keeps in `kept` where this counter stands then.
    fn read_into(&self, kept: &Self) -> Do {
        let (counter, kept) = (self.clone(), kept.clone());
        run_in(move |_, _| kept.0.store(counter.now(), Ordering::Relaxed))
    }

    fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[test]
fn urgent_messages_overtake_a_hundred_thousand_that_wait() {
    with_threads(async {
        let (tree, arbiter) = (Tree::new(1), Arbiter::new());
        let (handle, _) = worker_in(&tree, "worker", flooded(), &arbiter.handle());
        let (gate, block) = Gate::new();
        handle.try_cast(block).unwrap();
        gate.wait_until_blocked();
        let bulk = Counter::default();
        for _ in 0..100_000 {
            handle.try_cast(bulk.count()).unwrap();
        }
        let (probe, contain) = (Counter::default(), Counter::default());
        let contained = handle.try_ask(Pressing(bulk.read_into(&contain))).unwrap();
        let probed = handle.try_ask(Promptly(bulk.read_into(&probe))).unwrap();
        assert_eq!(handle.depth(), 100_002);
        let began = Instant::now();
        drop(gate);
        assert_eq!((probed.await, contained.await), (Ok(()), Ok(())));
        println!(
            "both answered {:?} after the thread was free",
            began.elapsed()
        );
        assert_eq!((probe.now(), contain.now()), (0, 0), "bulk went first");
        handle.stop(Stop::Now);
    });
}

/// The bulk messages send the urgent ones themselves, so it is known exactly where in the flood, and
/// where in a budget, those were admitted.
#[test]
fn urgent_messages_overtake_a_flood_under_way_wherever_in_a_budget_they_come() {
    run(async {
        let (_tree, handle, _) = worker(flooded());
        let (bulk, mut all) = (Counter::default(), Vec::new());
        for n in 0..100_000 {
            if n % 1_001 != 500 {
                handle.try_cast(bulk.count()).unwrap();
                continue;
            }
            let at = [(); 3].map(|()| Counter::default());
            let (to, [probed, contained, here]) = (handle.clone(), at.clone());
            let (flood, reader) = (bulk.clone(), bulk.clone());
            let send = run_in(move |_, _| {
                here.0.store(flood.now(), Ordering::Relaxed);
                to.try_cast(Pressing(reader.read_into(&contained))).unwrap();
                to.try_cast(Promptly(reader.read_into(&probed))).unwrap();
            });
            handle.try_cast(send).unwrap();
            all.push(at);
        }
        while handle.depth() > 0 {
            settle().await;
        }
        assert_eq!((bulk.now(), all.len()), (99_900, 100));
        let passed = |[probed, contained, here]: &[Counter; 3]| {
            (probed.now() - here.now(), contained.now() - here.now())
        };
        let worst_probe = all.iter().map(|at| passed(at).0).max().unwrap();
        let worst_contain = all.iter().map(|at| passed(at).1).max().unwrap();
        println!("bulk that went first: {worst_probe} and {worst_contain} of a budget of {BUDGET}");
        assert!(worst_probe <= BUDGET && worst_contain <= BUDGET);
    });
}

/// A message that is sent again by its own handler: a flood of them never leaves the actor idle.
fn endless(to: Handle<Worker>, handled: Counter, over: Arc<AtomicBool>) -> Do {
    run_in(move |_, _| {
        handled.0.fetch_add(1, Ordering::Relaxed);
        if !over.load(Ordering::Relaxed) {
            let again = endless(to.clone(), handled, over);
            to.try_cast(again).unwrap();
        }
    })
}

#[test]
fn a_flooded_neighbour_takes_a_few_budgets_at_most_before_a_ping() {
    // A local set looks at wakes from other threads every 31 polls, and each poll of the flooded actor
    // handles a budget; twice that allows for the arbiter's own turns.
    const POLLS: usize = 2 * 31;
    with_threads(async {
        let (tree, arbiter) = (Tree::new(1), Arbiter::new());
        let (flooded, _) = worker_in(&tree, "flooded", flooded(), &arbiter.handle());
        let (neighbour, _) = worker_in(&tree, "neighbour", quick(), &arbiter.handle());
        let (handled, at_handling) = (Counter::default(), Counter::default());
        let over = Arc::<AtomicBool>::default();
        for _ in 0..1_000 {
            let one = endless(flooded.clone(), handled.clone(), Arc::clone(&over));
            flooded.try_cast(one).unwrap();
        }
        let (mut worst, mut times) = (0, Vec::new());
        for _ in 0..300 {
            let began = Instant::now();
            let ping = neighbour.try_ask(handled.read_into(&at_handling)).unwrap();
            let at_admission = handled.now();
            timeout(LONG, ping).await.unwrap().unwrap();
            times.push(began.elapsed());
            worst = worst.max(at_handling.now().saturating_sub(at_admission));
        }
        assert!(flooded.depth() >= 999, "the flood went on all the while");
        over.store(true, Ordering::Relaxed);
        times.sort_unstable();
        let (p50, p99) = (times[150], times[297]);
        println!("a ping: p50 {p50:?}, p99 {p99:?}; {worst} messages went first at most");
        assert!(worst <= POLLS * BUDGET, "{worst} messages went first");
    });
}

#[test]
fn an_atomic_future_holds_back_every_lane() {
    run(async {
        let (_tree, handle, diary) = worker(quick());
        let wait = run_in(|worker, ctx| {
            let load = actix::clock::sleep(ms(30)).into_actor(worker);
            ctx.wait(load.map(|(), worker, _| worker.note(1)));
        });
        handle.try_cast(wait).unwrap();
        settle().await;
        let (urgent, note) = (
            handle.try_ask(Urgent(2)).unwrap(),
            handle.try_ask(Note(3)).unwrap(),
        );
        assert_eq!((urgent.await, note.await), (Ok(1), Ok(1)));
        assert_eq!(diary.notes(), [1, 2, 3]);
    });
}

#[test]
fn waiting_times_are_measured() {
    run(async {
        let (tree, handle, _) = worker(quick());
        for i in 0..1_000 {
            handle.try_cast(Note(i)).unwrap();
        }
        handle.ask(Note(1_000), LONG).await.unwrap();
        assert!(tree.find("worker").unwrap().queue_wait_us_p99 > 0);
    });
}
