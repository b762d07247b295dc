//! What a tree keeps at hand for its watchdog, so that a look need not go through all actors.

use crate::child::Child;
use crate::desk::Desk;
use crate::fence::Run;
use crate::lock::lock;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// The threads of a tree, who is on the way to one, and what the watchdog has counted.
pub(crate) struct Roster {
    /// No other tree of the process has it.
    pub(crate) id: u64,
    desks: Mutex<Vec<Arc<Desk>>>,
    pub(crate) launches: Launches,
    pub(crate) tally: Tally,
}

/// What the watchdog has counted.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) looks: Count,
    pub(crate) actors_read: Count,
    pub(crate) noticed: Count,
    pub(crate) replaced: Count,
    pub(crate) recovered: Count,
}

/// A counter that only goes up.
#[derive(Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, n: usize) {
        let n = u64::try_from(n).unwrap_or(u64::MAX);
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Roster {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            desks: Mutex::default(),
            launches: Launches::default(),
            tally: Tally::default(),
        }
    }

    /// Enters a new desk, and strikes out those whose threads have ended.
    pub(crate) fn enter(&self, desk: &Arc<Desk>) {
        let mut desks = lock(&self.desks);
        let gone: Vec<_> = desks.extract_if(.., |desk| desk.is_gone()).collect();
        desks.push(Arc::clone(desk));
        drop(desks);
        drop(gone);
    }

    /// The desks of living threads, in the order in which they were entered.
    pub(crate) fn desks(&self) -> Vec<Arc<Desk>> {
        let mut desks = lock(&self.desks).clone();
        desks.retain(|desk| !desk.is_gone());
        desks
    }
}

/// The launches that no thread has taken yet.
#[derive(Default)]
pub(crate) struct Launches(Mutex<Book>);

#[derive(Default)]
struct Book {
    next: u64,
    /// By ticket, which is by age.
    waiting: BTreeMap<u64, Launched>,
}

/// An actor on the way to its thread.
#[derive(Clone)]
pub(crate) struct Launched {
    pub(crate) ticket: u64,
    pub(crate) run: Arc<Run>,
    pub(crate) child: Weak<dyn Child>,
}

impl Launches {
    /// Enters a launch and gives its ticket.
    pub(crate) fn add(&self, run: &Arc<Run>, child: Weak<dyn Child>) -> u64 {
        let run = Arc::clone(run);
        let mut book = lock(&self.0);
        let ticket = book.next;
        book.next = ticket.saturating_add(1);
        book.waiting.insert(ticket, Launched { ticket, run, child });
        ticket
    }

    pub(crate) fn remove(&self, ticket: u64) {
        let taken = lock(&self.0).waiting.remove(&ticket);
        drop(taken);
    }

    pub(crate) fn contains(&self, ticket: u64) -> bool {
        lock(&self.0).waiting.contains_key(&ticket)
    }

    /// Launches that still count and that were sent off at `moment` or before, oldest first.
    pub(crate) fn sent_by(&self, moment: u64) -> Vec<Launched> {
        let book = lock(&self.0);
        book.waiting
            .values()
            .filter(|launched| launched.run.launched_at() <= moment && !launched.run.is_fenced())
            .cloned()
            .collect()
    }
}
