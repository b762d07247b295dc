//! The log's files at a start: which of them count, and what becomes of the others.

use std::collections::BTreeMap;

use super::Recovery;
use crate::directory::{Kind, Name};
use crate::options::StartError;
use crate::segment::SegmentHeader;

impl Recovery<'_> {
    /// The segments that count, oldest first: from the highest readable one back over `prev`, down
    /// to the lowest live one. All others are void, whatever they contain.
    pub(super) fn segment_chain(&mut self) -> Result<Vec<SegmentHeader>, StartError> {
        let readable = self.readable_segments()?;
        let top = readable.keys().next_back().copied().unwrap_or(0);
        if top == 0 && self.meta.active != 0 {
            let directory = self.directory.root().display().to_string();
            return Err(StartError::LogLost {
                directory,
                expected: self.meta.active,
            });
        }
        if top < self.meta.active {
            self.lose_segment(self.meta.active);
        }
        let mut chain = Vec::new();
        let mut current = readable.get(&top);
        while let Some(header) = current {
            chain.push(*header);
            if header.id <= self.meta.low || header.prev < self.meta.low || header.prev == 0 {
                break;
            }
            current = readable.get(&header.prev);
            if current.is_none() {
                self.lose_segment(header.prev);
                current = readable
                    .range(..header.id)
                    .next_back()
                    .map(|(_, header)| header);
            }
        }
        chain.reverse();
        Ok(chain)
    }

    fn readable_segments(&self) -> Result<BTreeMap<u64, SegmentHeader>, StartError> {
        let listed = self.directory.list();
        let listed = listed.map_err(StartError::io("list", self.directory.root()))?;
        let live = |name: &Name| name.kind == Kind::Segment && name.id >= self.meta.low;
        let mut readable = BTreeMap::new();
        for name in listed.into_iter().filter(live) {
            let path = self.directory.path(name);
            let header = SegmentHeader::read(self.directory.disk(), &path);
            let header = header.map_err(StartError::io("read", &path))?;
            let usable = |header: &SegmentHeader| header.id == name.id && header.pages > 2;
            if let Some(header) = header.filter(usable) {
                readable.insert(name.id, header);
            }
        }
        Ok(readable)
    }

    /// A segment is gone: nobody can say whose entries it held. What is known already led to holds
    /// at an earlier start and does not again.
    fn lose_segment(&mut self, id: u64) {
        self.summary.damaged = true;
        self.hold_all |= self.holds.known_damage.insert((id, 0));
    }

    /// Retires segments that do not count, after making durable whatever decided that. One that
    /// counts but cannot be read is kept for whoever investigates.
    pub(super) fn retire_void(&self, keep: &[u64]) -> Result<(), StartError> {
        let root = self.directory.root();
        self.directory
            .sync()
            .map_err(StartError::io("sync", root))?;
        let listed = self
            .directory
            .list()
            .map_err(StartError::io("list", root))?;
        let void = |name: &Name| name.kind == Kind::Segment && !keep.contains(&name.id);
        for name in listed.into_iter().filter(void) {
            let lost = self.holds.known_damage.contains(&(name.id, 0));
            let kind = if lost { Kind::Damaged } else { Kind::Tmp };
            let retired = self.directory.rename(name, Name::new(kind, name.id));
            retired.map_err(StartError::io("rename", &self.directory.path(name)))?;
        }
        // Those that are kept are named to whoever erases what they hold, by these names.
        self.directory
            .sync()
            .map_err(StartError::io("sync", root))?;
        Ok(())
    }
}
