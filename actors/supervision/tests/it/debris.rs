//! What replaced actors leave behind is no burden for the watchdog.

use crate::keeper::{brisk, watched};
use crate::worker::{Gate, LONG, Note, quick, run_in, with_threads, worker_in};
use actix::prelude::*;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use vyrox_supervision::{Exit, Failure, Group, Policy, Strategy, Tree};

/// Blocks whoever drops it, until the test lets go.
struct Clinging {
    entered: Sender<String>,
    wait: Receiver<()>,
}

impl Drop for Clinging {
    fn drop(&mut self) {
        let thread = std::thread::current().name().unwrap_or("").to_owned();
        self.entered.send(thread).ok();
        self.wait.recv().ok();
    }
}

/// A stall beyond the intensity ended the actor on the watchdog's thread, and with it whatever waited in
/// its queue. One message whose `Drop` blocked, and nobody was watched any more.
#[test]
fn a_message_that_blocks_when_it_is_dropped_does_not_end_the_watch() {
    for id in ["alone", "group/child"] {
        with_threads(async {
            let tree = Tree::new(1);
            tree.supervisor(
                &Group::new("group", "group")
                    .strategy(Strategy::OneForAll)
                    .bears(0, Duration::from_hours(1)),
            );
            let [stuck, other, spare, second] = std::array::from_fn(|_| Arbiter::new());
            let _watched = watched(&tree, brisk(), &[&spare, &second]);
            let frail = Policy {
                intensity: 0,
                ..quick()
            };
            let (doomed, _) = worker_in(&tree, id, frail, &stuck.handle());
            let (bystander, _) = worker_in(&tree, "bystander", quick(), &other.handle());
            bystander.ask(Note(0), LONG).await.unwrap();
            let (gate, block) = Gate::new();
            let blocked = doomed.try_ask(block).unwrap();
            gate.wait_until_blocked();
            let ((entered, dropping), (let_go, wait)) = (channel(), channel());
            let clinging = Clinging { entered, wait };
            let held = run_in(move |_, _| drop(clinging));
            doomed.try_cast(held).unwrap();
            let behind = doomed.try_ask(Note(1)).unwrap();
            assert!(matches!(blocked.await, Err(Failure::Stalled { .. })));
            assert!(matches!(doomed.exited().await, Exit::GaveUp(_)));
            assert_eq!(behind.await, Err(Failure::Closed));
            assert_ne!(dropping.recv_timeout(LONG).unwrap(), "watchdog");
            let (second_gate, block) = Gate::new();
            let moved = bystander.ask(block, LONG).await;
            assert!(matches!(moved, Err(Failure::Stalled { .. })), "{moved:?}");
            assert!(bystander.ask(Note(1), LONG).await.unwrap() > 1);
            drop((let_go, gate, second_gate));
        });
    }
}
