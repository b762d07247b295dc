//! When a vendor is asked next.

use std::time::Duration;

use vyrox_domain::digest::Digest;

/// The longest pause that errors lead to, unless the vendor wants a longer one.
const ILL_MAX_MS: u64 = 10 * 60 * 1000;
/// The longest pause that a vendor may want.
const WANTED_MAX_MS: u64 = 60 * 60 * 1000;
/// Doublings after which the longest pause is reached from any interval.
const DOUBLINGS_MAX: u32 = 20;

/// Spreads the pauses of many pollers: each one's are its own, and the same after every restart.
pub(super) struct Pacing {
    every_ms: u64,
    /// Rounds in a row that came to nothing.
    failures: u32,
    dice: u64,
}

impl Pacing {
    pub(super) fn new(every_ms: u64, seed: Digest) -> Self {
        let dice = seed.0.first_chunk();
        Self {
            every_ms: every_ms.max(1000),
            failures: 0,
            dice: dice.map_or(0, |bytes| u64::from_le_bytes(*bytes)),
        }
    }

    /// Before the first round: up to a tenth of the interval.
    pub(super) fn first(&mut self) -> Duration {
        let jitter = self.jitter(self.every_ms);
        Duration::from_millis(jitter)
    }

    /// After a round that is at its end.
    pub(super) fn well(&mut self) -> Duration {
        self.failures = 0;
        self.about(self.every_ms)
    }

    /// After one that failed; `wanted_ms` is what the vendor wants to be left alone for, or 0.
    pub(super) fn ill(&mut self, wanted_ms: u64) -> Duration {
        let factor = 1_u64 << self.failures.min(DOUBLINGS_MAX);
        self.failures = self.failures.saturating_add(1);
        let longest = ILL_MAX_MS.max(self.every_ms);
        let grown = self.every_ms.saturating_mul(factor).min(longest);
        self.about(grown.max(wanted_ms.min(WANTED_MAX_MS)))
    }

    /// After the vendor did not accept the credential: asking sooner does not make it.
    pub(super) fn refused(&mut self) -> Duration {
        self.about(ILL_MAX_MS.max(self.every_ms))
    }

    /// Never shorter than `ms`, and up to a tenth longer.
    fn about(&mut self, ms: u64) -> Duration {
        Duration::from_millis(ms.saturating_add(self.jitter(ms)))
    }

    fn jitter(&mut self, ms: u64) -> u64 {
        // SplitMix64, by its published constants.
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.dice;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % (ms / 10 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    fn pacing(seed: &[u8]) -> Pacing {
        Pacing::new(MINUTE, Digest::of(seed))
    }

    fn within_a_tenth(pause: Duration, ms: u64) {
        let (least, most) = (
            Duration::from_millis(ms),
            Duration::from_millis(ms + ms / 10),
        );
        assert!((least..=most).contains(&pause), "{pause:?} for {ms} ms");
    }

    #[test]
    fn errors_double_the_pause_up_to_ten_minutes_and_success_ends_that() {
        let mut pacing = pacing(b"a");
        within_a_tenth(pacing.well(), MINUTE);
        for minutes in [1, 2, 4, 8, 10, 10, 10] {
            within_a_tenth(pacing.ill(0), minutes * MINUTE);
        }
        within_a_tenth(pacing.refused(), 10 * MINUTE);
        within_a_tenth(pacing.well(), MINUTE);
        within_a_tenth(pacing.ill(0), MINUTE);
    }

    #[test]
    fn a_vendor_is_left_alone_as_long_as_it_wants_but_not_for_ever() {
        let mut pacing = pacing(b"a");
        within_a_tenth(pacing.ill(90_000), 90_000);
        within_a_tenth(pacing.ill(1), 2 * MINUTE);
        within_a_tenth(pacing.ill(u64::MAX), 60 * MINUTE);
    }

    #[test]
    fn the_first_round_is_soon_and_pollers_are_spread() {
        let firsts = |seed: &[u8]| pacing(seed).first();
        assert_eq!(firsts(b"a"), firsts(b"a"));
        let mut all: Vec<_> = (0..100_u8).map(|n| firsts(&[n])).collect();
        assert!(all.iter().all(|first| *first <= Duration::from_secs(6)));
        all.sort();
        all.dedup();
        assert!(all.len() > 80, "{} different pauses of 100", all.len());
    }

    #[test]
    fn an_interval_longer_than_any_backoff_stays_what_it_is() {
        let mut pacing = Pacing::new(60 * MINUTE, Digest::of(b"a"));
        within_a_tenth(pacing.ill(0), 60 * MINUTE);
        within_a_tenth(pacing.ill(0), 60 * MINUTE);
    }
}
