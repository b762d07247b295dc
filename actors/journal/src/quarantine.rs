//! Quarantine: what becomes of a chain whose own files cannot be written.
//!
//! Its entries stay in the log, durable and proven, and are tried again at every checkpoint. But they
//! keep their segments from being recycled, and a log that cannot grow any more refuses everybody. So
//! before it comes to that the chain is *held*, as a start holds one that it cannot prove: the hold is
//! committed, the writer refuses its entries from then on, and what waits of it goes to side files
//! with its segments. A repair puts it back. Nothing of it is lost, and nobody else waits.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::checkpointer::{Checkpointer, Fatal};
use crate::disk::{lacks_descriptors, lacks_room};
use crate::heads::{Hold, Record};
use crate::pending::settle;
use crate::queue::Job;
use crate::segment::Segment;
use crate::shared::{Shared, lock};
use crate::tenant_file::{CopyError, ends_in, readable_prefix};

/// Chains whose own files cannot be written.
#[derive(Default)]
pub(crate) struct Quarantine(Mutex<State>);

#[derive(Default)]
struct State {
    failing: BTreeMap<Arc<str>, Failing>,
    /// Chains with a committed hold to which the writer may still add; and whether their files lack
    /// what was copied to them before.
    leaving: BTreeMap<Arc<str>, (Hold, bool)>,
    /// Chains that were held since the start, with the first seq that their files lack.
    held: BTreeMap<Arc<str>, u64>,
}

struct Failing {
    /// Rounds of the checkpointer that ended with a failure of this chain's own.
    attempts: u32,
    /// Whether the last failure was one.
    counts: bool,
    why: String,
}

impl Quarantine {
    /// Notes that a chain's files could be completed.
    pub(crate) fn written(&self, chain: &str) {
        lock(&self.0).failing.remove(chain);
    }

    /// Notes that they could not, however many readers ask for them. A disk without room, or a process without descriptors, says nothing
    /// of this chain.
    pub(crate) fn unwritable(&self, chain: &Arc<str>, error: &CopyError) {
        let counts = match error {
            CopyError::Io(error) => !lacks_room(error) && !lacks_descriptors(error),
            CopyError::Damaged(_) => true,
        };
        let mut state = lock(&self.0);
        let failing = state.failing.entry(Arc::clone(chain));
        let failing = failing.or_insert_with(|| Failing {
            attempts: 0,
            counts,
            why: String::new(),
        });
        failing.counts = counts;
        failing.why = error.to_string();
    }

    /// Counts a round of the checkpointer, which has just tried every chain that waits.
    pub(crate) fn count_round(&self) {
        for failing in lock(&self.0).failing.values_mut() {
            failing.attempts = failing.attempts.saturating_add(u32::from(failing.counts));
        }
    }

    /// Whether the chain is about to be held, and nothing may be copied to its files.
    pub(crate) fn is_leaving(&self, chain: &str) -> bool {
        lock(&self.0).leaving.contains_key(chain)
    }

    /// Chains that were held since the start.
    pub(crate) fn held(&self) -> Vec<(String, u64)> {
        let state = lock(&self.0);
        let held = state.held.iter();
        held.map(|(chain, from)| (chain.to_string(), *from))
            .collect()
    }

    /// Chains whose files could not be completed the last time, and why.
    pub(crate) fn failing(&self) -> Vec<(String, String)> {
        let state = lock(&self.0);
        let failing = state.failing.iter();
        failing
            .map(|(chain, failing)| (chain.to_string(), failing.why.clone()))
            .collect()
    }

    /// Why a chain's files could not be completed the last time.
    pub(crate) fn why(&self, chain: &str) -> Option<String> {
        let state = lock(&self.0);
        state.failing.get(chain).map(|failing| failing.why.clone())
    }

    /// Chains whose files could not be written in so many rounds running.
    fn hopeless(&self, attempts: u32) -> BTreeSet<Arc<str>> {
        let state = lock(&self.0);
        let hopeless = state.failing.iter().filter(|(chain, failing)| {
            failing.attempts >= attempts && !state.leaving.contains_key(*chain)
        });
        hopeless.map(|(chain, _)| Arc::clone(chain)).collect()
    }
}

impl Checkpointer {
    /// Begins to hold the chains that keep the oldest segment in a log that has no more room to grow.
    pub(crate) fn quarantine(&self) -> Result<(), Fatal> {
        let attempts = self.shared.options.quarantine_after;
        let Some(oldest) = self.pinned().filter(|_| attempts > 0) else {
            return Ok(());
        };
        for chain in self.shared.quarantine.hopeless(attempts) {
            if lock(&self.shared.pending).waits_in(&chain, &oldest) {
                self.hold(&chain)?;
            }
        }
        Ok(())
    }

    /// The oldest segment, if it cannot be recycled and the log needs it to be.
    fn pinned(&self) -> Option<Arc<Segment>> {
        let segments = lock(&self.shared.segments);
        let live = segments.len();
        let pressed =
            live >= self.shared.options.max_segments / 2 || self.shared.spares.are_starved();
        let oldest = segments.front().filter(|_| live > 1 && pressed)?;
        (!oldest.is_copied()).then(|| Arc::clone(oldest))
    }

    /// Commits a hold, and has the writer refuse the chain's entries. What it acknowledges until then
    /// is in the log, and is set aside like what came before.
    fn hold(&self, chain: &Arc<str>) -> Result<(), Fatal> {
        let shared = &self.shared;
        let proven = match self.proven(chain) {
            Ok(proven) => proven,
            Err(error) => {
                tracing::error!(%chain, %error, "a chain's file can be neither written nor read");
                return Ok(());
            }
        };
        let copied = shared.record(chain).map(|record| record.head.seq);
        let hold = Hold {
            next: proven.map_or(0, |record| record.head.seq + 1),
            alias: shared.heads.take_id(0).map_err(Fatal)?,
            known_to: shared.head(chain).map(|head| head.seq),
        };
        {
            // What is held is changed by this thread, and by whoever releases unknown chains.
            let holds = lock(&shared.holds);
            let mut more = holds.clone();
            more.chains.insert(Arc::clone(chain), hold);
            shared.heads.set_holds(&more).map_err(Fatal)?;
        }
        let mut records = lock(&shared.records);
        match proven {
            Some(record) => drop(records.insert(Arc::clone(chain), record)),
            None => drop(records.remove(chain)),
        }
        drop(records);
        lock(&shared.quarantine.0)
            .leaving
            .insert(Arc::clone(chain), (hold, copied >= Some(hold.next)));
        let chain = Arc::clone(chain);
        // A queue that has ended takes no entries either.
        drop(shared.queue.push(Job::Hold { chain }, &shared.options));
        Ok(())
    }

    /// How far the chain's file is good, as a start would see it.
    fn proven(&self, chain: &str) -> io::Result<Option<Record>> {
        let Some(record) = self.shared.record(chain) else {
            return Ok(None);
        };
        let directory = &self.shared.directory;
        let (disk, path) = (directory.disk(), directory.tenant_path(chain));
        // A sector that cannot be read keeps nothing of what stands before it from being proven.
        if matches!(ends_in(disk, &path, chain, &record), Ok(true)) {
            return Ok(Some(record));
        }
        match readable_prefix(disk, &path, chain, &record) {
            Err(error) if is_no_file(&error) => Ok(None),
            proven => proven,
        }
    }

    /// The writer has stopped to add to the chain: it is held from here on, and its waiting frames
    /// keep no segment. How far it went is committed before they are set aside.
    pub(crate) fn leave(&self, chain: &Arc<str>) -> Result<(), Fatal> {
        let shared = &self.shared;
        let leaving = lock(&shared.quarantine.0).leaving.get(chain).copied();
        let Some((mut hold, is_cut)) = leaving else {
            return Ok(());
        };
        hold.known_to = hold.known_to.max(shared.lower(chain));
        {
            let mut holds = lock(&shared.holds);
            holds.chains.insert(Arc::clone(chain), hold);
            shared.heads.set_holds(&holds).map_err(Fatal)?;
        }
        let frames = lock(&shared.pending).take(chain);
        for frame in &frames {
            lock(&frame.segment.stranded).push(frame.clone());
        }
        if is_cut {
            self.strand_copied(chain, hold.next);
        }
        settle(&frames);
        let mut state = lock(&shared.quarantine.0);
        state.leaving.remove(chain);
        state.failing.remove(chain);
        state.held.insert(Arc::clone(chain), hold.next);
        drop(state);
        tracing::error!(
            %chain,
            from_seq = hold.next,
            entries = frames.len(),
            "chain quarantined: its files cannot be written, and it is held; its entries are set \
             aside. See `vyrox audit repair`"
        );
        Ok(())
    }

    /// Entries that had been copied to files that lack them now: as long as the log has them they are
    /// set aside as well. Those that waited are noted already.
    fn strand_copied(&self, chain: &Arc<str>, from: u64) {
        let segments: Vec<_> = lock(&self.shared.segments).iter().cloned().collect();
        for segment in segments {
            let frames = segment.frames(|name, seq| name == &**chain && seq >= from);
            let frames = frames.unwrap_or_else(|error| {
                tracing::error!(%chain, %error, "a segment can't be read for what a chain's file lacks");
                Vec::new()
            });
            let mut stranded = lock(&segment.stranded);
            let noted: BTreeSet<u64> = stranded.iter().map(|frame| frame.offset).collect();
            let fresh = frames.into_iter();
            stranded.extend(fresh.filter(|frame| !noted.contains(&frame.offset)));
        }
    }
}

impl Shared {
    /// Has a chain end where its record does; answers the seq that it ended with.
    fn lower(&self, chain: &Arc<str>) -> Option<u64> {
        let record = self.record(chain);
        let mut durable = self.durable.write().unwrap_or_else(PoisonError::into_inner);
        let before = match record {
            Some(record) => durable.insert(Arc::clone(chain), record.head),
            None => durable.remove(chain),
        };
        before.map(|head| head.seq)
    }
}

/// Whether something else stands in the file's place.
fn is_no_file(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
mod tests;
