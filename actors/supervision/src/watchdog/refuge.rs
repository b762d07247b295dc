//! Where the actors of stuck threads go: one spare a thread, however much comes that way.

use crate::clock;
use actix::ArbiterHandle;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// A stuck thread; `None` stands for the threads of which nothing is known, all together.
pub(super) type Place = Option<ThreadId>;

/// The spares in use, by the thread that each of them replaces. A thread that recovers and is stuck again
/// goes to the same refuge.
#[derive(Default)]
pub(super) struct Refuges {
    of: HashMap<Place, Refuge>,
    /// When the owner, who had none to give, may be asked again.
    ask_again: HashMap<Place, u64>,
}

struct Refuge {
    arbiter: ArbiterHandle,
    /// Its thread, once that has run anything.
    thread: Arc<OnceLock<ThreadId>>,
    since: u64,
}

/// What is known of a place.
pub(super) enum Known {
    Refuge(ArbiterHandle),
    /// None is known; a new one would be the refuge of this place.
    Missing(Place),
}

impl Refuges {
    /// The refuge of `place`. One that is stuck itself is replaced by its own refuge; one that has not
    /// run anything within `patience` is none.
    pub(super) fn find(
        &self,
        place: Place,
        stuck: &[ThreadId],
        now: u64,
        patience: Duration,
    ) -> Known {
        let (mut at, mut passed) = (place, Vec::new());
        loop {
            if passed.contains(&at) {
                return Known::Missing(place); // they lead in a circle
            }
            passed.push(at);
            let Some(refuge) = self.of.get(&at).filter(|refuge| refuge.arbiter.alive()) else {
                return Known::Missing(at);
            };
            match refuge.thread.get() {
                Some(thread) if stuck.contains(thread) => at = Some(*thread),
                None if clock::between(refuge.since, now) >= patience => return Known::Missing(at),
                Some(_) | None => return Known::Refuge(refuge.arbiter.clone()),
            }
        }
    }

    /// Makes `arbiter` the refuge of `place`; false if it has ended.
    pub(super) fn adopt(&mut self, place: Place, arbiter: &ArbiterHandle, now: u64) -> bool {
        let thread = Arc::<OnceLock<ThreadId>>::default();
        let tell = Arc::clone(&thread);
        let alive = arbiter.spawn_fn(move || {
            tell.get_or_init(|| thread::current().id());
        });
        if alive {
            let refuge = Refuge {
                arbiter: arbiter.clone(),
                thread,
                since: now,
            };
            self.of.insert(place, refuge);
        }
        alive
    }

    /// Whether the owner may be asked about `place` at `now`.
    pub(super) fn may_ask(&self, place: Place, now: u64) -> bool {
        self.ask_again.get(&place).is_none_or(|due| *due <= now)
    }

    /// The owner had none to give.
    pub(super) fn refused(&mut self, place: Place, until: u64) {
        self.ask_again.insert(place, until);
    }

    /// Nobody will need a refuge from `place` any more.
    pub(super) fn forget(&mut self, place: Place) {
        self.of.remove(&place);
        self.ask_again.remove(&place);
    }
}
