//! A handle stays what it is over any number of restarts and moves.

use crate::worker::{Boom, Gate, LONG, Note, quick, with_threads, worker_in};
use actix::prelude::*;
use vyrox_supervision::{Failure, Policy, Tree, install_panic_hook};

const RESTARTS: u64 = 1_000;
/// Messages queued before and after the one that is lost.
const AROUND: usize = 5;

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
        let mut next = 0..;
        for generation in 1..=RESTARTS {
            let mut notes = |handle: &vyrox_supervision::Handle<_>| -> Vec<_> {
                let some = next.by_ref().take(AROUND);
                some.map(|n| handle.try_ask(Note(n)).unwrap()).collect()
            };
            let before = notes(&handle);
            let after = if generation % 2 == 0 {
                let crash = handle.try_ask(Boom).unwrap();
                let after = notes(&handle);
                let message = "it::worker::Boom";
                assert_eq!(
                    crash.await,
                    Err(Failure::Crashed {
                        message,
                        generation
                    })
                );
                after
            } else {
                let (gate, block) = Gate::new();
                let blocked = handle.try_ask(block).unwrap();
                gate.wait_until_blocked();
                let after = notes(&handle);
                let home = usize::from(generation % 4 == 1);
                handle.move_to(&homes[home].handle());
                let message = "it::worker::Block";
                assert_eq!(
                    blocked.await,
                    Err(Failure::Stalled {
                        message,
                        generation
                    })
                );
                after // the gate falls here, and the old thread is free again
            };
            for ask in before {
                assert_eq!(ask.await, Ok(generation));
            }
            for ask in after {
                assert_eq!(ask.await, Ok(generation + 1));
            }
        }
        assert_eq!(handle.ask(Note(u64::MAX), LONG).await, Ok(RESTARTS + 1));
        assert_eq!(next.start, RESTARTS * AROUND as u64 * 2);
        let mut expected: Vec<_> = (0..next.start).collect();
        expected.push(u64::MAX);
        assert_eq!(diary.notes(), expected, "each once, and in order");
        let node = handle.snapshot();
        assert_eq!(
            (node.generation, node.restarts),
            (RESTARTS + 1, RESTARTS / 2)
        );
    });
}
