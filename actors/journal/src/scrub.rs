//! The scrub: the chains' own files are read again, slowly and for ever, so that bytes that turned bad
//! at rest are known before somebody needs them.
//!
//! It has a thread of its own and only reads. What it finds is told in the journal's status and changes
//! nothing else: the end of a chain is proven by its record, so entries go on to be taken.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::ops::Bound;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::bytes::wide;
use crate::disk::{DiskFile, Open, Reader, lacks_descriptors};
use crate::evidence;
use crate::heads::Record;
use crate::shared::{Shared, lock};
use crate::verify::verify_each;

/// What is read of a file at a time.
const CHUNK: usize = 64 << 10;
/// What a chain costs at least, for its files are opened.
const CHAIN_COST: u64 = 4 << 10;
/// In so many steps a second is divided.
const STEPS: u64 = 8;

/// What the scrub has done since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Bytes that were read.
    pub bytes: u64,
    /// How often every chain was looked at.
    pub rounds: u64,
    /// What is known to be damaged, sorted.
    pub faults: Vec<Fault>,
}

/// Bytes of a chain's files that turned bad at rest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The chain.
    pub chain: String,
    /// Which of its files.
    pub part: Part,
    /// The first seq that cannot be trusted. Those behind it may be good or not.
    pub from_seq: u64,
}

/// One of a chain's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The file of its lines.
    Lines,
    /// Its evidence store.
    Evidence,
}

impl Part {
    /// The part's name: `lines` or `evidence`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Evidence => "evidence",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The faults that are known now.
#[derive(Default)]
pub(crate) struct Faults(Mutex<BTreeMap<(Arc<str>, Part), u64>>);

impl Faults {
    pub(crate) fn list(&self) -> Vec<Fault> {
        let known = lock(&self.0);
        let each = known.iter().map(|((chain, part), from_seq)| Fault {
            chain: chain.to_string(),
            part: *part,
            from_seq: *from_seq,
        });
        each.collect()
    }

    pub(crate) fn of(&self, chain: &str) -> Vec<(Part, u64)> {
        let known = lock(&self.0);
        let of_chain = known.iter().filter(|((one, _), _)| **one == *chain);
        of_chain.map(|((_, part), seq)| (*part, *seq)).collect()
    }

    fn found(&self, chain: &Arc<str>, part: Part, from_seq: u64) {
        let before = lock(&self.0).insert((Arc::clone(chain), part), from_seq);
        if before != Some(from_seq) {
            tracing::error!(%chain, %part, from_seq, "a chain's file turned bad at rest");
        }
    }

    fn whole(&self, chain: &Arc<str>, part: Part) {
        if lock(&self.0).remove(&(Arc::clone(chain), part)).is_some() {
            tracing::info!(%chain, %part, "a chain's file is whole again");
        }
    }
}

/// The scrub is to end.
#[derive(Debug)]
pub(crate) struct Stopped;

/// What one look at a file came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Whole,
    /// Bad from this seq on.
    Bad(u64),
    /// There were no descriptors to look with.
    None,
}

/// The thread's own state.
pub(crate) struct Scrub {
    shared: Arc<Shared>,
    pace: Pace,
}

impl Scrub {
    /// It ends when the sender of `stop` is gone.
    pub(crate) fn new(shared: &Arc<Shared>, stop: Receiver<()>) -> Self {
        Self {
            pace: Pace {
                per_s: shared.options.scrub_bytes_per_s.max(1),
                owed: Cell::new(0),
                stopped: Cell::new(false),
                stop,
            },
            shared: Arc::clone(shared),
        }
    }

    /// Goes round until it is stopped, or until the journal has failed.
    pub(crate) fn run(self) {
        while self.shared.poisoned.get().is_none() {
            let done = self
                .round()
                .and_then(|()| self.pace.wait(self.shared.options.scrub_pause));
            if done.is_err() {
                return;
            }
        }
    }

    /// Looks at every chain once.
    pub(crate) fn round(&self) -> Result<(), Stopped> {
        let mut last: Option<Arc<str>> = None;
        while let Some(chain) = self.next_behind(last.as_deref()) {
            self.chain(&chain)?;
            last = Some(chain);
        }
        self.shared
            .counters
            .scrub_rounds
            .fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn next_behind(&self, last: Option<&str>) -> Option<Arc<str>> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        let records = lock(&self.shared.records);
        let next = records.range::<str, _>((from, Bound::Unbounded)).next();
        next.map(|(chain, _)| Arc::clone(chain))
    }

    /// Looks at both files of a chain. One that is held is left alone: its damage is known, and a
    /// repair may be writing to its files. What was seen of one that came to be held meanwhile counts
    /// for nothing.
    fn chain(&self, chain: &Arc<str>) -> Result<(), Stopped> {
        if self.shared.hold(chain).is_some() {
            return Ok(());
        }
        self.pace.pass(CHAIN_COST)?;
        for part in [Part::Lines, Part::Evidence] {
            match self.look_until_sure(chain, part)? {
                Look::Whole => self.shared.faults.whole(chain, part),
                Look::Bad(_) if self.shared.hold(chain).is_some() => {}
                Look::Bad(seq) => self.shared.faults.found(chain, part, seq),
                Look::None => {}
            }
        }
        Ok(())
    }

    /// What two looks, one behind the other, agree on. Bytes that are erased while they are read look
    /// bad once; the mark that says so is there by the next look.
    fn look_until_sure(&self, chain: &str, part: Part) -> Result<Look, Stopped> {
        let mut before = Look::Whole;
        loop {
            let look = self.look(chain, part)?;
            if look == before || matches!(look, Look::Whole | Look::None) {
                return Ok(look);
            }
            before = look;
        }
    }

    fn look(&self, chain: &str, part: Part) -> Result<Look, Stopped> {
        let opened = match self.opened(chain, part) {
            Ok(None) => return Ok(Look::Whole),
            Ok(Some(opened)) => opened,
            Err(error) => return Ok(bad_unless_busy(&error, 0)),
        };
        let (record, file) = opened;
        // A copy in memory says nothing of the disk. Where it cannot be let go, the copy is looked at.
        if let Err(error) = file.forget_cached() {
            tracing::debug!(%error, "the scrub reads what the system has in memory");
        }
        let reading = Paced {
            file: Reader::new(file, 0),
            scrub: self,
        };
        let mut next = 0;
        let looked = match part {
            Part::Lines => good_lines(reading, &record, &mut next),
            Part::Evidence => good_store(reading, &record, &mut next),
        };
        match looked {
            Ok(true) => Ok(Look::Whole),
            Ok(false) => Ok(Look::Bad(next)),
            Err(_) if self.pace.stopped.get() => Err(Stopped),
            Err(error) => Ok(bad_unless_busy(&error, next)),
        }
    }

    /// A file, opened under the record that it is complete up to; none where the record knows of none.
    fn opened(&self, chain: &str, part: Part) -> io::Result<Option<(Record, Box<dyn DiskFile>)>> {
        let directory = &self.shared.directory;
        let records = lock(&self.shared.records);
        let Some(record) = records.get(chain).copied() else {
            return Ok(None);
        };
        let open = |path: &Path| directory.disk().open(path, Open::Read);
        let file = match part {
            Part::Lines => open(&directory.tenant_path(chain))?,
            Part::Evidence if record.evidence_offset == 0 => return Ok(None),
            Part::Evidence => open(&directory.evidence_path(chain))?,
        };
        Ok(Some((record, file)))
    }
}

/// Whether the lines are good up to the record; `next` is the first one that was not found good.
fn good_lines(reading: Paced<'_>, record: &Record, next: &mut u64) -> io::Result<bool> {
    let lines = BufReader::with_capacity(CHUNK, reading.take(record.offset));
    let report = verify_each(lines, |passed| *next = passed.entry.seq.saturating_add(1))?;
    let report = report.expecting(&record.head);
    if let Some(seq) = report.divergent_seq {
        *next = seq;
    }
    Ok(report.ok)
}

/// The same for the evidence store.
fn good_store(reading: Paced<'_>, record: &Record, next: &mut u64) -> io::Result<bool> {
    let len = record.evidence_offset;
    let store = BufReader::with_capacity(CHUNK, reading.take(len));
    evidence::whole_to(store, len, next)
}

/// A file that cannot be read is as bad as one that says something else.
fn bad_unless_busy(error: &io::Error, next: u64) -> Look {
    if lacks_descriptors(error) {
        return Look::None;
    }
    tracing::debug!(%error, "the scrub could not read a file");
    Look::Bad(next)
}

/// Lets so many bytes through in a second.
struct Pace {
    per_s: u64,
    /// Bytes that were not waited for yet.
    owed: Cell<u64>,
    stopped: Cell<bool>,
    stop: Receiver<()>,
}

impl Pace {
    fn pass(&self, bytes: u64) -> Result<(), Stopped> {
        let owed = self.owed.get().saturating_add(bytes);
        self.owed.set(owed);
        if owed < self.per_s / STEPS {
            return self.wait(Duration::ZERO);
        }
        self.owed.set(0);
        let micros = owed.saturating_mul(1_000_000) / self.per_s;
        self.wait(Duration::from_micros(micros))
    }

    fn wait(&self, pause: Duration) -> Result<(), Stopped> {
        if matches!(
            self.stop.recv_timeout(pause),
            Err(RecvTimeoutError::Timeout)
        ) {
            return Ok(());
        }
        self.stopped.set(true);
        Err(Stopped)
    }
}

/// A file that is read at the scrub's pace. An error may mean that the scrub was stopped.
struct Paced<'a> {
    file: Reader,
    scrub: &'a Scrub,
}

impl Read for Paced<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        let bytes = wide(read);
        let counter = &self.scrub.shared.counters.scrubbed;
        counter.fetch_add(bytes, Ordering::Relaxed);
        let passed = self.scrub.pace.pass(bytes);
        passed.map_err(|Stopped| io::Error::other("the scrub was stopped"))?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
