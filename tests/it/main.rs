//! End to end: one module a promise.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test that can't go on should stop where it stands"
)]

mod audit;
mod crash;
mod disconnect;
mod doors;
#[cfg(feature = "fault-injection")]
mod faults;
mod flood;
mod held;
mod lifecycle;
mod load;
mod metrics;
mod passivation;
mod refusals;
mod restart;
mod rotation;
mod server;
mod tidy;
mod webhook_to_verdict;
