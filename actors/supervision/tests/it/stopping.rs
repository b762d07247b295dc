//! How an actor ends.

use crate::worker::{
    Block, Boom, Entry, Gate, LONG, Later, Note, Urgent, Worker, ms, quick, restarting, run_in,
    with_threads, worker, worker_in,
};
use actix::prelude::*;
use tokio::time::Instant;
use vyrox_supervision::testing::{run, settle};
use vyrox_supervision::{Exit, Failure, Handle, Policy, Reason, Restart, State, Stop, Tree};

#[test]
fn the_last_handle_dropped_drains_the_actor() {
    run(async {
        let (tree, handle, diary) = worker(quick());
        let other = handle.clone();
        for i in 0..1_000 {
            handle.try_cast(Note(i)).unwrap();
        }
        drop(handle);
        settle().await;
        assert_eq!(tree.find("worker").unwrap().state, State::Running);
        other.try_cast(Note(1_000)).unwrap();
        drop(other);
        settle().await;
        assert_eq!(diary.notes(), (0..=1_000).collect::<Vec<_>>());
        assert_eq!(tree.find("worker").unwrap().state, State::Stopped);
        let end: Vec<_> = diary.entries().into_iter().rev().take(3).collect();
        assert_eq!(
            end,
            [Entry::Dropped(1), Entry::Stopped(1), Entry::Stopping(1)]
        );
    });
}

#[test]
fn an_ended_actor_lets_go_of_what_its_factory_held() {
    run(async {
        let (tree, inner, _) = worker(quick());
        let spec = vyrox_supervision::Spec::new("outer", "worker").policy(quick());
        let held = inner.clone();
        let outer = tree.supervise(spec, &Arbiter::current(), move |generation| {
            assert_eq!(held.id(), "worker");
            Worker {
                generation,
                diary: crate::worker::Diary::default(),
            }
        });
        drop(inner);
        outer.ask(Note(1), LONG).await.unwrap();
        assert_eq!(tree.find("worker").unwrap().state, State::Running);
        outer.stop(Stop::Drain);
        outer.exited().await;
        settle().await;
        assert_eq!(tree.find("worker").unwrap().state, State::Stopped);
    });
}

#[test]
fn a_drain_waits_for_answers_but_not_for_timers() {
    run(async {
        let (_tree, handle, diary) = worker(quick());
        let timers = run_in(|_, ctx| {
            ctx.every(ms(70), |_, _| {});
            ctx.run_later(LONG, |_, _| {});
            ctx.notify_later(Urgent(9), LONG);
        });
        handle.ask(timers, LONG).await.unwrap();
        let began = Instant::now();
        let asks = [
            handle.try_ask(Later(ms(200), 2)),
            handle.try_ask(Later(ms(100), 1)),
        ];
        handle.stop(Stop::Drain);
        assert_eq!(handle.exited().await, Exit::Normal);
        assert!(
            (ms(200)..ms(300)).contains(&began.elapsed()),
            "{:?}",
            began.elapsed()
        );
        for (ask, answer) in asks.into_iter().zip([2, 1]) {
            assert_eq!(ask.unwrap().await, Ok(answer));
        }
        assert_eq!(diary.notes(), [1, 2]);
    });
}

#[test]
fn a_drain_goes_on_when_its_last_future_is_cancelled() {
    run(async {
        let (_tree, handle, _) = worker(quick());
        let set = run_in(|worker, ctx| {
            let endless = ctx.spawn(actix::clock::sleep(LONG).into_actor(worker));
            ctx.after(ms(100), move |_, ctx| {
                ctx.cancel_future(endless);
            });
        });
        handle.ask(set, LONG).await.unwrap();
        let began = Instant::now();
        handle.stop(Stop::Drain);
        assert_eq!(handle.exited().await, Exit::Normal);
        assert!(began.elapsed() < ms(200), "{:?}", began.elapsed());
    });
}

#[test]
fn a_drain_that_outlives_its_deadline_is_killed() {
    run(async {
        let (tree, handle, diary) = worker(Policy {
            stop_deadline: ms(2_000),
            ..quick()
        });
        let endless = handle.try_ask(Later(LONG, 1)).unwrap();
        let began = Instant::now();
        handle.stop(Stop::Drain);
        assert_eq!(handle.exited().await, Exit::Killed);
        assert!((ms(2_000)..ms(2_100)).contains(&began.elapsed()));
        assert_eq!(endless.await, Err(Failure::Closed));
        settle().await;
        assert_eq!(
            diary.entries(),
            [Entry::Started(1), Entry::Dropped(1)],
            "no hooks"
        );
        assert_eq!(tree.find("worker").unwrap().state, State::Stopped);
    });
}

#[test]
fn stopping_now_drops_the_queue_and_tells_the_askers() {
    run(async {
        let (_tree, handle, diary) = worker(quick());
        let asks: Vec<_> = (0..10).map(|i| handle.try_ask(Note(i)).unwrap()).collect();
        handle.stop(Stop::Now);
        handle.stop(Stop::Drain);
        assert_eq!(handle.exited().await, Exit::Killed);
        for ask in asks {
            assert_eq!(ask.await, Err(Failure::Closed));
        }
        assert_eq!(diary.notes(), [0; 0]);
    });
}

#[test]
fn a_crash_during_a_drain_costs_one_message() {
    run(async {
        let (_tree, handle, diary) = worker(quick());
        handle.try_cast(Note(1)).unwrap();
        handle.try_cast(Boom).unwrap();
        handle.try_cast(Note(2)).unwrap();
        handle.stop(Stop::Drain);
        assert_eq!(handle.exited().await, Exit::Normal);
        assert_eq!(diary.notes(), [1, 2]);
    });
}

#[test]
fn a_panic_on_the_way_out_is_told_apart() {
    run(async {
        let stop_and_panic = || {
            run_in(|_, ctx| {
                ctx.stop();
                panic!("on the way out");
            })
        };
        let (_tree, transient, diary) = worker(restarting(Restart::Transient));
        transient.try_cast(stop_and_panic()).unwrap();
        let exit = Exit::PanickedWhileStopping("on the way out".to_owned());
        assert_eq!(transient.exited().await, exit);
        assert_eq!(diary.count(Entry::Stopping(1)), 0);
        // A permanent actor was not asked to end: it comes back.
        let (_tree, permanent, _) = worker(restarting(Restart::Permanent));
        permanent.try_cast(stop_and_panic()).unwrap();
        assert_eq!(permanent.ask(Note(1), LONG).await, Ok(2));
    });
}

#[test]
fn nobody_hangs_when_an_arbiter_stops() {
    with_threads(async {
        let (tree, arbiter) = (Tree::new(1), Arbiter::new());
        let (handle, _) = worker_in(&tree, "worker", quick(), &arbiter.handle());
        handle.ask(Note(1), LONG).await.unwrap();
        let pending = handle.try_ask(Later(LONG, 1)).unwrap();
        arbiter.stop();
        assert_eq!(pending.await, Err(Failure::Closed));
        assert_eq!(handle.exited().await, Exit::ArbiterStopped);
        assert_eq!(handle.try_cast(Note(1)).unwrap_err().reason, Reason::Closed);
        arbiter.join().unwrap();
        // And one that is started where nobody runs any more.
        let arbiter = Arbiter::new();
        let gone = arbiter.handle();
        arbiter.stop();
        arbiter.join().unwrap();
        let (handle, _) = worker_in(&tree, "too late", quick(), &gone);
        assert_eq!(handle.exited().await, Exit::ArbiterStopped);
    });
}

#[test]
fn an_actor_on_its_way_to_an_arbiter_that_stops_ends_too() {
    with_threads(async {
        let (tree, arbiter) = (Tree::new(1), Arbiter::new());
        let (blocker, _) = worker_in(&tree, "blocker", quick(), &arbiter.handle());
        let (gate, block): (Gate, Block) = Gate::new();
        blocker.try_cast(block).unwrap();
        gate.wait_until_blocked();
        arbiter.stop();
        let (waiting, _): (Handle<Worker>, _) =
            worker_in(&tree, "waiting", quick(), &arbiter.handle());
        let ask = waiting.try_ask(Note(1)).unwrap();
        drop(gate);
        assert_eq!(ask.await, Err(Failure::Closed));
        assert_eq!(waiting.exited().await, Exit::ArbiterStopped);
    });
}
