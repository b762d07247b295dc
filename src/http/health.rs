//! Health: open where it says nothing, behind a token where it shows the tree.

use std::net::IpAddr;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{header, uri::Authority},
    web::Path,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vyrox_actors::supervision::{Node, Stalls, State, ThreadNode};
use vyrox_domain::{host::TenantRecord, ids::TenantId};

use super::{
    Edge, Shared,
    admin::known,
    input,
    problem::{Answer, Code, Problem},
    tokens::Scope,
};

/// `GET /health` and `GET /health/live`: the process answers.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// `GET /health/ready`: 200, or 503 with the reasons. A stuck thread is none, for its actors move to
/// another one, nor are bytes of a chain's file that turned bad, for the chain goes on; whoever asks is
/// told of both.
pub(super) async fn ready(edge: Shared) -> Answer<HttpResponse> {
    let mut reasons = Vec::new();
    let journal = edge.world.journal.status();
    let damaged = journal.scrubbed.faults.len();
    if journal.poisoned.is_some() {
        reasons.push("journal_poisoned");
    }
    for actor in ["audit_writer", "registry", "tenants", "projector", "notary"] {
        if !edge.tree.state_of(actor).is_some_and(serves) {
            reasons.push(actor);
        }
    }
    let witnesses = edge.world.integrity.witnesses();
    if witnesses.is_silent(edge.world.now().ms()) {
        reasons.push("witnesses");
    }
    let stuck = edge.tree.stalls().threads_stuck;
    answered(
        reasons,
        Readiness {
            status: None,
            threads_stuck: (stuck > 0).then_some(stuck),
            audit_integrity: (!edge.world.integrity.findings().is_whole()).then_some("failed"),
            witnesses_failing: Some(witnesses.failing()).filter(|failing| *failing > 0),
            files_damaged: (damaged > 0).then_some(damaged),
            disk_scarce: journal.disk_scarce,
        },
    )
}

fn answered(reasons: Vec<&'static str>, mut seen: Readiness) -> Answer<HttpResponse> {
    if reasons.is_empty() {
        seen.status = Some("ready");
        return Ok(HttpResponse::Ok().json(seen));
    }
    // As a problem, for whatever else is answered as an error loses its body on its way out.
    let problem = Problem::new(Code::Unavailable)
        .detail("Not all that alerts need serves now.")
        .member("reasons", reasons);
    let members = match json!(seen) {
        Value::Object(members) => members,
        _ => serde_json::Map::new(),
    };
    let with = |problem: Problem, (name, value): (String, Value)| problem.member(&name, value);
    Err(members.into_iter().fold(problem, with))
}

/// What whoever asks is told besides.
#[derive(Default, Serialize)]
struct Readiness {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threads_stuck: Option<usize>,
    /// Containment is refused for somebody, and alerts are taken all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_integrity: Option<&'static str>,
    /// Witnesses of the log that gave no word when they were last asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    witnesses_failing: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files_damaged: Option<usize>,
    /// Alerts are refused until there is room again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disk_scarce: bool,
}

const fn serves(state: State) -> bool {
    matches!(state, State::Running | State::BackingOff)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    depth: Option<usize>,
    state: Option<String>,
}

/// `GET /health/actors[?depth=N][&state=S]`: the whole tree, and beside it the threads, what the
/// watchdog has seen and the dead letters. With `state`, nodes of that state and those above them;
/// what stands beside the tree is whole in any case.
pub(super) async fn actors(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    may_look(&request, &edge)?;
    let which: Which = input::query(&request)?;
    let mut tree = edge.tree.snapshot();
    if let Some(name) = &which.state {
        let state = State::ALL
            .into_iter()
            .find(|state| json!(state) == json!(name))
            .ok_or_else(|| {
                Problem::new(Code::InvalidQuery)
                    .detail(format!("state is one of {}", json!(State::ALL)))
            })?;
        keep(&mut tree, state);
    }
    if let Some(depth) = which.depth {
        cut(&mut tree, depth);
    }
    Ok(HttpResponse::Ok().json(Actors {
        host: tree,
        threads: edge.tree.threads(),
        stalls: edge.tree.stalls(),
        dead_letters: DeadLetters {
            held: edge.tree.dead_letters().len(),
            gone: edge.tree.dead_letters_gone(),
        },
    }))
}

#[derive(Serialize)]
struct Actors {
    host: Node,
    threads: Vec<ThreadNode>,
    stalls: Stalls,
    dead_letters: DeadLetters,
}

/// How many can be looked at, and how many went with their actors.
#[derive(Serialize)]
struct DeadLetters {
    held: usize,
    gone: u64,
}

fn keep(node: &mut Node, state: State) -> bool {
    node.children.retain_mut(|child| keep(child, state));
    node.state == state || !node.children.is_empty()
}

fn cut(node: &mut Node, depth: usize) {
    match depth.checked_sub(1) {
        None => node.children.clear(),
        Some(depth) => node.children.iter_mut().for_each(|child| cut(child, depth)),
    }
}

/// `GET /health/actors/{id}`: one node and what is below it.
pub(super) async fn actor(
    request: HttpRequest,
    edge: Shared,
    id: Path<String>,
) -> Answer<HttpResponse> {
    may_look(&request, &edge)?;
    let node = edge
        .tree
        .find(&id)
        .ok_or_else(|| Problem::new(Code::ActorNotFound))?;
    Ok(HttpResponse::Ok().json(node))
}

/// `GET /health/tenants/{tenant}`: how one tenant is served.
pub(super) async fn tenant(
    request: HttpRequest,
    edge: Shared,
    tenant: Path<String>,
) -> Answer<HttpResponse> {
    may_look(&request, &edge)?;
    let id = known(&edge, &tenant)?;
    let view = edge.view.load();
    let record = view
        .tenants
        .get(&id)
        .ok_or_else(|| Problem::new(Code::TenantNotFound))?;
    let node = edge.tree.find(&format!("tenant/{id}"));
    let stands_in = edge.world.stand_ins(id.as_str());
    let why: Vec<_> = node
        .iter()
        .flat_map(|node| &node.children)
        .filter(|child| child.state != State::Running)
        .map(|child| json!({ "actor": child.id, "state": child.state, "last_crash": child.last_crash }))
        .collect();
    Ok(HttpResponse::Ok().json(json!({
        "tenant_id": id,
        "state": tenant_state(&edge, &id, record),
        "why": why,
        "projections_stuck": edge.world.progress.stuck(id.as_str()),
        "damaged": damaged(&edge, &id),
        "unwritable": edge.world.journal.unwritable(id.as_str()),
        "held_from_seq": edge.world.journal.hold(id.as_str()).map(|hold| hold.from_seq),
        "containment_barred": edge.world.integrity.bars(id.as_str()),
        "stands_in": stands_in.as_ref().and_then(|held| held.chains.last()),
        "suspended_since_ms": record.suspended_since,
        "next_probe_at_ms": node.as_ref().and_then(|node| node.next_restart_at_ms),
        "head_seq": edge.world.journal.head(id.as_str()).map(|head| head.seq),
        "readable_seq": edge.world.progress.applied(id.as_str()),
    })))
}

/// What turned bad of the tenant's files while nobody looked.
fn damaged(edge: &Edge, id: &TenantId) -> Vec<Value> {
    let damaged = edge.world.journal.damaged(id.as_str()).into_iter();
    damaged
        .map(|(part, from_seq)| json!({ "what": part.name(), "from_seq": from_seq }))
        .collect()
}

/// `serving`, `degraded`, `suspended`, `held` or `passive`.
pub(super) fn tenant_state(edge: &Edge, id: &TenantId, record: &TenantRecord) -> &'static str {
    if edge.world.is_held(id.as_str()) {
        return "held";
    }
    let journal = &edge.world.journal;
    let whole =
        journal.damaged(id.as_str()).is_empty() && journal.unwritable(id.as_str()).is_none();
    let asleep = if whole { "passive" } else { "degraded" };
    let Some(node) = edge.tree.find(&format!("tenant/{id}")) else {
        return asleep;
    };
    if node.state == State::Suspended || record.suspended_since.is_some() {
        return "suspended";
    }
    if node.state == State::Passive || node.children.is_empty() {
        return asleep;
    }
    let well = node
        .children
        .iter()
        .all(|child| child.state == State::Running);
    let readable = edge.world.progress.stuck(id.as_str()).is_none();
    if well && readable && whole {
        "serving"
    } else {
        "degraded"
    }
}

/// Lets in a token with `health:read`; without one, only a request that this very machine made to a
/// listener that only this machine can reach, and that nobody passed on. A public URL says that
/// somebody does pass requests on.
pub(super) fn may_look(request: &HttpRequest, edge: &Edge) -> Answer<()> {
    if super::tokens::bearer(request).is_none() && edge.is_local() && is_local(request) {
        return Ok(());
    }
    edge.let_in(request, Scope::HealthRead).map(|_caller| ())
}

fn is_local(request: &HttpRequest) -> bool {
    let headers = request.headers();
    if headers.keys().any(|name| is_of_a_proxy(name.as_str())) {
        return false;
    }
    let peer = request
        .peer_addr()
        .is_some_and(|peer| peer.ip().is_loopback());
    // Only the request's own words count here: a name that merely resolves to us could be a page
    // of a stranger's in a browser on this machine.
    let host = headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(Authority::as_str));
    peer && host.is_some_and(is_loopback_host)
}

/// Whether a header says that somebody passed the request on. Names are in lower case.
fn is_of_a_proxy(header: &str) -> bool {
    ["forwarded", "x-forwarded-", "x-real-ip", "via"]
        .iter()
        .any(|start| header.starts_with(start))
}

fn is_loopback_host(host: &str) -> bool {
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let name = match bracketed {
        Some((address, _port)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _port)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reasons were lost: an answer that was no problem was taken for the framework's own.
    #[test]
    fn who_is_not_ready_says_why() {
        let seen = |files_damaged| Readiness {
            files_damaged,
            ..Readiness::default()
        };
        let ready = answered(Vec::new(), seen(None)).unwrap();
        assert_eq!(ready.status(), 200);
        let not = answered(vec!["projector", "notary"], seen(Some(2))).unwrap_err();
        assert_eq!(not.code(), Code::Unavailable);
        let said: Value = serde_json::from_str(&not.body()).unwrap();
        assert_eq!(said["reasons"], json!(["projector", "notary"]));
        assert_eq!(
            (&said["status"], &said["files_damaged"]),
            (&json!(503), &json!(2))
        );
    }

    #[test]
    fn headers_of_those_who_pass_requests_on() {
        for header in [
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-forwarded-prefix",
            "x-real-ip",
            "via",
        ] {
            assert!(is_of_a_proxy(header), "{header}");
        }
        for header in ["host", "accept", "authorization", "x-forward"] {
            assert!(!is_of_a_proxy(header), "{header}");
        }
    }

    #[test]
    fn hosts_that_are_this_machine() {
        for host in [
            "localhost",
            "LOCALHOST:8001",
            "127.0.0.1",
            "127.1.2.3:80",
            "[::1]:8001",
            "[::1]",
        ] {
            assert!(is_loopback_host(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil:80",
            "[::2]",
            "10.0.0.1",
        ] {
            assert!(!is_loopback_host(host), "{host}");
        }
    }
}
