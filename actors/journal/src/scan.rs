//! What a segment still holds: every batch is accepted, cut as unfinished, or found damaged.
//!
//! The decision rests on one fact: a batch is written into zeros and has no zero sector itself. So
//! a bad batch that shows a zero sector was never finished, unless something proves that it once
//! was synced: a later batch, a successor segment, the `copied` mark. Everything else that is bad
//! is damage, and damage is never cut.

use crate::batch::{BatchHeader, HEADER, ManifestItem, read_manifest};
use crate::bytes::{index, is_zero, wide};
use crate::entry::{Place, read_place};
use crate::frame::{Frame, FrameHeader, Seed};
use crate::planted::{Bug, planted};
use crate::segment::{PAGE, SegmentHeader};

const SECTOR: usize = 512;

/// What is known of a segment from outside of it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bounds {
    /// The last batch that must be in it, because a successor begins after that one.
    pub(crate) limit: Option<u64>,
    /// Batches up to this one were durable once.
    pub(crate) copied: u64,
}

/// What a scan found.
#[derive(Default)]
pub(crate) struct Scan<'a> {
    /// The surviving batches, in order; one that was lost whole has no frames.
    pub(crate) batches: Vec<ScannedBatch<'a>>,
    /// The number after the last batch.
    pub(crate) next: u64,
    /// Whether an unfinished batch was cut off the end.
    pub(crate) cut: bool,
    /// Whether bytes that were durable are bad.
    pub(crate) damaged: bool,
    /// The entries that are lost by name.
    pub(crate) lost: Vec<Lost>,
    /// Batches that lost entries nobody can name; of a run of batches that is lost whole, the last.
    pub(crate) unknown: Vec<u64>,
}

/// An entry that was durable once and is gone from the log.
pub(crate) struct Lost {
    pub(crate) chain: String,
    pub(crate) seq: u64,
    /// The batch that it was in.
    pub(crate) batch: u64,
}

/// One batch and its good frames.
pub(crate) struct ScannedBatch<'a> {
    pub(crate) number: u64,
    pub(crate) frames: Vec<ScannedFrame<'a>>,
}

/// A frame that proved itself, down to the hash of its line.
pub(crate) struct ScannedFrame<'a> {
    pub(crate) offset: u64,
    pub(crate) frame: Frame<'a>,
    pub(crate) place: Place,
}

/// Scans the bytes of a segment file.
pub(crate) fn scan<'a>(bytes: &'a [u8], header: &SegmentHeader, bounds: Bounds) -> Scan<'a> {
    let found = Scan {
        next: header.first,
        ..Scan::default()
    };
    let seed = Seed::new(&header.salt);
    let mut scanner = Scanner {
        bytes,
        header,
        seed,
        bounds,
        page: 1,
        found,
    };
    while scanner.page < header.last_page()
        && bounds.limit.is_none_or(|limit| scanner.found.next <= limit)
        && scanner.step()
    {}
    scanner.require_the_rest();
    scanner.found
}

struct Scanner<'a, 'h> {
    bytes: &'a [u8],
    header: &'h SegmentHeader,
    seed: Seed,
    bounds: Bounds,
    page: u64,
    found: Scan<'a>,
}

/// The frames of one batch, good and bad.
#[derive(Default)]
struct Frames<'a> {
    good: Vec<ScannedFrame<'a>>,
    lost: Vec<Lost>,
    unknown: bool,
}

impl<'a> Scanner<'a, '_> {
    /// Reads what is at the current page. `false` at the end of what was written.
    fn step(&mut self) -> bool {
        let number = self.found.next;
        let Some(header) = self
            .header_at(self.page)
            .filter(|header| self.fits(header, number))
        else {
            return self.step_without_header(number);
        };
        let frames = self.frames(&header);
        let whole = frames.good.len() == header.count;
        if !whole && !self.was_durable(number) && self.is_unwritten(self.page, header.pages) {
            self.found.cut = true;
            return false;
        }
        self.accept(&header, frames, !whole);
        true
    }

    /// Decides about a page on which the expected batch's header is not readable.
    fn step_without_header(&mut self, number: u64) -> bool {
        let trailer = self.trailer_of(number);
        if !self.was_durable(number) {
            let torn = match &trailer {
                Some(trailer) => self.is_unwritten(self.page, trailer.pages),
                None => self.has_zero_sector(self.page, 1),
            };
            if torn {
                let written_until = index(self.header.last_page() * PAGE);
                let rest = self.bytes.get(index(self.page * PAGE)..written_until);
                self.found.cut = !rest.is_some_and(is_zero);
                return false;
            }
        }
        if let Some(trailer) = trailer {
            let frames = self.frames(&trailer);
            self.accept(&trailer, frames, true);
            return true;
        }
        let later = self.later_batch(number);
        self.lose(later.map_or_else(|| self.last_of_an_open_loss(number), |(_, next)| next - 1));
        self.found.batches.push(ScannedBatch {
            number,
            frames: Vec::new(),
        });
        if let Some((page, _)) = later {
            self.page = page;
        }
        later.is_some()
    }

    /// Everything from the next batch to `last` is gone. The last number stands for the loss: it alone
    /// says whether any of it was more than what had been copied.
    fn lose(&mut self, last: u64) {
        self.found.damaged = true;
        self.found.unknown.push(last);
        self.found.next = last + 1;
    }

    /// The last number of a loss that begins with batch `number` and has no readable batch behind it.
    ///
    /// What was copied is known to be among it. Whether more was durable nobody can say, unless the
    /// disk shows that nothing was ever written there; if in doubt, one number more is lost.
    fn last_of_an_open_loss(&self, number: u64) -> u64 {
        let Bounds { limit, copied } = self.bounds;
        if let Some(limit) = limit {
            return limit.max(number);
        }
        if number > copied || (number == copied && self.is_last_page_written()) {
            return number;
        }
        copied + 1
    }

    /// Whether this page was written to and none behind it ever was. Zeros on the page itself are a
    /// loss, and then those behind it may be one too.
    fn is_last_page_written(&self) -> bool {
        let behind = index((self.page + 1) * PAGE)..index(self.header.last_page() * PAGE);
        !self.has_zero_sector(self.page, 1) && self.bytes.get(behind).is_some_and(is_zero)
    }

    /// Takes a batch as far as it is good.
    fn accept(&mut self, header: &BatchHeader, frames: Frames<'a>, damaged: bool) {
        let number = header.number;
        if damaged {
            self.found.damaged = true;
            self.found.lost.extend(frames.lost);
            if frames.unknown {
                self.found.unknown.push(number);
            }
        }
        self.found.batches.push(ScannedBatch {
            number,
            frames: frames.good,
        });
        self.found.next = number + 1;
        self.page += header.pages;
    }

    /// What must have been here by the word of others, and was not found, is lost.
    fn require_the_rest(&mut self) {
        let next = self.found.next;
        if next <= self.bounds.limit.unwrap_or(self.bounds.copied) {
            self.lose(self.last_of_an_open_loss(next));
        }
    }

    /// Whether a batch was synced once, whatever it looks like now.
    fn was_durable(&self, number: u64) -> bool {
        if planted(Bug::CutCorrupt) {
            return false;
        }
        let shortened = wide(self.bytes.len()) < u64::from(self.header.pages) * PAGE;
        shortened
            || self.bounds.limit.is_some_and(|limit| number <= limit)
            || number <= self.bounds.copied
            || self.later_batch(number).is_some()
    }

    /// The first page behind this one on which a later batch begins, by its header or its trailer.
    fn later_batch(&self, number: u64) -> Option<(u64, u64)> {
        let behind = self.page + 1..self.header.last_page();
        let by_header = behind
            .clone()
            .filter_map(|page| Some((page, self.header_at(page)?)));
        let by_trailer = behind.filter_map(|page| self.trailer_at(page));
        by_header
            .chain(by_trailer)
            .filter(|(page, header)| header.number > number && *page > self.page)
            .map(|(page, header)| (page, header.number))
            .min()
    }

    /// The trailer of the batch that begins on this page.
    fn trailer_of(&self, number: u64) -> Option<BatchHeader> {
        (self.page..self.header.last_page())
            .filter_map(|page| self.trailer_at(page))
            .find(|(page, trailer)| *page == self.page && self.fits(trailer, number))
            .map(|(_, trailer)| trailer)
    }

    fn fits(&self, header: &BatchHeader, number: u64) -> bool {
        let end = self.page.saturating_add(header.pages);
        header.number == number && header.pages >= 1 && end <= self.header.last_page()
    }

    fn header_at(&self, page: u64) -> Option<BatchHeader> {
        BatchHeader::read(self.bytes.get(index(page * PAGE)..)?, &self.header.salt)
    }

    /// The trailer that ends on a page, and the page that its batch begins on.
    fn trailer_at(&self, page: u64) -> Option<(u64, BatchHeader)> {
        let at = index((page + 1) * PAGE).checked_sub(HEADER)?;
        let trailer = BatchHeader::read(self.bytes.get(at..)?, &self.header.salt)?;
        Some(((page + 1).checked_sub(trailer.pages)?, trailer))
    }

    /// Whether a part of the extent was never written.
    fn is_unwritten(&self, page: u64, pages: u64) -> bool {
        if planted(Bug::CutCorrupt) {
            return true;
        }
        let end = index((page + pages) * PAGE);
        let trailer = end
            .checked_sub(HEADER)
            .and_then(|at| self.bytes.get(at..end));
        self.has_zero_sector(page, pages) || trailer.is_some_and(is_zero)
    }

    fn has_zero_sector(&self, page: u64, pages: u64) -> bool {
        let extent = self
            .bytes
            .get(index(page * PAGE)..index((page + pages) * PAGE));
        extent.is_some_and(|extent| extent.chunks(SECTOR).any(is_zero))
    }

    /// Reads the frames of the batch on the current page. The manifest names the bad ones; without
    /// it, a good frame header does, and behind a bad one nothing has a name.
    fn frames(&self, header: &BatchHeader) -> Frames<'a> {
        let mut frames = Frames::default();
        let start = self.page * PAGE;
        let extent = index(start)..index(start + header.pages * PAGE);
        let Some(body) = self
            .bytes
            .get(extent)
            .and_then(|extent| extent.get(HEADER..))
        else {
            frames.unknown = true;
            return frames;
        };
        let Some((manifest, mut rest)) = body.split_at_checked(header.manifest_len) else {
            frames.unknown = true;
            return frames;
        };
        let manifest = read_manifest(manifest, header.count, &self.seed);
        let mut offset = start + wide(HEADER + header.manifest_len);
        for position in 0..header.count {
            let named = match &manifest {
                Some(items) => items.get(position).copied(),
                None => FrameHeader::read(rest, &self.seed)
                    .as_ref()
                    .map(ManifestItem::of),
            };
            let Some(item) = named else {
                frames.unknown = true;
                return frames;
            };
            match self.frame(rest, header.number, &item) {
                Some((frame, place)) => frames.good.push(ScannedFrame {
                    offset,
                    frame,
                    place,
                }),
                None => frames.lost.push(Lost {
                    chain: item.chain.to_owned(),
                    seq: item.seq,
                    batch: header.number,
                }),
            }
            rest = rest.get(item.frame_len..).unwrap_or_default();
            offset += wide(item.frame_len);
        }
        frames
    }

    fn frame(
        &self,
        rest: &'a [u8],
        number: u64,
        item: &ManifestItem<'_>,
    ) -> Option<(Frame<'a>, Place)> {
        let frame = Frame::read(rest.get(..item.frame_len)?, &self.seed)?;
        if frame.header.batch != number || ManifestItem::of(&frame.header) != *item {
            return None;
        }
        let place = read_place(item.chain, frame.line)?;
        (place.seq == item.seq).then_some((frame, place))
    }
}

#[cfg(test)]
mod tests;
