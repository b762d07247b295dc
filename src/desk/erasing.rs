//! Evidence that is to go.

use std::time::Duration;

use tokio::sync::oneshot;
use vyrox_actors::{
    messages::{EraseAll, EraseEvidence, ErasedEvidence, ListOpenActs, NotErased},
    supervision::Handle,
};
use vyrox_domain::ids::{ActionId, AlertId, TenantId};

use super::{NoAnswer, PATIENCE, TenantDesk};

/// How long an erasure is waited for: the log's files that have copies are written over from end to end.
const ERASURE_PATIENCE: Duration = Duration::from_secs(25);

impl TenantDesk {
    /// Has the evidence of an alert erased. `None` where that takes longer than anybody waits: it may
    /// have been written down, and is then completed.
    pub(crate) async fn erase_evidence(
        &self,
        tenant: &TenantId,
        (alert_id, shared): (AlertId, bool),
        reason: String,
        by: String,
    ) -> Result<Option<Result<ErasedEvidence, NotErased>>, NoAnswer> {
        self.not_held(tenant)?;
        // What came with the alert is looked up in the projections.
        self.caught_up(tenant).await;
        let (reply, answer) = oneshot::channel();
        let message = EraseEvidence {
            alert_id,
            shared,
            reason,
            by,
            reply,
        };
        self.hand(tenant, message, Handle::try_cast).await?;
        let answer = tokio::time::timeout(ERASURE_PATIENCE, answer).await;
        Ok(answer.ok().and_then(Result::ok))
    }

    /// Has everything erased that the tenant has. `None` as in [`Self::erase_evidence`].
    pub(crate) async fn erase_all(
        &self,
        tenant: &TenantId,
        reason: String,
        by: String,
    ) -> Result<Option<Result<ErasedEvidence, NotErased>>, NoAnswer> {
        self.not_held(tenant)?;
        let (reply, answer) = oneshot::channel();
        let message = EraseAll { reason, by, reply };
        self.hand(tenant, message, Handle::try_cast).await?;
        let answer = tokio::time::timeout(ERASURE_PATIENCE, answer).await;
        Ok(answer.ok().and_then(Result::ok))
    }

    /// Actions of the tenant that are under way or hold something down, each with its host.
    pub(crate) async fn open_acts(
        &self,
        tenant: &TenantId,
    ) -> Result<Vec<(ActionId, String)>, NoAnswer> {
        self.not_held(tenant)?;
        let (reply, answer) = oneshot::channel();
        self.hand(tenant, ListOpenActs { reply }, Handle::try_cast)
            .await?;
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        answer.ok().and_then(Result::ok).ok_or(NoAnswer::TimedOut)
    }
}
