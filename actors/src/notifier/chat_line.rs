//! The line to chat: whether it is up, how many calls are under way, and when to try again.

use vyrox_domain::{ids::IncidentId, sla::ChatHealth, time::Timestamp};

use crate::outbound::ChatError;

/// Calls under way at once, and how many of them may post.
const CALLS_MAX: usize = 2;
const POSTS_MAX: usize = 1;

/// First and longest pause after a call that failed.
const BACKOFF_MS: u64 = 1_000;
const BACKOFF_MAX_MS: u64 = 60_000;

/// Pause after the token was not accepted: a service that sees a wrong one often locks the door.
const UNAUTHORISED_MS: u64 = 300_000;

/// The pause after the given number of failures in a row.
pub(super) fn backoff_ms(failures: u32) -> u64 {
    let doubled = 1_u64.checked_shl(failures.saturating_sub(1));
    BACKOFF_MS
        .saturating_mul(doubled.unwrap_or(u64::MAX))
        .min(BACKOFF_MAX_MS)
}

/// The line.
#[derive(Debug, Default)]
pub(super) struct ChatLine {
    calls: usize,
    posts: usize,
    failures: u32,
    not_before: Option<Timestamp>,
    refused: bool,
    last_failed: Option<IncidentId>,
}

/// What may be called now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// A message may be posted.
    pub(super) post: bool,
    /// A message may be edited.
    pub(super) edit: bool,
}

impl ChatLine {
    /// How it is; whether the tenant has a channel is not known here.
    pub(super) const fn health(&self) -> ChatHealth {
        if self.failures == 0 {
            ChatHealth::Up
        } else {
            ChatHealth::Down
        }
    }

    /// Whether it is down because the channel is refused.
    pub(super) const fn is_refused(&self) -> bool {
        self.failures > 0 && self.refused
    }

    /// Which incident to try last: the one that the line failed with.
    pub(super) const fn last_failed(&self) -> Option<IncidentId> {
        self.last_failed
    }

    /// What may be called at `now`: while it is down a single call at a time, to see whether it is back.
    pub(super) fn room(&self, now: Timestamp) -> Room {
        let at_once = match self.health() {
            ChatHealth::Up => CALLS_MAX,
            ChatHealth::Down | ChatHealth::Absent => 1,
        };
        let edit = self.calls < at_once && self.not_before.is_none_or(|at| at <= now);
        Room {
            post: edit && self.posts < POSTS_MAX,
            edit,
        }
    }

    /// When to look again although no call ends: the end of a pause.
    pub(super) fn wakes_at(&self) -> Option<Timestamp> {
        self.not_before.filter(|_| self.calls == 0)
    }

    /// A call begins.
    pub(super) const fn begin(&mut self, post: bool) {
        self.calls = self.calls.saturating_add(1);
        self.posts = self.posts.saturating_add(post as usize);
    }

    /// A call ended, however.
    pub(super) const fn end(&mut self, post: bool) {
        self.calls = self.calls.saturating_sub(1);
        self.posts = self.posts.saturating_sub(post as usize);
    }

    /// The service answered.
    pub(super) const fn answered(&mut self) {
        self.failures = 0;
        self.not_before = None;
        self.last_failed = None;
    }

    /// It did not take a call of this incident.
    pub(super) fn failed(&mut self, error: &ChatError, incident_id: IncidentId, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        self.last_failed = Some(incident_id);
        self.refused = matches!(error, ChatError::Refused(_));
        let pause = match error {
            ChatError::NotAuthorised => UNAUTHORISED_MS,
            ChatError::Refused(_) | ChatError::Unavailable(_) => backoff_ms(self.failures),
        };
        self.not_before = Some(now.plus_ms(pause));
    }

    /// No pause any more, whatever it was for.
    pub(super) const fn try_now(&mut self) {
        self.not_before = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute() {
        let pauses: Vec<_> = (1..9).map(backoff_ms).collect();
        assert_eq!(
            pauses,
            [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]
        );
        assert_eq!(backoff_ms(u32::MAX), 60_000);
    }

    #[test]
    fn one_post_two_calls_and_one_probe() {
        let now = Timestamp::from_s(1_000);
        let mut line = ChatLine::default();
        line.begin(true);
        assert_eq!(
            line.room(now),
            Room {
                post: false,
                edit: true
            }
        );
        line.begin(false);
        assert_eq!(
            line.room(now),
            Room {
                post: false,
                edit: false
            }
        );
        line.end(true);
        line.end(false);
        let id = IncidentId(uuid::Uuid::from_u128(7));
        line.failed(&ChatError::NotAuthorised, id, now);
        assert_eq!(line.health(), ChatHealth::Down);
        assert!(!line.room(now.plus_ms(299_999)).edit);
        assert_eq!(line.wakes_at(), Some(now.plus_ms(300_000)));
        let later = now.plus_ms(300_000);
        assert!(line.room(later).post);
        line.begin(true);
        assert!(!line.room(later).edit, "one probe at a time");
        line.end(true);
        line.answered();
        assert_eq!((line.health(), line.last_failed()), (ChatHealth::Up, None));
    }
}
