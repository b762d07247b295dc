//! `POST /webhook`: an external worker's signed word to a tenant's people.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use serde::Deserialize;
use serde_json::json;
use vyrox_domain::{alert::Severity, ids::TenantId, signature::signs};

use super::{
    admission::{Class, Source},
    body, input,
    interactions::{
        ChatDoor,
        desk::{Announced, Announcement},
    },
    problem::{Answer, Code, Problem},
    webhooks::{refused, turned_away},
};

/// The largest body; a text of the longest kind fits with every character escaped.
const BODY_BYTES: usize = 64 * 1024;

/// The longest text, in characters: what it is wrapped in fits into one message beside it.
const TEXT_MAX: usize = 1500;

/// What a worker sends. Members that are not listed are let be: workers are not ours to change.
#[derive(Deserialize)]
struct Notification {
    tenant_id: String,
    text: String,
    severity: Option<String>,
}

/// Takes a notification that is signed with the service key.
pub(super) async fn receive(
    request: HttpRequest,
    payload: Payload,
    door: Data<ChatDoor>,
) -> Answer<HttpResponse> {
    let source = Source::of_peer(request.peer_addr().map(|address| address.ip()));
    let place = door.admission.enter(source).map_err(refused)?;
    let Some(key) = &door.service_key else {
        return Err(Code::NotifyNotProvisioned.into());
    };
    body::acceptable(&request, BODY_BYTES)?;
    let bytes = body::read(payload, BODY_BYTES, door.body_within).await?;
    let signature = input::sole_header(&request, "X-Vyrox-Signature");
    let signature = signature.and_then(|bytes| std::str::from_utf8(bytes).ok());
    if !signs(key, &bytes, signature.unwrap_or_default()) {
        return Err(turned_away(&door.admission, source));
    }
    let announcement = read(&bytes)?;
    let tenant = &announcement.tenant;
    if !door.desk.knows(tenant) {
        return Err(Code::TenantNotFound.into());
    }
    let place = place.speaks_for(tenant).map_err(refused)?;
    let budget = door.admission.spend(Class::Notify, &tenant.shared());
    budget.into_result()?;
    let announced = door.desk.say(announcement);
    let announced = tokio::time::timeout(door.answer_within, announced).await;
    drop(place);
    match announced {
        Ok(Announced::Queued) => Ok(HttpResponse::Accepted().json(json!({ "status": "queued" }))),
        Ok(Announced::NotLinked) => Err(Code::ChatNotLinked.into()),
        Ok(Announced::TryLater) => Err(Code::Overloaded.into()),
        Err(_elapsed) => Err(Code::TimedOut.into()),
    }
}

fn read(bytes: &[u8]) -> Answer<Announcement> {
    let wrong = |detail: String| Problem::new(Code::InvalidJson).detail(detail);
    let Notification {
        tenant_id,
        text,
        severity,
    } = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    let tenant: TenantId = tenant_id
        .parse()
        .map_err(|_name| Problem::new(Code::InvalidTenantId))?;
    if text.trim().is_empty() || text.chars().count() > TEXT_MAX {
        return Err(wrong(format!("text has 1 to {TEXT_MAX} characters")));
    }
    let severity = match severity {
        Some(name) => Some(severity_of(&name).ok_or_else(|| {
            wrong("severity is CRITICAL, HIGH, MEDIUM, LOW or INFORMATIONAL".to_owned())
        })?),
        None => None,
    };
    Ok(Announcement {
        tenant,
        severity,
        text,
    })
}

/// A severity by its name, in any case.
fn severity_of(name: &str) -> Option<Severity> {
    match name.to_ascii_lowercase().as_str() {
        "critical" => Some(Severity::Critical),
        "high" => Some(Severity::High),
        "medium" => Some(Severity::Medium),
        "low" => Some(Severity::Low),
        "informational" | "info" => Some(Severity::Informational),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
