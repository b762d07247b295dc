//! What the writer, the checkpointer and the callers share.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use crate::bytes::wide;
use crate::directory::Directory;
use crate::erasure::Erasures;
use crate::heads::{Heads, Holds, Record};
use crate::journal::{AppendError, Done, Head, Receipt, RecoverySummary, Status};
use crate::options::Options;
use crate::pending::Pending;
use crate::quarantine::Quarantine;
use crate::queue::Queue;
use crate::scrub::{Faults, Scrubbed};
use crate::segment::Segment;
use crate::spares::Spares;

/// Locks a mutex. No lock is held while foreign code runs, and each change under one is complete in
/// itself, so a panic elsewhere leaves nothing half done behind it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The state that outlives any one call.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) directory: Directory,
    pub(crate) heads: Heads,
    pub(crate) queue: Queue,
    /// The durable end of every chain.
    pub(crate) durable: RwLock<HashMap<Arc<str>, Head>>,
    /// How far every chain's own files are complete; never ahead of `heads`.
    pub(crate) records: Mutex<BTreeMap<Arc<str>, Record>>,
    pub(crate) pending: Mutex<Pending>,
    /// What is held, and what was repaired; never ahead of `heads`.
    pub(crate) holds: Mutex<Holds>,
    /// The live segments, oldest first.
    pub(crate) segments: Mutex<VecDeque<Arc<Segment>>>,
    pub(crate) spares: Spares,
    /// What is being erased, as it stands in `heads`.
    pub(crate) erasures: Erasures,
    /// What the scrub found damaged.
    pub(crate) faults: Faults,
    /// Chains whose own files cannot be written.
    pub(crate) quarantine: Quarantine,
    /// Whether less of the disk is free than is to be kept so.
    pub(crate) scarce: AtomicBool,
    pub(crate) counters: Counters,
    pub(crate) poisoned: OnceLock<String>,
    pub(crate) recovered: RecoverySummary,
}

/// What has been done since the start.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) batches: AtomicU64,
    pub(crate) entries: AtomicU64,
    pub(crate) fsyncs: AtomicU64,
    pub(crate) scrubbed: AtomicU64,
    pub(crate) scrub_rounds: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, amount: usize) {
        counter.fetch_add(wide(amount), Ordering::Relaxed);
    }
}

impl Shared {
    /// Ends the journal for this process: what waits is refused, nothing is retried.
    pub(crate) fn poison(&self, reason: &str) {
        if self.poisoned.set(reason.to_owned()).is_ok() {
            tracing::error!(reason, "the journal failed and takes nothing more");
        }
        self.spares.close();
        self.queue.poison(reason);
    }

    /// The durable end of a chain.
    pub(crate) fn head(&self, chain: &str) -> Option<Head> {
        self.durable
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(chain)
            .copied()
    }

    /// The chains that have a durable entry.
    pub(crate) fn chains(&self) -> BTreeSet<Arc<str>> {
        let durable = self.durable.read();
        let durable = durable.unwrap_or_else(PoisonError::into_inner);
        durable.keys().cloned().collect()
    }

    /// The record of a chain's own files.
    pub(crate) fn record(&self, chain: &str) -> Option<Record> {
        lock(&self.records).get(chain).copied()
    }

    /// Health and counters.
    pub(crate) fn status(&self) -> Status {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let unwritable = self.quarantine.failing();
        Status {
            poisoned: self.poisoned.get().cloned(),
            segments: wide(lock(&self.segments).len()),
            batches: read(&self.counters.batches),
            entries: read(&self.counters.entries),
            fsyncs: read(&self.counters.fsyncs),
            queue_depth: wide(self.queue.depth()),
            checkpoint_failures: wide(unwritable.len()),
            quarantined: self.quarantine.held(),
            unwritable,
            disk_scarce: self.disk_is_scarce(),
            scrubbed: Scrubbed {
                bytes: read(&self.counters.scrubbed),
                rounds: read(&self.counters.scrub_rounds),
                faults: self.faults.list(),
            },
            recovered: Some(self.recovered.clone()),
        }
    }
}

/// Answers an append. A caller that panics in its answer harms nobody else's.
pub(crate) fn answer(done: Done, result: Result<Vec<Receipt>, AppendError>) {
    if catch_unwind(AssertUnwindSafe(|| done(result))).is_err() {
        tracing::error!("the receiver of an append's answer panicked");
    }
}
