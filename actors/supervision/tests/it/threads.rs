//! The threads of a tree, as a reader sees them.

use crate::keeper::{brisk, name_of, onlooker, watched};
use crate::worker::{Gate, LONG, Note, quick, with_threads, worker_in};
use actix::prelude::*;
use std::collections::HashMap;
use std::sync::mpsc::{Sender, channel};
use vyrox_supervision::{OnStall, Stall, Stop, ThreadNode, Tree, Watchdog};

fn thread(tree: &Tree, name: &str) -> ThreadNode {
    let threads = tree.threads();
    threads.into_iter().find(|node| node.name == name).unwrap()
}

#[test]
fn threads_show_who_lives_there_and_who_runs() {
    with_threads(async {
        let (tree, one, other) = (Tree::new(1), Arbiter::new(), Arbiter::new());
        assert_eq!(tree.threads(), []);
        let watched = watched(&tree, onlooker(), &[]);
        let (a, _) = worker_in(&tree, "a", quick(), &one.handle());
        let (b, _) = worker_in(&tree, "b", quick(), &one.handle());
        let (c, _) = worker_in(&tree, "c", quick(), &other.handle());
        for handle in [&a, &b, &c] {
            assert_eq!(handle.ask(Note(0), LONG).await, Ok(1));
        }
        let (gate, block) = Gate::new();
        a.try_cast(block).unwrap();
        watched.noticed("a");
        let busy = thread(&tree, &name_of_other(&other, &tree));
        assert_eq!((busy.actors, busy.polling.as_deref()), (2, Some("a")));
        assert!(busy.message.unwrap().ends_with("Block"), "{busy:?}");
        assert!(busy.stuck_for_ms.unwrap() >= 1);
        let idle = thread(&tree, &name_of(&other));
        assert_eq!(
            (idle.actors, idle.stuck_for_ms, idle.message),
            (1, None, None)
        );
        drop(gate);
        watched.recovered("a");
        b.stop(Stop::Drain);
        b.exited().await;
        assert_eq!(a.ask(Note(1), LONG).await, Ok(1));
        assert_eq!(thread(&tree, &busy.name).stuck_for_ms, None);
        assert_eq!(thread(&tree, &busy.name).actors, 1);
    });
}

/// The thread of the tree that is not that of `arbiter`.
fn name_of_other(arbiter: &Arbiter, tree: &Tree) -> String {
    let known = name_of(arbiter);
    let mut names = tree.threads().into_iter().map(|node| node.name);
    names.find(|name| *name != known).unwrap()
}

#[test]
fn a_thread_that_ends_is_struck_out_also_while_it_is_watched() {
    with_threads(async {
        let (tree, arbiter) = (Tree::new(1), Arbiter::new());
        let _watched = watched(&tree, onlooker(), &[]);
        let (handle, _) = worker_in(&tree, "short", quick(), &arbiter.handle());
        assert_eq!(handle.ask(Note(0), LONG).await, Ok(1));
        assert_eq!(tree.threads().len(), 1);
        arbiter.stop();
        arbiter.join().unwrap();
        assert_eq!(tree.threads(), []);
    });
}

/// A thread is entered once for each tree that has actors there.
#[test]
fn two_trees_on_one_thread_know_their_own_actors() {
    with_threads(async {
        let (trees, arbiter) = ([Tree::new(1), Tree::new(2)], Arbiter::new());
        for (tree, ids) in trees.iter().zip([&["a", "b"][..], &["c"]]) {
            for id in ids {
                let (handle, _) = worker_in(tree, id, quick(), &arbiter.handle());
                assert_eq!(handle.ask(Note(0), LONG).await, Ok(1));
                handle.stop(Stop::Drain);
                handle.exited().await;
                let (handle, _) = worker_in(tree, id, quick(), &arbiter.handle());
                assert_eq!(handle.ask(Note(0), LONG).await, Ok(2));
            }
        }
        let [one, two] = trees.map(|tree| tree.threads());
        assert_eq!(one.len() + two.len(), 2);
        assert_eq!(one[0].name, two[0].name);
    });
}

/// Has all threads that come back as spares.
struct Thrifty {
    all: HashMap<String, ArbiterHandle>,
    spares: Vec<String>,
    returned: Sender<String>,
}

impl OnStall for Thrifty {
    fn spare(&mut self, _: &Stall) -> Option<ArbiterHandle> {
        self.all.get(&self.spares.pop()?).cloned()
    }

    fn returned(&mut self, thread: &str) -> bool {
        self.spares.push(thread.to_owned());
        self.returned.send(thread.to_owned()).is_ok()
    }
}

/// A thread that had come back stayed empty for good, so that each block, however short, cost a spare.
#[test]
fn two_threads_are_enough_for_blocks_that_end_one_after_the_other() {
    with_threads(async {
        let (tree, one, other) = (Tree::new(1), Arbiter::new(), Arbiter::new());
        let names = [&one, &other].map(name_of);
        let (returned, told) = channel();
        let owner = Thrifty {
            all: names
                .iter()
                .cloned()
                .zip([one.handle(), other.handle()])
                .collect(),
            spares: vec![names[1].clone()],
            returned,
        };
        let _watchdog = Watchdog::spawn(&tree, brisk(), owner).unwrap();
        let (worker, _) = worker_in(&tree, "worker", quick(), &one.handle());
        for (turn, name) in names.iter().cycle().take(4).enumerate() {
            let generation = u64::try_from(turn).unwrap() + 1;
            assert_eq!(worker.ask(Note(0), LONG).await, Ok(generation));
            let (gate, block) = Gate::new();
            worker.try_cast(block).unwrap();
            assert_eq!(
                worker.ask(Note(0), LONG).await,
                Ok(generation + 1),
                "it moves"
            );
            drop(gate);
            assert_eq!(told.recv_timeout(LONG).as_ref(), Ok(name));
        }
    });
}
