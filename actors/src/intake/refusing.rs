//! What is not taken in, and what is said of it.

use vyrox_domain::{
    protocol::{Command, Refusal, RejectReason},
    vendor::Vendor,
};
use vyrox_journal::Class;

use super::{Outcome, Taker};
use crate::messages::IntakeError;

impl Taker {
    /// Whether the journal would take something new now. Asked before anything is decided: what it then
    /// refuses costs the machine all that it has decided since.
    pub(super) fn has_room(&self) -> Result<(), IntakeError> {
        if self.world.journal.has_room(Class::Intake) {
            return Ok(());
        }
        Err(IntakeError::NoRoom)
    }

    /// Writes down that something was refused for a quota, once in a while. That the disk is nearly full
    /// the journal says itself, once for everybody.
    pub(super) fn note_over_quota(
        &mut self,
        vendor: Vendor,
        why: &IntakeError,
        outcome: Box<dyn Outcome>,
    ) {
        let reason = match why {
            IntakeError::QuotaExceeded => RejectReason::QuotaExceeded,
            IntakeError::DailyQuota => RejectReason::DailyQuota,
            IntakeError::NoRoom | IntakeError::Journal(_) | IntakeError::Quarantined(_) => return,
        };
        tracing::warn!(tenant = %self.tenant, %why, "intake refused");
        let note = Command::NoteOverQuota { vendor, reason };
        self.carry_out(note, move |error| outcome.refused(error));
    }
}

/// What the machine's own refusal comes to for whoever sent the body.
pub(super) fn refused(refusal: Refusal) -> IntakeError {
    match refusal {
        Refusal::DailyQuota => IntakeError::DailyQuota,
        // Nothing else is refused of what comes in.
        _ => IntakeError::QuotaExceeded,
    }
}
