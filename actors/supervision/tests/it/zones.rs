//! Calls that are known to be slow are let be, within their allowance.

use crate::keeper::{Told, Watched, brisk, name_of, onlooker, watched};
use crate::worker::{
    Do, Gate, LONG, Note, Worker, ms, quick, run_in, with_threads, worker, worker_in,
};
use actix::prelude::*;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use vyrox_supervision::{Handle, Plan, Stall, StallKind, SupervisedContext, Tree, zone};

const HOUR: Duration = Duration::from_hours(1);

/// A place in a handler at which it blocks until the test lets it go.
struct Stop(Sender<()>, Receiver<()>);

/// The test's side of a [`Stop`].
struct Stopped {
    entered: Receiver<()>,
    _go: Sender<()>,
}

impl Stop {
    fn new() -> (Stopped, Self) {
        let ((tell, entered), (go, wait)) = (channel(), channel());
        (Stopped { entered, _go: go }, Self(tell, wait))
    }

    fn here(self) {
        self.0.send(()).unwrap();
        assert!(self.1.recv().is_err());
    }
}

impl Stopped {
    fn wait(&self) {
        self.entered.recv_timeout(LONG).unwrap();
    }
}

/// Blocks another thread for as long as it takes to be noticed: whoever was stuck before that would have
/// been noticed as well.
async fn look_around(tree: &Tree, watched: &Watched) -> Vec<Stall> {
    let arbiter = Arbiter::new();
    let (witness, _) = worker_in(tree, "witness", quick(), &arbiter.handle());
    assert_eq!(witness.ask(Note(0), LONG).await, Ok(1));
    let (gate, block) = Gate::new();
    witness.try_cast(block).unwrap();
    let mut others = Vec::new();
    watched.hear(|told| match told {
        Told::Noticed(stall) if stall.id.as_deref() == Some("witness") => Some(()),
        Told::Noticed(stall) => {
            others.push(stall);
            None
        }
        Told::Asked(_) | Told::Recovered(..) => None,
    });
    drop(gate);
    watched.recovered("witness");
    tree.remove("witness");
    others
}

/// A worker that has begun on a thread of its own.
async fn settled(tree: &Tree, arbiter: &Arbiter) -> Handle<Worker> {
    let (handle, _) = worker_in(tree, "slow", quick(), &arbiter.handle());
    assert_eq!(handle.ask(Note(0), LONG).await, Ok(1));
    handle
}

fn in_zone(what: &'static str, allowance: Duration, stop: Stop) -> Do {
    run_in(move |_, _| {
        let _zone = zone(what, allowance);
        stop.here();
    })
}

#[test]
fn a_zone_is_let_be_and_so_is_who_waits_for_its_thread() {
    with_threads(async {
        let (tree, arbiter) = (Tree::new(1), Arbiter::new());
        let plan = Plan {
            replace_after: brisk().notice_after,
            ..brisk()
        };
        let watched = watched(&tree, plan, &[]);
        let slow = settled(&tree, &arbiter).await;
        let (stopped, stop) = Stop::new();
        let reading = slow
            .try_ask(in_zone("reading evidence", HOUR, stop))
            .unwrap();
        stopped.wait();
        let (late, _) = worker_in(&tree, "late", quick(), &arbiter.handle());
        assert_eq!(look_around(&tree, &watched).await, []);
        drop(stopped);
        assert_eq!(reading.await, Ok(()));
        assert_eq!(late.ask(Note(0), LONG).await, Ok(1), "it did not move");
    });
}

#[test]
fn a_zone_that_lasts_too_long_is_named() {
    with_threads(async {
        let (tree, arbiter, spare) = (Tree::new(1), Arbiter::new(), Arbiter::new());
        let watched = watched(&tree, brisk(), &[&spare]);
        let slow = settled(&tree, &arbiter).await;
        let (stopped, stop) = Stop::new();
        let allowance = brisk().replace_after + ms(200);
        let reading = slow
            .try_ask(in_zone("reading evidence", allowance, stop))
            .unwrap();
        let stall = watched.noticed("slow");
        assert_eq!(stall.zone, Some("reading evidence"));
        assert_eq!(stall.message, Some("it::worker::Do"));
        assert!(stall.busy_for >= allowance);
        assert!(reading.await.is_err());
        assert_eq!(slow.ask(Note(1), LONG).await, Ok(2));
        drop(stopped);
    });
}

#[test]
fn zones_nest_and_the_one_that_ends_last_counts() {
    with_threads(async {
        let (tree, arbiter) = (Tree::new(1), Arbiter::new());
        let watched = watched(&tree, onlooker(), &[]);
        let slow = settled(&tree, &arbiter).await;
        let [first, second, third] = [Stop::new(), Stop::new(), Stop::new()];
        let (in_both, in_long, in_none) = (first.0, second.0, third.0);
        let nested = run_in(move |_, _| {
            let long = zone("long", HOUR);
            let short = zone("short", ms(1));
            first.1.here();
            drop(short);
            second.1.here();
            drop(long);
            third.1.here();
        });
        slow.try_cast(nested).unwrap();
        in_both.wait();
        assert_eq!(look_around(&tree, &watched).await, []);
        drop(in_both);
        in_long.wait();
        assert_eq!(look_around(&tree, &watched).await, []);
        drop(in_long);
        in_none.wait();
        let stall = watched.noticed("slow");
        assert_eq!((stall.kind, stall.zone), (StallKind::Busy, None));
        drop(in_none);
        watched.recovered("slow");
    });
}

/// The guard that was dropped last gave back the zone before it, though that one had ended.
#[test]
fn zones_may_end_in_the_order_of_their_beginning() {
    with_threads(async {
        let (tree, arbiter) = (Tree::new(1), Arbiter::new());
        let watched = watched(&tree, onlooker(), &[]);
        let slow = settled(&tree, &arbiter).await;
        let [first, second] = [Stop::new(), Stop::new()];
        let (crossed_over, in_none) = (first.0, second.0);
        let crossed = run_in(move |_, _| {
            let one = zone("one", HOUR);
            let two = zone("two", HOUR);
            drop(one);
            first.1.here();
            drop(two);
            second.1.here();
        });
        slow.try_cast(crossed).unwrap();
        crossed_over.wait();
        assert_eq!(look_around(&tree, &watched).await, []);
        drop(crossed_over);
        in_none.wait();
        let stall = watched.noticed("slow");
        assert_eq!((stall.kind, stall.zone), (StallKind::Busy, None));
        drop(in_none);
        watched.recovered("slow");
    });
}

/// A guard that outlives its poll protects no other one.
#[test]
fn a_zone_ends_with_its_poll() {
    with_threads(async {
        let (tree, arbiter) = (Tree::new(1), Arbiter::new());
        let watched = watched(&tree, onlooker(), &[]);
        let slow = settled(&tree, &arbiter).await;
        let (go_on, told_to) = tokio::sync::oneshot::channel::<()>();
        let (entered, in_zone) = channel();
        let (stopped, stop) = Stop::new();
        let keeps_it = run_in(move |worker: &mut Worker, ctx: &mut SupervisedContext<_>| {
            let waits = async move {
                let _zone = zone("kept over an await", HOUR);
                entered.send(()).unwrap();
                told_to.await.unwrap();
                stop.here();
            };
            ctx.spawn(waits.into_actor(worker));
        });
        assert_eq!(slow.ask(keeps_it, LONG).await, Ok(()));
        in_zone.recv_timeout(LONG).unwrap();
        name_of(&arbiter); // the thread does something else, so that poll is over
        go_on.send(()).unwrap();
        stopped.wait();
        let stall = watched.noticed("slow");
        assert_eq!((stall.message, stall.zone), (None, None));
        drop(stopped);
        watched.recovered("slow");
    });
}

#[test]
fn a_zone_works_in_a_future_and_does_nothing_outside_of_an_actor() {
    with_threads(async {
        let (_tree, handle, _) = worker(quick());
        let outside = zone("nowhere", HOUR);
        assert_eq!(format!("{outside:?}"), "Zone { counts: false }");
        let (tell, seen) = tokio::sync::oneshot::channel();
        let look = run_in(move |worker: &mut Worker, ctx: &mut SupervisedContext<_>| {
            let looks = async move {
                tell.send(format!("{:?}", zone("in a future", HOUR)))
                    .unwrap();
            };
            ctx.spawn(looks.into_actor(worker));
        });
        assert_eq!(handle.ask(look, LONG).await, Ok(()));
        assert_eq!(seen.await.unwrap(), "Zone { counts: true }");
    });
}
