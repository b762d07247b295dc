//! Which tenants have a label of their own. Every label set costs a scraper memory for good, so their
//! number has a limit.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

/// Tenants with a label of their own: the first that something is counted for.
pub(super) const OWN_LABELS_MAX: usize = 200;

/// What all the others share. A tenant that is really called so shares it too.
pub(super) const OTHER: &str = "other";

/// The labels that were given out. A tenant's never changes while the server runs.
#[derive(Debug)]
pub(super) struct Labels {
    own: Mutex<HashSet<Arc<str>>>,
    other: Arc<str>,
}

impl Default for Labels {
    fn default() -> Self {
        Self {
            own: Mutex::default(),
            other: OTHER.into(),
        }
    }
}

impl Labels {
    /// The tenant's own label, given out now if there is one left, or [`OTHER`].
    pub(super) fn of(&self, tenant: &str) -> Arc<str> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(label) = own.get(tenant) {
            return Arc::clone(label);
        }
        if tenant == OTHER || own.len() >= OWN_LABELS_MAX {
            return Arc::clone(&self.other);
        }
        let label = Arc::<str>::from(tenant);
        own.insert(Arc::clone(&label));
        label
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ones_have_their_own_for_good() {
        let labels = Labels::default();
        for n in 0..OWN_LABELS_MAX {
            let name = format!("t{n}");
            assert_eq!(&*labels.of(&name), name);
        }
        assert_eq!(&*labels.of("late"), OTHER);
        assert_eq!(&*labels.of("t7"), "t7");
    }

    #[test]
    fn a_tenant_called_other_takes_nobodys_place() {
        let labels = Labels::default();
        assert_eq!(&*labels.of(OTHER), OTHER);
        for n in 0..OWN_LABELS_MAX {
            let name = format!("t{n}");
            assert_eq!(&*labels.of(&name), name);
        }
    }
}
