//! Hashes that may not run: custom indicators.

use serde_json::{Map, Value, json};
use vyrox_domain::time::Timestamp;

use super::{
    super::{
        filter,
        http::{Reply, Request},
        route::Route,
        shape::{
            Wrong, contract, error, falcon, is_hex, members, needed, object, query, text, texts,
            word,
        },
        world::{Block, World},
    },
    VENDOR,
};

pub(super) fn route(method: &str, kind: &str) -> Option<Route> {
    Some(match (method, kind) {
        ("POST", "entities") => Route::BlockHash,
        ("GET", "queries") => Route::FindBlock,
        ("GET", "entities") => Route::ReadBlock,
        ("DELETE", "entities") => Route::UnblockHash,
        _ => return None,
    })
}

pub(super) fn answer(
    world: &mut World,
    route: Route,
    request: &Request,
    now: Timestamp,
) -> Result<Reply, Wrong> {
    match route {
        Route::BlockHash => add(world, request, now),
        Route::FindBlock => find(world, request),
        Route::ReadBlock => read(world, request),
        _ => remove(world, request),
    }
}

fn add(world: &mut World, request: &Request, now: Timestamp) -> Result<Reply, Wrong> {
    query(request, &["ignore_warnings", "retrodetects"])?;
    let body = object(request, &["indicators"], &["comment"])?;
    let Some([Value::Object(indicator)]) = body
        .get("indicators")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
    else {
        return contract("`indicators` is no list of one object");
    };
    check(indicator)?;
    let kind = text(indicator, "type")?;
    let value = text(indicator, "value")?.to_owned();
    let ours = |block: &&Block| block.vendor == VENDOR && block.value == value;
    if world.blocks.iter().find(ours).is_some() {
        let row = json!({
            "type": kind,
            "value": value,
            "message_type": "error",
            "message": "Duplicate type and value combination.",
        });
        let body = json!({
            "meta": { "query_time": 0.01, "trace_id": "0" },
            "errors": [{ "code": 400, "message": "1 out of 1 indicators failed" }],
            "resources": [row],
        });
        return Ok(Reply::json(400, &body));
    }
    let id = format!("{:064x}", world.number());
    let mut shown = indicator.clone();
    shown.insert("id".to_owned(), json!(id));
    shown.insert("created_on".to_owned(), json!(now.to_string()));
    shown.insert("modified_on".to_owned(), json!(now.to_string()));
    shown.insert("deleted".to_owned(), json!(false));
    shown.insert("expired".to_owned(), json!(false));
    let body = Value::Object(shown);
    world.blocks.push(Block {
        vendor: VENDOR,
        id,
        value,
        body: body.clone(),
    });
    Ok(falcon(201, &[body]))
}

fn check(indicator: &Map<String, Value>) -> Result<(), Wrong> {
    let allowed = [
        "applied_globally",
        "host_groups",
        "source",
        "description",
        "tags",
        "expiration",
        "metadata",
        "mobile_action",
    ];
    let needed = ["type", "value", "action", "severity", "platforms"];
    members(indicator, &needed, &allowed)?;
    let digits = match word(indicator, "type", &["sha256", "md5"])? {
        "sha256" => 64,
        _ => 32,
    };
    if !is_hex(text(indicator, "value")?, digits) {
        return contract("`value` is no hash of that type");
    }
    let actions = ["no_action", "allow", "detect", "prevent", "prevent_no_ui"];
    word(indicator, "action", &actions)?;
    let severities = ["informational", "low", "medium", "high", "critical"];
    word(indicator, "severity", &severities)?;
    let platforms = texts(indicator, "platforms")?;
    let known = |platform: &String| ["windows", "mac", "linux"].contains(&platform.as_str());
    if !platforms.iter().all(known) {
        return contract("`platforms` holds something other than windows, mac, linux");
    }
    let globally = indicator.get("applied_globally") == Some(&Value::Bool(true));
    if globally == indicator.contains_key("host_groups") {
        return contract("either `applied_globally` is true, or there are `host_groups`");
    }
    Ok(())
}

fn find(world: &World, request: &Request) -> Result<Reply, Wrong> {
    query(
        request,
        &["filter", "limit", "offset", "sort", "after", "from_parent"],
    )?;
    let fields = ["value", "type", "source", "action"];
    let clauses = filter::falcon(needed(request, "filter")?, &fields)?;
    let found = filter::blocks(&world.blocks, VENDOR, &clauses)?;
    let ids: Vec<_> = found.iter().map(|block| json!(block.id)).collect();
    Ok(falcon(200, &ids))
}

fn read(world: &World, request: &Request) -> Result<Reply, Wrong> {
    query(request, &["ids"])?;
    needed(request, "ids")?;
    let asked = request.asked_list("ids");
    let ours = world.blocks.iter().filter(|block| block.vendor == VENDOR);
    let found: Vec<_> = ours
        .filter(|block| asked.contains(&block.id))
        .map(|block| block.body.clone())
        .collect();
    if found.is_empty() {
        return Ok(error(VENDOR, 404, "NotFound", "no such indicator"));
    }
    Ok(falcon(200, &found))
}

fn remove(world: &mut World, request: &Request) -> Result<Reply, Wrong> {
    query(request, &["ids", "comment", "from_parent"])?;
    needed(request, "ids")?;
    let asked = request.asked_list("ids");
    let goes = |block: &Block| block.vendor == VENDOR && asked.contains(&block.id);
    let gone: Vec<_> = world.blocks.iter().filter(|block| goes(block)).collect();
    let gone: Vec<_> = gone.iter().map(|block| json!(block.id)).collect();
    if gone.is_empty() {
        return Ok(error(VENDOR, 404, "NotFound", "no such indicator"));
    }
    world.blocks.retain(|block| !goes(block));
    Ok(falcon(200, &gone))
}
