//! From a poller to whoever takes in its tenant's alerts: the machine, or the intake writer while the
//! tenant is suspended.

use std::{sync::Arc, time::Duration};

use tokio::{sync::oneshot, time};
use vyrox_domain::{
    digest::Digest, ids::TenantId, protocol::IntakePolled, time::Timestamp, vendor::Vendor,
};
use vyrox_journal::AppendError;
use vyrox_supervision::{Handle, Rejected};

use crate::{
    directory::{Directory, Route},
    messages::{
        Accepted, Intake, IntakeError, IntakeReply, NotePolled, ParsedAlert, Quarantine, Receive,
        Reject, Unfit, WherePolled,
    },
    router::{Activate, Tenants},
};

/// How long one message may wait for room, for a restart, and to become durable, all together. A poller has
/// time; what is not durable by then is asked for again.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long the router may take to answer.
const ROUTER_PATIENCE: Duration = Duration::from_secs(10);
/// The pause before a message is offered again.
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

/// A tenant's way in.
#[derive(Clone, Copy)]
pub(super) struct Door<'a> {
    pub(super) tenant: &'a TenantId,
    pub(super) directory: &'a Directory,
    pub(super) tenants: &'a Handle<Tenants>,
}

/// Nothing says that it is durable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotTaken {
    #[error("the tenant's quota is used up")]
    QuotaExceeded,
    #[error(transparent)]
    Journal(AppendError),
    #[error("the tenant gave no answer in time")]
    Late,
    #[error("there is no such tenant")]
    NoTenant,
}

/// Its taker does not touch it, and nothing will change that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Untouchable {
    #[error("the tenant's machine fell over it more than once ({0})")]
    Quarantined(Quarantine),
    #[error("the journal cannot hold it: {0}")]
    Invalid(String),
}

type Offered<T> = Result<Result<T, Untouchable>, NotTaken>;

impl Door<'_> {
    /// Takes in a body with its alerts; durable when this returns.
    pub(super) async fn receive(
        self,
        intake: &Arc<Intake>,
        alerts: &Arc<[ParsedAlert]>,
    ) -> Offered<Vec<Accepted>> {
        let message = |reply| Receive {
            intake: Arc::clone(intake),
            alerts: Arc::clone(alerts),
            reply,
        };
        self.offer(message, Route::receive).await
    }

    /// Keeps a body of which no alert is made; durable when this returns.
    pub(super) async fn reject(self, intake: &Arc<Intake>, why: &Unfit) -> Offered<(u64, Digest)> {
        let message = |reply| Reject {
            intake: Arc::clone(intake),
            why: why.clone(),
            reply,
        };
        self.offer(message, Route::reject).await
    }

    /// How far this vendor was polled, by the chain.
    pub(super) async fn place(self, vendor: Vendor) -> Result<Option<Timestamp>, NotTaken> {
        let asked = async {
            loop {
                let (reply, answer) = oneshot::channel();
                self.hand(WherePolled { vendor, reply }, Route::where_polled)
                    .await?;
                if let Ok(place) = answer.await {
                    return Ok(place);
                }
                // It fell, or was put away, before it could answer.
                time::sleep(BETWEEN_TRIES).await;
            }
        };
        in_time(asked).await
    }

    /// Tells how far it was polled; whether that was handed over.
    pub(super) async fn note(self, polled: IntakePolled) -> bool {
        let noted = self.hand(NotePolled(polled), Route::note_polled);
        in_time(noted).await.is_ok()
    }

    /// Offers a message until it is durable. One whose taker fell, or was replaced, before it handed
    /// anything to the journal has left no trace, and is offered again.
    async fn offer<M, T>(
        self,
        message: impl Fn(IntakeReply<T>) -> M,
        hand: impl Fn(&Route, M) -> Result<(), Rejected<M>>,
    ) -> Offered<T> {
        let offered = async {
            loop {
                let (reply, answer) = oneshot::channel();
                self.hand(message(reply), &hand).await?;
                if let Some(end) = answer.await.ok().and_then(end_of) {
                    return end;
                }
                time::sleep(BETWEEN_TRIES).await;
            }
        };
        in_time(offered).await
    }

    /// Hands a message over, waiting for room.
    async fn hand<M>(
        self,
        mut message: M,
        hand: impl Fn(&Route, M) -> Result<(), Rejected<M>>,
    ) -> Result<(), NotTaken> {
        for attempt in 0_u64.. {
            // Found in the directory, which stands whoever falls; every other time the router is asked, which
            // alone can open it.
            let known = self.directory.get(self.tenant).filter(|_| attempt % 2 == 0);
            let route = match known {
                Some(route) => Some(route),
                None => self.activate().await?,
            };
            if let Some(route) = route {
                match hand(&route, message) {
                    Ok(()) => return Ok(()),
                    Err(rejected) => message = rejected.message,
                }
            }
            time::sleep(BETWEEN_TRIES).await;
        }
        Err(NotTaken::Late)
    }

    /// `None` while the router is being restarted.
    async fn activate(self) -> Result<Option<Route>, NotTaken> {
        let asked = self
            .tenants
            .ask(Activate(self.tenant.clone()), ROUTER_PATIENCE);
        match asked.await {
            Ok(Some(route)) => Ok(Some(route)),
            Ok(None) => Err(NotTaken::NoTenant),
            Err(_busy) => Ok(None),
        }
    }
}

/// What an answer comes to; `None` where the message is offered again.
fn end_of<T>(answer: Result<T, IntakeError>) -> Option<Offered<T>> {
    let error = match answer {
        Ok(taken) => return Some(Ok(Ok(taken))),
        Err(error) => error,
    };
    let untouchable = match error {
        IntakeError::QuotaExceeded | IntakeError::DailyQuota => {
            return Some(Err(NotTaken::QuotaExceeded));
        }
        IntakeError::NoRoom
        | IntakeError::Journal(
            AppendError::Conflict { .. } | AppendError::Fenced | AppendError::Full,
        ) => return None,
        IntakeError::Journal(AppendError::Invalid(why)) => Untouchable::Invalid(why),
        IntakeError::Journal(error) => return Some(Err(NotTaken::Journal(error))),
        IntakeError::Quarantined(letter) => Untouchable::Quarantined(letter),
    };
    Some(Ok(Err(untouchable)))
}

async fn in_time<T>(work: impl Future<Output = Result<T, NotTaken>>) -> Result<T, NotTaken> {
    let done = time::timeout(PATIENCE, work).await;
    done.unwrap_or(Err(NotTaken::Late))
}
