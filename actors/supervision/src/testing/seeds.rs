//! The same check for many seeds, and the name of the one that failed.

use std::any::Any;
use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Names the one seed to check, to repeat a failure.
const SEED: &str = "VYROX_SEED";
/// Names how many seeds to check, for longer hunts.
const CASES: &str = "CASES";

/// Checks `usually` seeds (the numbers from 0), or as many as the environment's `CASES` says, or only the
/// one that `VYROX_SEED` names.
///
/// # Panics
/// At the first seed whose check panics, saying which it was and how to repeat it.
#[expect(
    clippy::panic,
    reason = "a failed check of a test is reported by a panic"
)]
pub fn each_seed(name: &str, usually: u64, check: impl Fn(u64)) {
    let (from, to) = match number(SEED) {
        Some(seed) => (seed, seed.saturating_add(1)),
        None => (0, number(CASES).unwrap_or(usually)),
    };
    for seed in from..to {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| check(seed))) {
            let why = text(payload.as_ref());
            panic!("{name} fails with seed {seed} (repeat it with {SEED}={seed}): {why}");
        }
    }
}

fn text(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("(no text)")
}

#[expect(
    clippy::disallowed_methods,
    reason = "seeds come from whoever runs the tests; they configure nothing"
)]
fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_failure_names_its_seed_and_how_to_repeat_it() {
        // With one of the variables set, the seeds are others, and the failure may not come.
        if number(SEED).is_some() || number(CASES).is_some() {
            return;
        }
        let checked = Cell::new(0);
        let failed = catch_unwind(AssertUnwindSafe(|| {
            each_seed("the check", 9, |seed| {
                checked.set(checked.get() + 1);
                assert!(seed < 4, "four is too much");
            });
        }));
        assert_eq!(checked.get(), 5);
        assert_eq!(
            text(failed.unwrap_err().as_ref()),
            "the check fails with seed 4 (repeat it with VYROX_SEED=4): four is too much"
        );
    }
}
