//! How dead letters are found, re-driven and handed over.

use super::{Jobs, Manner, letter_numbers};
use crate::worker::{Boom, LONG, Note, bulk, quick, worker, worker_in};
use actix::prelude::*;
use vyrox_supervision::testing::{run, settle};
use vyrox_supervision::{
    DeadLetter, Exit, Failure, Overflow, Policy, Reason, RedriveError, Spec, Stop,
    SupervisedContext, Tree,
};

#[test]
fn a_dead_letter_keeps_its_message_which_a_redrive_has_handled_after_all() {
    run(async {
        let (tree, handle, diary) = worker(quick());
        let jobs = Jobs::new();
        let number = jobs.quarantine(&handle, 7, Manner::Mild).await;
        let letters = handle.dead_letters();
        assert_eq!(letters.len(), 1);
        assert_eq!((letters[0].number, letters[0].digest), (number, 7));
        assert!(letters[0].kept);
        jobs.cause.remove();
        handle.try_cast(Note(1)).unwrap();
        assert_eq!(handle.redrive(number), Ok(()));
        settle().await;
        assert_eq!(diary.notes(), [1, 7], "handled in its turn");
        assert_eq!(handle.dead_letters(), []);
        assert_eq!(handle.redrive(number), Err(RedriveError::NoLetter));
        assert_eq!(handle.ask(jobs.job(7, Manner::Mild), LONG).await, Ok(()));
        assert_eq!(tree.find("worker").unwrap().poisoned, 1, "the total stays");
    });
}

#[test]
fn a_redriven_message_that_crashes_again_counts_from_zero() {
    run(async {
        let (tree, handle, _) = worker(quick());
        let jobs = Jobs::new();
        let first = jobs.quarantine(&handle, 7, Manner::Mild).await;
        let other = jobs.quarantine(&handle, 8, Manner::Mild).await;
        assert_eq!(handle.redrive(first), Ok(()));
        let second = handle.ask(jobs.job(7, Manner::Mild), LONG).await;
        let message = "it::poison::Job";
        let generation = 6;
        let crashed = Failure::Crashed {
            message,
            generation,
        };
        assert_eq!(second, Err(crashed), "the re-driven one crashed the fifth");
        let third = handle.ask(jobs.job(7, Manner::Mild), LONG).await;
        assert_eq!(third, Err(Failure::Quarantined));
        let untouched = handle.ask(jobs.job(8, Manner::Mild), LONG).await;
        assert_eq!(untouched, Err(Failure::Quarantined), "only 7 was forgiven");
        let numbers = letter_numbers(&handle);
        assert_eq!((numbers.len(), numbers[0]), (3, other));
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        assert_eq!(tree.find("worker").unwrap().poisoned, 4);
    });
}

#[test]
fn a_letter_that_is_refused_stays() {
    run(async {
        let policy = bulk(1, Overflow::Reject);
        let (tree, handle, diary) = worker(policy);
        let jobs = Jobs::new();
        let number = jobs.quarantine(&handle, 7, Manner::Mild).await;
        let refused = |reason| {
            let rejected = handle.snapshot().mailbox.rejected;
            let error = RedriveError::NotAdmitted(reason);
            assert_eq!(tree.redrive("worker", number), Err(error));
            assert_eq!(letter_numbers(&handle), [number]);
            assert_eq!(handle.snapshot().mailbox.rejected, rejected + 1);
        };
        handle.try_cast(Note(1)).unwrap();
        refused(Reason::Full);
        handle.stop(Stop::Drain);
        refused(Reason::Closed);
        assert_eq!(handle.exited().await, Exit::Normal);
        refused(Reason::Closed);
        assert_eq!(diary.notes(), [1]);

        let strict = Policy {
            intensity: 1,
            ..policy
        };
        let (again, _) = worker_in(&tree, "worker", strict, &Arbiter::current());
        for _ in 0..2 {
            again.ask(Boom, LONG).await.unwrap_err();
        }
        assert!(matches!(again.exited().await, Exit::GaveUp(_)));
        let error = RedriveError::NotAdmitted(Reason::Suspended);
        assert_eq!(tree.redrive("worker", number), Err(error));
        assert_eq!(letter_numbers(&again), [number]);
    });
}

#[test]
fn a_redrive_makes_room_in_a_lane_that_drops_its_oldest() {
    run(async {
        let (_tree, handle, diary) = worker(bulk(1, Overflow::DropOldest));
        let jobs = Jobs::new();
        let number = jobs.quarantine(&handle, 7, Manner::Mild).await;
        jobs.cause.remove();
        let oldest = handle.try_ask(Note(1)).unwrap();
        assert_eq!(handle.redrive(number), Ok(()));
        assert_eq!(oldest.await, Err(Failure::Evicted));
        handle.stop(Stop::Drain);
        handle.exited().await;
        assert_eq!(diary.notes(), [7]);
    });
}

#[test]
fn what_is_not_there_is_not_redriven() {
    run(async {
        let policy = Policy {
            dead_letters: 0,
            ..quick()
        };
        let (tree, handle, _) = worker(policy);
        tree.group("empty", "group");
        let jobs = Jobs::new();
        let record = jobs.quarantine(&handle, 7, Manner::Mild).await;
        for (id, number, error) in [
            ("nobody", record, RedriveError::NoActor),
            ("empty", record, RedriveError::NoActor),
            ("worker", record + 1, RedriveError::NoLetter),
            ("worker", record, RedriveError::NotKept),
        ] {
            assert_eq!(tree.redrive(id, number), Err(error), "{id} {number}");
            let discarded = match error {
                RedriveError::NotKept => Ok(()),
                missing => Err(missing),
            };
            assert_eq!(tree.discard(id, number), discarded, "{id} {number}");
        }
        assert_eq!(tree.dead_letters(), []);
    });
}

#[test]
fn the_letters_of_a_tree_are_listed_by_age_and_by_id() {
    run(async {
        let tree = Tree::with_clock(1, || 1_000_000);
        let jobs = Jobs::new();
        let ids = ["tenant/b", "tenant/a/machine", "tenant/ab", "tenant/a"];
        let mut actors = Vec::new();
        for (digest, id) in (1..).zip(ids) {
            let (actor, _) = worker_in(&tree, id, quick(), &Arbiter::current());
            jobs.quarantine(&actor, digest, Manner::Mild).await;
            actors.push(actor);
        }
        jobs.quarantine(&actors[0], 5, Manner::Mild).await;
        let listed = |letters: Vec<(String, DeadLetter)>| -> Vec<(String, u64)> {
            let digest = |(id, letter): (String, DeadLetter)| (id, letter.digest);
            letters.into_iter().map(digest).collect()
        };
        let expected = |all: &[(&str, u64)]| -> Vec<(String, u64)> {
            all.iter().map(|(id, n)| ((*id).to_owned(), *n)).collect()
        };
        let [b, a_machine, ab, a] = ids;
        for (under, found) in [
            (
                "tenant",
                &[(b, 1), (a_machine, 2), (ab, 3), (a, 4), (b, 5)][..],
            ),
            ("tenant/a", &[(a_machine, 2), (a, 4)]),
            ("tenant/ab", &[(ab, 3)]),
            ("tenant/", &[]),
            ("ten", &[]),
        ] {
            let letters = tree.dead_letters_under(under);
            assert_eq!(listed(letters), expected(found), "under {under}");
        }
        assert_eq!(tree.dead_letters(), tree.dead_letters_under("tenant"));
    });
}

/// Another type of actor, which handles no jobs.
struct Stranger;

impl Actor for Stranger {
    type Context = SupervisedContext<Self>;
}

#[test]
fn letters_go_over_to_the_next_actor_of_the_id_until_it_is_removed() {
    run(async {
        let (tree, first, _) = worker(quick());
        let jobs = Jobs::new();
        let number = jobs.quarantine(&first, 7, Manner::Mild).await;
        let here = Arbiter::current();
        let (second, diary) = worker_in(&tree, "worker", quick(), &here);
        assert_eq!(first.exited().await, Exit::Killed);
        assert_eq!(first.dead_letters(), []);
        assert_eq!(letter_numbers(&second), [number]);
        let next = jobs.quarantine(&second, 8, Manner::Mild).await;
        assert!(next > number, "{next} after {number}");
        jobs.cause.remove();
        settle().await;
        assert_eq!(second.redrive(number), Ok(()));
        settle().await;
        assert_eq!(diary.notes(), [7], "an idle actor wakes for it");

        let stranger = tree.supervise(Spec::new("worker", "stranger"), &here, |_| Stranger);
        let letters = stranger.dead_letters();
        assert_eq!((letters.len(), letters[0].number), (1, next));
        assert!(!letters[0].kept, "a stranger has no use for the message");
        assert_eq!(stranger.redrive(next), Err(RedriveError::NotKept));
        let (third, _) = worker_in(&tree, "worker", quick(), &here);
        assert!(third.dead_letters()[0].kept, "but it was not lost");

        tree.remove("worker");
        assert_eq!((tree.dead_letters(), tree.dead_letters_gone()), (vec![], 1));
        assert_eq!(third.dead_letters(), []);
        let (fourth, _) = worker_in(&tree, "worker", quick(), &here);
        assert_eq!(fourth.dead_letters(), []);
        let node = tree.find("worker").unwrap();
        assert_eq!(node.poisoned, 2, "the total outlives all of them");
        tree.group("worker", "group");
        assert_eq!(tree.redrive("worker", next), Err(RedriveError::NoActor));
    });
}

/// The letters were taken from a removed actor before it drained: those that it put away while it drained
/// went without being counted.
#[test]
fn letters_that_are_put_away_after_a_removal_are_counted_as_gone() {
    run(async {
        let (tree, handle, diary) = worker(quick());
        let jobs = Jobs::new();
        jobs.quarantine(&handle, 7, Manner::Mild).await;
        for _ in 0..3 {
            handle.try_cast(jobs.job(8, Manner::Mild)).unwrap();
        }
        handle.try_cast(Note(1)).unwrap();
        tree.remove("worker");
        assert_eq!(tree.dead_letters_gone(), 1);
        assert_eq!(handle.exited().await, Exit::Normal);
        assert_eq!(diary.notes(), [1], "it drained");
        assert_eq!(jobs.answers.try_recv().unwrap().digest, 8);
        assert_eq!(
            (handle.dead_letters(), tree.dead_letters_gone()),
            (vec![], 2)
        );
    });
}
