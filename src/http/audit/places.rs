//! How many may read chains at once, so that nobody's reading is felt by another.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    thread::available_parallelism,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Verifications of one chain at a time. A second one would read the same and say the same.
const VERIFICATIONS_A_CHAIN: usize = 1;
/// Exports of one chain at a time.
const EXPORTS_A_CHAIN: usize = 4;

/// The places of those who read chains now.
pub(crate) struct Places {
    verifications: Arc<Taken>,
    exports: Arc<Taken>,
    /// Verifications of all chains: half of the processors, for the rest belongs to alerts.
    verifiers: Arc<Semaphore>,
}

impl Default for Places {
    fn default() -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Self {
            verifications: Arc::default(),
            exports: Arc::default(),
            verifiers: Arc::new(Semaphore::new((processors / 2).max(1))),
        }
    }
}

impl Places {
    /// A place for a verification of this chain; `None` while there is one.
    pub(super) fn verification(&self, chain: &str) -> Option<Place> {
        self.verifications.take(chain, VERIFICATIONS_A_CHAIN)
    }

    /// Waits until few enough chains are verified that another one may be.
    pub(super) async fn verifier(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        Arc::clone(&self.verifiers).acquire_owned().await.ok()
    }

    /// A place for an export of this chain; `None` while there are too many.
    pub(crate) fn export(&self, chain: &str) -> Option<Place> {
        self.exports.take(chain, EXPORTS_A_CHAIN)
    }
}

/// How many places each chain's readers hold; nothing stands here of a chain without any.
#[derive(Default)]
struct Taken(Mutex<HashMap<String, usize>>);

impl Taken {
    fn take(self: &Arc<Self>, chain: &str, most: usize) -> Option<Place> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = taken.get(chain).copied().unwrap_or_default();
        if held >= most {
            return None;
        }
        taken.insert(chain.to_owned(), held + 1);
        Some(Place {
            taken: Arc::clone(self),
            chain: chain.to_owned(),
        })
    }
}

/// A place that is given back when this is dropped.
pub(crate) struct Place {
    taken: Arc<Taken>,
    chain: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = taken.get_mut(&self.chain) {
            *held -= 1;
            if *held == 0 {
                taken.remove(&self.chain);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_has_so_many_places_and_takes_none_of_another() {
        let places = Places::default();
        let first = places.verification("acme");
        assert!(first.is_some() && places.verification("acme").is_none());
        let other = places.verification("globex");
        assert!(other.is_some());
        let exports: Vec<_> = (0..5).map(|_| places.export("acme")).collect();
        assert_eq!(exports.iter().flatten().count(), EXPORTS_A_CHAIN);
        drop(first);
        assert!(places.verification("acme").is_some(), "given back");
        drop((exports, other));
        for taken in [&places.verifications, &places.exports] {
            assert!(taken.0.lock().unwrap().is_empty(), "nothing is kept");
        }
    }
}
