//! Places for requests in hand, shared fairly when they get scarce.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use vyrox_domain::ids::TenantId;

use super::{Decision, ROOM_RETRY_AFTER, Sender, Source};

/// A fixed number of places, and who holds how many.
#[derive(Debug)]
pub(super) struct Room<K> {
    places: usize,
    held: Mutex<Held<K>>,
}

#[derive(Debug)]
struct Held<K> {
    total: usize,
    by_key: HashMap<K, usize>,
}

impl<K: Hash + Eq + Clone> Room<K> {
    pub(super) fn new(places: usize) -> Self {
        Self {
            places,
            held: Mutex::new(Held {
                total: 0,
                by_key: HashMap::new(),
            }),
        }
    }

    pub(super) fn total(&self) -> usize {
        self.lock().total
    }

    /// Takes a place, unless there is none for this key.
    fn take(&self, key: &K) -> bool {
        let mut held = self.lock();
        if !held.has_place(key, self.places) {
            return false;
        }
        held.add(key);
        true
    }

    /// Moves a place from one key to another, unless there is none for the other.
    fn pass(&self, from: &K, to: &K) -> bool {
        let mut held = self.lock();
        held.remove(from);
        let moved = held.has_place(to, self.places);
        held.add(if moved { to } else { from });
        moved
    }

    fn give_back(&self, key: &K) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, Held<K>> {
        // Nothing panics while the lock is held, so a poisoned one holds whole numbers all the same.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Clone> Held<K> {
    /// Places are free for all until half of them are taken. From then on no key gets more than an
    /// equal part, with the asking key counted and one more that may come next: a lone flood leaves
    /// room for its first neighbour.
    fn has_place(&self, key: &K, places: usize) -> bool {
        if self.total < places / 2 {
            return true;
        }
        let own = self.by_key.get(key).copied().unwrap_or(0);
        let keys = self.by_key.len().saturating_add(usize::from(own == 0));
        let share = places
            .checked_div(keys.saturating_add(1))
            .unwrap_or(places)
            .max(1);
        self.total < places && own < share
    }

    fn add(&mut self, key: &K) {
        self.total = self.total.saturating_add(1);
        let own = self.by_key.entry(key.clone()).or_default();
        *own = own.saturating_add(1);
    }

    fn remove(&mut self, key: &K) {
        let Some(own) = self.by_key.get_mut(key) else {
            return;
        };
        *own = own.saturating_sub(1);
        if *own == 0 {
            self.by_key.remove(key);
        }
        self.total = self.total.saturating_sub(1);
    }
}

/// A request's place, given back when this is dropped.
#[derive(Debug)]
#[must_use = "the place is given back at once when this is dropped"]
pub struct InFlight {
    room: Arc<Room<Sender>>,
    sender: Sender,
}

impl InFlight {
    pub(super) fn enter(room: &Arc<Room<Sender>>, source: Source) -> Result<Self, Decision> {
        let sender = (source, None);
        if !room.take(&sender) {
            return Err(Decision::Overloaded {
                retry_after: ROOM_RETRY_AFTER,
            });
        }
        Ok(Self {
            room: Arc::clone(room),
            sender,
        })
    }

    /// Moves the place from the share of the source to that of the tenant that the request has proven
    /// to speak for. A mere claim must not come here: its maker would take that tenant's places.
    ///
    /// # Errors
    /// [`Decision::Overloaded`]: places are scarce and that sender has its share. The place is given
    /// back.
    pub fn speaks_for(mut self, tenant: &TenantId) -> Result<Self, Decision> {
        let (source, _) = self.sender;
        let sender = (source, Some(tenant.clone()));
        if !self.room.pass(&self.sender, &sender) {
            return Err(Decision::Overloaded {
                retry_after: ROOM_RETRY_AFTER,
            });
        }
        self.sender = sender;
        Ok(self)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.room.give_back(&self.sender);
    }
}
