//! Wherever an actor panics, the process lives, its neighbours notice nothing, and its askers are told.

mod victim;

use crate::containment::victim::{
    Fragile, Hang, Ping, Place, Respond, RespondAlone, Trap, Trip, Victim, panics,
};
use crate::worker::{Diary, LONG, Later, Note, Worker, quick, worker_in};
use actix::prelude::*;
use vyrox_supervision::testing::run;
use vyrox_supervision::{Failure, Handle, Policy, Spec, Tree, install_panic_hook};

/// Rounds at each place: more than 10,000 panics over all.
const ROUNDS: u64 = 800;

/// Neighbours on the same arbiter that are asked all the while.
struct Neighbours {
    all: Vec<(Handle<Worker>, Diary)>,
    asked: u64,
}

impl Neighbours {
    fn of(tree: &Tree) -> Self {
        let one = |n| {
            worker_in(
                tree,
                &format!("neighbour/{n}"),
                quick(),
                &Arbiter::current(),
            )
        };
        Self {
            all: (0..3).map(one).collect(),
            asked: 0,
        }
    }

    /// Their answers to one question, which they are asked while `provocation` takes its course.
    async fn answer_during(&mut self, provocation: impl Future<Output = ()>) {
        let asked = self.asked;
        let asks: Vec<_> = self
            .all
            .iter()
            .map(|(handle, _)| handle.try_ask(Note(asked)).unwrap())
            .collect();
        provocation.await;
        for ask in asks {
            assert_eq!(ask.await, Ok(1));
        }
        self.asked += 1;
    }

    fn have_lost_nothing(&self) {
        let expected: Vec<_> = (0..self.asked).collect();
        for (handle, diary) in &self.all {
            assert_eq!(
                (diary.notes(), handle.snapshot().restarts),
                (expected.clone(), 0)
            );
        }
    }
}

fn many_falls() -> Policy {
    Policy {
        intensity: 65_536,
        ..quick()
    }
}

fn victim(tree: &Tree, id: &str, trap: &Trap) -> Handle<Victim> {
    let (spec, trap) = (Spec::new(id, "victim").policy(many_falls()), trap.clone());
    tree.supervise(spec, &Arbiter::current(), move |generation| {
        trap.spring(Place::Factory);
        Victim {
            generation,
            trap: trap.clone(),
        }
    })
}

/// What those are told whose answer the generation owed when it panicked at `place`.
fn told(place: Place, generation: u64) -> Result<(), Failure> {
    let message = match place {
        Place::Handler | Place::RestartedStarted | Place::Factory => {
            "it::containment::victim::Trip"
        }
        Place::MessageDrop => "it::containment::victim::Fragile",
        _ => "a timer or future",
    };
    Err(Failure::Crashed {
        message,
        generation,
    })
}

/// Makes the victim panic at `place`. Whoever waited for an answer learns of the crash; what waited in
/// the queue is answered by a later generation.
async fn provoke(victim: &Handle<Victim>, place: Place) {
    let generation = victim.snapshot().generation;
    let pending = victim.try_ask(Hang).unwrap();
    let provoked = match place {
        Place::Response => victim.try_ask(Respond).unwrap().await,
        Place::AtomicResponse => victim.try_ask(RespondAlone).unwrap().await,
        Place::MessageDrop => victim.try_ask(Fragile).unwrap().await,
        _ => victim.try_ask(Trip(place)).unwrap().await,
    };
    let queued = victim.try_ask(Ping).unwrap();
    match place {
        Place::Handler
        | Place::RestartedStarted
        | Place::Factory
        | Place::Response
        | Place::AtomicResponse
        | Place::MessageDrop => assert_eq!(provoked, told(place, generation), "{place:?}"),
        _ => assert_eq!(provoked, Ok(()), "{place:?}"),
    }
    assert_eq!(pending.await, told(place, generation), "{place:?}");
    let answered_by = queued.await.unwrap();
    let last = generation + place.falls();
    assert!((generation..=last).contains(&answered_by), "{place:?}");
    assert_eq!(victim.ask(Ping, LONG).await, Ok(last), "{place:?}");
}

#[test]
fn ten_thousand_panics_at_every_place_cost_nobody_else_anything() {
    install_panic_hook();
    run(async {
        let (tree, trap) = (Tree::new(1), Trap::default());
        let victim = victim(&tree, "victim", &trap);
        let mut neighbours = Neighbours::of(&tree);
        // Pending answers of neighbours outlive every crash beside them.
        let patient: Vec<_> = neighbours
            .all
            .iter()
            .map(|(handle, _)| handle.try_ask(Later(LONG * 60, u64::MAX)).unwrap())
            .collect();
        let mut falls = 0;
        for place in Place::OF_A_LIVING_ACTOR {
            let before = panics(place);
            for _ in 0..ROUNDS {
                neighbours.answer_during(provoke(&victim, place)).await;
                falls += place.falls();
            }
            assert_eq!(panics(place) - before, ROUNDS, "{place:?}");
        }
        let node = victim.snapshot();
        assert_eq!((node.restarts, node.generation), (falls, falls + 1));
        assert!(falls >= 10_000, "{falls} panics");
        neighbours.have_lost_nothing();
        for answer in patient {
            assert_eq!(answer.await, Ok(u64::MAX));
        }
        println!(
            "{falls} panics at {} places",
            Place::OF_A_LIVING_ACTOR.len()
        );
    });
}

#[test]
fn an_actors_very_first_start_may_panic() {
    install_panic_hook();
    run(async {
        let (tree, trap) = (Tree::new(1), Trap::default());
        let mut neighbours = Neighbours::of(&tree);
        for round in 0..ROUNDS {
            trap.set(Place::FirstStarted);
            let fresh = victim(&tree, &format!("fresh/{}", round % 10), &trap);
            let generation = fresh.snapshot().generation;
            let asked = async {
                assert_eq!(fresh.ask(Ping, LONG).await, Ok(generation + 1));
            };
            neighbours.answer_during(asked).await;
            assert_eq!(fresh.snapshot().last_crash.unwrap().message, "started");
        }
        assert_eq!(panics(Place::FirstStarted), ROUNDS);
        neighbours.have_lost_nothing();
    });
}
