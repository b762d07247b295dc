//! Nothing that a dead generation left behind has an effect.

use crate::worker::{Boom, Diary, Entry, LONG, Note, ms, quick, run_in, with_threads, worker};
use actix::prelude::*;
use std::sync::{Arc, Mutex};
use vyrox_supervision::testing::{run, settle};
use vyrox_supervision::{Fence, Handle, TimerKey};

use crate::worker::Worker;

async fn set_timers(handle: &Handle<Worker>) {
    let set = run_in(|_, ctx| {
        ctx.after(ms(1_000), |worker, _| worker.note(1));
        ctx.every(ms(300), |worker, _| worker.note(2));
        ctx.run_later(ms(1_000), |worker, _| worker.note(3));
        ctx.run_interval(ms(300), |worker, _| worker.note(4));
    });
    handle.ask(set, LONG).await.unwrap();
}

#[test]
fn a_late_timer_of_a_dead_generation_does_nothing() {
    run(async {
        let (_tree, handle, diary) = worker(quick());
        set_timers(&handle).await;
        handle.ask(Boom, LONG).await.unwrap_err();
        tokio::time::sleep(LONG).await;
        assert_eq!(diary.notes(), [0; 0]);
        set_timers(&handle).await;
        tokio::time::sleep(ms(1_001)).await;
        let mut notes = diary.notes();
        notes.sort_unstable();
        assert_eq!(notes, [1, 2, 2, 2, 3, 4, 4, 4]);
    });
}

#[test]
fn ticks_that_were_missed_are_not_made_up_for() {
    run(async {
        let (_tree, handle, diary) = worker(quick());
        let set = run_in(|worker, ctx| {
            ctx.every(ms(100), |worker, _| worker.note(1));
            ctx.wait(actix::clock::sleep(ms(1_050)).into_actor(worker));
        });
        handle.ask(set, LONG).await.unwrap();
        tokio::time::sleep(ms(1_060)).await;
        assert_eq!(diary.notes(), [1]);
        tokio::time::sleep(ms(200)).await;
        assert_eq!(diary.notes(), [1, 1, 1]);
    });
}

#[test]
fn a_key_of_a_dead_generation_cancels_nothing() {
    run(async {
        let (_tree, handle, diary) = worker(quick());
        let kept: Arc<Mutex<Option<TimerKey>>> = Arc::default();
        let keep = Arc::clone(&kept);
        let set = run_in(move |_, ctx| {
            *keep.lock().unwrap() = Some(ctx.after(ms(10), |worker, _| worker.note(1)));
        });
        handle.ask(set, LONG).await.unwrap();
        handle.ask(Boom, LONG).await.unwrap_err();
        let old = kept.lock().unwrap().unwrap();
        let set = run_in(move |_, ctx| {
            let new = ctx.after(ms(10), |worker, _| worker.note(2));
            assert_ne!(new, old);
            assert!(
                !ctx.cancel(old),
                "the same actix handle, another generation"
            );
            let cancelled = ctx.after(ms(10), |worker, _| worker.note(3));
            assert!(ctx.cancel(cancelled));
        });
        handle.ask(set, LONG).await.unwrap();
        tokio::time::sleep(ms(50)).await;
        assert_eq!(diary.notes(), [2]);
    });
}

#[test]
fn a_fence_tells_the_current_generation_from_the_dead_one() {
    run(async {
        let (_tree, handle, _) = worker(quick());
        let first = fence_of(&handle).await;
        assert!(first.is_current());
        handle.ask(Boom, LONG).await.unwrap_err();
        let second = fence_of(&handle).await;
        assert!(!first.is_current() && second.is_current());
        assert_eq!((first.generation(), second.generation()), (1, 2));
    });
}

async fn fence_of(handle: &Handle<Worker>) -> Fence {
    let (tx, rx) = tokio::sync::oneshot::channel();
    let send = run_in(move |_, ctx| tx.send(ctx.fence()).unwrap());
    handle.ask(send, LONG).await.unwrap();
    rx.await.unwrap()
}

#[test]
fn a_planned_move_keeps_queue_and_handle_and_is_no_fault() {
    with_threads(async {
        let (tree, handle, diary) = worker(quick());
        set_timers(&handle).await;
        let elsewhere = Arbiter::new();
        let asks: Vec<_> = (10..60).map(|i| handle.try_ask(Note(i)).unwrap()).collect();
        handle.move_to(&elsewhere.handle());
        for ask in asks {
            assert_eq!(ask.await, Ok(2));
        }
        assert_eq!(diary.notes(), (10..60).collect::<Vec<_>>());
        let node = tree.find("worker").unwrap();
        assert_eq!(
            (node.generation, node.restarts, node.last_crash),
            (2, 0, None)
        );
        // Nothing but the move itself wakes the arbiter that the old self lived on.
        until(&diary, Entry::Dropped(1)).await;
    });
}

async fn until(diary: &Diary, entry: Entry) {
    tokio::time::timeout(LONG, async {
        while diary.count(entry) == 0 {
            settle().await;
        }
    })
    .await
    .expect("never happened");
}
