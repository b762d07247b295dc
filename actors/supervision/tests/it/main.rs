//! The promises of the crate, one module each.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has to panic, and so do the actors that it crashes"
)]

mod worker;

mod abort;
mod admission;
mod bounds;
mod containment;
mod crashes;
mod faults;
mod generations;
mod handles;
mod herd;
mod restarts;
mod service;
mod shutdown;
mod stopping;
mod storms;
mod tree;
mod watchdog;
