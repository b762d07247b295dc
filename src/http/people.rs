//! People: who there is, what each may decide where, and the tokens that they decide with. A token
//! leaves here once.

mod shown;

use std::collections::BTreeSet;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Path, Payload},
};
use serde::Deserialize;
use serde_json::json;
use vyrox_actors::registry::{APPROVE, ChangePeople, IssueToken};
use vyrox_domain::{
    host_protocol::{
        PeopleChange, PersonAdded, PersonGranted, PersonLink, PersonRemoved, Provider, TokenRevoked,
    },
    ids::PersonId,
    person::Role,
};

use self::shown::{PersonBody, TokenBody};
use super::{
    Edge, Shared,
    admin::{caller, change, known},
    input,
    problem::{Answer, Code, Problem},
    tokens::Scope,
};

/// How long a token counts where nobody says, in seconds: a working day.
const TTL_S: u64 = 8 * 60 * 60;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    person_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Grant {
    roles: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    provider: String,
    account_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Issue {
    ttl_s: Option<u64>,
}

/// `POST /api/v1/people`
pub(super) async fn add(
    request: HttpRequest,
    edge: Shared,
    payload: Payload,
) -> Answer<HttpResponse> {
    let by = caller(&request, &edge, Scope::PeopleWrite)?.actor;
    let Add { person_id } = input::json(&request, payload, edge.body_patience()).await?;
    let person_id: PersonId = person_id
        .parse()
        .map_err(|_invalid| Problem::new(Code::InvalidPersonId))?;
    let id = person_id.clone();
    let body = made(
        &edge,
        &id,
        PeopleChange::Added(PersonAdded { person_id, by }),
    )
    .await?;
    Ok(HttpResponse::Created().json(body))
}

/// `GET /api/v1/people`
pub(super) async fn list(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    caller(&request, &edge, Scope::PeopleRead)?;
    let people = PersonBody::all(&edge);
    Ok(HttpResponse::Ok().json(json!({ "people": people })))
}

/// `GET /api/v1/people/{person}`
pub(super) async fn show(
    request: HttpRequest,
    edge: Shared,
    person: Path<String>,
) -> Answer<HttpResponse> {
    caller(&request, &edge, Scope::PeopleRead)?;
    let id = named(&person)?;
    Ok(HttpResponse::Ok().json(PersonBody::read(&edge, &id)?))
}

/// `DELETE /api/v1/people/{person}`
pub(super) async fn remove(
    request: HttpRequest,
    edge: Shared,
    person: Path<String>,
) -> Answer<HttpResponse> {
    let by = caller(&request, &edge, Scope::PeopleWrite)?.actor;
    let person_id = named(&person)?;
    let removed = json!({ "status": "removed", "person_id": person_id });
    let change = PeopleChange::Removed(PersonRemoved { person_id, by });
    make(&edge, change).await?;
    Ok(HttpResponse::Ok().json(removed))
}

/// `PUT /api/v1/people/{person}/roles/{tenant}`: in place of what it was there.
pub(super) async fn grant(
    request: HttpRequest,
    edge: Shared,
    path: Path<(String, String)>,
    payload: Payload,
) -> Answer<HttpResponse> {
    let by = caller(&request, &edge, Scope::PeopleWrite)?.actor;
    let (person, tenant) = path.into_inner();
    let (person_id, tenant_id) = (named(&person)?, known(&edge, &tenant)?);
    let Grant { roles } = input::json(&request, payload, edge.body_patience()).await?;
    let roles: Result<BTreeSet<Role>, _> = roles.iter().map(|role| role.parse()).collect();
    let roles = roles.map_err(|_unknown| Problem::new(Code::InvalidRole))?;
    let id = person_id.clone();
    let granted = PersonGranted {
        person_id,
        tenant_id,
        roles,
        by,
    };
    let body = made(&edge, &id, PeopleChange::Granted(granted)).await?;
    Ok(HttpResponse::Ok().json(body))
}

/// `POST /api/v1/people/{person}/links`
pub(super) async fn link(
    request: HttpRequest,
    edge: Shared,
    person: Path<String>,
    payload: Payload,
) -> Answer<HttpResponse> {
    let by = caller(&request, &edge, Scope::PeopleWrite)?.actor;
    let person_id = named(&person)?;
    let Link {
        provider,
        account_id,
    } = input::json(&request, payload, edge.body_patience()).await?;
    let provider: Provider = provider
        .parse()
        .map_err(|_unknown| Problem::new(Code::InvalidLink))?;
    let id = person_id.clone();
    let link = PersonLink {
        person_id,
        provider,
        account_id,
        by,
    };
    let body = made(&edge, &id, PeopleChange::Linked(link)).await?;
    Ok(HttpResponse::Created().json(body))
}

/// `DELETE /api/v1/people/{person}/links/{provider}/{account}`
pub(super) async fn unlink(
    request: HttpRequest,
    edge: Shared,
    path: Path<(String, String, String)>,
) -> Answer<HttpResponse> {
    let by = caller(&request, &edge, Scope::PeopleWrite)?.actor;
    let (person, provider, account_id) = path.into_inner();
    let person_id = named(&person)?;
    let provider: Provider = provider
        .parse()
        .map_err(|_unknown| Problem::new(Code::LinkNotFound))?;
    let id = person_id.clone();
    let link = PersonLink {
        person_id,
        provider,
        account_id,
        by,
    };
    let body = made(&edge, &id, PeopleChange::Unlinked(link)).await?;
    Ok(HttpResponse::Ok().json(body))
}

/// `POST /api/v1/people/{person}/tokens`
pub(super) async fn issue_token(
    request: HttpRequest,
    edge: Shared,
    person: Path<String>,
    payload: Payload,
) -> Answer<HttpResponse> {
    let by = caller(&request, &edge, Scope::PeopleWrite)?.actor;
    let person_id = named(&person)?;
    let Issue { ttl_s } = input::json(&request, payload, edge.body_patience()).await?;
    let ttl_s = ttl_s.unwrap_or(TTL_S);
    let owner = person_id.clone();
    let issued = change(&edge, |reply| IssueToken {
        person_id,
        ttl_s,
        by,
        reply,
    })
    .await?;
    let body = json!({
        "token_id": issued.token_id,
        "person_id": owner,
        "token": String::from_utf8_lossy(issued.token.expose()),
        "scopes": [APPROVE],
        "expires_at_ms": issued.expires_at,
    });
    Ok(HttpResponse::Created()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(body))
}

/// `GET /api/v1/tokens`: those that count, never their text.
pub(super) async fn tokens(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    caller(&request, &edge, Scope::PeopleRead)?;
    let tokens = TokenBody::all(&edge, edge.world.now());
    Ok(HttpResponse::Ok().json(json!({ "tokens": tokens })))
}

/// `DELETE /api/v1/tokens/{token}`
pub(super) async fn revoke_token(
    request: HttpRequest,
    edge: Shared,
    token: Path<String>,
) -> Answer<HttpResponse> {
    let by = caller(&request, &edge, Scope::PeopleWrite)?.actor;
    let token_id = token.into_inner();
    let revoked = json!({ "status": "revoked", "token_id": token_id });
    let change = PeopleChange::TokenRevoked(TokenRevoked { token_id, by });
    make(&edge, change).await?;
    Ok(HttpResponse::Ok().json(revoked))
}

/// `GET /api/v1/me`: whom the personal token that was shown stands for.
pub(super) async fn me(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    let id = edge.person(&request)?.person_id;
    Ok(HttpResponse::Ok().json(PersonBody::read(&edge, &id)?))
}

/// Makes a change about a person; gives what that person is then.
async fn made(edge: &Edge, id: &PersonId, what: PeopleChange) -> Answer<PersonBody> {
    make(edge, what).await?;
    PersonBody::read(edge, id)
}

async fn make(edge: &Edge, what: PeopleChange) -> Answer<()> {
    change(edge, |reply| ChangePeople {
        change: what,
        reply,
    })
    .await
}

/// A name in a path: what is none is answered like one that nobody has.
fn named(text: &str) -> Answer<PersonId> {
    text.parse()
        .map_err(|_invalid| Problem::new(Code::PersonNotFound))
}
