//! Children that restart in turn: what must not happen while one of them waits, and what must.

use crate::worker::{
    Boom, Diary, Entry, LONG, Note, Worker, quick, restarting, with_threads, worker_in,
};
use actix::prelude::*;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use tokio::time::timeout;
use vyrox_supervision::testing::{run, settle};
use vyrox_supervision::{
    Backoff, Class, Classified, Exit, Group, Handle, Policy, Restart, Spec, State, Stop, Strategy,
    SupervisedContext, Tree,
};

fn family(tree: &Tree, strategy: Strategy) {
    let group = Group::new("family", "family")
        .strategy(strategy)
        .bears(65_536, LONG);
    tree.supervisor(&Group {
        backoff: quick().backoff,
        ..group
    });
}

/// An hour's pause after each fall.
fn patient() -> Policy {
    let hour = Duration::from_hours(1);
    let backoff = Backoff {
        base: hour,
        max: hour,
        reset_after: LONG,
    };
    Policy { backoff, ..quick() }
}

type Started = Arc<dyn Fn(u64, &mut SupervisedContext<Slow>) + Send + Sync>;

/// Does in `started` what its test says for its generation, and tells of its end.
struct Slow {
    generation: u64,
    started: Started,
    dropped: Sender<u64>,
}

impl Actor for Slow {
    type Context = SupervisedContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let started = Arc::clone(&self.started);
        started(self.generation, ctx);
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.dropped.send(self.generation).ok();
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Ping;

impl Classified for Ping {
    const CLASS: Class = Class::Bulk;
}

impl Handler<Ping> for Slow {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

fn slow_in(
    tree: &Tree,
    id: &str,
    policy: Policy,
    arbiter: &ArbiterHandle,
    started: impl Fn(u64, &mut SupervisedContext<Slow>) + Send + Sync + 'static,
) -> (Handle<Slow>, Receiver<u64>) {
    let (dropped, drops) = channel();
    let (started, dropped): (Started, _) = (Arc::new(started), Mutex::new(dropped));
    let spec = Spec::new(id, "slow").policy(policy);
    let handle = tree.supervise(spec, arbiter, move |generation| Slow {
        generation,
        started: Arc::clone(&started),
        dropped: dropped.lock().unwrap().clone(),
    });
    (handle, drops)
}

/// A place where code of a test blocks.
fn gate() -> (Receiver<()>, Sender<()>, impl Fn() + Send + Sync) {
    let ((entered, blocked), (open, wait)) = (channel(), channel::<()>());
    let both = Mutex::new((entered, wait));
    let pass = move || {
        let both = both.lock().unwrap();
        both.0.send(()).ok();
        both.1.recv().ok();
    };
    (blocked, open, pass)
}

/// A generation that had blocked in `started`, was replaced and woke up later said that it had begun; so
/// the next child was started though the replacement was still loading.
#[test]
fn a_fenced_generation_does_not_begin_for_its_successor() {
    with_threads(async {
        let tree = Tree::new(1);
        let arbiters = [Arbiter::new(), Arbiter::new(), Arbiter::new()];
        family(&tree, Strategy::OneForAll);
        let (blocked, open, pass) = gate();
        let (slow, drops) = slow_in(
            &tree,
            "family/slow",
            quick(),
            &arbiters[0].handle(),
            move |generation, ctx| match generation {
                2 => pass(),
                3 => ctx.wait(fut::wrap_future(std::future::pending())),
                _ => {}
            },
        );
        let (next, diary) = worker_in(&tree, "family/next", quick(), &arbiters[1].handle());
        assert_eq!(slow.ask(Ping, LONG).await, Ok(()));
        next.ask(Boom, LONG).await.unwrap_err();
        blocked.recv_timeout(LONG).unwrap();
        slow.move_to(&arbiters[2].handle());
        drop(open);
        while drops.recv_timeout(LONG).unwrap() != 2 {}
        assert_eq!(diary.count(Entry::Started(2)), 0);
        assert_eq!(next.snapshot().state, State::BackingOff);
    });
}

/// A generation that was ended for its siblings' sake while its code ran, and then stopped itself, ended
/// the actor for good: its queue was thrown away, and it never came back.
#[test]
fn a_fenced_generation_does_not_end_who_waits_for_its_turn() {
    with_threads(async {
        let tree = Tree::new(1);
        let arbiters = [Arbiter::new(), Arbiter::new()];
        family(&tree, Strategy::OneForAll);
        let (elder, _) = worker_in(&tree, "family/elder", patient(), &arbiters[0].handle());
        let (blocked, open, pass) = gate();
        let (slow, drops) = slow_in(
            &tree,
            "family/slow",
            restarting(Restart::Transient),
            &arbiters[1].handle(),
            move |_, ctx| {
                pass();
                ctx.stop();
            },
        );
        blocked.recv_timeout(LONG).unwrap();
        elder.ask(Boom, LONG).await.unwrap_err();
        let queued = slow.try_ask(Ping).unwrap();
        drop(open);
        assert_eq!(drops.recv_timeout(LONG), Ok(1));
        assert_eq!(slow.snapshot().state, State::BackingOff);
        drop(queued);
    });
}

/// While children of one id came and went on several threads, one that was killed on its way in kept its
/// place under the supervisor, and at the next restart everybody after it waited for it for ever.
#[test]
fn one_that_is_killed_on_its_way_in_holds_up_nobody() {
    with_threads(async {
        for _ in 0..5 {
            let tree = Tree::new(1);
            let arbiters = [Arbiter::new(), Arbiter::new()];
            family(&tree, Strategy::OneForAll);
            let here = arbiters[0].handle();
            let (elder, _) = worker_in(&tree, "family/elder", quick(), &here);
            assert_eq!(elder.ask(Note(0), LONG).await, Ok(1));
            let owners: Vec<_> = (0..3)
                .map(|_| {
                    let (tree, arbiter) = (tree.clone(), arbiters[1].handle());
                    let same = move || worker_in(&tree, "family/same", quick(), &arbiter).0;
                    thread::spawn(move || (1..1_000).fold(same(), |_, _| same()))
                })
                .collect();
            let _kept: Vec<_> = owners.into_iter().map(|one| one.join().unwrap()).collect();
            let (last, _) = worker_in(&tree, "family/last", quick(), &here);
            assert_eq!(last.ask(Note(0), LONG).await, Ok(1));
            elder.ask(Boom, LONG).await.unwrap_err();
            assert_eq!(last.ask(Note(1), LONG).await, Ok(2));
        }
    });
}

/// Between its placing and its start a new child could be ended and started by its supervisor, and was then
/// started a second time: two values of one generation served one queue.
#[test]
fn no_generation_has_two_values() {
    with_threads(async {
        let tree = Tree::new(1);
        let arbiters = [Arbiter::new(), Arbiter::new()];
        family(&tree, Strategy::OneForAll);
        let (elder, _) = worker_in(&tree, "family/elder", quick(), &arbiters[0].handle());
        let done = Arc::new(AtomicBool::new(false));
        let (ended, unrest) = (Arc::clone(&done), elder.clone());
        let unrest = thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                unrest.try_cast(Boom).ok();
                thread::yield_now();
            }
        });
        let seen = Arc::<Mutex<HashSet<(usize, u64)>>>::default();
        let twice = Arc::<AtomicBool>::default();
        let mut kept = Vec::new();
        for number in 0..3_000 {
            let (seen, twice) = (Arc::clone(&seen), Arc::clone(&twice));
            let spec = Spec::new(format!("family/{}", number % 3), "worker").policy(quick());
            kept.push(
                tree.supervise(spec, &arbiters[1].handle(), move |generation| {
                    if !seen.lock().unwrap().insert((number, generation)) {
                        twice.store(true, Ordering::Relaxed);
                    }
                    Worker {
                        generation,
                        diary: Diary::default(),
                    }
                }),
            );
            if kept.len() > 3 {
                drop(kept.remove(0));
            }
        }
        done.store(true, Ordering::Relaxed);
        unrest.join().unwrap();
        for handle in &kept {
            let alive = handle.ask(Note(0), LONG).await;
            assert!(alive.is_ok() || handle.id() == kept[0].id(), "{alive:?}");
        }
        assert!(!twice.load(Ordering::Relaxed));
    });
}

/// An order to stop that came before, or while, the actor was ended for its siblings' sake was carried out
/// only when its turn came; its deadline meant nothing.
#[test]
fn whoever_is_to_stop_does_not_wait_for_its_turn() {
    run(async {
        let tree = Tree::new(1);
        family(&tree, Strategy::OneForAll);
        let here = Arbiter::current();
        let (elder, _) = worker_in(&tree, "family/elder", patient(), &here);
        let (leaving, _) = worker_in(&tree, "family/leaving", quick(), &here);
        let (queued, diary) = worker_in(&tree, "family/queued", quick(), &here);
        let hold = crate::worker::run_in(|_, ctx| {
            ctx.spawn(fut::wrap_future(std::future::pending()));
        });
        leaving.ask(hold, LONG).await.unwrap();
        leaving.stop(Stop::Drain);
        elder.ask(Boom, LONG).await.unwrap_err();
        let kept = queued.try_ask(Note(7)).unwrap();
        queued.stop(Stop::Drain);
        assert_eq!(kept.await, Ok(2));
        assert_eq!(timeout(LONG, queued.exited()).await, Ok(Exit::Normal));
        assert_eq!(diary.notes(), [7]);
        assert_eq!(timeout(LONG, leaving.exited()).await, Ok(Exit::Killed));
        assert_eq!(elder.snapshot().state, State::BackingOff);
    });
}

/// A shutdown in the middle of a restart killed those that waited for their turn, with what they had.
#[test]
fn a_shutdown_lets_those_that_wait_finish_what_they_have() {
    run(async {
        let tree = Tree::new(1);
        family(&tree, Strategy::RestForOne);
        let here = Arbiter::current();
        let (elder, own) = worker_in(&tree, "family/elder", patient(), &here);
        let (young, diary) = worker_in(&tree, "family/young", quick(), &here);
        assert_eq!(young.ask(Note(0), LONG).await, Ok(1));
        elder.ask(Boom, LONG).await.unwrap_err();
        elder.try_cast(Note(8)).unwrap();
        young.try_cast(Note(7)).unwrap();
        let report = tree.shutdown(LONG).await;
        assert!(report.is_clean(), "{report:?}");
        assert_eq!((own.notes(), diary.notes()), (vec![8], vec![0, 7]));
    });
}

/// A child that was added while its supervisor restarted the others was started before its elders had begun.
#[test]
fn whoever_is_added_during_a_restart_waits_for_its_turn() {
    run(async {
        let tree = Tree::new(1);
        family(&tree, Strategy::RestForOne);
        let here = Arbiter::current();
        let (elder, _) = worker_in(&tree, "family/elder", patient(), &here);
        elder.ask(Boom, LONG).await.unwrap_err();
        let (late, diary) = worker_in(&tree, "family/late", quick(), &here);
        let waits = late.try_ask(Note(1)).unwrap();
        settle().await;
        assert_eq!(diary.entries(), []);
        assert_eq!(late.snapshot().state, State::BackingOff);
        assert_eq!(waits.await, Ok(1), "it is its first life");
        assert_eq!(elder.snapshot().generation, 2);
        assert_eq!((late.snapshot().restarts, diary.notes()), (0, vec![1]));
    });
}

/// More different bad messages than are remembered as suspects, one after the other and again, felled an
/// actor for ever: none was caught, and each counted once.
#[test]
fn alternating_bad_messages_use_the_budget_up() {
    run(async {
        let policy = Policy {
            intensity: 65,
            period: LONG * 60,
            ..quick()
        };
        let (_tree, handle, _) = crate::worker::worker(policy);
        let mut falls = 0;
        for digest in (1..=65u64).cycle().take(1_000) {
            if handle.ask(Bad(digest), LONG).await.is_ok() {
                break;
            }
            falls += 1;
            if handle.snapshot().state == State::Suspended {
                break;
            }
        }
        assert_eq!(handle.snapshot().state, State::Suspended, "{falls} falls");
        assert!(falls < 300, "{falls}");
    });
}

/// A dead letter that was tried again and felled its actor once more was gone: its message had been taken
/// out, and nobody was left to send it a second time.
#[test]
fn a_redriven_message_that_falls_again_is_a_dead_letter_again() {
    run(async {
        let (tree, handle, _) = crate::worker::worker(quick());
        for _ in 0..3 {
            handle.ask(Bad(7), LONG).await.unwrap_err();
        }
        let [letter] = <[_; 1]>::try_from(handle.dead_letters()).unwrap();
        for _ in 0..3 {
            tree.redrive("worker", letter.number).unwrap();
            assert_eq!(
                handle.ask(Note(1), LONG).await,
                Ok(handle.snapshot().generation)
            );
            let [again] = <[_; 1]>::try_from(handle.dead_letters()).unwrap();
            assert_eq!((again.number, again.kept), (letter.number, true));
        }
    });
}

struct Bad(u64);

impl Message for Bad {
    type Result = ();
}

impl Classified for Bad {
    const CLASS: Class = Class::Bulk;

    fn digest(&self) -> u64 {
        self.0
    }

    fn again(&self) -> Option<Self> {
        Some(Self(self.0))
    }
}

impl Handler<Bad> for Worker {
    type Result = ();

    fn handle(&mut self, _: Bad, ctx: &mut Self::Context) {
        ctx.fail("bad");
    }
}
