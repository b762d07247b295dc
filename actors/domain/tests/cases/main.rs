//! A tenant's machine from verdict to decision, driven by commands alone: what is proposed, who may
//! decide, what people are told, and that the chain says all of it.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what it expected"
)]

mod house;
#[path = "../writing/line.rs"]
mod line;

mod acts;
mod decisions;
mod incidents;
mod old_lines;
mod proposals;
mod reviews;

mod streams;
