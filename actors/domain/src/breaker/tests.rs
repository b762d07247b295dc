use proptest::prelude::*;

use super::*;

const LIMITS: BreakerLimits = BreakerLimits {
    failures: 3,
    pause_ms: 1_000,
    pause_max_ms: 4_000,
};

fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(1_800_000_000_000).plus_ms(ms)
}

fn fail(breaker: &mut Breaker, ms: u64) {
    let pass = breaker.admit(at(ms)).expect("a pass");
    breaker.failed(&pass, at(ms));
}

#[test]
fn failures_in_a_row_open_it_and_a_success_between_forgets_them() {
    let mut breaker = Breaker::new(LIMITS);
    fail(&mut breaker, 0);
    fail(&mut breaker, 0);
    let pass = breaker.admit(at(0)).expect("a pass");
    breaker.succeeded(&pass);
    fail(&mut breaker, 0);
    fail(&mut breaker, 0);
    assert_eq!(breaker.state(), BreakerState::Closed);
    fail(&mut breaker, 0);
    assert_eq!(breaker.state(), BreakerState::Open);
    assert_eq!(breaker.admit(at(999)).err(), Some(Open));
}

#[test]
fn after_the_pause_one_call_is_tried_and_its_success_closes_it() {
    let mut breaker = Breaker::new(LIMITS);
    (0..3).for_each(|_| fail(&mut breaker, 0));
    let trial = breaker.admit(at(1_000)).expect("the trial");
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    assert_eq!(breaker.admit(at(90_000)).err(), Some(Open));
    breaker.succeeded(&trial);
    assert_eq!(breaker.state(), BreakerState::Closed);
    assert!(breaker.admit(at(1_000)).is_ok());
}

#[test]
fn failed_trials_double_the_pause_up_to_its_limit() {
    let mut breaker = Breaker::new(LIMITS);
    (0..3).for_each(|_| fail(&mut breaker, 0));
    let mut now = 0;
    for pause in [1_000, 2_000, 4_000, 4_000] {
        assert!(breaker.admit(at(now + pause - 1)).is_err(), "{pause}");
        now += pause;
        fail(&mut breaker, now);
    }
}

#[test]
fn a_call_of_an_earlier_round_has_no_say() {
    let mut breaker = Breaker::new(LIMITS);
    let early = breaker.admit(at(0)).expect("a pass");
    (0..3).for_each(|_| fail(&mut breaker, 0));
    breaker.succeeded(&early);
    assert_eq!(breaker.state(), BreakerState::Open);
    let trial = breaker.admit(at(1_000)).expect("the trial");
    breaker.failed(&early, at(1_000));
    breaker.gave_up(&early);
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    assert!(breaker.admit(at(1_000)).is_err());
    breaker.succeeded(&trial);
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn a_trial_that_was_never_made_is_given_to_the_next() {
    let mut breaker = Breaker::new(LIMITS);
    (0..3).for_each(|_| fail(&mut breaker, 0));
    let trial = breaker.admit(at(1_000)).expect("the trial");
    breaker.gave_up(&trial);
    let next = breaker.admit(at(1_000)).expect("the next trial");
    breaker.failed(&next, at(1_000));
    assert!(breaker.admit(at(2_999)).is_err());
    assert!(breaker.admit(at(3_000)).is_ok());
}

proptest! {
    /// Whatever calls come to, in whatever order: an open breaker lets nobody through before its pause is
    /// over, never more than one call is tried at once, and it never stays shut.
    #[test]
    fn never_two_trials_and_never_shut_for_good(
        steps in proptest::collection::vec((0_u8..4, 0_u64..3_000), 0..200),
    ) {
        let mut breaker = Breaker::new(LIMITS);
        let mut out = Vec::new();
        let mut now = 0;
        for (what, ms) in steps {
            now += ms;
            let before = breaker.state();
            if what == 0 {
                if let Ok(pass) = breaker.admit(at(now)) {
                    prop_assert_ne!(before, BreakerState::HalfOpen, "a second trial");
                    out.push(pass);
                }
                continue;
            }
            let Some(pass) = out.pop() else { continue };
            match what {
                1 => breaker.succeeded(&pass),
                2 => breaker.failed(&pass, at(now)),
                _ => {
                    breaker.gave_up(&pass);
                    if breaker.state() == BreakerState::HalfOpen {
                        // Given up: the next may be tried at once.
                        if let Ok(pass) = breaker.admit(at(now)) { out.push(pass); }
                    }
                }
            }
        }
        for pass in out {
            breaker.failed(&pass, at(now));
        }
        prop_assert!(breaker.admit(at(now + LIMITS.pause_max_ms)).is_ok());
    }
}
