//! Locks that are never held while anybody else's code runs.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks without caring for poison: nothing that can panic runs under a lock of this crate.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Entries that a history keeps (suspects, dead letters).
pub(crate) const REMEMBERED: usize = 64;

/// Adds to a history, forgetting its oldest entry when it is full.
pub(crate) fn remember<T>(history: &mut VecDeque<T>, entry: T) {
    if history.len() >= REMEMBERED {
        history.pop_front();
    }
    history.push_back(entry);
}
