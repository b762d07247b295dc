//! The only reader of the process's clocks.
//!
//! Windows, backoffs and deadlines run on tokio's clock instead, so that a test can pause it; what is
//! read here only measures (slices, queue waits, stalls) or dates (the `*_at_ms` fields).

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Now, for measuring how long something takes.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the monotonic clock"
)]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}

/// Now as Unix milliseconds: the default of [`crate::Tree::new`].
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the wall clock"
)]
pub(crate) fn unix_ms() -> u64 {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

/// Now, in [`ticks`].
pub(crate) fn now() -> u64 {
    ticks(monotonic())
}

/// Nanoseconds since the process first asked. Fits an atomic, and is never 0, which means "never".
pub(crate) fn ticks(at: Instant) -> u64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    let since = at.saturating_duration_since(*ORIGIN.get_or_init(monotonic));
    u64::try_from(since.as_nanos())
        .unwrap_or(u64::MAX)
        .saturating_add(1)
}

/// A moment in [`ticks`], `by` later.
pub(crate) fn later(moment: u64, by: Duration) -> u64 {
    moment.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX))
}

/// The time between two moments in [`ticks`]; zero if the second is not later.
pub(crate) const fn between(earlier: u64, later: u64) -> Duration {
    Duration::from_nanos(later.saturating_sub(earlier))
}
