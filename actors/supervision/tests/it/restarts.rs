//! When an actor comes back, when it does not, and what is remembered of it.

use crate::worker::{
    Boom, Entry, LONG, Note, Tagged, ms, quick, restarting, run_in, worker, worker_in,
};
use actix::prelude::*;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;
use vyrox_supervision::testing::run;
use vyrox_supervision::{
    Backoff, Exit, Failure, Policy, Reason, Restart, Spec, State, SupervisedContext, Tree,
};

#[test]
fn more_falls_than_the_intensity_end_the_actor() {
    run(async {
        let (tree, handle, _) = worker(Policy {
            intensity: 2,
            ..quick()
        });
        let booms: Vec<_> = (0..3).map(|_| handle.try_ask(Boom).unwrap()).collect();
        let left = handle.try_ask(Note(1)).unwrap();
        for (boom, generation) in booms.into_iter().zip(1..) {
            let message = "it::worker::Boom";
            assert_eq!(
                boom.await,
                Err(Failure::Crashed {
                    message,
                    generation
                })
            );
        }
        assert_eq!(left.await, Err(Failure::Closed));
        assert_eq!(
            handle.exited().await,
            Exit::GaveUp("boom (in it::worker::Boom)".to_owned())
        );
        assert_eq!(
            handle.try_cast(Note(1)).unwrap_err().reason,
            Reason::Suspended
        );
        let node = tree.find("worker").unwrap();
        assert_eq!(
            (node.state, node.generation, node.restarts),
            (State::Suspended, 3, 2)
        );
    });
}

#[test]
fn the_window_of_the_intensity_slides() {
    run(async {
        let policy = Policy {
            intensity: 2,
            period: ms(1_000),
            ..quick()
        };
        let (_tree, handle, _) = worker(policy);
        for generation in 1..20 {
            let fell = handle.ask(Boom, LONG).await;
            let message = "it::worker::Boom";
            assert_eq!(
                fell,
                Err(Failure::Crashed {
                    message,
                    generation
                })
            );
            tokio::time::sleep(ms(501)).await;
        }
        assert_eq!(handle.ask(Note(1), LONG).await, Ok(20));
    });
}

/// The pauses before ten generations.
fn pauses(seed: u64, id: &'static str) -> Vec<Duration> {
    run(async move {
        let backoff = Backoff {
            base: ms(100),
            max: ms(1_000),
            reset_after: LONG,
        };
        let policy = Policy { backoff, ..quick() };
        let tree = Tree::with_clock(seed, || 5_000);
        let (handle, _) = worker_in(&tree, id, policy, &Arbiter::current());
        let mut pauses = Vec::new();
        for _ in 0..10 {
            handle.ask(Boom, LONG).await.unwrap_err();
            let fell = Instant::now();
            let node = tree.find(id).unwrap();
            if node.state == State::BackingOff {
                assert!((5_000..=6_000).contains(&node.next_restart_at_ms.unwrap()));
            }
            handle.ask(Note(1), LONG).await.unwrap();
            let node = tree.find(id).unwrap();
            assert_eq!(
                (node.state, node.next_restart_at_ms),
                (State::Running, None)
            );
            pauses.push(fell.elapsed());
        }
        pauses
    })
}

#[test]
fn pauses_grow_are_jittered_and_repeat_with_the_seed() {
    let first = pauses(1, "a");
    assert_eq!(first, pauses(1, "a"));
    assert_ne!(first, pauses(2, "a"));
    assert_ne!(first, pauses(1, "b"), "siblings do not come back in step");
    let ceilings = [100, 200, 400, 800, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000];
    for (pause, ceiling) in first.iter().zip(ceilings) {
        assert!(*pause <= ms(ceiling + 2), "{pause:?} exceeds {ceiling} ms");
    }
    assert!(first.iter().any(|pause| *pause > ms(400)), "{first:?}");
}

#[test]
fn a_pause_is_shown_and_ends_at_once_when_the_actor_is_moved_or_stopped() {
    run(async {
        let hour = Duration::from_hours(1);
        let backoff = Backoff {
            base: hour,
            max: hour,
            reset_after: hour,
        };
        let (tree, handle, diary) = worker(Policy { backoff, ..quick() });
        handle.ask(Boom, LONG).await.unwrap_err();
        let began = Instant::now();
        let node = tree.find("worker").unwrap();
        assert_eq!(node.state, State::BackingOff);
        assert!(node.next_restart_at_ms.unwrap() > 1_000_000);
        handle.try_cast(Note(1)).unwrap();
        handle.stop(vyrox_supervision::Stop::Drain);
        assert_eq!(handle.exited().await, Exit::Normal);
        assert_eq!((diary.notes(), began.elapsed()), (vec![1], ms(0)));
    });
}

#[test]
fn the_kind_of_restart_decides_what_ends_an_actor() {
    run(async {
        let stop = || run_in(|_, ctx| ctx.stop());
        let (_tree, permanent, diary) = worker(restarting(Restart::Permanent));
        permanent.ask(stop(), LONG).await.unwrap();
        assert_eq!(permanent.ask(Note(1), LONG).await, Ok(2));
        assert_eq!(diary.count(Entry::Stopped(1)), 1);
        assert_eq!(permanent.snapshot().last_crash, None);

        let (_tree, transient, _) = worker(restarting(Restart::Transient));
        transient.ask(Boom, LONG).await.unwrap_err();
        assert_eq!(transient.ask(Note(1), LONG).await, Ok(2));
        transient.ask(stop(), LONG).await.unwrap();
        assert_eq!(transient.exited().await, Exit::Normal);

        let (_tree, temporary, _) = worker(restarting(Restart::Temporary));
        temporary.ask(Boom, LONG).await.unwrap_err();
        assert!(matches!(temporary.exited().await, Exit::GaveUp(_)));
    });
}

#[test]
fn a_message_that_keeps_crashing_its_actor_is_quarantined() {
    run(async {
        let (tree, handle, _) = worker(quick());
        for generation in 1..=2 {
            let message = "it::worker::Tagged";
            let fell = handle.ask(Tagged(13), LONG).await;
            assert_eq!(
                fell,
                Err(Failure::Crashed {
                    message,
                    generation
                })
            );
        }
        assert_eq!(
            handle.ask(Tagged(13), LONG).await,
            Err(Failure::Quarantined)
        );
        assert_eq!(handle.ask(Tagged(14), LONG).await, Ok(14));
        let letters = handle.dead_letters();
        assert_eq!(
            (letters.len(), letters[0].digest, letters[0].generation),
            (1, 13, 3)
        );
        assert!(letters[0].panic.contains("unlucky"), "{}", letters[0].panic);
        assert_eq!(tree.find("worker").unwrap().poisoned, 1);
        // A message without a digest stands for its whole type: it is never quarantined.
        for _ in 0..5 {
            let fell = handle.ask(Boom, LONG).await;
            assert!(matches!(fell, Err(Failure::Crashed { .. })), "{fell:?}");
        }
    });
}

#[test]
fn the_record_goes_on_when_an_actor_comes_back_under_its_id() {
    run(async {
        let policy = Policy {
            intensity: 2,
            ..quick()
        };
        let (tree, handle, _) = worker(policy);
        for _ in 0..2 {
            handle.ask(Tagged(13), LONG).await.unwrap_err();
        }
        for _ in 0..3 {
            handle.ask(Boom, LONG).await.unwrap_err();
        }
        handle.exited().await;
        tree.remove("worker");
        assert!(tree.find("worker").is_none());
        let (again, _) = worker_in(&tree, "worker", policy, &Arbiter::current());
        assert_eq!(again.ask(Tagged(13), LONG).await, Err(Failure::Quarantined));
        assert_eq!(again.ask(Note(1), LONG).await, Ok(6));
        let node = tree.find("worker").unwrap();
        assert_eq!(
            (node.state, node.restarts, node.generation),
            (State::Running, 4, 6)
        );
        assert_eq!(node.last_crash.unwrap().panic, "boom");
    });
}

/// The moments at which an actor's generations were made, until it was given up.
fn moments(booms: usize, crash_in_started: bool) -> Vec<Duration> {
    run(async move {
        let began = Instant::now();
        let backoff = Backoff {
            base: Duration::from_secs(1),
            max: Duration::from_secs(64),
            reset_after: Duration::from_hours(1),
        };
        let policy = Policy {
            intensity: 7,
            period: Duration::from_hours(1),
            backoff,
            ..Policy::default()
        };
        let (tree, made) = (Tree::new(7), Arc::<Mutex<Vec<Duration>>>::default());
        let log = Arc::clone(&made);
        let spec = Spec::new("fragile", "fragile").policy(policy);
        let handle = tree.supervise(spec, &Arbiter::current(), move |_| {
            log.lock().unwrap().push(began.elapsed());
            Fragile { crash_in_started }
        });
        for _ in 0..booms {
            handle.try_cast(Boom).unwrap();
        }
        assert!(matches!(handle.exited().await, Exit::GaveUp(_)));
        made.lock().unwrap().clone()
    })
}

struct Fragile {
    crash_in_started: bool,
}

impl Actor for Fragile {
    type Context = SupervisedContext<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        assert!(!self.crash_in_started, "on purpose");
    }
}

impl Handler<Boom> for Fragile {
    type Result = ();

    fn handle(&mut self, _: Boom, _: &mut Self::Context) {
        panic!("on purpose");
    }
}

#[test]
fn a_generation_that_falls_in_its_first_poll_has_its_pause_too() {
    for moments in [moments(0, true), moments(8, false)] {
        let pauses: Vec<_> = moments
            .windows(2)
            .map(|pair| pair[1].saturating_sub(pair[0]))
            .collect();
        assert_eq!(pauses.len(), 7);
        assert!(
            pauses.iter().all(|pause| !pause.is_zero()),
            "no restart without a pause: {pauses:?}"
        );
        let (early, late): (Duration, Duration) =
            (pauses[..3].iter().sum(), pauses[4..].iter().sum());
        assert!(late > early, "they grow: {pauses:?}");
    }
}
