//! What an adapter has accepted and what came of it, over all its generations.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use vyrox_domain::{containment::ActReport, ids::ActionId, time::Timestamp};

use crate::messages::Carry;

/// Reports that are kept, so that a drive which is asked for twice is not driven twice.
const KEPT_MAX: usize = 512;

/// The ledger. Its lock is held for as long as a map takes.
#[derive(Default)]
pub(super) struct Ledger(Mutex<Pages>);

#[derive(Default)]
struct Pages {
    /// Since when each is in hand.
    open: BTreeMap<ActionId, Timestamp>,
    done: VecDeque<ActReport>,
}

/// What is to be done with an order to carry something out.
pub(super) enum Entered {
    /// Drive it.
    New,
    /// That is being done.
    Held,
    /// That was done; this came of it.
    Done(Box<ActReport>),
}

impl Ledger {
    /// Takes an order in. An action is driven once at a time.
    pub(super) fn enter(&self, carry: &Carry, now: Timestamp) -> Entered {
        let mut pages = self.lock();
        if pages.open.contains_key(&carry.action_id) {
            return Entered::Held;
        }
        let same = |one: &&ActReport| one.action_id == carry.action_id && one.drive == carry.drive;
        if let Some(report) = pages.done.iter().find(same) {
            return Entered::Done(Box::new(report.clone()));
        }
        pages.open.insert(carry.action_id, now);
        Entered::New
    }

    /// It has come to this.
    pub(super) fn settle(&self, report: &ActReport) {
        let mut pages = self.lock();
        pages.open.remove(&report.action_id);
        pages.done.push_back(report.clone());
        if pages.done.len() > KEPT_MAX {
            pages.done.pop_front();
        }
    }

    /// Whoever had it in hand is gone.
    pub(super) fn forget_open(&self) {
        self.lock().open.clear();
    }

    /// How many are not settled, and since when the oldest of them.
    pub(super) fn waiting(&self) -> (usize, Option<Timestamp>) {
        let pages = self.lock();
        let oldest = pages.open.values().min().copied();
        (pages.open.len(), oldest)
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
