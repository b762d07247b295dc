//! Alerts, looked for by when they came to be, and one by its id.

use serde::Deserialize;
use serde_json::{json, value::RawValue};
use tokio::time::Instant;
use vyrox_actors::edr::{EdrError, Polled};
use vyrox_domain::time::Timestamp;

use super::Falcon;
use crate::connectors::edr::{Call, not_now};

const QUERIES: &str = "alerts/queries/alerts/v2";
const ENTITIES: &str = "alerts/entities/alerts/v2";

/// The most that are asked for at once.
const LIMIT_MAX: usize = 1000;
/// How many are fetched in one answer, which has a limit in bytes.
const FETCHED_AT_ONCE: usize = 50;

#[derive(Deserialize)]
struct Head {
    composite_id: String,
    created_timestamp: Option<String>,
}

/// The alerts that came to be from the first moment on and before the second.
pub(super) async fn poll(
    falcon: &Falcon,
    from: Timestamp,
    to: Timestamp,
    limit: usize,
) -> Result<Polled, EdrError> {
    let until = falcon.api.deadline();
    let limit = limit.clamp(1, LIMIT_MAX);
    let filter = format!("created_timestamp:>='{from}'+created_timestamp:<'{to}'");
    let query = Call::get(QUERIES)
        .query("filter", filter)
        .query("sort", "created_timestamp|asc")
        .query("limit", limit.to_string())
        .looking();
    let ids = falcon.ask::<String>(&query, until).await?;
    let ids: Vec<String> = ids.resources().take(limit).collect();
    let mut found = Vec::with_capacity(ids.len());
    for some in ids.chunks(FETCHED_AT_ONCE) {
        found.extend(fetch(falcon, some, until).await?);
    }
    let created = |(head, _): &(Head, Box<RawValue>)| {
        let text = head.created_timestamp.as_deref();
        text.and_then(Timestamp::from_rfc3339).unwrap_or(from)
    };
    found.sort_by_key(created);
    let up_to = match found.last().map(created) {
        Some(last) if ids.len() == limit => last.clamp(from, to),
        Some(_) | None => to,
    };
    let bytes = |(_, raw): (Head, Box<RawValue>)| String::from(Box::<str>::from(raw)).into_bytes();
    Ok(Polled {
        alerts: found.into_iter().map(bytes).collect(),
        up_to,
        cut: Vec::new(),
    })
}

/// One alert; `None` where Falcon knows none of this id.
pub(super) async fn one(falcon: &Falcon, id: &str) -> Result<Option<Vec<u8>>, EdrError> {
    let ids = [id.to_owned()];
    let found = match fetch(falcon, &ids, falcon.api.deadline()).await {
        Ok(found) => found,
        Err(EdrError::Refused { status: 404, .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let found = found.into_iter().find(|(head, _)| head.composite_id == id);
    Ok(found.map(|(_, raw)| raw.get().as_bytes().to_vec()))
}

async fn fetch(
    falcon: &Falcon,
    ids: &[String],
    until: Instant,
) -> Result<Vec<(Head, Box<RawValue>)>, EdrError> {
    let call = Call::post(ENTITIES)
        .json(&json!({"composite_ids": ids}))
        .looking();
    let found = falcon.ask::<Box<RawValue>>(&call, until).await?;
    let with_head = |raw: Box<RawValue>| {
        let head = serde_json::from_str(raw.get());
        let head = head.map_err(|_unfit| not_now("an alert has no id"))?;
        Ok((head, raw))
    };
    found.resources().map(with_head).collect()
}
