//! Faults on demand, in builds with the feature `fault-injection` only: a test names an actor and
//! what shall befall it. In every other build there is nothing.

/// Where a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In `started`.
    Started,
    /// In a handler.
    Message,
}

/// Panics or blocks here if that was ordered for this actor.
#[cfg(not(feature = "fault-injection"))]
pub(crate) fn strike(_actor: &str, _tenant: &vyrox_domain::ids::TenantId, _place: Place) {}

#[cfg(feature = "fault-injection")]
pub use armed::{Fault, inject};

#[cfg(feature = "fault-injection")]
pub(crate) use armed::strike;

#[cfg(feature = "fault-injection")]
mod armed {
    use std::{
        collections::HashMap,
        sync::{LazyLock, Mutex, PoisonError},
        time::Duration,
    };

    use vyrox_domain::ids::TenantId;

    use super::Place;

    static ORDERED: LazyLock<Mutex<HashMap<String, (Fault, u32)>>> = LazyLock::new(Mutex::default);

    /// What shall befall an actor.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Fault {
        /// A panic in its next handler.
        Panic,
        /// A panic in its next `started`, and one in the next handler so that there is one.
        PanicInStarted,
        /// Its next handler blocks the thread for so many milliseconds.
        BlockMs(u64),
    }

    /// Orders `fault` for the actor of that id, `times` times.
    pub fn inject(actor: &str, fault: Fault, times: u32) {
        let mut ordered = ORDERED.lock().unwrap_or_else(PoisonError::into_inner);
        ordered.insert(actor.to_owned(), (fault, times));
    }

    #[expect(
        clippy::panic,
        clippy::disallowed_methods,
        reason = "this is the fault"
    )]
    pub(crate) fn strike(actor: &str, tenant: &TenantId, place: Place) {
        match take(&format!("tenant/{tenant}/{actor}"), place) {
            Some(Fault::Panic | Fault::PanicInStarted) => panic!("injected fault"),
            Some(Fault::BlockMs(ms)) => std::thread::sleep(Duration::from_millis(ms)),
            None => {}
        }
    }

    fn take(id: &str, place: Place) -> Option<Fault> {
        let mut ordered = ORDERED.lock().unwrap_or_else(PoisonError::into_inner);
        if ordered.is_empty() {
            return None;
        }
        let (fault, left) = ordered.get_mut(id)?;
        let here = match fault {
            Fault::PanicInStarted => true,
            Fault::Panic | Fault::BlockMs(_) => place == Place::Message,
        };
        if !here {
            return None;
        }
        let fault = *fault;
        *left = left.saturating_sub(1);
        if *left == 0 {
            ordered.remove(id);
        }
        Some(fault)
    }
}
