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
pub(crate) use strike::{Faults, Happening, around};

#[cfg(not(feature = "faults"))]
pub(crate) use nothing::{Faults, around};

#[cfg(not(feature = "faults"))]
mod nothing {
    use crate::context::{Supervised, SupervisedContext};
    use crate::outcome::Exit;
    use crate::spec::Spec;

    #[derive(Default)]
    pub(crate) struct Faults;

    #[expect(
        clippy::unused_self,
        reason = "the hooks are called alike with and without the feature"
    )]
    impl Faults {
        #[inline]
        pub(crate) const fn attuned(&self, spec: Spec) -> Spec {
            spec
        }

        #[inline]
        pub(crate) const fn begins(&self, _id: &str, _generation: u64) {}

        #[inline]
        pub(crate) fn ended(&self, _id: &str, _exit: Exit) {}
    }

    #[inline]
    pub(crate) fn around<A: Supervised>(
        ctx: &mut SupervisedContext<A>,
        handle: impl FnOnce(&mut SupervisedContext<A>),
    ) {
        handle(ctx);
    }
}
