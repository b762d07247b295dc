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
use crate::replacement::Replacement;
use crate::scan::{Bounds, Scan, scan};
use crate::segment::{FrameRef, Segment, SegmentHeader, read_all};
use crate::shared::lock;
use crate::writer::ActiveLog;

mod chain_files;
mod fresh;
mod segments;

/// What a start hands over to the running journal.
pub(crate) struct Recovered {
    pub(crate) log: ActiveLog,
    pub(crate) heads: HashMap<Arc<str>, Head>,
    pub(crate) records: BTreeMap<Arc<str>, Record>,
    pub(crate) holds: Holds,
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
        let next = found
            .as_ref()
            .map_or(self.meta.first_batch, |found| found.next);
        self.holds.forget_batches_from(next);
        self.commit_holds()?;
        self.cut_files_back(&durable_records)?;
        let keep: Vec<u64> = chain.iter().map(|header| header.id).collect();
        self.retire_void(&keep)?;
        let (header, replacement) = self.write_fresh(last.as_ref(), found.as_ref())?;
        let damaged = found.as_ref().is_some_and(|found| found.damaged);
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
            records: self.records,
            holds: self.holds,
            pending: self.pending,
            segments: self.segments,
            summary: self.summary,
        }
    }
}

#[cfg(test)]
mod tests;
