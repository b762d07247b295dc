//! Who may ask: tokens and keys.

use std::collections::BTreeMap;

use uuid::Uuid;
use vyrox_domain::{time::Timestamp, vendor::Vendor};

use super::{
    Credential,
    http::Request,
    shape::{Wrong, contract, error},
    world::World,
};

/// What the answering of a request may look at beside the world.
#[derive(Debug)]
pub(super) struct Known<'a> {
    /// What the vendor knows its client by.
    pub(super) credential: &'a Credential,
    /// The present.
    pub(super) now: Timestamp,
}

/// A new token, valid from now on.
pub(super) fn new(world: &mut World, vendor: Vendor, now: Timestamp) -> String {
    let token = Uuid::new_v4().simple().to_string();
    let until = now.plus_ms(world.token_ttl_s.saturating_mul(1000));
    world.tokens.insert((vendor, token.clone()), until);
    token
}

/// The request carries a token that holds.
pub(super) fn bearer(
    world: &World,
    vendor: Vendor,
    request: &Request,
    now: Timestamp,
) -> Result<(), Wrong> {
    let given = request.header("authorization").unwrap_or_default();
    let until = given
        .strip_prefix("Bearer ")
        .and_then(|token| world.tokens.get(&(vendor, token.to_owned())));
    if until.is_some_and(|until| now < *until) {
        return Ok(());
    }
    Err(error(
        vendor,
        401,
        "Unauthorized",
        "access denied, invalid bearer token",
    )
    .into())
}

/// The body as a form that holds all of `needed` and nothing beyond `allowed`, each once.
pub(super) fn form(
    request: &Request,
    needed: &[&str],
    allowed: &[&str],
) -> Result<BTreeMap<String, String>, Wrong> {
    let of_type = request.header("content-type").unwrap_or_default();
    if of_type.split(';').next() != Some("application/x-www-form-urlencoded") {
        return contract(format!(
            "the content type is `{of_type}`, not that of a form"
        ));
    }
    let mut form = BTreeMap::new();
    for (name, value) in request.form().unwrap_or_default() {
        if !needed.contains(&name.as_str()) && !allowed.contains(&name.as_str()) {
            return contract(format!("`{name}` in the form is unknown"));
        }
        if form.insert(name.clone(), value).is_some() {
            return contract(format!("`{name}` stands in the form twice"));
        }
    }
    match needed.iter().find(|name| !form.contains_key(**name)) {
        Some(missing) => contract(format!("`{missing}` in the form is missing")),
        None => Ok(form),
    }
}
