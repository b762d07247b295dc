//! How many calls a tenant may make a day.

use crate::time::Timestamp;

const DAY_S: u64 = 24 * 60 * 60;

/// The calls that are left of a day, which begins at midnight UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DailyBudget {
    limit: u32,
    day: u64,
    spent: u32,
}

impl DailyBudget {
    /// A budget of `limit` calls a day of which `spent` were made on the day of `now`.
    pub const fn new(limit: u32, spent: u32, now: Timestamp) -> Self {
        Self {
            limit,
            day: day(now),
            spent,
        }
    }

    /// How many calls are left on the day of `now`. A clock that jumps back over midnight does not give
    /// another day's budget.
    pub fn left(&self, now: Timestamp) -> u32 {
        if day(now) > self.day {
            self.limit
        } else {
            self.limit.saturating_sub(self.spent)
        }
    }

    /// Takes one call from the day of `now`; false if none is left.
    pub fn take(&mut self, now: Timestamp) -> bool {
        if self.left(now) == 0 {
            return false;
        }
        if day(now) > self.day {
            (self.day, self.spent) = (day(now), 0);
        }
        self.spent = self.spent.saturating_add(1);
        true
    }
}

const fn day(now: Timestamp) -> u64 {
    now.s() / DAY_S
}
