//! A stuck thread is lost, its actors are not.

use crate::keeper::{Told, brisk, watched};
use crate::worker::{
    Boom, Gate, LONG, Later, Note, Worker, ms, quick, run_in, with_threads, worker_in,
};
use actix::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use tokio::time::timeout;
use vyrox_supervision::{
    Backoff, Exit, Failure, Fence, Handle, Plan, Policy, Reason, StallKind, State, Stop, Tree,
};

const NAME: &str = "it::worker::Do";

#[test]
fn a_stuck_actor_and_its_neighbours_move_and_the_queue_moves_with_them() {
    with_threads(async {
        let (tree, stuck, spare) = (Tree::new(1), Arbiter::new(), Arbiter::new());
        let watched = watched(&tree, brisk(), &[&spare]);
        let (handle, diary) = worker_in(&tree, "stuck", quick(), &stuck.handle());
        let (neighbour, _) = worker_in(&tree, "neighbour", quick(), &stuck.handle());
        assert_eq!(handle.ask(Note(0), LONG).await, Ok(1));
        assert_eq!(neighbour.ask(Note(0), LONG).await, Ok(1));
        let (gate, block) = Gate::new();
        let blocked = handle.try_ask(block).unwrap();
        gate.wait_until_blocked();
        let queued: Vec<_> = (1..1_000)
            .map(|i| handle.try_ask(Note(i)).unwrap())
            .collect();
        let (message, generation) = ("it::worker::Block", 1);
        assert_eq!(
            blocked.await,
            Err(Failure::Stalled {
                message,
                generation
            })
        );
        for ask in queued {
            assert_eq!(ask.await, Ok(2));
        }
        assert_eq!(neighbour.ask(Note(1), LONG).await, Ok(2));
        assert_eq!(diary.notes(), (0..1_000).collect::<Vec<_>>());
        let stall = watched.noticed("stuck");
        assert_eq!((stall.kind, stall.generation), (StallKind::Busy, 1));
        assert_eq!(stall.message, Some("it::worker::Block"));
        assert!(stall.busy_for >= brisk().notice_after);
        let asked = watched.hear(|told| match told {
            Told::Asked(stall) => Some(stall),
            Told::Noticed(_) | Told::Recovered(..) => None,
        });
        assert_eq!(asked.id.as_deref(), Some("stuck"));
        assert!(asked.busy_for >= brisk().replace_after);
        let (node, beside) = (tree.find("stuck").unwrap(), tree.find("neighbour").unwrap());
        assert_eq!((node.state, node.restarts), (State::Running, 1));
        assert_eq!(node.last_crash.unwrap().panic, "stalled");
        assert_eq!(
            (beside.restarts, beside.last_crash),
            (0, None),
            "it was not at fault"
        );
        drop(gate);
    });
}

/// Everything that an old self can still try when it wakes up.
#[derive(Default)]
struct Attempts {
    fence: Mutex<Option<Fence>>,
    sent: Mutex<Option<Reason>>,
}

/// Blocks until the gate falls, then tries to have effects.
fn block_then_act(
    wait: Receiver<()>,
    to: Handle<Worker>,
    attempts: Arc<Attempts>,
) -> crate::worker::Do {
    run_in(move |worker, ctx| {
        ctx.after(ms(1), |worker, _| worker.note(91));
        ctx.spawn(
            async {}
                .into_actor(worker)
                .map(|(), worker, _| worker.note(92)),
        );
        *attempts.fence.lock().unwrap() = Some(ctx.fence());
        assert!(wait.recv().is_err());
        *attempts.sent.lock().unwrap() = to.try_cast(Note(93)).err().map(|r| r.reason);
        ctx.spawn(
            async {}
                .into_actor(worker)
                .map(|(), worker, _| worker.note(94)),
        );
    })
}

/// On a busy machine anybody may be moved, so nothing is said of how often they were.
#[test]
fn an_old_self_that_wakes_up_has_no_effects() {
    with_threads(async {
        let tree = Tree::new(1);
        let [stuck, spare, apart] = [Arbiter::new(), Arbiter::new(), Arbiter::new()];
        let _watched = watched(&tree, brisk(), &[&spare]);
        let (sink, sink_diary) = worker_in(&tree, "sink", quick(), &apart.handle());
        let (handle, diary) = worker_in(&tree, "stuck", quick(), &stuck.handle());
        let (gate, wait) = channel::<()>();
        let attempts = Arc::<Attempts>::default();
        let act = block_then_act(wait, sink.clone(), Arc::clone(&attempts));
        let Err(Failure::Stalled {
            message: NAME,
            generation,
        }) = handle.ask(act, LONG).await
        else {
            panic!("it was not replaced");
        };
        let next = asked_until_served(&handle).await;
        assert!(next > generation);
        let fence = attempts.fence.lock().unwrap().clone().unwrap();
        assert_eq!(
            (fence.generation(), fence.is_current()),
            (generation, false)
        );
        drop(gate);
        stuck.stop();
        stuck.join().unwrap();
        assert_eq!(*attempts.sent.lock().unwrap(), Some(Reason::Fenced));
        assert_eq!(diary.notes(), [1]);
        assert_eq!(sink_diary.notes(), [0; 0]);
        asked_until_served(&sink).await;
        assert_eq!(sink_diary.notes(), [1]);
    });
}

/// Has the actor write down 1, and gives the generation that did. Asked again if it is moved meanwhile.
async fn asked_until_served(handle: &Handle<Worker>) -> u64 {
    loop {
        match handle.ask(Note(1), LONG).await {
            Ok(generation) => return generation,
            Err(Failure::Stalled { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_stuck_actor_is_shown_as_stalled_until_a_spare_is_found() {
    with_threads(async {
        let (tree, stuck) = (Tree::new(1), Arbiter::new());
        let plan = Plan {
            replace_after: brisk().notice_after,
            ..brisk()
        };
        let watched = watched(&tree, plan, &[]);
        let (handle, _) = worker_in(&tree, "stuck", quick(), &stuck.handle());
        let (gate, block) = Gate::new();
        let blocked = handle.try_ask(block).unwrap();
        watched.noticed("stuck");
        assert_eq!(tree.find("stuck").unwrap().state, State::Stalled);
        drop(gate);
        assert_eq!(blocked.await, Ok(1), "nobody replaced it");
    });
}

/// Each thread asks in turn while the actor is moved to and fro under them.
#[test]
fn every_ask_is_answered_exactly_once_while_the_actor_is_moved_around() {
    with_threads(async {
        let arbiters = [Arbiter::new(), Arbiter::new()];
        let tree = Tree::new(1);
        let policy = Policy {
            intensity: 0,
            ..quick()
        };
        let (handle, _) = worker_in(&tree, "moved", policy, &arbiters[0].handle());
        let done = Arc::new(AtomicBool::new(false));
        let threads: Vec<_> = (0..3u64)
            .map(|thread| {
                let (handle, done) = (handle.clone(), Arc::clone(&done));
                thread::spawn(move || {
                    System::new().block_on(ask_until(&done, handle, thread << 32))
                })
            })
            .collect();
        for (moves, arbiter) in (1..=200).zip(arbiters.iter().cycle()) {
            handle.move_to(&arbiter.handle());
            assert_eq!(
                handle.ask(Note(0), LONG).await,
                Ok(moves + 1),
                "alive after each move"
            );
        }
        done.store(true, Ordering::Relaxed);
        for thread in threads {
            assert!(thread.join().unwrap() > 0);
        }
        assert_eq!(handle.snapshot().generation, 201);
    });
}

/// Asks until `done`, and at least until an answer has come; counts the answers.
async fn ask_until(done: &AtomicBool, handle: Handle<Worker>, base: u64) -> u64 {
    let mut answered = 0;
    for number in base.. {
        if done.load(Ordering::Relaxed) && answered > 0 {
            break;
        }
        match handle.ask(Later(ms(0), number), LONG).await {
            Ok(answer) => {
                assert_eq!(answer, number);
                answered += 1;
            }
            Err(Failure::Stalled { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    answered
}

#[test]
fn an_actor_that_backs_off_on_a_stuck_thread_moves_along() {
    with_threads(async {
        let (tree, stuck, spare) = (Tree::new(1), Arbiter::new(), Arbiter::new());
        let _watched = watched(&tree, brisk(), &[&spare]);
        let day = Duration::from_hours(24);
        let backoff = Backoff {
            base: day,
            max: day,
            reset_after: day,
        };
        let patient = Policy { backoff, ..quick() };
        let (resting, diary) = worker_in(&tree, "resting", patient, &stuck.handle());
        let (handle, _) = worker_in(&tree, "stuck", quick(), &stuck.handle());
        resting.ask(Boom, LONG).await.unwrap_err();
        assert_eq!(tree.find("resting").unwrap().state, State::BackingOff);
        resting.try_cast(Note(5)).unwrap();
        let (gate, block) = Gate::new();
        handle.ask(block, LONG).await.unwrap_err();
        assert_eq!(handle.ask(Note(0), LONG).await, Ok(2));
        // Only on another thread than the stuck one can it still be drained.
        resting.stop(Stop::Drain);
        let exit = timeout(LONG, resting.exited()).await;
        assert_eq!(exit.unwrap(), Exit::Normal);
        assert_eq!(diary.notes(), [5]);
        drop(gate);
    });
}
