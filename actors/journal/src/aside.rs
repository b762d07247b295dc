//! Entries of held chains that were set aside, in `held/seg-N.frames`, before segment N was recycled.
//!
//! Such a file is a segment's header on a page of its own, behind it the segment's frames of held chains,
//! one after the other, as they stood there, zeros up to the next page, and the header once more. A repair reads them as it reads the log, and an
//! erasure overwrites attachments in them as it does in a store: a frame without them is still proven,
//! by the checksum of its header and the hash of its line.

use std::io;
use std::sync::Arc;

use crate::bytes::{index, narrow, wide};
use crate::directory::Directory;
use crate::disk::{DiskFile, Open};
use crate::entry::{Place, read_place};
use crate::erasure::Erasures;
use crate::frame::{CRC, Frame, FrameHeader, Seed};
use crate::planted::{Bug, planted};
use crate::segment::{FrameRef, PAGE, Segment, SegmentHeader};
use crate::shared::lock;

/// Sets aside what a segment still has of held chains, durably. What was set aside of it before is
/// written again.
pub(crate) fn save(directory: &Directory, segment: &Segment) -> io::Result<()> {
    let stranded = lock(&segment.stranded);
    if stranded.is_empty() {
        return Ok(());
    }
    let (mut all, mut bytes) = (Vec::new(), Vec::new());
    for frame in stranded.iter() {
        frame.read(&mut bytes)?;
        all.extend_from_slice(&bytes);
    }
    let file = file_of(&segment.header, &all);
    directory.write_side_file(&directory.stranded_path(segment.id), &file)
}

/// The file for these frames of a segment.
pub(crate) fn file_of(header: &SegmentHeader, frames: &[u8]) -> Vec<u8> {
    let mut page = header.encode();
    page.resize(index(PAGE), 0);
    let mut file = [&page, frames].concat();
    file.resize(file.len().next_multiple_of(index(PAGE)), 0);
    file.extend_from_slice(&page);
    file
}

/// A file of entries that were set aside.
pub(crate) struct Aside {
    pub(crate) segment: Arc<Segment>,
    bytes: Vec<u8>,
    /// Whether every byte of it belongs to a frame that proves itself.
    pub(crate) whole: bool,
    /// Where its frames begin.
    offsets: Vec<usize>,
}

impl Aside {
    /// Each file, oldest first, that says which segment it comes from; one that does not, or cannot be
    /// read, is of no use and is named in the log.
    pub(crate) fn all(directory: &Directory) -> io::Result<Vec<Self>> {
        let mut found = Vec::new();
        for id in directory.set_aside_segments()? {
            match Self::open(directory, id) {
                Ok(Some(file)) => found.push(file),
                Ok(None) => tracing::warn!(id, "what was set aside of a segment has no header"),
                Err(error) => {
                    tracing::error!(%error, id, "what was set aside of a segment cannot be read");
                }
            }
        }
        Ok(found)
    }

    fn open(directory: &Directory, id: u64) -> io::Result<Option<Self>> {
        let (disk, path) = (directory.disk(), directory.stranded_path(id));
        let Some(header) = SegmentHeader::read(disk, &path)? else {
            return Ok(None);
        };
        let file = disk.open(&path, Open::Read)?;
        let mut bytes = vec![0; index(file.len()?)];
        file.read_exact_at(&mut bytes, 0)?;
        let segment = Segment::of(file, &header);
        let (offsets, whole) = frames(&bytes, &segment.seed);
        Ok(Some(Self {
            segment,
            bytes,
            whole,
            offsets,
        }))
    }

    /// Its frames, each with where it stands.
    pub(crate) fn frames(&self) -> impl Iterator<Item = (Found<'_>, FrameRef)> {
        self.offsets.iter().filter_map(|offset| {
            let found = Found::read(self.bytes.get(*offset..)?, &self.segment.seed)?;
            let place = FrameRef {
                segment: Arc::clone(&self.segment),
                offset: wide(*offset),
                len: narrow(found.frame.header.frame_len()),
            };
            Some((found, place))
        })
    }
}

/// A frame that was set aside. Its line is proven.
pub(crate) struct Found<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) place: Place,
    pub(crate) attachments: Attachments,
}

/// What a proven frame has of its attachments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attachments {
    /// All of them.
    Intact,
    /// Zeros: they were erased.
    Erased,
    /// Neither of both.
    Spoiled,
}

impl<'a> Found<'a> {
    fn read(bytes: &'a [u8], seed: &Seed) -> Option<Self> {
        let whole = Frame::read(bytes, seed);
        let frame = whole.or_else(|| Frame::by_header(bytes, seed))?;
        let attachments = if whole.is_some() {
            Attachments::Intact
        } else if frame.attached.iter().all(|byte| *byte == 0) {
            Attachments::Erased
        } else {
            Attachments::Spoiled
        };
        let place = read_place(frame.header.chain, frame.line)?;
        (place.seq == frame.header.seq).then_some(Self {
            frame,
            place,
            attachments,
        })
    }
}

/// Where frames begin in the bytes of such a file, and whether there is nothing between them. Behind
/// bytes that are no frame the next one is searched for.
fn frames(bytes: &[u8], seed: &Seed) -> (Vec<usize>, bool) {
    let (mut offsets, mut whole) = (Vec::new(), true);
    let mut at = index(PAGE);
    let end = bytes.len().saturating_sub(index(PAGE));
    let bytes = bytes.get(..end).unwrap_or_default();
    let is_filling = |rest: &[u8]| rest.len() < index(PAGE) && rest.iter().all(|byte| *byte == 0);
    while let Some(rest) = bytes
        .get(at..)
        .filter(|rest| !rest.is_empty() && !is_filling(rest))
    {
        if let Some(found) = Found::read(rest, seed) {
            offsets.push(at);
            at = at.saturating_add(found.frame.header.frame_len());
        } else {
            whole = false;
            at = at.saturating_add(1);
        }
    }
    (offsets, whole)
}

/// Whether anything that was set aside has attachments of such an entry.
pub(crate) fn has_attachments(
    directory: &Directory,
    wanted: impl Fn(&FrameHeader<'_>) -> bool,
) -> io::Result<bool> {
    let files = Aside::all(directory)?;
    let mut frames = files.iter().flat_map(Aside::frames);
    Ok(frames.any(|(found, _)| {
        let header = &found.frame.header;
        found.attachments != Attachments::Erased && header.attachments > 0 && wanted(header)
    }))
}

/// Overwrites the attachments of all entries that are being erased, and syncs. All of it, also what
/// looks overwritten: nobody knows whether an earlier attempt is on the disk.
///
/// Answers the files that may still hold copies, because not all of their bytes can be read.
pub(crate) fn erase(directory: &Directory, erasures: &Erasures) -> io::Result<Vec<String>> {
    if planted(Bug::ForgetSetAside) {
        return Ok(Vec::new());
    }
    let mut unclear = Vec::new();
    for id in directory.set_aside_segments()? {
        let opened = Aside::open(directory, id);
        if let Ok(Some(file)) = &opened {
            overwrite(directory, file, erasures)?;
        }
        if !opened.is_ok_and(|file| file.is_some_and(|file| file.whole)) {
            unclear.push(format!("held/seg-{id}.frames"));
        }
    }
    Ok(unclear)
}

fn overwrite(directory: &Directory, file: &Aside, erasures: &Erasures) -> io::Result<()> {
    let going = |(found, _): &(Found<'_>, FrameRef)| {
        let header = &found.frame.header;
        header.attachments > 0 && erasures.contains(header.chain, header.seq)
    };
    let mut going = file.frames().filter(going).peekable();
    if going.peek().is_none() {
        return Ok(());
    }
    let path = directory.stranded_path(file.segment.id);
    let target: Box<dyn DiskFile> = directory.disk().open(&path, Open::Write)?;
    for (Found { frame, .. }, place) in going {
        let behind_line = frame.header.encoded_len() + frame.header.line_len;
        let zeros = vec![0; frame.attached.len() + CRC];
        target.write_at(&zeros, place.offset + wide(behind_line))?;
    }
    target.sync_data()
}
