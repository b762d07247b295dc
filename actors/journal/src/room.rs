//! Room, and for whom the last of it is kept.
//!
//! It can run short in three places: in the queue, of which each class has its share; in the log, of
//! whose spares the last but one is for containment; and on the disk, of which some bytes are to stay
//! free. What is new from outside is refused first, for whoever sent it has it still.

use std::sync::atomic::Ordering;

use crate::checkpointer::Checkpointer;
use crate::journal::Class;
use crate::shared::Shared;

/// Never more than this part of the disk is kept free: on a small one there would be nothing left.
const LARGEST_PART: u64 = 16;

impl Shared {
    /// Whether an append of this class would find room now.
    pub(crate) fn has_room(&self, class: Class) -> bool {
        let open = match class {
            Class::Intake => !self.disk_is_scarce() && !self.spares.are_short(),
            Class::Ordinary | Class::Containment => true,
        };
        open && self.queue.has_room(class, &self.options)
    }

    /// Whether less of the disk is free than is to be kept so, as it was last measured.
    pub(crate) fn disk_is_scarce(&self) -> bool {
        self.scarce.load(Ordering::Acquire)
    }
}

impl Checkpointer {
    /// Looks how much of the disk is free. All that grows in the journal's directory grows by this
    /// thread's hand, so once a checkpoint is often enough.
    pub(crate) fn measure(&self) {
        let shared = &self.shared;
        let reserve = shared.options.reserve_bytes;
        if reserve == 0 {
            return;
        }
        let directory = &shared.directory;
        let (free, all) = match directory.disk().free(directory.root()) {
            Ok(measured) => measured,
            Err(error) => {
                tracing::warn!(%error, "the disk does not say how much of it is free");
                return;
            }
        };
        let reserve = reserve.min(all / LARGEST_PART);
        let scarce = free < reserve;
        if shared.scarce.swap(scarce, Ordering::AcqRel) == scarce {
            return;
        }
        if scarce {
            tracing::error!(
                free,
                reserve,
                "the disk is nearly full: alerts are refused, what is left is for orders under way"
            );
        } else {
            tracing::info!(
                free,
                reserve,
                "the disk has room again: alerts are taken in"
            );
        }
    }
}

#[cfg(test)]
mod tests;
