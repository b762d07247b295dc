//! Dead letters: messages that made their actors fall more than once, looked at, handled again or
//! dropped. They stand in memory; what was ordered about them stands on the host's chain, and is there
//! before it is done.

use actix_web::{HttpRequest, HttpResponse, web::Path};
use serde::{Deserialize, Serialize};
use vyrox_actors::{
    registry::SettleLetter,
    supervision::{DeadLetter, Reason, RedriveError, State},
};
use vyrox_domain::host_protocol::{LetterFate, LetterSettled};

use super::{
    Edge, Shared,
    admin::{caller, change, known},
    input,
    problem::{Answer, Code, Problem},
    tokens::Scope,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    tenant_id: Option<String>,
}

/// `GET /api/v1/dead-letters[?tenant_id=T]`: the newest last.
pub(super) async fn list(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    caller(&request, &edge, Scope::DeadLettersRead)?;
    let which: Which = input::query(&request)?;
    let letters = match which.tenant_id {
        None => edge.tree.dead_letters(),
        Some(name) => {
            let tenant = known(&edge, &name)?;
            edge.tree.dead_letters_under(&format!("tenant/{tenant}"))
        }
    };
    let letters: Vec<_> = letters.iter().map(LetterBody::of).collect();
    Ok(HttpResponse::Ok().json(serde_json::json!({ "dead_letters": letters })))
}

/// `POST /api/v1/dead-letters/{number}/redrive`: 202 once its message is queued again.
pub(super) async fn redrive(
    request: HttpRequest,
    edge: Shared,
    number: Path<String>,
) -> Answer<HttpResponse> {
    let by = caller(&request, &edge, Scope::DeadLettersWrite)?.actor;
    let found = find(&edge, &number)?;
    may_be_redriven(&edge, &found)?;
    settle(&edge, &found, LetterFate::Redriven, by).await?;
    let (actor, letter) = &found;
    edge.tree.redrive(actor, letter.number).map_err(problem)?;
    Ok(HttpResponse::Accepted().json(Settled::of("redriven", &found)))
}

/// `DELETE /api/v1/dead-letters/{number}`
pub(super) async fn discard(
    request: HttpRequest,
    edge: Shared,
    number: Path<String>,
) -> Answer<HttpResponse> {
    let by = caller(&request, &edge, Scope::DeadLettersWrite)?.actor;
    let found = find(&edge, &number)?;
    settle(&edge, &found, LetterFate::Discarded, by).await?;
    let (actor, letter) = &found;
    edge.tree.discard(actor, letter.number).map_err(problem)?;
    Ok(HttpResponse::Ok().json(Settled::of("discarded", &found)))
}

/// An actor's id and one of its letters.
type Found = (String, DeadLetter);

/// What is no number is answered like one that is not there.
fn find(edge: &Edge, number: &str) -> Answer<Found> {
    let missing = || Problem::new(Code::DeadLetterNotFound);
    let number: u64 = number.parse().map_err(|_invalid| missing())?;
    let mut letters = edge.tree.dead_letters().into_iter();
    letters
        .find(|(_, letter)| letter.number == number)
        .ok_or_else(missing)
}

/// Refuses what is known to come to nothing, so that the chain does not tell of it.
fn may_be_redriven(edge: &Edge, (actor, letter): &Found) -> Answer<()> {
    match edge.tree.state_of(actor) {
        _ if !letter.kept => Err(problem(RedriveError::NotKept)),
        None => Err(problem(RedriveError::NoActor)),
        Some(State::Suspended | State::Stopped) => {
            Err(problem(RedriveError::NotAdmitted(Reason::Suspended)))
        }
        Some(_) => Ok(()),
    }
}

/// Has the order written down.
async fn settle(edge: &Edge, (actor, letter): &Found, fate: LetterFate, by: String) -> Answer<()> {
    let settled = LetterSettled {
        fate,
        actor: actor.clone(),
        message: letter.message.to_owned(),
        digest: hex(letter.digest),
        number: letter.number,
        by,
    };
    change(edge, |reply| SettleLetter { settled, reply }).await
}

fn problem(error: RedriveError) -> Problem {
    match error {
        RedriveError::NoActor | RedriveError::NoLetter => Code::DeadLetterNotFound.into(),
        RedriveError::NotKept => Code::DeadLetterNotKept.into(),
        RedriveError::NotAdmitted(Reason::Full) => Problem::new(Code::Overloaded)
            .detail("The actor's queue is full; the dead letter stays where it is."),
        RedriveError::NotAdmitted(_) => Problem::new(Code::Unavailable)
            .detail("The actor takes nothing now; the dead letter stays where it is."),
    }
}

/// As everywhere that a digest is shown: 16 hex digits.
fn hex(digest: u64) -> String {
    format!("{digest:016x}")
}

#[derive(Serialize)]
struct LetterBody<'a> {
    number: u64,
    actor: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<&'a str>,
    message: &'static str,
    digest: String,
    generation: u64,
    at: u64,
    panic: &'a str,
    location: Option<&'a str>,
    kept: bool,
}

impl<'a> LetterBody<'a> {
    fn of((actor, letter): &'a Found) -> Self {
        let below = actor.strip_prefix("tenant/");
        let tenant_id = below.and_then(|rest| rest.split_once('/')).map(|it| it.0);
        Self {
            number: letter.number,
            actor,
            tenant_id,
            message: letter.message,
            digest: hex(letter.digest),
            generation: letter.generation,
            at: letter.at_ms,
            panic: &letter.panic,
            location: letter.location.as_deref(),
            kept: letter.kept,
        }
    }
}

#[derive(Serialize)]
struct Settled<'a> {
    status: &'static str,
    number: u64,
    actor: &'a str,
    message: &'static str,
    digest: String,
}

impl<'a> Settled<'a> {
    fn of(status: &'static str, (actor, letter): &'a Found) -> Self {
        Self {
            status,
            number: letter.number,
            actor,
            message: letter.message,
            digest: hex(letter.digest),
        }
    }
}
