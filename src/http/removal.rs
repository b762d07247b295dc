//! Removing a tenant, with or without its evidence.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web::Path};
use serde::Deserialize;
use serde_json::json;
use vyrox_actors::{
    held::owner,
    journal::{Erased, Journal, JournalError},
    messages::NotErased,
    registry::RemoveTenant,
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
    if !(order.erase && was_erased(&edge, &tenant)) {
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
    let erased = if order.erase {
        overwrite(&edge, &tenant).await?
    } else {
        Erased::default()
    };
    let mut answer = if erased.unfinished.is_empty() {
        HttpResponse::Ok()
    } else {
        HttpResponse::Accepted()
    };
    Ok(answer.json(json!({
        "status": "removed",
        "tenant_id": tenant,
        "erased": order.erase,
        "copies": erased.copies,
        "unfinished": erased.unfinished,
    })))
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

/// Then only the bytes are to be seen to, should that have failed.
fn was_erased(edge: &Edge, tenant: &TenantId) -> bool {
    let view = edge.view.load();
    view.removed
        .get(tenant)
        .is_some_and(|removed| removed.erased)
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

/// What came in while the tenant was being removed goes as well. The key that it is sealed under is
/// destroyed by now, so nobody can read what this might not reach.
async fn overwrite(edge: &Edge, tenant: &TenantId) -> Answer<Erased> {
    let (journal, tenant_id) = (Arc::clone(&edge.world.journal), tenant.clone());
    let erase = move || overwrite_all(&*journal, &tenant_id);
    let erased = tokio::task::spawn_blocking(erase).await;
    let erased = erased.map_err(|_fell| Problem::new(Code::Internal))?;
    erased.map_err(|error| {
        tracing::error!(%tenant, %error, "a removed tenant's evidence is not overwritten yet");
        Problem::new(Code::NotDurable).detail(
            "The tenant is removed and its key destroyed; its bytes could not be overwritten yet.",
        )
    })
}

/// Erases the tenant's own chain and those that ever stood in for it. One that fails keeps no other from
/// it; the first failure is the answer.
fn overwrite_all(journal: &dyn Journal, tenant: &TenantId) -> Result<Erased, JournalError> {
    let mut all = Ok(Erased::default());
    let mut chains = journal.chains();
    chains.retain(|chain| owner(chain) == tenant.as_str());
    for chain in chains {
        let Some(head) = journal.head(&chain) else {
            continue;
        };
        let erased = journal.erase(&chain, &[(0, head.seq)]);
        all = all.and_then(|all: Erased| {
            erased.map(|erased| Erased {
                entries: all.entries.saturating_add(erased.entries),
                // Those of the journal, and not of one chain.
                copies: erased.copies,
                unfinished: erased.unfinished,
            })
        });
    }
    all
}
