//! A tenant's place in chat, and the token that the host speaks there with. The code to claim a place
//! leaves here once, the token never.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Path, Payload},
};
use serde::Deserialize;
use serde_json::json;
use vyrox_actors::{
    keyring::DISCORD_BOT_TOKEN,
    registry::{IssueChatCode, ReleaseChat, SealSecret},
};
use vyrox_domain::webhook::Secret;

use super::{
    Shared,
    admin::{TenantBody, caller, change, known},
    input,
    problem::Answer,
    tokens::Scope,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BotToken {
    token: String,
}

/// `POST /api/v1/tenants/{tenant}/chat-code`
pub(super) async fn issue_code(
    request: HttpRequest,
    edge: Shared,
    tenant: Path<String>,
) -> Answer<HttpResponse> {
    let by = caller(&request, &edge, Scope::TenantsWrite)?.actor;
    let tenant_id = known(&edge, &tenant)?;
    let issued = change(&edge, |reply| IssueChatCode {
        tenant_id,
        by,
        reply,
    })
    .await?;
    let code = issued.code.text();
    let body = json!({
        "code": code.as_str(),
        "expires_at_ms": issued.expires_at,
        "say": format!("/vyrox register code:{}", code.as_str()),
    });
    Ok(HttpResponse::Created()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(body))
}

/// `DELETE /api/v1/tenants/{tenant}/chat`
pub(super) async fn release(
    request: HttpRequest,
    edge: Shared,
    tenant: Path<String>,
) -> Answer<HttpResponse> {
    let by = caller(&request, &edge, Scope::TenantsWrite)?.actor;
    let tenant_id = known(&edge, &tenant)?;
    let id = tenant_id.clone();
    change(&edge, |reply| ReleaseChat {
        tenant_id,
        by,
        reply,
    })
    .await?;
    Ok(HttpResponse::Ok().json(TenantBody::read(&edge, &id)?))
}

/// `PUT /api/v1/chat/discord/bot-token`
pub(super) async fn set_bot_token(
    request: HttpRequest,
    edge: Shared,
    payload: Payload,
) -> Answer<HttpResponse> {
    let by = caller(&request, &edge, Scope::TenantsWrite)?.actor;
    let BotToken { token } = input::json(&request, payload, edge.body_patience()).await?;
    let secret = Secret::new(token.into_bytes());
    let version = change(&edge, |reply| SealSecret {
        name: DISCORD_BOT_TOKEN,
        secret,
        by,
        reply,
    })
    .await?;
    let body = json!({ "name": DISCORD_BOT_TOKEN, "secret_version": version });
    Ok(HttpResponse::Ok().json(body))
}
