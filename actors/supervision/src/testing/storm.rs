//! Which faults strike whom, and when: all of it follows from a seed.

use crate::faults::Fault;
use crate::testing::random::Random;
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);
/// Strikes of which one is a burst.
const BURST_IN: u64 = 4;
/// Times that a burst's fault strikes, at most.
const MAX_BURST: u64 = 4;

/// A plan of faults over some hours of virtual time.
#[derive(Clone, Debug)]
pub struct Storm {
    pub(crate) seed: u64,
    pub(crate) lasting: Duration,
    pub(crate) check_every: Duration,
    targets: Vec<String>,
    rates: Vec<(Fault, u32)>,
}

/// One order of a storm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strike {
    /// Virtual time since the storm began.
    pub at: Duration,
    /// The actor's id.
    pub actor: String,
    /// What is ordered for it.
    pub fault: Fault,
    /// How often it strikes.
    pub times: u32,
}

impl Storm {
    /// A storm of `lasting` that strikes nobody yet.
    pub const fn new(seed: u64, lasting: Duration) -> Self {
        Self {
            seed,
            lasting,
            check_every: Duration::from_mins(1),
            targets: Vec::new(),
            rates: Vec::new(),
        }
    }

    /// Strikes the actors of these ids, too.
    #[must_use]
    pub fn over(mut self, ids: impl IntoIterator<Item: Into<String>>) -> Self {
        self.targets.extend(ids.into_iter().map(Into::into));
        self
    }

    /// Strikes with `fault`, too: on average so many times an hour, all targets together, each time one
    /// of them. One strike in four is a burst: the fault then strikes 2 to 4 times in a row.
    ///
    /// `BlockMs` blocks for real: it costs wall time, not virtual time.
    #[must_use]
    pub fn with(mut self, fault: Fault, an_hour: u32) -> Self {
        self.rates.push((fault, an_hour));
        self
    }

    /// How often in virtual time the checks of the stage are made beside those at every strike. A minute
    /// unless said otherwise; at least a millisecond.
    #[must_use]
    pub const fn checked_every(mut self, period: Duration) -> Self {
        self.check_every = period;
        self
    }

    /// Everything that will be ordered, in order.
    pub fn strikes(&self) -> Vec<Strike> {
        let mut all = Vec::new();
        for (nth, (fault, an_hour)) in self.rates.iter().enumerate() {
            let mut random = Random::new(self.seed, &format!("storm/{nth}/{fault}"));
            let twice_the_mean = HOUR.saturating_mul(2).checked_div(*an_hour);
            let Some(longest_pause) = twice_the_mean.filter(|_| !self.targets.is_empty()) else {
                continue;
            };
            let mut at = Duration::ZERO;
            loop {
                // A whole millisecond more, for a storm without pauses would have no end.
                at += random.shorter_than(longest_pause) + Duration::from_millis(1);
                if at >= self.lasting {
                    break;
                }
                all.extend(strike(*fault, at, &self.targets, &mut random));
            }
        }
        all.sort_by_key(|strike| strike.at); // stable: the order of the rates decides between equals
        all
    }
}

fn strike(fault: Fault, at: Duration, targets: &[String], random: &mut Random) -> Option<Strike> {
    let actor = random.pick(targets)?.clone();
    let times = if random.one_in(BURST_IN) {
        2 + random.below(MAX_BURST - 1)
    } else {
        1
    };
    Some(Strike {
        at,
        actor,
        fault,
        times: u32::try_from(times).unwrap_or(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storm(seed: u64) -> Storm {
        Storm::new(seed, Duration::from_hours(100))
            .over(["a", "b", "c"])
            .with(Fault::Panic, 60)
            .with(Fault::Stop, 6)
    }

    #[test]
    fn strikes_follow_the_seed_the_rates_and_the_clock() {
        let strikes = storm(1).strikes();
        assert_eq!(strikes, storm(1).strikes());
        assert_ne!(strikes, storm(2).strikes());
        assert!(strikes.is_sorted_by_key(|strike| strike.at));
        assert!(strikes.iter().all(|strike| (1..=4).contains(&strike.times)));
        let of = |fault| {
            strikes
                .iter()
                .filter(|strike| strike.fault == fault)
                .count()
        };
        assert!(
            (5_500..6_500).contains(&of(Fault::Panic)),
            "{}",
            of(Fault::Panic)
        );
        assert!((500..700).contains(&of(Fault::Stop)), "{}", of(Fault::Stop));
        for actor in ["a", "b", "c"] {
            let hits = strikes
                .iter()
                .filter(|strike| strike.actor == actor)
                .count();
            assert!((2_000..2_500).contains(&hits), "{actor}: {hits}");
        }
    }

    #[test]
    fn another_rate_leaves_the_strikes_of_the_first_as_they_were() {
        let only = |strikes: Vec<Strike>| -> Vec<_> {
            strikes
                .into_iter()
                .filter(|strike| strike.fault == Fault::Panic)
                .collect()
        };
        let one = Storm::new(1, Duration::from_hours(100)).over(["a", "b", "c"]);
        assert_eq!(
            only(storm(1).strikes()),
            one.with(Fault::Panic, 60).strikes()
        );
    }

    #[test]
    fn nobody_is_struck_without_a_target_or_a_rate() {
        let hours = Duration::from_hours(10);
        assert_eq!(Storm::new(1, hours).with(Fault::Panic, 9).strikes(), []);
        assert_eq!(
            Storm::new(1, hours)
                .over(["a"])
                .with(Fault::Panic, 0)
                .strikes(),
            []
        );
        let hail = Storm::new(1, Duration::from_secs(2))
            .over(["a"])
            .with(Fault::Panic, u32::MAX);
        assert_eq!(hail.strikes().len(), 1_999, "one a millisecond at most");
    }
}
