//! Supervisors whose children live on different threads: falls at the same moment are judged one after the
//! other, and nobody is forgotten, started twice, or left waiting.

use crate::worker::{Boom, LONG, Note, Worker, ms, quick, worker_in};
use actix::prelude::*;
use std::thread;
use std::time::Duration;
use tokio::time::timeout;
use vyrox_supervision::testing::{Random, run};
use vyrox_supervision::{
    Exit, Failure, Group, GroupHandle, Handle, Policy, Reason, Restart, Spec, State, Stop,
    Strategy, Tree,
};

const STRATEGIES: [Strategy; 3] = [
    Strategy::OneForOne,
    Strategy::OneForAll,
    Strategy::RestForOne,
];

fn family(tree: &Tree, strategy: Strategy, intensity: u32) -> GroupHandle {
    let group = Group::new("family", "family")
        .strategy(strategy)
        .bears(intensity, LONG);
    tree.supervisor(&Group {
        backoff: quick().backoff,
        ..group
    })
}

fn members(tree: &Tree, arbiters: &[ArbiterHandle]) -> Vec<Handle<Worker>> {
    let hire = |(place, arbiter)| worker_in(tree, &format!("family/{place}"), quick(), arbiter).0;
    arbiters.iter().enumerate().map(hire).collect()
}

#[test]
fn falls_on_many_threads_at_once_leave_everybody_in_service() {
    crate::worker::with_threads(async {
        for (seed, strategy) in (1..).zip(STRATEGIES) {
            let arbiters: Vec<_> = (0..3).map(|_| Arbiter::new()).collect();
            let handles: Vec<_> = arbiters.iter().map(Arbiter::handle).collect();
            let tree = Tree::new(seed);
            let supervisor = family(&tree, strategy, 65_536);
            let members = members(&tree, &handles);
            let senders: Vec<_> = (0..3)
                .map(|nth| {
                    let members = members.clone();
                    thread::spawn(move || {
                        System::new().block_on(disturb(&members, seed * 10 + nth))
                    })
                })
                .collect();
            let answered: usize = senders.into_iter().map(|one| one.join().unwrap()).sum();
            assert_eq!(answered, 3 * ASKS, "every ask has one answer");
            for member in &members {
                assert!(member.ask(Note(0), LONG).await.is_ok(), "{strategy:?}");
                assert_eq!(member.snapshot().state, State::Running);
            }
            drop(supervisor);
        }
    });
}

const ASKS: usize = 600;

/// Asks members at random; every third ask is a panic. Counts the answers, of whatever kind.
async fn disturb(members: &[Handle<Worker>], seed: u64) -> usize {
    let mut random = Random::new(seed, "disturber");
    let mut answered = 0;
    for number in 0..ASKS {
        let member = &members[usize::try_from(random.below(members.len() as u64)).unwrap()];
        if random.below(3) == 0 {
            let crash = member.ask(Boom, LONG).await.unwrap_err();
            assert!(is_an_end(&crash), "{crash:?}");
        } else {
            match member.ask(Note(number as u64), LONG).await {
                Ok(_) => {}
                Err(end) => assert!(is_an_end(&end), "{end:?}"),
            }
        }
        answered += 1;
    }
    answered
}

const fn is_an_end(failure: &Failure) -> bool {
    matches!(failure, Failure::Crashed { .. } | Failure::Restarted { .. })
}

#[test]
fn too_many_falls_end_the_family_and_its_owner_hears_of_it() {
    run(async {
        let tree = Tree::new(1);
        let supervisor = family(&tree, Strategy::OneForOne, 2);
        let members = members(&tree, &[Arbiter::current(), Arbiter::current()]);
        for fall in 0..3 {
            members[fall % 2].ask(Boom, LONG).await.unwrap_err();
        }
        let exit = timeout(LONG, supervisor.exited()).await.unwrap();
        let Exit::GaveUp(why) = exit else {
            panic!("{exit:?}");
        };
        assert!(why.contains("family/0") && why.contains("boom"), "{why}");
        for member in &members {
            let refused = member.try_cast(Note(0)).unwrap_err();
            assert_eq!(refused.reason, Reason::Suspended);
        }
        let node = tree.find("family").unwrap();
        assert_eq!(node.state, State::Suspended);
        assert!(node.last_crash.unwrap().panic.contains("boom"));
        // Whoever is placed under it afterwards is on its own.
        let (late, _) = worker_in(&tree, "family/late", quick(), &Arbiter::current());
        late.ask(Boom, LONG).await.unwrap_err();
        assert_eq!(late.ask(Note(1), LONG).await, Ok(2));
    });
}

#[test]
fn a_child_that_waits_for_its_turn_can_be_stopped_removed_and_drained() {
    run(async {
        for how in 0..4 {
            let tree = Tree::new(1);
            let supervisor = family(&tree, Strategy::OneForAll, 10);
            let slow = Policy {
                backoff: vyrox_supervision::Backoff {
                    base: Duration::from_hours(1),
                    max: Duration::from_hours(1),
                    reset_after: LONG,
                },
                ..quick()
            };
            let (elder, _) = worker_in(&tree, "family/elder", slow, &Arbiter::current());
            let (young, diary) = worker_in(&tree, "family/young", quick(), &Arbiter::current());
            assert_eq!(young.ask(Note(1), LONG).await, Ok(1));
            elder.ask(Boom, LONG).await.unwrap_err();
            // Both are down: the elder pauses, and the young one waits for it.
            assert_eq!(young.snapshot().state, State::BackingOff);
            let queued = (how == 2).then(|| young.try_ask(Note(2)).unwrap());
            match how {
                0 => young.stop(Stop::Now),
                1 | 2 => young.stop(Stop::Drain),
                _ => tree.remove("family"),
            }
            let exit = timeout(Duration::from_hours(2), young.exited())
                .await
                .unwrap();
            let wanted = if how == 0 { Exit::Killed } else { Exit::Normal };
            assert_eq!(exit, wanted, "{how}");
            if let Some(queued) = queued {
                assert_eq!(
                    queued.await,
                    Ok(2),
                    "what was queued is handled in its turn"
                );
                assert_eq!(diary.notes(), [1, 2]);
            }
            drop(supervisor);
        }
    });
}

#[test]
fn a_family_in_the_middle_of_a_restart_shuts_down_in_time() {
    run(async {
        let tree = Tree::new(1);
        let _supervisor = family(&tree, Strategy::OneForAll, 10);
        let members = members(&tree, &[Arbiter::current(), Arbiter::current()]);
        let boom = members[0].try_ask(Boom).unwrap();
        let kept = members[1].try_ask(Note(7)).unwrap();
        let report = tree.shutdown(LONG).await;
        assert_eq!(report.children.len(), 2);
        assert!(boom.await.is_err());
        assert!(matches!(
            kept.await,
            Ok(_) | Err(Failure::Restarted { .. } | Failure::Closed)
        ));
    });
}

#[test]
fn a_transient_child_that_has_ended_is_not_brought_back() {
    run(async {
        let tree = Tree::new(1);
        let _supervisor = family(&tree, Strategy::OneForAll, 10);
        let transient = Policy {
            restart: Restart::Transient,
            ..quick()
        };
        let spec = Spec::new("family/errand", "worker").policy(transient);
        let diary = crate::worker::Diary::default();
        let own = diary.clone();
        let errand = tree.supervise(spec, &Arbiter::current(), move |generation| Worker {
            generation,
            diary: own.clone(),
        });
        let (other, _) = worker_in(&tree, "family/other", quick(), &Arbiter::current());
        errand.stop(Stop::Drain);
        assert_eq!(errand.exited().await, Exit::Normal);
        other.ask(Boom, LONG).await.unwrap_err();
        assert_eq!(other.ask(Note(0), LONG).await, Ok(2));
        tokio::time::sleep(ms(10)).await;
        assert_eq!(errand.snapshot().state, State::Stopped);
        assert_eq!(errand.snapshot().generation, 1);
    });
}
