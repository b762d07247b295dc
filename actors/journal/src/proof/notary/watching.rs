//! What the notary is shown of the chains, and what of it still stands.
//!
//! A tree alone would take any line for the next: so each has to name the hash of the one before it, and of a
//! chain that was signed before, the last signed line is shown again first. Nothing else than what follows from it gets a leaf.

use std::sync::Arc;

use super::super::checkpoint::OpaqueId;
use super::super::merkle::leaf_hash;
use super::chain::{Chain, Taken};
use super::{Notary, NotaryError};
use crate::entry::parse_place;

impl Notary {
    /// The seq of the line that is wanted next of a chain. After the opening it is that of the last
    /// signed line, which must be shown once more.
    pub fn behind(&self, chain: &str) -> u64 {
        self.chains.get(chain).map_or(0, Chain::wanted)
    }

    /// Takes the next line of a chain, without its newline. The line must be durable.
    ///
    /// Lines that it knows are passed over; one that comes too early is refused as a gap, and the
    /// caller reads the chain from the seq that is wanted. So is one that does not follow lines which
    /// are not published yet: those are let go of, as by [`retract`](Self::retract).
    pub fn observe(
        &mut self,
        chain: &Arc<str>,
        opaque_id: OpaqueId,
        seq: u64,
        line: &[u8],
    ) -> Result<(), NotaryError> {
        let wanted = self.behind(chain);
        if seq > wanted {
            return Err(gap(chain, wanted));
        }
        if !self.owns(chain, opaque_id) {
            return Err(NotaryError::OpaqueId(chain.to_string()));
        }
        if seq < wanted {
            return Ok(());
        }
        let place = parse_place(chain, line).filter(|place| place.seq == seq);
        let place = place.ok_or_else(|| NotaryError::Unlinked(chain.to_string()))?;
        let taken = if let Some(known) = self.chains.get_mut(chain) {
            known.take(&place, line)
        } else {
            let mut fresh = Chain::new(opaque_id);
            let taken = fresh.take(&place, line);
            if taken == Taken::Grown {
                self.chains.insert(Arc::clone(chain), fresh);
            }
            taken
        };
        match taken {
            Taken::Recognised => Ok(()),
            Taken::Grown => {
                self.changed.insert(Arc::clone(chain));
                Ok(())
            }
            Taken::Unlinked if self.retract(chain) => Err(gap(chain, self.behind(chain))),
            Taken::Unlinked => Err(NotaryError::Unlinked(chain.to_string())),
        }
    }

    /// The chains that were shown further than they are published.
    pub fn ahead(&self) -> impl Iterator<Item = &Arc<str>> {
        let changed = self.changed.iter();
        changed.filter(|chain| self.chains.get(*chain).is_some_and(Chain::is_ahead))
    }

    /// Whether the last line that was shown of a chain is in the journal, published or not. Parameters as of
    /// [`compare`](Self::compare).
    pub fn still_there<E>(
        &self,
        chain: &str,
        next_seq: u64,
        line_at: impl FnOnce(u64) -> Result<Vec<u8>, E>,
    ) -> bool {
        let Some(known) = self.chains.get(chain) else {
            return true;
        };
        let size = known.frontier.size();
        let Some(last) = size.checked_sub(1) else {
            return true;
        };
        size <= next_seq && line_at(last).is_ok_and(|line| leaf_hash(&line) == known.last_line)
    }

    /// Lets go of what was shown of a chain and is not published: its lines are wanted again from the last
    /// published one on. Says whether there was any.
    pub fn retract(&mut self, chain: &str) -> bool {
        let Some(known) = self.chains.get_mut(chain).filter(|known| known.is_ahead()) else {
            return false;
        };
        let signed = known.signed.take();
        // One that only a log before this one had a leaf of still waits for its leaf in this one.
        if signed.as_ref().is_none_or(|signed| signed.leaf.is_some()) {
            self.changed.remove(chain);
        }
        match signed {
            Some(signed) => *known = Chain::of(signed),
            None => drop(self.chains.remove(chain)),
        }
        true
    }

    /// Whether an opaque id is a chain's own: under one id there is one chain, or the host log would
    /// contradict itself.
    fn owns(&self, chain: &str, opaque_id: OpaqueId) -> bool {
        match self.chains.get(chain) {
            Some(known) => known.opaque_id == opaque_id,
            None => self
                .chains
                .values()
                .all(|known| known.opaque_id != opaque_id),
        }
    }
}

fn gap(chain: &str, wanted: u64) -> NotaryError {
    NotaryError::Gap {
        chain: chain.to_owned(),
        wanted,
    }
}
