//! Faults on demand: a test, or a build made for trials, orders what shall befall an actor.
//!
//! All of it is behind the feature `faults`. In any other build the hooks are here, do nothing, and cost
//! nothing.

#[cfg(feature = "faults")]
mod orders;
#[cfg(feature = "faults")]
mod strike;

#[cfg(feature = "faults")]
pub use orders::{Fault, UnknownFault};
#[cfg(feature = "faults")]
pub(crate) use strike::{Faults, around, before_started};

#[cfg(not(feature = "faults"))]
pub(crate) use nothing::{around, before_started};

#[cfg(not(feature = "faults"))]
mod nothing {
    use crate::context::{Supervised, SupervisedContext};
    use crate::core::Core;

    #[inline]
    pub(crate) const fn before_started<A: Supervised>(_core: &Core<A>, _generation: u64) {}

    #[inline]
    pub(crate) fn around<A: Supervised>(
        ctx: &mut SupervisedContext<A>,
        handle: impl FnOnce(&mut SupervisedContext<A>),
    ) {
        handle(ctx);
    }
}
