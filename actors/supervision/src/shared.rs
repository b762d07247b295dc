//! Equal values that are kept once.

use crate::lock::lock;
use std::sync::{Arc, Mutex, Weak};

/// Values that are remembered; one that is not among them is kept a second time.
const REMEMBERED: usize = 32;

/// Gives out one copy of each value, as long as somebody holds it.
pub(crate) struct Shared<T>(Mutex<Vec<Weak<T>>>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: PartialEq> Shared<T> {
    pub(crate) fn share(&self, value: T) -> Arc<T> {
        let mut known = lock(&self.0);
        known.retain(|copy| copy.strong_count() > 0);
        if let Some(copy) = known
            .iter()
            .filter_map(Weak::upgrade)
            .find(|copy| **copy == value)
        {
            return copy;
        }
        let copy = Arc::new(value);
        if known.len() >= REMEMBERED {
            known.remove(0);
        }
        known.push(Arc::downgrade(&copy));
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one_while_they_are_held() {
        let shared = Shared::default();
        let (first, second, other) = (shared.share(1), shared.share(1), shared.share(2));
        assert!(Arc::ptr_eq(&first, &second) && *other == 2);
        let old = Arc::downgrade(&first);
        drop((first, second));
        assert_eq!((*shared.share(1), old.strong_count()), (1, 0));
    }

    #[test]
    fn its_memory_is_bounded() {
        let shared = Shared::default();
        let held: Vec<_> = (0..100).map(|value| shared.share(value)).collect();
        assert_eq!(lock(&shared.0).len(), REMEMBERED);
        assert!(Arc::ptr_eq(&held[99], &shared.share(99)));
        assert!(!Arc::ptr_eq(&held[0], &shared.share(0)));
    }
}
