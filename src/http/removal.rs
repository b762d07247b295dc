//! Removing a tenant, with or without its evidence.

use actix_web::{HttpRequest, HttpResponse, web::Path};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;
use vyrox_actors::{
    messages::NotErased,
    registry::{FinishRemoval, Finished, RemoveTenant},
    router::Remove,
};
use vyrox_domain::{host_protocol::TenantRemoved, ids::TenantId};

use super::{
    Edge, Shared,
    admin::{caller, change},
    decisions::no_answer,
    input,
    problem::{Answer, Code, Problem},
    tokens::Scope,
};
use crate::desk::NoAnswer;

/// In the query, since a body of a DELETE may get lost on its way.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    reason: String,
    #[serde(default)]
    erase: bool,
    #[serde(default)]
    force: bool,
}

/// `DELETE /api/v1/tenants/{tenant}?reason=R[&erase=true][&force=true]`: first what would be left without
/// anybody to see to it, then the tenant's own chain, then the host's, then the bytes.
pub(super) async fn remove(
    request: HttpRequest,
    edge: Shared,
    tenant: Path<String>,
) -> Answer<HttpResponse> {
    let by = caller(&request, &edge, Scope::TenantsWrite)?.actor;
    let tenant = known_once(&edge, &tenant)?;
    let mut order: Order = input::query(&request)?;
    order.reason = order.reason.trim().to_owned();
    if edge.view.load().tenants.contains_key(&tenant) {
        let checked = nothing_open(&edge, &tenant).await;
        forced(&order, checked)?;
        if order.erase {
            let erased = erase_all(&edge, &tenant, &order, by.clone()).await;
            forced(&order, erased)?;
        }
    }
    if !was_removed(&edge, &tenant, order.erase) {
        let removed = TenantRemoved {
            tenant_id: tenant.clone(),
            erased: order.erase,
            reason: order.reason.clone(),
            by,
        };
        change(&edge, |reply| RemoveTenant { removed, reply }).await?;
    }
    let rested = edge.tenants.ask(Remove(tenant.clone()), edge.patience());
    if rested.await.is_err() {
        tracing::warn!(%tenant, "a removed tenant's actors have not come to rest yet");
    }
    let erased = was_removed(&edge, &tenant, true);
    let finished = finish(&edge, &tenant, erased).await;
    Ok(answer(&tenant, erased, finished))
}

/// The tenant is removed whatever is left: who hears that it failed would take it for one that is there.
fn answer(tenant: &TenantId, erased: bool, finished: Finished) -> HttpResponse {
    let left = [
        ("secrets", finished.secrets_left),
        ("evidence", finished.evidence_left),
    ];
    let left = left.into_iter().filter(|(_, left)| *left);
    let mut unfinished: Vec<_> = left.map(|(what, _)| what.to_owned()).collect();
    unfinished.extend(finished.erased.unfinished);
    let mut answer = if unfinished.is_empty() {
        HttpResponse::Ok()
    } else {
        HttpResponse::Accepted()
    };
    answer.json(json!({
        "status": "removed",
        "tenant_id": tenant,
        "erased": erased,
        "copies": finished.erased.copies,
        "unfinished": unfinished,
    }))
}

/// What came in while the tenant was being removed goes as well. The key that it is sealed under goes
/// first: then nobody can read what this might not reach. However long it takes, it goes on.
async fn finish(edge: &Edge, tenant: &TenantId, erased: bool) -> Finished {
    let (reply, told) = oneshot::channel();
    let message = FinishRemoval {
        tenant: tenant.clone(),
        reply,
    };
    if edge.registry.try_cast(message).is_ok()
        && let Ok(Ok(finished)) = told.await
    {
        return finished;
    }
    // The registry fell or has too much to do. It looks for what is left when it starts.
    Finished {
        secrets_left: true,
        evidence_left: erased,
        ..Finished::default()
    }
}

/// A tenant that there is or was: one that was removed may still lose its evidence.
fn known_once(edge: &Edge, name: &str) -> Answer<TenantId> {
    let id: TenantId = name
        .parse()
        .map_err(|_invalid| Problem::new(Code::TenantNotFound))?;
    let view = edge.view.load();
    if view.tenants.contains_key(&id) || view.removed.contains_key(&id) {
        return Ok(id);
    }
    Err(Code::TenantNotFound.into())
}

/// Whether its chain has that already: then only what is left of it is to be done.
fn was_removed(edge: &Edge, tenant: &TenantId, erase: bool) -> bool {
    let view = edge.view.load();
    let removed = view.removed.get(tenant);
    removed.is_some_and(|removed| removed.erased || !erase)
}

/// A host that is cut off must not be left without anybody who could lift that.
async fn nothing_open(edge: &Edge, tenant: &TenantId) -> Answer<()> {
    let acts = edge.desk().open_acts(tenant).await;
    let acts = acts.map_err(|why| no_answer(&why))?;
    if acts.is_empty() {
        return Ok(());
    }
    let open: Vec<_> = acts
        .iter()
        .map(|(id, host)| json!({ "action_id": id, "host": host }))
        .collect();
    Err(Problem::new(Code::TenantInUse).member("actions", open))
}

/// Erases what the tenant's own chain names, and says so there.
async fn erase_all(edge: &Edge, tenant: &TenantId, order: &Order, by: String) -> Answer<()> {
    let desk = edge.desk();
    let erased = desk.erase_all(tenant, order.reason.clone(), by).await;
    match erased.map_err(|why: NoAnswer| no_answer(&why))? {
        // What is not complete yet is written down, and is completed below.
        Some(Ok(_) | Err(NotErased::Gone | NotErased::NotComplete(_))) => Ok(()),
        Some(Err(NotErased::Refused(refusal))) => {
            Err(Problem::new(Code::InvalidReason).detail(refusal.to_string()))
        }
        Some(Err(NotErased::Busy)) => Err(Problem::new(Code::Overloaded)
            .detail("An erasure of this tenant is under way; try again when it is through.")),
        Some(Err(why)) => {
            tracing::error!(%tenant, ?why, "a tenant's evidence was not erased");
            Err(Problem::new(Code::NotDurable)
                .detail("The evidence could not be erased, so the tenant was not removed."))
        }
        None => Err(Code::TimedOut.into()),
    }
}

/// With force, a tenant that gives no answer or has something under way is removed all the same.
fn forced(order: &Order, checked: Answer<()>) -> Answer<()> {
    match checked {
        Err(problem) if order.force => {
            tracing::warn!(
                code = problem.code().as_str(),
                "a tenant is removed by force"
            );
            Ok(())
        }
        checked => checked,
    }
}
