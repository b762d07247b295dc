//! A tenant's real actors on a real journal, with services elsewhere that do as they are told, on a
//! clock that the test moves.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what it expected"
)]

mod house;

mod containment;
mod enriching;
mod expiry;
mod followed;
mod held;
mod lifting;
mod outage;
mod polling;
mod retention;
mod reviews;
mod schedules;
mod storm;
