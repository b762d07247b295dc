//! Messages that keep crashing their actor: how they are put away, and how they come back.

mod redrive;

use crate::worker::{Boom, LONG, Note, Worker, quick, run_in, with_threads, worker, worker_in};
use actix::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use vyrox_supervision::testing::run;
use vyrox_supervision::{
    Class, Classified, DeadLetter, Exit, Failure, Handle, Policy, RedriveError, State, Tree,
};

/// More than any policy in here allows a message.
const MOST_CRASHES: u32 = 10;

/// Crashes the worker for as long as its cause is there; else it notes its number. It answers whom it
/// concerns by a channel of its own.
struct Job {
    number: u64,
    cause: Cause,
    answer: Sender<DeadLetter>,
    manner: Manner,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Mild,
    /// Panics when it is told that it is put away.
    PanicsWhenTold,
    /// Panics when it is dropped.
    PanicsInDrop,
}

/// What makes jobs crash, until the test removes it.
#[derive(Clone)]
struct Cause(Arc<AtomicBool>);

impl Cause {
    fn remove(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Message for Job {
    type Result = ();
}

impl Classified for Job {
    const CLASS: Class = Class::Bulk;

    fn digest(&self) -> u64 {
        self.number
    }

    fn quarantined(&mut self, letter: &DeadLetter) {
        self.answer.send(letter.clone()).unwrap();
        assert!(self.manner != Manner::PanicsWhenTold, "on purpose");
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let mild = self.manner != Manner::PanicsInDrop || std::thread::panicking();
        assert!(mild, "on purpose");
    }
}

impl Handler<Job> for Worker {
    type Result = ();

    fn handle(&mut self, job: Job, _: &mut Self::Context) {
        assert!(!job.cause.0.load(Ordering::Relaxed), "bad job");
        self.note(job.number);
    }
}

/// Makes jobs that share a cause and an address for their answers.
struct Jobs {
    cause: Cause,
    answer: Sender<DeadLetter>,
    answers: Receiver<DeadLetter>,
}

impl Jobs {
    fn new() -> Self {
        let (answer, answers) = channel();
        Self {
            cause: Cause(Arc::new(AtomicBool::new(true))),
            answer,
            answers,
        }
    }

    fn job(&self, number: u64, manner: Manner) -> Job {
        Job {
            number,
            cause: self.cause.clone(),
            answer: self.answer.clone(),
            manner,
        }
    }

    /// Sends a job until it has gone to the dead letters, and gives out the number of its letter.
    async fn quarantine(&self, handle: &Handle<Worker>, number: u64, manner: Manner) -> u64 {
        for _ in 0..MOST_CRASHES {
            match handle.ask(self.job(number, manner), LONG).await {
                Err(Failure::Crashed { .. }) => {}
                Err(Failure::Quarantined) => return self.answers.try_recv().unwrap().number,
                other => panic!("neither a crash nor quarantine: {other:?}"),
            }
        }
        panic!("never quarantined");
    }
}

fn letter_numbers(handle: &Handle<Worker>) -> Vec<u64> {
    let letters = handle.dead_letters();
    letters.iter().map(|letter| letter.number).collect()
}

#[test]
fn a_message_is_told_once_and_a_panic_of_it_goes_no_further() {
    run(async {
        let (_tree, handle, diary) = worker(quick());
        let jobs = Jobs::new();
        for (digest, manner) in [(7, Manner::Mild), (8, Manner::PanicsWhenTold)] {
            let generation = handle.snapshot().generation + 2;
            for _ in 0..3 {
                handle.try_cast(jobs.job(digest, manner)).unwrap();
            }
            assert_eq!(handle.ask(Note(digest), LONG).await, Ok(generation));
            let told = jobs.answers.try_recv().unwrap();
            assert_eq!((told.digest, told.generation), (digest, generation));
            assert!(jobs.answers.try_recv().is_err(), "told once");
            assert_eq!(handle.dead_letters().last(), Some(&told));
        }
        jobs.cause.remove();
        for number in letter_numbers(&handle) {
            assert_eq!(handle.redrive(number), Ok(()), "the panic cost no message");
        }
        assert_eq!(handle.ask(Note(1), LONG).await, Ok(5));
        assert_eq!(diary.notes(), [7, 8, 7, 8, 1]);
    });
}

/// The asker was free to do it another way since: to handle the message later would do it twice.
#[test]
fn a_message_that_its_asker_took_back_is_not_kept() {
    run(async {
        let (_tree, handle, _) = worker(quick());
        let jobs = Jobs::new();
        let kept = jobs.quarantine(&handle, 7, Manner::Mild).await;
        drop(handle.try_ask(jobs.job(7, Manner::Mild)).unwrap());
        handle.ask(Note(1), LONG).await.unwrap();
        assert!(jobs.answers.try_recv().is_err(), "not even told");
        let letters = handle.dead_letters();
        assert_eq!(letters.len(), 2, "but it is on record");
        assert_eq!((letters[0].number, letters[0].kept), (kept, true));
        assert!(!letters[1].kept);
        assert_eq!(
            handle.redrive(letters[1].number),
            Err(RedriveError::NotKept)
        );
    });
}

#[test]
fn kept_messages_are_bounded_and_their_drops_may_panic() {
    run(async {
        let policy = Policy {
            dead_letters: 2,
            ..quick()
        };
        let (tree, handle, _) = worker(policy);
        let jobs = Jobs::new();
        let mut numbers = Vec::new();
        for digest in 1..=4 {
            let number = jobs.quarantine(&handle, digest, Manner::PanicsInDrop);
            numbers.push(number.await);
        }
        assert_eq!(letter_numbers(&handle), numbers[2..]);
        assert_eq!(handle.discard(numbers[2]), Ok(()));
        assert_eq!(handle.discard(numbers[2]), Err(RedriveError::NoLetter));
        assert_eq!(letter_numbers(&handle), numbers[3..]);
        let alive = handle.snapshot();
        assert_eq!((alive.state, alive.poisoned), (State::Running, 4));
        tree.remove("worker");
        assert_eq!(tree.dead_letters_gone(), 1);
    });
}

#[test]
fn one_bad_message_does_not_use_up_the_budget_of_restarts() {
    run(async {
        let policy = Policy {
            intensity: 1,
            poison_after: 4,
            ..quick()
        };
        let (_tree, handle, _) = worker(policy);
        let jobs = Jobs::new();
        let mut number = jobs.quarantine(&handle, 7, Manner::Mild).await;
        for restarts in [4, 8, 12] {
            assert_eq!(handle.snapshot().restarts, restarts);
            handle.redrive(number).unwrap();
            number = jobs.quarantine(&handle, 7, Manner::Mild).await;
        }
        handle.ask(Boom, LONG).await.unwrap_err();
        assert_eq!(
            handle.snapshot().state,
            State::Running,
            "a budget of its own"
        );

        let (_tree, handle, _) = worker(policy);
        jobs.quarantine(&handle, 7, Manner::Mild).await;
        for _ in 0..4 {
            let fell = handle.ask(jobs.job(8, Manner::Mild), LONG).await;
            assert!(matches!(fell, Err(Failure::Crashed { .. })), "{fell:?}");
        }
        let exit = handle.exited().await;
        assert_eq!(
            exit,
            Exit::GaveUp("bad job (in it::poison::Job)".to_owned()),
            "different bad messages do count"
        );
    });
}

#[test]
fn a_storm_of_quarantined_messages_leaves_neighbours_their_turns() {
    run(async {
        let policy = Policy {
            slice: LONG,
            ..quick()
        };
        let (tree, handle, _) = worker(policy);
        let (neighbour, diary) = worker_in(&tree, "next", quick(), &Arbiter::current());
        let jobs = Jobs::new();
        jobs.quarantine(&handle, 7, Manner::Mild).await;
        neighbour.ask(Note(0), LONG).await.unwrap();
        for _ in 0..1_000 {
            handle.try_cast(jobs.job(7, Manner::Mild)).unwrap();
        }
        let storm = handle.clone();
        let look = run_in(move |worker, _| worker.note(storm.snapshot().poisoned));
        neighbour.ask(look, LONG).await.unwrap();
        let notes = diary.notes();
        let put_away = notes[1] - 1;
        let budgets = 2 * u64::from(policy.budget);
        assert!(
            put_away <= budgets,
            "{put_away} before the neighbour's turn"
        );
        handle.ask(Note(1), LONG).await.unwrap();
        assert_eq!(handle.snapshot().poisoned, 1_001);
        let oldest_kept = handle.dead_letters()[0].number;
        assert_eq!((handle.dead_letters().len(), oldest_kept), (64, 938));
    });
}

/// Blocks its thread when it is told that it is put away.
struct Stubborn(Option<(Sender<()>, Receiver<()>)>);

impl Message for Stubborn {
    type Result = ();
}

impl Classified for Stubborn {
    const CLASS: Class = Class::Bulk;

    fn digest(&self) -> u64 {
        1
    }

    fn quarantined(&mut self, _: &DeadLetter) {
        if let Some((entered, gate)) = self.0.take() {
            entered.send(()).unwrap();
            assert!(gate.recv().is_err(), "ends when the test lets go");
        }
    }
}

impl Handler<Stubborn> for Worker {
    type Result = ();

    fn handle(&mut self, _: Stubborn, _: &mut Self::Context) {
        panic!("bad job");
    }
}

#[test]
fn a_message_that_blocks_when_told_keeps_neither_its_asker_nor_its_actor() {
    with_threads(async {
        let (tree, arbiter, spare) = (Tree::new(1), Arbiter::new(), Arbiter::new());
        let (handle, diary) = worker_in(&tree, "worker", quick(), &arbiter.handle());
        for _ in 0..2 {
            handle.ask(Stubborn(None), LONG).await.unwrap_err();
        }
        let ((entered, blocked), (open, gate)) = (channel(), channel());
        let asked = handle.try_ask(Stubborn(Some((entered, gate)))).unwrap();
        blocked.recv_timeout(LONG).unwrap();
        handle.move_to(&spare.handle());
        let message = "it::poison::Stubborn";
        let generation = 3;
        let stalled = Failure::Stalled {
            message,
            generation,
        };
        assert_eq!(asked.await, Err(stalled));
        assert_eq!(handle.ask(Note(1), LONG).await, Ok(4));
        assert_eq!(handle.dead_letters(), [], "it still has its message");
        drop(open);
        // The thread that was blocked answers again once it has put the message away.
        let (after, _) = worker_in(&tree, "after", quick(), &arbiter.handle());
        after.ask(Note(2), LONG).await.unwrap();
        let letters = handle.dead_letters();
        assert_eq!((letters.len(), letters[0].generation), (1, 3));
        assert!(letters[0].kept);
        assert_eq!(diary.notes(), [1]);
    });
}
