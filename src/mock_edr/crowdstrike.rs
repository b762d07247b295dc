//! CrowdStrike Falcon: tokens, hosts, containment. Sessions and blocked hashes stand in modules of their own.

mod blocks;
mod sessions;

use serde_json::{Value, json};
use vyrox_domain::vendor::Vendor;

use super::{
    answering::Answered,
    filter,
    http::{Reply, Request},
    route::Route,
    shape::{Wrong, contract, error, falcon, falcon_of, members, needed, object, query, texts},
    tokens::{self, Known},
    world::{Host, Network, World},
};

pub(super) const VENDOR: Vendor = Vendor::Crowdstrike;

/// Which request it is, by method and path.
pub(super) fn route(request: &Request) -> Option<Route> {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    Some(match (request.method.as_str(), path.as_slice()) {
        ("POST", ["oauth2", "token"]) => Route::Token,
        ("GET", ["devices", "queries", "devices", "v1"]) => Route::ListHosts,
        ("GET" | "POST", ["devices", "entities", "devices", "v2"]) => Route::ReadHost,
        ("GET", ["devices", "entities", "online-state", "v1"]) => Route::ReadOnline,
        ("POST", ["devices", "entities", "devices-actions", "v2"]) => {
            match request.asked("action_name") {
                Some("lift_containment") => Route::Release,
                _ => Route::Contain,
            }
        }
        (method, ["real-time-response", "entities", what, "v1"]) => {
            return sessions::route(method, what);
        }
        (method, ["iocs", kind, "indicators", "v1"]) => return blocks::route(method, kind),
        ("GET", ["alerts", "queries", "alerts", "v2"]) => Route::FindAlerts,
        ("POST", ["alerts", "entities", "alerts", "v2"]) => Route::ReadAlerts,
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
    if route == Route::Token {
        return token(world, request, known).map(Answered::from);
    }
    tokens::bearer(world, VENDOR, request, known.now)?;
    match route {
        Route::ListHosts => list(world, request).map(Answered::from),
        Route::ReadHost => read(world, request),
        Route::ReadOnline => online(world, request),
        Route::Contain | Route::Release => contain(world, request),
        Route::FindAlerts => find_alerts(world, request).map(Answered::from),
        Route::ReadAlerts => read_alerts(world, request).map(Answered::from),
        Route::BlockHash | Route::FindBlock | Route::ReadBlock | Route::UnblockHash => {
            blocks::answer(world, route, request, known.now).map(Answered::from)
        }
        _ => sessions::answer(world, route, request),
    }
}

fn token(world: &mut World, request: &Request, known: &Known<'_>) -> Result<Reply, Wrong> {
    let form = tokens::form(request, &["client_id", "client_secret"], &["member_cid"])?;
    let given = |name: &str| form.get(name).map(String::as_str);
    if given("client_id") != known.credential.client_id.as_deref()
        || given("client_secret") != Some(&known.credential.secret)
    {
        let message = "access denied, invalid client id and/or secret";
        return Ok(error(VENDOR, 403, "Forbidden", message));
    }
    let token = tokens::new(world, VENDOR, known.now);
    Ok(Reply::json(
        201,
        &json!({
            "access_token": token,
            "token_type": "bearer",
            "expires_in": world.token_ttl_s,
        }),
    ))
}

fn list(world: &World, request: &Request) -> Result<Reply, Wrong> {
    query(request, &["limit", "offset", "sort", "filter"])?;
    let limit: usize = request
        .asked("limit")
        .and_then(|limit| limit.parse().ok())
        .unwrap_or(100);
    let ours = world.hosts.iter().filter(|host| host.vendor == VENDOR);
    let ids: Vec<_> = ours.map(|host| json!(host.id)).collect();
    let page: Vec<_> = ids.iter().take(limit).cloned().collect();
    Ok(falcon_of(200, &page, ids.len()))
}

/// The ids of a request that names them in its body, or in its query.
fn ids(request: &Request) -> Result<Vec<String>, Wrong> {
    if request.method == "GET" {
        query(request, &["ids"])?;
        needed(request, "ids")?;
        return Ok(request.asked_list("ids"));
    }
    query(request, &[])?;
    texts(&object(request, &["ids"], &[])?, "ids")
}

fn read(world: &mut World, request: &Request) -> Result<Answered, Wrong> {
    let ids = ids(request)?;
    let shown = |id: &String| world.host(VENDOR, id).map(device);
    let devices: Vec<_> = ids.iter().filter_map(shown).collect();
    Ok(Answered::about(ids.first(), falcon(200, &devices)))
}

fn device(host: &mut Host) -> Value {
    let status = match host.read() {
        Network::Normal => "normal",
        Network::ContainPending => "containment_pending",
        Network::Contained => "contained",
        Network::ReleasePending => "lift_containment_pending",
    };
    json!({
        "device_id": host.id,
        "cid": "0123456789abcdef0123456789abcdef",
        "hostname": host.name,
        "status": status,
        "platform_name": "Windows",
        "os_version": "Windows 11",
        "product_type_desc": "Workstation",
        "agent_version": "7.20.19003.0",
        "local_ip": "192.0.2.10",
        "external_ip": "198.51.100.10",
        "machine_domain": "contoso.example",
        "tags": [],
        "groups": [],
    })
}

fn online(world: &mut World, request: &Request) -> Result<Answered, Wrong> {
    let ids = ids(request)?;
    let shown = |id: &String| {
        let host = world.host(VENDOR, id)?;
        let state = if host.online { "online" } else { "offline" };
        Some(json!({ "id": host.id, "cid": "0123456789abcdef0123456789abcdef", "state": state }))
    };
    let states: Vec<_> = ids.iter().filter_map(shown).collect();
    Ok(Answered::about(ids.first(), falcon(200, &states)))
}

fn contain(world: &mut World, request: &Request) -> Result<Answered, Wrong> {
    query(request, &["action_name"])?;
    let contained = match needed(request, "action_name")? {
        "contain" => true,
        "lift_containment" => false,
        other => return contract(format!("no action is called `{other}`")),
    };
    let body = object(request, &["ids"], &["action_parameters"])?;
    let ids = texts(&body, "ids")?;
    let [id] = ids.as_slice() else {
        return contract("one host a request: more could be meant by none of them");
    };
    for parameter in body
        .get("action_parameters")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let Value::Object(parameter) = parameter else {
            return contract("an action parameter is no object");
        };
        members(parameter, &["name", "value"], &[])?;
    }
    let settle_after = world.settle_after;
    let Some(host) = world.host(VENDOR, id) else {
        let reply = error(VENDOR, 400, "BadRequest", "no such host");
        return Ok(Answered::about(Some(id), reply));
    };
    let reply = if host.told(contained, settle_after) {
        falcon(
            202,
            &[json!({ "id": id, "path": "/devices/entities/devices/v1" })],
        )
    } else {
        let message = "the host is already in that state or on its way there";
        error(VENDOR, 409, "Conflict", message)
    };
    Ok(Answered::about(Some(id), reply))
}

fn find_alerts(world: &World, request: &Request) -> Result<Reply, Wrong> {
    query(request, &["filter", "sort", "limit", "offset"])?;
    let fields = ["created_timestamp", "updated_timestamp", "timestamp"];
    let clauses = match request.asked("filter") {
        Some(text) => filter::falcon(text, &fields)?,
        None => Vec::new(),
    };
    let number = |name: &str, default: usize| match request.asked(name) {
        Some(text) => text
            .parse()
            .or_else(|_| contract(format!("`{name}` is no number"))),
        None => Ok(default),
    };
    let (offset, limit) = (number("offset", 0)?, number("limit", 100)?);
    let mut found = world.alerts_that(VENDOR, &clauses);
    match request.asked("sort").unwrap_or("created_timestamp.desc") {
        sort if sort.ends_with("asc") => {}
        sort if sort.ends_with("desc") => found.reverse(),
        other => return contract(format!("nothing is sorted by `{other}`")),
    }
    let total = found.len();
    let ids: Vec<_> = found
        .iter()
        .skip(offset)
        .take(limit)
        .map(|alert| json!(alert.id))
        .collect();
    Ok(Reply::json(
        200,
        &json!({
            "meta": {
                "query_time": 0.01,
                "powered_by": "mock",
                "trace_id": "00000000-0000-4000-8000-000000000000",
                "pagination": { "offset": offset, "limit": limit, "total": total },
            },
            "errors": [],
            "resources": ids,
        }),
    ))
}

fn read_alerts(world: &World, request: &Request) -> Result<Reply, Wrong> {
    query(request, &[])?;
    let asked = texts(&object(request, &["composite_ids"], &[])?, "composite_ids")?;
    let ours = world.alerts.iter().filter(|alert| alert.vendor == VENDOR);
    let found: Vec<_> = ours
        .filter(|alert| asked.contains(&alert.id))
        .map(|alert| alert.body.clone())
        .collect();
    Ok(falcon(200, &found))
}
