//! The switch that stops all containment, of one tenant or of all.

mod under_way;

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web::Payload};
use serde::{Deserialize, Serialize};
use vyrox_actors::registry::ChangeHalt;
use vyrox_domain::{
    host::Halt,
    host_protocol::{ContainmentHalted, ContainmentResumed, HaltChange},
    ids::TenantId,
};

use super::{
    Edge, Shared,
    admin::{caller, change, known},
    input,
    problem::Answer,
    tokens::Scope,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Throw {
    tenant_id: Option<String>,
    reason: String,
}

/// In the query, since a body of a DELETE may get lost on its way: without its tenant, the call would
/// mean all of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lift {
    tenant_id: Option<String>,
    reason: Option<String>,
}

/// `POST /api/v1/halt`. It is not rationed: whoever has used up the token's calls may have done so by what
/// is to be stopped.
pub(super) async fn halt(
    request: HttpRequest,
    edge: Shared,
    payload: Payload,
) -> Answer<HttpResponse> {
    let by = edge.let_in(&request, Scope::ContainmentHalt)?.actor;
    let Throw { tenant_id, reason } = input::json(&request, payload, edge.body_patience()).await?;
    let halted = HaltChange::Halted(ContainmentHalted {
        tenant_id: of(&edge, tenant_id.as_deref())?,
        reason: reason.trim().to_owned(),
        by,
    });
    throw(&edge, halted).await
}

/// `DELETE /api/v1/halt[?tenant_id=T][&reason=R]`
pub(super) async fn lift(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    let by = caller(&request, &edge, Scope::ContainmentHalt)?.actor;
    let Lift { tenant_id, reason } = input::query(&request)?;
    let resumed = HaltChange::Resumed(ContainmentResumed {
        tenant_id: of(&edge, tenant_id.as_deref())?,
        reason: reason.map(|text| text.trim().to_owned()),
        by,
    });
    throw(&edge, resumed).await
}

/// `GET /api/v1/halt`
pub(super) async fn show(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    caller(&request, &edge, Scope::TenantsRead)?;
    Ok(HttpResponse::Ok().json(standing(&edge).await))
}

fn of(edge: &Edge, name: Option<&str>) -> Answer<Option<TenantId>> {
    name.map(|name| known(edge, name)).transpose()
}

/// What is answered is what stands when the change is durable.
async fn throw(edge: &Edge, which: HaltChange) -> Answer<HttpResponse> {
    change(edge, |reply| ChangeHalt {
        change: which,
        reply,
    })
    .await?;
    Ok(HttpResponse::Ok().json(standing(edge).await))
}

#[derive(Serialize)]
struct Standing {
    /// Of all tenants.
    halted: bool,
    halt: Option<HaltBody>,
    /// Those that are halted by themselves.
    tenants: Vec<TenantHalt>,
    /// What was begun and has no outcome yet: a halt lets it come to its end.
    under_way: BTreeMap<TenantId, usize>,
}

#[derive(Serialize)]
struct HaltBody {
    since_ms: u64,
    reason: String,
    by: String,
}

#[derive(Serialize)]
struct TenantHalt {
    tenant_id: TenantId,
    #[serde(flatten)]
    halt: HaltBody,
}

impl HaltBody {
    fn of(halt: &Halt) -> Self {
        Self {
            since_ms: halt.since.ms(),
            reason: halt.reason.clone(),
            by: halt.by.clone(),
        }
    }
}

async fn standing(edge: &Edge) -> Standing {
    let under_way = under_way::counts(edge).await;
    let view = edge.view.load();
    let tenants = view.tenants.iter().filter_map(|(id, record)| {
        Some(TenantHalt {
            tenant_id: id.clone(),
            halt: HaltBody::of(record.halted.as_ref()?),
        })
    });
    Standing {
        halted: view.halted.is_some(),
        halt: view.halted.as_ref().map(HaltBody::of),
        tenants: tenants.collect(),
        under_way,
    }
}
