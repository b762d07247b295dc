//! Alerts as people read them, from the projections.

use std::{sync::Arc, time::Duration};

use actix_web::{HttpRequest, HttpResponse, http::header, web::Path};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json, value::RawValue};
use vyrox_actors::{
    evidence::left,
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
    /// Say as well what is left of its evidence; reads the disk.
    #[serde(default)]
    evidence: bool,
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

/// `GET /api/v1/alerts/{alert}[?tenant_id=T][&wait_ms=N][&evidence=true]`: waits up to N for the verdict.
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
        if found.as_ref().is_some_and(|(_, bytes)| is_settled(bytes)) {
            break;
        }
        tokio::time::sleep(LOOK).await;
        found = find(&edge, chain, alert_id)?;
    }
    let (chain, bytes) = found.ok_or_else(|| Problem::new(Code::AlertNotFound))?;
    let bytes = if query.evidence {
        with_evidence(&edge, chain, bytes).await?
    } else {
        bytes
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(bytes))
}

fn is_settled(bytes: &[u8]) -> bool {
    serde_json::from_slice(bytes).is_ok_and(|view: AlertView| view.status != Status::Received)
}

/// The same with what is left of its evidence.
async fn with_evidence(edge: &Edge, chain: String, bytes: Vec<u8>) -> Answer<Vec<u8>> {
    let mut view: Map<String, Value> =
        serde_json::from_slice(&bytes).map_err(|_damaged| Problem::new(Code::Internal))?;
    let seq = view.get("receipt").and_then(|receipt| receipt.get("seq"));
    let seq = seq.and_then(Value::as_u64).unwrap_or_default();
    let world = Arc::clone(&edge.world);
    let looked = tokio::task::spawn_blocking(move || left(&world, &chain, seq));
    let looked = looked
        .await
        .map_err(|_fell| Problem::new(Code::Internal))?
        .map_err(|error| {
            tracing::error!(error, "nobody can tell what is left of an alert's evidence");
            Problem::new(Code::JournalUnavailable)
        })?;
    view.insert("evidence".to_owned(), json!(looked));
    serde_json::to_vec(&view).map_err(|_unwritable| Problem::new(Code::Internal))
}

/// Looks on the tenant's own chain first, then on those that stand in for it while it is held. Gives the chain.
fn find(edge: &Edge, chain: Option<&str>, alert_id: AlertId) -> Answer<Option<(String, Vec<u8>)>> {
    let (projections, id) = (&edge.world.projections, alert_id.0.as_bytes());
    let Some(own) = chain else {
        return projections.find_alert(id).map_err(|error| broken(&error));
    };
    let held = edge.world.stand_ins(own);
    let others = held
        .iter()
        .flat_map(|held| held.chains.iter().map(|it| &**it));
    for chain in std::iter::once(own).chain(others) {
        let found = projections
            .alert(chain, id)
            .map_err(|error| broken(&error))?;
        if let Some(bytes) = found {
            return Ok(Some((chain.to_owned(), bytes)));
        }
    }
    Ok(None)
}

fn broken(error: &ProjectionError) -> Problem {
    tracing::error!(%error, "the projections can't be read");
    Code::Internal.into()
}
