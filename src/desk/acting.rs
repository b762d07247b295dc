//! Actions: ordered by services, taken back and driven again by people, and looked at.

use std::time::Duration;

use tokio::sync::oneshot;
use vyrox_actors::{
    journal::AppendError,
    messages::{
        ExecuteAction, ExecuteAnswer, External, ListActs, RedriveAction, ReleaseTimers,
        RollBackAction, StepAnswer,
    },
    supervision::Handle,
};
use vyrox_domain::{
    containment::Act,
    ids::{ActionId, PersonId, TenantId},
    protocol::Via,
};

use super::{NoAnswer, PATIENCE, TenantDesk, not_durable};

/// How long an action may take to its outcome. An adapter is through with it after 50 s whatever happens, so
/// whoever waits so long and has no answer knows that nobody has one.
const OUTCOME_PATIENCE: Duration = Duration::from_secs(58);

impl TenantDesk {
    /// Has an action carried out, and waits for its outcome. `None` where the machine took the request and
    /// gave no answer: it may have happened.
    pub(crate) async fn execute(
        &self,
        tenant: &TenantId,
        request: External,
    ) -> Result<Option<ExecuteAnswer>, NoAnswer> {
        self.not_held(tenant)?;
        let (reply, answer) = oneshot::channel();
        let message = ExecuteAction { request, reply };
        self.hand(tenant, message, Handle::try_cast).await?;
        match tokio::time::timeout(OUTCOME_PATIENCE, answer).await {
            Ok(Ok(Ok(answer))) => Ok(Some(answer)),
            Ok(Ok(Err(error))) => Err(not_durable(&error)),
            Ok(Err(_)) | Err(_) => Ok(None),
        }
    }

    /// Has an action taken back, in a person's name; durable when this returns, and not done yet.
    pub(crate) async fn roll_back(
        &self,
        tenant: &TenantId,
        (action_id, person): (ActionId, PersonId),
        via: Via,
    ) -> Result<StepAnswer, NoAnswer> {
        self.not_held(tenant)?;
        let (reply, answer) = oneshot::channel();
        let message = RollBackAction {
            action_id,
            person,
            via,
            reply,
        };
        self.hand(tenant, message, Handle::try_cast).await?;
        durable(answer).await
    }

    /// Has an action that came to nothing driven again; durable when this returns, and not done yet.
    pub(crate) async fn redrive(
        &self,
        tenant: &TenantId,
        action_id: ActionId,
        person: PersonId,
    ) -> Result<StepAnswer, NoAnswer> {
        self.not_held(tenant)?;
        let (reply, answer) = oneshot::channel();
        let message = RedriveAction {
            action_id,
            person,
            reply,
        };
        self.hand(tenant, message, Handle::try_cast).await?;
        durable(answer).await
    }

    /// Lets timers run again that were held because the clock was set. Whether there were any.
    pub(crate) async fn release_timers(
        &self,
        tenant: &TenantId,
        by: String,
    ) -> Result<bool, NoAnswer> {
        self.not_held(tenant)?;
        let (reply, answer) = oneshot::channel();
        self.hand(tenant, ReleaseTimers { by, reply }, Handle::try_cast)
            .await?;
        durable(answer).await
    }

    /// A tenant's actions, the last ones first; or one of them.
    pub(crate) async fn actions(
        &self,
        tenant: &TenantId,
        only: Option<ActionId>,
        limit: usize,
    ) -> Result<Vec<(ActionId, Act)>, NoAnswer> {
        let (reply, answer) = oneshot::channel();
        let ask = ListActs { only, limit, reply };
        self.hand(tenant, ask, Handle::try_cast).await?;
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        answer.ok().and_then(Result::ok).ok_or(NoAnswer::TimedOut)
    }
}

async fn durable<T>(answer: oneshot::Receiver<Result<T, AppendError>>) -> Result<T, NoAnswer> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(Ok(answer))) => Ok(answer),
        Ok(Ok(Err(error))) => Err(not_durable(&error)),
        Ok(Err(_)) | Err(_) => Err(NoAnswer::TimedOut),
    }
}
