//! End to end: one module a promise.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on should stop where it stands"
)]

mod tidy;
