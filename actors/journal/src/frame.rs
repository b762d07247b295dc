//! A frame: one entry as the log holds it.
//!
//! ```text
//! chain length u16 | attachments u8 | stuffed bits u8 | seq u64 | batch u64 | line length u32
//! | attachment lengths 4 x u32 | chain name | CRC of all this | line | attachments | CRC of all
//! ```
//!
//! No frame holds 512 zero bytes in a row, whatever its attachments are: recovery takes a zero
//! sector for one that was never written.

use crate::bytes::{index, narrow, u16_at, u32_at, u64_at};
use crate::draft::MAX_ATTACHMENTS;

const FIXED: usize = 40;
/// Length of the checksum behind a frame, and behind its header.
pub(crate) const CRC: usize = 4;

/// A CRC that begins with a segment's salt, so that bytes of another segment never pass.
#[derive(Clone)]
pub(crate) struct Seed(crc32fast::Hasher);

impl Seed {
    /// The seed for a salt.
    pub(crate) fn new(salt: &[u8]) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(salt);
        Self(hasher)
    }

    /// The salted CRC of `bytes`.
    pub(crate) fn crc(&self, bytes: &[u8]) -> u32 {
        let mut hasher = self.0.clone();
        hasher.update(bytes);
        hasher.finalize()
    }
}

/// An attachment in the form it is stored in: as given, or stuffed if it holds a long run of zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) bytes: Vec<u8>,
    pub(crate) stuffed: bool,
}

impl Stored {
    /// Longest run of zeros that is stored as it is. Four attachments side by side and the fields
    /// around them then stay far from a whole sector of zeros.
    const LONGEST_RUN: usize = 63;
    /// A stuffed attachment has a non-zero byte after each so many bytes.
    const STRIDE: usize = 63;
    /// Half of the shortest run that is too long: such a run covers a whole piece of this length,
    /// counted from the start of the attachment, wherever the run begins.
    const PIECE: usize = Self::LONGEST_RUN.div_ceil(2);

    /// Stores `bytes`, stuffed if need be.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        if !has_long_run(&bytes) {
            return Self {
                bytes,
                stuffed: false,
            };
        }
        let mut stuffed = Vec::with_capacity(bytes.len() + bytes.len() / Self::STRIDE + 1);
        for chunk in bytes.chunks(Self::STRIDE) {
            stuffed.extend_from_slice(chunk);
            stuffed.push(1);
        }
        Self {
            bytes: stuffed,
            stuffed: true,
        }
    }

    /// The bytes as they were given.
    pub(crate) fn restore(bytes: &[u8], stuffed: bool) -> Vec<u8> {
        if !stuffed {
            return bytes.to_vec();
        }
        let chunks = bytes.chunks(Self::STRIDE + 1);
        chunks
            .flat_map(|chunk| chunk.split_last().map_or(&[][..], |(_, data)| data))
            .copied()
            .collect()
    }
}

/// Whether a run of zeros in `bytes` is too long to be stored as it is.
fn has_long_run(bytes: &[u8]) -> bool {
    // Sealed evidence is noise, so that hardly any attachment needs a look at each single byte.
    let mut pieces = bytes.chunks_exact(Stored::PIECE);
    if !pieces.any(|piece| *piece == [0; Stored::PIECE]) {
        return false;
    }
    let mut run = 0;
    bytes.iter().any(|byte| {
        run = if *byte == 0 { run + 1 } else { 0 };
        run > Stored::LONGEST_RUN
    })
}

/// A frame begun in a buffer: its header is written, its line and attachments follow.
pub(crate) struct FrameWriter<'a> {
    pub(crate) out: &'a mut Vec<u8>,
    start: usize,
    seed: &'a Seed,
}

/// The fields of a frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader<'a> {
    pub(crate) chain: &'a str,
    pub(crate) seq: u64,
    pub(crate) batch: u64,
    pub(crate) line_len: usize,
    pub(crate) attachments: usize,
    pub(crate) stuffed: u8,
    pub(crate) attachment_lens: [usize; MAX_ATTACHMENTS],
}

impl<'a> FrameHeader<'a> {
    /// The header of an entry with these attachments.
    pub(crate) fn new(chain: &'a str, seq: u64, batch: u64, line_len: usize) -> Self {
        let attachment_lens = [0; MAX_ATTACHMENTS];
        Self {
            chain,
            seq,
            batch,
            line_len,
            attachments: 0,
            stuffed: 0,
            attachment_lens,
        }
    }

    /// Adds the lengths and forms of the attachments.
    pub(crate) fn with_attachments(mut self, attachments: &[Stored]) -> Self {
        let slots = self.attachment_lens.iter_mut().zip(attachments).enumerate();
        for (position, (slot, stored)) in slots {
            *slot = stored.bytes.len();
            self.stuffed |= u8::from(stored.stuffed) << position;
            self.attachments = position + 1;
        }
        self
    }

    /// Length of the encoded header, its CRC included.
    pub(crate) fn encoded_len(&self) -> usize {
        FIXED + self.chain.len() + CRC
    }

    /// Length of the whole frame.
    pub(crate) fn frame_len(&self) -> usize {
        self.encoded_len() + self.line_len + self.attachment_lens.iter().sum::<usize>() + CRC
    }

    /// Writes the header; the caller then writes line and attachments and finishes the frame.
    pub(crate) fn begin<'b>(&self, seed: &'b Seed, out: &'b mut Vec<u8>) -> FrameWriter<'b> {
        let start = out.len();
        out.extend_from_slice(
            &u16::try_from(self.chain.len())
                .unwrap_or(u16::MAX)
                .to_le_bytes(),
        );
        out.push(u8::try_from(self.attachments).unwrap_or(u8::MAX));
        out.push(self.stuffed);
        out.extend_from_slice(&self.seq.to_le_bytes());
        out.extend_from_slice(&self.batch.to_le_bytes());
        out.extend_from_slice(&narrow(self.line_len).to_le_bytes());
        for len in self.attachment_lens {
            out.extend_from_slice(&narrow(len).to_le_bytes());
        }
        out.extend_from_slice(self.chain.as_bytes());
        let crc = seed.crc(out.get(start..).unwrap_or_default());
        out.extend_from_slice(&crc.to_le_bytes());
        FrameWriter { out, start, seed }
    }

    /// Reads the header at the start of `bytes`; `None` if it does not prove itself.
    pub(crate) fn read(bytes: &'a [u8], seed: &Seed) -> Option<Self> {
        let chain_end = FIXED + usize::from(u16_at(bytes, 0)?);
        let covered = bytes.get(..chain_end)?;
        if seed.crc(covered) != u32_at(bytes, chain_end)? {
            return None;
        }
        let mut attachment_lens = [0; MAX_ATTACHMENTS];
        for (position, len) in attachment_lens.iter_mut().enumerate() {
            *len = index(u64::from(u32_at(bytes, 24 + 4 * position)?));
        }
        Some(Self {
            chain: std::str::from_utf8(covered.get(FIXED..)?).ok()?,
            seq: u64_at(bytes, 4)?,
            batch: u64_at(bytes, 12)?,
            line_len: index(u64::from(u32_at(bytes, 20)?)),
            attachments: usize::from(*bytes.get(2)?).min(MAX_ATTACHMENTS),
            stuffed: *bytes.get(3)?,
            attachment_lens,
        })
    }
}

impl FrameWriter<'_> {
    /// Writes the frame's CRC.
    pub(crate) fn finish(self) {
        let crc = self
            .seed
            .crc(self.out.get(self.start..).unwrap_or_default());
        self.out.extend_from_slice(&crc.to_le_bytes());
    }
}

/// A whole frame that proved itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) header: FrameHeader<'a>,
    pub(crate) line: &'a [u8],
    /// The stored attachments, one after the other.
    pub(crate) attached: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads the frame at the start of `bytes`; `None` if it does not prove itself.
    pub(crate) fn read(bytes: &'a [u8], seed: &Seed) -> Option<Self> {
        let frame = Self::by_header(bytes, seed)?;
        let end = frame.header.frame_len().checked_sub(CRC)?;
        (seed.crc(bytes.get(..end)?) == u32_at(bytes, end)?).then_some(frame)
    }

    /// Reads a frame of which the header alone proves itself. Its line has yet to be held against its
    /// hash, and its attachments may be anything.
    pub(crate) fn by_header(bytes: &'a [u8], seed: &Seed) -> Option<Self> {
        let header = FrameHeader::read(bytes, seed)?;
        let end = header.frame_len().checked_sub(CRC)?;
        bytes.get(end..header.frame_len())?;
        let line_end = header.encoded_len() + header.line_len;
        let line = bytes.get(header.encoded_len()..line_end)?;
        Some(Self {
            header,
            line,
            attached: bytes.get(line_end..end)?,
        })
    }

    /// Writes the same entry as a frame of another batch and segment.
    pub(crate) fn copy_to(&self, batch: u64, seed: &Seed, out: &mut Vec<u8>) {
        let header = FrameHeader {
            batch,
            ..self.header
        };
        let frame = header.begin(seed, out);
        frame.out.extend_from_slice(self.line);
        frame.out.extend_from_slice(self.attached);
        frame.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_zeros_is_stuffed_from_its_64th_on_wherever_it_lies() {
        for before in 0..=2 * Stored::PIECE {
            for after in [0, 1, Stored::PIECE] {
                for (run, stuffed) in [(Stored::PIECE, false), (63, false), (64, true), (65, true)]
                {
                    let mut bytes = vec![7; before + run + after];
                    bytes[before..before + run].fill(0);
                    let stored = Stored::new(bytes.clone());
                    assert_eq!(stored.stuffed, stuffed, "{before} {run} {after}");
                    assert_eq!(Stored::restore(&stored.bytes, stuffed), bytes);
                }
            }
        }
    }
}
