//! How often each chat server showed a code that was wrong.

use std::collections::HashMap;

use vyrox_domain::time::Timestamp;

/// Wrong codes that a chat server may show in an hour.
const TRIES_MAX: u32 = 10;
const WINDOW_MS: u64 = 60 * 60 * 1000;
/// Chat servers that are remembered; beyond it the one whose hour began first is forgotten.
const GUILDS_MAX: usize = 4096;

/// Wrong tries by chat server. In memory alone: a restart forgives them.
#[derive(Default)]
pub(in crate::registry) struct Tries {
    guilds: HashMap<String, Hour>,
}

struct Hour {
    began: Timestamp,
    wrong: u32,
}

impl Tries {
    /// Whether this chat server is to be refused without a look at its code.
    pub(super) fn are_used_up(&self, guild_id: &str, now: Timestamp) -> bool {
        let hour = self.guilds.get(guild_id);
        hour.is_some_and(|hour| hour.is_running(now) && hour.wrong >= TRIES_MAX)
    }

    /// One more was wrong. The hour begins with the first.
    pub(super) fn count(&mut self, guild_id: &str, now: Timestamp) {
        if let Some(hour) = self
            .guilds
            .get_mut(guild_id)
            .filter(|hour| hour.is_running(now))
        {
            hour.wrong = hour.wrong.saturating_add(1);
            return;
        }
        self.make_room(now);
        let hour = Hour {
            began: now,
            wrong: 1,
        };
        self.guilds.insert(guild_id.to_owned(), hour);
    }

    fn make_room(&mut self, now: Timestamp) {
        if self.guilds.len() < GUILDS_MAX {
            return;
        }
        self.guilds.retain(|_, hour| hour.is_running(now));
        let first = self.guilds.iter().min_by_key(|(_, hour)| hour.began);
        let full = self.guilds.len() >= GUILDS_MAX;
        if let Some(first) = first.map(|(guild, _)| guild.clone()).filter(|_| full) {
            self.guilds.remove(&first);
        }
    }
}

impl Hour {
    fn is_running(&self, now: Timestamp) -> bool {
        now.distance_ms(self.began) < WINDOW_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_wrong_codes_an_hour_and_no_more() {
        let (mut tries, begin) = (Tries::default(), Timestamp::from_s(1_000_000));
        for _ in 0..TRIES_MAX {
            assert!(!tries.are_used_up("1", begin));
            tries.count("1", begin);
        }
        assert!(tries.are_used_up("1", begin));
        assert!(tries.are_used_up("1", begin.plus_ms(WINDOW_MS - 1)));
        assert!(
            !tries.are_used_up("2", begin),
            "another's tries are its own"
        );
        let later = begin.plus_ms(WINDOW_MS);
        assert!(!tries.are_used_up("1", later));
        tries.count("1", later);
        assert!(!tries.are_used_up("1", later), "a new hour begins at one");
    }

    #[test]
    fn however_many_guess_the_memory_is_bounded() {
        let mut tries = Tries::default();
        for n in 0..3 * GUILDS_MAX as u64 {
            tries.count(&n.to_string(), Timestamp::from_ms(n));
            assert!(tries.guilds.len() <= GUILDS_MAX);
        }
        assert!(!tries.guilds.contains_key("0"));
    }
}
