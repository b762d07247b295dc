//! The contract: what a journal promises, whichever one stands behind it.

use std::fmt;
use std::sync::Arc;

use crate::draft::Draft;
use crate::verify::VerifyReport;

/// An append-only, hash-chained journal of many independent chains.
///
/// Every method but [`append`](Self::append), [`head`](Self::head) and [`status`](Self::status) may
/// block on the disk, and none of the blocking ones may be called from a [`Done`] or from the
/// commit callback: those run on the thread that would have to answer.
pub trait Journal: Send + Sync + 'static {
    /// Takes a new writer epoch for `chain`; appends under any earlier one are fenced from here on.
    ///
    /// It is a barrier too: it returns when everything queued before it is durable or refused, so
    /// the head it answers cannot move under the new owner.
    fn open(&self, chain: &str) -> Result<Opened, JournalError>;

    /// Queues an append, whole or not at all, and never blocks.
    ///
    /// `done` is called once: at once on the caller's thread if the append is refused before it is
    /// queued, otherwise on the writer's thread, after the batch is durable. An append without
    /// drafts is a durability barrier: it is answered `Ok` with no receipts, when everything that
    /// was queued before it is durable or refused, whatever epoch and `expected_last` it carries.
    fn append(&self, append: Append, done: Done);

    /// The last durable entry of a chain, at memory speed.
    fn head(&self, chain: &str) -> Option<Head>;

    /// The lines of a chain from `from_seq` to `to_seq` (both included; `None` is the durable head
    /// at the time of the call), in order, each checked against its hash and its predecessor.
    fn read(&self, chain: &str, from_seq: u64, to_seq: Option<u64>) -> Result<Lines, JournalError>;

    /// Verifies the chain's own file up to its durable head, as an auditor would: bytes, links, seqs.
    /// What it finds wrong is in the report; an error means that it could not look.
    fn verify(&self, chain: &str) -> Result<VerifyReport, JournalError>;

    /// Completes the chain's own file up to its durable head.
    fn flush(&self, chain: &str) -> Result<(), JournalError>;

    /// The attachments that came with one entry, in the order they were given.
    fn evidence(&self, chain: &str, seq: u64) -> Result<Vec<Vec<u8>>, JournalError>;

    /// The names of all chains that have a durable entry, sorted.
    fn chains(&self) -> Vec<String>;

    /// Counters and health, at memory speed.
    fn status(&self) -> Status;

    /// Drains the queue, completes every chain's file, syncs and stops. Afterwards every call that
    /// would write answers closed. A second call does nothing.
    fn close(&self) -> Result<(), JournalError>;
}

/// The answer to an append, given exactly once.
pub type Done = Box<dyn FnOnce(Result<Vec<Receipt>, AppendError>) + Send>;

/// A stream of a chain's lines; it ends at the first error.
pub type Lines = Box<dyn Iterator<Item = Result<Line, JournalError>> + Send>;

/// Entries to put at the end of one chain, all or none of them.
#[derive(Debug, Clone)]
pub struct Append {
    /// The chain's name: 1 to 100 of `a-z A-Z 0-9 _ - + .`, not beginning with a dot.
    pub chain: Arc<str>,
    /// The epoch that [`Journal::open`] gave to this writer.
    pub epoch: u64,
    /// The seq the caller believes to be the chain's last one; `None` for an empty chain.
    pub expected_last: Option<u64>,
    /// The entries, in order.
    pub drafts: Vec<Draft>,
}

/// What a new owner of a chain starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// The epoch to append under.
    pub epoch: u64,
    /// The durable head; `None` for a chain without entries.
    pub head: Option<Head>,
}

/// The end of a chain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The last entry's seq.
    pub seq: u64,
    /// The last entry's hash.
    pub hash: [u8; 32],
}

impl Head {
    /// The hash in lower-case hex, as the entry itself carries it.
    pub fn hash_hex(&self) -> String {
        hex::encode(self.hash)
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Head({} {})", self.seq, self.hash_hex())
    }
}

/// Proof that an entry is durable at this place of its chain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The entry's seq.
    pub seq: u64,
    /// The entry's hash.
    pub hash: [u8; 32],
}

impl Receipt {
    /// The hash in lower-case hex, as the entry itself carries it.
    pub fn hash_hex(&self) -> String {
        hex::encode(self.hash)
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receipt({} {})", self.seq, self.hash_hex())
    }
}

/// One entry as it stands in the chain's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The entry's seq.
    pub seq: u64,
    /// The entry's hash.
    pub hash: [u8; 32],
    /// The exact bytes of the line, without its newline.
    pub bytes: Vec<u8>,
}

/// Why an append was not made durable. Nothing of it is in the chain, except after [`Io`](Self::Io),
/// when a restart may find it there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The chain's last seq is not the one the caller expected.
    #[error("the chain ends at {actual:?}, not at {expected:?}")]
    Conflict {
        /// What the caller expected.
        expected: Option<u64>,
        /// Where the chain really ends.
        actual: Option<u64>,
    },
    /// The epoch is not the chain's current one.
    #[error("a newer writer has opened the chain")]
    Fenced,
    /// The queue or the disk has no room; try again later.
    #[error("the journal has no room")]
    Full,
    /// The chain's end cannot be proven since a damage; it takes no entries until it is repaired.
    #[error("the chain is held after a damage")]
    Held,
    /// The entries break a rule of the format.
    #[error("invalid entry: {0}")]
    Invalid(String),
    /// The journal failed or is closed; it takes nothing more in this process.
    #[error("journal failure: {0}")]
    Io(String),
}

/// Why a call on the journal failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The chain's end cannot be proven since a damage.
    #[error("chain {0} is held after a damage")]
    Held(String),
    /// Stored bytes do not prove themselves.
    #[error("chain {chain} is damaged at seq {seq}: {reason}")]
    Damaged {
        /// The chain.
        chain: String,
        /// The first seq that cannot be trusted.
        seq: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is no such entry.
    #[error("chain {chain} has no entry {seq}")]
    NoEntry {
        /// The chain.
        chain: String,
        /// The seq that was asked for.
        seq: u64,
    },
    /// The name cannot be a chain's.
    #[error("{0:?} is not a chain name")]
    Name(String),
    /// The disk failed.
    #[error("journal failure: {0}")]
    Io(String),
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}

/// The journal's health and counters since it was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Why the journal takes nothing more, if so; the process must exit and recover.
    pub poisoned: Option<String>,
    /// Live log segments.
    pub segments: u64,
    /// Batches made durable.
    pub batches: u64,
    /// Entries made durable.
    pub entries: u64,
    /// Syncs of the log.
    pub fsyncs: u64,
    /// Entries waiting for the writer.
    pub queue_depth: u64,
    /// Chains whose last checkpoint failed; each is tried again.
    pub checkpoint_failures: u64,
    /// What this start found in the log.
    pub recovered: Option<RecoverySummary>,
}

/// What a start found, cut and held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoverySummary {
    /// Segments that were read.
    pub segments: u64,
    /// Batches that were read.
    pub batches: u64,
    /// Entries in the log that the chains' files did not yet hold.
    pub entries: u64,
    /// Whether an unfinished, never acknowledged batch was cut off the end.
    pub cut: bool,
    /// Whether bytes were found damaged that must have been durable.
    pub damaged: bool,
    /// Chains that are held, with the first seq that each may have lost, sorted.
    pub held: Vec<(String, u64)>,
    /// Whether a loss of unknown extent forbids chains that were never seen before to begin.
    pub unknown_chains_held: bool,
}
