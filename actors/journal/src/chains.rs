//! Where each chain ends while the writer works, and who may write to it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::GENESIS;
use crate::heads::{Holds, is_successor};
use crate::journal::{AppendError, Head};
use crate::queue::Request;

/// Where a chain ends, and who may write to it.
pub(crate) struct Chain {
    pub(crate) name: Arc<str>,
    pub(crate) epoch: u64,
    pub(crate) next: u64,
    pub(crate) hash: [u8; 32],
    pub(crate) held: bool,
}

/// All chains that were written or opened.
pub(crate) struct Chains {
    places: HashMap<Arc<str>, usize>,
    ends: Vec<Chain>,
    hold_unknown: bool,
}

impl Chains {
    /// The chains as recovery found them.
    pub(crate) fn new(heads: &HashMap<Arc<str>, Head>, holds: &Holds) -> Self {
        let mut chains = Self {
            places: HashMap::new(),
            ends: Vec::new(),
            hold_unknown: holds.unknown_chains_held,
        };
        for (name, head) in heads {
            chains.insert(name, Some(*head), holds.chains.contains_key(name));
        }
        let named = holds.chains.keys().chain(holds.repaired.keys());
        for name in named.filter(|name| !heads.contains_key(*name)) {
            if !chains.places.contains_key(name) {
                chains.insert(name, None, holds.chains.contains_key(name));
            }
        }
        chains
    }

    fn insert(&mut self, name: &Arc<str>, end: Option<Head>, held: bool) -> usize {
        let place = self.ends.len();
        self.places.insert(Arc::clone(name), place);
        self.ends.push(Chain {
            name: Arc::clone(name),
            epoch: 0,
            next: end.map_or(0, |head| head.seq + 1),
            hash: end.map_or(GENESIS, |head| head.hash),
            held,
        });
        place
    }

    /// A chain's place; one that was never seen begins here, unless a loss of unknown extent may
    /// have been its. No successor's: its name is younger than the loss.
    pub(crate) fn place(&mut self, name: &Arc<str>) -> usize {
        match self.places.get(name) {
            Some(place) => *place,
            None => self.insert(name, None, self.hold_unknown && !is_successor(name)),
        }
    }

    /// Lets a chain take nothing more.
    pub(crate) fn hold(&mut self, name: &Arc<str>) {
        let place = self.place(name);
        if let Some(chain) = self.ends.get_mut(place) {
            chain.held = true;
        }
    }

    /// Lets a repaired chain go on behind its restored end.
    pub(crate) fn release(&mut self, name: &Arc<str>, end: Option<Head>) {
        let place = self.place(name);
        if let Some(chain) = self.ends.get_mut(place) {
            chain.next = end.map_or(0, |head| head.seq + 1);
            chain.hash = end.map_or(GENESIS, |head| head.hash);
            chain.held = false;
        }
    }

    /// Lets chains begin that were never seen; those that are held by name stay so.
    pub(crate) fn release_unknown(&mut self, holds: &Holds) {
        self.hold_unknown = false;
        for chain in &mut self.ends {
            chain.held &= chain.next > 0 || holds.chains.contains_key(&chain.name);
        }
    }

    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut Chain> {
        self.ends.get_mut(place)
    }
}

impl Chain {
    pub(crate) fn head(&self) -> Option<Head> {
        let seq = self.next.checked_sub(1)?;
        Some(Head {
            seq,
            hash: self.hash,
        })
    }

    /// Whether the chain takes an append, as it stands.
    pub(crate) fn admit(&self, request: &Request) -> Result<(), AppendError> {
        if self.held {
            return Err(AppendError::Held);
        }
        if self.epoch != request.epoch || self.epoch == 0 {
            return Err(AppendError::Fenced);
        }
        let actual = self.next.checked_sub(1);
        if actual == request.expected_last {
            return Ok(());
        }
        Err(AppendError::Conflict {
            expected: request.expected_last,
            actual,
        })
    }
}
