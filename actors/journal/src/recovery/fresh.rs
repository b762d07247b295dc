//! The segment that a start goes on in: whatever survived of the last one, under a new salt.

use std::sync::Arc;

use super::Recovery;
use crate::bytes::wide;
use crate::directory::{Kind, Name};
use crate::options::StartError;
use crate::replacement::{Replacement, take_file, write};
use crate::scan::Scan;
use crate::segment::{PAGE, Segment, SegmentHeader, fresh_salt};

impl Recovery<'_> {
    pub(super) fn write_fresh(
        &self,
        old: Option<&SegmentHeader>,
        found: Option<&Scan<'_>>,
    ) -> Result<(SegmentHeader, Replacement), StartError> {
        let pages = match (old, found) {
            (Some(old), Some(found)) => pages_for_all(old, found)?,
            (_, _) => 0,
        };
        let header = SegmentHeader {
            id: self.id,
            prev: old.map_or(0, |old| old.prev),
            first: old.map_or(self.meta.first_batch, |old| old.first),
            pages: self.options.segment_pages().max(pages),
            salt: fresh_salt(),
        };
        let name = take_file(self.directory, self.id, u64::from(header.pages) * PAGE)?;
        let path = self.directory.path(name);
        let replacement = write(self.directory.disk(), &path, &header, found)?;
        Ok((header, replacement))
    }

    /// Gives the fresh segment its name and lets go of the one it replaces.
    pub(super) fn adopt_fresh(
        &self,
        header: &SegmentHeader,
        old: Option<&SegmentHeader>,
        damaged: bool,
    ) -> Result<Arc<Segment>, StartError> {
        let (fresh, name) = (
            Name::new(Kind::Tmp, self.id),
            Name::new(Kind::Segment, self.id),
        );
        let path = self.directory.path(name);
        let named = self
            .directory
            .rename(fresh, name)
            .and_then(|()| self.directory.sync());
        named.map_err(StartError::io("rename", &path))?;
        let lowest = old.is_none_or(|old| old.id == self.meta.low);
        let active = self.heads.set_active(self.id, lowest.then_some(self.id));
        active.map_err(StartError::Heads)?;
        if let Some(old) = old {
            let kind = if damaged { Kind::Damaged } else { Kind::Tmp };
            let old = Name::new(Kind::Segment, old.id);
            let retired = self.directory.rename(old, Name::new(kind, old.id));
            // One that is kept is named to whoever erases what it holds, by this name.
            let retired = retired.and_then(|()| {
                if damaged {
                    self.directory.sync()
                } else {
                    Ok(())
                }
            });
            retired.map_err(StartError::io("rename", &self.directory.path(old)))?;
        }
        Segment::open(self.directory.disk(), &path, header).map_err(StartError::io("open", &path))
    }
}

/// Pages that hold whatever a segment's scan found. The surviving batches fit where they were. A loss
/// without an end may name more batches than there was room for, if a later segment had them: each
/// of those will take one page.
fn pages_for_all(old: &SegmentHeader, found: &Scan<'_>) -> Result<u32, StartError> {
    let numbers = found.next.saturating_sub(old.first);
    let without_a_place = numbers.saturating_sub(wide(found.batches.len()));
    let pages = u64::from(old.pages).saturating_add(without_a_place);
    u32::try_from(pages).map_err(|_too_many| StartError::NoFit)
}
