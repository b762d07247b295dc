//! The notary's files and what it knows of the chains, for its thread and for whoever asks.

use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;
use vyrox_domain::host_protocol::{AuditLog, AuditRebased};
use vyrox_journal::{
    Committed, Journal, JournalError,
    proof::{Notary, NotaryError, OpaqueId},
};

use super::{opaque, opening::Age, rotating::LogKeys, witness::Witnessing, witnessing::Known};
use crate::{integrity::Integrity, ports::Clock};

/// Lines that are shown to the notary under one lock.
const AT_ONCE: usize = 512;
/// How often a chain that is not as it was signed is looked at again: a repair may have restored it.
const AGAIN_MS: u64 = 5_000;

/// What the office is made of.
pub struct OfficeParts {
    /// The chains.
    pub journal: Arc<dyn Journal>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// What was found.
    pub integrity: Arc<Integrity>,
    /// The private keys that there are.
    pub keys: Arc<dyn LogKeys>,
    /// Who is asked for its word.
    pub witnessing: Witnessing,
    /// The directory of all that is signed.
    pub folder: PathBuf,
    /// How often the log is signed, in milliseconds.
    pub publish_ms: u64,
    /// How often all chains are held against what was signed, in milliseconds.
    pub check_ms: u64,
}

/// The notary, shared.
pub struct Office {
    pub(super) parts: OfficeParts,
    /// A witness's answer was noted.
    pub(super) noted: watch::Sender<()>,
    pub(super) open: watch::Sender<bool>,
    desk: Mutex<Desk>,
}

#[derive(Default)]
pub(super) struct Desk {
    pub(super) notary: Option<Notary>,
    /// What the host's chain has of the log.
    pub(super) known: Option<AuditLog>,
    /// Each chain's id; `None` for a chain that cannot be signed.
    ids: HashMap<Arc<str>, Option<OpaqueId>>,
    /// The chains are to be read from where the notary is behind.
    pub(super) behind: bool,
    pub(super) age: Age,
    /// A rebase that waits for its entry on the host's chain.
    pub(super) rebasing: Option<AuditRebased>,
    /// What is known of each witness.
    pub(super) witnesses: Vec<Known>,
    /// Since when they are asked about this log.
    pub(super) asked_since_ms: u64,
    ended: bool,
    published_at: u64,
    pub(super) checked_at: u64,
}

impl Office {
    /// An office with nothing open.
    pub fn new(parts: OfficeParts) -> Self {
        let witnesses = parts.witnessing.witnesses.iter();
        let witnesses = witnesses.map(|witness| Known::new(witness.key().clone()));
        let desk = Desk {
            witnesses: witnesses.collect(),
            asked_since_ms: parts.clock.now().ms(),
            ..Desk::default()
        };
        Self {
            parts,
            noted: watch::Sender::new(()),
            open: watch::Sender::new(false),
            desk: Mutex::new(desk),
        }
    }

    /// Shows the notary durable entries.
    pub(super) fn observe(&self, entries: &[Arc<Committed>]) {
        let mut gaps = BTreeSet::new();
        for some in entries.chunks(AT_ONCE) {
            let mut desk = self.desk();
            for entry in some {
                let shown = self.show(&mut desk, (&entry.chain, entry.seq), &entry.line);
                if shown == Shown::TooEarly {
                    gaps.insert(Arc::clone(&entry.chain));
                }
            }
        }
        for chain in gaps {
            self.read_chain(&chain);
        }
    }

    fn show(&self, desk: &mut Desk, (chain, seq): (&Arc<str>, u64), line: &[u8]) -> Shown {
        if desk.notary.is_none() || self.accused(chain) {
            return Shown::Passed;
        }
        let id = *desk.ids.entry(Arc::clone(chain)).or_insert_with(|| {
            let id = opaque::of(&*self.parts.journal, chain);
            if id.is_none() {
                tracing::error!(
                    chain = chain.as_ref(),
                    "a chain without an id is not signed"
                );
            }
            id
        });
        let (Some(notary), Some(id)) = (desk.notary.as_mut(), id) else {
            return Shown::Passed;
        };
        match notary.observe(chain, id, seq, line) {
            Ok(()) => Shown::Passed,
            Err(NotaryError::Gap { .. }) => Shown::TooEarly,
            Err(error @ NotaryError::Unlinked(_)) => {
                tracing::error!(%error, "an entry is not signed; the chains are looked at again");
                desk.checked_at = 0;
                Shown::Passed
            }
            Err(error) => {
                tracing::error!(%error, "a chain is not signed any more");
                desk.ids.insert(Arc::clone(chain), None);
                Shown::Passed
            }
        }
    }

    fn accused(&self, chain: &str) -> bool {
        self.parts.integrity.findings().chains.contains_key(chain)
    }

    /// Reads every chain from where the notary is behind. Blocks.
    pub(super) fn read_on(&self) {
        self.desk().behind = false;
        for chain in self.parts.journal.chains() {
            self.read_chain(&chain.into());
        }
    }

    fn read_chain(&self, chain: &Arc<str>) {
        if let Err(error) = self.try_read_chain(chain) {
            tracing::error!(%error, "a chain cannot be read to be signed");
        }
    }

    fn try_read_chain(&self, chain: &Arc<str>) -> Result<(), JournalError> {
        let behind = self
            .desk()
            .notary
            .as_ref()
            .map(|notary| notary.behind(chain));
        let head = self.parts.journal.head(chain).map(|head| head.seq);
        let (Some(from), Some(to)) = (behind, head) else {
            return Ok(());
        };
        if to < from {
            return Ok(());
        }
        let mut lines = self.parts.journal.read(chain, from, Some(to))?;
        loop {
            let some: Vec<_> = lines.by_ref().take(AT_ONCE).collect::<Result<_, _>>()?;
            if some.is_empty() {
                return Ok(());
            }
            let mut desk = self.desk();
            for line in &some {
                let shown = self.show(&mut desk, (chain, line.seq), &line.bytes);
                if shown == Shown::TooEarly {
                    // What goes before it was let go of meanwhile.
                    desk.behind = true;
                    return Ok(());
                }
            }
        }
    }

    /// Whatever is due: signs, looks at the chains again, opens what failed.
    pub(super) fn tend(&self) {
        let due = self.due();
        if due.reads {
            self.read_on();
        }
        if due.publishes {
            self.publish();
        }
        if due.checks {
            self.check();
        }
    }

    fn due(&self) -> Due {
        let now = self.now_ms();
        let mut desk = self.desk();
        if desk.ended {
            return Due::default();
        }
        let pause = if self.parts.integrity.findings().chains.is_empty() {
            self.parts.check_ms
        } else {
            AGAIN_MS.min(self.parts.check_ms)
        };
        let publishes = now.abs_diff(desk.published_at) >= self.parts.publish_ms;
        desk.notary.take_if(|notary| notary.has_failed());
        let failed = desk.notary.is_none() && desk.rebasing.is_none() && self.may_open_again();
        if failed && publishes {
            desk.published_at = now;
            self.open_desk(&mut desk);
        }
        Due {
            reads: desk.behind,
            publishes,
            checks: now.abs_diff(desk.checked_at) >= pause,
        }
    }

    /// Signs what was shown, if anything was.
    pub(super) fn publish(&self) {
        let mut desk = self.desk();
        let now = self.now_ms();
        desk.published_at = now;
        if desk.is_unsafe_to_sign(self.parts.witnessing.required) {
            // Under this name a witness may have seen something else: one more signature would
            // contradict it.
            return;
        }
        let Some(notary) = desk.notary.as_mut() else {
            return;
        };
        match notary.publish(now) {
            Ok(None) => {}
            Ok(Some(_)) => desk.age = Age::Before,
            Err(error) => {
                tracing::error!(%error, "the log could not be signed; it is opened anew");
                desk.notary = None;
            }
        }
    }

    /// Signs the last entries, and takes nothing more. Blocks; called when nobody writes any more and
    /// before the journal is closed.
    pub fn finish(&self) {
        self.read_on();
        self.publish();
        let mut desk = self.desk();
        desk.ended = true;
        desk.notary = None;
    }

    /// How often each witness is asked.
    pub(super) fn interval_ms(&self) -> u64 {
        self.parts.witnessing.interval_ms
    }

    /// How long the thread may wait for entries.
    pub(super) fn pause(&self) -> Duration {
        Duration::from_millis(self.parts.publish_ms.min(AGAIN_MS))
    }

    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.parts.clock.now().ms()
    }
}

/// What the thread has to do now.
#[derive(Default)]
struct Due {
    reads: bool,
    publishes: bool,
    checks: bool,
}

#[derive(PartialEq, Eq)]
enum Shown {
    Passed,
    TooEarly,
}

/// A log as the host's chain knows it.
pub(super) fn log_of(notary: &Notary) -> AuditLog {
    AuditLog {
        deployment: notary.deployment().to_string(),
        vkey: notary.key().to_string(),
    }
}
