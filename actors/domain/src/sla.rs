//! By when people must have heard of an incident, and what is done when chat does not tell them in time.
//!
//! A clock runs for each level that an incident reaches. It begins when people first had to hear of it
//! at that level ([`NoticeState::due_since`]) and ends when chat shows it, or when somebody was reached
//! another way. Only CRITICAL and HIGH have such a clock: nothing below them ever pages or mails.

use serde::{Deserialize, Serialize};

use crate::{
    ids::ActionId, notice::MessageRef, protocol::NotifyFallback, time::Timestamp, triage::Verdict,
};

/// Limits of one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sla {
    /// Within this time people must have heard of it, whichever way, in milliseconds.
    pub within_ms: u64,
    /// After this time without chat it goes to pager and mail, in milliseconds.
    pub fallback_after_ms: u64,
}

/// Limits of all levels that have any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slas {
    /// Of CRITICAL.
    pub critical: Sla,
    /// Of HIGH.
    pub high: Sla,
}

const MINUTE_MS: u64 = 60_000;

impl Default for Slas {
    /// CRITICAL within 15 minutes, the fallback after 5; HIGH within 30, the fallback after 10.
    fn default() -> Self {
        Self {
            critical: Sla {
                within_ms: 15 * MINUTE_MS,
                fallback_after_ms: 5 * MINUTE_MS,
            },
            high: Sla {
                within_ms: 30 * MINUTE_MS,
                fallback_after_ms: 10 * MINUTE_MS,
            },
        }
    }
}

/// How chat is, for one tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatHealth {
    /// It took the last call, or none was made yet.
    Up,
    /// It did not take the last call.
    Down,
    /// The tenant has no channel.
    Absent,
}

/// What is due now for one incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Give it to pager and mail.
    Fallback,
    /// Say that the limit passed and nobody heard of it.
    Breach,
    /// Nothing before this moment.
    WaitUntil(Timestamp),
    /// Nothing at all, as long as the incident stays at this level.
    Nothing,
}

impl Slas {
    /// The limits of `level`; `None` for a level without any.
    pub const fn of(&self, level: Verdict) -> Option<Sla> {
        match level {
            Verdict::Critical => Some(self.critical),
            Verdict::High => Some(self.high),
            Verdict::Medium | Verdict::Low | Verdict::Benign => None,
        }
    }

    /// What is due at `now` for an incident at `level`. A breach comes before the fallback, for it is said
    /// once and the fallback is due until it succeeds.
    pub fn next(
        &self,
        level: Verdict,
        state: &NoticeState,
        chat: ChatHealth,
        now: Timestamp,
    ) -> Next {
        let Some(sla) = self.of(level).filter(|_| !state.told(level)) else {
            return Next::Nothing;
        };
        if self.breaches_at(level, state).is_some_and(|at| at <= now) {
            return Next::Breach;
        }
        let fallback_at = match chat {
            ChatHealth::Absent => state.due_since,
            ChatHealth::Up | ChatHealth::Down => state.due_since.plus_ms(sla.fallback_after_ms),
        };
        if fallback_at <= now {
            Next::Fallback
        } else {
            Next::WaitUntil(fallback_at)
        }
    }

    /// When the limit passes with nobody told; `None` if that cannot happen, or has been said.
    pub fn breaches_at(&self, level: Verdict, state: &NoticeState) -> Option<Timestamp> {
        let sla = self.of(level)?;
        (!state.told(level) && !state.breached).then(|| state.due_since.plus_ms(sla.within_ms))
    }
}

/// What people have been told of an incident so far: a fold over what stands on the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeState {
    /// When people first had to hear of it at its present level.
    pub due_since: Timestamp,
    /// Where chat shows it.
    pub message: Option<MessageRef>,
    /// The newest revision that chat showed.
    pub revision_shown: u64,
    /// The highest level at which chat showed it.
    #[serde(default)]
    pub level_shown: Option<Verdict>,
    /// The highest level at which somebody was reached by pager or mail.
    pub fell_back: Option<Verdict>,
    /// The limit of its present level passed with nobody told, and that was said.
    pub breached: bool,
    /// Of approvals that had run out by this moment pager or mail have told.
    #[serde(default)]
    pub expiries_told_to: Option<Timestamp>,
    /// What pager or mail have told of actions, the last of it: why, of which, and since when that was so.
    #[serde(default)]
    pub called: Vec<(FallbackReason, Expiry)>,
}

/// How many calls are remembered.
const CALLS_KEPT: usize = 64;

/// A proposal that nobody decided about in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Expiry {
    /// The last moment at which it could be approved.
    pub at: Timestamp,
    /// Which.
    pub action_id: ActionId,
}

/// A way round chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// It calls somebody out of bed.
    Pager,
    /// It waits to be read.
    Mail,
}

impl Via {
    /// The name in the journal and in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pager => "pager",
            Self::Mail => "mail",
        }
    }
}

/// Whether people count as told at `level` by the ways in `via`, when those in `failed` did not work.
/// Where there is a pager, mail alone is not enough for CRITICAL: it waits to be read.
pub fn tells(level: Verdict, via: &[Via], failed: &[Via]) -> bool {
    let paged = via.contains(&Via::Pager) || !failed.contains(&Via::Pager);
    !via.is_empty() && (paged || level != Verdict::Critical)
}

/// Why a way round chat was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FallbackReason {
    /// Chat did not take it in time.
    ChatUnavailable,
    /// The tenant has no channel.
    NoChat,
    /// Nobody decided about a proposal in time.
    ApprovalExpired,
    /// Chat refuses the channel or the message.
    ChatRefused,
    /// Nobody can tell what became of an action.
    OutcomeUnknown,
    /// What people approved was not done.
    NotDone,
    /// A containment could not be taken back.
    ReleaseFailed,
    /// The time of a containment is over, and somebody has to say what becomes of it.
    HoldEnded,
    /// A containment was released behind our back.
    Drifted,
    /// The clock was set, so that nothing ends by it before somebody has looked.
    ClockJumped,
}

impl FallbackReason {
    /// The name in the journal and in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChatUnavailable => "chat_unavailable",
            Self::NoChat => "no_chat",
            Self::ApprovalExpired => "approval_expired",
            Self::ChatRefused => "chat_refused",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::NotDone => "not_done",
            Self::ReleaseFailed => "release_failed",
            Self::HoldEnded => "hold_ended",
            Self::Drifted => "drifted",
            Self::ClockJumped => "clock_jumped",
        }
    }

    /// Whether somebody is called for what became of an action, however well chat works.
    pub const fn is_call(self) -> bool {
        match self {
            Self::OutcomeUnknown
            | Self::NotDone
            | Self::ReleaseFailed
            | Self::HoldEnded
            | Self::Drifted
            | Self::ClockJumped => true,
            Self::ChatUnavailable | Self::NoChat | Self::ApprovalExpired | Self::ChatRefused => {
                false
            }
        }
    }
}

impl NoticeState {
    /// Nobody knows of it yet, and from `due_since` on people must hear of it.
    pub const fn new(due_since: Timestamp) -> Self {
        Self {
            due_since,
            message: None,
            revision_shown: 0,
            level_shown: None,
            fell_back: None,
            breached: false,
            expiries_told_to: None,
            called: Vec::new(),
        }
    }

    /// Whether people heard of it at `level` or a worse one, whichever way.
    pub fn told(&self, level: Verdict) -> bool {
        let reached = |told: Option<Verdict>| told.is_some_and(|told| told.rank() >= level.rank());
        reached(self.level_shown) || reached(self.fell_back)
    }

    /// Whether chat shows this revision or a later one.
    pub const fn shows(&self, revision: u64) -> bool {
        self.message.is_some() && self.revision_shown >= revision
    }

    /// Whether chat should show it without a sound: pager or mail have told of it at `level` already.
    pub fn is_quiet(&self, level: Verdict) -> bool {
        self.fell_back
            .is_some_and(|told| told.rank() >= level.rank())
    }

    /// It rose from level `from` at `at`. The clock of the new level begins then, unless nobody has heard
    /// of it even at the old one: a rise must not give more time.
    pub fn rise(&mut self, from: Verdict, at: Timestamp) {
        if self.told(from) {
            self.due_since = at;
            self.breached = false;
        }
    }

    /// Chat shows `revision`, at `level`.
    pub fn show(&mut self, message: MessageRef, revision: u64, level: Verdict) {
        self.message = Some(message);
        self.revision_shown = self.revision_shown.max(revision);
        self.level_shown = worse(self.level_shown, Some(level));
    }

    /// Ways round chat told of it at `level`.
    pub fn fall_back(&mut self, level: Verdict) {
        self.fell_back = worse(self.fell_back, Some(level));
    }

    /// Somebody was called for an approval that had run out by `at`.
    pub fn tell_expiry(&mut self, at: Timestamp) {
        self.expiries_told_to = self.expiries_told_to.max(Some(at));
    }

    /// Whether somebody was called for this approval's end, or for a later one's.
    pub fn knows_expiry(&self, expiry: Expiry) -> bool {
        self.expiries_told_to.is_some_and(|told| told >= expiry.at)
    }

    /// Somebody was called for this reason about the action, which stood so from that moment on.
    pub fn tell_call(&mut self, reason: FallbackReason, of: Expiry) {
        if self.knows_call(reason, of) {
            return;
        }
        if self.called.len() >= CALLS_KEPT {
            self.called.remove(0);
        }
        self.called.push((reason, of));
    }

    /// Whether somebody was called for just that.
    pub fn knows_call(&self, reason: FallbackReason, of: Expiry) -> bool {
        self.called.contains(&(reason, of))
    }

    /// Takes in what the chain says of ways round chat at `at`. An attempt that reached nobody changes
    /// nothing.
    pub fn take_fallback(&mut self, fallback: &NotifyFallback, at: Timestamp) {
        if fallback.tells() {
            self.fall_back(fallback.level);
        }
        if fallback.reason == FallbackReason::ApprovalExpired && !fallback.via.is_empty() {
            // Lines from before expiries were told apart name none.
            self.tell_expiry(fallback.expired.map_or(at, |expiry| expiry.at));
        }
        if let Some(of) = fallback.expired
            && fallback.reason.is_call()
            && !fallback.via.is_empty()
        {
            self.tell_call(fallback.reason, of);
        }
    }

    /// Whether this says nothing new: somebody was reached at that level or a worse one before, or was
    /// called for that proposal's end.
    pub fn heard_of(&self, fallback: &NotifyFallback) -> bool {
        match fallback.reason {
            FallbackReason::ApprovalExpired => match fallback.expired {
                Some(expiry) => self.knows_expiry(expiry),
                None => self.expiries_told_to.is_some(),
            },
            FallbackReason::OutcomeUnknown
            | FallbackReason::NotDone
            | FallbackReason::ReleaseFailed
            | FallbackReason::HoldEnded
            | FallbackReason::Drifted
            | FallbackReason::ClockJumped => {
                let known = |of| self.knows_call(fallback.reason, of);
                fallback.expired.is_some_and(known)
            }
            FallbackReason::ChatUnavailable
            | FallbackReason::NoChat
            | FallbackReason::ChatRefused => {
                !fallback.via.is_empty() && self.is_quiet(fallback.level)
            }
        }
    }

    /// The limit passed with nobody told.
    pub const fn breach(&mut self) {
        self.breached = true;
    }

    /// What two observers know together: the clock is `newer`'s, and what one of them saw done is done.
    /// A message that `newer` knows stands for a later one than this state's where it shows more.
    #[must_use]
    pub fn joined(&self, newer: &Self) -> Self {
        let message = if newer.revision_shown > self.revision_shown {
            newer.message.clone().or_else(|| self.message.clone())
        } else {
            self.message.clone().or_else(|| newer.message.clone())
        };
        let same_clock = self.due_since == newer.due_since;
        let mut all = self.clone();
        for (reason, of) in &newer.called {
            all.tell_call(*reason, *of);
        }
        Self {
            called: all.called,
            due_since: newer.due_since,
            message,
            revision_shown: self.revision_shown.max(newer.revision_shown),
            level_shown: worse(self.level_shown, newer.level_shown),
            fell_back: worse(self.fell_back, newer.fell_back),
            breached: newer.breached || (same_clock && self.breached),
            expiries_told_to: self.expiries_told_to.max(newer.expiries_told_to),
        }
    }
}

fn worse(one: Option<Verdict>, other: Option<Verdict>) -> Option<Verdict> {
    one.into_iter()
        .chain(other)
        .max_by_key(|level| level.rank())
}

#[cfg(test)]
mod tests;
