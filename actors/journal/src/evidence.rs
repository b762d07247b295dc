//! A chain's evidence store: the attachments of its entries, in the order of the chain.
//!
//! ```text
//! magic | seq u64 | attachments u8 | stuffed bits u8 | 2 bytes | lengths 4 x u32 | CRC
//! | attachments | CRC of the attachments
//! ```

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Mutex;

use crate::bytes::{index, narrow, u32_at, u64_at, wide};
use crate::draft::MAX_ATTACHMENTS;
use crate::frame::{Frame, Stored};
use crate::shared::lock;

const MAGIC: &[u8; 4] = b"VXE1";
const HEADER: usize = 36;
const CRC: usize = 4;

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

/// What looking for an entry's attachments found.
pub(crate) enum Found {
    /// The attachments; none for an entry that came without.
    Attachments(Vec<Vec<u8>>),
    /// Bytes on the way to the entry, or its own, do not prove themselves.
    Damaged,
}

/// Where the last entry that was looked for stands in each chain's store. Whoever works off a chain
/// asks for one entry after the other, and so finds the next one where the last one ended.
#[derive(Default)]
pub(crate) struct Bookmarks(Mutex<HashMap<String, Bookmark>>);

#[derive(Clone, Copy, Default)]
struct Bookmark {
    seq: u64,
    at: u64,
}

impl Bookmarks {
    /// Finds the attachments of entry `seq` in the first `len` bytes of the chain's store. It walks
    /// the headers from the bookmark, or from the start for an entry before it.
    pub(crate) fn find(&self, chain: &str, path: &Path, len: u64, seq: u64) -> io::Result<Found> {
        let bookmark = lock(&self.0).get(chain).copied().unwrap_or_default();
        let mut here = if bookmark.seq <= seq && bookmark.at <= len {
            bookmark
        } else {
            Bookmark::default()
        };
        let found = find(path, len, seq, &mut here)?;
        if !matches!(found, Found::Damaged) {
            lock(&self.0).insert(chain.to_owned(), here);
        }
        Ok(found)
    }
}

/// `here` is where the walk begins, and in the end the last header at or before `seq`.
fn find(path: &Path, len: u64, seq: u64, here: &mut Bookmark) -> io::Result<Found> {
    let mut file = File::open(path)?;
    let mut at = here.at;
    file.seek(SeekFrom::Start(at))?;
    let mut store = BufReader::new(file);
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
        *here = Bookmark {
            seq: header.seq,
            at,
        };
        let body = header.body_len() + CRC;
        if header.seq == seq {
            return header.read_body(&mut store, len - at);
        }
        store.seek_relative(i64::try_from(body).unwrap_or(i64::MAX))?;
        at += wide(HEADER + body);
    }
    Ok(Found::Attachments(Vec::new()))
}

struct Header {
    seq: u64,
    attachments: usize,
    stuffed: u8,
    lens: [usize; MAX_ATTACHMENTS],
}

impl Header {
    fn read(bytes: &[u8; HEADER]) -> Option<Self> {
        let fields = bytes.get(..HEADER - CRC)?;
        if !fields.starts_with(MAGIC) || crc32fast::hash(fields) != u32_at(bytes, HEADER - CRC)? {
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
            lens,
        })
    }

    fn body_len(&self) -> usize {
        self.lens.iter().sum()
    }

    fn read_body(&self, store: &mut BufReader<File>, left: u64) -> io::Result<Found> {
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
