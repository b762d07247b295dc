//! Hashes that may not run: indicators.

use serde_json::{Map, Value, json};
use vyrox_domain::time::Timestamp;

use super::{
    super::{
        filter,
        http::{Reply, Request},
        route::Route,
        shape::{Wrong, contract, is_hex, object, query, text, word},
        world::{Block, World},
    },
    VENDOR, collection, id_in, not_found,
};

/// By the method and how many segments stand below `/api/indicators`.
pub(super) fn route(method: &str, below: usize) -> Option<Route> {
    Some(match (method, below) {
        ("POST", 0) => Route::BlockHash,
        ("GET", 0) => Route::FindBlock,
        ("GET", 1) => Route::ReadBlock,
        ("DELETE", 1) => Route::UnblockHash,
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

/// The same value and type again is written over the one before.
fn add(world: &mut World, request: &Request, now: Timestamp) -> Result<Reply, Wrong> {
    query(request, &[])?;
    let needed = [
        "indicatorValue",
        "indicatorType",
        "action",
        "title",
        "description",
    ];
    let allowed = [
        "severity",
        "expirationTime",
        "generateAlert",
        "recommendedActions",
        "rbacGroupNames",
        "application",
    ];
    let body = object(request, &needed, &allowed)?;
    check(&body)?;
    let value = text(&body, "indicatorValue")?.to_owned();
    let kind = body.get("indicatorType").cloned();
    let same = |block: &Block| {
        block.vendor == VENDOR
            && block.value == value
            && block.body.get("indicatorType") == kind.as_ref()
    };
    let before = world.blocks.iter().find(|block| same(block));
    let id = before.map(|block| block.id.clone());
    let id = id.unwrap_or_else(|| world.number().to_string());
    world.blocks.retain(|block| !same(block));
    let mut shown = body;
    shown.insert("id".to_owned(), json!(id));
    shown.insert("creationTimeDateTimeUtc".to_owned(), json!(now.to_string()));
    shown.insert("createdBySource".to_owned(), json!("PublicApi"));
    let body = Value::Object(shown);
    world.blocks.push(Block {
        vendor: VENDOR,
        id,
        value,
        body: body.clone(),
    });
    Ok(Reply::json(200, &body))
}

fn check(body: &Map<String, Value>) -> Result<(), Wrong> {
    let digits = match word(
        body,
        "indicatorType",
        &["FileSha1", "FileSha256", "FileMd5"],
    )? {
        "FileSha1" => 40,
        "FileSha256" => 64,
        _ => 32,
    };
    if !is_hex(text(body, "indicatorValue")?, digits) {
        return contract("`indicatorValue` is no hash of that type");
    }
    let actions = [
        "Alert",
        "Warn",
        "Block",
        "Audit",
        "BlockAndRemediate",
        "AlertAndBlock",
        "Allowed",
    ];
    let action = word(body, "action", &actions)?;
    if action == "Audit" && body.get("generateAlert") != Some(&Value::Bool(true)) {
        return contract("`generateAlert` must be true for Audit");
    }
    if body.contains_key("severity") {
        word(
            body,
            "severity",
            &["Informational", "Low", "Medium", "High"],
        )?;
    }
    text(body, "title")?;
    text(body, "description").map(|_| ())
}

fn find(world: &World, request: &Request) -> Result<Reply, Wrong> {
    query(request, &["$filter", "$top", "$skip"])?;
    let fields = ["indicatorValue", "indicatorType", "action"];
    let clauses = match request.asked("$filter") {
        Some(text) => filter::odata(text, &fields)?,
        None => Vec::new(),
    };
    let found = filter::blocks(&world.blocks, VENDOR, &clauses)?;
    let found: Vec<_> = found.iter().map(|block| block.body.clone()).collect();
    Ok(collection("Indicators", &found))
}

fn read(world: &World, request: &Request) -> Result<Reply, Wrong> {
    query(request, &[])?;
    let id = id_in(request);
    let is_it = |block: &&Block| block.vendor == VENDOR && block.id == id;
    Ok(match world.blocks.iter().find(is_it) {
        Some(block) => Reply::json(200, &block.body),
        None => not_found("the indicator"),
    })
}

fn remove(world: &mut World, request: &Request) -> Result<Reply, Wrong> {
    query(request, &[])?;
    let id = id_in(request);
    let before = world.blocks.len();
    world
        .blocks
        .retain(|block| block.vendor != VENDOR || block.id != id);
    if world.blocks.len() == before {
        return Ok(not_found("the indicator"));
    }
    Ok(Reply::nothing())
}
