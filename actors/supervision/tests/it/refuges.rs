//! Where the actors of a stuck thread go: one spare a thread.

use crate::keeper::{Told, Watched, block_foreign, brisk, name_of, watched};
use crate::worker::{Gate, LONG, Note, Worker, quick, run_in, with_threads, worker_in};
use actix::prelude::*;
use std::sync::mpsc::channel;
use vyrox_supervision::{Handle, StallKind, State, Tree};

/// The thread on which the actor lives.
async fn thread_of(handle: &Handle<Worker>) -> String {
    let (tell, name) = channel();
    let look = run_in(move |_, _| {
        let name = std::thread::current().name().unwrap().to_owned();
        tell.send(name).unwrap();
    });
    handle.ask(look, LONG).await.unwrap();
    name.recv().unwrap()
}

/// How often a spare was asked for in what nobody has heard yet.
fn asked(watched: &Watched) -> usize {
    let rest = watched.rest();
    rest.iter()
        .filter(|told| matches!(told, Told::Asked(_)))
        .count()
}

#[test]
fn an_actor_that_is_sent_to_a_stuck_thread_moves_on() {
    with_threads(async {
        let (tree, stuck, spare) = (Tree::new(1), Arbiter::new(), Arbiter::new());
        let (handle, _) = worker_in(&tree, "removed", quick(), &stuck.handle());
        let (gate, block) = Gate::new();
        let blocked = handle.try_ask(block).unwrap();
        gate.wait_until_blocked();
        tree.remove("removed");
        let (late, diary) = worker_in(&tree, "late", quick(), &stuck.handle());
        let (later, _) = worker_in(&tree, "later", quick(), &stuck.handle());
        let watched = watched(&tree, brisk(), &[&spare]);
        let stall = watched.noticed("removed");
        assert_eq!(stall.message, Some("it::worker::Block"));
        let stall = watched.noticed("late");
        assert_eq!((stall.kind, stall.generation), (StallKind::NotTaken, 1));
        assert_eq!(late.ask(Note(1), LONG).await, Ok(2));
        assert_eq!(later.ask(Note(1), LONG).await, Ok(2));
        assert_eq!(asked(&watched), 1);
        let node = tree.find("late").unwrap();
        assert_eq!(
            (node.state, node.restarts, node.last_crash),
            (State::Running, 0, None),
            "it was not at fault"
        );
        drop(gate);
        assert_eq!(blocked.await, Ok(1), "nobody replaced what was removed");
        stuck.stop();
        stuck.join().unwrap();
        assert_eq!(
            late.ask(Note(2), LONG).await,
            Ok(2),
            "its first life is over"
        );
        assert_eq!(diary.notes(), [1, 2]);
    });
}

/// One stuck thread used up a spare for every actor that was sent there later.
#[test]
fn whoever_comes_later_goes_to_the_same_refuge() {
    with_threads(async {
        let tree = Tree::new(1);
        let [stuck, spare, other] = [Arbiter::new(), Arbiter::new(), Arbiter::new()];
        let watched = watched(&tree, brisk(), &[&spare, &other]);
        let (first, _) = worker_in(&tree, "first", quick(), &stuck.handle());
        let (gate, block) = Gate::new();
        assert!(first.ask(block, LONG).await.is_err());
        let refuge = name_of(&spare);
        assert_eq!(thread_of(&first).await, refuge);
        for id in ["second", "third"] {
            let (later, _) = worker_in(&tree, id, quick(), &stuck.handle());
            assert_eq!(thread_of(&later).await, refuge);
            assert_eq!(watched.noticed(id).kind, StallKind::NotTaken);
            assert_eq!(asked(&watched), 0);
        }
        drop(gate);
        watched.recovered("first");
    });
}

#[test]
fn two_stalls_in_turn_on_one_thread_use_one_spare() {
    with_threads(async {
        let tree = Tree::new(1);
        let [stuck, spare, other] = [Arbiter::new(), Arbiter::new(), Arbiter::new()];
        let watched = watched(&tree, brisk(), &[&spare, &other]);
        let refuge = name_of(&spare);
        for (id, spares) in [("first", 1), ("second", 0)] {
            let (handle, _) = worker_in(&tree, id, quick(), &stuck.handle());
            assert_eq!(handle.ask(Note(0), LONG).await, Ok(1));
            let (gate, block) = Gate::new();
            assert!(handle.ask(block, LONG).await.is_err());
            assert_eq!(thread_of(&handle).await, refuge);
            assert_eq!(asked(&watched), spares);
            drop(gate);
            watched.recovered(id);
        }
        let stalls = tree.stalls();
        assert_eq!((stalls.noticed, stalls.replaced), (2, 2));
        assert_eq!(stalls.threads_stuck, 0);
    });
}

#[test]
fn a_refuge_that_is_stuck_has_a_refuge_of_its_own() {
    with_threads(async {
        let tree = Tree::new(1);
        let [stuck, spare, second] = [Arbiter::new(), Arbiter::new(), Arbiter::new()];
        let watched = watched(&tree, brisk(), &[&spare, &second]);
        let (handle, _) = worker_in(&tree, "unlucky", quick(), &stuck.handle());
        let mut gates = Vec::new();
        for refuge in [&spare, &second] {
            let (gate, block) = Gate::new();
            assert!(handle.ask(block, LONG).await.is_err());
            assert_eq!(thread_of(&handle).await, name_of(refuge));
            gates.push(gate);
        }
        let (late, _) = worker_in(&tree, "late", quick(), &stuck.handle());
        assert_eq!(thread_of(&late).await, name_of(&second));
        assert_eq!(asked(&watched), 2);
        assert_eq!(tree.stalls().threads_stuck, 2);
        drop(gates);
    });
}

/// The thread was blocked before the first actor came, so the tree knows nothing of it.
#[test]
fn actors_sent_to_an_unknown_stuck_thread_share_a_refuge() {
    with_threads(async {
        let (tree, stuck, spare) = (Tree::new(1), Arbiter::new(), Arbiter::new());
        let gate = block_foreign(&stuck);
        let watched = watched(&tree, brisk(), &[&spare]);
        for id in ["first", "second"] {
            let (handle, _) = worker_in(&tree, id, quick(), &stuck.handle());
            let stall = watched.noticed(id);
            assert_eq!((stall.kind, stall.thread), (StallKind::NotTaken, None));
            assert_eq!(tree.find(id).unwrap().state, State::Stalled);
            assert_eq!(thread_of(&handle).await, name_of(&spare));
        }
        assert_eq!(asked(&watched), 0, "only for the first one");
        drop(gate);
    });
}
