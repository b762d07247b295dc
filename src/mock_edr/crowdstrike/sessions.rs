//! Sessions with a host, and the commands given in them.

use serde_json::{Map, Value, json};

use super::{
    super::{
        answering::Answered,
        http::{Reply, Request},
        route::Route,
        shape::{Wrong, contract, error, falcon, needed, object, query, text},
        world::{Session, Spoken, World},
    },
    VENDOR,
};

/// An answer longer than this comes in pieces.
const PIECE_CHARS: usize = 96;

pub(super) fn route(method: &str, what: &str) -> Option<Route> {
    Some(match (method, what) {
        ("POST", "sessions") => Route::OpenSession,
        ("DELETE", "sessions") => Route::CloseSession,
        ("POST", "refresh-session") => Route::RefreshSession,
        ("POST", "command") => Route::Look,
        ("GET", "command") => Route::LookResult,
        ("POST", "active-responder-command") => Route::Kill,
        ("GET", "active-responder-command") => Route::KillResult,
        _ => return None,
    })
}

pub(super) fn answer(
    world: &mut World,
    route: Route,
    request: &Request,
) -> Result<Answered, Wrong> {
    match route {
        Route::OpenSession | Route::RefreshSession => open(world, request),
        Route::CloseSession => close(world, request),
        Route::Look | Route::Kill => command(world, route, request),
        _ => result(world, request),
    }
}

fn open(world: &mut World, request: &Request) -> Result<Answered, Wrong> {
    query(request, &["timeout", "timeout_duration"])?;
    let body = object(request, &["device_id"], &["origin", "queue_offline"])?;
    let id = text(&body, "device_id")?.to_owned();
    if body
        .get("queue_offline")
        .is_some_and(|queue| queue != false)
    {
        return contract("`queue_offline` would run the command whenever the host comes back");
    }
    let session = format!("session-{}", world.number());
    let Some(host) = world.host(VENDOR, &id).filter(|host| host.online) else {
        let reply = error(VENDOR, 404, "NotFound", "Could not establish sensor comms");
        return Ok(Answered::about(Some(&id), reply));
    };
    let opened = json!({
        "session_id": session,
        "created_at": "2026-01-01T00:00:00Z",
        "existing_aid_sessions": 1,
        "offline_queued": false,
        "pwd": "C:\\",
        "scripts": [],
        "platform_id": 0,
        "hostname": host.name,
    });
    world.sessions.push(Session {
        id: session,
        host: id.clone(),
    });
    Ok(Answered::about(Some(&id), falcon(201, &[opened])))
}

fn close(world: &mut World, request: &Request) -> Result<Answered, Wrong> {
    query(request, &["session_id"])?;
    let id = needed(request, "session_id")?;
    let before = world.sessions.len();
    world.sessions.retain(|session| session.id != id);
    if world.sessions.len() == before {
        return Ok(error(VENDOR, 404, "NotFound", "no such session").into());
    }
    Ok(Reply::nothing().into())
}

fn command(world: &mut World, route: Route, request: &Request) -> Result<Answered, Wrong> {
    query(request, &[])?;
    let needed = ["base_command", "command_string", "session_id"];
    let body = object(request, &needed, &["device_id", "persist", "id"])?;
    let base = text(&body, "base_command")?;
    let id = text(&body, "session_id")?;
    let Some(session) = world.sessions.iter().find(|session| session.id == id) else {
        return Ok(error(VENDOR, 404, "NotFound", "no such session").into());
    };
    let host = session.host.clone();
    if body
        .get("device_id")
        .is_some_and(|device| *device != json!(host))
    {
        return contract("`device_id` is not the session's host");
    }
    if body.get("persist").is_some_and(|persist| *persist != false) {
        return contract("`persist` would run the command whenever the host comes back");
    }
    let (stdout, stderr) = match (route, base) {
        (Route::Look, "ps") => (processes(world, &host, &body)?, String::new()),
        (Route::Kill, "kill") => kill(world, &host, &body)?,
        (_, other) => return contract(format!("`{other}` is not a command of this list")),
    };
    let stderr = world.stderr.clone().unwrap_or(stderr);
    let spoken = Spoken {
        id: format!("command-{}", world.number()),
        session: id.to_owned(),
        base_command: base.to_owned(),
        pieces: pieces(&stdout),
        stderr,
        settles_in: world.settle_after,
    };
    let taken = json!({
        "session_id": id,
        "cloud_request_id": spoken.id,
        "queued_command_offline": false,
    });
    world.spoken.push(spoken);
    Ok(Answered::about(Some(&host), falcon(201, &[taken])))
}

fn processes(world: &mut World, host: &str, body: &Map<String, Value>) -> Result<String, Wrong> {
    if text(body, "command_string")? != "ps" {
        return contract("`ps` takes nothing");
    }
    let mut table = String::from("Name                           Id     Start Time (UTC)\r\n");
    for process in world
        .host(VENDOR, host)
        .iter()
        .flat_map(|host| &host.processes)
    {
        let row = format!(
            "{:<30} {:<6} 2026-01-01 08:00:00\r\n",
            process.image, process.pid
        );
        table.push_str(&row);
    }
    Ok(table)
}

fn kill(
    world: &mut World,
    host: &str,
    body: &Map<String, Value>,
) -> Result<(String, String), Wrong> {
    let command = text(body, "command_string")?;
    let pid = command.strip_prefix("kill ").map(str::parse::<u32>);
    let Some(Ok(pid)) = pid else {
        return contract(format!("`{command}` kills nothing"));
    };
    let refuse = world.stderr.is_some();
    let Some(host) = world.host(VENDOR, host) else {
        return contract("the session's host is gone");
    };
    let before = host.processes.len();
    if !refuse {
        host.processes.retain(|process| process.pid != pid);
    }
    if host.processes.len() == before {
        return Ok((String::new(), format!("Process {pid} was not found")));
    }
    Ok((format!("Process {pid} was terminated"), String::new()))
}

/// At least one piece, so that there is something to be told that it is the last.
fn pieces(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let pieces: Vec<String> = chars
        .chunks(PIECE_CHARS)
        .map(|piece| piece.iter().collect())
        .collect();
    if pieces.is_empty() {
        vec![String::new()]
    } else {
        pieces
    }
}

fn result(world: &mut World, request: &Request) -> Result<Answered, Wrong> {
    query(request, &["cloud_request_id", "sequence_id"])?;
    let id = needed(request, "cloud_request_id")?;
    let Ok(sequence) = needed(request, "sequence_id")?.parse::<usize>() else {
        return contract("`sequence_id` is no number");
    };
    let Some(spoken) = world.spoken.iter_mut().find(|spoken| spoken.id == id) else {
        return Ok(error(VENDOR, 404, "NotFound", "no such command").into());
    };
    let (stdout, complete) = if spoken.settles_in > 0 {
        spoken.settles_in -= 1;
        (String::new(), false)
    } else {
        let Some(piece) = spoken.pieces.get(sequence) else {
            return contract("`sequence_id` is beyond the last piece");
        };
        (piece.clone(), sequence + 1 == spoken.pieces.len())
    };
    let told = json!({
        "session_id": spoken.session,
        "task_id": spoken.id,
        "complete": complete,
        "stdout": stdout,
        "stderr": if complete { spoken.stderr.as_str() } else { "" },
        "base_command": spoken.base_command,
        "sequence_id": sequence,
    });
    let session = spoken.session.clone();
    let host = world.sessions.iter().find(|known| known.id == session);
    let host = host.map(|session| session.host.clone());
    Ok(Answered::about(host.as_ref(), falcon(200, &[told])))
}
