//! Where entries stand in the chains' stores, as far as somebody has walked them.
//!
//! A store can only be walked from a header on, and one of a million entries takes seconds. So a walk
//! leaves bookmarks: where it ended, for whoever works off a chain entry after entry, and a few that
//! are spread over all that was walked, for whoever asks for any entry.

use std::collections::HashMap;
use std::io;
use std::sync::Mutex;

use super::{Found, find};
use crate::directory::Directory;
use crate::disk::{Open, Reader};
use crate::shared::lock;

/// The most bookmarks that are spread over one store.
const SPREAD_MAX: usize = 128;
/// How far apart they are at least, in bytes; twice as far each time that there are too many.
const APART: u64 = 1 << 15;

/// The bookmarks of all chains.
#[derive(Default)]
pub(crate) struct Bookmarks(Mutex<HashMap<String, Marks>>);

/// A header in a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bookmark {
    pub(super) seq: u64,
    pub(super) at: u64,
}

/// One chain's.
#[derive(Debug, Default)]
struct Marks {
    last: Bookmark,
    /// By seq and by place, both rising.
    spread: Vec<Bookmark>,
    doublings: u32,
}

impl Bookmarks {
    /// Forgets a chain's: its store was cut.
    pub(crate) fn forget(&self, chain: &str) {
        lock(&self.0).remove(chain);
    }

    /// Finds the attachments of entry `seq` in the first `len` bytes of the chain's store. It walks the
    /// headers from the last bookmark before it, or from the start.
    pub(crate) fn find(
        &self,
        directory: &Directory,
        chain: &str,
        len: u64,
        seq: u64,
    ) -> io::Result<Found> {
        let here = lock(&self.0)
            .get(chain)
            .map_or_else(Bookmark::default, |marks| marks.before(seq, len));
        let found = self.walk((directory, chain), len, seq, here)?;
        if here.at == 0 || !matches!(found, Found::Damaged) {
            return Ok(found);
        }
        // The store may have been cut and written anew since somebody walked it.
        self.forget(chain);
        self.walk((directory, chain), len, seq, Bookmark::default())
    }

    fn walk(
        &self,
        (directory, chain): (&Directory, &str),
        len: u64,
        seq: u64,
        here: Bookmark,
    ) -> io::Result<Found> {
        let path = directory.evidence_path(chain);
        let store = Reader::new(directory.disk().open(&path, Open::Read)?, here.at);
        let (mut last, mut passed) = (here, Vec::new());
        let found = find(store, len, (seq, here), |header| {
            last = header;
            let end = passed.last().map_or(here.at, |end: &Bookmark| end.at);
            if header.at >= end + APART {
                passed.push(header);
            }
        })?;
        if !matches!(found, Found::Damaged) {
            let mut all = lock(&self.0);
            match all.get_mut(chain) {
                Some(marks) => marks.add(last, &passed),
                None => all.entry(chain.to_owned()).or_default().add(last, &passed),
            }
        }
        Ok(found)
    }
}

impl Marks {
    /// The last one at or before `seq`, in the first `len` bytes.
    fn before(&self, seq: u64, len: u64) -> Bookmark {
        let is_before = |mark: &Bookmark| mark.seq <= seq && mark.at <= len;
        let spread = self.spread.partition_point(is_before);
        let spread = spread.checked_sub(1).and_then(|at| self.spread.get(at));
        let last = Some(&self.last).filter(|last| is_before(last));
        let nearest = spread.into_iter().chain(last).max_by_key(|mark| mark.at);
        nearest.copied().unwrap_or_default()
    }

    fn add(&mut self, last: Bookmark, passed: &[Bookmark]) {
        self.last = last;
        for mark in passed {
            let apart = APART << self.doublings.min(40);
            let end = self.spread.last().map_or(0, |end| end.at);
            if mark.at >= end.saturating_add(apart) {
                self.spread.push(*mark);
            }
            if self.spread.len() > SPREAD_MAX {
                let mut odd = false;
                self.spread.retain(|_| {
                    odd = !odd;
                    !odd
                });
                self.doublings += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::wide;

    fn mark(number: u64) -> Bookmark {
        Bookmark {
            seq: number * 3,
            at: number * APART,
        }
    }

    #[test]
    fn bookmarks_stay_few_and_spread_over_all_that_was_walked() {
        let mut marks = Marks::default();
        for number in 1..=10_000 {
            marks.add(mark(number), &[mark(number)]);
            assert!(marks.spread.len() <= SPREAD_MAX);
        }
        for number in (1..=10_000).step_by(7) {
            let found = marks.before(mark(number).seq + 1, u64::MAX);
            assert!(found.seq <= mark(number).seq, "{number}: {found:?}");
            let walk = (mark(number).at - found.at) / APART;
            assert!(walk <= 10_000 / (wide(SPREAD_MAX) / 4), "{number}: {walk}");
        }
        assert_eq!(marks.before(2, u64::MAX), Bookmark::default());
    }

    #[test]
    fn what_lies_behind_the_end_is_no_place_to_begin() {
        let mut marks = Marks::default();
        marks.add(mark(4), &[mark(2), mark(4)]);
        assert_eq!(marks.before(u64::MAX, mark(3).at), mark(2));
        assert_eq!(marks.before(u64::MAX, u64::MAX), mark(4));
        assert_eq!(marks.before(mark(4).seq - 1, u64::MAX), mark(2));
    }
}
