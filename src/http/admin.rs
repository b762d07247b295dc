//! Tenants: taken on, looked at, changed. Secrets leave here once.

mod refused;
mod shown;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Path, Payload},
};
use serde::Deserialize;
use tokio::sync::oneshot;
use vyrox_actors::{
    registry::{AddTenant, ChangeReply, NewWebhook, Registry, RotateSecret, UpdateTenant},
    router::Activate,
    supervision::{Classified, Failure, Handle, Reason, Serves},
};
use vyrox_domain::{
    host_protocol::Account,
    ids::TenantId,
    vendor::Vendor,
    webhook::{AuthScheme, Secret},
};

pub(super) use self::shown::TenantBody;
use self::{
    refused::registry_problem,
    shown::{issued_webhooks, shown},
};
use super::{
    Edge, Shared,
    admission::Class,
    input,
    problem::{Answer, Code, Problem},
    tokens::{Caller, Scope},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Onboard {
    tenant_id: String,
    #[serde(default)]
    webhooks: Vec<WebhookBody>,
    #[serde(default)]
    accounts: Vec<AccountBody>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookBody {
    vendor: String,
    auth: Option<String>,
    secret: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountBody {
    vendor: String,
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Update {
    #[serde(default)]
    webhooks: Vec<WebhookBody>,
    #[serde(default)]
    add_accounts: Vec<AccountBody>,
    #[serde(default)]
    remove_accounts: Vec<AccountBody>,
    llm: Option<bool>,
    chat_admin_role: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotate {
    vendor: String,
    #[serde(default)]
    overlap_s: u64,
    secret: Option<String>,
}

/// `POST /onboard`: without webhooks it gets one a vendor, each with its own secret.
pub(super) async fn onboard(
    request: HttpRequest,
    edge: Shared,
    payload: Payload,
) -> Answer<HttpResponse> {
    let caller = caller(&request, &edge, Scope::TenantsWrite)?;
    let Onboard {
        tenant_id,
        webhooks,
        accounts,
    } = input::json(&request, payload, edge.body_patience()).await?;
    let tenant_id: TenantId = tenant_id
        .parse()
        .map_err(|_invalid| Problem::new(Code::InvalidTenantId))?;
    let mut webhooks = read_webhooks(webhooks)?;
    if webhooks.is_empty() {
        webhooks = Vendor::ALL.map(default_webhook).into();
    }
    let accounts = read_accounts(accounts)?;
    let (id, by) = (tenant_id.clone(), caller.actor);
    let issued = change(&edge, |reply| AddTenant {
        tenant_id,
        webhooks,
        accounts,
        by,
        reply,
    })
    .await?;
    begin_chain(&edge, id).await;
    Ok(HttpResponse::Created().json(shown(&edge, &issued)))
}

/// The tenant's chain begins now, and not with its first alert. Should this fail or take too long,
/// that one does it.
async fn begin_chain(edge: &Edge, id: TenantId) {
    let chain = id.shared();
    let begin = async {
        edge.tenants.ask(Activate(id), edge.patience()).await?;
        edge.world.progress.reached(&chain, 0).await;
        Ok::<_, Failure>(())
    };
    match tokio::time::timeout(edge.patience(), begin).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%chain, %error, "a new tenant was not activated"),
        Err(_elapsed) => tracing::warn!(%chain, "a new tenant's chain has not begun yet"),
    }
}

/// `GET /api/v1/tenants`
pub(super) async fn list(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    caller(&request, &edge, Scope::TenantsRead)?;
    let view = edge.view.load();
    let tenants: Vec<_> = view
        .tenants
        .iter()
        .map(|(id, record)| TenantBody::of(&edge, id, record))
        .collect();
    Ok(HttpResponse::Ok().json(serde_json::json!({ "tenants": tenants })))
}

/// `GET /api/v1/tenants/{tenant}`
pub(super) async fn show(
    request: HttpRequest,
    edge: Shared,
    tenant: Path<String>,
) -> Answer<HttpResponse> {
    caller(&request, &edge, Scope::TenantsRead)?;
    let id = known(&edge, &tenant)?;
    Ok(HttpResponse::Ok().json(TenantBody::read(&edge, &id)?))
}

/// `PATCH /api/v1/tenants/{tenant}`
pub(super) async fn update(
    request: HttpRequest,
    edge: Shared,
    tenant: Path<String>,
    payload: Payload,
) -> Answer<HttpResponse> {
    let caller = caller(&request, &edge, Scope::TenantsWrite)?;
    let tenant_id = known(&edge, &tenant)?;
    let Update {
        webhooks,
        add_accounts,
        remove_accounts,
        llm,
        chat_admin_role,
    } = input::json(&request, payload, edge.body_patience()).await?;
    let webhooks = read_webhooks(webhooks)?;
    let add_accounts = read_accounts(add_accounts)?;
    let remove_accounts = read_accounts(remove_accounts)?;
    let (id, by) = (tenant_id.clone(), caller.actor);
    let issued = change(&edge, |reply| UpdateTenant {
        tenant_id,
        webhooks,
        add_accounts,
        remove_accounts,
        llm,
        chat_admin_role,
        by,
        reply,
    })
    .await?;
    let mut body = serde_json::to_value(TenantBody::read(&edge, &id)?)
        .map_err(|_never| Problem::new(Code::Internal))?;
    if let (Some(body), false) = (body.as_object_mut(), issued.webhooks.is_empty()) {
        let shown = issued_webhooks(&edge, &issued);
        body.insert("issued".into(), serde_json::json!(shown));
    }
    Ok(HttpResponse::Ok().json(body))
}

/// `POST /api/v1/tenants/{tenant}/rotate-secret`
pub(super) async fn rotate_secret(
    request: HttpRequest,
    edge: Shared,
    tenant: Path<String>,
    payload: Payload,
) -> Answer<HttpResponse> {
    let caller = caller(&request, &edge, Scope::TenantsWrite)?;
    let tenant_id = known(&edge, &tenant)?;
    let Rotate {
        vendor,
        overlap_s,
        secret,
    } = input::json(&request, payload, edge.body_patience()).await?;
    let vendor = read_vendor(&vendor)?;
    let secret = secret.map(read_secret);
    let by = caller.actor;
    let issued = change(&edge, |reply| RotateSecret {
        tenant_id,
        vendor,
        overlap_s,
        secret,
        by,
        reply,
    })
    .await?;
    Ok(HttpResponse::Ok().json(shown(&edge, &issued)))
}

/// Who calls, within that one's budget. A handler begins with this: what else the request holds is
/// read for those alone who are let in.
pub(super) fn caller(request: &HttpRequest, edge: &Edge, scope: Scope) -> Answer<Caller> {
    let caller = edge.let_in(request, scope)?;
    edge.admission
        .spend(Class::Api, &caller.token_id)
        .into_result()?;
    Ok(caller)
}

/// The tenant of that name, if there is one.
pub(super) fn known(edge: &Edge, name: &str) -> Answer<TenantId> {
    let id: TenantId = name
        .parse()
        .map_err(|_invalid| Problem::new(Code::TenantNotFound))?;
    if edge.view.load().tenants.contains_key(&id) {
        Ok(id)
    } else {
        Err(Code::TenantNotFound.into())
    }
}

/// A tenant that there is and that this caller may read of; any other is answered as if there were none.
pub(super) fn readable(edge: &Edge, caller: &Caller, name: &str) -> Answer<TenantId> {
    let tenant = known(edge, name)?;
    caller.may_read(&tenant)?;
    Ok(tenant)
}

/// Asks the registry for a change and waits until it is durable.
pub(super) async fn change<M, T>(
    edge: &Edge,
    message: impl FnOnce(ChangeReply<T>) -> M,
) -> Answer<T>
where
    M: Classified<Result = ()>,
    Registry: Serves<M>,
{
    let (reply, answer) = oneshot::channel();
    let registry: &Handle<Registry> = &edge.registry;
    if let Err(rejected) = registry.try_cast(message(reply)) {
        return Err(match rejected.reason {
            Reason::Full => Code::Overloaded.into(),
            Reason::Suspended | Reason::Closed | Reason::Fenced => Code::Unavailable.into(),
        });
    }
    match tokio::time::timeout(edge.patience(), answer).await {
        Err(_elapsed) => Err(Code::TimedOut.into()),
        Ok(Err(_gone)) => Err(Code::Unavailable.into()),
        Ok(Ok(result)) => result.map_err(|error| registry_problem(&error)),
    }
}

fn default_webhook(vendor: Vendor) -> NewWebhook {
    NewWebhook {
        vendor,
        auth: AuthScheme::VyroxHmac,
        secret: None,
    }
}

fn read_vendor(text: &str) -> Answer<Vendor> {
    text.parse()
        .map_err(|error: vyrox_domain::vendor::UnknownVendor| {
            Problem::new(Code::InvalidWebhook).detail(error.to_string())
        })
}

fn read_secret(text: String) -> Secret {
    Secret::new(text.into_bytes())
}

fn read_webhooks(bodies: Vec<WebhookBody>) -> Answer<Vec<NewWebhook>> {
    let read = |body: WebhookBody| {
        let vendor = read_vendor(&body.vendor)?;
        let auth = match body.auth.as_deref() {
            None => AuthScheme::VyroxHmac,
            Some(text) => text
                .parse()
                .map_err(|error: vyrox_domain::webhook::InvalidScheme| {
                    Problem::new(Code::InvalidWebhook).detail(error.to_string())
                })?,
        };
        Ok(NewWebhook {
            vendor,
            auth,
            secret: body.secret.map(read_secret),
        })
    };
    bodies.into_iter().map(read).collect()
}

fn read_accounts(bodies: Vec<AccountBody>) -> Answer<Vec<Account>> {
    let read = |body: AccountBody| {
        let visible = body
            .id
            .chars()
            .all(|c| !c.is_control() && !c.is_whitespace());
        let sane = visible && (1..=128).contains(&body.id.chars().count());
        match (body.vendor.parse(), sane) {
            (Ok(vendor), true) => Ok(Account {
                vendor,
                id: body.id,
            }),
            _ => Err(Problem::new(Code::InvalidAccount)),
        }
    };
    bodies.into_iter().map(read).collect()
}
