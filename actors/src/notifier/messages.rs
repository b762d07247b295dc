//! What a notifier is told, and what it reports.

use actix::Message;
use vyrox_domain::{
    digest::Digest,
    ids::IncidentId,
    notice::{MessageRef, Notice},
    sla::{Expiry, FallbackReason, NoticeState, Via},
    triage::Verdict,
};
use vyrox_supervision::{Class, Classified};

/// Show this revision. Sent whenever an incident's revision grew, and after [`Report::Began`] for every
/// incident whose revision chat does not show yet.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Show {
    /// The incident as it is now.
    pub notice: Notice,
    /// What people have been told of it, as far as the chain knows.
    pub stood: NoticeState,
}

impl Classified for Show {
    const CLASS: Class = Class::Containment;

    fn digest(&self) -> u64 {
        identity(self.notice.incident_id, self.notice.revision)
    }
}

/// Counts of the incident grew, its revision did not: show them with the next edit, or by themselves
/// a little later.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Refresh {
    /// The incident as it is now.
    pub notice: Notice,
    /// What people have been told of it, as far as the chain knows.
    pub stood: NoticeState,
}

impl Classified for Refresh {
    const CLASS: Class = Class::Bulk;

    fn digest(&self) -> u64 {
        identity(self.notice.incident_id, self.notice.revision)
    }
}

/// An approval ran out undecided. Somebody is paged if the incident is CRITICAL; whatever its level,
/// the notice is shown as with [`Show`].
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Expired {
    /// Which approval.
    pub expiry: Expiry,
    /// The incident as it is now.
    pub notice: Notice,
    /// What people have been told of it, as far as the chain knows.
    pub stood: NoticeState,
}

impl Classified for Expired {
    const CLASS: Class = Class::Containment;

    fn digest(&self) -> u64 {
        identity(self.notice.incident_id, self.notice.revision)
    }
}

/// Somebody has to be called for what became of an action, however well chat works. The notice is shown as
/// with [`Show`].
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Call {
    /// Why.
    pub reason: FallbackReason,
    /// For which action, and since when it stands so.
    pub of: Expiry,
    /// The incident as it is now.
    pub notice: Notice,
    /// What people have been told of it, as far as the chain knows.
    pub stood: NoticeState,
}

impl Classified for Call {
    const CLASS: Class = Class::Containment;

    fn digest(&self) -> u64 {
        identity(self.notice.incident_id, self.notice.revision)
    }
}

/// Nothing more is to be said of this incident; what chat does not show yet, it never shows.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Forget(pub IncidentId);

impl Classified for Forget {
    // In one lane with `Show`: were it overtaken, it would take a later notice away.
    const CLASS: Class = Class::Containment;
}

/// A channel was claimed or a token set: try chat at once, however long it was going to be left alone.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct TryChat;

impl Classified for TryChat {
    const CLASS: Class = Class::Control;
}

/// What came of it. All of it can happen twice after a crash: chat, pagers and mail know a repeat by its
/// nonce, key and `Message-ID`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A generation began and knows of no incident: send it all that is not up to date.
    Began,
    /// Chat shows this revision. Not reported for counts alone.
    Shown {
        /// Of which incident.
        incident_id: IncidentId,
        /// Which.
        revision: u64,
        /// How bad it was then.
        level: Verdict,
        /// Where.
        message: MessageRef,
        /// The digests of the proposals that wait for a decision in that message.
        shown: Vec<Digest>,
        /// Without a sound, for pager or mail had told of it.
        quietly: bool,
    },
    /// Chat did not take a revision; it is tried again. Reported once a revision.
    Failed {
        /// Of which incident.
        incident_id: IncidentId,
        /// Which.
        revision: u64,
        /// Why, in our words.
        why: String,
    },
    /// Pager or mail were used. With an empty `via` nobody was reached, which does not count as told.
    FellBack {
        /// For which incident.
        incident_id: IncidentId,
        /// At which level.
        level: Verdict,
        /// What reached somebody.
        via: Vec<Via>,
        /// What did not.
        failed: Vec<Via>,
        /// Why chat alone was not enough.
        reason: FallbackReason,
        /// The approval that ran out, where that is why; or the action that somebody is called for.
        expired: Option<Expiry>,
    },
    /// The limit of this level passed and nobody was told.
    Breached {
        /// Of which incident.
        incident_id: IncidentId,
        /// Which level.
        level: Verdict,
    },
}

impl Report {
    /// Of two reports of one incident and kind, the later one says it all.
    pub(super) const fn kind(&self) -> u8 {
        match self {
            Self::Began => 0,
            Self::Shown { .. } => 1,
            Self::Failed { .. } => 2,
            Self::FellBack {
                reason: FallbackReason::ApprovalExpired,
                ..
            } => 3,
            Self::FellBack { reason, .. } if reason.is_call() => 6,
            Self::FellBack { .. } => 4,
            Self::Breached { .. } => 5,
        }
    }
}

/// What tells one revision of one incident from another, never 0.
const fn identity(incident_id: IncidentId, revision: u64) -> u64 {
    let (high, low) = incident_id.0.as_u64_pair();
    (high ^ low ^ revision) | 1
}
