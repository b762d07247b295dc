//! The contract: what a journal promises, whichever one stands behind it.

use std::fmt;
use std::sync::Arc;

use crate::draft::Draft;
use crate::scrub::{Part, Scrubbed};
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

    /// Whether an append of this class would find room now, at memory speed: for callers who want to
    /// know before they decide anything. Room may be gone, or be there again, a moment later.
    fn has_room(&self, _class: Class) -> bool {
        true
    }

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

    /// Erases the attachments that came with the entries of these runs (first and last seq, both
    /// included), for ever and wherever the journal has them; their lines stay, and so does every digest in them. It returns when the store and the
    /// log hold nothing of them any more, or says that it is [not finished](Erased::unfinished), and names what it cannot reach.
    ///
    /// Once begun it is durable: after a failure the attachments can no longer be read, and the next
    /// erasure or the next start completes it. Runs may come in any order and overlap; entries that
    /// came without attachments, or lost them already, change nothing.
    fn erase(&self, chain: &str, runs: &[(u64, u64)]) -> Result<Erased, JournalError> {
        let _ = (chain, runs);
        Err(JournalError::Io("this journal erases nothing".into()))
    }

    /// The names of all chains that have a durable entry, sorted.
    fn chains(&self) -> Vec<String>;

    /// What is known of a chain that is held, at memory speed; `None` for one that is not.
    fn hold(&self, _chain: &str) -> Option<HoldInfo> {
        None
    }

    /// Extends a held chain's proven end by lines of it that were kept elsewhere, and by what the log
    /// still has behind them. The chain stays held.
    ///
    /// Lines up to the proven end must be what the chain has there; the others must follow it by seq and
    /// hash, in any order and without a gap, or nothing is done. Whatever of it is done is whole and durable.
    fn restore(&self, chain: &str, _tail: Vec<Vec<u8>>) -> Result<Repaired, JournalError> {
        Err(not_supported(chain))
    }

    /// As [`restore`](Self::restore); then the chain takes entries again, behind the end that it has
    /// now. What was lost behind it is given up: its seqs are given anew.
    ///
    /// After a crash the chain is held as before, or repaired with all of the tail.
    fn repair(&self, chain: &str, _tail: Vec<Vec<u8>>) -> Result<Repaired, JournalError> {
        Err(not_supported(chain))
    }

    /// Lets chains begin that were never seen before a loss of unknown extent.
    fn repair_unknown(&self) -> Result<(), JournalError> {
        Err(not_supported("of any name"))
    }

    /// What the scrub found damaged in the chain's files: which, and the first bad seq of each.
    fn damaged(&self, _chain: &str) -> Vec<(Part, u64)> {
        Vec::new()
    }

    /// Why the chain's own files could not be written the last time; `None` where they could. Its entries
    /// wait in the log.
    fn unwritable(&self, _chain: &str) -> Option<String> {
        None
    }

    /// Counters and health, at memory speed.
    fn status(&self) -> Status;

    /// Drains the queue, completes every chain's file, syncs and stops. Afterwards every call that
    /// would write answers closed. A second call does nothing.
    fn close(&self) -> Result<(), JournalError>;
}

fn not_supported(chain: &str) -> JournalError {
    JournalError::Io(format!(
        "chain {chain}: this journal does not repair chains"
    ))
}

/// The answer to an append, given exactly once.
pub type Done = Box<dyn FnOnce(Result<Vec<Receipt>, AppendError>) + Send>;

/// A stream of a chain's lines; it ends at the first error.
pub type Lines = Box<dyn Iterator<Item = Result<Line, JournalError>> + Send>;

/// What an append is for. Room that runs short is kept for what is needed most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Class {
    /// Something new from outside. Whoever sent it will send it again, so it is refused first.
    Intake,
    /// What follows from entries that are there.
    #[default]
    Ordinary,
    /// Intents and outcomes of orders: what happened to somebody's machines. The last room is theirs.
    Containment,
}

/// Entries to put at the end of one chain, all or none of them.
#[derive(Debug, Clone)]
pub struct Append {
    /// What they are for.
    pub class: Class,
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

/// What is known of a held chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldInfo {
    /// The first seq that may be lost.
    pub from_seq: u64,
    /// The last entry that is proven; none if nothing is.
    pub proven: Option<Head>,
    /// The highest seq that anything left on the disk spoke of at the start. Entries behind it may be
    /// lost too.
    pub known_to: Option<u64>,
    /// The name of the chain that takes entries meanwhile.
    pub successor: String,
}

/// How a held chain stands after lines were restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repaired {
    /// The chain's last entry.
    pub head: Option<Head>,
    /// Entries restored from the lines that were given.
    pub from_tail: u64,
    /// Entries restored from what the log still had.
    pub from_log: u64,
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
    /// The chain is not held: there is nothing to repair.
    #[error("chain {0} is not held")]
    NotHeld(String),
    /// A line that was to be restored is none of this chain, or does not follow its proven end.
    #[error("line {line} cannot be restored to chain {chain}: {reason}")]
    Unconnected {
        /// The chain.
        chain: String,
        /// The line among those given, from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
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
    /// The entry's attachments were erased, or are being erased.
    #[error("the evidence of entry {seq} of chain {chain} was erased")]
    Erased {
        /// The chain.
        chain: String,
        /// The entry's seq.
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

/// What an erasure did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Erased {
    /// The entries among those given whose attachments were there until now.
    pub entries: u64,
    /// Files under the data directory that may still hold copies: kept because of a damage, or for a
    /// held chain and not to be read. The journal never reads attachments from them; whoever no
    /// longer needs them removes them.
    pub copies: Vec<String>,
    /// Files of the log that still hold copies, because there is no room to go on without them. The
    /// erasure is not complete as long as there are any: the next one, or the next start, tries again.
    /// They are never to be removed by hand.
    pub unfinished: Vec<String>,
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
    /// Chains that are held since then because their own files could not be written, with the first
    /// seq that those lack, sorted.
    pub quarantined: Vec<(String, u64)>,
    /// Chains whose own files could not be written the last time, and why, sorted.
    pub unwritable: Vec<(String, String)>,
    /// Whether the disk has less free space than is kept free for what is needed most.
    pub disk_scarce: bool,
    /// What the scrub read of the chains' own files, and what it found damaged.
    pub scrubbed: Scrubbed,
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
