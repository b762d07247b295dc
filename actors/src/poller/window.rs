//! Which stretch of time is asked for.

use vyrox_domain::time::Timestamp;

/// Alerts of a page.
pub(super) const PAGE: usize = 100;
/// The most alerts that are asked for at once, where a page's alerts all have the same moment.
const PAGE_MAX: usize = 1600;
/// A vendor may show an alert so long after the moment that it gives it.
const OVERLAP_MS: u64 = 5 * 60 * 1000;
/// How far the very first round goes back.
const FIRST_MS: u64 = 10 * 60 * 1000;
/// How far a round goes back where the place is ahead of the clock: that was set back, and for how long it
/// had been wrong nobody knows.
const SET_BACK_MS: u64 = 60 * 60 * 1000;
/// Alerts of the last seconds may still come to be.
const SETTLE_MS: u64 = 5_000;

/// A stretch of time, and how much of it is asked for at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) limit: usize,
}

/// What a page leaves to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct After {
    /// Everything up to here was asked for.
    pub(super) place: Timestamp,
    /// The rest of the round; `None` at its end.
    pub(super) rest: Option<Window>,
    /// More alerts than can be asked for at once have this very moment, and the rest of them are passed by.
    pub(super) passed_by: Option<Timestamp>,
}

impl Window {
    /// A new round at `now`, where everything up to `place` was asked for.
    pub(super) fn begin(place: Option<Timestamp>, now: Timestamp) -> Self {
        let back = |at: Timestamp, ms| Timestamp::from_ms(at.ms().saturating_sub(ms));
        let from = match place {
            None => back(now, FIRST_MS),
            Some(place) if place > now => back(now, SET_BACK_MS),
            Some(place) => back(place, OVERLAP_MS),
        };
        let to = back(now, SETTLE_MS);
        Self {
            from: from.min(to),
            to,
            limit: PAGE,
        }
    }

    /// What remains after a page of `alerts`, which the vendor says reaches to `up_to`. No more is believed
    /// of that than what was asked for.
    pub(super) fn after(self, alerts: usize, up_to: Timestamp) -> After {
        let up_to = up_to.clamp(self.from, self.to);
        let rest = |from, limit| {
            let to = self.to;
            Some(Self { from, to, limit })
        };
        let (place, rest, passed_by) = if alerts < self.limit && up_to >= self.to {
            (self.to, None, None)
        } else if up_to > self.from {
            // Alerts of the last one's moment may follow on the next page, so that begins with it.
            (up_to, rest(up_to, PAGE).filter(|_| up_to < self.to), None)
        } else if self.limit < PAGE_MAX && alerts >= self.limit {
            let limit = self.limit.saturating_mul(2).min(PAGE_MAX);
            (up_to, rest(up_to, limit), None)
        } else {
            let next = up_to.plus_ms(1);
            let rest = rest(next, PAGE).filter(|_| next < self.to);
            let crowded = alerts >= self.limit;
            (next.min(self.to), rest, crowded.then_some(up_to))
        };
        After {
            place,
            rest,
            passed_by,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_s(1_768_473_000);

    fn at(s: i64) -> Timestamp {
        Timestamp::from_ms(NOW.ms().saturating_add_signed(s * 1000))
    }

    #[test]
    fn a_round_begins_before_the_place() {
        let rows = [
            ("never polled", None, -600),
            ("a minute ago", Some(at(-65)), -365),
            ("two days ago", Some(at(-172_800)), -173_100),
            ("the clock was set back", Some(at(7_200)), -3_600),
        ];
        for (what, place, from) in rows {
            let window = Window::begin(place, NOW);
            assert_eq!((window.from, window.to), (at(from), at(-5)), "{what}");
        }
        let dawn = Window::begin(None, Timestamp::from_ms(3));
        assert_eq!((dawn.from.ms(), dawn.to.ms()), (0, 0));
    }

    #[test]
    fn a_page_moves_the_place_and_a_short_one_ends_the_round() {
        let window = Window::begin(Some(at(-65)), NOW);
        let rest = |from, limit| {
            let to = window.to;
            Some(Window { from, to, limit })
        };
        let rows = [
            ("a short page", 99, window.to, (window.to, None)),
            ("more than was asked for", 7, at(9_000), (window.to, None)),
            (
                "a full page",
                100,
                at(-100),
                (at(-100), rest(at(-100), 100)),
            ),
            (
                "a short page that says there is more",
                3,
                at(-100),
                (at(-100), rest(at(-100), 100)),
            ),
            (
                "full, at one moment",
                100,
                window.from,
                (window.from, rest(window.from, 200)),
            ),
            (
                "full, before what was asked",
                100,
                at(-9_999),
                (window.from, rest(window.from, 200)),
            ),
            ("full, up to the end", 100, window.to, (window.to, None)),
        ];
        for (what, alerts, up_to, expected) in rows {
            let after = window.after(alerts, up_to);
            assert_eq!((after.place, after.rest), expected, "{what}");
            assert_eq!(after.passed_by, None, "{what}");
        }
    }

    #[test]
    fn a_moment_that_is_too_crowded_does_not_stop_the_poller_for_ever() {
        let mut window = Window::begin(None, NOW);
        let crowded = window.from;
        let mut limits = vec![window.limit];
        loop {
            let after = window.after(window.limit, crowded);
            window = after.rest.expect("there is more");
            if let Some(moment) = after.passed_by {
                assert_eq!((moment, window.from), (crowded, crowded.plus_ms(1)));
                break;
            }
            limits.push(window.limit);
        }
        assert_eq!(limits, [100, 200, 400, 800, 1600]);
    }

    proptest! {
        #[test]
        fn every_round_comes_to_its_end_and_no_place_is_ahead_of_it(
            pages in proptest::collection::vec((0_usize..2_000, 0_u64..700_000), 1..200),
        ) {
            let mut window = Window::begin(None, NOW);
            let begin = window.from;
            for (alerts, ms) in pages {
                let after = window.after(alerts.min(window.limit), begin.plus_ms(ms));
                prop_assert!(after.place >= window.from && after.place <= window.to);
                let Some(rest) = after.rest else {
                    prop_assert_eq!(after.place, window.to);
                    return Ok(());
                };
                prop_assert!(rest.from < rest.to);
                prop_assert_eq!(rest.from, after.place);
                prop_assert!(rest.from > window.from || rest.limit > window.limit);
                window = rest;
            }
        }
    }
}
