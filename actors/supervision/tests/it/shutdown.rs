//! The ordered end of a tree.

use crate::worker::{
    Diary, Entry, Gate, LONG, Later, Note, Worker, ms, quick, run_in, with_threads, worker_in,
};
use actix::prelude::*;
use std::sync::mpsc::channel;
use std::time::Duration;
use tokio::time::Instant;
use vyrox_supervision::testing::{run, settle};
use vyrox_supervision::{Exit, Handle, Policy, Reason, Spec, Stop, Tree};

fn ids(report: &vyrox_supervision::ShutdownReport) -> Vec<(&str, &Exit, usize)> {
    report
        .children
        .iter()
        .map(|c| (c.id.as_str(), &c.exit, c.unhandled))
        .collect()
}

/// Workers that share a diary, so that the order of their ends can be read.
fn workers(tree: &Tree, ids: &[&str], policy: Policy) -> (Vec<Handle<Worker>>, Diary) {
    let diary = Diary::default();
    let start = |(id, number): (&&str, u64)| {
        let own = diary.clone();
        let spec = Spec::new(*id, "worker").policy(policy);
        tree.supervise(spec, &Arbiter::current(), move |_| Worker {
            generation: number,
            diary: own.clone(),
        })
    };
    (ids.iter().zip(1..).map(start).collect(), diary)
}

#[test]
fn actors_drain_in_reverse_start_order_and_may_still_use_those_before_them() {
    run(async {
        let tree = Tree::new(1);
        let (writer, diary) = worker_in(&tree, "writer", quick(), &Arbiter::current());
        let (client, _) = worker_in(&tree, "client", quick(), &Arbiter::current());
        let (early, _) = worker_in(&tree, "early", quick(), &Arbiter::current());
        early.stop(Stop::Drain);
        early.exited().await;
        // The client's last work: after a while it writes, and waits for the writer's answer.
        let to = writer.clone();
        let work = run_in(move |worker, ctx| {
            let write = async move {
                actix::clock::sleep(ms(300)).await;
                to.ask(Note(7), LONG).await.unwrap()
            };
            ctx.spawn(write.into_actor(worker).map(|_, worker, _| worker.note(8)));
        });
        client.try_cast(work).unwrap();
        let ended = {
            let tree = tree.clone();
            actix::spawn(async move { tree.shutdown(LONG).await })
        };
        settle().await;
        let refused = writer.try_cast(Note(1)).unwrap_err();
        assert_eq!(
            refused.reason,
            Reason::Closed,
            "a stranger is refused at once"
        );
        writer.insider().try_cast(Note(6)).unwrap();
        let report = ended.await.unwrap();
        assert_eq!(
            ids(&report),
            [("client", &Exit::Normal, 0), ("writer", &Exit::Normal, 0)]
        );
        assert!(report.is_clean());
        assert_eq!(diary.notes(), [6, 7]);
    });
}

#[test]
fn hooks_run_in_reverse_order_of_starts() {
    run(async {
        let tree = Tree::new(1);
        let (handles, diary) = workers(&tree, &["b", "c", "a"], quick());
        for handle in &handles {
            handle.ask(Note(0), LONG).await.unwrap();
        }
        assert!(tree.shutdown(LONG).await.is_clean());
        let stops: Vec<_> = diary
            .entries()
            .into_iter()
            .filter_map(|entry| {
                if let Entry::Stopped(n) = entry {
                    Some(n)
                } else {
                    None
                }
            })
            .collect();
        assert_eq!(stops, [3, 2, 1]);
        let (late, _) = worker_in(&tree, "late", quick(), &Arbiter::current());
        assert_eq!(
            late.exited().await,
            Exit::Killed,
            "nothing starts in a closed tree"
        );
        assert_eq!(late.try_cast(Note(1)).unwrap_err().reason, Reason::Closed);
    });
}

#[test]
fn each_has_its_own_deadline_within_the_whole_one() {
    run(async {
        let tree = Tree::new(1);
        let policy = Policy {
            stop_deadline: ms(1_000),
            ..quick()
        };
        let (handles, _) = workers(&tree, &["well", "slow"], policy);
        handles[1].try_cast(Later(LONG, 1)).unwrap();
        let began = Instant::now();
        let report = tree.shutdown(LONG).await;
        assert_eq!(
            ids(&report),
            [("slow", &Exit::Killed, 0), ("well", &Exit::Normal, 0)]
        );
        assert!((ms(1_000)..ms(1_100)).contains(&began.elapsed()));

        let tree = Tree::new(1);
        let patient = Policy {
            stop_deadline: LONG,
            ..quick()
        };
        let (handles, _) = workers(&tree, &["well", "slow", "slower"], patient);
        for slow in &handles[1..] {
            slow.try_cast(Later(LONG, 1)).unwrap();
        }
        let began = Instant::now();
        let report = tree.shutdown(ms(4_000)).await;
        let exits: Vec<_> = report.children.iter().map(|child| &child.exit).collect();
        assert_eq!(exits, [&Exit::Killed, &Exit::Killed, &Exit::Normal]);
        assert!(
            (ms(3_000)..ms(3_100)).contains(&began.elapsed()),
            "two seconds, then one"
        );
    });
}

#[test]
fn a_stuck_actor_is_ended_from_outside() {
    with_threads(async {
        let (tree, arbiter) = (Tree::new(1), Arbiter::new());
        let policy = Policy {
            stop_deadline: ms(20),
            ..quick()
        };
        let (stuck, diary) = worker_in(&tree, "stuck", policy, &arbiter.handle());
        let (gate, block) = Gate::new();
        stuck.try_cast(block).unwrap();
        gate.wait_until_blocked();
        stuck.try_cast(Note(1)).unwrap();
        stuck.try_cast(Note(2)).unwrap();
        let report = tree.shutdown(LONG).await;
        assert_eq!(ids(&report), [("stuck", &Exit::Killed, 2)]);
        assert!(!report.is_clean());
        drop(gate);
        arbiter.stop();
        arbiter.join().unwrap();
        assert_eq!(diary.entries(), [Entry::Started(1), Entry::Dropped(1)]);
    });
}

/// Until each of them has been seen on its thread. Blocks, for else a paused clock would run ahead.
fn settled(handles: &[Handle<Worker>]) {
    let (tell, seen) = channel();
    for handle in handles {
        let tell = tell.clone();
        let look = run_in(move |_, _| tell.send(()).unwrap());
        handle.try_cast(look).unwrap();
        seen.recv_timeout(LONG).unwrap();
    }
}

/// A writer whose answers take 20 ms each, and that is asked for more until it drains.
fn busy_writer(tree: &Tree) -> (Handle<Worker>, Diary) {
    let (writer, diary) = worker_in(tree, "writer", quick(), &Arbiter::current());
    let insider = writer.insider();
    actix::spawn(async move {
        while insider.try_cast(Later(ms(20), 0)).is_ok() {
            tokio::time::sleep(ms(5)).await;
        }
    });
    (writer, diary)
}

/// Each of forty actors on a thread that was blocked had half of the time that was left, one after the
/// other: nothing was left for the writer, and what had been acknowledged was lost with it.
#[test]
fn a_thread_that_is_stuck_is_waited_for_once() {
    run(async {
        let (tree, arbiter) = (Tree::new(1), Arbiter::new());
        let (writer, diary) = busy_writer(&tree);
        let patient = Policy {
            stop_deadline: LONG,
            ..quick()
        };
        let tenants: Vec<_> = (0..40)
            .map(|n| worker_in(&tree, &format!("tenant/{n}"), patient, &arbiter.handle()).0)
            .collect();
        settled(&tenants);
        let (gate, block) = Gate::new();
        tenants[0].try_cast(block).unwrap();
        gate.wait_until_blocked();
        let began = Instant::now();
        let report = tree.shutdown(ms(4_000)).await;
        println!("ended after {:?} of the paused clock", began.elapsed());
        let (last, others) = report.children.split_last().unwrap();
        assert_eq!(
            (last.id.as_str(), &last.exit, last.unhandled),
            ("writer", &Exit::Normal, 0)
        );
        let written = u64::try_from(diary.notes().len()).unwrap();
        assert_eq!(written, writer.snapshot().handled, "every answer was given");
        let killed = others.iter().filter(|child| child.exit == Exit::Killed);
        assert_eq!(killed.count(), 40);
        let waited = ms(2_000)..ms(2_200);
        assert!(waited.contains(&began.elapsed()), "once, for half the time");
        drop(gate);
    });
}

/// The same with forty actors that wait for something that never comes: their threads are well.
#[test]
fn many_that_do_not_drain_leave_time_for_those_behind() {
    run(async {
        let tree = Tree::new(1);
        let (writer, diary) = busy_writer(&tree);
        let (_between, _) = worker_in(&tree, "between", quick(), &Arbiter::current());
        let patient = Policy {
            stop_deadline: LONG,
            ..quick()
        };
        let here = Arbiter::current();
        let tenants: Vec<_> = (0..40)
            .map(|n| worker_in(&tree, &format!("tenant/{n}"), patient, &here).0)
            .collect();
        for tenant in &tenants {
            tenant.try_cast(Later(Duration::from_hours(1), 0)).unwrap();
        }
        settle().await;
        let report = tree.shutdown(ms(4_000)).await;
        let (healthy, stuck): (Vec<_>, Vec<_>) = report
            .children
            .iter()
            .partition(|child| child.exit == Exit::Normal);
        let healthy: Vec<_> = healthy.iter().map(|child| child.id.as_str()).collect();
        assert_eq!((healthy, stuck.len()), (vec!["between", "writer"], 40));
        let written = u64::try_from(diary.notes().len()).unwrap();
        assert_eq!(written, writer.snapshot().handled, "every answer was given");
    });
}
