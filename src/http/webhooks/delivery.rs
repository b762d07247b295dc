//! From a parsed body to its answer: offered to whoever takes in the tenant's alerts, offered again if
//! that one falls over it, and kept as evidence if it does so more than once. Whoever calls bounds the
//! time for all of that.

use std::{sync::Arc, time::Duration};

use actix_web::HttpResponse;
use serde_json::json;
use tokio::sync::oneshot;
use vyrox_actors::{
    directory::Route,
    journal::AppendError,
    keyring::TenantKeys,
    messages::{Intake, IntakeError, IntakeReply, ParsedAlert, Quarantine, Receive, Reject, Unfit},
    router::Activate,
    supervision::{Failure, Reason, Rejected},
};
use vyrox_domain::{alert::InvalidPayload, digest::Digest, ids::TenantId, protocol::RejectReason};

use super::answer::answered;
use crate::http::{
    Edge,
    admission::Class,
    problem::{Answer, Code, Problem},
};

/// How often one request offers its body. The quarantine speaks at the third time; more are needed
/// only where others make the tenant's actors fall at the same moment.
const OFFERS: u32 = 8;
/// How often a tenant that is just being restarted or put away is tried again.
const TRIES: u32 = 40;
const BETWEEN_TRIES: Duration = Duration::from_millis(25);
/// When a sender is to try again whom the disk has no room for.
const NO_ROOM_RETRY: Duration = Duration::from_secs(30);
/// The vendor's ids that an entry names of one body; the others stand in its evidence.
const NAMED_MAX: usize = 16;

/// Takes in the alerts of a body. `200` or `202` once they are durable, or the body alone is.
pub(super) async fn take_in(
    edge: &Edge,
    keys: &TenantKeys,
    intake: Arc<Intake>,
    alerts: Vec<ParsedAlert>,
) -> Answer<HttpResponse> {
    // One was drawn before the body was parsed; the budget is of alerts, so the others count too.
    let more = alerts.len().saturating_sub(1);
    edge.admission
        .spend_more(Class::Webhook, &keys.tenant.shared(), more)
        .into_result()?;
    let alerts: Arc<[_]> = alerts.into();
    let message = |reply| Receive {
        intake: Arc::clone(&intake),
        alerts: Arc::clone(&alerts),
        reply,
    };
    match offer(edge, &keys.tenant, message, Route::receive).await? {
        Ok(accepted) => {
            edge.metrics.accepted(&keys.tenant, &accepted);
            answered(&accepted)
        }
        Err(fallen) => set_aside(edge, keys, intake, unfit(&fallen, &alerts)).await,
    }
}

/// Authentic, and of no known shape: refused, and kept.
pub(super) async fn keep(
    edge: &Edge,
    keys: &TenantKeys,
    intake: Arc<Intake>,
    invalid: &InvalidPayload,
) -> Answer<HttpResponse> {
    let why = Unfit {
        detail: invalid.detail.clone(),
        reason: None,
        vendor_alert_ids: Vec::new(),
    };
    let (seq, hash) = journal(edge, keys, &intake, &why).await?;
    edge.metrics.rejected(&keys.tenant);
    let detail = format!(
        "{}. The body is kept as evidence at seq {seq}.",
        invalid.detail
    );
    Err(Problem::new(Code::InvalidPayload)
        .detail(detail)
        .member("looked_for", invalid.looked_for.to_vec())
        .member("receipt", json!({ "seq": seq, "hash": hash })))
}

/// The machine falls over it: it is durable as evidence, and with people. The sender has done its part.
async fn set_aside(
    edge: &Edge,
    keys: &TenantKeys,
    intake: Arc<Intake>,
    why: Unfit,
) -> Answer<HttpResponse> {
    let (seq, hash) = journal(edge, keys, &intake, &why).await?;
    edge.metrics.quarantined(&keys.tenant);
    tracing::error!(tenant = %keys.tenant, seq, why = why.detail, "an alert was set aside");
    let receipt = json!({ "seq": seq, "hash": hash });
    Ok(HttpResponse::Accepted().json(json!({ "status": "quarantined", "receipt": receipt })))
}

fn unfit(fallen: &Quarantine, alerts: &[ParsedAlert]) -> Unfit {
    let ids = alerts.iter().map(|one| one.alert.vendor_alert_id.clone());
    Unfit {
        detail: format!("the tenant's machine fell over it more than once ({fallen})"),
        reason: Some(RejectReason::Quarantined),
        vendor_alert_ids: ids.take(NAMED_MAX).collect(),
    }
}

/// Makes the body itself durable, as evidence of an entry that says why no alert was made of it.
async fn journal(
    edge: &Edge,
    keys: &TenantKeys,
    intake: &Arc<Intake>,
    why: &Unfit,
) -> Answer<(u64, Digest)> {
    let message = |reply| Reject {
        intake: Arc::clone(intake),
        why: why.clone(),
        reply,
    };
    let kept = offer(edge, &keys.tenant, message, Route::reject).await?;
    kept.map_err(|fallen| {
        tracing::error!(tenant = %keys.tenant, %fallen, "a body could not even be kept as evidence");
        Code::Quarantined.into()
    })
}

/// Offers a message and waits until it is durable. It is offered again if its taker fell before it
/// handed anything to the journal, or was replaced by another generation before it could: in both
/// cases nothing of the offer was or will be written. So no offer is taken for a repeat of an earlier
/// one of the same request; `duplicate` is said only if another request was first.
async fn offer<M, T>(
    edge: &Edge,
    tenant: &TenantId,
    message: impl Fn(IntakeReply<T>) -> M,
    hand: impl Fn(&Route, M) -> Result<(), Rejected<M>>,
) -> Answer<Result<T, Quarantine>> {
    for _ in 0..OFFERS {
        let (reply, answer) = oneshot::channel();
        deliver(edge, tenant, message(reply), &hand).await?;
        match answer.await {
            Ok(Ok(taken)) => return Ok(Ok(taken)),
            Ok(Err(IntakeError::Quarantined(fallen))) => return Ok(Err(fallen)),
            Ok(Err(IntakeError::QuotaExceeded)) => {
                edge.metrics.over_quota(tenant);
                return Err(Code::QuotaExceeded.into());
            }
            Ok(Err(IntakeError::DailyQuota)) => {
                edge.metrics.over_quota(tenant);
                return Err(daily_quota(edge));
            }
            Ok(Err(IntakeError::NoRoom)) => return Err(storage_full()),
            Ok(Err(IntakeError::Journal(AppendError::Conflict { .. } | AppendError::Fenced))) => {}
            Err(_fell) => {}
            Ok(Err(IntakeError::Journal(error))) => return Err(journal_problem(&error)),
        }
    }
    Err(Problem::new(Code::Unavailable)
        .detail("The tenant's machine is being restarted; send the same request again."))
}

/// Until the day ends.
fn daily_quota(edge: &Edge) -> Problem {
    const DAY_MS: u64 = 86_400_000;
    let left = DAY_MS.saturating_sub(edge.world.now().ms() % DAY_MS);
    Problem::new(Code::DailyQuota).retry_after(Duration::from_millis(left))
}

/// Somebody has to make room first, so there is no hurry.
fn storage_full() -> Problem {
    Problem::new(Code::StorageFull).retry_after(NO_ROOM_RETRY)
}

fn journal_problem(error: &AppendError) -> Problem {
    match error {
        AppendError::Full => Code::Overloaded.into(),
        AppendError::Conflict { .. } | AppendError::Fenced => Code::Unavailable.into(),
        AppendError::Held | AppendError::Io(_) => Code::JournalUnavailable.into(),
        AppendError::Invalid(_) => Code::Internal.into(),
    }
}

/// Hands a message to whoever takes in the tenant's alerts now, waking it if needed. Looks in the
/// directory, which stands whoever falls, and asks the router, which alone can wake, in turns.
async fn deliver<M>(
    edge: &Edge,
    tenant: &TenantId,
    mut message: M,
    hand: impl Fn(&Route, M) -> Result<(), Rejected<M>>,
) -> Answer<()> {
    for attempt in 0..TRIES {
        if attempt > 0 {
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
        let known = edge.directory.get(tenant).filter(|_| attempt % 2 == 0);
        let route = match known {
            Some(route) => Some(route),
            None => activate(edge, tenant).await?,
        };
        let Some(route) = route else { continue };
        message = match hand(&route, message) {
            Ok(()) => return Ok(()),
            Err(Rejected {
                reason: Reason::Full,
                ..
            }) => return Err(Code::Overloaded.into()),
            // It is being restarted, put away or suspended: the router has a new way in shortly.
            Err(rejected) => rejected.message,
        };
    }
    Err(Code::Unavailable.into())
}

/// The tenant's way in; none while the router itself is being restarted, which is not for senders to
/// feel.
async fn activate(edge: &Edge, tenant: &TenantId) -> Answer<Option<Route>> {
    let asked = edge
        .tenants
        .ask(Activate(tenant.clone()), edge.patience())
        .await;
    match asked {
        Ok(Some(route)) => Ok(Some(route)),
        // The sender has proved who it is. Its tenant's actors are being put away, or it was removed
        // just now; in the latter case the next request is told so.
        Ok(None) => Err(Code::Unavailable.into()),
        Err(error @ (Failure::Deadline | Failure::Rejected(_))) => {
            tracing::warn!(%tenant, %error, "the router gave no way in");
            Err(Code::Unavailable.into())
        }
        Err(_fell) => Ok(None),
    }
}
