//! From the journal's thread to the projector's: what is durable, in order. Bounded; when the
//! projector falls too far behind, the feed says so and the projector reads the chains instead.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use vyrox_journal::{Committed, CommittedBatch};

/// The most entries that wait.
const WAITING_MAX: usize = 65_536;
/// How long entries wait for company. A busy journal syncs hundreds of small batches a second; a
/// transaction for each would cost more than all else, and an alert's verdict, which follows its
/// arrival closely, would write the alert's row anew.
const GATHER: Duration = Duration::from_millis(50);

/// The feed.
#[derive(Default)]
pub struct Feed {
    queue: Mutex<Queue>,
    more: Condvar,
}

#[derive(Default)]
struct Queue {
    entries: VecDeque<Arc<Committed>>,
    /// So many entries wake the projector; fewer let it sleep on.
    wanted: usize,
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
        let mut queue = self.lock();
        if queue.overrun || queue.entries.len() + batch.entries.len() > WAITING_MAX {
            queue.overrun = true;
            queue.entries.clear();
        } else {
            queue.entries.extend(batch.entries.iter().map(Arc::clone));
        }
        let wakes = queue.overrun || queue.entries.len() >= queue.wanted;
        drop(queue);
        if wakes {
            self.more.notify_one();
        }
    }

    /// Waits for entries, at most `patience`. Once there are some it waits for more of them, at most
    /// `GATHER`, and takes up to `most`.
    pub fn take(&self, most: usize, patience: Duration) -> Taken {
        let mut queue = self.wait(self.lock(), 1, patience);
        if !queue.entries.is_empty() {
            queue = self.wait(queue, most, GATHER);
        }
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

    /// Waits until there are so many entries or nothing more to wait for, and no longer than told.
    fn wait<'a>(
        &'a self,
        mut queue: MutexGuard<'a, Queue>,
        wanted: usize,
        at_most: Duration,
    ) -> MutexGuard<'a, Queue> {
        queue.wanted = wanted;
        let too_few =
            |queue: &mut Queue| queue.entries.len() < wanted && !queue.overrun && !queue.closed;
        let after = self.more.wait_timeout_while(queue, at_most, too_few);
        after.unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing will come any more; what waits is still taken.
    pub fn close(&self) {
        self.lock().closed = true;
        self.more.notify_all();
    }

    /// How many entries wait.
    pub fn depth(&self) -> usize {
        self.lock().entries.len()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// Longer than any machine takes to do what is awaited.
    const PATIENCE: Duration = Duration::from_secs(30);

    fn batch(seqs: std::ops::Range<u64>) -> CommittedBatch {
        let chain: Arc<str> = "acme".into();
        let entry = |seq| Committed {
            chain: Arc::clone(&chain),
            seq,
            hash: [0; 32],
            line: Vec::new(),
        };
        CommittedBatch {
            entries: seqs.map(|seq| Arc::new(entry(seq))).collect(),
        }
    }

    fn seqs(taken: Taken) -> Vec<u64> {
        match taken {
            Taken::Entries(entries) => entries.iter().map(|entry| entry.seq).collect(),
            Taken::Overrun | Taken::Quiet | Taken::Closed => Vec::new(),
        }
    }

    #[test]
    fn an_entry_that_gets_no_company_is_taken_all_the_same() {
        let feed = Feed::default();
        feed.push(&batch(0..1));
        assert_eq!(seqs(feed.take(10, PATIENCE)), [0]);
        assert!(matches!(feed.take(10, Duration::ZERO), Taken::Quiet));
    }

    #[test]
    fn entries_are_taken_in_order_and_in_portions() {
        let feed = Feed::default();
        feed.push(&batch(0..2));
        feed.push(&batch(2..5));
        assert_eq!(seqs(feed.take(3, PATIENCE)), [0, 1, 2]);
        assert_eq!(seqs(feed.take(3, PATIENCE)), [3, 4]);
    }

    #[test]
    fn whoever_waits_is_woken_by_each_push_that_it_needs() {
        let feed = Feed::default();
        let taken = thread::scope(|scope| {
            let taker = scope.spawn(|| {
                let mut taken = Vec::new();
                while taken.len() < 100 {
                    taken.extend(seqs(feed.take(7, PATIENCE)));
                }
                taken
            });
            for seq in 0..100 {
                feed.push(&batch(seq..seq + 1));
            }
            taker.join().expect("a taker")
        });
        assert_eq!(taken, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn one_entry_too_many_is_an_overrun_and_then_it_begins_anew() {
        let feed = Feed::default();
        let most = WAITING_MAX as u64;
        feed.push(&batch(0..most));
        feed.push(&batch(most..most + 1));
        assert!(matches!(feed.take(10, PATIENCE), Taken::Overrun));
        feed.push(&batch(0..1));
        assert_eq!(seqs(feed.take(10, PATIENCE)), [0]);
    }

    #[test]
    fn what_came_before_the_end_is_taken_before_it() {
        let feed = Feed::default();
        feed.push(&batch(0..1));
        feed.close();
        assert_eq!(seqs(feed.take(10, PATIENCE)), [0]);
        assert!(matches!(feed.take(10, PATIENCE), Taken::Closed));
    }
}
