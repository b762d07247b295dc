//! The writer: the one thread that puts entries on the log.
//!
//! It takes what is queued, decides in order what is chained, writes one batch, syncs once, and only
//! then tells anyone. Batch n+1 is written after n is durable. Any error of the log ends it.

use std::io;
use std::mem;
use std::ops::Range;
use std::sync::mpsc::Sender;
use std::sync::{Arc, PoisonError};

use crate::batch::{BatchBuilder, ManifestItem, pages_for};
use crate::bytes::{narrow, wide};
use crate::chains::Chains;
use crate::checkpointer::Message;
use crate::decision::{Decision, Opening, Room, decide, fail, finish};
use crate::directory::{Kind, Name};
use crate::disk::{DiskFile, Open, lacks_descriptors};
use crate::entry::Template;
use crate::frame::{FrameHeader, FrameWriter};
use crate::journal::{Class, Head, Receipt};
use crate::options::{Committed, CommittedBatch, OnCommit};
use crate::queue::Job;
use crate::segment::{FrameRef, PAGE, Segment, SegmentHeader, fresh_salt};
use crate::shared::{Counters, Shared, lock};

/// The segment that is written to, and where.
pub(crate) struct ActiveLog {
    pub(crate) header: SegmentHeader,
    pub(crate) file: Box<dyn DiskFile>,
    pub(crate) segment: Arc<Segment>,
    /// The first free page.
    pub(crate) page: u64,
    /// The number of the next batch.
    pub(crate) next: u64,
}

/// The writer's own state.
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) log: ActiveLog,
    pub(crate) chains: Chains,
    pub(crate) on_commit: Option<OnCommit>,
    pub(crate) checkpointer: Sender<Message>,
    pub(crate) builder: BatchBuilder,
    /// Whether the segment that is written to is the one that was kept for containment.
    pub(crate) on_reserve: bool,
}

impl Writer {
    /// Works until the queue has ended, or until the log fails.
    pub(crate) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut jobs = Vec::new();
        while shared.queue.take(&shared.options, &mut jobs) && self.turn(mem::take(&mut jobs)) {}
    }

    /// Does the jobs of one batch and answers them. `false` if the log failed: the journal is
    /// poisoned then, and nobody may write to it any more.
    pub(crate) fn turn(&mut self, jobs: Vec<Job>) -> bool {
        let room = self.make_room(&jobs);
        let fits = *room.as_ref().unwrap_or(&Room::None);
        let mut decisions = decide(jobs, &mut self.chains, &self.shared.holds, fits);
        match room.and_then(|_| self.write(&mut decisions)) {
            Ok(receipts) => {
                self.tell_of_holds(&decisions);
                finish(decisions, receipts);
                true
            }
            Err(reason) => {
                self.shared.poison(&reason);
                fail(decisions, &reason);
                false
            }
        }
    }

    /// Makes sure that the batch fits behind the last one, in a new segment if need be; if there are
    /// no spares for all of it, that what is about containment does.
    fn make_room(&mut self, jobs: &[Job]) -> Result<Room, String> {
        let leave = jobs
            .iter()
            .any(|job| matches!(job, Job::LeaveSegment { .. }));
        if leave && self.switch(Class::Ordinary)? {
            return Ok(Room::All);
        }
        self.on_reserve = self.on_reserve && self.shared.spares.reserve_is_used();
        let fits = self.fits(jobs.iter().map(Job::footprint).sum());
        if fits && !self.on_reserve || !fits && self.switch(Class::Ordinary)? {
            return Ok(Room::All);
        }
        let containment = jobs.iter().filter(|job| job.class() == Class::Containment);
        let footprint = containment.map(Job::footprint).sum();
        if footprint > 0 && (self.fits(footprint) || self.switch(Class::Containment)?) {
            return Ok(Room::Containment);
        }
        Ok(Room::None)
    }

    /// Whether entries with this footprint fit behind the last batch.
    fn fits(&self, footprint: usize) -> bool {
        footprint == 0 || self.log.page + pages_for(footprint) <= self.log.header.last_page()
    }

    /// Goes on in a new segment. `false` if there are not spares enough, or no descriptors to open
    /// one with: then nothing has changed on the disk, and the spare is as good as before.
    fn switch(&mut self, class: Class) -> Result<bool, String> {
        let shared = Arc::clone(&self.shared);
        let wake_maker = || self.notify(Message::Spares);
        let Some(spare) = shared.spares.take(class, wake_maker) else {
            return Ok(false);
        };
        let opened = match self.open_spare(spare) {
            Ok(opened) => opened,
            Err(error) if lacks_descriptors(&error) => {
                tracing::warn!(%error, spare, "a spare could not be opened; entries are refused");
                shared.spares.add(spare);
                return Ok(false);
            }
            Err(error) => return Err(log_error(&error)),
        };
        let id = shared.heads.take_id(0)?;
        let header = SegmentHeader {
            id,
            prev: self.log.header.id,
            first: self.log.next,
            pages: shared.options.segment_pages(),
            salt: fresh_salt(),
        };
        let (file, reader) = opened;
        self.begin_segment(spare, &*file, &header)
            .map_err(|error| log_error(&error))?;
        let segment = Segment::of(reader, &header);
        shared.heads.set_active(id, None)?;
        lock(&shared.segments).push_back(Arc::clone(&segment));
        self.log = ActiveLog {
            header,
            file,
            segment,
            page: 1,
            next: self.log.next,
        };
        self.on_reserve = class == Class::Containment;
        self.notify(Message::Checkpoint);
        Ok(true)
    }

    /// Opens a spare for writing and for reading: the two descriptors that a segment needs, which
    /// stay with the file when it gets its new name.
    fn open_spare(&self, spare: u64) -> io::Result<(Box<dyn DiskFile>, Box<dyn DiskFile>)> {
        let directory = &self.shared.directory;
        let (disk, path) = (
            directory.disk(),
            directory.path(Name::new(Kind::Spare, spare)),
        );
        Ok((
            disk.open(&path, Open::Write)?,
            disk.open(&path, Open::Read)?,
        ))
    }

    fn begin_segment(
        &self,
        spare: u64,
        file: &dyn DiskFile,
        header: &SegmentHeader,
    ) -> io::Result<()> {
        let directory = &self.shared.directory;
        let (spare, name) = (
            Name::new(Kind::Spare, spare),
            Name::new(Kind::Segment, header.id),
        );
        write_headers(file, header)?;
        file.sync_data()?;
        directory.rename(spare, name)?;
        directory.sync()
    }

    /// Writes and syncs the chained entries as one batch and makes them known. Returns the receipts
    /// of all of them, in order.
    fn write(&mut self, decisions: &mut [Decision]) -> Result<Vec<Receipt>, String> {
        if !decisions
            .iter()
            .any(|decision| matches!(decision, Decision::Chained(_)))
        {
            return Ok(Vec::new());
        }
        self.announce(decisions);
        let laid = self.lay_frames(decisions);
        let salt = self.log.header.salt;
        let bytes = self.builder.finish(&salt);
        let pages = wide(bytes.len()) / PAGE;
        let at = self.log.page * PAGE;
        self.log
            .file
            .write_at(bytes, at)
            .map_err(|error| log_error(&error))?;
        self.log
            .file
            .sync_data()
            .map_err(|error| log_error(&error))?;
        self.log.page += pages;
        let number = self.log.next;
        self.log.next += 1;
        let receipt = |entry: &Laid| Receipt {
            seq: entry.head.seq,
            hash: entry.head.hash,
        };
        let receipts = laid.iter().map(receipt).collect();
        self.publish(number, at, laid);
        Ok(receipts)
    }

    /// Writes the manifest.
    fn announce(&mut self, decisions: &[Decision]) {
        self.builder.begin(self.log.next);
        for decision in decisions {
            let Decision::Chained(chained) = decision else {
                continue;
            };
            let Some(chain) = self.chains.get_mut(chained.place) else {
                continue;
            };
            for (entry, seq) in chained.entries.iter().zip(chained.first..) {
                let header = frame_header(&chain.name, entry, seq, self.log.next);
                self.builder.announce(&ManifestItem::of(&header));
            }
        }
    }

    /// Writes the frames, linking each entry to the one before it.
    fn lay_frames(&mut self, decisions: &mut [Decision]) -> Vec<Laid> {
        let keep_lines = self.on_commit.is_some();
        let seed = &self.log.segment.seed;
        let out = self.builder.frames(seed);
        let mut laid = Vec::new();
        for decision in decisions {
            match decision {
                Decision::Chained(chained) => {
                    let Some(chain) = self.chains.get_mut(chained.place) else {
                        continue;
                    };
                    for (entry, seq) in chained.entries.iter().zip(chained.first..) {
                        let start = out.len();
                        let frame = frame_header(&chain.name, entry, seq, self.log.next);
                        let line = lay_frame(frame.begin(seed, out), entry, seq, &mut chain.hash);
                        let line = out.get(line).filter(|_| keep_lines).unwrap_or_default();
                        laid.push(Laid {
                            chain: Arc::clone(&chain.name),
                            head: Head {
                                seq,
                                hash: chain.hash,
                            },
                            line: line.to_vec(),
                            offset: wide(start),
                            len: narrow(out.len() - start),
                        });
                    }
                }
                // The chain's hash is only now that of the last entry queued before the opening.
                Decision::Opened(Opening {
                    place,
                    answer: Ok(opened),
                    ..
                }) => {
                    let head = self.chains.get_mut(*place).zip(opened.head.as_mut());
                    if let Some((chain, head)) = head {
                        head.hash = chain.hash;
                    }
                }
                Decision::Opened(_)
                | Decision::Released(_)
                | Decision::Left(_)
                | Decision::Barrier(_)
                | Decision::Held(_)
                | Decision::Refused(..) => {}
            }
        }
        laid
    }

    /// Makes a durable batch known: to readers, to the checkpointer, to whoever listens.
    fn publish(&self, number: u64, at: u64, laid: Vec<Laid>) {
        let counters = &self.shared.counters;
        Counters::add(&counters.fsyncs, 1);
        Counters::add(&counters.batches, 1);
        Counters::add(&counters.entries, laid.len());
        let mut pending = lock(&self.shared.pending);
        for entry in &laid {
            let segment = Arc::clone(&self.log.segment);
            let frame = FrameRef {
                segment,
                offset: at + entry.offset,
                len: entry.len,
            };
            pending.add(&entry.chain, frame);
        }
        pending.last_batch = number;
        drop(pending);
        let mut durable = self
            .shared
            .durable
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        for entry in &laid {
            match durable.get_mut(&entry.chain) {
                Some(head) => *head = entry.head,
                None => {
                    durable.insert(Arc::clone(&entry.chain), entry.head);
                }
            }
        }
        drop(durable);
        if let Some(on_commit) = &self.on_commit {
            on_commit(&CommittedBatch {
                entries: laid.into_iter().map(Laid::committed).collect(),
            });
        }
    }

    /// Tells the checkpointer of chains to which nothing will be added any more.
    fn tell_of_holds(&self, decisions: &[Decision]) {
        for decision in decisions {
            if let Decision::Held(chain) = decision {
                self.notify(Message::Held(Arc::clone(chain)));
            }
        }
    }

    fn notify(&self, message: Message) {
        // Without a checkpointer there is nobody to fill the shelf, and the shelf says so.
        drop(self.checkpointer.send(message));
    }
}

/// An entry that stands in the batch being written.
struct Laid {
    chain: Arc<str>,
    head: Head,
    /// The line, if anybody listens.
    line: Vec<u8>,
    /// Where its frame begins in the batch.
    offset: u64,
    len: u32,
}

impl Laid {
    fn committed(self) -> Arc<Committed> {
        let Head { seq, hash } = self.head;
        Arc::new(Committed {
            chain: self.chain,
            seq,
            hash,
            line: self.line,
        })
    }
}

/// Writes both copies of a segment's header.
pub(crate) fn write_headers(file: &dyn DiskFile, header: &SegmentHeader) -> io::Result<()> {
    let bytes = header.encode();
    file.write_at(&bytes, 0)?;
    file.write_at(&bytes, header.last_page() * PAGE)
}

fn frame_header<'a>(chain: &'a str, entry: &Template, seq: u64, batch: u64) -> FrameHeader<'a> {
    FrameHeader::new(chain, seq, batch, entry.line_len(seq)).with_attachments(&entry.attachments)
}

/// Writes an entry's line and attachments; answers where the line stands in the batch.
fn lay_frame(
    frame: FrameWriter<'_>,
    entry: &Template,
    seq: u64,
    hash: &mut [u8; 32],
) -> Range<usize> {
    let start = frame.out.len();
    *hash = entry.write_line(seq, hash, frame.out);
    let line = start..frame.out.len();
    for stored in &entry.attachments {
        frame.out.extend_from_slice(&stored.bytes);
    }
    frame.finish();
    line
}

fn log_error(error: &io::Error) -> String {
    format!("writing the log: {error}")
}
