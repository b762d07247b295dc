//! A chain's evidence store: the attachments of its entries, in the order of the chain.
//!
//! ```text
//! magic | seq u64 | attachments u8 | stuffed bits u8 | mark u16 | lengths 4 x u32 | CRC
//! | attachments | CRC of the attachments
//! ```
//!
//! The mark is zero, or says that the attachments were erased: overwritten where they stood, with
//! their CRC. The header's CRC is that of a header without a mark, so marking it leaves it proven
//! at every moment, and nothing in the store ever moves.

use std::io::{self, BufReader, Read};

use crate::bytes::{array_at, index, narrow, u32_at, u64_at, wide};
use crate::directory::Directory;
use crate::disk::{Open, Reader};
use crate::draft::MAX_ATTACHMENTS;
use crate::frame::{Frame, Stored};

mod bookmarks;
pub(crate) mod erase;

use self::bookmarks::Bookmark;
pub(crate) use self::bookmarks::Bookmarks;

const MAGIC: &[u8; 4] = b"VXE1";
const HEADER: usize = 36;
const CRC: usize = 4;
/// Where the mark stands in a header, and what it says of erased attachments. A bit that flipped
/// makes neither this of a zero nor a zero of this.
const MARK_AT: usize = 14;
const ERASED: [u8; 2] = [0xE7, 0xA5];

/// Appends the attachments of an entry to `out`, if it has any.
pub(crate) fn push(frame: &Frame<'_>, out: &mut Vec<u8>) {
    if frame.header.attachments == 0 {
        return;
    }
    let start = out.len();
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&frame.header.seq.to_le_bytes());
    out.push(u8::try_from(frame.header.attachments).unwrap_or(u8::MAX));
    out.push(frame.header.stuffed);
    out.extend_from_slice(&[0; 2]);
    for len in frame.header.attachment_lens {
        out.extend_from_slice(&narrow(len).to_le_bytes());
    }
    let crc = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(frame.attached);
    out.extend_from_slice(&crc32fast::hash(frame.attached).to_le_bytes());
}

/// Appends what is left of an entry whose attachments were erased.
pub(crate) fn push_erased(frame: &Frame<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    push(frame, out);
    if let Some(mark) = out.get_mut(start + MARK_AT..start + MARK_AT + ERASED.len()) {
        mark.copy_from_slice(&ERASED);
    }
    let body = out.get_mut(start + HEADER..).unwrap_or_default();
    body.fill(0);
}

/// What looking for an entry's attachments found.
pub(crate) enum Found {
    /// The attachments; none for an entry that came without.
    Attachments(Vec<Vec<u8>>),
    /// It had some, which were erased.
    Erased,
    /// Bytes on the way to the entry, or its own, do not prove themselves.
    Damaged,
}

impl Found {
    /// Whether the entry came without attachments.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Attachments(attachments) => attachments.is_empty(),
            Self::Erased | Self::Damaged => false,
        }
    }
}

/// Finds the attachments of entry `seq`, walking the headers from `here`, which `store` is read from. Tells of
/// each header at or before `seq`.
fn find(
    store: Reader,
    len: u64,
    (seq, here): (u64, Bookmark),
    mut passed: impl FnMut(Bookmark),
) -> io::Result<Found> {
    let mut at = here.at;
    let mut store = BufReader::new(store);
    let mut bytes = [0; HEADER];
    while at < len {
        let header = match store.read_exact(&mut bytes) {
            Ok(()) => Header::read(&bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(error),
        };
        let Some(header) = header else {
            return Ok(Found::Damaged);
        };
        if header.seq > seq {
            break;
        }
        passed(Bookmark {
            seq: header.seq,
            at,
        });
        let body = header.body_len() + CRC;
        if header.seq == seq {
            return header.read_body(&mut store, len - at);
        }
        store.seek_relative(i64::try_from(body).unwrap_or(i64::MAX))?;
        at += wide(HEADER + body);
    }
    Ok(Found::Attachments(Vec::new()))
}

/// How far a store is good and speaks of entries up to `seq`: its length that far, and the seq of the
/// last entry in it.
pub(crate) fn extent(
    directory: &Directory,
    chain: &str,
    len: u64,
    seq: Option<u64>,
) -> io::Result<(u64, Option<u64>)> {
    let store = directory.evidence_path(chain);
    let file = match directory.disk().open(&store, Open::Write) {
        Ok(_) => directory.disk().open(&store, Open::Read)?,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::IsADirectory
            ) =>
        {
            return Ok((0, None));
        }
        Err(error) => return Err(error),
    };
    let len = len.min(file.len()?);
    let mut store = BufReader::new(Reader::new(file, 0));
    let (mut at, mut last) = (0, None);
    let mut bytes = [0; HEADER];
    while at + wide(HEADER) <= len {
        store.read_exact(&mut bytes)?;
        let Some(header) = Header::read(&bytes).filter(|header| Some(header.seq) <= seq) else {
            break;
        };
        let body = header.body_len() + CRC;
        let end = at + wide(HEADER + body);
        if end > len {
            break;
        }
        store.seek_relative(i64::try_from(body).unwrap_or(i64::MAX))?;
        (at, last) = (end, Some(header.seq));
    }
    Ok((at, last))
}

/// Whether the first `len` bytes of a store prove themselves from end to end, entry after entry.
pub(crate) fn is_whole(store: impl Read, len: u64) -> io::Result<bool> {
    whole_to(store, len, &mut 0)
}

/// The same; `next` comes to be the first seq whose attachments were not found good.
pub(crate) fn whole_to(mut store: impl Read, len: u64, next: &mut u64) -> io::Result<bool> {
    let mut at = 0;
    let mut bytes = [0; HEADER];
    *next = 0;
    while at < len {
        if !filled(&mut store, &mut bytes)? {
            return Ok(false);
        }
        let header =
            Header::read(&bytes).filter(|header| header.seq >= *next && is_mark(header.mark));
        let Some(header) = header else {
            return Ok(false);
        };
        *next = header.seq;
        let body = wide(header.body_len());
        at += wide(HEADER + CRC) + body;
        if at > len {
            return Ok(false);
        }
        // Where something was erased there are zeros, or will be.
        if !body_is_whole(&mut store, body)? && header.mark == [0; 2] {
            return Ok(false);
        }
        *next = header.seq.saturating_add(1);
    }
    Ok(true)
}

/// Whether a mark is none, that of an erasure, or what a write that broke off has made of it: whoever
/// writes it knows of the erasure, and writes it again.
fn is_mark(mark: [u8; 2]) -> bool {
    let mut bytes = mark.iter().zip(ERASED);
    bytes.all(|(byte, of_erased)| *byte == 0 || *byte == of_erased)
}

/// Reads a body of `len` bytes and the checksum behind it.
fn body_is_whole(store: &mut impl Read, len: u64) -> io::Result<bool> {
    let mut crc = crc32fast::Hasher::new();
    let mut chunk = [0; 1 << 13];
    let mut left = len;
    while left > 0 {
        let some = index(left.min(wide(chunk.len())));
        let Some(part) = chunk.get_mut(..some) else {
            return Ok(false);
        };
        if !filled(store, part)? {
            return Ok(false);
        }
        crc.update(part);
        left -= wide(some);
    }
    let mut expected = [0; CRC];
    Ok(filled(store, &mut expected)? && crc.finalize() == u32::from_le_bytes(expected))
}

/// Reads as much as `buffer` holds; `false` if there is not as much.
fn filled(store: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match store.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

struct Header {
    seq: u64,
    attachments: usize,
    stuffed: u8,
    mark: [u8; 2],
    lens: [usize; MAX_ATTACHMENTS],
}

impl Header {
    fn read(bytes: &[u8; HEADER]) -> Option<Self> {
        let fields = bytes.get(..HEADER - CRC)?;
        let (before, mark, after) = (
            fields.get(..MARK_AT)?,
            array_at(fields, MARK_AT)?,
            fields.get(MARK_AT + ERASED.len()..)?,
        );
        let mut unmarked = crc32fast::Hasher::new();
        for part in [before, &[0; ERASED.len()], after] {
            unmarked.update(part);
        }
        if !fields.starts_with(MAGIC) || unmarked.finalize() != u32_at(bytes, HEADER - CRC)? {
            return None;
        }
        let mut lens = [0; MAX_ATTACHMENTS];
        for (position, len) in lens.iter_mut().enumerate() {
            *len = index(u64::from(u32_at(fields, 16 + 4 * position)?));
        }
        let attachments = usize::from(*fields.get(12)?);
        Some(Self {
            seq: u64_at(fields, 4)?,
            attachments,
            stuffed: *fields.get(13)?,
            mark,
            lens,
        })
    }

    fn body_len(&self) -> usize {
        self.lens.iter().sum()
    }

    fn read_body(&self, store: &mut BufReader<Reader>, left: u64) -> io::Result<Found> {
        if self.mark == ERASED {
            return Ok(Found::Erased);
        }
        let len = self.body_len();
        if wide(HEADER + len + CRC) > left {
            return Ok(Found::Damaged);
        }
        let mut body = vec![0; len];
        let mut crc = [0; CRC];
        store.read_exact(&mut body)?;
        store.read_exact(&mut crc)?;
        if crc32fast::hash(&body) != u32::from_le_bytes(crc) {
            return Ok(Found::Damaged);
        }
        let mut rest = body.as_slice();
        let mut attachments = Vec::new();
        for (position, len) in self.lens.iter().take(self.attachments).enumerate() {
            let Some((stored, after)) = rest.split_at_checked(*len) else {
                return Ok(Found::Damaged);
            };
            attachments.push(Stored::restore(stored, self.stuffed >> position & 1 == 1));
            rest = after;
        }
        Ok(Found::Attachments(attachments))
    }
}
