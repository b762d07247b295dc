//! Erasing the evidence of an alert.

use actix_web::{HttpRequest, HttpResponse, web::Path};
use serde::Deserialize;
use serde_json::json;
use vyrox_actors::messages::{ErasedEvidence, NotErased};
use vyrox_domain::{
    ids::{AlertId, TenantId},
    protocol::{ERASURE_REASON_MAX, Refusal},
};

use super::{
    Shared,
    admin::{caller, known},
    decisions::no_answer,
    input,
    problem::{Answer, Code, Problem},
    tokens::Scope,
};

/// In the query, since a body of a DELETE may get lost on its way.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Erase {
    reason: String,
    #[serde(default)]
    shared: bool,
}

/// `DELETE /api/v1/tenants/{tenant}/alerts/{alert}/evidence?reason=R[&shared=true]`: 200 when nothing of
/// it is left that the journal can reach, 202 when it is written down and not complete.
pub(super) async fn erase(
    request: HttpRequest,
    edge: Shared,
    path: Path<(String, String)>,
) -> Answer<HttpResponse> {
    let by = caller(&request, &edge, Scope::TenantsWrite)?.actor;
    let (tenant, alert) = path.into_inner();
    let tenant = known(&edge, &tenant)?;
    let alert_id: AlertId = alert
        .parse()
        .map_err(|_not_one| Problem::new(Code::AlertNotFound))?;
    let Erase { reason, shared } = input::query(&request)?;
    let reason = reason.trim().to_owned();
    let desk = edge.desk();
    let erased = desk.erase_evidence(&tenant, (alert_id, shared), reason, by);
    match erased.await.map_err(|why| no_answer(&why))? {
        Some(Ok(erased)) => Ok(gone(&tenant, alert_id, &erased)),
        Some(Err(why)) => refused(&tenant, alert_id, why),
        None => Ok(under_way(&tenant, alert_id)),
    }
}

fn gone(tenant: &TenantId, alert_id: AlertId, erased: &ErasedEvidence) -> HttpResponse {
    HttpResponse::Ok().json(json!({
        "status": "erased",
        "tenant_id": tenant,
        "alert_id": alert_id,
        "alerts": erased.alerts,
        "bytes": erased.bytes,
        "copies": erased.copies,
    }))
}

fn under_way(tenant: &TenantId, alert_id: AlertId) -> HttpResponse {
    HttpResponse::Accepted()
        .json(json!({ "status": "under_way", "tenant_id": tenant, "alert_id": alert_id }))
}

fn refused(tenant: &TenantId, alert_id: AlertId, why: NotErased) -> Answer<HttpResponse> {
    match why {
        NotErased::Gone => {
            let body =
                json!({ "status": "erased_before", "tenant_id": tenant, "alert_id": alert_id });
            Ok(HttpResponse::Ok().json(body))
        }
        NotErased::NotComplete(error) => {
            tracing::error!(%tenant, %alert_id, error, "an erasure is not complete");
            Ok(under_way(tenant, alert_id))
        }
        NotErased::UnknownAlert => Err(Code::AlertNotFound.into()),
        NotErased::Shared(alerts) => {
            let alerts: Vec<_> = alerts.iter().map(ToString::to_string).collect();
            Err(Problem::new(Code::EvidenceShared).member("alerts", alerts))
        }
        NotErased::Refused(Refusal::BadReason) => {
            let needed = format!("A reason has 1 to {ERASURE_REASON_MAX} characters.");
            Err(Problem::new(Code::InvalidReason).detail(needed))
        }
        NotErased::Refused(refusal) => {
            Err(Problem::new(Code::EvidenceInUse).detail(refusal.to_string()))
        }
        NotErased::Busy => Err(Problem::new(Code::Overloaded)
            .detail("Another erasure of this tenant is under way; try again when it is through.")),
        NotErased::NotDurable(error) => {
            tracing::error!(%tenant, %error, "an erasure could not be written down");
            Err(Problem::new(Code::NotDurable)
                .detail("It could not be made durable, so nothing was erased."))
        }
        NotErased::Unreadable(error) => {
            tracing::error!(%tenant, %alert_id, error, "evidence could not be looked up");
            Err(Code::Internal.into())
        }
    }
}
