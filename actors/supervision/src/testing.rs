//! A harness for tests of actors: a clock that stands still until everybody waits, and storms of faults
//! that can be repeated.
//!
//! [`run`] is all that a test of one behaviour needs. For a test of what must hold *whatever* happens, a
//! [`Storm`] says which faults strike whom and how often, [`play`] lets it rage over hours of virtual
//! time against the actors that the test starts, and [`each_seed`] does so for many storms and names
//! the one that broke something:
//!
//! ```
//! use actix::prelude::*;
//! use std::time::Duration;
//! use vyrox_supervision::testing::{Storm, each_seed, play};
//! use vyrox_supervision::{Class, Classified, Fault, Spec, SupervisedContext};
//!
//! struct Echo;
//!
//! impl Actor for Echo {
//!     type Context = SupervisedContext<Self>;
//! }
//!
//! #[derive(Message)]
//! #[rtype(result = "u64")]
//! struct Say(u64);
//!
//! impl Classified for Say {
//!     const CLASS: Class = Class::Bulk;
//! }
//!
//! impl Handler<Say> for Echo {
//!     type Result = u64;
//!
//!     fn handle(&mut self, Say(word): Say, _: &mut Self::Context) -> u64 {
//!         word
//!     }
//! }
//!
//! vyrox_supervision::install_panic_hook();
//! each_seed("echoes", 3, |seed| {
//!     let storm = Storm::new(seed, Duration::from_hours(1))
//!         .over(["echo"])
//!         .with(Fault::Panic, 4);
//!     let played = play(&storm, async |stage| {
//!         let here = &Arbiter::current();
//!         let echo = stage.tree().supervise(Spec::new("echo", "echo"), here, |_| Echo);
//!         for word in 0..120 {
//!             tokio::time::sleep(Duration::from_secs(30)).await;
//!             if let Ok(heard) = echo.ask(Say(word), Duration::from_mins(1)).await {
//!                 assert_eq!(heard, word);
//!             }
//!         }
//!     });
//!     assert!(played.virtual_time >= Duration::from_hours(1));
//! });
//! ```

mod play;
mod random;
mod seeds;
mod storm;
mod trace;

pub use play::{Played, Stage, play};
pub use random::Random;
pub use seeds::each_seed;
pub use storm::{Storm, Strike};
pub use trace::{Record, Trace, What};

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
