//! The checkpointer's side: it alone writes to the chains' stores and lets segments go.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use super::{Overwritten, Runs, copies};
use crate::aside::has_attachments;
use crate::bytes::wide;
use crate::checkpointer::{Checkpointer, Fatal};
use crate::directory::{Kind, Name};
use crate::evidence::erase::{Place, overwrite, places};
use crate::frame::FrameHeader;
use crate::journal::{Erased, JournalError};
use crate::scan::{Bounds, Scan, scan};
use crate::segment::{Segment, SegmentHeader, read_all};
use crate::shared::lock;

/// An answer for the asker, inside a failure that ends the journal.
type Answer<T> = Result<Result<T, JournalError>, Fatal>;

impl Checkpointer {
    /// Records that these entries' attachments are to go, and overwrites them in the store.
    pub(crate) fn erase(&self, chain: &Arc<str>, runs: &Runs) -> Answer<Overwritten> {
        if let Some(reason) = self.copy_group(&[Arc::clone(chain)])? {
            return Ok(Err(JournalError::Io(reason)));
        }
        let found = self.entries_with_attachments(chain, runs);
        let (entries, aside) = match found.and_then(|entries| {
            let wanted = |of: &FrameHeader<'_>| of.chain == &**chain && runs.contains(of.seq);
            let aside = has_attachments(&self.shared.directory, wanted).map_err(io_error)?;
            Ok((entries, aside))
        }) {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        // What the store never got may still lie in the log, behind a damage for instance.
        if entries > 0 || aside || self.log_may_hold(chain, runs) {
            let heads = &self.shared.heads;
            heads.begin_erasures(chain, runs).map_err(Fatal)?;
            self.shared.erasures.add(chain, runs);
        }
        let mut failures = self.overwrite_begun();
        let own = failures.iter().position(|(failed, _)| failed == chain);
        Ok(match own {
            Some(own) => Err(failures.swap_remove(own).1),
            None => Ok(Overwritten {
                entries,
                in_active: self.is_in_active(),
            }),
        })
    }

    /// Overwrites whatever was begun and is not overwritten yet, in every chain's store. One that
    /// fails stays begun and keeps no other from it.
    pub(crate) fn complete_erasures(&self) -> Overwritten {
        self.overwrite_begun();
        Overwritten {
            entries: 0,
            in_active: self.is_in_active(),
        }
    }

    fn overwrite_begun(&self) -> Vec<(Arc<str>, JournalError)> {
        let mut failures = Vec::new();
        for (chain, runs) in self.shared.erasures.those(false) {
            let overwritten = self.places(&chain, &runs).and_then(|places| {
                overwrite(&self.shared.directory, &chain, &places).map_err(io_error)
            });
            match overwritten {
                Ok(()) => self.shared.erasures.set_overwritten(&chain),
                Err(error) => {
                    tracing::error!(%chain, %error, "evidence could not be overwritten");
                    failures.push((chain, error));
                }
            }
        }
        failures
    }

    /// Whether the segment that is written to may hold copies.
    fn is_in_active(&self) -> bool {
        let active = lock(&self.shared.segments).back().cloned();
        active.is_some_and(|active| !self.chains_in(&active, None).is_empty())
    }

    /// Recycles and zeroes what of the log is no longer needed, overwrites what was set aside, and lets
    /// go of the erasures of which nothing is left then. Answers the files that may still hold copies.
    pub(crate) fn purge_log(&self) -> Answer<Erased> {
        self.checkpoint()?;
        self.recycle()?;
        let shared = &self.shared;
        // What recycling has just set aside is among it.
        let copies = match copies(&shared.directory, &shared.erasures) {
            Ok(copies) => copies,
            Err(error) => return Ok(Err(io_error(error))),
        };
        let (mut unfinished, held) = self.segments_with_copies();
        let not_zeroed = self.zero_retired()?;
        if not_zeroed.is_empty() {
            let overwritten = shared.erasures.those(true);
            let complete: Vec<_> = overwritten
                .into_iter()
                .map(|(chain, _)| chain)
                .filter(|chain| !held.contains(chain))
                .collect();
            shared.heads.end_erasures(&complete).map_err(Fatal)?;
            shared.erasures.remove(&complete);
        }
        unfinished.extend(not_zeroed);
        Ok(Ok(Erased {
            entries: 0,
            copies,
            unfinished,
        }))
    }

    fn entries_with_attachments(&self, chain: &str, runs: &Runs) -> Result<u64, JournalError> {
        let head = self.shared.record(chain).map(|record| record.head.seq);
        match runs.highest() {
            None => Ok(0),
            Some(seq) if head.is_none_or(|head| head < seq) => Err(JournalError::NoEntry {
                chain: chain.to_owned(),
                seq,
            }),
            // Whoever is marked is gone, or was begun and is completed without being asked for again.
            Some(_) => {
                let places = self.places(chain, runs)?;
                Ok(wide(places.iter().filter(|place| !place.marked).count()))
            }
        }
    }

    fn places(&self, chain: &str, runs: &Runs) -> Result<Vec<Place>, JournalError> {
        let record = self.shared.record(chain);
        let len = record.map_or(0, |record| record.evidence_offset);
        if len == 0 {
            return Ok(Vec::new());
        }
        let found = places(&self.shared.directory, chain, len, runs).map_err(io_error)?;
        found.ok_or_else(|| JournalError::Damaged {
            chain: chain.to_owned(),
            seq: runs.iter().next().map_or(0, |(first, _)| first),
            reason: "the evidence store does not match its checksums",
        })
    }

    /// The live segments that may hold attachments of what is being erased, and whose.
    fn segments_with_copies(&self) -> (Vec<String>, BTreeSet<Arc<str>>) {
        let segments: Vec<_> = lock(&self.shared.segments).iter().cloned().collect();
        let (mut names, mut chains) = (Vec::new(), BTreeSet::new());
        for (position, segment) in segments.iter().enumerate() {
            let held = self.chains_in(segment, segments.get(position.saturating_add(1)));
            if !held.is_empty() {
                names.push(format!("seg-{}", segment.id));
                chains.extend(held);
            }
        }
        (names, chains)
    }

    /// The chains of whose erased entries a segment may hold attachments: all of them, if it cannot
    /// be read from end to end.
    fn chains_in(&self, segment: &Segment, next: Option<&Arc<Segment>>) -> BTreeSet<Arc<str>> {
        let erasures = &self.shared.erasures;
        let all: Vec<_> = [erasures.those(false), erasures.those(true)].concat();
        let looked = self.look_into(segment.id, next.map(|next| next.id), |scan| {
            let frames = scan.batches.iter().flat_map(|batch| &batch.frames);
            let headers = frames.map(|scanned| scanned.frame.header);
            headers
                .filter(|header| header.attachments > 0)
                .filter(|header| erasures.contains(header.chain, header.seq))
                .map(|header| Arc::from(header.chain))
                .collect()
        });
        looked.unwrap_or_else(|| all.into_iter().map(|(chain, _)| chain).collect())
    }

    /// Whether a live segment has attachments of these entries, or cannot be read from end to end.
    fn log_may_hold(&self, chain: &str, runs: &Runs) -> bool {
        if runs.highest().is_none() {
            return false;
        }
        let segments: Vec<_> = lock(&self.shared.segments).iter().cloned().collect();
        segments.iter().enumerate().any(|(position, segment)| {
            let next = segments.get(position.saturating_add(1));
            let held = self.look_into(segment.id, next.map(|next| next.id), |scan| {
                let frames = scan.batches.iter().flat_map(|batch| &batch.frames);
                let mut headers = frames.map(|scanned| scanned.frame.header);
                headers.any(|header| {
                    header.attachments > 0 && header.chain == chain && runs.contains(header.seq)
                })
            });
            held.unwrap_or(true)
        })
    }

    /// Scans a live segment; `None` if not every durable batch of it can be read.
    fn look_into<T>(
        &self,
        id: u64,
        next: Option<u64>,
        look: impl FnOnce(&Scan<'_>) -> T,
    ) -> Option<T> {
        let header_of = |id| {
            let path = self.shared.directory.path(Name::new(Kind::Segment, id));
            let header = SegmentHeader::read(self.shared.directory.disk(), &path).ok()??;
            Some((path, header))
        };
        // Everything that is being erased was durable long before this batch.
        let last_durable = lock(&self.shared.pending).last_batch;
        let (path, header) = header_of(id)?;
        let last = match next {
            Some(next) => header_of(next)?.1.first.saturating_sub(1),
            None => last_durable,
        };
        let bytes = read_all(self.shared.directory.disk(), &path, &header).ok()?;
        let bounds = Bounds {
            limit: Some(last),
            copied: last,
        };
        let found = scan(&bytes, &header, bounds);
        (!found.damaged && found.next > last).then(|| look(&found))
    }

    /// Zeroes every retired file. Answers those that could not be.
    fn zero_retired(&self) -> Result<Vec<String>, Fatal> {
        let listed = self.shared.directory.list();
        let listed = listed.map_err(|error| Fatal(format!("listing the log: {error}")))?;
        let mut left = Vec::new();
        for name in listed.into_iter().filter(|name| name.kind == Kind::Tmp) {
            if let Err(error) = self.make_spare(name)? {
                tracing::warn!(%error, id = name.id, "a log file could not be zeroed");
                left.push(format!("tmp-{}", name.id));
            }
        }
        Ok(left)
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn io_error(error: io::Error) -> JournalError {
    JournalError::Io(error.to_string())
}
