//! How messages are counted, and their waits measured.

use std::time::Instant;

use super::{Record, SAMPLED};
use crate::clock;

impl Record {
    /// Whether the next message's wait is to be measured.
    pub(crate) const fn is_sample(&mut self) -> bool {
        let is_sample = self.admitted.is_multiple_of(SAMPLED);
        self.admitted = self.admitted.wrapping_add(1);
        is_sample
    }

    pub(super) fn taken(&mut self, queued_at: Option<Instant>) {
        self.handled = self.handled.saturating_add(1);
        if let Some(at) = queued_at {
            let waited = clock::monotonic().saturating_duration_since(at);
            self.waits.record(waited);
        }
    }
}
