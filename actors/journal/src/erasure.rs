//! Erasing evidence: what was asked for, how far it has come, and what it cannot reach.
//!
//! The order, each step durable before the next: the runs of entries stand in `heads` (from here on
//! nobody can read them), their attachments are overwritten in the chain's store, the log goes on in
//! a new segment and those with copies are recycled and zeroed, the runs leave `heads`. A crash
//! leaves the runs, and the next start does all of it again from the store on.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use crate::aside;
use crate::directory::Directory;
use crate::shared::lock;

pub(crate) mod calls;
mod work;

/// Sets of seqs, as runs that neither overlap nor touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Runs(BTreeMap<u64, u64>);

impl Runs {
    /// These runs, which may come in any order and overlap. One that ends before it begins is empty.
    pub(crate) fn of(runs: &[(u64, u64)]) -> Self {
        let mut all = Self::default();
        for &(first, last) in runs.iter().filter(|(first, last)| first <= last) {
            all.add(first, last);
        }
        all
    }

    /// Adds the seqs from `first` to `last`, both included.
    pub(crate) fn add(&mut self, mut first: u64, mut last: u64) {
        while let Some((&other, &other_last)) = self.0.range(..=last.saturating_add(1)).next_back()
        {
            if other_last.saturating_add(1) < first {
                break;
            }
            self.0.remove(&other);
            (first, last) = (first.min(other), last.max(other_last));
        }
        self.0.insert(first, last);
    }

    pub(crate) fn contains(&self, seq: u64) -> bool {
        let run = self.0.range(..=seq).next_back();
        run.is_some_and(|(_, last)| seq <= *last)
    }

    pub(crate) fn highest(&self) -> Option<u64> {
        self.0.last_key_value().map(|(_, last)| *last)
    }

    /// First and last seq of each run.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().map(|(first, last)| (*first, *last))
    }
}

/// One chain's entries that are being erased.
#[derive(Debug, Clone, Default)]
struct Waiting {
    runs: Runs,
    /// Whether the store holds none of them any more; the log may.
    overwritten: bool,
}

/// What is being erased, as it stands in `heads`.
pub(crate) struct Erasures(Mutex<BTreeMap<Arc<str>, Waiting>>);

impl Erasures {
    /// What an earlier process began; all of it is to be done again.
    pub(crate) fn begun(rows: Vec<(Arc<str>, u64, u64)>) -> Self {
        let mut chains: BTreeMap<Arc<str>, Waiting> = BTreeMap::new();
        for (chain, first, last) in rows {
            chains.entry(chain).or_default().runs.add(first, last);
        }
        Self(Mutex::new(chains))
    }

    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.0).is_empty()
    }

    /// Whether this entry's attachments are on their way out.
    pub(crate) fn contains(&self, chain: &str, seq: u64) -> bool {
        let chains = lock(&self.0);
        chains
            .get(chain)
            .is_some_and(|waiting| waiting.runs.contains(seq))
    }

    fn add(&self, chain: &Arc<str>, runs: &Runs) {
        let mut chains = lock(&self.0);
        let waiting = chains.entry(Arc::clone(chain)).or_default();
        waiting.overwritten = false;
        for (first, last) in runs.iter() {
            waiting.runs.add(first, last);
        }
    }

    /// The chains whose stores are, or are not, overwritten, with what they erase.
    fn those(&self, overwritten: bool) -> Vec<(Arc<str>, Runs)> {
        let chains = lock(&self.0);
        let wanted = chains
            .iter()
            .filter(|(_, waiting)| waiting.overwritten == overwritten);
        wanted
            .map(|(chain, waiting)| (Arc::clone(chain), waiting.runs.clone()))
            .collect()
    }

    fn set_overwritten(&self, chain: &str) {
        if let Some(waiting) = lock(&self.0).get_mut(chain) {
            waiting.overwritten = true;
        }
    }

    fn remove(&self, chains: &[Arc<str>]) {
        let mut waiting = lock(&self.0);
        for chain in chains {
            waiting.remove(chain);
        }
    }
}

/// Overwrites what was set aside of entries that are being erased. Answers the files that may hold copies of
/// erased evidence for all that.
fn copies(directory: &Directory, erasures: &Erasures) -> io::Result<Vec<String>> {
    let unclear = aside::erase(directory, erasures)?;
    Ok([directory.kept_aside()?, unclear].concat())
}

/// What the checkpointer did of an erasure.
pub(crate) struct Overwritten {
    /// Entries of the call whose attachments were there until now.
    pub(crate) entries: u64,
    /// Whether the segment that is written to may hold copies.
    pub(crate) in_active: bool,
}

#[cfg(test)]
mod tests;
