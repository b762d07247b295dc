//! A batch: what one write and one sync make durable.
//!
//! ```text
//! header | manifest | frames | padding that is not zero | trailer, a copy of the header
//! ```
//!
//! It begins on a page and ends with one. No sector in it is all zero, so a batch that was torn
//! while it was written (into zeros) shows a zero sector or a zero trailer, and one that was
//! damaged later does not.

use crate::bytes::{index, narrow, u16_at, u32_at, u64_at, wide};
use crate::frame::{FrameHeader, Seed};
use crate::segment::{PAGE, SALT};

/// Length of a header and of a trailer.
pub(crate) const HEADER: usize = 48;
const MAGIC: &[u8; 4] = b"VXB1";
const PADDING: u8 = 0xA5;
const PAGE_LEN: usize = 4096;
/// A manifest item before the chain's name: name length, frame length, seq.
const ITEM: usize = 14;

/// The fields of a batch's header, and of its trailer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub(crate) number: u64,
    pub(crate) pages: u64,
    pub(crate) count: usize,
    pub(crate) manifest_len: usize,
}

impl BatchHeader {
    fn encode(&self, salt: &[u8; SALT]) -> [u8; HEADER] {
        let pages = narrow(index(self.pages));
        let mut fields = Vec::with_capacity(HEADER);
        fields.extend_from_slice(MAGIC);
        fields.extend_from_slice(&self.number.to_le_bytes());
        fields.extend_from_slice(&pages.to_le_bytes());
        fields.extend_from_slice(&narrow(self.count).to_le_bytes());
        fields.extend_from_slice(&narrow(self.manifest_len).to_le_bytes());
        fields.extend_from_slice(salt);
        fields.extend_from_slice(&[PADDING; 4]);
        let crc = crc32fast::hash(&fields);
        fields.extend_from_slice(&crc.to_le_bytes());
        let mut header = [0; HEADER];
        for (byte, field) in header.iter_mut().zip(fields) {
            *byte = field;
        }
        header
    }

    /// Reads a header at the start of `bytes`. One of another segment has another salt.
    pub(crate) fn read(bytes: &[u8], salt: &[u8; SALT]) -> Option<Self> {
        let fields = bytes.get(..HEADER - 4)?;
        let ours = fields.starts_with(MAGIC)
            && fields.get(24..24 + SALT)? == salt
            && crc32fast::hash(fields) == u32_at(bytes, HEADER - 4)?;
        if !ours {
            return None;
        }
        Some(Self {
            number: u64_at(fields, 4)?,
            pages: u64::from(u32_at(fields, 12)?),
            count: index(u64::from(u32_at(fields, 16)?)),
            manifest_len: index(u64::from(u32_at(fields, 20)?)),
        })
    }
}

/// What a manifest says of one frame, so that a damaged frame still has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ManifestItem<'a> {
    pub(crate) chain: &'a str,
    pub(crate) seq: u64,
    pub(crate) frame_len: usize,
}

impl<'a> ManifestItem<'a> {
    /// The item for a frame with this header.
    pub(crate) fn of(header: &FrameHeader<'a>) -> Self {
        Self {
            chain: header.chain,
            seq: header.seq,
            frame_len: header.frame_len(),
        }
    }
}

/// Reads `count` items from a manifest with its CRC; `None` if it does not prove itself.
pub(crate) fn read_manifest<'a>(
    manifest: &'a [u8],
    count: usize,
    seed: &Seed,
) -> Option<Vec<ManifestItem<'a>>> {
    let end = manifest.len().checked_sub(4)?;
    if seed.crc(manifest.get(..end)?) != u32_at(manifest, end)? {
        return None;
    }
    let mut items = Vec::new();
    let mut at = 0;
    for _ in 0..count {
        let name_end = at + ITEM + usize::from(u16_at(manifest, at)?);
        items.push(ManifestItem {
            chain: std::str::from_utf8(manifest.get(at + ITEM..name_end)?).ok()?,
            seq: u64_at(manifest, at + 6)?,
            frame_len: index(u64::from(u32_at(manifest, at + 2)?)),
        });
        at = name_end;
    }
    Some(items)
}

/// Bytes of a batch besides its entries.
pub(crate) const OVERHEAD: usize = 2 * HEADER + 4;

/// The bytes that an entry with this frame adds to a batch.
pub(crate) fn footprint(frame: &FrameHeader<'_>) -> usize {
    ITEM + frame.chain.len() + frame.frame_len()
}

/// The pages of a batch whose entries have this footprint together.
pub(crate) fn pages_for(footprint: usize) -> u64 {
    wide(OVERHEAD + footprint).div_ceil(PAGE)
}

/// Builds batches in one reused buffer: first all items of the manifest, then all frames.
pub(crate) struct BatchBuilder {
    bytes: Vec<u8>,
    number: u64,
    count: usize,
    manifest_len: usize,
}

impl BatchBuilder {
    /// An empty builder.
    pub(crate) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            number: 0,
            count: 0,
            manifest_len: 0,
        }
    }

    /// Begins the batch with this number.
    pub(crate) fn begin(&mut self, number: u64) {
        self.bytes.clear();
        self.bytes.resize(HEADER, 0);
        self.number = number;
        self.count = 0;
    }

    /// Adds an item to the manifest.
    pub(crate) fn announce(&mut self, item: &ManifestItem<'_>) {
        let name = u16::try_from(item.chain.len()).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&name.to_le_bytes());
        self.bytes
            .extend_from_slice(&narrow(item.frame_len).to_le_bytes());
        self.bytes.extend_from_slice(&item.seq.to_le_bytes());
        self.bytes.extend_from_slice(item.chain.as_bytes());
        self.count += 1;
    }

    /// Closes the manifest and hands out the buffer, to which exactly the announced frames are to
    /// be appended, in that order.
    pub(crate) fn frames(&mut self, seed: &Seed) -> &mut Vec<u8> {
        let crc = seed.crc(self.bytes.get(HEADER..).unwrap_or_default());
        self.bytes.extend_from_slice(&crc.to_le_bytes());
        self.manifest_len = self.bytes.len() - HEADER;
        &mut self.bytes
    }

    /// Pads the batch, writes header and trailer and returns the bytes to write.
    pub(crate) fn finish(&mut self, salt: &[u8; SALT]) -> &[u8] {
        let end = (self.bytes.len() + HEADER).next_multiple_of(PAGE_LEN);
        self.bytes.resize(end - HEADER, PADDING);
        let header = BatchHeader {
            number: self.number,
            pages: wide(end) / PAGE,
            count: self.count,
            manifest_len: self.manifest_len,
        };
        let header = header.encode(salt);
        self.bytes.extend_from_slice(&header);
        for (byte, field) in self.bytes.iter_mut().zip(header) {
            *byte = field;
        }
        &self.bytes
    }
}
