//! Microsoft Defender for Endpoint: machines, machine actions, alerts; indicators in a module of their own,
//! and the login beside it.

mod indicators;

use serde_json::{Value, json};
use vyrox_domain::{time::Timestamp, vendor::Vendor};

use super::{
    answering::Answered,
    filter::{self, Clause, Than},
    http::{Reply, Request},
    route::Route,
    shape::{Wrong, contract, error, is_hex, object, query, text, word},
    tokens::{self, Known},
    world::{Host, MachineAction, World},
};

pub(super) const VENDOR: Vendor = Vendor::Defender;

const SCOPES: [&str; 2] = [
    "https://api.securitycenter.microsoft.com/.default",
    "https://api.security.microsoft.com/.default",
];

/// Which request it is, by method and path.
pub(super) fn route(request: &Request) -> Option<Route> {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let ["api", rest @ ..] = path.as_slice() else {
        return None;
    };
    Some(match (request.method.as_str(), rest) {
        ("GET", ["machines"]) => Route::ListHosts,
        ("GET", ["machines", _]) => Route::ReadHost,
        ("POST", ["machines", _, "isolate"]) => Route::Contain,
        ("POST", ["machines", _, "unisolate"]) => Route::Release,
        ("POST", ["machines", _, "StopAndQuarantineFile"]) => Route::Mitigate,
        ("GET", ["machineactions"]) => Route::FindActions,
        ("GET", ["machineactions", _]) => Route::ReadAction,
        ("POST", ["machineactions", _, "cancel"]) => Route::CancelAction,
        ("GET", ["alerts"]) => Route::FindAlerts,
        ("GET", ["alerts", _]) => Route::ReadAlerts,
        (method, ["indicators", below @ ..]) => return indicators::route(method, below.len()),
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
    tokens::bearer(world, VENDOR, request, known.now)?;
    match route {
        Route::ListHosts => list(world, request).map(Answered::from),
        Route::ReadHost => read(world, request),
        Route::Contain => {
            let body = object(request, &["Comment", "IsolationType"], &[])?;
            word(
                &body,
                "IsolationType",
                &["Full", "Selective", "UnManagedDevice"],
            )?;
            act(world, request, "Isolate", known.now)
        }
        Route::Release => {
            object(request, &["Comment"], &[])?;
            act(world, request, "Unisolate", known.now)
        }
        Route::Mitigate => {
            let body = object(request, &["Comment", "Sha1"], &[])?;
            if !is_hex(text(&body, "Sha1")?, 40) {
                return contract("`Sha1` is none");
            }
            act(world, request, "StopAndQuarantineFile", known.now)
        }
        Route::FindActions => find_actions(world, request).map(Answered::from),
        Route::ReadAction => read_action(world, request),
        Route::CancelAction => cancel(world, request),
        Route::FindAlerts => find_alerts(world, request).map(Answered::from),
        Route::ReadAlerts => read_alert(world, request).map(Answered::from),
        _ => indicators::answer(world, route, request, known.now).map(Answered::from),
    }
}

/// The login: `POST /{realm}/oauth2/v2.0/token`.
pub(super) fn login(
    world: &mut World,
    request: &Request,
    known: &Known<'_>,
) -> Result<Reply, Wrong> {
    let needed = ["grant_type", "client_id", "client_secret", "scope"];
    let form = tokens::form(request, &needed, &[])?;
    let given = |name: &str| form.get(name).map(String::as_str);
    if given("grant_type") != Some("client_credentials") {
        return contract("`grant_type` is not client_credentials");
    }
    if !given("scope").is_some_and(|scope| SCOPES.contains(&scope)) {
        return contract("`scope` is not Defender's");
    }
    let realm = request.path.first().map(String::as_str);
    if realm != known.credential.realm.as_deref() {
        return Ok(denied(
            400,
            "invalid_request",
            "AADSTS90002: Tenant not found.",
        ));
    }
    if given("client_id") != known.credential.client_id.as_deref()
        || given("client_secret") != Some(&known.credential.secret)
    {
        let message = "AADSTS7000215: Invalid client secret provided.";
        return Ok(denied(401, "invalid_client", message));
    }
    let token = tokens::new(world, VENDOR, known.now);
    Ok(Reply::json(
        200,
        &json!({
            "token_type": "Bearer",
            "expires_in": world.token_ttl_s,
            "ext_expires_in": world.token_ttl_s,
            "access_token": token,
        }),
    ))
}

fn denied(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(
        status,
        &json!({ "error": code, "error_description": message, "error_codes": [7_000_215] }),
    )
}

fn not_found(what: &str) -> Reply {
    error(
        VENDOR,
        404,
        "ResourceNotFound",
        &format!("{what} was not found"),
    )
}

/// The id that stands second in the path: `/api/machines/ID/...`.
fn id_in(request: &Request) -> String {
    request.path.get(2).cloned().unwrap_or_default()
}

fn list(world: &World, request: &Request) -> Result<Reply, Wrong> {
    query(request, &["$top", "$filter", "$skip"])?;
    let limit = number(request, "$top", 10_000)?;
    let ours = world.hosts.iter().filter(|host| host.vendor == VENDOR);
    let machines: Vec<_> = ours.take(limit).map(machine).collect();
    Ok(collection("Machines", &machines))
}

fn read(world: &mut World, request: &Request) -> Result<Answered, Wrong> {
    query(request, &[])?;
    let id = id_in(request);
    let reply = match world.host(VENDOR, &id) {
        Some(host) => Reply::json(200, &machine(host)),
        None => not_found("the machine"),
    };
    Ok(Answered::about(Some(&id), reply))
}

fn machine(host: &Host) -> Value {
    json!({
        "id": host.id,
        "computerDnsName": host.name,
        "healthStatus": if host.online { "Active" } else { "Inactive" },
        "onboardingStatus": "Onboarded",
        "riskScore": "Medium",
        "exposureLevel": "Low",
        "osPlatform": "Windows11",
        "lastIpAddress": "192.0.2.10",
        "lastExternalIpAddress": "198.51.100.10",
        "machineTags": [],
        "rbacGroupName": "Default",
    })
}

fn act(
    world: &mut World,
    request: &Request,
    kind: &'static str,
    now: Timestamp,
) -> Result<Answered, Wrong> {
    query(request, &[])?;
    let id = id_in(request);
    let body = object(request, &["Comment"], &["IsolationType", "Sha1"])?;
    let comment = text(&body, "Comment")?.to_owned();
    let sha1 = body.get("Sha1").and_then(Value::as_str).map(str::to_owned);
    let settle_after = world.settle_after;
    if world.host(VENDOR, &id).is_none() {
        return Ok(Answered::about(Some(&id), not_found("the machine")));
    }
    let under_way = |action: &MachineAction| {
        action.host == id
            && action.kind == kind
            && matches!(action.status, "Pending" | "InProgress")
    };
    if world.actions.iter().any(under_way) {
        let message = "Action is already in progress";
        let reply = error(VENDOR, 400, "ActiveRequestAlreadyExists", message);
        return Ok(Answered::about(Some(&id), reply));
    }
    let action = MachineAction {
        id: format!("00000000-0000-4000-8000-{:012}", world.number()),
        host: id.clone(),
        kind,
        status: "Pending",
        comment,
        sha1,
        created: now,
    };
    if let Some(host) = world.host(VENDOR, &id) {
        match kind {
            "Isolate" => _ = host.told(true, settle_after),
            "Unisolate" => _ = host.told(false, settle_after),
            _ => host.settles_in = settle_after,
        }
    }
    let reply = Reply::json(201, &shown(world, &action));
    world.actions.push(action);
    Ok(Answered::about(Some(&id), reply))
}

fn shown(world: &World, action: &MachineAction) -> Value {
    let host = world.hosts.iter().find(|host| host.id == action.host);
    let file = action
        .sha1
        .as_ref()
        .map(|sha1| json!({ "fileIdentifier": sha1, "fileIdentifierType": "Sha1" }));
    json!({
        "id": action.id,
        "type": action.kind,
        "title": null,
        "requestor": "mock@contoso.example",
        "requestorComment": action.comment,
        "status": action.status,
        "machineId": action.host,
        "computerDnsName": host.map(|host| host.name.as_str()),
        "creationDateTimeUtc": action.created.to_string(),
        "lastUpdateDateTimeUtc": action.created.to_string(),
        "scope": if action.kind == "Isolate" { Some("Full") } else { None },
        "externalId": null,
        "requestSource": "PublicApi",
        "errorHResult": 0,
        "commands": [],
        "relatedFileInfo": file,
    })
}

fn find_actions(world: &mut World, request: &Request) -> Result<Reply, Wrong> {
    query(request, &["$filter", "$top", "$skip", "$orderby"])?;
    let fields = [
        "machineId",
        "type",
        "status",
        "requestor",
        "creationDateTimeUtc",
    ];
    let clauses = match request.asked("$filter") {
        Some(text) => filter::odata(text, &fields)?,
        None => Vec::new(),
    };
    newest_first(request, "creationDateTimeUtc")?;
    world.step_actions();
    let fits = |action: &&MachineAction| clauses.iter().all(|clause| fits(clause, action));
    let mut found: Vec<_> = world.actions.iter().filter(fits).collect();
    found.reverse();
    let found = found.iter().skip(number(request, "$skip", 0)?);
    let found: Vec<_> = found
        .take(number(request, "$top", 10_000)?)
        .map(|action| shown(world, action))
        .collect();
    Ok(collection("MachineActions", &found))
}

fn fits(clause: &Clause, action: &MachineAction) -> bool {
    let is = |value: &str| clause.than == Than::Equal && clause.value == value;
    match clause.field.as_str() {
        "machineId" => is(&action.host),
        "type" => is(action.kind),
        "status" => is(action.status),
        "creationDateTimeUtc" => clause.fits_moment(action.created),
        _ => is("mock@contoso.example"),
    }
}

fn read_action(world: &mut World, request: &Request) -> Result<Answered, Wrong> {
    query(request, &[])?;
    world.step_actions();
    let id = id_in(request);
    let found = world.actions.iter().find(|action| action.id == id);
    let Some(action) = found else {
        return Ok(not_found("the action").into());
    };
    let reply = Reply::json(200, &shown(world, action));
    Ok(Answered::about(Some(&action.host), reply))
}

fn cancel(world: &mut World, request: &Request) -> Result<Answered, Wrong> {
    query(request, &[])?;
    object(request, &["Comment"], &[])?;
    let id = id_in(request);
    let Some(action) = world.actions.iter_mut().find(|action| action.id == id) else {
        return Ok(not_found("the action").into());
    };
    if !matches!(action.status, "Pending" | "InProgress") {
        return Ok(error(VENDOR, 400, "BadRequest", "the action has ended").into());
    }
    action.status = "Cancelled";
    let action = action.clone();
    let was_contained = action.kind == "Unisolate";
    if let Some(host) = world.host(VENDOR, &action.host)
        && action.kind != "StopAndQuarantineFile"
    {
        host.network = if was_contained {
            super::world::Network::Contained
        } else {
            super::world::Network::Normal
        };
    }
    let reply = Reply::json(200, &shown(world, &action));
    Ok(Answered::about(Some(&action.host), reply))
}

fn find_alerts(world: &World, request: &Request) -> Result<Reply, Wrong> {
    query(
        request,
        &["$filter", "$expand", "$top", "$skip", "$orderby"],
    )?;
    let fields = ["lastUpdateTime", "alertCreationTime"];
    let clauses = match request.asked("$filter") {
        Some(text) => filter::odata(text, &fields)?,
        None => Vec::new(),
    };
    if request
        .asked("$expand")
        .is_some_and(|what| what != "evidence")
    {
        return contract("only `evidence` is expanded");
    }
    let mut found = world.alerts_that(VENDOR, &clauses);
    if let Some(order) = request.asked("$orderby")
        && order.ends_with(" desc")
    {
        found.reverse();
    }
    let with_evidence = request.asked("$expand").is_some();
    let found = found.iter().skip(number(request, "$skip", 0)?);
    let found: Vec<_> = found
        .take(number(request, "$top", 10_000)?)
        .map(|alert| evidence_or_not(&alert.body, with_evidence))
        .collect();
    Ok(collection("Alerts", &found))
}

fn read_alert(world: &World, request: &Request) -> Result<Reply, Wrong> {
    query(request, &["$expand"])?;
    let id = id_in(request);
    let is_it = |alert: &&super::world::Alert| alert.vendor == VENDOR && alert.id == id;
    Ok(match world.alerts.iter().find(is_it) {
        Some(alert) => Reply::json(200, &alert.body),
        None => not_found("the alert"),
    })
}

fn evidence_or_not(alert: &Value, with_evidence: bool) -> Value {
    let mut alert = alert.clone();
    if let (Value::Object(alert), false) = (&mut alert, with_evidence) {
        alert.insert("evidence".to_owned(), json!([]));
    }
    alert
}

fn newest_first(request: &Request, field: &str) -> Result<(), Wrong> {
    let newest = format!("{field} desc");
    match request.asked("$orderby") {
        Some(order) if order != newest => contract(format!("not sorted by `{order}` here")),
        _ => Ok(()),
    }
}

fn number(request: &Request, name: &str, default: usize) -> Result<usize, Wrong> {
    match request.asked(name) {
        Some(text) => text
            .parse()
            .or_else(|_| contract(format!("`{name}` is no number"))),
        None => Ok(default),
    }
}

fn collection(of: &str, values: &[Value]) -> Reply {
    let context = format!("https://api.securitycenter.microsoft.com/api/$metadata#{of}");
    Reply::json(200, &json!({ "@odata.context": context, "value": values }))
}
