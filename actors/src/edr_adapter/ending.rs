//! What a drive has come to know, and what follows from it.

use std::fmt::Display;

use vyrox_domain::{
    action::jws::JwsError,
    containment::{ActReport, OutcomeKind},
};

use super::driving::{Barred, Errand};
use crate::edr::{DeviceSeen, EdrError, EffectSeen, Reading, Sent};

/// The longest reason, in characters.
const WHY_MAX: usize = 200;

/// How a drive ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    outcome: OutcomeKind,
    why: Option<String>,
}

impl Ending {
    pub(super) const fn plain(outcome: OutcomeKind) -> Self {
        Self { outcome, why: None }
    }

    pub(super) fn new(outcome: OutcomeKind, why: impl Display) -> Self {
        let why = why.to_string().chars().take(WHY_MAX).collect();
        Self {
            outcome,
            why: Some(why),
        }
    }
}

/// What is known so far.
#[derive(Debug)]
pub(super) struct Course {
    /// Requests that could change something and left, or may have.
    pub(super) sent: u32,
    /// What the vendor calls it.
    pub(super) reference: Option<String>,
    /// Which device it is, by the vendor's own word.
    pub(super) device: Option<DeviceSeen>,
    /// Something that was sent may have had an effect that no reading has shown yet.
    doubt: bool,
    /// The vendor has taken it.
    taken: bool,
    reconcile: bool,
    observed: Option<String>,
    status: Option<u16>,
    /// What the reading before anything was sent called a failure: an earlier try's, not this one's.
    stale: Option<Seen>,
}

/// The vendor's own words for what was read.
type Seen = (Option<String>, Option<String>);

impl Course {
    pub(super) fn new(errand: &Errand) -> Self {
        Self {
            sent: 0,
            reference: errand.reference.clone(),
            device: None,
            doubt: errand.reconcile,
            taken: false,
            reconcile: errand.reconcile,
            observed: None,
            status: None,
            stale: None,
        }
    }

    /// The failure that was just read is an earlier try's.
    pub(super) fn failed_before(&mut self) {
        self.stale = Some((self.observed.clone(), self.reference.clone()));
    }

    /// Whether something that was sent may have had an effect that no reading has shown.
    pub(super) const fn in_doubt(&self) -> bool {
        self.doubt
    }

    /// A request leaves. Until it is answered, nobody can tell what it does. Gives whether there was doubt
    /// before.
    pub(super) const fn departs(&mut self) -> bool {
        self.sent = self.sent.saturating_add(1);
        std::mem::replace(&mut self.doubt, true)
    }

    /// The vendor has taken it.
    pub(super) fn taken(&mut self, sent: Sent) {
        self.taken = true;
        self.status = Some(sent.status);
        if sent.reference.is_some() {
            self.reference = sent.reference;
        }
    }

    /// The request was answered otherwise.
    pub(super) const fn answered(&mut self, error: &EdrError, doubt_before: bool) {
        self.note_status(error);
        match error {
            EdrError::Unsent { .. } => {
                self.sent = self.sent.saturating_sub(1);
                self.doubt = doubt_before;
            }
            // What is refused, or not even looked at, was not taken.
            EdrError::Refused { .. }
            | EdrError::NotAuthorised { .. }
            | EdrError::Busy { status: 429, .. } => self.doubt = doubt_before,
            EdrError::Busy { .. } | EdrError::Ambiguous { .. } => {}
        }
    }

    /// A reading came. The failure of an earlier try says nothing about ours, before it is sent or after.
    pub(super) fn read(&mut self, reading: Reading) -> EffectSeen {
        let failed = reading.effect == EffectSeen::Failed;
        let said = (Some(reading.observed), reading.reference);
        let old = self.stale.as_ref().is_some_and(|(observed, reference)| {
            *observed == said.0 && (said.1.is_none() || *reference == said.1)
        });
        if reading.device.is_some() {
            self.device = reading.device;
        }
        self.observed = said.0;
        if said.1.is_some() && !(failed && old) {
            self.reference = said.1;
        }
        // The same failure as before says nothing of what was sent since.
        if failed && old && self.sent > 0 {
            EffectSeen::NotInEffect
        } else {
            reading.effect
        }
    }

    /// A reading came to nothing.
    pub(super) const fn unreadable(&mut self, error: &EdrError) {
        self.note_status(error);
    }

    /// The vendor says so, and says that it took nothing.
    pub(super) const fn is_not_in_effect(&mut self) {
        self.doubt = false;
    }

    /// What a reading after a request makes of it.
    pub(super) fn seen(&self, effect: EffectSeen) -> Ending {
        match effect {
            EffectSeen::InEffect => Ending::plain(OutcomeKind::Executed),
            EffectSeen::Pending => Ending::plain(OutcomeKind::Accepted),
            EffectSeen::Failed => self.failed(),
            EffectSeen::NoSuchTarget => self.no_such_target(),
            EffectSeen::NotInEffect => self.cut_short("the vendor's state does not show it"),
        }
    }

    #[expect(clippy::unused_self, reason = "one of the endings of a course")]
    pub(super) fn failed(&self) -> Ending {
        Ending::new(OutcomeKind::Refused, "it was tried, and failed for good")
    }

    #[expect(clippy::unused_self, reason = "one of the endings of a course")]
    pub(super) fn no_such_target(&self) -> Ending {
        Ending::new(OutcomeKind::Refused, "the vendor knows no such target")
    }

    /// The approval does not hold now, or containment was halted.
    pub(super) fn barred(&self, barred: Barred) -> Ending {
        let outcome = match barred {
            _ if self.doubt => OutcomeKind::Unknown,
            Barred::Halted
            | Barred::Unproven
            | Barred::CallerGone
            | Barred::GivenUp
            | Barred::CredentialGone => OutcomeKind::Unreachable,
            // What was approved in time has come to nothing for the time that a fall took.
            Barred::Rejected(JwsError::Expired) if self.reconcile => OutcomeKind::Unreachable,
            Barred::Rejected(_) => OutcomeKind::Refused,
        };
        Ending::new(outcome, barred)
    }

    /// It is another device than the one that was approved.
    pub(super) fn objected(&self, why: &str) -> Ending {
        let outcome = if self.doubt {
            OutcomeKind::Unknown
        } else {
            OutcomeKind::Refused
        };
        Ending::new(outcome, why)
    }

    /// The first reading came to nothing.
    pub(super) fn unread(&self, error: &EdrError) -> Ending {
        let outcome = match error {
            _ if self.doubt => OutcomeKind::Unknown,
            EdrError::Refused { .. } => OutcomeKind::Refused,
            EdrError::Unsent { .. }
            | EdrError::Busy { .. }
            | EdrError::NotAuthorised { .. }
            | EdrError::Ambiguous { .. } => OutcomeKind::Unreachable,
        };
        Ending::new(outcome, format_args!("before anything was sent: {error}"))
    }

    /// The vendor refused it, and its state cannot be read.
    pub(super) fn refused_unread(&self, error: &EdrError) -> Ending {
        let outcome = if self.doubt {
            OutcomeKind::Unknown
        } else {
            OutcomeKind::Refused
        };
        Ending::new(outcome, error)
    }

    /// No further try is made after this answer.
    pub(super) fn gave_up(&self, error: &EdrError) -> Ending {
        self.cut_short(error)
    }

    /// It ends here, whatever there was to come.
    pub(super) fn cut_short(&self, why: impl Display) -> Ending {
        let outcome = if self.taken {
            OutcomeKind::Accepted
        } else if self.doubt {
            OutcomeKind::Unknown
        } else {
            OutcomeKind::Unreachable
        };
        Ending::new(outcome, why)
    }

    /// What the machine is told.
    pub(super) fn report(self, errand: &Errand, ending: Ending) -> ActReport {
        ActReport {
            action_id: errand.action_id,
            drive: errand.drive,
            outcome: ending.outcome,
            observed: self.observed,
            reference: self.reference,
            status: self.status,
            why: ending.why,
            reconciled: errand.reconcile && self.sent == 0,
            sent: self.sent,
        }
    }

    const fn note_status(&mut self, error: &EdrError) {
        match error {
            EdrError::Busy { status, .. }
            | EdrError::Refused { status, .. }
            | EdrError::NotAuthorised { status } => self.status = Some(*status),
            EdrError::Ambiguous { status, .. } => self.status = *status,
            EdrError::Unsent { .. } => {}
        }
    }
}
