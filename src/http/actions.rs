//! Actions as people see them: what became of each, and the ways to take one back or have it driven again.

mod shown;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Path, Payload},
};
use serde_json::json;
use vyrox_actors::messages::StepAnswer;
use vyrox_domain::{
    ids::{ActionId, TenantId},
    person::Role,
    protocol::Via,
};

pub(super) use self::shown::Became;
use self::shown::Shown;
use super::{
    Edge, Shared,
    decisions::{no_answer, own},
    execute::withheld,
    input,
    problem::{Answer, Code, Problem},
    reading::{self, Of},
    tokens::Personal,
};
use crate::desk::NoAnswer;

/// `GET /api/v1/actions?tenant_id=T[&limit=N]`: the last ones first.
pub(super) async fn list(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    let (tenant, limit) = reading::many(&request, &edge)?;
    let acts = edge.desk().actions(&tenant, None, limit).await;
    let acts = acts.map_err(|why| no_answer(&why))?;
    let shown: Vec<_> = acts.iter().map(|(id, act)| Shown::of(*id, act)).collect();
    Ok(HttpResponse::Ok().json(json!({ "actions": shown })))
}

/// `GET /api/v1/actions/{action}?tenant_id=T`
pub(super) async fn show(
    request: HttpRequest,
    edge: Shared,
    action: Path<String>,
) -> Answer<HttpResponse> {
    let tenant = reading::one(&request, &edge)?;
    let id = action_id(&action)?;
    let acts = edge.desk().actions(&tenant, Some(id), 1).await;
    let acts = acts.map_err(|why| no_answer(&why))?;
    let (id, act) = acts.first().ok_or_else(missing)?;
    Ok(HttpResponse::Ok().json(Shown::of(*id, act)))
}

/// `POST /api/v1/actions/{action}/rollback`: an action of its own, which goes the way of any other.
pub(super) async fn roll_back(
    request: HttpRequest,
    edge: Shared,
    action: Path<String>,
    payload: Payload,
) -> Answer<HttpResponse> {
    let token = edge.person(&request)?;
    let tenant = named(&edge, &token, &request, payload).await?;
    let about = (action_id(&action)?, token.person_id);
    let via = Via::Token {
        token_id: token.token_id,
    };
    let step = edge.desk().roll_back(&tenant, about, via).await;
    begun(step)
}

/// `POST /api/v1/actions/{action}/redrive`
pub(super) async fn redrive(
    request: HttpRequest,
    edge: Shared,
    action: Path<String>,
    payload: Payload,
) -> Answer<HttpResponse> {
    let token = edge.person(&request)?;
    let tenant = named(&edge, &token, &request, payload).await?;
    let id = action_id(&action)?;
    begun(edge.desk().redrive(&tenant, id, token.person_id).await)
}

/// `POST /api/v1/tenants/{tenant}/timers/release`: by somebody who may say yes to containment there.
pub(super) async fn release_timers(
    request: HttpRequest,
    edge: Shared,
    tenant: Path<String>,
) -> Answer<HttpResponse> {
    let token = edge.person(&request)?;
    let tenant = own(&edge, &token, &tenant)?;
    if !decides(&edge, &token, &tenant) {
        let who = "Timers are released by an approver or an emergency approver of the tenant.";
        return Err(Problem::new(Code::PolicyDenied).detail(who));
    }
    let by = format!("person:{}", token.person_id);
    let released = edge.desk().release_timers(&tenant, by).await;
    let released = released.map_err(|why| no_answer(&why))?;
    let status = if released { "released" } else { "nothing_held" };
    Ok(HttpResponse::Ok().json(json!({ "status": status, "tenant_id": tenant })))
}

/// The tenant that the body names, if the person is anything to it.
async fn named(
    edge: &Edge,
    token: &Personal,
    request: &HttpRequest,
    payload: Payload,
) -> Answer<TenantId> {
    let of: Of = input::json(request, payload, edge.body_patience()).await?;
    own(edge, token, &of.tenant_id)
}

fn decides(edge: &Edge, token: &Personal, tenant: &TenantId) -> bool {
    let keyring = edge.world.keyring.load();
    let person = keyring.people.person(&token.person_id);
    let roles = person.and_then(|person| person.roles.get(tenant));
    let decides = |role: &Role| match role {
        Role::Approver | Role::EmergencyApprover => true,
        Role::Analyst => false,
    };
    roles.is_some_and(|roles| roles.iter().any(decides))
}

/// 202 once it is on its way; what becomes of it is the action's to tell.
fn begun(step: Result<StepAnswer, NoAnswer>) -> Answer<HttpResponse> {
    match step.map_err(|why| no_answer(&why))? {
        StepAnswer::Begun(id) => {
            Ok(HttpResponse::Accepted().json(json!({ "status": "begun", "action_id": id })))
        }
        StepAnswer::Unknown => Err(missing()),
        StepAnswer::NotNow(why) => Err(Problem::new(Code::ActionNotReady).detail(why)),
        StepAnswer::Denied(policies) => {
            Err(Problem::new(Code::PolicyDenied).member("policies", policies))
        }
        StepAnswer::Withheld(why) => Err(withheld(why)),
    }
}

fn action_id(text: &str) -> Answer<ActionId> {
    text.parse().map_err(|_not_one| missing())
}

fn missing() -> Problem {
    Code::ActionNotFound.into()
}

#[cfg(test)]
mod tests;
