//! In which order an actor serves, and what it leaves to its neighbours.

use crate::worker::{LONG, Note, Urgent, bulk, ms, quick, run_in, worker, worker_in};
use actix::prelude::*;
use std::time::Duration;
use vyrox_supervision::testing::{run, settle};
use vyrox_supervision::{Overflow, Policy, Tree};

#[test]
fn control_overtakes_a_hundred_thousand_bulk_messages() {
    run(async {
        let (_tree, handle, diary) = worker(bulk(100_000, Overflow::Reject));
        for i in 1..=100_000 {
            handle.try_cast(Note(i)).unwrap();
        }
        handle.ask(Urgent(0), LONG).await.unwrap();
        assert_eq!(diary.notes()[0], 0);
        // And while the rest is being drained: at most one budget later.
        let seen = diary.notes().len();
        handle.ask(Urgent(0), LONG).await.unwrap();
        let second = diary
            .notes()
            .iter()
            .skip(seen)
            .position(|note| *note == 0)
            .unwrap();
        assert!(second <= 16, "{second} bulk messages went first");
    });
}

#[test]
fn a_flooded_actor_leaves_turns_to_its_neighbours() {
    run(async {
        // Without a time slice, so that only the count matters.
        let slow = Policy {
            slice: Duration::from_hours(1),
            ..bulk(10_000, Overflow::Reject)
        };
        let tree = Tree::new(1);
        let (flooded, diary) = worker_in(&tree, "flooded", slow, &Arbiter::current());
        let (neighbour, _) = worker_in(&tree, "neighbour", quick(), &Arbiter::current());
        for i in 0..10_000 {
            flooded.try_cast(Note(i)).unwrap();
        }
        let mut before = 0;
        for round in 0..10 {
            neighbour.ask(Note(round), LONG).await.unwrap();
            let now = diary.notes().len();
            // A local set looks at other queues every 31 polls; both ask and answer pass it once.
            assert!(
                now - before <= 2 * 31 * 16,
                "{} messages went first",
                now - before
            );
            before = now;
        }
        assert!(
            diary.notes().len() < 10_000,
            "the flood went on all the while"
        );
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
