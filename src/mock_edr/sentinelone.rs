//! SentinelOne: agents, threats, the blocklist.

use serde_json::{Value, json};
use vyrox_domain::{time::Timestamp, vendor::Vendor};

use super::{
    alerts,
    answering::Answered,
    filter::{Clause, Than},
    http::{Reply, Request},
    route::Route,
    shape::{
        Wrong, contract, error, inner, is_hex, members, needed, object, query, text, texts, word,
    },
    tokens::Known,
    world::{Alert, Block, Host, Mitigation, Network, World},
};

pub(super) const VENDOR: Vendor = Vendor::Sentinelone;

/// Which request it is, by method and path.
pub(super) fn route(request: &Request) -> Option<Route> {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let ["web", "api", "v2.1", rest @ ..] = path.as_slice() else {
        return None;
    };
    let by_id = request.asked("ids").is_some() || request.asked("uuids").is_some();
    Some(match (request.method.as_str(), rest) {
        ("GET", ["agents"]) if by_id => Route::ReadHost,
        ("GET", ["agents"]) => Route::ListHosts,
        ("POST", ["agents", "actions", "disconnect"]) => Route::Contain,
        ("POST", ["agents", "actions", "connect"]) => Route::Release,
        ("POST", ["threats", "mitigate", _]) => Route::Mitigate,
        ("GET", ["threats"]) if by_id => Route::ReadAlerts,
        ("GET", ["threats"]) => Route::FindAlerts,
        ("POST", ["restrictions"]) => Route::BlockHash,
        ("GET", ["restrictions"]) => Route::FindBlock,
        ("DELETE", ["restrictions"]) => Route::UnblockHash,
        _ => return None,
    })
}

/// Does it.
pub(super) fn answer(
    world: &mut World,
    route: Route,
    request: &Request,
    known: &Known<'_>,
) -> Result<Answered, Wrong> {
    let expected = format!("ApiToken {}", known.credential.secret);
    if request.header("authorization") != Some(&expected) {
        let reply = error(VENDOR, 401, "Authentication Failed", "invalid token");
        return Ok(reply.into());
    }
    match route {
        Route::ListHosts | Route::ReadHost => read(world, request),
        Route::Contain => contain(world, request, true),
        Route::Release => contain(world, request, false),
        Route::Mitigate => mitigate(world, request, known.now),
        Route::FindAlerts | Route::ReadAlerts => {
            threats(world, request, known.now).map(Answered::from)
        }
        Route::BlockHash => block(world, request, known).map(Answered::from),
        Route::FindBlock => find_block(world, request).map(Answered::from),
        _ => unblock(world, request).map(Answered::from),
    }
}

fn read(world: &mut World, request: &Request) -> Result<Answered, Wrong> {
    query(
        request,
        &["ids", "limit", "cursor", "siteIds", "accountIds"],
    )?;
    let ids = if request.asked("ids").is_some() {
        needed(request, "ids")?;
        request.asked_list("ids")
    } else {
        let ours = world.hosts.iter().filter(|host| host.vendor == VENDOR);
        ours.map(|host| host.id.clone()).collect()
    };
    let limit = number(request, "limit", 10)?;
    let shown = |id: &String| world.host(VENDOR, id).map(agent);
    let agents: Vec<_> = ids.iter().filter_map(shown).collect();
    let total = agents.len();
    let page: Vec<_> = agents.into_iter().take(limit).collect();
    let reply = paged(&page, total, None);
    Ok(Answered::about(request.asked_list("ids").first(), reply))
}

fn agent(host: &mut Host) -> Value {
    let status = match host.read() {
        Network::Normal => "connected",
        Network::ContainPending => "disconnecting",
        Network::Contained => "disconnected",
        Network::ReleasePending => "connecting",
    };
    json!({
        "id": host.id,
        "uuid": format!("{:0<32}", host.id),
        "computerName": host.name,
        "networkStatus": status,
        "isActive": host.online,
        "isDecommissioned": false,
        "infected": false,
        "osType": "windows",
        "osName": "Windows 11 Pro",
        "agentVersion": "24.1.4.257",
        "machineType": "desktop",
        "siteId": "1000000000000000001",
        "siteName": "Default site",
        "groupId": "1000000000000000002",
        "accountId": "1000000000000000003",
    })
}

/// The ids that a request's filter names. A filter that names none would be everything there is.
fn filtered(request: &Request, allowed: &[&str]) -> Result<Vec<String>, Wrong> {
    query(request, &[])?;
    let body = object(request, &["filter"], allowed)?;
    let filter = inner(&body, "filter", &[], &["ids"])?;
    if filter.is_empty() {
        return contract("an empty filter is the whole estate");
    }
    texts(filter, "ids")
}

fn contain(world: &mut World, request: &Request, contained: bool) -> Result<Answered, Wrong> {
    let ids = filtered(request, &["data"])?;
    let settle_after = world.settle_after;
    let mut affected = 0;
    for id in &ids {
        let host = world.host(VENDOR, id);
        affected += u32::from(host.is_some_and(|host| host.told(contained, settle_after)));
    }
    let reply = Reply::json(200, &json!({ "data": { "affected": affected } }));
    Ok(Answered::about(ids.first(), reply))
}

fn mitigate(world: &mut World, request: &Request, now: Timestamp) -> Result<Answered, Wrong> {
    const ACTIONS: [&str; 6] = [
        "kill",
        "quarantine",
        "remediate",
        "rollback-remediation",
        "un-quarantine",
        "network-quarantine",
    ];
    let asked = request.path.last().map(String::as_str).unwrap_or_default();
    let Some(action) = ACTIONS.iter().find(|action| **action == asked) else {
        return contract(format!("no mitigation is called `{asked}`"));
    };
    let ids = filtered(request, &["data"])?;
    hear_of(world, &ids, now);
    let mut affected = 0;
    let of_these = |alert: &&mut Alert| alert.vendor == VENDOR && ids.contains(&alert.id);
    for threat in world.alerts.iter_mut().filter(of_these) {
        alerts::note_mitigation(&mut threat.body, action, "pending", now);
        world.mitigations.push(Mitigation {
            threat: threat.id.clone(),
            action,
            settles_in: world.settle_after,
        });
        affected += 1;
    }
    let reply = Reply::json(200, &json!({ "data": { "affected": affected } }));
    Ok(Answered::about(ids.first(), reply))
}

/// Where any host will do, any threat will.
fn hear_of(world: &mut World, ids: &[String], now: Timestamp) {
    if !world.any_host {
        return;
    }
    for id in ids {
        let is_it = |alert: &Alert| alert.vendor == VENDOR && alert.id == *id;
        if !world.alerts.iter().any(is_it) {
            world.alerts.push(alerts::new_threat(id, now));
        }
    }
}

fn threats(world: &mut World, request: &Request, now: Timestamp) -> Result<Reply, Wrong> {
    let moments = [
        ("createdAt__gt", Than::Greater),
        ("createdAt__gte", Than::NotLess),
        ("createdAt__lt", Than::Less),
        ("createdAt__lte", Than::NotGreater),
    ];
    let mut allowed = vec![
        "ids",
        "limit",
        "cursor",
        "sortBy",
        "sortOrder",
        "siteIds",
        "accountIds",
    ];
    allowed.extend(moments.iter().map(|(name, _)| *name));
    query(request, &allowed)?;
    if let Some(other) = request.asked("sortBy").filter(|by| *by != "createdAt") {
        return contract(format!("threats are not sorted by `{other}` here"));
    }
    let clauses: Vec<_> = moments
        .iter()
        .filter_map(|(name, than)| {
            let value = request.asked(name)?;
            Some(Clause::new("createdAt", *than, value))
        })
        .collect();
    if request.asked("ids").is_some() {
        needed(request, "ids")?;
    }
    let asked = request.asked_list("ids");
    hear_of(world, &asked, now);
    world.step_mitigations(&asked, now);
    let mut found = world.alerts_that(VENDOR, &clauses);
    found.retain(|threat| asked.is_empty() || asked.contains(&threat.id));
    match request.asked("sortOrder") {
        None | Some("asc") => {}
        Some("desc") => found.reverse(),
        Some(other) => return contract(format!("nothing is sorted `{other}`")),
    }
    let (start, limit) = (number(request, "cursor", 0)?, number(request, "limit", 10)?);
    let page = found.iter().skip(start).take(limit);
    let page: Vec<_> = page.map(|threat| threat.body.clone()).collect();
    let end = start.saturating_add(page.len());
    Ok(paged(
        &page,
        found.len(),
        (end < found.len()).then_some(end),
    ))
}

fn block(world: &mut World, request: &Request, known: &Known<'_>) -> Result<Reply, Wrong> {
    query(request, &[])?;
    let body = object(request, &["data", "filter"], &[])?;
    let needed = ["type", "value", "osType"];
    let data = inner(&body, "data", &needed, &["description", "source"])?;
    let filter = inner(&body, "filter", &[], &["siteIds", "accountIds", "tenant"])?;
    scope(filter)?;
    word(data, "type", &["black_hash"])?;
    let systems = ["windows", "linux", "macos", "windows_legacy"];
    let system = word(data, "osType", &systems)?.to_owned();
    let value = text(data, "value")?.to_owned();
    if !is_hex(&value, 40) && !is_hex(&value, 64) {
        return contract("`value` is neither a SHA-1 nor a SHA-256");
    }
    let same = |block: &&Block| {
        block.vendor == VENDOR
            && block.value == value
            && block.body.get("osType") == Some(&json!(system))
    };
    if world.blocks.iter().find(same).is_some() {
        return Ok(error(
            VENDOR,
            400,
            "Already exists",
            "the hash is already there",
        ));
    }
    let id = format!(
        "{}",
        2_000_000_000_000_000_000_u64.saturating_add(world.number())
    );
    let mut shown = data.clone();
    shown.insert("id".to_owned(), json!(id));
    shown.insert("createdAt".to_owned(), json!(known.now.to_string()));
    shown.insert("scope".to_owned(), Value::Object(filter.clone()));
    let body = Value::Object(shown);
    world.blocks.push(Block {
        vendor: VENDOR,
        id,
        value,
        body: body.clone(),
    });
    Ok(Reply::json(200, &json!({ "data": [body] })))
}

/// Where a block is to hold: `tenant: true`, or sites, or accounts.
fn scope(filter: &serde_json::Map<String, Value>) -> Result<(), Wrong> {
    members(filter, &[], &["siteIds", "accountIds", "tenant"])?;
    if filter.len() != 1 {
        return contract("a block holds in one kind of scope");
    }
    match filter.iter().next() {
        Some((name, value)) if name == "tenant" && *value == true => Ok(()),
        Some((name, _)) if name != "tenant" => texts(filter, name).map(|_| ()),
        _ => contract("`tenant` is not true"),
    }
}

fn find_block(world: &World, request: &Request) -> Result<Reply, Wrong> {
    let allowed = [
        "type",
        "value",
        "includeChildren",
        "includeParents",
        "siteIds",
        "accountIds",
        "tenant",
        "osTypes",
        "limit",
        "cursor",
        "ids",
    ];
    query(request, &allowed)?;
    if needed(request, "type")? != "black_hash" {
        return contract("`type` is not black_hash");
    }
    let (value, ids) = (request.asked("value"), request.asked_list("ids"));
    let fits = |block: &&Block| {
        block.vendor == VENDOR
            && value.is_none_or(|value| block.value.eq_ignore_ascii_case(value))
            && (ids.is_empty() || ids.contains(&block.id))
    };
    let found: Vec<_> = world
        .blocks
        .iter()
        .filter(fits)
        .map(|block| block.body.clone())
        .collect();
    Ok(paged(&found, found.len(), None))
}

fn unblock(world: &mut World, request: &Request) -> Result<Reply, Wrong> {
    query(request, &[])?;
    let body = object(request, &["data"], &[])?;
    let data = inner(&body, "data", &["type", "ids"], &[])?;
    word(data, "type", &["black_hash"])?;
    let ids = texts(data, "ids")?;
    let before = world.blocks.len();
    world
        .blocks
        .retain(|block| block.vendor != VENDOR || !ids.contains(&block.id));
    let affected = before.saturating_sub(world.blocks.len());
    Ok(Reply::json(
        200,
        &json!({ "data": { "affected": affected } }),
    ))
}

fn number(request: &Request, name: &str, default: usize) -> Result<usize, Wrong> {
    match request.asked(name) {
        Some(text) => text
            .parse()
            .or_else(|_| contract(format!("`{name}` is no number"))),
        None => Ok(default),
    }
}

fn paged(page: &[Value], total: usize, next: Option<usize>) -> Reply {
    let next = next.map(|next| next.to_string());
    Reply::json(
        200,
        &json!({ "data": page, "pagination": { "nextCursor": next, "totalItems": total } }),
    )
}
