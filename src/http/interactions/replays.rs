//! Interactions that came lately, so that a repeat is known as one.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, PoisonError},
};

use vyrox_domain::time::Timestamp;

/// How long one is remembered: twice as long as its signature is good.
const REMEMBERED_MS: u64 = 600_000;

/// How many are remembered; beyond it the oldest is forgotten.
const REMEMBERED_MAX: usize = 65_536;

/// The ids of what came in the last ten minutes.
#[derive(Default)]
pub(super) struct Replays(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    ids: HashSet<String>,
    /// The same ids, the oldest first.
    order: VecDeque<(Timestamp, String)>,
}

impl Replays {
    /// Whether this id comes for the first time; it is remembered from now on.
    pub(super) fn is_first(&self, id: &str, now: Timestamp) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.forget(now);
        let first = seen.ids.insert(id.to_owned());
        if first {
            seen.order.push_back((now, id.to_owned()));
        }
        first
    }
}

impl Seen {
    /// Makes room for one, and lets go what is past its time.
    fn forget(&mut self, now: Timestamp) {
        let old = |at: Timestamp| at.plus_ms(REMEMBERED_MS) < now;
        let full = |ids: &HashSet<String>| ids.len() >= REMEMBERED_MAX;
        while let Some((_, id)) = self
            .order
            .pop_front_if(|(at, _)| old(*at) || full(&self.ids))
        {
            self.ids.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once_in_ten_minutes() {
        let replays = Replays::default();
        let at = Timestamp::from_s(1_790_000_000);
        assert!(replays.is_first("1", at));
        assert!(!replays.is_first("1", at));
        assert!(replays.is_first("2", at));
        assert!(!replays.is_first("1", at.plus_ms(REMEMBERED_MS)));
        assert!(replays.is_first("1", at.plus_ms(REMEMBERED_MS + 1)));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_goes_first() {
        let replays = Replays::default();
        let at = Timestamp::from_s(1_790_000_000);
        for number in 0..=REMEMBERED_MAX {
            assert!(replays.is_first(&number.to_string(), at));
        }
        assert_eq!(replays.0.lock().expect("sound").order.len(), REMEMBERED_MAX);
        assert!(!replays.is_first("2", at), "still known, though 0 is not");
        assert!(replays.is_first("0", at));
    }
}
