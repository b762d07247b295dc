//! Leave against a plain list of what was entered and left.

use super::*;
use proptest::prelude::*;

const NAMES: [&str; 3] = ["one", "two", "three"];

fn ns(n: u64) -> Duration {
    Duration::from_nanos(n)
}

/// The guard of the outer zone gave back, when it was dropped, what had been before it: dropped in the
/// order of their making, the guards left a zone that nobody was in, or took away one that somebody was.
#[test]
fn zones_that_end_in_the_order_of_their_beginning_protect_no_longer_and_no_shorter() {
    let mut leave = Leave::default();
    let one = leave.enter(1, Held::new("one", ns(100), 10));
    let two = leave.enter(1, Held::new("two", ns(1_000), 20));
    leave.exit(1, one, 30);
    assert_eq!(leave.of(1).1.map(|zone| zone.what), Some("two"));
    leave.exit(1, two, 40);
    let (spent, zone) = leave.of(1);
    assert_eq!((spent, zone.is_none()), (ns(30), true));
}

/// A zone that was left forgave all the time before it: an actor that entered one every now and then was
/// never found busy.
#[test]
fn a_zone_forgives_the_time_that_was_spent_in_it_and_no_more() {
    let mut leave = Leave::default();
    for round in 1..=30 {
        let zone = leave.enter(1, Held::new("short", ns(5), round * 100));
        leave.exit(1, zone, round * 100 + 2);
    }
    assert_eq!(leave.of(1).0, ns(60));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Enter {
        name: usize,
        allowance: u64,
    },
    /// Leaves one of the zones that are held.
    Exit(usize),
    /// Another poll begins; its actor may keep guards of this one.
    Poll,
}

fn steps() -> impl Strategy<Value = Vec<(Step, u64)>> {
    let step = prop_oneof![
        4 => (0..NAMES.len(), 0..500u64)
            .prop_map(|(name, allowance)| Step::Enter { name, allowance }),
        4 => any::<usize>().prop_map(Step::Exit),
        1 => Just(Step::Poll),
    ];
    prop::collection::vec((step, 0..50u64), 1..60)
}

/// A guard, as the code that holds it knows it.
struct Guard {
    poll: u64,
    number: u64,
    until: u64,
}

proptest! {
    #[test]
    fn leave_is_what_is_held_and_what_was_spent(steps in steps()) {
        let (mut leave, mut guards) = (Leave::default(), Vec::<Guard>::new());
        let (mut now, mut poll, mut spent) = (1u64, 1u64, 0u64);
        for (step, pause) in steps {
            if guards.iter().any(|guard| guard.poll == poll) {
                spent += pause;
            }
            now += pause;
            match step {
                Step::Enter { name, allowance } => {
                    let number = leave.enter(poll, Held::new(NAMES[name], ns(allowance), now));
                    guards.push(Guard { poll, number, until: now + allowance });
                }
                Step::Exit(at) if !guards.is_empty() => {
                    let guard = guards.remove(at % guards.len());
                    leave.exit(guard.poll, guard.number, now);
                }
                Step::Exit(_) => {}
                Step::Poll => (poll, spent) = (poll + 1, 0),
            }
            let mine = guards.iter().filter(|guard| guard.poll == poll);
            let until = mine.map(|guard| guard.until).max();
            let (so_far, zone) = leave.of(poll);
            prop_assert_eq!(zone.map(|zone| zone.ends()), until);
            // Time in zones is known once the last one has been left.
            if until.is_none() {
                prop_assert_eq!(so_far, ns(spent));
            }
        }
    }
}
