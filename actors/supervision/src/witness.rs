//! Where a harness looks on (feature `testing`): it hears of beginnings, strikes and ends as they happen.
//! In any other build nobody does, and nothing is done.

use crate::outcome::Exit;
use crate::spec::Spec;
#[cfg(feature = "testing")]
use {
    crate::faults::Fault,
    crate::testing::{Trace, What},
    std::{sync::OnceLock, time::Duration},
};

/// A time slice that no poll outlives.
#[cfg(feature = "testing")]
const NO_SLICE: Duration = Duration::from_hours(24);

/// The harness's eye on a tree, if it has one.
#[derive(Default)]
pub(crate) struct Witness {
    #[cfg(feature = "testing")]
    trace: OnceLock<Trace>,
}

#[cfg(feature = "testing")]
impl Witness {
    /// Everything is written to `trace` from now on. The first one stays.
    pub(crate) fn write_to(&self, trace: Trace) {
        self.trace.get_or_init(|| trace);
    }

    /// The spec as the harness wants it: no turn ends because real time has passed.
    pub(crate) fn attuned(&self, mut spec: Spec) -> Spec {
        if self.trace.get().is_some() {
            spec.policy.slice = NO_SLICE;
        }
        spec
    }

    pub(crate) fn began(&self, id: &str, generation: u64) {
        self.write(id, || What::Began(generation));
    }

    pub(crate) fn struck(&self, id: &str, fault: Fault) {
        self.write(id, || What::Struck(fault));
    }

    pub(crate) fn ended(&self, id: &str, exit: Exit) {
        self.write(id, || What::Ended(exit));
    }

    fn write(&self, id: &str, what: impl FnOnce() -> What) {
        if let Some(trace) = self.trace.get() {
            trace.write(id, what());
        }
    }
}

#[cfg(not(feature = "testing"))]
#[expect(
    clippy::unused_self,
    reason = "the hooks are called alike with and without the feature"
)]
impl Witness {
    #[inline]
    pub(crate) const fn attuned(&self, spec: Spec) -> Spec {
        spec
    }

    #[cfg(feature = "faults")]
    #[inline]
    pub(crate) const fn began(&self, _id: &str, _generation: u64) {}

    #[cfg(feature = "faults")]
    #[inline]
    pub(crate) const fn struck(&self, _id: &str, _fault: crate::faults::Fault) {}

    #[inline]
    pub(crate) fn ended(&self, _id: &str, _exit: Exit) {}
}
