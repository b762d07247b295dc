//! A handle stays what it is over any number of restarts and moves.

use crate::worker::{Boom, Gate, LONG, Note, Worker, quick, with_threads, worker_in};
use actix::prelude::*;
use vyrox_supervision::{Ask, Failure, Handle, Policy, Tree, install_panic_hook};

const RESTARTS: u64 = 1_000;
/// Messages queued before the one that is lost, and after it.
const AROUND: u64 = 5;

/// Sends notes, numbered without a gap.
#[derive(Default)]
struct Sender {
    sent: u64,
}

impl Sender {
    fn send(&mut self, to: &Handle<Worker>) -> Vec<Ask<Worker, Note>> {
        let numbers = self.sent..self.sent + AROUND;
        self.sent = numbers.end;
        numbers.map(|n| to.try_ask(Note(n)).unwrap()).collect()
    }
}

/// What was queued behind a message with which the generation fell.
type Behind = Vec<Ask<Worker, Note>>;

async fn crash(worker: &Handle<Worker>, generation: u64, sender: &mut Sender) -> Behind {
    let boom = worker.try_ask(Boom).unwrap();
    let behind = sender.send(worker);
    let message = "it::worker::Boom";
    let told = Failure::Crashed {
        message,
        generation,
    };
    assert_eq!(boom.await, Err(told));
    behind
}

/// The old thread is blocked until the worker lives on the new one.
async fn move_to(
    home: &Arbiter,
    worker: &Handle<Worker>,
    generation: u64,
    sender: &mut Sender,
) -> Behind {
    let (gate, block) = Gate::new();
    let blocked = worker.try_ask(block).unwrap();
    gate.wait_until_blocked();
    let behind = sender.send(worker);
    worker.move_to(&home.handle());
    let message = "it::worker::Block";
    let told = Failure::Stalled {
        message,
        generation,
    };
    assert_eq!(blocked.await, Err(told));
    behind
}

#[test]
fn a_thousand_crashes_and_moves_cost_the_message_in_flight_each_and_no_other() {
    install_panic_hook();
    with_threads(async {
        let (tree, homes) = (Tree::new(1), [Arbiter::new(), Arbiter::new()]);
        let policy = Policy {
            intensity: 65_536,
            ..quick()
        };
        let (handle, diary) = worker_in(&tree, "worker", policy, &homes[0].handle());
        let mut sender = Sender::default();
        for generation in 1..=RESTARTS {
            let before = sender.send(&handle);
            let behind = match generation % 4 {
                0 => move_to(&homes[0], &handle, generation, &mut sender).await,
                2 => move_to(&homes[1], &handle, generation, &mut sender).await,
                _ => crash(&handle, generation, &mut sender).await,
            };
            for ask in before {
                assert_eq!(ask.await, Ok(generation));
            }
            for ask in behind {
                assert_eq!(ask.await, Ok(generation + 1));
            }
        }
        assert_eq!(handle.ask(Note(sender.sent), LONG).await, Ok(RESTARTS + 1));
        let all: Vec<_> = (0..=RESTARTS * AROUND * 2).collect();
        assert_eq!(diary.notes(), all, "each once, and in order");
        let node = handle.snapshot();
        let crashes = RESTARTS / 2;
        assert_eq!((node.generation, node.restarts), (RESTARTS + 1, crashes));
    });
}
