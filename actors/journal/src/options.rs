//! What a local journal is opened with, and how opening it can fail.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::batch::OVERHEAD;
use crate::bytes::index;
use crate::segment::PAGE;

/// Limits of a local journal.
#[derive(Debug, Clone)]
pub struct Options {
    /// Size of one log segment in bytes; rounded down to whole pages of 4 KiB, at least 8 of them.
    pub segment_bytes: u64,
    /// Most entries in one batch.
    pub max_batch_entries: usize,
    /// Most bytes in one batch; a single append may exceed it and then has a batch of its own.
    pub max_batch_bytes: usize,
    /// Most entries waiting for the writer.
    pub queue_entries: usize,
    /// Most bytes waiting for the writer.
    pub queue_bytes: usize,
    /// Most live segments; when the chains' files lag so far behind, appends answer full.
    pub max_segments: usize,
    /// Attempts to write a chain's own files, failed one after the other, after which the chain may be
    /// held so that it keeps nobody's segments; 0 for never.
    pub quarantine_after: u32,
    /// Longest time that an entry waits to be copied into its chain's own file.
    pub checkpoint_interval: Duration,
    /// Free bytes of the disk below which nothing new is taken in and the log does not grow, so that
    /// there is room for what is under way; never more than a sixteenth of the disk counts. 0 for none.
    pub reserve_bytes: u64,
    /// Bytes a second that are read again of the chains' own files, to see whether they are still what
    /// they were; 0 reads none.
    pub scrub_bytes_per_s: u64,
    /// The pause when all of them were read, before it begins again.
    pub scrub_pause: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            max_batch_entries: 4096,
            max_batch_bytes: 1 << 20,
            queue_entries: 65_536,
            queue_bytes: 256 << 20,
            max_segments: 64,
            quarantine_after: 0,
            checkpoint_interval: Duration::from_secs(5),
            reserve_bytes: 0,
            scrub_bytes_per_s: 0,
            scrub_pause: Duration::from_mins(1),
        }
    }
}

impl Options {
    /// Fewest pages a segment can have: two headers, and room for a few batches.
    const MIN_PAGES: u64 = 8;

    /// Pages of a new segment.
    pub(crate) fn segment_pages(&self) -> u32 {
        let pages = (self.segment_bytes / PAGE).max(Self::MIN_PAGES);
        u32::try_from(pages).unwrap_or(u32::MAX)
    }

    /// Most bytes that the entries of any batch can have together, for it to fit into a segment.
    pub(crate) fn segment_capacity(&self) -> usize {
        let data_pages = u64::from(self.segment_pages()).saturating_sub(2);
        index(data_pages * PAGE).saturating_sub(OVERHEAD)
    }

    /// Most bytes that the entries of a batch of several appends have together.
    pub(crate) fn batch_bytes(&self) -> usize {
        self.max_batch_bytes.min(self.segment_capacity())
    }
}

/// Called on the writer's thread after a batch is durable and before its appends are answered.
pub type OnCommit = Box<dyn Fn(&CommittedBatch) + Send>;

/// The entries of one durable batch, in the order of the log.
#[derive(Debug, Clone)]
pub struct CommittedBatch {
    /// The entries; those of one chain have ascending seqs.
    pub entries: Vec<Arc<Committed>>,
}

/// One durable entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The chain it belongs to.
    pub chain: Arc<str>,
    /// Its seq.
    pub seq: u64,
    /// Its hash.
    pub hash: [u8; 32],
    /// The exact line, without its newline.
    pub line: Vec<u8>,
}

/// Why a journal could not be opened. Nothing was changed that a later start would miss.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another process holds the directory.
    #[error("{0} is in use by another process")]
    Locked(String),
    /// A restore into the data directory has not come to its end.
    #[error(
        "{0} is being restored, or was when that was cut off: not all of the backup is there. If no \
         restore runs, delete the directory and restore again; the backup is as it was"
    )]
    Unrestored(String),
    /// The record of what is durable is gone while the log is there.
    #[error(
        "{0} is missing while log segments or chain files exist: restore it from a backup taken \
         with them; starting without it could fork chains"
    )]
    HeadsLost(String),
    /// No log segment can be read although the record says there must be one.
    #[error("no readable log segment in {directory}: segment {expected} or a later one must exist")]
    LogLost {
        /// The data directory.
        directory: String,
        /// The segment that is recorded as active.
        expected: u64,
    },
    /// The record of what is durable cannot be read or written.
    #[error("heads.redb: {0}")]
    Heads(String),
    /// The surviving log does not fit into a fresh segment.
    #[error("the last segment's batches do not fit into a fresh segment")]
    NoFit,
    /// A file operation failed.
    #[error("{what} {path}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: String,
        /// The cause.
        source: io::Error,
    },
}

impl StartError {
    /// Names the operation and the file of an IO error.
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Io { what, path, source }
    }
}
