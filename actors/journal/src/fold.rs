//! The ends of all chains, from their records and the log's surviving frames; and which of them
//! cannot be proven.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::GENESIS;
use crate::heads::{Hold, Holds, Record};
use crate::journal::Head;
use crate::scan::{Scan, ScannedFrame};

/// What becomes of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Its chain's file holds it already.
    Copied,
    /// It extends its chain and waits to be copied.
    Waiting(Arc<str>),
    /// It belongs to a held chain and cannot be connected to it.
    Stranded,
}

/// The chains while the log is read.
#[derive(Default)]
pub(crate) struct Fold {
    chains: BTreeMap<Arc<str>, Chain>,
}

#[derive(Default)]
struct Chain {
    head: Option<Head>,
    /// The last frame of it that was read from the log.
    seen: Option<Head>,
    /// The first seq that an earlier start may have lost.
    held_from: Option<u64>,
    /// Whether this start found it broken.
    broken: bool,
    /// The batch from which on the log counts for it, since it was repaired.
    counts_from: u64,
    /// The highest seq that anything speaks of.
    known_to: Option<u64>,
}

impl Chain {
    fn next(&self) -> u64 {
        self.head.map_or(0, |head| head.seq + 1)
    }

    /// What is to become of a frame from before the chain's repair: the chain's file has it, or the
    /// chain went on without it.
    fn outdated(&self, here: Head) -> Verdict {
        match self.head {
            Some(head) if here == head || here.seq < head.seq => Verdict::Copied,
            Some(_) | None => Verdict::Stranded,
        }
    }
}

impl Fold {
    /// Begins with the holds of earlier starts, and with the chains that were repaired since.
    pub(crate) fn new(holds: &Holds) -> Self {
        let mut fold = Self::default();
        for (name, batch) in &holds.repaired {
            fold.chain(name).counts_from = *batch;
        }
        for (name, hold) in &holds.chains {
            fold.chain(name).held_from = Some(hold.next);
        }
        fold
    }

    /// Adds a chain's record; one whose file does not prove it is broken, and ends where its file
    /// stops being good.
    pub(crate) fn add_record(&mut self, name: &str, good: Option<&Record>, proven: bool) {
        let chain = self.chain(name);
        chain.head = good.map(|record| record.head);
        chain.broken = !proven;
    }

    /// Whether a chain has a record, a frame in the log, or a hold.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.chains.contains_key(name)
    }

    /// Decides about the frames of one segment, in order, and about what it lost.
    pub(crate) fn add_segment(&mut self, scan: &Scan<'_>) -> Vec<Verdict> {
        let frames = scan.batches.iter().flat_map(|batch| &batch.frames);
        let verdicts = frames.map(|frame| self.add_frame(frame)).collect();
        for lost in &scan.lost {
            let chain = self.chain(&lost.chain);
            if lost.batch < chain.counts_from {
                continue;
            }
            chain.known_to = chain.known_to.max(Some(lost.seq));
            // Up to its head a chain is whole, wherever its entries were read from.
            chain.broken |= lost.seq >= chain.next();
        }
        verdicts
    }

    /// Notes that a chain had an entry of this seq, whether or not it is still there.
    pub(crate) fn mention(&mut self, name: &str, seq: u64) {
        let chain = self.chain(name);
        chain.known_to = chain.known_to.max(Some(seq));
    }

    fn add_frame(&mut self, scanned: &ScannedFrame<'_>) -> Verdict {
        let place = scanned.place;
        let name = self.name(scanned.frame.header.chain);
        let chain = self.chain(&name);
        let here = Head {
            seq: place.seq,
            hash: place.hash,
        };
        if scanned.frame.header.batch < chain.counts_from {
            return chain.outdated(here);
        }
        chain.known_to = chain.known_to.max(Some(here.seq));
        if chain.broken || chain.held_from.is_some_and(|from| place.seq >= from) {
            return Verdict::Stranded;
        }
        let linked = match chain.seen.replace(here) {
            Some(seen) if seen.seq.checked_add(1) == Some(place.seq) => place.previous == seen.hash,
            Some(_) | None => true,
        };
        let next = chain.next();
        let known = match chain.head {
            Some(head) if place.seq == head.seq => place.hash == head.hash,
            Some(head) if place.seq < head.seq => true,
            Some(_) | None => false,
        };
        if known && linked {
            return Verdict::Copied;
        }
        let end = chain.head.map_or(GENESIS, |head| head.hash);
        if place.seq == next && place.previous == end {
            chain.head = Some(here);
            return Verdict::Waiting(name);
        }
        chain.broken = true;
        Verdict::Stranded
    }

    /// The holds after this start: those that were, lowered where more is lost, and a new one for
    /// each broken chain; for every chain if a loss cannot be named.
    pub(crate) fn holds(&self, earlier: &Holds, hold_all: bool, alias: u64) -> Holds {
        let mut holds = earlier.clone();
        holds.unknown_chains_held |= hold_all;
        for (name, chain) in &self.chains {
            let next = chain.next();
            if let Some(hold) = holds.chains.get_mut(name) {
                hold.next = hold.next.min(next);
                hold.known_to = hold.known_to.max(chain.known_to);
                // Its successor may have been lost whole, and must not begin a second time.
                if hold_all && !self.chains.contains_key(&*hold.successor(name)) {
                    hold.alias = alias;
                }
            } else if chain.broken || hold_all {
                let known_to = chain.known_to;
                let hold = Hold {
                    next,
                    alias,
                    known_to,
                };
                holds.chains.insert(Arc::clone(name), hold);
            }
        }
        holds
    }

    /// The proven end of every chain that has one.
    pub(crate) fn heads(&self) -> impl Iterator<Item = (Arc<str>, Head)> {
        self.chains
            .iter()
            .filter_map(|(name, chain)| Some((Arc::clone(name), chain.head?)))
    }

    fn name(&self, name: &str) -> Arc<str> {
        self.chains
            .get_key_value(name)
            .map_or_else(|| Arc::from(name), |(name, _)| Arc::clone(name))
    }

    fn chain(&mut self, name: &str) -> &mut Chain {
        let name = self.name(name);
        self.chains.entry(name).or_default()
    }
}
