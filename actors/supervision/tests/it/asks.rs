//! What an asker may rely on while the way to the answer is made short.

use crate::worker::{LONG, Note, ms, quick, run_in, worker};
use actix::prelude::*;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use tokio::time::Instant;
use vyrox_supervision::Failure;
use vyrox_supervision::testing::{run, settle};

/// Counts how often it was woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn an_asker_gives_way_once_and_then_leaves_a_waker() {
    run(async {
        let (_tree, handle, _) = worker(quick());
        let bell = Arc::new(Bell::default());
        let (waker, rings) = (Waker::from(Arc::clone(&bell)), || {
            bell.0.load(Ordering::Relaxed)
        });
        let mut cx = Context::from_waker(&waker);

        let mut early = pin!(handle.try_ask(Note(1)).unwrap());
        assert!(early.as_mut().poll(&mut cx).is_pending());
        assert_eq!(rings(), 1, "it wants to be polled again");
        settle().await;
        assert_eq!(rings(), 1, "the answer woke nobody");
        assert_eq!(early.poll(&mut cx), Poll::Ready(Ok(1)));

        let mut late = pin!(handle.try_ask(Note(2)).unwrap());
        assert!(late.as_mut().poll(&mut cx).is_pending());
        assert!(late.as_mut().poll(&mut cx).is_pending());
        settle().await;
        assert_eq!(rings(), 3, "once by itself, once by the answer");
        assert_eq!(late.poll(&mut cx), Poll::Ready(Ok(1)));

        let mut found = pin!(handle.try_ask(Note(3)).unwrap());
        settle().await;
        assert_eq!(found.as_mut().poll(&mut cx), Poll::Ready(Ok(1)));
        assert_eq!(rings(), 3, "an answer that is there is taken at once");
    });
}

#[test]
fn a_deadline_counts_from_the_question() {
    run(async {
        let (_tree, handle, _) = worker(quick());
        assert_eq!(handle.ask(Note(1), Duration::MAX).await, Ok(1));
        let wait = run_in(|worker, ctx| ctx.wait(actix::clock::sleep(LONG).into_actor(worker)));
        handle.ask(wait, LONG).await.unwrap();
        for deadline in [Duration::ZERO, ms(10), ms(500)] {
            let began = Instant::now();
            let answer = handle.ask(Note(2), deadline).await;
            assert_eq!(answer, Err(Failure::Deadline));
            // A timer is a millisecond late at most.
            assert!((deadline..=deadline + ms(2)).contains(&began.elapsed()));
        }
    });
}

#[test]
fn the_first_message_is_among_those_whose_wait_is_measured() {
    run(async {
        let (tree, handle, _) = worker(quick());
        assert_eq!(tree.find("worker").unwrap().queue_wait_us_p99, 0);
        handle.ask(Note(1), LONG).await.unwrap();
        assert!(tree.find("worker").unwrap().queue_wait_us_p99 > 0);
    });
}
