//! Messages between a poller and whoever takes in its tenant's alerts.

use actix::Message;
use tokio::sync::oneshot;
use vyrox_domain::{protocol::IntakePolled, tenant::TenantState, time::Timestamp, vendor::Vendor};
use vyrox_supervision::{Class, Classified};

/// How far was this vendor polled?
#[derive(Message)]
#[rtype(result = "()")]
pub struct WherePolled {
    /// Which.
    pub vendor: Vendor,
    /// `None` where it never was. Everything up to that moment is decided upon, and a poll that goes on from
    /// there may do so before that is durable: a place is told only once the alerts before it are.
    pub reply: oneshot::Sender<Option<Timestamp>>,
}

impl WherePolled {
    pub(crate) fn answer(self, state: &TenantState) {
        let place = state.polled.get(&self.vendor).copied();
        // The poller may have fallen meanwhile; its next generation asks again.
        self.reply.send(place).ok();
    }
}

impl Classified for WherePolled {
    const CLASS: Class = Class::Bulk;
}

/// Everything that this vendor had up to a moment is durable. Nobody waits for an answer: a place that is
/// lost makes the next poller ask for what is known already.
#[derive(Message)]
#[rtype(result = "()")]
pub struct NotePolled(pub IntakePolled);

impl Classified for NotePolled {
    const CLASS: Class = Class::Bulk;
}
