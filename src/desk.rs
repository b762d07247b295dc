//! Where people's words reach a tenant: decisions, questions, orders, whether they come from chat or
//! from the API. Whatever waits for a machine waits no longer than a deadline.

mod acting;
pub(crate) mod chat;
mod erasing;

use std::{future::Future, sync::Arc, time::Duration};

use tokio::sync::oneshot;
use vyrox_actors::{
    directory::{Directory, Route},
    journal::AppendError,
    messages::{
        Accepted, DecideAction, Intake, IntakeError, NoteRefusal, NoteShown, Outcome, ParsedAlert,
        Receive,
    },
    ports::World,
    router::{Activate, Tenants},
    supervision::{Handle, Rejected},
    tenant::{ListIncidents, Machine},
};
use vyrox_domain::{
    ids::{IncidentId, TenantId},
    notice::Notice,
    protocol::EvidenceShown,
};

/// How long a tenant's machine may take to answer.
const PATIENCE: Duration = Duration::from_secs(8);
/// How often a tenant that is just being restarted or put away is tried again.
const TRIES: u32 = 80;
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// Why a tenant gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// There is no such tenant.
    #[error("there is no such tenant")]
    UnknownTenant,
    /// It is suspended: its alerts are kept, and nothing is decided.
    #[error("the tenant is suspended; nothing can be decided until it serves again")]
    Suspended,
    /// Its chain's end can't be proven, or that of the host's.
    #[error(
        "the tenant's chain is held since a damage; nothing can be decided until an operator repairs \
         it: vyrox audit repair"
    )]
    Held,
    /// It is busy, restarting, or stuck.
    #[error("the tenant gave no answer in time; what was asked may still happen")]
    TimedOut,
    /// It could not be made durable, so it did not happen.
    #[error("it could not be made durable, so it did not happen: {0}")]
    NotDurable(String),
}

/// Where tenants are found.
#[derive(Clone)]
pub(crate) struct TenantDesk {
    pub(crate) world: Arc<World>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) tenants: Handle<Tenants>,
}

impl TenantDesk {
    /// Has a tenant decide about an action. `message` makes the order anew for each try; what reached the
    /// machine once is not sent again.
    pub(crate) async fn decide(
        &self,
        tenant: &TenantId,
        mut message: DecideAction,
    ) -> Result<Outcome, NoAnswer> {
        self.not_held(tenant)?;
        let (reply, answer) = oneshot::channel();
        message.reply = reply;
        self.hand(tenant, message, Handle::try_cast).await?;
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(Ok(outcome))) => Ok(outcome),
            Ok(Ok(Err(error))) => Err(not_durable(&error)),
            Ok(Err(_)) | Err(_) => Err(NoAnswer::TimedOut),
        }
    }

    /// Has it written down that somebody is about to be shown evidence; durable when this returns.
    pub(crate) async fn note_shown(
        &self,
        tenant: &TenantId,
        shown: EvidenceShown,
    ) -> Result<(), NoAnswer> {
        self.not_held(tenant)?;
        let (reply, answer) = oneshot::channel();
        let note = NoteShown { shown, reply };
        self.hand(tenant, note, Handle::try_cast).await?;
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(noted)) => noted.map_err(|error| not_durable(&error)),
            Ok(Err(_)) | Err(_) => Err(NoAnswer::TimedOut),
        }
    }

    /// Has it written down that somebody was turned away; nobody waits for that.
    pub(crate) async fn note_refusal(
        &self,
        tenant: &TenantId,
        note: NoteRefusal,
    ) -> Result<(), NoAnswer> {
        self.not_held(tenant)?;
        self.hand(tenant, note, Handle::try_cast).await
    }

    /// Takes in a body with its alerts, as a webhook's are; durable when this returns.
    pub(crate) async fn take_in(
        &self,
        tenant: &TenantId,
        intake: Arc<Intake>,
        alerts: Arc<[ParsedAlert]>,
    ) -> Result<Vec<Accepted>, NoAnswer> {
        self.not_held(tenant)?;
        let (reply, answer) = oneshot::channel();
        let mut message = Receive {
            intake,
            alerts,
            reply,
        };
        for _ in 0..TRIES {
            match self.route(tenant).await?.receive(message) {
                Ok(()) => return taken(tokio::time::timeout(PATIENCE, answer).await),
                Err(rejected) => message = rejected.message,
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
        Err(NoAnswer::TimedOut)
    }

    /// Returns once the projections have what is durable of the tenant by now, and whether they have; late
    /// ones are not waited for for ever.
    pub(crate) async fn caught_up(&self, tenant: &TenantId) -> bool {
        let Some(head) = self.world.journal.head(tenant.as_str()) else {
            return true;
        };
        let reached = self.world.progress.reached(tenant.as_str(), head.seq);
        let caught_up = tokio::time::timeout(PATIENCE, reached).await.is_ok();
        if !caught_up {
            tracing::warn!(%tenant, "the projections are behind what is shown of them");
        }
        caught_up
    }

    fn not_held(&self, tenant: &TenantId) -> Result<(), NoAnswer> {
        if self.world.decides_nothing_for(tenant.as_str()) {
            return Err(NoAnswer::Held);
        }
        Ok(())
    }

    /// A tenant's incidents, the last ones first; or one of them.
    pub(crate) async fn incidents(
        &self,
        tenant: &TenantId,
        only: Option<IncidentId>,
        limit: usize,
    ) -> Result<Vec<Notice>, NoAnswer> {
        let (reply, answer) = oneshot::channel();
        let ask = ListIncidents { only, limit, reply };
        self.hand(tenant, ask, Handle::try_cast).await?;
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        answer.ok().and_then(Result::ok).ok_or(NoAnswer::TimedOut)
    }

    /// Gives a message to the tenant's machine, which is activated if need be.
    async fn hand<M, F>(&self, tenant: &TenantId, message: M, give: F) -> Result<(), NoAnswer>
    where
        F: Fn(&Handle<Machine>, M) -> Result<(), Rejected<M>>,
    {
        let mut message = message;
        for _ in 0..TRIES {
            let machine = self.machine(tenant).await?;
            match give(&machine, message) {
                Ok(()) => return Ok(()),
                // It is being put away, or its lane is full.
                Err(rejected) => message = rejected.message,
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
        Err(NoAnswer::TimedOut)
    }

    async fn machine(&self, tenant: &TenantId) -> Result<Handle<Machine>, NoAnswer> {
        match self.route(tenant).await? {
            Route::Machine(machine) => Ok(machine),
            Route::Intake(_) if self.world.is_held(tenant.as_str()) => Err(NoAnswer::Held),
            Route::Intake(_) => Err(NoAnswer::Suspended),
        }
    }

    /// The tenant's way in, which is opened if need be.
    fn route(&self, tenant: &TenantId) -> impl Future<Output = Result<Route, NoAnswer>> + use<> {
        let known = self.directory.get(tenant);
        let (tenants, tenant) = (self.tenants.clone(), tenant.clone());
        async move {
            if let Some(route) = known {
                return Ok(route);
            }
            let asked = tenants.ask(Activate(tenant), PATIENCE).await;
            let route = asked.map_err(|_late| NoAnswer::TimedOut)?;
            route.ok_or(NoAnswer::UnknownTenant)
        }
    }
}

type Waited<T> = Result<Result<T, oneshot::error::RecvError>, tokio::time::error::Elapsed>;

fn taken(answer: Waited<Result<Vec<Accepted>, IntakeError>>) -> Result<Vec<Accepted>, NoAnswer> {
    match answer {
        Ok(Ok(taken)) => taken.map_err(|error| NoAnswer::NotDurable(error.to_string())),
        Ok(Err(_)) | Err(_) => Err(NoAnswer::TimedOut),
    }
}

fn not_durable(error: &AppendError) -> NoAnswer {
    NoAnswer::NotDurable(match error {
        AppendError::Full => "the journal has no room; try again".to_owned(),
        error => error.to_string(),
    })
}
