//! A harness for tests of actors: a system whose clock stands still until everybody waits.

use actix::System;
use tokio::runtime::Builder;

/// Runs `test` on an actix system whose clock is paused: it jumps to the next timer whenever nothing else
/// is left to do, so hours pass in milliseconds and a run is the same each time.
///
/// The clock belongs to this thread's runtime: keep all actors on the system's own arbiter
/// (`Arbiter::current()`), for while another thread works, the idle clock here would run ahead.
///
/// # Panics
/// If the runtime cannot be built.
pub fn run<F: Future>(test: F) -> F::Output {
    #[expect(
        clippy::expect_used,
        reason = "a test without a runtime has nothing to report to"
    )]
    let system = System::with_tokio_rt(|| {
        let mut builder = Builder::new_current_thread();
        builder
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime for the test")
    });
    system.block_on(test)
}

/// Lets everything that is ready run, without moving the clock.
pub async fn settle() {
    for _ in 0..SETTLE_TURNS {
        tokio::task::yield_now().await;
    }
}

/// More than the polls after which a `LocalSet` looks at wakes from outside.
const SETTLE_TURNS: usize = 256;
