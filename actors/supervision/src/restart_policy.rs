//! When to restart and when to give up: a pure record of falls. Time comes in as an argument.

use crate::spec::{Backoff, Policy, Restart};
use std::collections::VecDeque;
use std::time::Duration;

/// The largest window that is kept, whatever the policy's intensity says.
const MAX_INTENSITY: usize = 65_536;

/// What follows a fall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The next generation, after this pause.
    RestartAfter(Duration),
    GiveUp,
}

/// The falls of one actor. Times are durations since the actor was first supervised.
#[derive(Default)]
pub(crate) struct Falls {
    /// Those within the period, oldest first.
    recent: VecDeque<Duration>,
    began: Duration,
    /// Falls without a healthy generation between them.
    streak: u32,
    /// All falls ever: the position in the sequence of random numbers.
    total: u64,
}

impl Falls {
    /// A generation begins.
    pub(crate) const fn began(&mut self, now: Duration) {
        self.began = now;
    }

    /// The generation fell at `now`. `seed` belongs to the actor.
    pub(crate) fn fell(&mut self, policy: &Policy, seed: u64, now: Duration) -> Verdict {
        if now.saturating_sub(self.began) >= policy.backoff.reset_after {
            self.streak = 0;
        }
        self.streak = self.streak.saturating_add(1);
        self.total = self.total.wrapping_add(1);
        self.recent.push_back(now);
        while self
            .recent
            .front()
            .is_some_and(|at| now.saturating_sub(*at) > policy.period)
        {
            self.recent.pop_front();
        }
        let intensity = usize::try_from(policy.intensity)
            .unwrap_or(usize::MAX)
            .min(MAX_INTENSITY);
        if policy.restart == Restart::Temporary || self.recent.len() > intensity {
            return Verdict::GiveUp;
        }
        Verdict::RestartAfter(jittered(
            ceiling(policy.backoff, self.streak),
            seed,
            self.total,
        ))
    }
}

/// The longest pause after the `streak`-th fall in a row.
fn ceiling(backoff: Backoff, streak: u32) -> Duration {
    let doublings = streak.saturating_sub(1).min(31);
    backoff.base.saturating_mul(1 << doublings).min(backoff.max)
}

/// Full jitter: the `nth` random point between zero and `ceiling`.
fn jittered(ceiling: Duration, seed: u64, nth: u64) -> Duration {
    let random = mix(seed ^ mix(nth));
    let share = (ceiling.as_nanos() * u128::from(random)) >> 64;
    Duration::from_nanos(u64::try_from(share).unwrap_or(u64::MAX))
}

/// The seed of one child.
pub(crate) fn seed_of(tree_seed: u64, id: &str) -> u64 {
    id.bytes()
        .fold(mix(tree_seed), |seed, byte| mix(seed ^ u64::from(byte)))
}

/// The finaliser of `SplitMix64`. Written out, so that a seed means the same run in every version of
/// every library.
pub(crate) const fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn policy(intensity: u32, period_ms: u64, backoff: Backoff) -> Policy {
        Policy {
            intensity,
            period: Duration::from_millis(period_ms),
            backoff,
            ..Policy::default()
        }
    }

    #[test]
    fn jitter_covers_its_range_and_repeats_by_seed() {
        let pauses = |seed| (0..1000).map(move |n| jittered(Duration::from_secs(1), seed, n));
        assert!(pauses(7).eq(pauses(7)));
        assert!(pauses(7).ne(pauses(8)));
        assert!(pauses(7).all(|pause| pause < Duration::from_secs(1)));
        for tenth in 0..10u64 {
            let range =
                Duration::from_millis(tenth * 100)..Duration::from_millis(tenth * 100 + 100);
            let hits = pauses(7).filter(|pause| range.contains(pause)).count();
            assert!(
                (50..=150).contains(&hits),
                "{hits} of 1000 pauses in {range:?}"
            );
        }
    }

    #[test]
    fn siblings_have_seeds_of_their_own() {
        assert_ne!(seed_of(1, "tenant/a"), seed_of(1, "tenant/b"));
        assert_ne!(seed_of(1, "tenant/a"), seed_of(2, "tenant/a"));
    }

    #[test]
    fn the_ceiling_doubles_up_to_its_maximum() {
        let backoff = Backoff::default();
        let ceilings: Vec<_> = (1..=11).map(|n| ceiling(backoff, n).as_millis()).collect();
        assert_eq!(
            ceilings,
            [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5000, 5000]
        );
        assert_eq!(ceiling(backoff, u32::MAX).as_millis(), 5000);
    }

    proptest! {
        /// Against a reference that keeps every fall and counts anew each time.
        #[test]
        fn windows_and_backoff_agree_with_the_reference(
            lives in prop::collection::vec((0u64..3_000, 0u64..2_000), 1..60),
            intensity in 0u32..6,
            period_ms in 0u64..10_000,
            base_ms in 0u64..50,
            reset_ms in 0u64..2_000,
            seed: u64,
        ) {
            let backoff = Backoff {
                base: Duration::from_millis(base_ms),
                max: Duration::from_millis(400),
                reset_after: Duration::from_millis(reset_ms),
            };
            let policy = policy(intensity, period_ms, backoff);
            let (mut falls, mut all, mut now, mut streak) = (Falls::default(), Vec::new(), 0, 0);
            for (pause_ms, life_ms) in lives {
                now += pause_ms;
                falls.began(Duration::from_millis(now));
                now += life_ms;
                all.push(now);
                streak = if life_ms >= reset_ms { 1 } else { streak + 1 };
                let in_window = all.iter().filter(|at| now - **at <= period_ms).count();
                let most_ms = (1..streak).fold(base_ms, |ms, _| (ms * 2).min(400)).min(400);
                match falls.fell(&policy, seed, Duration::from_millis(now)) {
                    Verdict::GiveUp => prop_assert!(in_window > intensity as usize),
                    Verdict::RestartAfter(pause) => {
                        prop_assert!(in_window <= intensity as usize);
                        prop_assert!(pause <= Duration::from_millis(most_ms));
                    }
                }
            }
        }

        #[test]
        fn a_temporary_actor_falls_once(intensity: u32, at_ms in 0u64..1_000_000) {
            let policy = Policy { restart: Restart::Temporary, intensity, ..Policy::default() };
            let verdict = Falls::default().fell(&policy, 0, Duration::from_millis(at_ms));
            prop_assert_eq!(verdict, Verdict::GiveUp);
        }
    }
}
