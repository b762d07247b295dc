//! The host's machine against its own chain: whatever was decided and applied live is what a reader of
//! the chain gets back, an account, a code and a chat server stand for one alone, and lines that older
//! releases wrote are still read.
#![expect(clippy::expect_used, reason = "a test says what it expected")]

mod chat;
mod credentials;
mod halts;
#[path = "../writing/line.rs"]
mod line;
mod makers;
mod old_lines;
mod people;
mod repairs;
mod replay;
