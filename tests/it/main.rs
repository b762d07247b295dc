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

mod approval;
mod audit;
mod backtest;
mod containment;
mod crash;
mod credentials;
mod demo;
mod disconnect;
mod discord;
mod doors;
mod enriching;
mod execute;
mod fakes;
#[cfg(feature = "fault-injection")]
mod faults;
mod flood;
mod halts;
mod held;
mod interactions;
mod lifecycle;
mod llm;
mod load;
mod metrics;
mod node_discord;
mod passivation;
mod people;
#[cfg(feature = "fault-injection")]
mod poison;
#[cfg(feature = "fault-injection")]
mod probation;
mod refusals;
mod restart;
mod rotation;
mod server;
#[cfg(feature = "fault-injection")]
mod shutdown;
#[cfg(feature = "fault-injection")]
mod storm;
#[cfg(feature = "fault-injection")]
mod threads;
mod tidy;
mod vendors;
mod webhook_to_verdict;
