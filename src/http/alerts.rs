//! Alerts as people read them, from the projections.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, http::header, web::Path};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use vyrox_actors::{
    journal::projection::ProjectionError,
    views::{AlertView, Status},
};
use vyrox_domain::ids::{AlertId, TenantId};

use super::{
    Edge, Shared,
    admin::{caller, readable},
    input,
    problem::{Answer, Code, Problem},
    tokens::Scope,
};

/// A listing's length where none is asked for.
const PAGE: usize = 50;
/// The longest listing.
const PAGE_MAX: usize = 500;
/// The longest wait for an alert to be triaged.
const WAIT_MAX_MS: u64 = 10_000;
/// How often a waiting request looks again.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    tenant_id: String,
    limit: Option<usize>,
    before: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Show {
    tenant_id: Option<String>,
    #[serde(default)]
    wait_ms: u64,
}

/// `GET /api/v1/alerts?tenant_id=T[&limit=N][&before=CURSOR]`: the newest first.
pub(super) async fn list(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    let caller = caller(&request, &edge, Scope::AlertsRead)?;
    let query: List = input::query(&request)?;
    let tenant = readable(&edge, &caller, &query.tenant_id)?;
    let limit = input::length(query.limit, PAGE, PAGE_MAX)?;
    let before = query.before.as_deref().map(read_cursor).transpose()?;
    let rows = edge
        .world
        .projections
        .alerts(tenant.as_str(), before, limit);
    let rows = rows.map_err(|error| broken(&error))?;
    let next = rows.last().filter(|_| rows.len() == limit);
    let next = next.map(|row| format!("{}-{}", row.received_ms, hex::encode(row.alert_id)));
    let raw: Result<Vec<Box<RawValue>>, _> = rows
        .iter()
        .map(|row| serde_json::from_slice(&row.value))
        .collect();
    let alerts = raw.map_err(|_damaged| Problem::new(Code::Internal))?;
    Ok(HttpResponse::Ok().json(Page { alerts, next }))
}

#[derive(Serialize)]
struct Page {
    alerts: Vec<Box<RawValue>>,
    next: Option<String>,
}

fn read_cursor(text: &str) -> Answer<(u64, [u8; 16])> {
    let invalid = || Problem::new(Code::InvalidQuery).detail("before is the next of a listing");
    let (received_ms, id) = text.split_once('-').ok_or_else(invalid)?;
    let mut bytes = [0; 16];
    hex::decode_to_slice(id, &mut bytes).map_err(|_not_hex| invalid())?;
    Ok((received_ms.parse().map_err(|_no_number| invalid())?, bytes))
}

/// `GET /api/v1/alerts/{alert}[?tenant_id=T][&wait_ms=N]`: waits up to N for the verdict.
pub(super) async fn show(
    request: HttpRequest,
    edge: Shared,
    alert: Path<String>,
) -> Answer<HttpResponse> {
    let caller = caller(&request, &edge, Scope::AlertsRead)?;
    let query: Show = input::query(&request)?;
    let alert_id: AlertId = alert
        .parse()
        .map_err(|_invalid| Problem::new(Code::AlertNotFound))?;
    let tenant = query
        .tenant_id
        .as_deref()
        .map(|name| readable(&edge, &caller, name))
        .transpose()?;
    if tenant.is_none() && !caller.reads_all() {
        let needed = "A personal token reads an alert of a tenant that it names: give tenant_id.";
        return Err(Problem::new(Code::InvalidQuery).detail(needed));
    }
    let chain = tenant.as_ref().map(TenantId::as_str);
    let looks = query.wait_ms.min(WAIT_MAX_MS).div_ceil(20);
    let mut found = find(&edge, chain, alert_id)?;
    for _ in 0..looks {
        if found.as_deref().is_some_and(is_settled) {
            break;
        }
        tokio::time::sleep(LOOK).await;
        found = find(&edge, chain, alert_id)?;
    }
    let bytes = found.ok_or_else(|| Problem::new(Code::AlertNotFound))?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(bytes))
}

fn is_settled(bytes: &[u8]) -> bool {
    serde_json::from_slice(bytes).is_ok_and(|view: AlertView| view.status != Status::Received)
}

/// Looks on the tenant's own chain first, then on those that stand in for it while it is held.
fn find(edge: &Edge, chain: Option<&str>, alert_id: AlertId) -> Answer<Option<Vec<u8>>> {
    let (projections, id) = (&edge.world.projections, alert_id.0.as_bytes());
    let found = match chain {
        Some(chain) => match (projections.alert(chain, id), edge.world.stand_ins(chain)) {
            (Ok(None), Some(held)) => held
                .chains
                .iter()
                .map(|chain| projections.alert(chain, id))
                .find(|found| !matches!(found, Ok(None)))
                .unwrap_or(Ok(None)),
            (found, _) => found,
        },
        None => projections
            .find_alert(id)
            .map(|found| found.map(|(_, bytes)| bytes)),
    };
    found.map_err(|error| broken(&error))
}

fn broken(error: &ProjectionError) -> Problem {
    tracing::error!(%error, "the projections can't be read");
    Code::Internal.into()
}
