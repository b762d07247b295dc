//! Messages about evidence that is to go.

use actix::Message;
use tokio::sync::oneshot;
use vyrox_domain::{
    ids::{ActionId, AlertId},
    protocol::Refusal,
};
use vyrox_journal::AppendError;
use vyrox_supervision::{Class, Classified};

use super::identity;

/// Erase the evidence of an alert.
#[derive(Message)]
#[rtype(result = "()")]
pub struct EraseEvidence {
    /// Which.
    pub alert_id: AlertId,
    /// Those that came in the same body lose theirs as well.
    pub shared: bool,
    /// Why.
    pub reason: String,
    /// Who asks.
    pub by: String,
    /// Answered when nothing of it is left that the journal can reach.
    pub reply: oneshot::Sender<Result<ErasedEvidence, NotErased>>,
}

impl Classified for EraseEvidence {
    const CLASS: Class = Class::Containment;

    fn digest(&self) -> u64 {
        identity(self.alert_id)
    }
}

/// Erase everything that the tenant has, for it is about to be removed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct EraseAll {
    /// Why.
    pub reason: String,
    /// Who asks.
    pub by: String,
    /// Answered as [`EraseEvidence`] is; a tenant without evidence has lost it.
    pub reply: oneshot::Sender<Result<ErasedEvidence, NotErased>>,
}

impl Classified for EraseAll {
    const CLASS: Class = Class::Containment;
}

/// Which actions does somebody still have to see to?
#[derive(Message)]
#[rtype(result = "()")]
pub struct ListOpenActs {
    /// Those that are under way, or hold something down, each with its host.
    pub reply: oneshot::Sender<Vec<(ActionId, String)>>,
}

impl Classified for ListOpenActs {
    const CLASS: Class = Class::Containment;
}

/// Let go of what was kept for as long as it is to be kept. Nobody waits for an answer: it comes again.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SweepEvidence;

impl Classified for SweepEvidence {
    const CLASS: Class = Class::Bulk;
}

/// Evidence that is no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasedEvidence {
    /// The alerts that it was of.
    pub alerts: Vec<AlertId>,
    /// Bytes of it.
    pub bytes: u64,
    /// Files that may still hold copies.
    pub copies: Vec<String>,
}

/// Why evidence was not erased, or not yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotErased {
    /// There is no such alert.
    UnknownAlert,
    /// It came in one body with these, and nobody said that theirs may go too.
    Shared(Vec<AlertId>),
    /// It was erased before.
    Gone,
    /// The machine says no.
    Refused(Refusal),
    /// Another erasure of the tenant is under way.
    Busy,
    /// It could not be written down, so nothing was erased.
    NotDurable(AppendError),
    /// It is written down and no longer readable, and could not be completed; that is tried again.
    NotComplete(String),
    /// The chain or the projections cannot be read.
    Unreadable(String),
}
