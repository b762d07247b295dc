//! What is noticed, and under which name.

use crate::keeper::{block_foreign, brisk, name_of, onlooker, watched};
use crate::worker::{Gate, LONG, Note, ms, quick, run_in, with_threads, worker, worker_in};
use actix::prelude::*;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use tokio::time::Instant;
use vyrox_supervision::{
    Class, Classified, Failure, Plan, Spec, Stall, StallKind, State, SupervisedContext, Tree,
    Watchdog,
};

#[test]
fn a_busy_handler_is_named_with_its_message_by_the_default_plan() {
    with_threads(async {
        let (tree, arbiter) = (Tree::new(1), Arbiter::new());
        let watched = watched(&tree, Plan::default(), &[]);
        let (handle, _) = worker_in(&tree, "busy", quick(), &arbiter.handle());
        assert_eq!(handle.ask(Note(0), LONG).await, Ok(1));
        let (gate, block) = Gate::new();
        let blocked = handle.try_ask(block).unwrap();
        gate.wait_until_blocked();
        let since = Instant::now();
        let stall = watched.noticed("busy");
        println!("from block to notice: {:?}", since.elapsed());
        assert_eq!((stall.kind, stall.generation), (StallKind::Busy, 1));
        assert_eq!(stall.message, Some("it::worker::Block"));
        assert_eq!(stall.thread, Some(name_of_blocked(&tree)));
        assert_eq!(tree.find("busy").unwrap().state, State::Stalled);
        assert!(stall.busy_for >= Plan::default().notice_after);
        drop(gate);
        assert_eq!(blocked.await, Ok(1), "there was no spare");
        assert_eq!(watched.recovered("busy").kind, StallKind::Busy);
        assert_eq!(tree.find("busy").unwrap().state, State::Running);
    });
}

/// The only thread that runs an actor.
fn name_of_blocked(tree: &Tree) -> String {
    let busy = |thread: &&vyrox_supervision::ThreadNode| thread.polling.is_some();
    tree.threads().iter().find(busy).unwrap().name.clone()
}

#[test]
fn a_stall_is_reported_once_however_often_it_is_looked_at() {
    with_threads(async {
        let (tree, one, other) = (Tree::new(1), Arbiter::new(), Arbiter::new());
        let watched = watched(&tree, onlooker(), &[]);
        let (first, _) = worker_in(&tree, "first", quick(), &one.handle());
        let (second, _) = worker_in(&tree, "second", quick(), &other.handle());
        let (first_gate, block) = Gate::new();
        first.try_cast(block).unwrap();
        watched.noticed("first");
        let (second_gate, block) = Gate::new();
        second.try_cast(block).unwrap();
        watched.noticed("second"); // a whole `notice_after` of looks later
        drop((first_gate, second_gate));
        watched.recovered("second");
        assert_eq!(tree.stalls().noticed, 2);
    });
}

#[test]
fn a_stuck_foreign_task_is_named_by_its_thread_and_the_actors_move() {
    with_threads(async {
        let (tree, stuck, spare) = (Tree::new(1), Arbiter::new(), Arbiter::new());
        let watched = watched(&tree, brisk(), &[&spare]);
        let (one, _) = worker_in(&tree, "one", quick(), &stuck.handle());
        let (other, _) = worker_in(&tree, "other", quick(), &stuck.handle());
        assert_eq!(one.ask(Note(0), LONG).await, Ok(1));
        assert_eq!(other.ask(Note(0), LONG).await, Ok(1));
        let thread = name_of(&stuck);
        let gate = block_foreign(&stuck);
        let queued = one.try_ask(Note(1)).unwrap();
        let stall = watched.noticed_as(StallKind::NoBeat);
        assert_eq!((stall.id, stall.generation, stall.message), (None, 0, None));
        assert_eq!(stall.thread.as_deref(), Some(thread.as_str()));
        assert_eq!(queued.await, Ok(2));
        assert_eq!(other.ask(Note(2), LONG).await, Ok(2));
        let node = tree.find("one").unwrap();
        assert_eq!((node.restarts, node.last_crash), (0, None), "not at fault");
        assert_eq!(tree.stalls().threads_stuck, 1);
        drop(gate);
        watched.recovered(&thread);
        assert_eq!(tree.stalls().threads_stuck, 0);
        assert_eq!(one.ask(Note(3), LONG).await, Ok(2), "it does not move back");
    });
}

#[test]
fn a_queue_that_is_held_back_is_reported_and_left_where_it_is() {
    with_threads(async {
        let (tree, handle, _) = worker(quick());
        let (arbiter, spare) = (Arbiter::new(), Arbiter::new());
        let (witness, _) = worker_in(&tree, "witness", quick(), &arbiter.handle());
        let plan = Plan {
            progress_after: ms(100),
            ..brisk()
        };
        let watched = watched(&tree, plan, &[&spare]);
        let (release, held) = tokio::sync::oneshot::channel::<()>();
        let wait = run_in(move |worker, ctx| {
            ctx.wait(async { drop(held.await) }.into_actor(worker));
        });
        assert_eq!(handle.ask(wait, LONG).await, Ok(()));
        let queued = handle.try_ask(Note(1)).unwrap();
        // The owner's word comes over a channel that blocks, so another thread waits for it.
        let (told, noticed) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            told.send(watched.noticed("worker")).ok();
            watched.recovered("worker")
        });
        let stall = noticed.await.unwrap();
        assert_eq!(stall.kind, StallKind::NoProgress { held_back: true });
        assert_eq!(stall.message, Some("it::worker::Note"));
        assert!(stall.busy_for >= ms(100));
        assert_eq!(witness.ask(Note(1), LONG).await, Ok(1));
        release.send(()).unwrap();
        assert_eq!(queued.await, Ok(1), "the same generation");
        assert_eq!(tree.find("worker").unwrap().restarts, 0);
    });
}

/// Blocks its thread when it is dropped, the first time.
struct Clinging {
    entered: Sender<()>,
    wait: Option<Receiver<()>>,
}

impl Actor for Clinging {
    type Context = SupervisedContext<Self>;
}

impl Drop for Clinging {
    fn drop(&mut self) {
        if let Some(wait) = self.wait.take() {
            self.entered.send(()).unwrap();
            wait.recv().ok();
        }
    }
}

#[derive(Message)]
#[rtype(result = "u64")]
struct Generation;

impl Classified for Generation {
    const CLASS: Class = Class::Bulk;
}

impl Handler<Generation> for Clinging {
    type Result = u64;

    fn handle(&mut self, _: Generation, ctx: &mut Self::Context) -> u64 {
        ctx.generation()
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Fall;

impl Classified for Fall {
    const CLASS: Class = Class::Bulk;
}

impl Handler<Fall> for Clinging {
    type Result = ();

    fn handle(&mut self, _: Fall, ctx: &mut Self::Context) {
        ctx.fail("let it fall");
    }
}

/// The value of a generation that fell is dropped before the next one is made. While that blocked, the
/// next generation was on no thread's list and nobody moved it.
#[test]
fn a_value_that_blocks_when_it_is_dropped_does_not_keep_the_next_generation() {
    with_threads(async {
        let (tree, stuck, spare) = (Tree::new(1), Arbiter::new(), Arbiter::new());
        let watched = watched(&tree, brisk(), &[&spare]);
        let ((entered, blocked), (gate, wait)) = (channel(), channel::<()>());
        let wait = std::sync::Mutex::new(Some(wait));
        let spec = Spec::new("clinging", "clinging").policy(quick());
        let handle = tree.supervise(spec, &stuck.handle(), move |_| Clinging {
            entered: entered.clone(),
            wait: wait.lock().unwrap().take(),
        });
        let fallen = handle.ask(Fall, LONG).await;
        assert!(matches!(
            fallen,
            Err(Failure::Crashed { generation: 1, .. })
        ));
        blocked.recv_timeout(LONG).unwrap();
        assert_eq!(handle.ask(Generation, LONG).await, Ok(3));
        let stall = watched.noticed("clinging");
        assert_eq!((stall.kind, stall.message), (StallKind::Busy, None));
        drop(gate);
        watched.recovered("clinging");
    });
}

#[test]
fn a_panic_of_the_owner_does_not_end_the_watch() {
    with_threads(async {
        let (tree, stuck, spare) = (Tree::new(1), Arbiter::new(), Arbiter::new());
        let mut spares = vec![Some(spare.handle()), None];
        let _watchdog = Watchdog::spawn(&tree, brisk(), move |stall: &Stall| {
            let spare = spares.pop().flatten();
            assert!(spare.is_some(), "no thought was given to {stall:?}");
            spare
        });
        let (handle, _) = worker_in(&tree, "stuck", quick(), &stuck.handle());
        let (gate, block) = Gate::new();
        let blocked = handle.ask(block, LONG).await;
        assert!(matches!(blocked, Err(Failure::Stalled { .. })));
        assert_eq!(handle.ask(Note(0), LONG).await, Ok(2));
        drop(gate);
    });
}

/// A look goes through threads, not through actors.
#[test]
fn ten_thousand_idle_actors_are_not_looked_at() {
    with_threads(async {
        let (tree, crowd, lone) = (Tree::new(1), Arbiter::new(), Arbiter::new());
        let actors: Vec<_> = (0..10_000)
            .map(|n| worker_in(&tree, &format!("crowd/{n}"), quick(), &crowd.handle()).0)
            .collect();
        for actor in &actors {
            assert_eq!(actor.ask(Note(0), LONG).await, Ok(1));
        }
        let (witness, _) = worker_in(&tree, "witness", quick(), &lone.handle());
        assert_eq!(witness.ask(Note(0), LONG).await, Ok(1));
        let plan = Plan {
            replace_after: ms(400),
            ..brisk()
        };
        let spare = Arbiter::new();
        let before = tree.stalls().looks;
        let watched = watched(&tree, plan, &[&spare]);
        let gate = block_foreign(&lone);
        watched.noticed_as(StallKind::NoBeat);
        assert_eq!(witness.ask(Note(0), LONG).await, Ok(2));
        let stalls = tree.stalls();
        println!("{} looks, {} actors read", stalls.looks, stalls.actors_read);
        assert!(stalls.looks >= before + 3);
        assert_eq!(stalls.actors_read, 1, "the one that moved");
        drop(gate);
    });
}

/// Nobody is told of an actor that works hard in small pieces.
#[test]
fn a_crowd_that_works_is_not_stuck() {
    with_threads(async {
        let (tree, arbiter) = (Tree::new(1), Arbiter::new());
        let plan = Plan {
            notice_after: Duration::from_secs(5),
            ..onlooker()
        };
        let watched = watched(&tree, plan, &[]);
        let (handle, diary) = worker_in(&tree, "hard", quick(), &arbiter.handle());
        for round in 0..10_u64 {
            let asks: Vec<_> = (0..1_000)
                .map(|n| handle.try_ask(Note(round * 1_000 + n)).unwrap())
                .collect();
            for ask in asks {
                assert_eq!(ask.await, Ok(1));
            }
        }
        assert_eq!(diary.notes().len(), 10_000);
        assert!(watched.rest().is_empty());
        assert_eq!(tree.stalls().noticed, 0);
    });
}
