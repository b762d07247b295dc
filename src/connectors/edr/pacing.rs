//! How fast one tenant's requests may follow each other at one vendor. Pure: moments are given, as the time
//! since some beginning.

use std::time::Duration;

/// A vendor's limit, as we keep to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Requests a second, in the long run; 0 counts as 1.
    pub per_s: u32,
    /// Requests that may start at once after a pause; 0 counts as 1.
    pub burst: u32,
}

/// What a request is for. What looks for alerts leaves half of the burst to what contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// An action or the reading of its effect.
    Containing,
    /// Alerts.
    Looking,
}

/// Whose turn it is.
#[derive(Debug)]
pub(super) struct Pacing {
    interval: Duration,
    burst: u32,
    /// When the next request would be due if all kept the pace exactly.
    due: Duration,
    /// The vendor wants nothing before this: nothing at all, and nothing of what looks for alerts.
    silent_until: Duration,
    looking_silent_until: Duration,
}

impl Pacing {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            interval: Duration::from_secs(1)
                .checked_div(pace.per_s.max(1))
                .unwrap_or_default(),
            burst: pace.burst.max(1),
            due: Duration::ZERO,
            silent_until: Duration::ZERO,
            looking_silent_until: Duration::ZERO,
        }
    }

    /// Takes a turn at `now`; or says when to ask again.
    pub(super) fn take(&mut self, now: Duration, purpose: Purpose) -> Result<(), Duration> {
        let at = self.ready_at(purpose);
        if at > now {
            return Err(at);
        }
        self.due = self.due.max(now).saturating_add(self.interval);
        Ok(())
    }

    /// The vendor, asked for that purpose, wants nothing before this. What it says of its alerts holds for
    /// alerts alone; what it says of containments for both.
    pub(super) fn silence(&mut self, purpose: Purpose, until: Duration) {
        self.looking_silent_until = self.looking_silent_until.max(until);
        if purpose == Purpose::Containing {
            self.silent_until = self.silent_until.max(until);
        }
    }

    fn ready_at(&self, purpose: Purpose) -> Duration {
        let (burst, silent_until) = match purpose {
            Purpose::Containing => (self.burst, self.silent_until),
            Purpose::Looking => (self.burst.div_ceil(2), self.looking_silent_until),
        };
        let ahead = self.interval.saturating_mul(burst.saturating_sub(1));
        self.due.saturating_sub(ahead).max(silent_until)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_burst_goes_at_once_and_then_the_pace_is_kept() {
        let mut pacing = Pacing::new(Pace {
            per_s: 10,
            burst: 4,
        });
        let now = ms(5_000);
        for _ in 0..4 {
            assert_eq!(pacing.take(now, Purpose::Containing), Ok(()));
        }
        assert_eq!(pacing.take(now, Purpose::Containing), Err(ms(5_100)));
        assert_eq!(pacing.take(ms(5_100), Purpose::Containing), Ok(()));
        assert_eq!(pacing.take(ms(5_100), Purpose::Containing), Err(ms(5_200)));
    }

    #[test]
    fn looking_for_alerts_leaves_room_for_a_containment() {
        let mut pacing = Pacing::new(Pace {
            per_s: 10,
            burst: 4,
        });
        let now = ms(5_000);
        let mut looked = 0;
        while pacing.take(now, Purpose::Looking).is_ok() {
            looked += 1;
        }
        assert_eq!(looked, 2);
        assert_eq!(pacing.take(now, Purpose::Containing), Ok(()));
    }

    #[test]
    fn a_vendors_word_is_kept_and_never_shortened() {
        let mut pacing = Pacing::new(Pace {
            per_s: 10,
            burst: 4,
        });
        pacing.silence(Purpose::Containing, ms(9_000));
        pacing.silence(Purpose::Containing, ms(7_000));
        assert_eq!(pacing.take(ms(8_999), Purpose::Containing), Err(ms(9_000)));
        assert_eq!(pacing.take(ms(9_000), Purpose::Containing), Ok(()));
    }

    /// An alerts API that wanted an hour of silence kept its tenant's hosts from being contained for an hour.
    #[test]
    fn what_is_said_of_alerts_keeps_nobody_from_containing() {
        let mut pacing = Pacing::new(Pace {
            per_s: 10,
            burst: 4,
        });
        pacing.silence(Purpose::Looking, ms(9_000));
        assert_eq!(pacing.take(ms(1_000), Purpose::Looking), Err(ms(9_000)));
        assert_eq!(pacing.take(ms(1_000), Purpose::Containing), Ok(()));
        pacing.silence(Purpose::Containing, ms(12_000));
        assert_eq!(pacing.take(ms(9_000), Purpose::Looking), Err(ms(12_000)));
    }

    proptest! {
        #[test]
        fn no_window_has_more_than_the_pace_and_a_burst(
            waits in proptest::collection::vec(0_u64..300, 1..200),
        ) {
            let mut pacing = Pacing::new(Pace { per_s: 20, burst: 5 });
            let (mut now, mut taken) = (0, vec![]);
            for wait in waits {
                now += wait;
                if pacing.take(ms(now), Purpose::Containing).is_ok() {
                    taken.push(now);
                }
            }
            for (first, at) in taken.iter().enumerate() {
                let within = taken[first..].iter().take_while(|one| **one < at + 1_000).count();
                prop_assert!(within <= 25, "{within}");
            }
        }
    }
}
