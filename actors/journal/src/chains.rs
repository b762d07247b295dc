//! Where each chain ends while the writer works, and who may write to it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::GENESIS;
use crate::heads::Hold;
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
    pub(crate) fn new(
        heads: &HashMap<Arc<str>, Head>,
        holds: &BTreeMap<Arc<str>, Hold>,
        hold_unknown: bool,
    ) -> Self {
        let mut chains = Self {
            places: HashMap::new(),
            ends: Vec::new(),
            hold_unknown,
        };
        for (name, head) in heads {
            chains.insert(name, Some(*head), holds.contains_key(name));
        }
        for name in holds.keys().filter(|name| !heads.contains_key(*name)) {
            chains.insert(name, None, true);
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
    /// have been its.
    pub(crate) fn place(&mut self, name: &Arc<str>) -> usize {
        match self.places.get(name) {
            Some(place) => *place,
            None => self.insert(name, None, self.hold_unknown),
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
