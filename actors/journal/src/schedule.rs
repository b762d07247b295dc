//! When the next checkpoint is due. Nothing but this reads a clock in the journal, and it only
//! measures: no entry is ever dated by it.

use std::time::{Duration, Instant};

/// Messages after which a checkpoint is due, however soon they came.
const BUSY: u32 = 256;

/// The time and the messages that are left until a checkpoint is due.
pub(crate) struct Schedule {
    interval: Duration,
    due: Instant,
    messages: u32,
}

impl Schedule {
    /// The first checkpoint is due an interval after `now`.
    pub(crate) fn new(interval: Duration, now: Instant) -> Self {
        let mut schedule = Self {
            interval,
            due: now,
            messages: 0,
        };
        schedule.done(now);
        schedule
    }

    /// How long to wait for a message at most.
    pub(crate) fn left(&self, now: Instant) -> Duration {
        self.due.saturating_duration_since(now)
    }

    /// Counts a message, which moves nothing: a steady flow of them must not put a checkpoint off.
    pub(crate) fn message(&mut self) {
        self.messages = self.messages.saturating_add(1);
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.messages >= BUSY || self.left(now).is_zero()
    }

    /// A checkpoint ended: the next one is due an interval later.
    pub(crate) fn done(&mut self, now: Instant) {
        // An interval that no clock can reach: only messages make a checkpoint due.
        const FAR: Duration = Duration::from_hours(24 * 365);
        self.due = now + self.interval.min(FAR);
        self.messages = 0;
    }
}

/// Now, for measuring how long something takes.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place of the journal that reads the monotonic clock"
)]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn messages_that_keep_coming_do_not_put_a_checkpoint_off() {
        let start = monotonic();
        let mut schedule = Schedule::new(SECOND * 5, start);
        for second in 1..5 {
            schedule.message();
            let now = start + SECOND * second;
            assert!(!schedule.is_due(now), "after {second} s");
            assert_eq!(schedule.left(now), SECOND * (5 - second));
        }
        schedule.message();
        assert!(schedule.is_due(start + SECOND * 5));
        schedule.done(start + SECOND * 7);
        assert!(!schedule.is_due(start + SECOND * 11));
        assert!(schedule.is_due(start + SECOND * 12));
    }

    #[test]
    fn a_flood_of_messages_makes_a_checkpoint_due_early() {
        let start = monotonic();
        let mut schedule = Schedule::new(Duration::MAX, start);
        for _ in 1..BUSY {
            schedule.message();
        }
        assert!(!schedule.is_due(start));
        schedule.message();
        assert!(schedule.is_due(start));
        schedule.done(start);
        assert!(!schedule.is_due(start));
    }
}
