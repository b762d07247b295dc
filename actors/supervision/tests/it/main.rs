//! The promises of the crate, one module each.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has to panic, and so do the actors that it crashes"
)]

mod worker;

mod admission;
mod asks;
mod crashes;
mod generations;
mod restarts;
mod service;
mod shutdown;
mod stopping;
mod tree;
mod watchdog;
