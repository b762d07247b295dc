//! A file of the simulated disk: its bytes in the page cache, and its bytes on the disk.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use super::dice::Dice;
use crate::bytes::{index, wide};

pub(super) const PAGE: usize = 4096;
pub(super) const SECTOR: usize = 512;
const SECTORS: usize = PAGE / SECTOR;

type Page = Arc<[u8; PAGE]>;

static ZERO: LazyLock<Page> = LazyLock::new(|| Arc::new([0; PAGE]));

/// What kind of file it is, as far as anybody treats kinds differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Log,
    Chain,
    Evidence,
    Database,
    Other,
}

/// Pages that were never written, or cut off, are holes: they read as zeros and have no room.
#[derive(Debug, Clone, Default)]
struct Bytes {
    pages: Vec<Option<Page>>,
    len: u64,
}

impl Bytes {
    fn page(&self, number: usize) -> Option<&Page> {
        self.pages.get(number)?.as_ref()
    }

    fn put(&mut self, number: usize, page: Option<Page>) {
        if self.pages.len() <= number {
            self.pages.resize(number + 1, None);
        }
        self.pages[number] = page;
    }

    /// The page for changing a part of it.
    fn page_mut(&mut self, number: usize) -> &mut [u8; PAGE] {
        if self.pages.len() <= number {
            self.pages.resize(number + 1, None);
        }
        let page = self.pages[number].get_or_insert_with(|| Arc::clone(&ZERO));
        Arc::make_mut(page)
    }

    /// Cuts or lengthens; what is cut off never comes back.
    fn resize(&mut self, len: u64) {
        let (whole, rest) = (index(len) / PAGE, index(len) % PAGE);
        self.pages.truncate(index(len).div_ceil(PAGE));
        let behind = |page: &Page| page[rest..] != ZERO[rest..];
        if rest != 0 && self.page(whole).is_some_and(behind) {
            self.page_mut(whole)[rest..].fill(0);
        }
        self.len = len;
    }
}

/// A file.
#[derive(Debug, Clone)]
pub(super) struct Inode {
    /// The name it was made under, for the trace.
    pub(super) label: String,
    pub(super) place: Place,
    cache: Bytes,
    disk: Bytes,
    dirty: BTreeSet<usize>,
    /// The shortest that it was cut to since the last sync, if it was.
    cut: Option<u64>,
    /// The lengths that it has had since the last sync, and whether a write led to each.
    lengths: Vec<(u64, bool)>,
    /// A page could not be written back in the background: the next sync says so.
    pub(super) failed: bool,
}

impl Inode {
    pub(super) fn new(label: String, place: Place) -> Self {
        Self {
            label,
            place,
            cache: Bytes::default(),
            disk: Bytes::default(),
            dirty: BTreeSet::new(),
            cut: None,
            lengths: Vec::new(),
            failed: false,
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.cache.len
    }

    /// Its bytes in the cache and on the disk, each stretch that is not zeros in one piece.
    pub(super) fn runs(&self, mut look: impl FnMut(&[u8])) {
        for bytes in [&self.cache, &self.disk] {
            let mut run = Vec::new();
            for page in &bytes.pages {
                match page {
                    Some(page) if !Arc::ptr_eq(page, &ZERO) => run.extend_from_slice(&page[..]),
                    Some(_) | None => {
                        look(&run);
                        run.clear();
                    }
                }
            }
            look(&run);
        }
    }

    /// Reads from the cache; fewer bytes at the end of the file.
    pub(super) fn read(&self, into: &mut [u8], offset: u64) -> usize {
        let left = index(self.cache.len.saturating_sub(offset));
        let len = into.len().min(left);
        let mut done = 0;
        while done < len {
            let at = index(offset) + done;
            let (page, from) = (at / PAGE, at % PAGE);
            let part = (PAGE - from).min(len - done);
            let target = &mut into[done..done + part];
            match self.cache.page(page) {
                Some(bytes) => target.copy_from_slice(&bytes[from..from + part]),
                None => target.fill(0),
            }
            done += part;
        }
        len
    }

    /// Whether writing there needs room that the file does not have yet.
    pub(super) fn needs_room(&self, offset: u64, len: usize) -> bool {
        let first = index(offset) / PAGE;
        let last = (index(offset) + len).saturating_sub(1) / PAGE;
        (first..=last).any(|page| self.cache.page(page).is_none())
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        let mut done = 0;
        while done < bytes.len() {
            let at = index(offset) + done;
            let (page, from) = (at / PAGE, at % PAGE);
            let part = (PAGE - from).min(bytes.len() - done);
            let source = &bytes[done..done + part];
            if part == PAGE && *source == ZERO[..] {
                self.cache.put(page, Some(Arc::clone(&ZERO)));
            } else {
                self.cache.page_mut(page)[from..from + part].copy_from_slice(source);
            }
            self.dirty.insert(page);
            done += part;
        }
        let end = offset + wide(bytes.len());
        if end > self.cache.len {
            self.cache.len = end;
            self.lengths.push((end, true));
        }
    }

    pub(super) fn set_len(&mut self, len: u64) {
        let shorter = len < self.cache.len;
        self.cache.resize(len);
        self.lengths.push((len, false));
        if shorter {
            self.cut = Some(self.cut.unwrap_or(len).min(len));
            let pages = index(len).div_ceil(PAGE);
            self.dirty.split_off(&pages);
            if !index(len).is_multiple_of(PAGE) {
                self.dirty.insert(pages - 1);
            }
        }
    }

    /// Everything reaches the disk.
    pub(super) fn sync(&mut self) {
        self.apply_cut();
        for page in std::mem::take(&mut self.dirty) {
            self.disk.put(page, self.cache.page(page).cloned());
        }
        self.disk.resize(self.cache.len);
        self.lengths.clear();
    }

    /// A sync fails: of each page none, all or some sectors reach the disk, and all of them are clean.
    pub(super) fn fail_sync(&mut self, dice: &mut Dice) {
        if dice.one_in(2) {
            self.apply_cut();
        }
        for page in std::mem::take(&mut self.dirty) {
            self.write_back(page, mask(dice));
        }
        if dice.one_in(2) {
            self.disk.resize(self.cache.len);
            self.lengths.clear();
        }
    }

    /// Some dirty pages reach the disk by themselves, or fail to.
    pub(super) fn background(&mut self, dice: &mut Dice, eio: u64) {
        for page in self.dirty.clone() {
            if !dice.one_in(2) {
                continue;
            }
            if dice.one_in(eio) {
                self.failed = true;
            } else {
                self.write_back(page, u64::MAX);
            }
            self.dirty.remove(&page);
        }
    }

    /// Clean pages leave the cache: they are read from the disk again.
    pub(super) fn evict(&mut self) {
        if self.cut.is_some() {
            return;
        }
        for page in 0..self.cache.pages.len() {
            if !self.dirty.contains(&page) {
                let bytes = self.disk.page(page).cloned();
                self.cache.put(page, bytes);
            }
        }
    }

    /// The power goes: of what was not synced, some sectors are on the disk.
    pub(super) fn lose_power(&mut self, dice: &mut Dice) {
        if dice.one_in(2) {
            self.apply_cut();
        }
        self.cut = None;
        let mode = dice.below(4);
        for page in std::mem::take(&mut self.dirty) {
            let sectors = match mode {
                0 => 0,
                1 => u64::MAX,
                _ => mask(dice),
            };
            self.write_back(page, sectors);
        }
        let len = self.length_left(dice);
        self.disk.resize(len);
        self.lengths.clear();
        self.failed = false;
        self.cache = self.disk.clone();
    }

    /// Turns one bit on the disk. `false` if there is nothing to turn at this place.
    pub(super) fn flip(&mut self, at: u64, bit: u64) -> bool {
        let (page, from) = (index(at) / PAGE, index(at) % PAGE);
        if self.dirty.contains(&page) || at >= self.disk.len || self.disk.page(page).is_none() {
            return false;
        }
        self.disk.page_mut(page)[from] ^= 1 << bit;
        true
    }

    /// A sector on the disk reads as zeros. `false` if it did already, or is not settled.
    pub(super) fn lose_sector(&mut self, sector: usize) -> bool {
        let (page, from) = (sector / SECTORS, sector % SECTORS * SECTOR);
        if self.dirty.contains(&page) || self.is_zero_on_disk(sector) {
            return false;
        }
        self.disk.page_mut(page)[from..from + SECTOR].fill(0);
        true
    }

    pub(super) fn is_zero_on_disk(&self, sector: usize) -> bool {
        let from = sector % SECTORS * SECTOR;
        let page = self.disk.page(sector / SECTORS);
        page.is_none_or(|page| page[from..from + SECTOR] == ZERO[..SECTOR])
    }

    pub(super) fn len_on_disk(&self) -> u64 {
        self.disk.len
    }

    /// One of the lengths since the last sync, or one on the way to it that a write was cut short at.
    fn length_left(&self, dice: &mut Dice) -> u64 {
        let mut lengths = vec![(self.disk.len, false)];
        lengths.extend(&self.lengths);
        let chosen = if dice.one_in(2) {
            lengths.len() - 1
        } else {
            dice.size_below(lengths.len())
        };
        let (len, by_write) = lengths[chosen];
        if by_write && dice.one_in(2) {
            let before = lengths[chosen - 1].0.min(len);
            return before + dice.below(len - before + 1);
        }
        len
    }

    fn apply_cut(&mut self) {
        if let Some(cut) = self.cut.take() {
            self.disk.resize(cut.min(self.disk.len));
        }
    }

    fn write_back(&mut self, page: usize, sectors: u64) {
        let Some(source) = self.cache.page(page).cloned() else {
            return;
        };
        if sectors == u64::MAX {
            self.disk.put(page, Some(source));
            return;
        }
        for sector in 0..SECTORS {
            if sectors >> sector & 1 == 1 {
                let bytes = sector * SECTOR..(sector + 1) * SECTOR;
                self.disk.page_mut(page)[bytes.clone()].copy_from_slice(&source[bytes]);
            }
        }
    }
}

/// Which sectors of a page reach the disk.
fn mask(dice: &mut Dice) -> u64 {
    match dice.below(3) {
        0 => 0,
        1 => u64::MAX,
        _ => dice.next(),
    }
}
