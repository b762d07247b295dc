//! From the journal's thread to the projector's: what is durable, in order. Bounded; when the
//! projector falls too far behind, the feed says so and the projector reads the chains instead.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use vyrox_journal::{Committed, CommittedBatch};

/// The most entries that wait.
const WAITING_MAX: usize = 65_536;

/// The feed.
#[derive(Default)]
pub struct Feed {
    queue: Mutex<Queue>,
    more: Condvar,
}

#[derive(Default)]
struct Queue {
    entries: VecDeque<Arc<Committed>>,
    overrun: bool,
    closed: bool,
}

/// What the projector finds.
pub enum Taken {
    /// Durable entries, in order.
    Entries(Vec<Arc<Committed>>),
    /// Entries were dropped: read the chains.
    Overrun,
    /// Nothing for a while.
    Quiet,
    /// Nothing any more.
    Closed,
}

impl Feed {
    /// Called on the journal's thread after each batch.
    pub fn push(&self, batch: &CommittedBatch) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.overrun || queue.entries.len() + batch.entries.len() > WAITING_MAX {
            queue.overrun = true;
            queue.entries.clear();
        } else {
            queue.entries.extend(batch.entries.iter().map(Arc::clone));
        }
        drop(queue);
        self.more.notify_one();
    }

    /// Waits for entries, at most `patience`, and takes up to `most` of them.
    pub fn take(&self, most: usize, patience: Duration) -> Taken {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |queue: &mut Queue| queue.entries.is_empty() && !queue.overrun && !queue.closed;
        let (mut queue, _) = self
            .more
            .wait_timeout_while(queue, patience, idle)
            .unwrap_or_else(PoisonError::into_inner);
        if queue.overrun {
            queue.overrun = false;
            return Taken::Overrun;
        }
        if queue.entries.is_empty() {
            return if queue.closed {
                Taken::Closed
            } else {
                Taken::Quiet
            };
        }
        let most = most.min(queue.entries.len());
        Taken::Entries(queue.entries.drain(..most).collect())
    }

    /// Nothing will come any more; what waits is still taken.
    pub fn close(&self) {
        self.queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .closed = true;
        self.more.notify_all();
    }

    /// How many entries wait.
    pub fn depth(&self) -> usize {
        self.queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entries
            .len()
    }
}
