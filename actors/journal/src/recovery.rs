//! The start: read the log, prove every chain's end or hold it, and go on in a fresh segment.
//!
//! A start may itself be cut short at any point; the next one begins again and comes to the same
//! result. Any error of the log, of its directory or of the heads ends it; one of a chain's own files
//! holds that chain. Nothing is deleted, and nothing that was acknowledged is given up
//! without a hold that says so.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use crate::bytes::wide;
use crate::directory::{Directory, Kind, Name};
use crate::fold::{Fold, Verdict};
use crate::heads::{Heads, Holds, Meta, Record};
use crate::journal::{Head, RecoverySummary};
use crate::options::{Options, StartError};
use crate::pending::Pending;
use crate::replacement::{Replacement, take_file, write};
use crate::scan::{Bounds, Scan, scan};
use crate::segment::{FrameRef, PAGE, Segment, SegmentHeader, fresh_salt, read_all};
use crate::shared::lock;
use crate::writer::ActiveLog;

mod chain_files;

/// What a start hands over to the running journal.
pub(crate) struct Recovered {
    pub(crate) log: ActiveLog,
    pub(crate) heads: HashMap<Arc<str>, Head>,
    pub(crate) records: BTreeMap<Arc<str>, Record>,
    pub(crate) holds: Holds,
    /// The highest seq of each chain that anything still speaks of.
    pub(crate) known_to: BTreeMap<Arc<str>, u64>,
    pub(crate) pending: Pending,
    pub(crate) segments: VecDeque<Arc<Segment>>,
    pub(crate) summary: RecoverySummary,
}

/// Recovers the journal in `directory`.
pub(crate) fn recover(
    directory: &Directory,
    heads: &Heads,
    options: &Options,
) -> Result<Recovered, StartError> {
    let listed = directory
        .list()
        .map_err(StartError::io("list", directory.root()))?;
    let highest = listed.iter().map(|name| name.id).max().unwrap_or(0);
    let id = heads.take_id(highest + 1).map_err(StartError::Heads)?;
    let meta = heads.meta().map_err(StartError::Heads)?;
    let earlier = heads.holds().map_err(StartError::Heads)?;
    let recovery = Recovery {
        directory,
        heads,
        options,
        id,
        meta,
        fold: Fold::new(&earlier),
        records: heads.records().map_err(StartError::Heads)?,
        unusable: BTreeSet::new(),
        holds: earlier,
        hold_all: false,
        pending: Pending::default(),
        segments: VecDeque::new(),
        summary: RecoverySummary::default(),
    };
    recovery.run()
}

struct Recovery<'a> {
    directory: &'a Directory,
    heads: &'a Heads,
    options: &'a Options,
    /// The id of the fresh segment.
    id: u64,
    meta: Meta,
    fold: Fold,
    /// How far each chain's own file is good.
    records: BTreeMap<Arc<str>, Record>,
    /// The chains whose own files can be neither read nor cut.
    unusable: BTreeSet<Arc<str>>,
    holds: Holds,
    hold_all: bool,
    pending: Pending,
    segments: VecDeque<Arc<Segment>>,
    summary: RecoverySummary,
}

impl Recovery<'_> {
    fn run(mut self) -> Result<Recovered, StartError> {
        let chain = self.segment_chain()?;
        let durable_records = self.records.clone();
        self.prove_records()?;
        let (last, complete) = match chain.split_last() {
            Some((last, complete)) => (Some(*last), complete),
            None => (None, &[][..]),
        };
        let successors = chain.iter().skip(1);
        for (header, successor) in complete.iter().zip(successors) {
            self.read_complete(header, successor.first.saturating_sub(1))?;
        }
        let bytes = match &last {
            Some(header) => {
                let path = self.directory.path(Name::new(Kind::Segment, header.id));
                read_all(self.directory.disk(), &path, header)
                    .map_err(StartError::io("read", &path))?
            }
            None => Vec::new(),
        };
        let bounds = Bounds {
            limit: None,
            copied: self.meta.copied,
        };
        let found = last.as_ref().map(|header| scan(&bytes, header, bounds));
        let verdicts = found
            .as_ref()
            .map_or_else(Vec::new, |found| self.add_segment(found));
        self.commit_holds()?;
        self.cut_files_back(&durable_records)?;
        let keep: Vec<u64> = chain.iter().map(|header| header.id).collect();
        self.retire_void(&keep)?;
        let (header, replacement) = self.write_fresh(last.as_ref(), found.as_ref())?;
        let damaged = found.as_ref().is_some_and(|found| found.damaged);
        let next = found.as_ref().map_or(header.first, |found| found.next);
        let segment = self.adopt_fresh(&header, last.as_ref(), damaged)?;
        self.place_fresh(&segment, &replacement, &verdicts);
        self.pending.last_batch = next.saturating_sub(1);
        let Replacement { file, page, .. } = replacement;
        Ok(self.finish(ActiveLog {
            header,
            file,
            segment,
            page,
            next,
        }))
    }

    /// The segments that count, oldest first: from the highest readable one back over `prev`, down
    /// to the lowest live one. All others are void, whatever they contain.
    fn segment_chain(&mut self) -> Result<Vec<SegmentHeader>, StartError> {
        let readable = self.readable_segments()?;
        let top = readable.keys().next_back().copied().unwrap_or(0);
        if top == 0 && self.meta.active != 0 {
            let directory = self.directory.root().display().to_string();
            return Err(StartError::LogLost {
                directory,
                expected: self.meta.active,
            });
        }
        if top < self.meta.active {
            self.lose_segment(self.meta.active);
        }
        let mut chain = Vec::new();
        let mut current = readable.get(&top);
        while let Some(header) = current {
            chain.push(*header);
            if header.id <= self.meta.low || header.prev < self.meta.low || header.prev == 0 {
                break;
            }
            current = readable.get(&header.prev);
            if current.is_none() {
                self.lose_segment(header.prev);
                current = readable
                    .range(..header.id)
                    .next_back()
                    .map(|(_, header)| header);
            }
        }
        chain.reverse();
        Ok(chain)
    }

    fn readable_segments(&self) -> Result<BTreeMap<u64, SegmentHeader>, StartError> {
        let listed = self.directory.list();
        let listed = listed.map_err(StartError::io("list", self.directory.root()))?;
        let live = |name: &Name| name.kind == Kind::Segment && name.id >= self.meta.low;
        let mut readable = BTreeMap::new();
        for name in listed.into_iter().filter(live) {
            let path = self.directory.path(name);
            let header = SegmentHeader::read(self.directory.disk(), &path);
            let header = header.map_err(StartError::io("read", &path))?;
            let usable = |header: &SegmentHeader| header.id == name.id && header.pages > 2;
            if let Some(header) = header.filter(usable) {
                readable.insert(name.id, header);
            }
        }
        Ok(readable)
    }

    /// A segment is gone: nobody can say whose entries it held. What is known already led to holds
    /// at an earlier start and does not again.
    fn lose_segment(&mut self, id: u64) {
        self.summary.damaged = true;
        self.hold_all |= self.holds.known_damage.insert((id, 0));
    }

    /// Reads a segment that has a successor: it must hold every batch up to `limit`.
    fn read_complete(&mut self, header: &SegmentHeader, limit: u64) -> Result<(), StartError> {
        let path = self.directory.path(Name::new(Kind::Segment, header.id));
        let failed = StartError::io("read", &path);
        let disk = self.directory.disk();
        let bytes = read_all(disk, &path, header).map_err(failed)?;
        let found = scan(
            &bytes,
            header,
            Bounds {
                limit: Some(limit),
                copied: 0,
            },
        );
        let verdicts = self.add_segment(&found);
        let segment = Segment::open(disk, &path, header).map_err(StartError::io("open", &path))?;
        let frames = found.batches.iter().flat_map(|batch| &batch.frames);
        for (scanned, verdict) in frames.zip(&verdicts) {
            let len = crate::bytes::narrow(scanned.frame.header.frame_len());
            self.place(&segment, (scanned.offset, len), verdict);
        }
        self.segments.push_back(segment);
        Ok(())
    }

    /// Takes what a scan found into the chains, and its losses into the holds.
    fn add_segment(&mut self, found: &Scan<'_>) -> Vec<Verdict> {
        let verdicts = self.fold.add_segment(found);
        for number in &found.unknown {
            // What was copied is in the chains' files, whatever became of the log. The number is the
            // last one of its loss: if that was copied, so were all before it.
            if *number > self.meta.copied {
                self.hold_all |= self.holds.known_damage.insert((0, *number));
            }
        }
        self.summary.segments += 1;
        self.summary.batches += wide(found.batches.len());
        self.summary.cut |= found.cut;
        self.summary.damaged |= found.damaged;
        verdicts
    }

    fn commit_holds(&mut self) -> Result<(), StartError> {
        let holds = self.fold.holds(&self.holds, self.hold_all, self.id);
        self.heads.set_holds(&holds).map_err(StartError::Heads)?;
        self.holds = holds;
        Ok(())
    }

    /// Retires segments that do not count, after making durable whatever decided that. One that
    /// counts but cannot be read is kept for whoever investigates.
    fn retire_void(&self, keep: &[u64]) -> Result<(), StartError> {
        let root = self.directory.root();
        self.directory
            .sync()
            .map_err(StartError::io("sync", root))?;
        let listed = self
            .directory
            .list()
            .map_err(StartError::io("list", root))?;
        let void = |name: &Name| name.kind == Kind::Segment && !keep.contains(&name.id);
        for name in listed.into_iter().filter(void) {
            let lost = self.holds.known_damage.contains(&(name.id, 0));
            let kind = if lost { Kind::Damaged } else { Kind::Tmp };
            let retired = self.directory.rename(name, Name::new(kind, name.id));
            retired.map_err(StartError::io("rename", &self.directory.path(name)))?;
        }
        Ok(())
    }

    fn write_fresh(
        &self,
        old: Option<&SegmentHeader>,
        found: Option<&Scan<'_>>,
    ) -> Result<(SegmentHeader, Replacement), StartError> {
        let pages = match (old, found) {
            (Some(old), Some(found)) => pages_for_all(old, found)?,
            (_, _) => 0,
        };
        let header = SegmentHeader {
            id: self.id,
            prev: old.map_or(0, |old| old.prev),
            first: old.map_or(1, |old| old.first),
            pages: self.options.segment_pages().max(pages),
            salt: fresh_salt(),
        };
        let name = take_file(self.directory, self.id, u64::from(header.pages) * PAGE)?;
        let path = self.directory.path(name);
        let replacement = write(self.directory.disk(), &path, &header, found)?;
        Ok((header, replacement))
    }

    /// Gives the fresh segment its name and lets go of the one it replaces.
    fn adopt_fresh(
        &self,
        header: &SegmentHeader,
        old: Option<&SegmentHeader>,
        damaged: bool,
    ) -> Result<Arc<Segment>, StartError> {
        let (fresh, name) = (
            Name::new(Kind::Tmp, self.id),
            Name::new(Kind::Segment, self.id),
        );
        let path = self.directory.path(name);
        let named = self
            .directory
            .rename(fresh, name)
            .and_then(|()| self.directory.sync());
        named.map_err(StartError::io("rename", &path))?;
        let lowest = old.is_none_or(|old| old.id == self.meta.low);
        let active = self.heads.set_active(self.id, lowest.then_some(self.id));
        active.map_err(StartError::Heads)?;
        if let Some(old) = old {
            let kind = if damaged { Kind::Damaged } else { Kind::Tmp };
            let old = Name::new(Kind::Segment, old.id);
            let retired = self.directory.rename(old, Name::new(kind, old.id));
            retired.map_err(StartError::io("rename", &self.directory.path(old)))?;
        }
        Segment::open(self.directory.disk(), &path, header).map_err(StartError::io("open", &path))
    }

    fn place_fresh(&mut self, segment: &Arc<Segment>, fresh: &Replacement, verdicts: &[Verdict]) {
        for (place, verdict) in fresh.frames.iter().zip(verdicts) {
            self.place(segment, *place, verdict);
        }
        self.segments.push_back(Arc::clone(segment));
    }

    /// Registers a frame with whoever still needs it.
    fn place(&mut self, segment: &Arc<Segment>, (offset, len): (u64, u32), verdict: &Verdict) {
        let frame = FrameRef {
            segment: Arc::clone(segment),
            offset,
            len,
        };
        match verdict {
            Verdict::Copied => {}
            Verdict::Waiting(chain) if !self.unusable.contains(chain) => {
                self.summary.entries += 1;
                self.pending.add(chain, frame);
            }
            Verdict::Waiting(_) | Verdict::Stranded => lock(&segment.stranded).push(frame),
        }
    }

    fn finish(mut self, log: ActiveLog) -> Recovered {
        let held = self
            .holds
            .chains
            .iter()
            .map(|(chain, hold)| (chain.to_string(), hold.next));
        self.summary.held = held.collect();
        self.summary.unknown_chains_held = self.holds.unknown_chains_held;
        Recovered {
            log,
            heads: self.fold.heads().collect(),
            known_to: self.fold.known_to(),
            records: self.records,
            holds: self.holds,
            pending: self.pending,
            segments: self.segments,
            summary: self.summary,
        }
    }
}

/// Pages that hold whatever a segment's scan found. The surviving batches fit where they were. A loss
/// without an end may name more batches than there was room for, if a later segment had them: each
/// of those will take one page.
fn pages_for_all(old: &SegmentHeader, found: &Scan<'_>) -> Result<u32, StartError> {
    let numbers = found.next.saturating_sub(old.first);
    let without_a_place = numbers.saturating_sub(wide(found.batches.len()));
    let pages = u64::from(old.pages).saturating_add(without_a_place);
    u32::try_from(pages).map_err(|_too_many| StartError::NoFit)
}

#[cfg(test)]
mod tests;
