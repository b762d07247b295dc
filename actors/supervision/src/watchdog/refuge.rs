//! Where the actors of stuck threads go: one spare a thread, however much comes that way.

use actix::ArbiterHandle;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::thread::{self, ThreadId};

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

impl Refuges {
    /// The refuge of `place`. One that is stuck itself is replaced by its own refuge; one that has not
    /// run anything is none, unless it `is_new` since it was adopted at that moment.
    ///
    /// # Errors
    /// There is none. The place to which a new one would belong.
    pub(super) fn find(
        &self,
        place: Place,
        stuck: &[ThreadId],
        is_new: impl Fn(u64) -> bool,
    ) -> Result<ArbiterHandle, Place> {
        self.follow(place, stuck, |refuge| is_new(refuge.since))
            .map(|refuge| refuge.arbiter.clone())
    }

    /// Goes from refuge to refuge as long as they are stuck.
    fn follow(
        &self,
        place: Place,
        stuck: &[ThreadId],
        is_new: impl Fn(&Refuge) -> bool,
    ) -> Result<&Refuge, Place> {
        let (mut at, mut passed) = (place, Vec::new());
        loop {
            if passed.contains(&at) {
                return Err(place); // they lead in a circle
            }
            passed.push(at);
            let refuge = self.of.get(&at).filter(|refuge| refuge.arbiter.alive());
            let refuge = refuge.ok_or(at)?;
            match refuge.thread.get() {
                Some(thread) if stuck.contains(thread) => at = Some(*thread),
                Some(_) => return Ok(refuge),
                None => return is_new(refuge).then_some(refuge).ok_or(at),
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

    /// Whether somebody has fled from `place`.
    pub(super) fn has(&self, place: Place) -> bool {
        self.of.contains_key(&place)
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

#[cfg(test)]
mod tests {
    use super::*;
    use actix::{Arbiter, System};
    use proptest::prelude::*;

    /// Ids of as many threads as there may be places.
    fn threads() -> Vec<ThreadId> {
        (0..6)
            .map(|_| thread::spawn(|| thread::current().id()).join().unwrap())
            .collect()
    }

    proptest! {
        /// Whatever leads where: a refuge that is found is not stuck, and where none is found, a new one
        /// at the place that is named is the one that is found next.
        #[test]
        fn a_refuge_is_found_or_a_place_for_one(
            links in prop::collection::vec(prop::option::of(prop::option::of(0usize..6)), 6),
            stuck in prop::collection::vec(any::<bool>(), 6),
            from in 0usize..6,
        ) {
            let (threads, system) = (threads(), System::new());
            let arbiter = system.block_on(async { Arbiter::current() });
            let mut refuges = Refuges::default();
            for (place, link) in threads.iter().zip(&links) {
                let Some(to) = link else { continue };
                let thread = Arc::<OnceLock<ThreadId>>::default();
                if let Some(to) = to {
                    thread.set(threads[*to]).unwrap();
                }
                let refuge = Refuge { arbiter: arbiter.clone(), thread, since: 0 };
                refuges.of.insert(Some(*place), refuge);
            }
            let stuck: Vec<_> = threads.iter().zip(&stuck).filter(|(_, is)| **is).map(|(id, _)| *id).collect();
            let place = Some(threads[from]);
            match refuges.follow(place, &stuck, |_| false) {
                Ok(refuge) => prop_assert!(!stuck.contains(refuge.thread.get().unwrap())),
                Err(missing) => {
                    prop_assert!(refuges.adopt(missing, &arbiter, 7));
                    let found = refuges.follow(place, &stuck, |refuge| refuge.since == 7);
                    prop_assert_eq!(found.map(|refuge| refuge.since).ok(), Some(7));
                }
            }
        }
    }
}
