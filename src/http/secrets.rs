//! What a tenant's EDRs know it by, and what trusted services sign its actions with. They come in here
//! and never go out again, but for a secret that was made here: that one is shown once.

mod offered;
mod trial;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Path, Payload},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use vyrox_actors::{
    keyring::TenantKeys,
    registry::{RemoveActionSecret, RemoveEdrCredential, SetActionSecret, SetEdrCredential},
    router::Equip,
};
use vyrox_domain::{
    host::{CredentialRecord, TenantRecord},
    ids::TenantId,
    vendor::Vendor,
    webhook::Secret,
};

use self::offered::Offered;
use super::{
    Edge, Shared,
    admin::{caller, change, known},
    input,
    problem::{Answer, Code, Problem},
    tokens::Scope,
};

/// `PUT /api/v1/tenants/{tenant}/edr/{vendor}`: in force once the EDR has accepted it, unless the caller
/// says that it need not be asked.
pub(super) async fn set_edr(
    request: HttpRequest,
    edge: Shared,
    path: Path<(String, String)>,
    payload: Payload,
) -> Answer<HttpResponse> {
    let by = caller(&request, &edge, Scope::TenantsWrite)?.actor;
    let (tenant, vendor) = path.into_inner();
    let tenant_id = known(&edge, &tenant)?;
    let vendor = offered::edr(&vendor)?;
    let body = input::json(&request, payload, edge.body_patience()).await?;
    let Offered {
        credential,
        unchecked,
        overlap_s,
    } = Offered::read(vendor, body, edge.config.edr.allow_private)?;
    let edrs = edge.world.outside.edrs.as_deref();
    let whose = (&tenant_id, vendor);
    let note = if unchecked {
        trial::connect_only(edrs, whose, &credential)?;
        None
    } else {
        let checked = trial::ask(edrs, whose, &credential, edge.patience()).await?;
        Some(checked.note)
    };
    let id = tenant_id.clone();
    let checked = !unchecked;
    let set = in_force(edge, id.clone(), async move |edge| {
        change(edge, |reply| SetEdrCredential {
            tenant_id,
            vendor,
            credential,
            checked,
            overlap_s,
            by,
            reply,
        })
        .await
    });
    let version = set.await?;
    Ok(HttpResponse::Ok().json(json!({
        "tenant_id": id,
        "vendor": vendor,
        "secret_version": version,
        "checked": checked,
        "note": note,
    })))
}

/// `DELETE /api/v1/tenants/{tenant}/edr/{vendor}`: nothing is sent to that EDR any more.
pub(super) async fn remove_edr(
    request: HttpRequest,
    edge: Shared,
    path: Path<(String, String)>,
) -> Answer<HttpResponse> {
    let by = caller(&request, &edge, Scope::TenantsWrite)?.actor;
    let (tenant_id, vendor) = which(&edge, path)?;
    let id = tenant_id.clone();
    let removed = in_force(edge, id.clone(), async move |edge| {
        change(edge, |reply| RemoveEdrCredential {
            tenant_id,
            vendor,
            by,
            reply,
        })
        .await
    });
    removed.await?;
    let body = json!({ "tenant_id": id, "vendor": vendor, "status": "removed" });
    Ok(HttpResponse::Ok().json(body))
}

/// `POST /api/v1/tenants/{tenant}/edr/{vendor}/check`: asks the EDR whether it accepts what is in force.
pub(super) async fn check_edr(
    request: HttpRequest,
    edge: Shared,
    path: Path<(String, String)>,
) -> Answer<HttpResponse> {
    caller(&request, &edge, Scope::TenantsWrite)?;
    let (tenant_id, vendor) = which(&edge, path)?;
    let keyring = edge.world.keyring.load();
    let keys = keyring.tenant(tenant_id.as_str());
    let Some(credential) = keys.and_then(|keys| keys.edr.get(&vendor)) else {
        return Err(Code::CredentialNotFound.into());
    };
    let edrs = edge.world.outside.edrs.as_deref();
    let whose = (&tenant_id, vendor);
    let checked = trial::ask(edrs, whose, &credential.current, edge.patience()).await?;
    Ok(HttpResponse::Ok().json(json!({
        "ok": true,
        "tenant_id": tenant_id,
        "vendor": vendor,
        "secret_version": credential.current.version,
        "note": checked.note,
    })))
}

/// `GET /api/v1/tenants/{tenant}/edr`
pub(super) async fn list(
    request: HttpRequest,
    edge: Shared,
    tenant: Path<String>,
) -> Answer<HttpResponse> {
    caller(&request, &edge, Scope::TenantsRead)?;
    let id = known(&edge, &tenant)?;
    let view = edge.view.load();
    let record = view.tenants.get(&id);
    let record = record.ok_or_else(|| Problem::new(Code::TenantNotFound))?;
    let keyring = edge.world.keyring.load();
    let keys = keyring.tenant(id.as_str()).map(AsRef::as_ref);
    Ok(HttpResponse::Ok().json(ListBody::of(&id, record, keys)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionSecretBody {
    secret: Option<String>,
}

/// `PUT /api/v1/tenants/{tenant}/action-secret`: one that was not given is made, and shown this once.
pub(super) async fn set_action_secret(
    request: HttpRequest,
    edge: Shared,
    tenant: Path<String>,
    payload: Payload,
) -> Answer<HttpResponse> {
    let by = caller(&request, &edge, Scope::TenantsWrite)?.actor;
    let tenant_id = known(&edge, &tenant)?;
    let ActionSecretBody { secret } = input::json(&request, payload, edge.body_patience()).await?;
    let was_given = secret.is_some();
    let secret = secret.map(|text| Secret::new(text.into_bytes()));
    let id = tenant_id.clone();
    let issued = change(&edge, |reply| SetActionSecret {
        tenant_id,
        secret,
        by,
        reply,
    })
    .await?;
    let shown = (!was_given).then(|| String::from_utf8_lossy(issued.expose()));
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(json!({ "tenant_id": id, "secret": shown })))
}

/// `DELETE /api/v1/tenants/{tenant}/action-secret`
pub(super) async fn remove_action_secret(
    request: HttpRequest,
    edge: Shared,
    tenant: Path<String>,
) -> Answer<HttpResponse> {
    let by = caller(&request, &edge, Scope::TenantsWrite)?.actor;
    let tenant_id = known(&edge, &tenant)?;
    let id = tenant_id.clone();
    change(&edge, |reply| RemoveActionSecret {
        tenant_id,
        by,
        reply,
    })
    .await?;
    Ok(HttpResponse::Ok().json(json!({ "tenant_id": id, "status": "removed" })))
}

fn which(edge: &Edge, path: Path<(String, String)>) -> Answer<(TenantId, Vendor)> {
    let (tenant, vendor) = path.into_inner();
    let tenant = known(edge, &tenant)?;
    let vendor = vendor
        .parse()
        .map_err(|_unknown| Problem::new(Code::CredentialNotFound))?;
    Ok((tenant, vendor))
}

/// Makes a change of credentials and tells whoever speaks to the tenant's EDRs. A client that hangs up
/// meanwhile takes back neither.
async fn in_force<T: 'static>(
    edge: Shared,
    tenant: TenantId,
    change: impl AsyncFnOnce(&Edge) -> Answer<T> + 'static,
) -> Answer<T> {
    let changing = actix_web::rt::spawn(async move {
        let changed = change(&edge).await?;
        if edge.tenants.try_cast(Equip(tenant)).is_err() {
            tracing::error!(
                "a change of credentials was not passed on; it counts from the next start"
            );
        }
        Ok(changed)
    });
    changing
        .await
        .map_err(|_fell| Problem::new(Code::Internal))?
}

#[derive(Serialize)]
struct ListBody<'a> {
    tenant_id: &'a TenantId,
    edr: Vec<EdrBody<'a>>,
    action_secret: Option<ActionBody<'a>>,
}

#[derive(Serialize)]
struct EdrBody<'a> {
    vendor: Vendor,
    secret_version: u64,
    key_id: &'a str,
    since_ms: u64,
    host: Option<&'a str>,
    /// `None` where the credential does not open.
    base_url: Option<&'a str>,
    opens: bool,
    checked: bool,
    previous_until_ms: Option<u64>,
}

#[derive(Serialize)]
struct ActionBody<'a> {
    secret_version: u64,
    key_id: &'a str,
    since_ms: u64,
}

impl<'a> ListBody<'a> {
    fn of(tenant_id: &'a TenantId, record: &'a TenantRecord, keys: Option<&'a TenantKeys>) -> Self {
        let held = &record.credentials;
        let edr = held.edr.iter().filter_map(|(vendor, slot)| {
            let opened = keys.and_then(|keys| keys.edr.get(vendor));
            let base_url = opened.map(|keys| keys.current.base_url.as_str());
            Some(EdrBody::of(*vendor, slot.in_force.as_ref()?, base_url))
        });
        let action = held.action.in_force.as_ref();
        Self {
            tenant_id,
            edr: edr.collect(),
            action_secret: action.map(|record| ActionBody {
                secret_version: record.secret_version,
                key_id: &record.key_id,
                since_ms: record.since.ms(),
            }),
        }
    }
}

impl<'a> EdrBody<'a> {
    fn of(vendor: Vendor, record: &'a CredentialRecord, base_url: Option<&'a str>) -> Self {
        Self {
            vendor,
            secret_version: record.secret_version,
            key_id: &record.key_id,
            since_ms: record.since.ms(),
            host: record.base_host.as_deref(),
            base_url,
            opens: base_url.is_some(),
            checked: record.checked,
            previous_until_ms: record.previous.map(|previous| previous.until.ms()),
        }
    }
}
