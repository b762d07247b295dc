//! A multi-tenant, hash-chained, group-committed journal, with its vault and its projections.
//!
//! One shared log makes every chain durable: the `writer` takes whatever is queued, links each
//! entry to its chain, writes one batch, syncs once and only then acknowledges. The bytes in the
//! log are the exact lines of the chains' own JSONL files, which the `checkpointer` derives from
//! it in the background, so that an auditor can read a tenant's file without any of this code.
//!
//! The order to read in: [`Journal`] (the contract), `entry` (a line and its hash), `batch` and
//! `frame` (what a log holds), `writer`, `checkpointer`, `recovery`, [`verify_lines`].
//!
//! What never happens here: a failed write or sync is never retried; an entry is never acknowledged
//! before its batch is synced; a chain never begins again after a loss; nothing is dated here, time comes with the drafts.

#![deny(missing_docs, clippy::as_conversions, clippy::wildcard_enum_match_arm)]

mod journal;
mod options;

mod canonical;
mod draft;
mod entry;

mod batch;
mod bytes;
mod frame;
mod segment;

mod directory;
mod disk;
mod heads;

mod chains;
mod decision;
mod queue;
mod writer;

mod checkpointer;
mod erasure;
mod evidence;
mod pending;
mod quarantine;
mod room;
mod schedule;
mod spares;
mod tenant_file;

mod aside;
mod fold;
mod recovery;
mod repair;
mod replacement;
mod scan;
mod scrub;

mod local;
mod shared;
mod threads;
mod verify;

pub mod backup;
mod planted;
#[cfg(test)]
mod simulation;

pub mod projection;
pub mod proof;
pub mod seal;
pub mod vault;

pub use draft::{ActionFields, Draft, MAX_ATTACHMENTS};
pub use heads::STANDS_IN;
pub use journal::{
    Append, AppendError, Class, Done, Erased, Head, HoldInfo, Journal, JournalError, Line, Lines,
    Opened, Receipt, RecoverySummary, Repaired, Status,
};
pub use local::LocalJournal;
pub use options::{Committed, CommittedBatch, OnCommit, Options, StartError};
pub use scrub::{Fault, Part, Scrubbed};
pub use verify::{
    Checkpointed, Comparison, Known, Parting, Passed, Strayed, Stretch, VerifyReport, compare,
    compare_files, verify_each, verify_file, verify_file_each, verify_lines,
};

/// What `previous_hash` of a chain's first entry says: 64 zeros.
pub const GENESIS: [u8; 32] = [0; 32];
