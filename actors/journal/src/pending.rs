//! Which durable frames still wait to be copied into their chains' own files.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::segment::{FrameRef, Segment};

/// The waiting frames of every chain, and the batch up to which they are known.
#[derive(Default)]
pub(crate) struct Pending {
    chains: HashMap<Arc<str>, Vec<FrameRef>>,
    /// The last durable batch, all of whose frames have been added.
    pub(crate) last_batch: u64,
}

impl Pending {
    /// Adds a chain's next durable frame.
    pub(crate) fn add(&mut self, chain: &Arc<str>, frame: FrameRef) {
        frame.segment.waiting.fetch_add(1, Ordering::AcqRel);
        match self.chains.get_mut(chain) {
            Some(frames) => frames.push(frame),
            None => {
                self.chains.insert(Arc::clone(chain), vec![frame]);
            }
        }
    }

    /// The chains that have waiting frames, sorted, so that the same work is always done in the
    /// same order.
    pub(crate) fn chains(&self) -> Vec<Arc<str>> {
        let mut chains: Vec<_> = self.chains.keys().cloned().collect();
        chains.sort_unstable();
        chains
    }

    /// Whether a chain has a waiting frame in this segment.
    pub(crate) fn waits_in(&self, chain: &str, segment: &Arc<Segment>) -> bool {
        let mut frames = self.chains.get(chain).into_iter().flatten();
        frames.any(|frame| Arc::ptr_eq(&frame.segment, segment))
    }

    /// A chain's waiting frames, in order.
    #[cfg(test)]
    pub(crate) fn of(&self, chain: &str) -> Vec<FrameRef> {
        self.chains.get(chain).cloned().unwrap_or_default()
    }

    /// Takes a chain's waiting frames; they still keep their segments until they are
    /// [`settled`](settle).
    pub(crate) fn take(&mut self, chain: &str) -> Vec<FrameRef> {
        self.chains.remove(chain).unwrap_or_default()
    }

    /// Puts frames back before any that came since.
    pub(crate) fn give_back(&mut self, chain: &Arc<str>, mut frames: Vec<FrameRef>) {
        if frames.is_empty() {
            return;
        }
        let waiting = self.chains.entry(Arc::clone(chain)).or_default();
        frames.append(waiting);
        *waiting = frames;
    }
}

/// Lets go of frames whose chain's record is committed that far.
pub(crate) fn settle(frames: &[FrameRef]) {
    for frame in frames {
        frame.segment.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}
