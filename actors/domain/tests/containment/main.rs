//! Actions from their order to their undoing, driven by commands alone: what passes the gates, what counts once,
//! what is over when, and that the chain says all of it.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expected"
)]

mod house;
#[path = "../writing/line.rs"]
mod line;

mod any_order;
mod claims;
mod gates;
mod holds;
mod lines;
mod outcomes;
