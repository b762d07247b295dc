//! Faults on demand strike the actor that was named, at its next messages, and nobody else.

use crate::worker::{
    Entry, LONG, Note, Urgent, ms, quick, restarting, run_in, with_threads, worker, worker_in,
};
use actix::prelude::*;
use vyrox_supervision::testing::run;
use vyrox_supervision::{Exit, Failure, Fault, Handle, Restart, Tree, install_panic_hook};

const fn crashed(message: &'static str, generation: u64) -> Failure {
    Failure::Crashed {
        message,
        generation,
    }
}

/// What `count` notes in a row are answered.
async fn answers(handle: &Handle<crate::worker::Worker>, count: u64) -> Vec<Result<u64, Failure>> {
    let mut answers = Vec::new();
    for note in 0..count {
        answers.push(handle.ask(Note(note), LONG).await);
    }
    answers
}

#[test]
fn a_panic_or_an_error_takes_the_place_of_so_many_handlers() {
    install_panic_hook();
    for (fault, text) in [
        (Fault::Panic, "injected panic"),
        (Fault::Error, "injected error"),
    ] {
        run(async {
            let (tree, handle, diary) = worker(quick());
            assert!(tree.inject("worker", fault, 2));
            let note = "it::worker::Note";
            assert_eq!(
                answers(&handle, 3).await,
                [Err(crashed(note, 1)), Err(crashed(note, 2)), Ok(3)]
            );
            assert_eq!(diary.notes(), [2], "the handler did not run");
            let crash = tree.find("worker").unwrap().last_crash.unwrap();
            assert_eq!((crash.message, crash.panic.as_str()), (note, text));
            let location = crash.location.unwrap();
            assert!(location.contains("src/faults/"), "{location}");
        });
    }
}

#[test]
fn a_panic_in_started_waits_for_a_message_and_then_takes_the_place_of_so_many_starts() {
    install_panic_hook();
    run(async {
        let (tree, handle, diary) = worker(quick());
        assert_eq!(handle.ask(Note(0), LONG).await, Ok(1));
        assert!(tree.inject("worker", Fault::PanicInStarted, 3));
        tokio::time::sleep(LONG).await;
        assert_eq!(handle.snapshot().generation, 1, "nothing happens by itself");
        let note = "it::worker::Note";
        assert_eq!(answers(&handle, 2).await, [Err(crashed(note, 1)), Ok(5)]);
        let crash = handle.snapshot().last_crash.unwrap();
        assert_eq!(
            (crash.message, crash.panic.as_str()),
            ("started", "injected panic")
        );
        let started = [1, 2, 3, 4, 5].map(|n| diary.count(Entry::Started(n)));
        assert_eq!(started, [1, 0, 0, 0, 1]);
    });
}

#[test]
fn an_actor_stops_itself_after_its_message() {
    run(async {
        let (tree, handle, diary) = worker(quick());
        tree.inject("worker", Fault::Stop, 1);
        assert_eq!(answers(&handle, 2).await, [Ok(1), Ok(2)]);
        assert_eq!(diary.count(Entry::Stopped(1)), 1);

        let (tree, transient, _) = worker(restarting(Restart::Transient));
        tree.inject("worker", Fault::Stop, 1);
        assert_eq!(answers(&transient, 1).await, [Ok(1)]);
        assert_eq!(transient.exited().await, Exit::Normal);
    });
}

#[test]
fn a_block_holds_its_thread_before_the_message_is_handled() {
    with_threads(async {
        let (tree, arbiter) = (Tree::new(1), Arbiter::new());
        let (handle, diary) = worker_in(&tree, "worker", quick(), &arbiter.handle());
        tree.inject("worker", Fault::BlockMs(30), 1);
        let began = tokio::time::Instant::now();
        assert_eq!(handle.ask(Note(7), LONG).await, Ok(1));
        assert!(began.elapsed() >= ms(30));
        assert_eq!(diary.notes(), [7]);
    });
}

#[test]
fn an_order_waits_for_its_actor_and_strikes_no_other() {
    run(async {
        let tree = Tree::new(1);
        assert!(!tree.inject("late", Fault::Panic, 1), "nobody there");
        let (other, _) = worker_in(&tree, "other", quick(), &Arbiter::current());
        assert_eq!(answers(&other, 1).await, [Ok(1)]);
        let (late, _) = worker_in(&tree, "late", quick(), &Arbiter::current());
        assert_eq!(answers(&late, 2).await.len(), 2);
        assert_eq!(
            (late.snapshot().restarts, other.snapshot().restarts),
            (1, 0)
        );
        late.stop(vyrox_supervision::Stop::Drain);
        late.exited().await;
        assert!(!tree.inject("late", Fault::Panic, 1), "ended");
        assert!(tree.inject("other", Fault::Panic, 1));
    });
}

#[test]
fn messages_of_any_class_count_and_timers_do_not() {
    run(async {
        let (tree, handle, diary) = worker(quick());
        let tick = run_in(|_, ctx| {
            ctx.after(ms(10), |worker, _| worker.note(1));
        });
        handle.ask(tick, LONG).await.unwrap();
        tree.inject("worker", Fault::Panic, 1);
        tokio::time::sleep(ms(20)).await;
        assert_eq!((diary.notes(), handle.snapshot().restarts), (vec![1], 0));
        let urgent = handle.ask(Urgent(2), LONG).await;
        assert_eq!(urgent, Err(crashed("it::worker::Urgent", 1)));
    });
}

#[test]
fn orders_of_one_actor_strike_in_turn() {
    run(async {
        let (tree, handle, _) = worker(quick());
        for (fault, times) in [(Fault::Stop, 1), (Fault::Panic, 1), (Fault::Error, 0)] {
            tree.inject("worker", fault, times);
        }
        let note = "it::worker::Note";
        assert_eq!(
            answers(&handle, 3).await,
            [Ok(1), Err(crashed(note, 2)), Ok(3)]
        );
    });
}
