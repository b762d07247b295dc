//! What a poller has seen and made nothing of.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use vyrox_domain::digest::Digest;

/// Objects that are remembered; far more than a stretch of time holds that is asked for twice.
const SET_ASIDE_MAX: usize = 8192;

/// Objects that no alert was made of, so that they are kept once and not with every round that sees them.
/// In memory alone: after a restart such an object may be kept a second time.
#[derive(Clone, Default)]
pub(crate) struct SetAside(Arc<Mutex<Remembered>>);

#[derive(Default)]
struct Remembered {
    all: HashSet<Digest>,
    order: VecDeque<Digest>,
}

impl SetAside {
    pub(super) fn holds(&self, object: &Digest) -> bool {
        self.lock().all.contains(object)
    }

    pub(super) fn put(&self, object: Digest) {
        let mut remembered = self.lock();
        if remembered.all.insert(object) {
            remembered.order.push_back(object);
        }
        if remembered.order.len() > SET_ASIDE_MAX
            && let Some(oldest) = remembered.order.pop_front()
        {
            remembered.all.remove(&oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
