//! The quarantine on its own, with messages that nobody handles.

use super::*;
use crate::context::SupervisedContext;
use crate::lane::Class;
use crate::lock::REMEMBERED;
use crate::parcel::{Dormant, Envelope};
use actix::Actor;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

struct Nobody;

impl Actor for Nobody {
    type Context = SupervisedContext<Self>;
}

struct SomebodyElse;

impl Actor for SomebodyElse {
    type Context = SupervisedContext<Self>;
}

/// Counts its drop.
struct Stub(Arc<AtomicU64>);

impl Dormant<Nobody> for Stub {
    fn class(&self) -> Class {
        Class::Containment
    }

    fn wake(self: Box<Self>, _: DeadLetter, _: Option<Instant>) -> Arc<dyn Envelope<Nobody>> {
        panic!("nobody handles it");
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

const fn key(digest: u64) -> Key {
    Key {
        message: "M",
        digest,
    }
}

fn crash() -> Crash {
    Crash {
        at_ms: 1,
        message: "M",
        panic: "no".to_owned(),
        location: Some("a.rs:1:2".to_owned()),
    }
}

fn letter(number: u64, digest: u64, drops: Option<&Arc<AtomicU64>>) -> Letter {
    let record = DeadLetter {
        number,
        message: "M",
        digest,
        generation: 3,
        at_ms: 9,
        panic: "no".to_owned(),
        location: None,
        kept: drops.is_some(),
    };
    let stub = |drops: &Arc<AtomicU64>| Kept::new::<Nobody>(Box::new(Stub(Arc::clone(drops))));
    Letter {
        record,
        message: drops.map(stub),
    }
}

fn numbers(letters: &Letters) -> Vec<u64> {
    let records = letters.records::<Nobody>();
    records.iter().map(|record| record.number).collect()
}

#[test]
fn the_limit_counts_crashes_of_the_same_content() {
    let mut quarantine = Quarantine::default();
    let suspect = |digest| Blame::Suspect(key(digest));
    assert_eq!(quarantine.crashed(key(7), &crash(), 2), suspect(7));
    assert_eq!(quarantine.crashed(key(8), &crash(), 2), suspect(8));
    assert_eq!(quarantine.catches(key(7), 2), None);
    let poison = Blame::Poison(key(7));
    assert_eq!(quarantine.crashed(key(7), &crash(), 2), poison);
    assert_eq!(quarantine.catches(key(8), 2), None);
    assert_eq!(quarantine.catches(key(7), 0), None, "0 turns it off");
    assert_eq!(quarantine.total(), 0);
    let evidence = Evidence {
        panic: "no".to_owned(),
        location: Some("a.rs:1:2".to_owned()),
    };
    assert_eq!(quarantine.catches(key(7), 2), Some(evidence));
    assert_eq!(quarantine.total(), 1);
}

/// Falls that no quarantine will end must count in full, or an actor could fall for ever.
#[test]
fn what_cannot_be_quarantined_is_the_actors_own_fault() {
    let mut quarantine = Quarantine::default();
    for (digest, limit) in [(0, 1), (7, 0)] {
        let blame = quarantine.crashed(key(digest), &crash(), limit);
        assert_eq!(blame, Blame::Actor);
        assert!(quarantine.is_clean());
        assert_eq!(quarantine.catches(key(digest), 1), None);
    }
}

#[test]
fn the_memory_of_suspects_is_bounded_and_keeps_the_newest() {
    let mut quarantine = Quarantine::default();
    for digest in 1..=100 {
        quarantine.crashed(key(digest), &crash(), 1);
    }
    let caught = |digest| quarantine.catches(key(digest), 1).is_some();
    let all: Vec<bool> = (1..=100).map(caught).collect();
    let forgotten = all.iter().take_while(|caught| !**caught).count();
    assert_eq!(forgotten, 100 - REMEMBERED);
    assert!(all[forgotten..].iter().all(|caught| *caught));
}

#[test]
fn a_limit_of_zero_keeps_the_newest_records() {
    let mut letters = Letters::default();
    let mut pushed_out = 0;
    for number in 1..=100 {
        pushed_out += letters.keep(letter(number, 7, None), 0).len();
    }
    let newest: Vec<u64> = (100 - REMEMBERED as u64 + 1..=100).collect();
    assert_eq!(numbers(&letters), newest);
    assert_eq!(pushed_out, 100 - REMEMBERED);
    assert_eq!(letters.class_of::<Nobody>(100), Err(RedriveError::NotKept));
}

#[test]
fn a_message_is_of_use_only_to_actors_of_its_type() {
    let (mut letters, drops) = (Letters::default(), Arc::<AtomicU64>::default());
    assert!(letters.keep(letter(1, 7, Some(&drops)), 1).is_empty());
    assert_eq!(letters.class_of::<Nobody>(1), Ok(Class::Containment));
    assert_eq!(
        letters.class_of::<SomebodyElse>(1),
        Err(RedriveError::NotKept)
    );
    assert_eq!(letters.class_of::<Nobody>(2), Err(RedriveError::NoLetter));
    assert!(letters.records::<Nobody>()[0].kept);
    assert!(!letters.records::<SomebodyElse>()[0].kept);
    let message = letters.take(1).and_then(|letter| letter.message);
    assert!(message.and_then(Kept::open::<SomebodyElse>).is_none());
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

/// Handovers can leave more letters than the next actor's limit, and a generation that was blocked
/// while it put a message away brings its letter after newer ones.
#[test]
fn letters_are_kept_in_the_order_of_their_numbers_within_the_limit_of_the_day() {
    let (mut letters, drops) = (Letters::default(), Arc::<AtomicU64>::default());
    let mut keep = |number, limit| {
        let pushed_out = letters.keep(letter(number, 7, Some(&drops)), limit);
        let pushed_out: Vec<_> = pushed_out.iter().map(|l| l.record.number).collect();
        (numbers(&letters), pushed_out)
    };
    for (number, limit, left, pushed_out) in [
        (2, 4, vec![2], vec![]),
        (5, 4, vec![2, 5], vec![]),
        (3, 4, vec![2, 3, 5], vec![]),
        (4, 2, vec![4, 5], vec![2, 3]),
        (1, 2, vec![4, 5], vec![1]),
    ] {
        assert_eq!(keep(number, limit), (left, pushed_out));
    }
    assert_eq!(drops.load(Ordering::Relaxed), 3);
}

#[derive(Clone, Debug)]
enum Step {
    Crash(u64),
    Arrive(u64),
    /// The position of the letter.
    Redrive(usize),
    Discard(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0u64..8).prop_map(Step::Crash),
        4 => (0u64..8).prop_map(Step::Arrive),
        1 => (0usize..8).prop_map(Step::Redrive),
        1 => (0usize..8).prop_map(Step::Discard),
    ];
    prop::collection::vec(step, 0..200)
}

/// What the quarantine ought to know.
#[derive(Default)]
struct Model {
    crashes: BTreeMap<u64, u32>,
    /// Number and digest of the letters.
    letters: Vec<(u64, u64)>,
    arrivals_caught: u64,
}

impl Model {
    fn catches(&self, digest: u64, limit: u32) -> bool {
        limit > 0 && self.crashes.get(&digest).is_some_and(|n| *n >= limit)
    }

    fn crash(&mut self, digest: u64, limit: u32) {
        if digest != 0 && limit != 0 {
            *self.crashes.entry(digest).or_default() += 1;
        }
    }

    fn arrive(&mut self, digest: u64, kept: usize) {
        self.arrivals_caught += 1;
        self.letters.push((self.arrivals_caught, digest));
        let excess = self.letters.len().saturating_sub(kept);
        self.letters.drain(..excess);
    }
}

proptest! {
    /// Whatever happens: the store is within its bound, letters have numbers that grow, every message
    /// that left was dropped once, and a re-driven letter forgives its own key and no other.
    #[test]
    fn the_quarantine_agrees_with_the_model(steps in steps(), limit in 0u32..4, kept in 1usize..6) {
        let (mut quarantine, mut model) = (Quarantine::default(), Model::default());
        let (drops, mut stored) = (Arc::<AtomicU64>::default(), 0);
        for step in steps {
            match step {
                Step::Crash(digest) => {
                    quarantine.crashed(key(digest), &crash(), limit);
                    model.crash(digest, limit);
                }
                Step::Arrive(digest) => {
                    let caught = quarantine.catches(key(digest), limit).is_some();
                    prop_assert_eq!(caught, model.catches(digest, limit));
                    if caught {
                        let letter = letter(quarantine.total(), digest, Some(&drops));
                        drop(quarantine.letters.keep(letter, kept));
                        stored += 1;
                        model.arrive(digest, kept);
                    }
                }
                Step::Redrive(at) if at < model.letters.len() => {
                    let (number, digest) = model.letters.remove(at);
                    let letter = quarantine.letters.take(number).unwrap();
                    prop_assert_eq!(letter.key(), key(digest));
                    let forgiven = quarantine.forgive(letter.key());
                    let expected = model.crashes.remove(&digest).unwrap_or(0);
                    prop_assert_eq!(forgiven, expected);
                }
                Step::Discard(at) if at < model.letters.len() => {
                    let (number, _) = model.letters.remove(at);
                    prop_assert!(quarantine.letters.take(number).is_some());
                }
                Step::Redrive(_) | Step::Discard(_) => {
                    let absent = model.arrivals_caught + 1;
                    prop_assert!(quarantine.letters.take(absent).is_none());
                }
            }
            let left = numbers(&quarantine.letters);
            prop_assert!(left.is_sorted_by(|a, b| a < b) && left.len() <= kept);
            let expected: Vec<_> = model.letters.iter().map(|(number, _)| *number).collect();
            prop_assert_eq!(left, expected);
            prop_assert_eq!(quarantine.total(), model.arrivals_caught);
            let inside = quarantine.letters.len() as u64;
            prop_assert_eq!(drops.load(Ordering::Relaxed), stored - inside);
        }
    }
}
