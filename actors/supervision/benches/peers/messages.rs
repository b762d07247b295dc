//! What all contestants are asked to do.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// Answered with the sum of all pings so far.
pub(crate) struct Ping(pub(crate) u64);

/// Keeps its actor busy for [`WORK`].
pub(crate) struct Work;

/// Crashes its actor.
pub(crate) struct Boom;

/// Answered with the nanoseconds since the last crash.
pub(crate) struct Stamp;

/// How long a flood's message takes.
const WORK: Duration = Duration::from_micros(2);

static CRASHED_AT: Mutex<Option<Instant>> = Mutex::new(None);

pub(crate) fn work() {
    let began = Instant::now();
    while began.elapsed() < WORK {
        std::hint::spin_loop();
    }
}

#[expect(clippy::panic, reason = "the panic is what is measured")]
pub(crate) fn boom() -> ! {
    *CRASHED_AT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    panic!("boom");
}

/// In nanoseconds.
pub(crate) fn since_crash() -> u64 {
    CRASHED_AT
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .and_then(|at| u64::try_from(at.elapsed().as_nanos()).ok())
        .unwrap_or(0)
}
