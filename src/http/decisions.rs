//! Deciding about a proposed action without chat: by a person, with a token of their own, about exactly
//! the manifest whose digest they name.

use actix_web::{HttpRequest, HttpResponse, web::Path};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use vyrox_actors::messages::{DecideAction, Outcome, Who};
use vyrox_domain::{
    ids::{AlertId, IncidentId, TenantId},
    protocol::{NotDecided, Verb, Via},
};

use super::{
    Edge, Shared,
    admin::known,
    input,
    problem::{Answer, Code, Problem},
    tokens::Personal,
};
use crate::desk::NoAnswer;

/// The longest reason, in characters.
const REASON_MAX: usize = 1024;
/// The shortest reason for breaking the glass, in characters.
const BREAK_GLASS_MIN: usize = 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Approve {
    tenant_id: String,
    manifest_sha256: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deny {
    tenant_id: String,
    manifest_sha256: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BreakGlass {
    tenant_id: String,
    manifest_sha256: String,
    incident_id: String,
    reason: String,
}

/// `POST /api/v1/alerts/{alert}/approve`
pub(super) async fn approve(
    request: HttpRequest,
    edge: Shared,
    alert: Path<String>,
    body: actix_web::web::Payload,
) -> Answer<HttpResponse> {
    let token = edge.person(&request)?;
    let body: Approve = input::json(&request, body, edge.body_patience()).await?;
    let named = (body.tenant_id.as_str(), body.manifest_sha256.as_str());
    let order = Order::new(&edge, &token, &alert, named)?;
    decide(&edge, token, order).await
}

/// `POST /api/v1/alerts/{alert}/deny`
pub(super) async fn deny(
    request: HttpRequest,
    edge: Shared,
    alert: Path<String>,
    body: actix_web::web::Payload,
) -> Answer<HttpResponse> {
    let token = edge.person(&request)?;
    let body: Deny = input::json(&request, body, edge.body_patience()).await?;
    let reason = reason(&body.reason, 1, Code::InvalidReason)?;
    let named = (body.tenant_id.as_str(), body.manifest_sha256.as_str());
    let order = Order {
        verb: Verb::Deny,
        reason: Some(reason),
        ..Order::new(&edge, &token, &alert, named)?
    };
    decide(&edge, token, order).await
}

/// `POST /api/v1/alerts/{alert}/break-glass`
pub(super) async fn break_glass(
    request: HttpRequest,
    edge: Shared,
    alert: Path<String>,
    body: actix_web::web::Payload,
) -> Answer<HttpResponse> {
    let token = edge.person(&request)?;
    let body: BreakGlass = input::json(&request, body, edge.body_patience()).await?;
    let reason = reason(&body.reason, BREAK_GLASS_MIN, Code::InvalidBreakGlassReason)?;
    let named = (body.tenant_id.as_str(), body.manifest_sha256.as_str());
    let order = Order::new(&edge, &token, &alert, named)?;
    let incident: Result<IncidentId, _> = body.incident_id.parse();
    let order = Order {
        verb: Verb::BreakGlass,
        reason: Some(reason),
        incident_id: Some(incident.map_err(|_not_one| Problem::new(Code::IncidentNotFound))?),
        ..order
    };
    decide(&edge, token, order).await
}

/// A reason of `least` to [`REASON_MAX`] characters, without the space around it.
fn reason(text: &str, least: usize, otherwise: Code) -> Answer<String> {
    let text = text.trim();
    if (least..=REASON_MAX).contains(&text.chars().count()) {
        return Ok(text.to_owned());
    }
    let detail = format!("reason has {least} to {REASON_MAX} characters");
    Err(Problem::new(otherwise).detail(detail))
}

/// The tenant, if the person is anything to it; else it is as if there were none, and nothing of the try
/// gets onto its chain.
pub(super) fn own(edge: &Edge, token: &Personal, name: &str) -> Answer<TenantId> {
    let tenant = known(edge, name)?;
    let keyring = edge.world.keyring.load();
    let person = keyring.people.person(&token.person_id);
    let is_own = person.is_some_and(|person| person.roles.contains_key(&tenant));
    is_own
        .then_some(tenant)
        .ok_or_else(|| Problem::new(Code::TenantNotFound))
}

struct Order {
    tenant: TenantId,
    alert_id: AlertId,
    digest: String,
    verb: Verb,
    reason: Option<String>,
    incident_id: Option<IncidentId>,
}

impl Order {
    /// A yes to the manifest with this digest in this tenant, which has to be one of the person's.
    fn new(
        edge: &Edge,
        token: &Personal,
        alert: &str,
        (tenant, sha256): (&str, &str),
    ) -> Answer<Self> {
        Ok(Self {
            tenant: own(edge, token, tenant)?,
            alert_id: alert_id(alert)?,
            digest: digest(sha256)?,
            verb: Verb::Approve,
            reason: None,
            incident_id: None,
        })
    }
}

async fn decide(edge: &Edge, token: Personal, order: Order) -> Answer<HttpResponse> {
    let (reply, _) = oneshot::channel();
    let message = DecideAction {
        alert_id: order.alert_id,
        shown: Some(order.digest),
        verb: order.verb,
        who: Who::Person(token.person_id),
        via: Via::Token {
            token_id: token.token_id,
        },
        reason: order.reason,
        incident_id: order.incident_id,
        reply,
    };
    let outcome = edge.desk().decide(&order.tenant, message).await;
    let answer = Decision::of(order.alert_id, &outcome.map_err(|why| no_answer(&why))?)?;
    Ok(HttpResponse::Ok().json(answer))
}

#[derive(Serialize)]
struct Decision {
    status: &'static str,
    alert_id: AlertId,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    by: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approvals: Option<u32>,
}

impl Decision {
    fn of(alert_id: AlertId, outcome: &Outcome) -> Answer<Self> {
        let (status, by, approvals) = match outcome {
            Outcome::Granted { by, .. } => (
                "approved",
                by.iter().map(ToString::to_string).collect(),
                None,
            ),
            Outcome::Given { approvals, .. } => {
                ("second_person_needed", Vec::new(), Some(*approvals))
            }
            Outcome::Denied { by } => ("denied", vec![by.to_string()], None),
            Outcome::Refused { why, .. } => return Err(refused(*why)),
        };
        Ok(Self {
            status,
            alert_id,
            by,
            approvals,
        })
    }
}

/// Why a tenant gave no answer, for the caller.
pub(super) fn no_answer(why: &NoAnswer) -> Problem {
    let code = match why {
        NoAnswer::UnknownTenant => Code::TenantNotFound,
        NoAnswer::Suspended | NoAnswer::NotDurable(_) => Code::Unavailable,
        NoAnswer::Held => Code::ChainHeld,
        NoAnswer::TimedOut => Code::TimedOut,
    };
    Problem::new(code).detail(why.to_string())
}

fn refused(why: NotDecided) -> Problem {
    let code = match why {
        NotDecided::UnknownAction => Code::ProposalNotFound,
        NotDecided::DigestMismatch | NotDecided::DigestNeeded | NotDecided::WrongMessage => {
            Code::DigestMismatch
        }
        NotDecided::SelfApproval => Code::SelfApprovalDenied,
        NotDecided::WrongPlace
        | NotDecided::Replayed
        | NotDecided::RoleMissing
        | NotDecided::NotAPerson
        | NotDecided::PolicyDenied => Code::PolicyDenied,
        NotDecided::SamePerson | NotDecided::AlreadyDecided => Code::IllegalTransition,
        NotDecided::Expired => Code::ApprovalExpired,
        NotDecided::WrongIncident => Code::IncidentMismatch,
        NotDecided::Unsigned => Code::SigningUnavailable,
        NotDecided::Unproven => Code::AuditIntegrityFailed,
    };
    Problem::new(code).detail(format!("{}.", capitalised(why)))
}

fn capitalised(why: NotDecided) -> String {
    let text = why.to_string();
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().collect::<String>());
    first.unwrap_or_default() + chars.as_str()
}

fn alert_id(text: &str) -> Answer<AlertId> {
    text.parse()
        .map_err(|_invalid| Problem::new(Code::AlertNotFound))
}

/// The whole digest: what fits into a chat message is not enough for somebody who can paste.
fn digest(text: &str) -> Answer<String> {
    let whole = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let text = text.to_ascii_lowercase();
    whole.then_some(text).ok_or_else(|| {
        Problem::new(Code::DigestMismatch)
            .detail("manifest_sha256 has 64 hex digits; `vyrox alert show` shows it.")
    })
}
