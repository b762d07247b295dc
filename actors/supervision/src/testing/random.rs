//! Random numbers that a seed repeats.

use crate::restart_policy::{mix, seed_of};
use std::time::Duration;

/// A stream of random numbers. It is written out here, so that a seed means the same run in every
/// version of every library.
#[derive(Clone, Debug)]
pub struct Random {
    seed: u64,
    drawn: u64,
}

impl Random {
    /// The stream of `name` under `seed`. Streams of other names are independent: whoever draws from one
    /// more often disturbs nobody else.
    pub fn new(seed: u64, name: &str) -> Self {
        Self {
            seed: seed_of(seed, name),
            drawn: 0,
        }
    }

    /// The next number.
    pub const fn draw(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(1);
        mix(self.seed ^ mix(self.drawn))
    }

    /// A number from 0 to `end`, exclusive; 0 if that is none.
    pub fn below(&mut self, end: u64) -> u64 {
        let share = u128::from(self.draw()).wrapping_mul(u128::from(end)) >> 64;
        u64::try_from(share).unwrap_or(0)
    }

    /// True once in `n` times on average; always if `n` is 0.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// A whole number of milliseconds below `end`.
    pub fn shorter_than(&mut self, end: Duration) -> Duration {
        let ms = u64::try_from(end.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.below(ms))
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let end = u64::try_from(all.len()).unwrap_or(u64::MAX);
        usize::try_from(self.below(end))
            .ok()
            .and_then(|at| all.get(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_repeat_by_seed_and_name_and_stay_in_range(seed: u64, end: u64) {
            let draw = |seed, name| {
                let mut random = Random::new(seed, name);
                std::array::from_fn::<_, 8, _>(|_| random.below(end))
            };
            let drawn = draw(seed, "a");
            prop_assert_eq!(drawn, draw(seed, "a"));
            prop_assert!(drawn.iter().all(|number| *number < end.max(1)));
            if end > 1_000_000 {
                prop_assert_ne!(drawn, draw(seed, "b"));
                prop_assert_ne!(drawn, draw(seed ^ 1, "a"));
            }
        }
    }

    #[test]
    fn every_choice_comes_up_about_equally_often() {
        let (mut random, mut counts) = (Random::new(1, "dice"), [0u32; 6]);
        for _ in 0..6_000 {
            counts[*random.pick(&[0, 1, 2, 3, 4, 5]).unwrap()] += 1;
        }
        assert!(
            counts.iter().all(|count| (850..=1_150).contains(count)),
            "{counts:?}"
        );
        assert_eq!(random.pick::<u8>(&[]), None);
    }
}
