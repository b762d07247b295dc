//! Messages between a machine and its adapters about alerts that came in short.

use actix::Message;
use vyrox_domain::{alert::Alert, digest::Digest, ids::AlertId};
use vyrox_supervision::{Class, Classified, Handle};

use super::identity;
use crate::tenant::Machine;

/// Ask the vendor for the whole of an alert. Answered with one [`LookedUp`] within ten seconds, or never.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct LookUp {
    /// Which.
    pub alert_id: AlertId,
    /// The vendor's id of it.
    pub vendor_alert_id: String,
    /// Whom to tell.
    pub machine: Handle<Machine>,
}

impl Classified for LookUp {
    const CLASS: Class = Class::Bulk;

    fn digest(&self) -> u64 {
        identity(self.alert_id)
    }
}

/// What the vendor said of an alert.
#[derive(Message)]
#[rtype(result = "()")]
pub struct LookedUp {
    /// Which.
    pub alert_id: AlertId,
    /// `None` where it said nothing that could be read as this alert, in time.
    pub found: Option<FullAlert>,
}

impl Classified for LookedUp {
    const CLASS: Class = Class::Containment;

    fn digest(&self) -> u64 {
        identity(self.alert_id)
    }
}

/// An alert as the vendor's API gives it.
pub struct FullAlert {
    /// In normal form.
    pub alert: Box<Alert>,
    /// As it came.
    pub body: Vec<u8>,
    /// SHA-256 of that.
    pub sha256: Digest,
}
