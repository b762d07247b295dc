//! Bugs that the simulation plants in the journal, to show that it would find them. Outside of
//! tests there are none, and no code for them.

/// A way to be wrong that the code itself must take; others are the simulated disk's to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Segments are retired before the chains' files hold what is in them.
    RecycleEarly,
    /// All segments have one salt, and spares are not zeroed.
    AcceptOldFrames,
    /// A bad batch is cut off without asking whether it was durable.
    CutCorrupt,
    /// What the log has of a repaired chain counts from one batch too late.
    CountLate,
    /// An erasure leaves alone what was set aside of held chains.
    ForgetSetAside,
    /// A backup has of a held chain what its own file has, and no more.
    ForgetHeld,
}

/// Whether this thread is to be wrong in this way.
#[cfg(not(test))]
pub(crate) const fn planted(_bug: Bug) -> bool {
    false
}

#[cfg(test)]
pub(crate) use tests::{plant, planted};

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::Bug;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Whether this thread is to be wrong in this way.
    pub(crate) fn planted(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }

    /// Makes this thread wrong in one way, or right again.
    pub(crate) fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }
}
