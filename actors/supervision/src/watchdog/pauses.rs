//! The time that the watchdog itself was held up.

use crate::clock;
use std::collections::VecDeque;
use std::time::Duration;

/// Spans of time that count against nobody: whatever kept the watchdog from looking (a suspended host, an
/// overloaded one) most likely kept the others from working, too. All moments are [`clock::ticks`].
#[derive(Default)]
pub(super) struct Pauses {
    /// Beginnings and ends, in order. They don't overlap.
    recent: VecDeque<(u64, u64)>,
    last: Option<Look>,
}

/// The last look, and when the next one was due.
#[derive(Clone, Copy)]
struct Look {
    at: u64,
    due: u64,
    was_late: bool,
}

/// Pauses that are remembered. What has lasted for longer than so many has lasted for long enough.
const REMEMBERED: usize = 64;

impl Pauses {
    /// Takes note of a look at `now`; true if it came late by more than `patience`.
    ///
    /// Nobody knows at which moment after the look before this one the pause began, so all of that time is
    /// forgiven. After a late look only what is beyond the due date is: however busy the machine is, time
    /// goes on for those that are stuck.
    pub(super) fn look(&mut self, now: u64, patience: Duration) -> bool {
        let late = |look: &Look| clock::between(look.due, now) > patience;
        let Some(before) = self.last.filter(late) else {
            self.next(now, false);
            return false;
        };
        let begun = if before.was_late {
            before.due
        } else {
            before.at
        };
        if self.recent.len() >= REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back((begun, now));
        self.next(now, true);
        true
    }

    /// The next look is due then.
    pub(super) const fn expect(&mut self, due: u64) {
        if let Some(last) = &mut self.last {
            last.due = due;
        }
    }

    /// From which moment on to count what began at `moment`, so that no pause counts.
    pub(super) fn counted(&self, moment: u64) -> u64 {
        let mut from = moment;
        for (begun, ended) in &self.recent {
            let forgiven = clock::between((*begun).max(moment), *ended);
            from = clock::later(from, forgiven);
        }
        from
    }

    /// How long what began at `moment` has lasted by `now`, without pauses.
    pub(super) fn lasted(&self, moment: u64, now: u64) -> Duration {
        clock::between(self.counted(moment), now)
    }

    const fn next(&mut self, at: u64, was_late: bool) {
        let due = u64::MAX;
        self.last = Some(Look { at, due, was_late });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PATIENCE: Duration = Duration::from_nanos(60);
    /// From look to look, if the watchdog is well.
    const PACE: u64 = 25;

    /// Looks at these moments, each due a [`PACE`] after the one before.
    fn looks(moments: impl IntoIterator<Item = u64>) -> Pauses {
        let mut pauses = Pauses::default();
        for moment in moments {
            pauses.look(moment, PATIENCE);
            pauses.expect(moment + PACE);
        }
        pauses
    }

    #[test]
    fn all_that_may_have_been_a_pause_is_forgiven_and_nothing_before_it() {
        let pauses = looks([100, 125, 3_000, 3_001]);
        let counted = [110, 125, 140, 2_999, 3_000].map(|moment| pauses.counted(moment));
        assert_eq!(counted, [2_985, 3_000, 3_000, 3_000, 3_000]);
        assert_eq!(pauses.lasted(110, 3_001), Duration::from_nanos(16));
    }

    proptest! {
        /// Time never runs backwards by a look, never faster than the clock, and never stands still.
        #[test]
        fn everybodys_time_goes_on_however_late_the_looks_are(
            gaps in prop::collection::vec(1u64..400, 3..60),
            began in 0u64..2_000,
        ) {
            let (mut pauses, mut now, mut before) = (looks([0]), 0, None);
            for gap in gaps {
                let was_late = pauses.last.is_some_and(|look| look.was_late);
                now += gap;
                let late = pauses.look(now, PATIENCE);
                prop_assert_eq!(late, gap > PACE + 60);
                pauses.expect(now + PACE);
                let lasted = u64::try_from(pauses.lasted(began, now).as_nanos()).unwrap();
                let own = match (late, was_late) {
                    (false, _) => gap,
                    (true, false) => 0,
                    (true, true) => PACE,
                };
                if let Some(before) = before {
                    prop_assert_eq!(lasted, before + own);
                }
                before = (now >= began).then_some(lasted);
            }
        }
    }
}
