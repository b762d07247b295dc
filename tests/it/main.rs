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
mod audit_log;
mod backtest;
mod backup;
mod containment;
mod crash;
mod credentials;
mod demo;
mod disconnect;
mod discord;
mod disk;
mod doors;
mod enriching;
mod erasure;
mod execute;
mod fakes;
#[cfg(feature = "fault-injection")]
mod faults;
mod flood;
mod halts;
mod hardening;
mod held;
mod interactions;
mod lifecycle;
mod limits;
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
mod rebuilding;
mod refusals;
mod restart;
mod rotation;
mod scrub;
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
mod witness;
