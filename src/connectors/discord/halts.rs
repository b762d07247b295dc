//! When not to ask again. Discord bans an address for a while after 10,000 refused requests in ten minutes,
//! and a ban is every tenant's; so after a refusal nothing more goes there for a time, or until the reason
//! may be gone. Pure: moments are given.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use subtle::ConstantTimeEq as _;

use crate::config::Secret;

/// How long a refusal stands.
const HALT: Duration = Duration::from_mins(5);

/// The time over which refused requests are counted.
const WINDOW: Duration = Duration::from_mins(10);

/// Refused requests in that time after which nothing is sent: half of what Discord bans for, and more than
/// two a tenant for thousands of tenants that all locked the bot out of their channels.
const INVALID_MAX: usize = 5_000;

/// Places that are remembered as closed.
const PLACES_KEPT: usize = 16_384;

/// Why nothing is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halt {
    /// This token was refused.
    Token,
    /// The bot may not do that in this channel or guild.
    Place,
    /// Too much was refused lately.
    Crowded,
}

/// All refusals that still stand.
#[derive(Debug, Default)]
pub(super) struct Halts {
    rejected: Option<(Secret, Duration)>,
    closed: HashMap<String, Duration>,
    invalid: VecDeque<Duration>,
}

impl Halts {
    /// Whether a request with this token to this place has to stay here. Another token than the refused one
    /// ends all refusals of tokens and places.
    pub(super) fn stands(&mut self, token: &Secret, place: &str, now: Duration) -> Option<Halt> {
        self.forget(now);
        if let Some((rejected, _)) = &self.rejected {
            if same(rejected, token) {
                return Some(Halt::Token);
            }
            self.rejected = None;
            self.closed.clear();
        }
        if self.closed.contains_key(place) {
            return Some(Halt::Place);
        }
        (self.invalid.len() >= INVALID_MAX).then_some(Halt::Crowded)
    }

    /// Discord refused the token.
    pub(super) fn reject(&mut self, token: &Secret, now: Duration) {
        self.rejected = Some((token.clone(), now + HALT));
        self.count(now);
    }

    /// Discord refused the place.
    pub(super) fn close(&mut self, place: &str, now: Duration) {
        if self.closed.len() < PLACES_KEPT {
            self.closed.insert(place.to_owned(), now + HALT);
        }
        self.count(now);
    }

    /// Discord refused a request for another reason that it counts.
    pub(super) fn count(&mut self, now: Duration) {
        if self.invalid.len() >= INVALID_MAX {
            self.invalid.pop_front();
        }
        self.invalid.push_back(now);
    }

    /// Refused requests in the last ten minutes; it counts no further than to the limit.
    pub(super) fn invalid(&mut self, now: Duration) -> usize {
        self.forget(now);
        self.invalid.len()
    }

    fn forget(&mut self, now: Duration) {
        self.rejected.take_if(|(_, until)| *until <= now);
        self.closed.retain(|_, until| *until > now);
        while self.invalid.front().is_some_and(|at| *at + WINDOW <= now) {
            self.invalid.pop_front();
        }
    }
}

fn same(one: &Secret, other: &Secret) -> bool {
    let (one, other) = (one.expose().as_bytes(), other.expose().as_bytes());
    one.ct_eq(other).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    const START: Duration = Duration::from_secs(1000);

    #[test]
    fn a_refused_token_stands_until_another_comes_or_five_minutes_passed() {
        let mut halts = Halts::default();
        let (old, new) = (token("old"), token("new"));
        assert_eq!(halts.stands(&old, "1", START), None);
        halts.reject(&old, START);
        assert_eq!(halts.stands(&old, "1", START), Some(Halt::Token));
        let almost = START + HALT.saturating_sub(Duration::from_millis(1));
        assert_eq!(halts.stands(&old, "2", almost), Some(Halt::Token));
        assert_eq!(halts.stands(&old, "1", START + HALT), None);
        halts.reject(&old, START);
        assert_eq!(halts.stands(&new, "1", START), None);
        assert_eq!(halts.invalid(START), 2);
    }

    #[test]
    fn a_closed_channel_is_nobody_elses() {
        let mut halts = Halts::default();
        let token = token("t");
        halts.close("1", START);
        assert_eq!(halts.stands(&token, "1", START), Some(Halt::Place));
        assert_eq!(halts.stands(&token, "2", START), None);
        assert_eq!(halts.stands(&token, "1", START + HALT), None);
    }

    #[test]
    fn refusals_without_end_end_everything_for_a_while() {
        let mut halts = Halts::default();
        let token = token("t");
        for _ in 0..2 * INVALID_MAX {
            halts.count(START);
        }
        assert_eq!(halts.stands(&token, "1", START), Some(Halt::Crowded));
        assert_eq!(halts.stands(&token, "1", START + WINDOW), None);
    }
}
