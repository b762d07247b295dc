//! What is signed of the chains, for whoever may read them; and whether they are what was signed.

mod telling;

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CONTENT_TYPE, ContentType},
    web::Payload,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{sync::Mutex, task::spawn_blocking};
use vyrox_actors::{
    integrity::Findings,
    notary::{Office, RebaseError, RotateError, WitnessView, WitnessesView},
    registry::ChangeAuditLog,
};
use vyrox_domain::host_protocol::{AuditLogChange, AuditRebased};

use super::{
    Edge, Shared,
    admin::{caller, change},
    audit::{Alone, admitted},
    input,
    problem::{Answer, Code, Problem},
    tokens::Scope,
};

pub(crate) use telling::keep_telling;
use telling::write_what_is_not;

/// The log, and whose turn it is to change it.
pub(crate) struct SignedLog {
    office: Arc<Office>,
    turn: Mutex<()>,
}

impl SignedLog {
    pub(crate) fn new(office: &Arc<Office>) -> Self {
        Self {
            office: Arc::clone(office),
            turn: Mutex::default(),
        }
    }
}

/// A chain's newest checkpoint as a signed note.
async fn checkpoint_of(edge: &Edge, chain: String) -> Answer<Option<String>> {
    asked(edge, move |office| office.checkpoint(&chain)).await
}

/// The same, and the checkpoint of the host's log that vouches for it, with the words of witnesses.
pub(super) async fn checkpoints_of(
    edge: &Edge,
    chain: String,
) -> Answer<(Option<String>, Option<String>)> {
    let both = move |office: &Office| {
        let bundle = office.bundle(&chain).ok().flatten();
        let host = bundle.map(|bundle| bundle.host.to_string());
        (office.checkpoint(&chain), host)
    };
    asked(edge, both).await
}

/// `GET /audit/checkpoint`: the note as it was signed, byte for byte.
pub(super) async fn checkpoint(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    let (chain, Alone { .. }) = admitted(&request, &edge)?;
    let note = checkpoint_of(&edge, chain).await?;
    let note = note.ok_or_else(|| Problem::new(Code::NothingSigned))?;
    Ok(HttpResponse::Ok()
        .content_type(ContentType::plaintext())
        .body(note))
}

/// `GET /audit/prove`: all that an auditor needs beside the chain's file.
pub(super) async fn prove(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    let (chain, Alone { .. }) = admitted(&request, &edge)?;
    let bundle = asked(&edge, move |office| office.bundle(&chain)).await?;
    let bundle = bundle.map_err(|error| {
        tracing::error!(%error, "a proof could not be made");
        Problem::new(Code::JournalUnavailable).detail("The log could not be read; see the log.")
    })?;
    let bundle = bundle.ok_or_else(|| Problem::new(Code::NothingSigned))?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .body(bundle.to_json()))
}

/// `GET /audit/key`: the key that the log is signed with, those before it, and the log's checkpoint.
pub(super) async fn key(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    caller(&request, &edge, Scope::AuditRead)?;
    let log = asked(&edge, Office::log).await?;
    let log = log.ok_or_else(|| Problem::new(Code::NothingSigned))?;
    let answer = Signing {
        vkey: log.keys.last().cloned(),
        keys: log.keys,
        checkpoint: log.checkpoint,
        previous_signs_until_ms: log.overlap_until_ms,
    };
    Ok(HttpResponse::Ok().json(answer))
}

#[derive(Serialize)]
struct Signing {
    vkey: Option<String>,
    keys: Vec<String>,
    checkpoint: Option<String>,
    /// While the key before the last signs too.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_signs_until_ms: Option<u64>,
}

/// `GET /api/v1/audit/integrity`
pub(super) async fn integrity(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    caller(&request, &edge, Scope::AuditRead)?;
    let findings = edge.world.integrity.findings();
    let shown = Shown::of(&findings, &edge.world.integrity.witnesses());
    Ok(HttpResponse::Ok().json(shown))
}

#[derive(Serialize)]
struct Shown {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<Fault>,
    chains: Vec<Fault>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    witnesses: Vec<ShownWitness>,
}

#[derive(Serialize)]
struct ShownWitness {
    name: String,
    state: &'static str,
    detail: String,
    size: u64,
    cosigned_at_ms: Option<u64>,
}

#[derive(Serialize)]
struct Fault {
    #[serde(skip_serializing_if = "Option::is_none")]
    chain: Option<Arc<str>>,
    kind: &'static str,
    detail: String,
}

impl Shown {
    fn of(findings: &Findings, witnesses: &WitnessesView) -> Self {
        let host = findings.host.as_ref().map(|fault| Fault {
            chain: None,
            kind: fault.kind(),
            detail: fault.to_string(),
        });
        let chains = findings.chains.iter().map(|(chain, fault)| Fault {
            chain: Some(Arc::clone(chain)),
            kind: fault.kind(),
            detail: fault.to_string(),
        });
        Self {
            status: if findings.is_whole() {
                "whole"
            } else {
                "failed"
            },
            host,
            chains: chains.collect(),
            witnesses: witnesses.witnesses.iter().map(ShownWitness::of).collect(),
        }
    }
}

impl ShownWitness {
    fn of(witness: &WitnessView) -> Self {
        Self {
            name: witness.name.clone(),
            state: witness.state.word(),
            detail: witness.state.to_string(),
            size: witness.size,
            cosigned_at_ms: witness.cosigned_at_ms,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rebase {
    reason: String,
}

/// `POST /api/v1/audit/rebase`: what is there is the truth from now on. Answered when it is on the
/// host's chain.
pub(super) async fn rebase(
    request: HttpRequest,
    edge: Shared,
    payload: Payload,
) -> Answer<HttpResponse> {
    let by = caller(&request, &edge, Scope::TenantsWrite)?.actor;
    let Rebase { reason } = input::json(&request, payload, edge.body_patience()).await?;
    let reason = reason.trim().to_owned();
    let left = async move |edge: &Edge| {
        let rebased = asked(edge, move |office| office.rebase(reason, by)).await?;
        let rebased = rebased.map_err(|error| refused(&error))?;
        accepted(edge, &rebased).await?;
        Ok(rebased)
    };
    let rebased = in_turn(edge.clone(), left).await?;
    let integrity = &edge.world.integrity;
    let shown = Shown::of(&integrity.findings(), &integrity.witnesses());
    let answer = json!({ "rebased": rebased, "integrity": shown });
    Ok(HttpResponse::Ok().json(answer))
}

/// The rebase is on the host's chain, and containment goes on.
async fn accepted(edge: &Edge, rebased: &AuditRebased) -> Answer<()> {
    let known = edge.view.load().audit_log.clone();
    // An order that was not answered in time may have been carried out since.
    if known.as_ref() != Some(&rebased.after) {
        written(edge, AuditLogChange::Rebased(rebased.clone())).await?;
    }
    let rebased = rebased.clone();
    asked(edge, move |office| office.accept(&rebased)).await
}

fn refused(error: &RebaseError) -> Problem {
    match error {
        RebaseError::Whole => Code::IntegrityIsWhole.into(),
        RebaseError::BadReason => Problem::new(Code::InvalidRequest)
            .detail("A reason has 1 to 500 characters and no control characters."),
        RebaseError::Unchecked => Code::Unavailable.into(),
        RebaseError::Held(chain) => Problem::new(Code::ChainHeld).detail(format!(
            "The chain of {chain} is held. Repair it first: what was signed of it tells a forged copy from a good one."
        )),
        RebaseError::Log(_) | RebaseError::Key(_) => {
            tracing::error!(%error, "nothing was rebased");
            Problem::new(Code::JournalUnavailable).detail("The log could not be left; see the log.")
        }
    }
}

/// How long the old key signs too, where nothing else is said: a day.
const OVERLAP_S: u64 = 86_400;
/// And at most: a month.
const OVERLAP_MAX_S: u64 = 30 * 86_400;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    overlap_s: Option<u64>,
}

/// `POST /api/v1/audit/rotate`: another key signs the log. Answered when it is on the host's chain.
pub(super) async fn rotate(
    request: HttpRequest,
    edge: Shared,
    payload: Payload,
) -> Answer<HttpResponse> {
    let by = caller(&request, &edge, Scope::TenantsWrite)?.actor;
    let Rotate { overlap_s } = input::json(&request, payload, edge.body_patience()).await?;
    let overlap_s = overlap_s.unwrap_or(OVERLAP_S);
    if overlap_s > OVERLAP_MAX_S {
        let detail = format!("overlap_s is at most {OVERLAP_MAX_S}.");
        return Err(Problem::new(Code::InvalidRequest).detail(detail));
    }
    let both = overlap_s.saturating_mul(1000);
    let replaced = async move |edge: &Edge| {
        write_what_is_not(edge).await?;
        let rotated = asked(edge, move |office| office.rotate_key(both, by)).await?;
        let rotated = rotated.map_err(|error| not_rotated(&error))?;
        written(edge, AuditLogChange::Rotated(rotated.clone())).await?;
        Ok(rotated)
    };
    let rotated = in_turn(edge, replaced).await?;
    Ok(HttpResponse::Ok().json(json!({ "rotated": rotated })))
}

/// Changes the log once every change before is through, or the one would be written down for the other. A client that
/// hangs up meanwhile leaves nothing half done.
async fn in_turn<T: 'static>(
    edge: Shared,
    change: impl AsyncFnOnce(&Edge) -> Answer<T> + 'static,
) -> Answer<T> {
    let changing = actix_web::rt::spawn(async move {
        let _turn = edge.log.turn.lock().await;
        change(&edge).await
    });
    changing
        .await
        .map_err(|_fell| Problem::new(Code::Internal))?
}

/// Puts what became of the log on the host's chain.
async fn written(edge: &Edge, order: AuditLogChange) -> Answer<()> {
    let order = |reply| ChangeAuditLog {
        change: order,
        reply,
    };
    change(edge, order).await
}

fn not_rotated(error: &RotateError) -> Problem {
    if !matches!(error, RotateError::Overlapping { .. }) {
        tracing::error!(%error, "the log's key was not rotated");
    }
    match error {
        RotateError::Overlapping { .. } => Code::KeyOverlapRuns.into(),
        RotateError::NotNow => Problem::new(Code::AuditIntegrityFailed)
            .detail("The log is not as it should be, so its key stays; see the log."),
        RotateError::Key(_) | RotateError::Log(_) => Problem::new(Code::JournalUnavailable)
            .detail("The log's key could not be changed; see the log."),
    }
}

/// Whether every chain is what was signed of it is known anew after this; `false` where the log cannot be looked at.
pub(super) async fn look_again(edge: &Edge) -> Answer<bool> {
    asked(edge, Office::check).await
}

/// Asks the office, which may be busy with a disk.
async fn asked<T: Send + 'static>(
    edge: &Edge,
    ask: impl FnOnce(&Office) -> T + Send + 'static,
) -> Answer<T> {
    let office = Arc::clone(&edge.log.office);
    let answer = spawn_blocking(move || ask(&office)).await;
    answer.map_err(|_fell| Problem::new(Code::Internal))
}
