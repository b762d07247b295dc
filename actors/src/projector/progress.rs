//! How far the projections are.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;
use vyrox_journal::Head;

/// How far the projections are, for whoever waits for an entry to be readable.
#[derive(Default)]
pub struct Progress {
    applied: Mutex<HashMap<Arc<str>, u64>>,
    stuck: Mutex<BTreeMap<Arc<str>, String>>,
    moved: Notify,
}

impl Progress {
    /// The last seq of the chain that is in the projections.
    pub fn applied(&self, chain: &str) -> Option<u64> {
        self.applied
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(chain)
            .copied()
    }

    /// Returns once `seq` of the chain is in the projections. Wrap it in a timeout.
    pub async fn reached(&self, chain: &str, seq: u64) {
        loop {
            let moved = self.moved.notified();
            if self.applied(chain).is_some_and(|applied| applied >= seq) {
                return;
            }
            moved.await;
        }
    }

    /// Why the chain's projections stand still, if they do.
    pub fn stuck(&self, chain: &str) -> Option<String> {
        self.stuck
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(chain)
            .cloned()
    }

    /// Whatever stood still is tried again.
    pub(super) fn unstick(&self) {
        self.stuck
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// These go on.
    pub(super) fn go_on<'a>(&self, chains: impl Iterator<Item = &'a Arc<str>>) {
        let mut stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        if !stuck.is_empty() {
            chains.for_each(|chain| drop(stuck.remove(chain)));
        }
    }

    pub(super) fn is_any_stuck(&self) -> bool {
        let stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        !stuck.is_empty()
    }

    pub(super) fn stick(&self, chain: &Arc<str>, why: &str) {
        tracing::error!(
            chain = chain.as_ref(),
            why,
            "the chain's projections stand still"
        );
        let mut stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        stuck.insert(Arc::clone(chain), why.to_owned());
    }

    /// The chains whose projections stand still, each with the reason.
    pub fn all_stuck(&self) -> BTreeMap<Arc<str>, String> {
        let stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        stuck.clone()
    }

    /// Nothing of the chain is in the projections any more.
    pub(super) fn forget(&self, chain: &str) {
        let mut known = self.applied.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(chain);
    }

    pub(super) fn advance(&self, applied: &[(Arc<str>, Head)]) {
        let mut known = self.applied.lock().unwrap_or_else(PoisonError::into_inner);
        for (chain, head) in applied {
            known.insert(Arc::clone(chain), head.seq);
        }
        drop(known);
        self.moved.notify_waiters();
    }
}
