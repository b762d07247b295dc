//! A chain's own file: the lines an auditor reads, and the evidence store beside it.
//!
//! Both are derived from the log and are trusted only up to the chain's record. What lies beyond it
//! was never proven durable: it is cut off and written again from the log.

mod finding;

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use self::finding::{lines_back, start_of};
use crate::GENESIS;
use crate::aside::Attachments;
use crate::bytes::{index, wide};
use crate::directory::Directory;
use crate::disk::{Disk, DiskFile, Open, Reader};
use crate::entry::{Place, parse_place, read_place};
use crate::evidence;
use crate::frame::Frame;
use crate::heads::Record;
use crate::journal::{Head, JournalError, Line};
use crate::segment::FrameRef;

/// Bytes that are gathered before they are written to a chain's file.
const GATHERED: usize = 1 << 20;

/// Why a chain's files could not be completed. Its record stays where it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the log's frame of seq {0} does not prove itself")]
    Damaged(u64),
}

/// Copies frames from the log into a chain's files and syncs them, evidence first.
///
/// Returns the record to commit. After an error nothing may be assumed of the files beyond the old
/// record; the next attempt cuts them back to it.
pub(crate) fn copy_frames(
    directory: &Directory,
    chain: &str,
    record: Option<Record>,
    frames: &[FrameRef],
) -> Result<Option<Record>, CopyError> {
    let offset = record.map_or(0, |record| record.offset);
    let evidence_offset = record.map_or(0, |record| record.evidence_offset);
    let (line_path, evidence_path) = (directory.tenant_path(chain), directory.evidence_path(chain));
    let mut lines = Tail::new(directory.disk(), &line_path, offset);
    let mut evidence = Tail::new(directory.disk(), &evidence_path, evidence_offset);
    let mut head = record.map(|record| record.head);
    let mut bytes = Vec::new();
    for frame in frames {
        frame.read(&mut bytes)?;
        let next = head.map_or(0, |head| head.seq + 1);
        let damaged = CopyError::Damaged(next);
        let Some(frame) = Frame::read(&bytes, &frame.segment.seed) else {
            return Err(damaged);
        };
        let previous = head.map_or(GENESIS, |head| head.hash);
        match parse_place(chain, frame.line) {
            Some(place) if place.seq == next && place.previous == previous => {
                head = Some(Head {
                    seq: place.seq,
                    hash: place.hash,
                });
            }
            Some(_) | None => return Err(damaged),
        }
        lines.gathered.extend_from_slice(frame.line);
        lines.gathered.push(b'\n');
        evidence::push(&frame, &mut evidence.gathered);
        lines.write_if_full()?;
        evidence.write_if_full()?;
    }
    evidence.finish()?;
    lines.finish()?;
    let new_store = evidence_offset == 0 && evidence.offset > 0;
    if offset == 0 || new_store {
        directory.sync_chain_folders()?;
    }
    let record = |head| Record {
        head,
        offset: lines.offset,
        evidence_offset: evidence.offset,
    };
    Ok(head.map(record))
}

/// An entry to put back at the end of a held chain's file.
pub(crate) enum Restored<'a> {
    /// A line that was kept elsewhere.
    Line(&'a [u8]),
    /// A frame that the log still has, or that was set aside, and what is to be had of its attachments.
    Frame(&'a FrameRef, Attachments),
}

/// Puts entries back at the end of a chain's files and syncs them, evidence first. The entries must
/// have been checked to follow the record's; `evidence` is how far the store is good, and the last seq
/// that it has.
///
/// Returns the two new offsets. After an error nothing may be assumed of the files beyond the record.
pub(crate) fn put_back(
    directory: &Directory,
    chain: &str,
    offset: u64,
    evidence: (u64, Option<u64>),
    entries: &[Restored<'_>],
) -> Result<(u64, u64), CopyError> {
    let (evidence_offset, kept_to) = evidence;
    let (line_path, store_path) = (directory.tenant_path(chain), directory.evidence_path(chain));
    let mut lines = Tail::new(directory.disk(), &line_path, offset);
    let mut store = Tail::new(directory.disk(), &store_path, evidence_offset);
    let mut bytes = Vec::new();
    for entry in entries {
        match entry {
            Restored::Line(line) => lines.gathered.extend_from_slice(line),
            Restored::Frame(place, attachments) => {
                place.read(&mut bytes)?;
                let erased = *attachments == Attachments::Erased;
                let read = if erased {
                    Frame::by_header
                } else {
                    Frame::read
                };
                let Some(frame) = read(&bytes, &place.segment.seed) else {
                    return Err(CopyError::Io(io::ErrorKind::InvalidData.into()));
                };
                lines.gathered.extend_from_slice(frame.line);
                if Some(frame.header.seq) > kept_to {
                    let push = if erased {
                        evidence::push_erased
                    } else {
                        evidence::push
                    };
                    push(&frame, &mut store.gathered);
                }
            }
        }
        lines.gathered.push(b'\n');
        lines.write_if_full()?;
        store.write_if_full()?;
    }
    store.finish()?;
    lines.finish()?;
    directory.sync_chain_folders()?;
    Ok((lines.offset, store.offset))
}

/// The end of a file that grows: opened, and cut back to its offset, at the first write.
struct Tail<'a> {
    disk: &'a dyn Disk,
    path: &'a Path,
    file: Option<Box<dyn DiskFile>>,
    offset: u64,
    gathered: Vec<u8>,
}

impl<'a> Tail<'a> {
    fn new(disk: &'a dyn Disk, path: &'a Path, offset: u64) -> Self {
        Self {
            disk,
            path,
            file: None,
            offset,
            gathered: Vec::new(),
        }
    }

    fn write_if_full(&mut self) -> io::Result<()> {
        if self.gathered.len() < GATHERED {
            return Ok(());
        }
        self.write()
    }

    fn write(&mut self) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => open_at(self.disk, self.path, self.offset)?,
        };
        file.write_at(&self.gathered, self.offset)?;
        self.offset += wide(self.gathered.len());
        self.gathered.clear();
        self.file = Some(file);
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        if !self.gathered.is_empty() {
            self.write()?;
        }
        self.file.as_ref().map_or(Ok(()), |file| file.sync_data())
    }
}

/// Opens a file for writing at `offset`, with nothing behind it.
fn open_at(disk: &dyn Disk, path: &Path, offset: u64) -> io::Result<Box<dyn DiskFile>> {
    let file = disk.open(path, Open::Make)?;
    if file.len()? < offset {
        let error = "the file is shorter than its record";
        return Err(io::Error::new(io::ErrorKind::InvalidData, error));
    }
    file.set_len(offset)?;
    Ok(file)
}

/// Cuts a file back to `offset` if it is longer. A missing file is left missing.
pub(crate) fn cut_back(disk: &dyn Disk, path: &Path, offset: u64) -> io::Result<()> {
    match disk.open(path, Open::Write) {
        Ok(file) if file.len()? > offset => file.set_len(offset),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether the line that ends at the record's offset is the entry that the record names.
pub(crate) fn ends_in(
    disk: &dyn Disk,
    path: &Path,
    chain: &str,
    record: &Record,
) -> io::Result<bool> {
    let file = match disk.open(path, Open::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if file.len()? < record.offset {
        return Ok(false);
    }
    let start = lines_back(&*file, record.offset, 1)?;
    let mut line = vec![0; index(record.offset.saturating_sub(start))];
    file.read_exact_at(&mut line, start)?;
    let place = line
        .strip_suffix(b"\n")
        .and_then(|line| read_place(chain, line));
    Ok(place.is_some_and(|place| {
        Head {
            seq: place.seq,
            hash: place.hash,
        } == record.head
    }))
}

/// How far a chain's file is a good chain from its start, at most up to `record`.
pub(crate) fn good_prefix(
    disk: &dyn Disk,
    path: &Path,
    chain: &str,
    record: &Record,
) -> io::Result<Option<Record>> {
    match prefix(disk, path, chain, record)? {
        (good, None) => Ok(good),
        (_, Some(error)) => Err(error),
    }
}

/// The same for a file that may not be readable any further: what stands before the place counts.
pub(crate) fn readable_prefix(
    disk: &dyn Disk,
    path: &Path,
    chain: &str,
    record: &Record,
) -> io::Result<Option<Record>> {
    Ok(prefix(disk, path, chain, record)?.0)
}

/// What is good of a file, and the error that ended the reading of it.
fn prefix(
    disk: &dyn Disk,
    path: &Path,
    chain: &str,
    record: &Record,
) -> io::Result<(Option<Record>, Option<io::Error>)> {
    let file = match disk.open(path, Open::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((None, None)),
        Err(error) => return Err(error),
    };
    let mut reader = BufReader::new(Reader::new(file, 0).take(record.offset));
    let mut good: Option<Record> = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        let len = match reader.read_until(b'\n', &mut line) {
            Ok(len) => wide(len),
            Err(error) => return Ok((good, Some(error))),
        };
        let place = line
            .strip_suffix(b"\n")
            .and_then(|line| read_place(chain, line));
        let head = good.map(|good| good.head);
        let follows = |place: &Place| {
            place.seq == head.map_or(0, |head| head.seq + 1)
                && place.previous == head.map_or(GENESIS, |head| head.hash)
        };
        let Some(place) = place.filter(follows) else {
            return Ok((good, None));
        };
        good = Some(Record {
            head: Head {
                seq: place.seq,
                hash: place.hash,
            },
            offset: good.map_or(0, |good| good.offset) + len,
            evidence_offset: record.evidence_offset,
        });
    }
}

/// Reads a range of a chain's file, checking every line's hash, seq and link.
pub(crate) struct LineReader {
    reader: BufReader<io::Take<Reader>>,
    chain: String,
    next: u64,
    last: u64,
    previous: Option<[u8; 32]>,
    ended: bool,
}

impl LineReader {
    /// Reads `from..=to`, which must lie within the record.
    pub(crate) fn open(
        directory: &Directory,
        chain: &str,
        record: &Record,
        range: (u64, u64),
    ) -> io::Result<Self> {
        let (from, to) = range;
        let path = directory.tenant_path(chain);
        let file = directory.disk().open(&path, Open::Read)?;
        let start = start_of(&*file, chain, (record.offset, record.head.seq), from)?;
        let lines = Reader::new(file, start);
        Ok(Self {
            reader: BufReader::new(lines.take(record.offset.saturating_sub(start))),
            chain: chain.to_owned(),
            next: from,
            last: to,
            previous: (from == 0).then_some(GENESIS),
            ended: false,
        })
    }

    fn read_line(&mut self) -> Result<Line, JournalError> {
        let mut bytes = Vec::new();
        let read = self.reader.read_until(b'\n', &mut bytes);
        read.map_err(|error| JournalError::Io(error.to_string()))?;
        let damaged = |reason| JournalError::Damaged {
            chain: self.chain.clone(),
            seq: self.next,
            reason,
        };
        if bytes.pop() != Some(b'\n') {
            return Err(damaged("the file ends inside the line"));
        }
        let place = read_place(&self.chain, &bytes)
            .ok_or_else(|| damaged("the line does not match its hash"))?;
        if place.seq != self.next {
            return Err(damaged("the line has another seq"));
        }
        if self
            .previous
            .is_some_and(|previous| previous != place.previous)
        {
            return Err(damaged("the line does not follow the one before it"));
        }
        self.previous = Some(place.hash);
        self.next += 1;
        Ok(Line {
            seq: place.seq,
            hash: place.hash,
            bytes,
        })
    }
}

impl Iterator for LineReader {
    type Item = Result<Line, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended || self.next > self.last {
            return None;
        }
        let line = self.read_line();
        self.ended = line.is_err();
        Some(line)
    }
}
