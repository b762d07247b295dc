//! Whose things a caller wants to read, and how many: the same for each kind of thing.

use actix_web::HttpRequest;
use serde::Deserialize;
use vyrox_domain::ids::TenantId;

use super::{
    Edge,
    admin::{caller, readable},
    input,
    problem::Answer,
    tokens::Scope,
};

/// A listing's length where none is asked for.
const PAGE: usize = 50;
/// The longest listing.
const PAGE_MAX: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    tenant_id: String,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Of {
    pub(super) tenant_id: String,
}

/// `?tenant_id=T[&limit=N]`: whose, and at most how many.
pub(super) fn many(request: &HttpRequest, edge: &Edge) -> Answer<(TenantId, usize)> {
    let caller = caller(request, edge, Scope::AlertsRead)?;
    let query: List = input::query(request)?;
    let tenant = readable(edge, &caller, &query.tenant_id)?;
    Ok((tenant, input::length(query.limit, PAGE, PAGE_MAX)?))
}

/// `?tenant_id=T`: whose.
pub(super) fn one(request: &HttpRequest, edge: &Edge) -> Answer<TenantId> {
    let caller = caller(request, edge, Scope::AlertsRead)?;
    let query: Of = input::query(request)?;
    readable(edge, &caller, &query.tenant_id)
}
