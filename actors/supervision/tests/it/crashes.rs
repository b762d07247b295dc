//! A crash costs one message: wherever it happens, the queue, the handle and the askers survive it.

use crate::worker::{
    Boom, Diary, Entry, LONG, Later, Note, Urgent, Worker, bulk, ms, quick, run_in, worker,
};
use actix::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::timeout;
use vyrox_supervision::testing::run;
use vyrox_supervision::{
    Exit, Failure, Handle, Overflow, Spec, Stop, SupervisedContext, Tree, install_panic_hook,
};

const fn crashed(message: &'static str, generation: u64) -> Failure {
    Failure::Crashed {
        message,
        generation,
    }
}

#[test]
fn a_panicking_handler_costs_its_own_message_only() {
    run(async {
        let (_tree, handle, diary) = worker(quick());
        let before: Vec<_> = (0..50).map(|i| handle.try_ask(Note(i)).unwrap()).collect();
        let boom = handle.try_ask(Boom).unwrap();
        let after: Vec<_> = (50..1000)
            .map(|i| handle.try_ask(Note(i)).unwrap())
            .collect();
        for ask in before {
            assert_eq!(ask.await, Ok(1));
        }
        assert_eq!(boom.await, Err(crashed("it::worker::Boom", 1)));
        for ask in after {
            assert_eq!(ask.await, Ok(2));
        }
        assert_eq!(diary.notes(), (0..1000).collect::<Vec<_>>());
        assert_eq!(handle.ask(Note(0), LONG).await, Ok(2));
        let hooks = diary
            .entries()
            .into_iter()
            .filter(|e| !matches!(e, Entry::Note { .. }));
        assert_eq!(
            hooks.collect::<Vec<_>>(),
            [Entry::Started(1), Entry::Dropped(1), Entry::Started(2)],
            "no hook runs on a broken value"
        );
    });
}

#[test]
fn a_crash_is_on_record_with_text_and_place() {
    install_panic_hook();
    run(async {
        let (tree, handle, _) = worker(quick());
        handle.ask(Boom, LONG).await.unwrap_err();
        handle.ask(Note(1), LONG).await.unwrap();
        let node = tree.find("worker").unwrap();
        assert_eq!((node.generation, node.restarts, node.handled), (2, 1, 2));
        assert_eq!(node.started_at_ms, Some(1_000_000));
        let crash = node.last_crash.unwrap();
        assert_eq!(
            (crash.message, crash.panic.as_str()),
            ("it::worker::Boom", "boom")
        );
        assert_eq!(crash.at_ms, 1_000_000);
        let location = crash.location.unwrap();
        let place: Vec<_> = location.rsplitn(3, ':').collect();
        assert!(place[2].ends_with("tests/it/worker.rs"), "{location}");
        assert!(
            place[..2]
                .iter()
                .all(|number| number.parse::<u32>().is_ok()),
            "{location}"
        );
    });
}

#[test]
fn a_panicking_timer_is_a_crash() {
    run(async {
        let (tree, handle, _) = worker(quick());
        let set = run_in(|_, ctx| {
            ctx.after(ms(10), |_, _| panic!("late"));
        });
        handle.ask(set, LONG).await.unwrap();
        tokio::time::sleep(ms(20)).await;
        assert_eq!(handle.ask(Note(1), LONG).await, Ok(2));
        let crash = tree.find("worker").unwrap().last_crash.unwrap();
        assert_eq!(
            (crash.message, crash.panic.as_str()),
            ("a timer or future", "late")
        );
    });
}

#[test]
fn a_panicking_future_fails_every_answer_that_was_pending() {
    run(async {
        let (_tree, handle, diary) = worker(quick());
        let pending = [
            handle.try_ask(Later(LONG, 1)),
            handle.try_ask(Later(LONG, 2)),
        ];
        let spawn = run_in(|worker, ctx| {
            ctx.spawn(async { panic!("in a future") }.into_actor(worker));
        });
        handle.ask(spawn, LONG).await.unwrap();
        for ask in pending {
            assert_eq!(ask.unwrap().await, Err(crashed("a timer or future", 1)));
        }
        assert_eq!(handle.ask(Note(3), LONG).await, Ok(2));
        tokio::time::sleep(LONG * 2).await;
        assert_eq!(
            diary.notes(),
            [3],
            "futures of the dead generation have no effect"
        );
    });
}

#[test]
fn a_panic_of_the_factory_is_a_crash() {
    run(async {
        let (tree, diary) = (Tree::new(1), Diary::default());
        let spec = Spec::new("late", "worker").policy(quick());
        let handle = tree.supervise(spec, &Arbiter::current(), move |generation| {
            assert!(generation > 2, "not yet");
            Worker {
                generation,
                diary: diary.clone(),
            }
        });
        assert_eq!(handle.ask(Note(1), LONG).await, Ok(3));
        assert_eq!(handle.snapshot().last_crash.unwrap().message, "the factory");
    });
}

/// Loads its state before it takes any message; the first attempts fail, each in another way.
struct Loader {
    attempt: u64,
    loaded: Arc<AtomicU64>,
}

impl Actor for Loader {
    type Context = SupervisedContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        assert!(self.attempt > 1, "first attempt");
        let load = async { tokio::time::sleep(ms(500)).await }.into_actor(self);
        ctx.wait(load.map(|(), loader, ctx| {
            if loader.attempt == 2 {
                ctx.fail("cannot load");
            }
            loader.loaded.fetch_add(1, Ordering::Relaxed);
        }));
    }
}

impl Handler<Urgent> for Loader {
    type Result = u64;

    fn handle(&mut self, _: Urgent, _: &mut Self::Context) -> u64 {
        self.loaded.load(Ordering::Relaxed)
    }
}

fn loader() -> (Tree, Handle<Loader>) {
    let (tree, loaded) = (Tree::new(1), Arc::<AtomicU64>::default());
    let spec = Spec::new("loader", "loader").policy(quick());
    let handle = tree.supervise(spec, &Arbiter::current(), move |attempt| Loader {
        attempt,
        loaded: Arc::clone(&loaded),
    });
    (tree, handle)
}

#[test]
fn started_may_panic_fail_and_load_while_every_lane_is_held_back() {
    run(async {
        let (tree, handle) = loader();
        let asked = handle.try_ask(Urgent(0)).unwrap();
        tokio::time::sleep(ms(1)).await;
        let crash = tree.find("loader").unwrap().last_crash.unwrap();
        assert_eq!(
            (crash.message, crash.panic.as_str()),
            ("started", "first attempt")
        );
        tokio::time::sleep(ms(501)).await;
        let crash = tree.find("loader").unwrap().last_crash.unwrap();
        assert_eq!(
            (crash.message, crash.panic.as_str()),
            ("started", "cannot load")
        );
        assert!(crash.location.unwrap().contains("tests/it/crashes.rs:"));
        assert_eq!(handle.depth(), 1, "not even the control lane was served");
        assert_eq!(asked.await, Ok(1), "answered after the load");
        assert_eq!(handle.snapshot().generation, 3);
    });
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "on purpose");
    }
}

#[test]
fn a_queued_message_that_panics_in_its_drop_costs_nobody_else_the_answer() {
    run(async {
        let (_tree, handle, _) = worker(quick());
        let asks: Vec<_> = (0..3)
            .map(|n| {
                let bomb = (n == 1).then(|| Bomb);
                let never = run_in(move |_, _| drop(bomb));
                handle.try_ask(never).unwrap()
            })
            .collect();
        let exited = handle.clone();
        let exited = actix::spawn(async move { exited.exited().await });
        handle.stop(Stop::Now);
        for ask in asks {
            assert_eq!(timeout(LONG, ask).await.unwrap(), Err(Failure::Closed));
        }
        let exit = timeout(LONG, exited).await.unwrap();
        assert_eq!(exit.unwrap(), Exit::Killed);
    });
}

#[test]
fn an_evicted_message_that_panics_in_its_drop_does_not_hit_the_sender() {
    run(async {
        let (_tree, handle, diary) = worker(bulk(1, Overflow::DropOldest));
        let bomb = Bomb;
        let evicted = handle.try_ask(run_in(move |_, _| drop(bomb))).unwrap();
        let kept = handle.try_ask(Note(1)).unwrap();
        assert_eq!(evicted.await, Err(Failure::Evicted));
        assert_eq!(kept.await, Ok(1));
        assert_eq!(diary.notes(), [1]);
    });
}
