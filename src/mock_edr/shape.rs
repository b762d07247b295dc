//! How each vendor words an answer, and how strictly a request's body is looked at.

use serde_json::{Map, Value, json};
use vyrox_domain::vendor::Vendor;

use super::http::{Reply, Request};

/// Why a request is not done.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wrong {
    /// It is not what the vendor's documentation says: answered 400, and written down as a violation.
    Contract(String),
    /// It is in order, and the vendor answers so.
    Answer(Reply),
}

impl From<Reply> for Wrong {
    fn from(reply: Reply) -> Self {
        Self::Answer(reply)
    }
}

pub(super) fn contract<T>(why: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong::Contract(why.into()))
}

/// An error as the vendor words it. Falcon and SentinelOne number their errors, Defender names them.
pub(super) fn error(vendor: Vendor, status: u16, code: &str, message: &str) -> Reply {
    let body = match vendor {
        Vendor::Crowdstrike => json!({
            "meta": meta(0),
            "errors": [{ "code": status, "message": message }],
            "resources": [],
        }),
        Vendor::Sentinelone => json!({
            "errors": [{
                "code": u64::from(status) * 10_000 + 10,
                "title": code,
                "detail": message,
            }],
        }),
        Vendor::Defender | Vendor::Generic => json!({
            "error": {
                "code": code,
                "message": message,
                "target": "00000000-0000-4000-8000-000000000000",
            },
        }),
    };
    Reply::json(status, &body)
}

/// Falcon's envelope around `resources`.
pub(super) fn falcon(status: u16, resources: &[Value]) -> Reply {
    falcon_of(status, resources, resources.len())
}

/// The same around some of `total`.
pub(super) fn falcon_of(status: u16, resources: &[Value], total: usize) -> Reply {
    let body = json!({ "meta": meta(total), "errors": [], "resources": resources });
    Reply::json(status, &body)
        .header("x-ratelimit-limit", "6000")
        .header("x-ratelimit-remaining", "5999")
}

fn meta(total: usize) -> Value {
    json!({
        "query_time": 0.01,
        "powered_by": "mock",
        "trace_id": "00000000-0000-4000-8000-000000000000",
        "pagination": { "offset": 0, "limit": 100, "total": total },
    })
}

/// The request's body as a JSON object of which every member is known and none that is needed is missing.
/// Names are compared letter by letter.
pub(super) fn object(
    request: &Request,
    needed: &[&str],
    allowed: &[&str],
) -> Result<Map<String, Value>, Wrong> {
    let of_type = request.header("content-type").unwrap_or_default();
    if of_type.split(';').next().map(str::trim) != Some("application/json") {
        return contract(format!("the content type is `{of_type}`"));
    }
    match serde_json::from_slice(&request.body) {
        Ok(Value::Object(body)) => members(&body, needed, allowed).map(|()| body),
        Ok(_) => contract("the body is no object"),
        Err(error) => contract(format!("the body is no JSON: {error}")),
    }
}

/// Looks at an object's members as [`object`] does.
pub(super) fn members(
    body: &Map<String, Value>,
    needed: &[&str],
    allowed: &[&str],
) -> Result<(), Wrong> {
    if let Some(missing) = needed.iter().find(|name| !body.contains_key(**name)) {
        return contract(format!("`{missing}` is missing"));
    }
    let known = |name: &str| needed.contains(&name) || allowed.contains(&name);
    match body.keys().find(|name| !known(name)) {
        Some(unknown) => contract(format!("`{unknown}` is unknown")),
        None => Ok(()),
    }
}

/// A member that is an object with these members.
pub(super) fn inner<'a>(
    body: &'a Map<String, Value>,
    name: &str,
    needed: &[&str],
    allowed: &[&str],
) -> Result<&'a Map<String, Value>, Wrong> {
    let Some(Value::Object(inner)) = body.get(name) else {
        return contract(format!("`{name}` is no object"));
    };
    members(inner, needed, allowed).map(|()| inner)
}

/// A member that is a text and not empty.
pub(super) fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Result<&'a str, Wrong> {
    match body.get(name).and_then(Value::as_str) {
        Some(text) if !text.is_empty() => Ok(text),
        _ => contract(format!("`{name}` is no text, or empty")),
    }
}

/// A member that is one of a few words.
pub(super) fn word<'a>(
    body: &'a Map<String, Value>,
    name: &str,
    words: &[&str],
) -> Result<&'a str, Wrong> {
    let found = text(body, name)?;
    if words.contains(&found) {
        Ok(found)
    } else {
        contract(format!(
            "`{name}` is `{found}`, not one of {}",
            words.join(", ")
        ))
    }
}

/// A member that is a list of texts with at least one in it.
pub(super) fn texts(body: &Map<String, Value>, name: &str) -> Result<Vec<String>, Wrong> {
    let Some(Value::Array(list)) = body.get(name) else {
        return contract(format!("`{name}` is no list"));
    };
    let found: Option<Vec<_>> = list
        .iter()
        .map(|item| item.as_str().filter(|text| !text.is_empty()))
        .map(|item| item.map(str::to_owned))
        .collect();
    match found {
        Some(found) if !found.is_empty() => Ok(found),
        Some(_) => contract(format!("`{name}` is empty")),
        None => contract(format!("`{name}` holds something that is no text")),
    }
}

/// Whether a text is so many hex digits.
pub(super) fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The query holds nothing but these.
pub(super) fn query(request: &Request, allowed: &[&str]) -> Result<(), Wrong> {
    let known = |name: &str| allowed.contains(&name);
    match request.query.iter().find(|(name, _)| !known(name)) {
        Some((unknown, _)) => contract(format!("`{unknown}` in the query is unknown")),
        None => Ok(()),
    }
}

/// A member of the query that has to be there.
pub(super) fn needed<'a>(request: &'a Request, name: &str) -> Result<&'a str, Wrong> {
    match request.asked(name) {
        Some(value) if !value.is_empty() => Ok(value),
        _ => contract(format!("`{name}` in the query is missing or empty")),
    }
}
