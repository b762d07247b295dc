//! A small histogram of waiting times that forgets slowly.

use std::time::Duration;

/// Steps within a power of two: a quantile is at most a quarter too high.
const STEPS: usize = 4;
/// Powers of two of a microsecond: up to about 16 s, longer waits count as that.
const OCTAVES: usize = 24;

/// How long messages waited in their queue.
///
/// Each actor has one, so it is kept small: a count that is about to overflow halves all of them, by
/// which the quantile speaks of the recent past.
pub(crate) struct Waits {
    counts: [u8; STEPS * OCTAVES],
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            counts: [0; STEPS * OCTAVES],
        }
    }
}

impl Waits {
    pub(crate) fn record(&mut self, wait: Duration) {
        let Some(count) = self.counts.get_mut(bucket(wait)) else {
            return;
        };
        *count = count.saturating_add(1);
        if *count == u8::MAX {
            for count in &mut self.counts {
                *count /= 2;
            }
        }
    }

    /// The 99th percentile in microseconds, rounded up to its bucket; 0 before the first message.
    pub(crate) fn p99_us(&self) -> u64 {
        let total = self
            .counts
            .iter()
            .map(|count| u32::from(*count))
            .sum::<u32>();
        let wanted = total.saturating_mul(99).div_ceil(100);
        let mut seen = 0u32;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen = seen.saturating_add(u32::from(*count));
            if *count > 0 && seen >= wanted {
                return upper_bound_us(bucket);
            }
        }
        0
    }
}

fn bucket(wait: Duration) -> usize {
    let us = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX).max(1);
    let octave = us.ilog2();
    let step = (us << 2 >> octave) & 3;
    let octave = usize::try_from(octave).unwrap_or(OCTAVES);
    octave
        .saturating_mul(STEPS)
        .saturating_add(usize::try_from(step).unwrap_or(0))
        .min(STEPS * OCTAVES - 1)
}

fn upper_bound_us(bucket: usize) -> u64 {
    let (octave, step) = (bucket / STEPS, bucket % STEPS);
    let quarters = u64::try_from(step).unwrap_or(0).saturating_add(5);
    (quarters << octave).div_ceil(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_speaks_of_the_recent_past() {
        let mut waits = Waits::default();
        assert_eq!(waits.p99_us(), 0);
        for _ in 0..1000 {
            waits.record(Duration::from_millis(100));
        }
        assert!((100_000..=131_072).contains(&waits.p99_us()));
        for _ in 0..60_000 {
            waits.record(Duration::from_micros(3));
        }
        assert_eq!(waits.p99_us(), 4);
    }

    proptest! {
        #[test]
        fn a_bucket_holds_its_value(us in 1u64..16_000_000) {
            let bound = upper_bound_us(bucket(Duration::from_micros(us)));
            prop_assert!(bound >= us, "{bound} < {us}");
            prop_assert!(bound <= us + us / 4 + 1, "{bound} is far from {us}");
        }
    }
}
