//! A segment: one preallocated file of the log, between two copies of its header.

use std::io::{self, Read as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::bytes::{array_at, index, narrow, u32_at, u64_at};
use crate::disk::{Disk, DiskFile, Open, Reader};
use crate::frame::Seed;
use crate::planted::{Bug, planted};
use crate::scan::{Bounds, ScannedFrame, scan};

/// Everything in a segment is aligned to pages of this many bytes.
pub(crate) const PAGE: u64 = 4096;
/// Bytes of a segment's salt.
pub(crate) const SALT: usize = 16;

/// A salt that no segment had before.
pub(crate) fn fresh_salt() -> [u8; SALT] {
    if planted(Bug::AcceptOldFrames) {
        return [7; SALT];
    }
    rand::random()
}

const MAGIC: &[u8; 8] = b"VYROXSEG";
const VERSION: u32 = 1;
const HEADER: usize = 60;

/// What a segment says about itself, on its first and on its last page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) id: u64,
    /// The id of the segment before it; 0 for the first.
    pub(crate) prev: u64,
    /// The number of its first batch.
    pub(crate) first: u64,
    /// Its size, headers included.
    pub(crate) pages: u32,
    /// Random; every batch and frame in it is bound to it.
    pub(crate) salt: [u8; SALT],
}

impl SegmentHeader {
    /// The page that its second header stands on, which is where its batches must end.
    pub(crate) fn last_page(&self) -> u64 {
        u64::from(self.pages).saturating_sub(1)
    }

    /// The bytes of either copy.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.pages.to_le_bytes());
        bytes.extend_from_slice(&self.id.to_le_bytes());
        bytes.extend_from_slice(&self.prev.to_le_bytes());
        bytes.extend_from_slice(&self.first.to_le_bytes());
        bytes.extend_from_slice(&self.salt);
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads one copy; `None` if it does not prove itself.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let fields = bytes.get(..HEADER - 4)?;
        let ours = fields.starts_with(MAGIC)
            && u32_at(fields, 8)? == VERSION
            && crc32fast::hash(fields) == u32_at(bytes, HEADER - 4)?;
        if !ours {
            return None;
        }
        Some(Self {
            pages: u32_at(fields, 12)?,
            id: u64_at(fields, 16)?,
            prev: u64_at(fields, 24)?,
            first: u64_at(fields, 32)?,
            salt: array_at(fields, 40)?,
        })
    }

    /// Reads the header of a segment file from whichever copy proves itself. `None` if neither does;
    /// a file that cannot be read is an error, not a segment without a header.
    pub(crate) fn read(disk: &dyn Disk, path: &Path) -> io::Result<Option<Self>> {
        let file = disk.open(path, Open::Read)?;
        let last = file.len()?.saturating_sub(PAGE);
        for offset in [0, last] {
            let mut bytes = [0; HEADER];
            match file.read_exact_at(&mut bytes, offset) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
                Err(error) => return Err(error),
            }
            if let Some(header) = Self::decode(&bytes) {
                return Ok(Some(header));
            }
        }
        Ok(None)
    }
}

/// A live segment as the readers of its durable frames see it.
pub(crate) struct Segment {
    pub(crate) id: u64,
    pub(crate) header: SegmentHeader,
    file: Box<dyn DiskFile>,
    pub(crate) seed: Seed,
    /// Frames that their chain's own file does not hold yet.
    pub(crate) waiting: AtomicU64,
    /// Frames of held chains; they go to a side file before the segment does.
    pub(crate) stranded: Mutex<Vec<FrameRef>>,
}

impl Segment {
    /// Opens the segment at `path` for reading.
    pub(crate) fn open(
        disk: &dyn Disk,
        path: &Path,
        header: &SegmentHeader,
    ) -> io::Result<Arc<Self>> {
        Ok(Self::of(disk.open(path, Open::Read)?, header))
    }

    /// The segment that `file`, open for reading, is or is about to become.
    pub(crate) fn of(file: Box<dyn DiskFile>, header: &SegmentHeader) -> Arc<Self> {
        Arc::new(Self {
            id: header.id,
            header: *header,
            file,
            seed: Seed::new(&header.salt),
            waiting: AtomicU64::new(0),
            stranded: Mutex::new(Vec::new()),
        })
    }

    /// Its frames that `wanted` asks for by chain and seq, in their order, whether or not they were copied
    /// since. What the writer is just writing may be among them.
    pub(crate) fn frames(
        self: &Arc<Self>,
        wanted: impl Fn(&str, u64) -> bool,
    ) -> io::Result<Vec<FrameRef>> {
        let len = self.file.len()?.min(u64::from(self.header.pages) * PAGE);
        let mut bytes = vec![0; index(len)];
        self.file.read_exact_at(&mut bytes, 0)?;
        let found = scan(&bytes, &self.header, Bounds::default());
        let frames = found.batches.iter().flat_map(|batch| &batch.frames);
        let wanted = frames.filter(|found| wanted(found.frame.header.chain, found.place.seq));
        let place = |found: &ScannedFrame<'_>| FrameRef {
            segment: Arc::clone(self),
            offset: found.offset,
            len: narrow(found.frame.header.frame_len()),
        };
        Ok(wanted.map(place).collect())
    }

    /// Whether no chain's file needs it any more.
    pub(crate) fn is_copied(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0
    }
}

/// Where a durable frame lies.
#[derive(Clone)]
pub(crate) struct FrameRef {
    pub(crate) segment: Arc<Segment>,
    pub(crate) offset: u64,
    pub(crate) len: u32,
}

impl FrameRef {
    /// The frame's bytes, unchecked.
    pub(crate) fn read(&self, into: &mut Vec<u8>) -> io::Result<()> {
        into.clear();
        into.resize(index(u64::from(self.len)), 0);
        self.segment.file.read_exact_at(into, self.offset)
    }
}

/// Reads a whole segment file. Short ones are what they are: the scan takes that for damage.
pub(crate) fn read_all(
    disk: &dyn Disk,
    path: &Path,
    header: &SegmentHeader,
) -> io::Result<Vec<u8>> {
    let file = disk.open(path, Open::Read)?;
    let len = file.len()?.min(u64::from(header.pages) * PAGE);
    let mut bytes = Vec::with_capacity(index(len));
    Reader::new(file, 0).take(len).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn only_a_file_that_can_be_read_is_without_a_header() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seg-1");
        std::fs::write(&path, b"too short").unwrap();
        assert_eq!(SegmentHeader::read(&RealDisk, &path).unwrap(), None);
        std::fs::write(&path, [7; 3 * 4096]).unwrap();
        assert_eq!(SegmentHeader::read(&RealDisk, &path).unwrap(), None);
        // A directory opens, but no byte of it can be read.
        SegmentHeader::read(&RealDisk, folder.path()).unwrap_err();
    }
}
