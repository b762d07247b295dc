//! The promises of the crate, one module each.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has to panic, and so do the actors that it crashes"
)]

mod keeper;
mod worker;

mod abort;
mod admission;
mod asks;
mod bounds;
mod containment;
mod crashes;
mod debris;
mod families;
mod faults;
mod generations;
mod handles;
mod herd;
mod otp;
mod poison;
mod refuges;
mod restarts;
mod service;
mod shutdown;
mod stalls;
mod stopping;
mod storms;
mod threads;
mod tree;
mod turns;
mod watchdog;
mod zones;
