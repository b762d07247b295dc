//! The journal's promises, each kept from outside, on a real directory.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop where it is"
)]

mod support;

mod append;
mod backup;
mod chain_file;
mod damage;
mod descriptors;
mod durability;
mod history;
mod modes;
mod repair;
