//! A bound is a bound, and whoever is refused is told why.

use crate::worker::{
    Boom, Gate, LONG, Later, Note, Urgent, bulk, ms, quick, run_in, with_threads, worker, worker_in,
};
use actix::prelude::*;
use std::thread;
use vyrox_supervision::testing::{run, settle};
use vyrox_supervision::{Exit, Failure, Overflow, Policy, Reason, Stop, Tree};

#[test]
fn a_bound_holds_however_many_handles_send_from_however_many_threads() {
    with_threads(async {
        let (tree, arbiter) = (Tree::new(1), Arbiter::new());
        let policy = bulk(500, Overflow::Reject);
        let (handle, diary) = worker_in(&tree, "worker", policy, &arbiter.handle());
        let (gate, block) = Gate::new();
        handle.try_cast(block).unwrap();
        gate.wait_until_blocked();
        let clones: Vec<_> = (0..10_000).map(|_| handle.clone()).collect();
        let admitted: usize = thread::scope(|scope| {
            let send = |part: &[_]| {
                let refused = |handle: &vyrox_supervision::Handle<_>| {
                    let sent = handle.try_cast(Note(1));
                    sent.map_err(|rejected| assert_eq!(rejected.reason, Reason::Full))
                        .is_ok()
                };
                part.iter().filter(|handle| refused(handle)).count()
            };
            let threads: Vec<_> = clones
                .chunks(2_500)
                .map(|part| scope.spawn(move || send(part)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        let mailbox = tree.find("worker").unwrap().mailbox;
        assert_eq!(
            (admitted, mailbox.depth, mailbox.rejected),
            (500, 500, 9_500)
        );
        assert_eq!(mailbox.capacity, 64 + 1024 + 500);
        drop(gate);
        handle.ask(Urgent(0), LONG).await.unwrap();
        drop(clones);
        handle.stop(Stop::Drain);
        assert_eq!(handle.exited().await, Exit::Normal);
        assert_eq!(diary.notes().len(), 501);
    });
}

#[test]
fn a_waiting_lane_lets_everybody_through_in_time() {
    run(async {
        let (tree, handle, diary) = worker(bulk(2, Overflow::Wait(ms(1_000))));
        let senders: Vec<_> = (0..200)
            .map(|i| {
                let handle = handle.clone();
                actix::spawn(async move { handle.cast(Note(i)).await.is_ok() })
            })
            .collect();
        for sender in senders {
            assert!(sender.await.unwrap());
        }
        settle().await;
        let mut notes = diary.notes();
        notes.sort_unstable();
        assert_eq!(notes, (0..200).collect::<Vec<_>>());
        assert_eq!(tree.find("worker").unwrap().mailbox.rejected, 0);
    });
}

#[test]
fn waiting_for_room_ends_with_the_lanes_patience() {
    run(async {
        let (_tree, handle, _) = worker(bulk(1, Overflow::Wait(ms(1_000))));
        hold_back(&handle).await;
        handle.cast(Note(1)).await.unwrap();
        assert_eq!(handle.try_cast(Note(2)).unwrap_err().reason, Reason::Full);
        let began = tokio::time::Instant::now();
        let refused = handle.cast(Note(3)).await.unwrap_err();
        assert_eq!((refused.reason, refused.message.0), (Reason::Full, 3));
        assert!((ms(1_000)..ms(1_100)).contains(&began.elapsed()));
        let refused = handle.ask(Note(4), LONG).await;
        assert_eq!(refused, Err(Failure::Rejected(Reason::Full)));
        assert_eq!(handle.ask(Note(5), ms(10)).await, Err(Failure::Deadline));
        assert_eq!(
            handle.snapshot().mailbox.rejected,
            3,
            "a refusal counts once"
        );
    });
}

/// Lets the worker take no message for a long time.
async fn hold_back(handle: &vyrox_supervision::Handle<crate::worker::Worker>) {
    let wait = run_in(|worker, ctx| ctx.wait(actix::clock::sleep(LONG).into_actor(worker)));
    handle.ask(wait, LONG).await.unwrap();
}

#[test]
fn the_oldest_gives_way_and_its_asker_is_told() {
    run(async {
        let (_tree, handle, _) = worker(bulk(3, Overflow::DropOldest));
        let asks: Vec<_> = (0..5).map(|i| handle.try_ask(Note(i)).unwrap()).collect();
        let mut answers = Vec::new();
        for ask in asks {
            answers.push(ask.await);
        }
        let evicted = Err(Failure::Evicted);
        assert_eq!(answers, [evicted.clone(), evicted, Ok(1), Ok(1), Ok(1)]);
    });
}

#[test]
fn an_ask_given_up_before_its_turn_is_not_handled() {
    run(async {
        let (_tree, handle, diary) = worker(quick());
        hold_back(&handle).await;
        assert_eq!(handle.ask(Note(1), ms(10)).await, Err(Failure::Deadline));
        drop(handle.try_ask(Note(2)).unwrap());
        handle.try_cast(Note(3)).unwrap();
        tokio::time::sleep(LONG).await;
        assert_eq!(diary.notes(), [3]);
    });
}

#[test]
fn every_refusal_names_its_reason() {
    run(async {
        let (_tree, given_up, _) = worker(Policy {
            intensity: 0,
            ..quick()
        });
        given_up.try_cast(Boom).unwrap();
        assert!(matches!(given_up.exited().await, Exit::GaveUp(_)));
        assert_eq!(
            given_up.try_cast(Note(1)).unwrap_err().reason,
            Reason::Suspended
        );
        let (_tree, draining, _) = worker(quick());
        let pending = draining.try_ask(Later(ms(100), 1)).unwrap();
        settle().await;
        draining.stop(Stop::Drain);
        assert_eq!(
            draining.try_cast(Note(1)).unwrap_err().reason,
            Reason::Closed
        );
        assert_eq!(pending.await, Ok(1));
        draining.exited().await;
        let refused = draining.ask(Note(2), LONG).await;
        assert_eq!(refused, Err(Failure::Rejected(Reason::Closed)));
    });
}

#[test]
fn a_sender_waiting_for_room_hears_of_the_end() {
    run(async {
        let (_tree, handle, _) = worker(bulk(1, Overflow::Wait(LONG)));
        hold_back(&handle).await;
        handle.try_cast(Note(1)).unwrap();
        let waiting = handle.clone();
        let waiting = actix::spawn(async move { waiting.cast(Note(2)).await });
        settle().await;
        let began = tokio::time::Instant::now();
        handle.stop(Stop::Now);
        assert_eq!(waiting.await.unwrap().unwrap_err().reason, Reason::Closed);
        assert_eq!(began.elapsed(), ms(0));
    });
}
