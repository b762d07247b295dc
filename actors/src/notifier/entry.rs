//! One incident on the board: what is to be shown, what is shown, and what is due.

use vyrox_domain::{
    notice::{MessageRef, Notice, Proposal, Standing},
    sla::{self, Expiry, FallbackReason, NoticeState},
    time::Timestamp,
    triage::Verdict,
};

use super::{alarm::Alarm, chat_line::backoff_ms, messages::Report};

/// Least time between two edits of one message, unless its proposals changed.
const EDIT_APART_MS: u64 = 2_000;
/// How long counts alone may wait to be shown.
const COUNTS_WAIT_MS: u64 = 15_000;
/// A message that is gone is posted anew, but not more often than this.
const REPOST_APART_MS: u64 = 600_000;

/// One incident.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) notice: Notice,
    pub(super) state: NoticeState,
    /// Pager and mail, for want of chat.
    pub(super) late: Option<Alarm>,
    /// Pager or mail, for an approval that ran out.
    pub(super) expired: Option<(Expiry, Alarm)>,
    /// Pager or mail, for what became of actions.
    pub(super) called: Vec<(Expiry, Alarm)>,
    /// Chat refused this message although it took others.
    pub(super) refused: bool,
    /// Posts of it before this one; part of the nonce.
    attempt: u32,
    calling: bool,
    failures: u32,
    hold_until: Option<Timestamp>,
    shown_at: Option<Timestamp>,
    reposted_at: Option<Timestamp>,
    /// As the message shows them; unknown before the first call.
    proposals_shown: Option<Vec<Proposal>>,
    /// Since when there have been counts that the message does not show.
    counts_since: Option<Timestamp>,
    /// The revision whose failure was reported last.
    failed_revision: Option<u64>,
    /// A message of it that chat does not have any more.
    gone: Option<MessageRef>,
    /// What was reported of it, the last of each kind.
    said: Vec<Report>,
}

/// What a call takes along.
pub(super) struct Call {
    pub(super) notice: Notice,
    /// The message to edit; a post without one.
    pub(super) message: Option<MessageRef>,
    pub(super) attempt: u32,
}

impl Entry {
    pub(super) fn new(notice: Notice, stood: NoticeState) -> Self {
        Self {
            notice,
            state: stood,
            late: None,
            expired: None,
            called: Vec::new(),
            refused: false,
            attempt: 0,
            calling: false,
            failures: 0,
            hold_until: None,
            shown_at: None,
            reposted_at: None,
            proposals_shown: None,
            counts_since: None,
            failed_revision: None,
            gone: None,
            said: Vec::new(),
        }
    }

    /// Remembers what is reported of it.
    pub(super) fn say(&mut self, report: &Report) {
        self.said.retain(|said| said.kind() != report.kind());
        self.said.push(report.clone());
    }

    /// What was reported and whoever knows only `stood` has not heard: the report was lost on the way, or
    /// its entry was refused, or it is still on its way.
    pub(super) fn unheard(&self, stood: &NoticeState) -> Vec<Report> {
        let reached = |told: Option<Verdict>, level: Verdict| {
            told.is_some_and(|told| told.rank() >= level.rank())
        };
        let unheard = self.said.iter().filter(|said| match said {
            Report::Shown { revision, .. } => !stood.shows(*revision),
            Report::FellBack {
                reason: FallbackReason::ApprovalExpired,
                via,
                expired,
                ..
            } => {
                let known = expired.is_none_or(|expiry| stood.knows_expiry(expiry));
                !via.is_empty() && !known
            }
            Report::FellBack {
                reason,
                via,
                expired,
                ..
            } if reason.is_call() => {
                let known = expired.is_none_or(|of| stood.knows_call(*reason, of));
                !via.is_empty() && !known
            }
            Report::FellBack {
                via, failed, level, ..
            } => sla::tells(*level, via, failed) && !reached(stood.fell_back, *level),
            Report::Breached { level, .. } => !stood.breached && *level == self.notice.level,
            Report::Began | Report::Failed { .. } => false,
        });
        unheard.cloned().collect()
    }

    /// Takes a newer notice; an older one, overtaken on the way, changes nothing.
    pub(super) fn take(&mut self, notice: Notice, mut stood: NoticeState, now: Timestamp) {
        if (notice.revision, notice.alerts) < (self.notice.revision, self.notice.alerts) {
            return;
        }
        if stood.message.is_some() && stood.message == self.gone {
            stood.message = None;
        }
        self.state = self.state.joined(&stood);
        let counts_alone = notice.revision == self.notice.revision && notice != self.notice;
        if counts_alone && self.counts_since.is_none() {
            self.counts_since = Some(now);
        }
        self.notice = notice;
    }

    /// There are counts that chat may not show yet.
    pub(super) const fn recount(&mut self, now: Timestamp) {
        if self.counts_since.is_none() {
            self.counts_since = Some(now);
        }
    }

    /// Whether chat must be called, now or later.
    pub(super) const fn owes(&self) -> bool {
        !self.state.shows(self.notice.revision)
    }

    /// Whether the next call posts, rather than edits.
    pub(super) const fn posts(&self) -> bool {
        self.state.message.is_none()
    }

    /// From when on chat is to be called; `None` while it is being called, or if there is nothing new.
    pub(super) fn chat_at(&self) -> Option<Timestamp> {
        if self.calling || (!self.owes() && self.counts_since.is_none()) {
            return None;
        }
        let at = if self.posts() {
            None
        } else if self.owes() {
            self.paced()
        } else {
            let counts = self.counts_since.map(|since| since.plus_ms(COUNTS_WAIT_MS));
            counts.max(self.paced())
        };
        Some(at.max(self.hold_until).unwrap_or(Timestamp::from_ms(0)))
    }

    fn paced(&self) -> Option<Timestamp> {
        let proposals_changed = self.proposals_shown.as_ref() != Some(&self.notice.proposals);
        self.shown_at
            .filter(|_| !proposals_changed)
            .map(|at| at.plus_ms(EDIT_APART_MS))
    }

    /// Whether a post is to make no sound.
    fn is_quiet(&self) -> bool {
        self.state.is_quiet(self.notice.level)
    }

    /// A call to chat begins.
    pub(super) fn begin(&mut self) -> Call {
        self.calling = true;
        let mut notice = self.notice.clone();
        notice.quietly = self.is_quiet();
        Call {
            notice,
            message: self.state.message.clone(),
            attempt: self.attempt,
        }
    }

    /// Chat shows what was called with. True if that is news for the chain.
    pub(super) fn shown(&mut self, shown: &Notice, message: MessageRef, now: Timestamp) -> bool {
        self.calling = false;
        self.failures = 0;
        self.hold_until = None;
        self.refused = false;
        self.shown_at = Some(now);
        self.proposals_shown = Some(shown.proposals.clone());
        let moved = self.state.message.as_ref() != Some(&message);
        let news = moved || !self.state.shows(shown.revision);
        self.state.show(message, shown.revision, shown.level);
        let newer = self.notice.alerts > shown.alerts || self.notice.folded > shown.folded;
        self.counts_since = newer.then_some(now);
        news
    }

    /// Chat did not take the call. True if that was not said yet of this revision.
    pub(super) fn failed(&mut self, now: Timestamp) -> bool {
        self.calling = false;
        self.failures = self.failures.saturating_add(1);
        self.hold_until = Some(now.plus_ms(backoff_ms(self.failures)));
        let told = self.failed_revision == Some(self.notice.revision);
        self.failed_revision = Some(self.notice.revision);
        !told
    }

    /// Chat has no such message any more: it is posted anew, unless that was done a moment ago.
    pub(super) fn lost(&mut self, message: MessageRef, now: Timestamp) {
        self.refused = true;
        self.state.message = None;
        self.gone = Some(message);
        let again_at = self.reposted_at.map(|at| at.plus_ms(REPOST_APART_MS));
        self.hold_until = again_at.filter(|at| *at > now);
        self.attempt = self.attempt.saturating_add(1);
        self.reposted_at = Some(self.hold_until.unwrap_or(now));
    }

    /// It is shown in this channel. A message in one that the tenant has left gets no more edits.
    pub(super) fn belongs_in(&mut self, channel: &str) {
        let elsewhere = |message: &mut MessageRef| message.channel_id != channel;
        if self.calling {
            return;
        }
        if let Some(left) = self.state.message.take_if(elsewhere) {
            self.gone = Some(left);
            self.attempt = self.attempt.saturating_add(1);
            self.hold_until = None;
        }
    }

    /// No pause any more after a failure.
    pub(super) const fn try_now(&mut self) {
        self.hold_until = None;
    }
}

/// The proposals of a notice that wait for a decision.
pub(super) fn waiting(notice: &Notice) -> impl Iterator<Item = &Proposal> {
    notice
        .proposals
        .iter()
        .filter(|proposal| matches!(proposal.standing, Standing::Waiting { .. }))
}
