//! What a request asks for.

use serde::{Deserialize, Serialize, de::IgnoredAny};
use vyrox_domain::{
    action::{ActionType, shown_host},
    containment::ClaimMade,
    digest::Digest,
    ids::{AlertId, TenantId},
    time::Timestamp,
};

use super::Direction;
use crate::http::problem::{Answer, Code, Problem};

/// The longest id of a request, in characters.
const REQUEST_ID_MAX: usize = 128;
/// The longest name of who approved, in characters.
const APPROVED_BY_MAX: usize = 128;

/// A request in which every member is what it should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// The caller's own id of the request.
    pub(super) request_id: String,
    /// SHA-256 of what it says, but for `approved_at`.
    body_sha256: Digest,
    /// The alert that it is about.
    pub(super) alert_id: AlertId,
    /// What.
    pub(super) action_type: ActionType,
    /// The machine: its name, or its EDR's id of it.
    pub(super) host: String,
    /// Who approved it over there.
    pub(super) approved_by: String,
    /// When.
    pub(super) approved_at: Timestamp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    request_id: String,
    tenant_id: String,
    alert_id: String,
    action_type: String,
    host: String,
    approved_by: String,
    approved_at: u64,
    /// Read past, so that no secret in it gets anywhere.
    edr_credentials: Option<IgnoredAny>,
}

/// What two requests are compared by: their meaning, so that spaces and the order of members are no
/// difference. Members are written in this order.
#[derive(Serialize)]
struct Compared<'a> {
    tenant_id: &'a TenantId,
    alert_id: AlertId,
    action_type: ActionType,
    host: &'a str,
    approved_by: &'a str,
}

impl Asked {
    /// Reads a body that `tenant` has vouched for.
    ///
    /// # Errors
    /// 400, with the member that is wrong.
    pub(super) fn read(bytes: &[u8], tenant: &TenantId) -> Answer<Self> {
        let body: Body =
            serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))?;
        if body.edr_credentials.is_some() {
            return Err(Code::InlineCredentialsDisabled.into());
        }
        if body.tenant_id != tenant.as_str() {
            return Err(invalid("tenant_id is no tenant's name"));
        }
        if !is_request_id(&body.request_id) {
            return Err(invalid(
                "request_id has 1 to 128 of A-Z, a-z, 0-9, '_', '.', ':' and '-'",
            ));
        }
        let alert_id: AlertId = body
            .alert_id
            .parse()
            .map_err(|_none| invalid("alert_id is a UUID"))?;
        let action_type = action_type(&body.action_type)?;
        if !is_plain(&body.host) {
            return Err(invalid("host has 1 to 255 bytes of visible text"));
        }
        if !is_plain(&body.approved_by) || body.approved_by.chars().count() > APPROVED_BY_MAX {
            return Err(invalid("approved_by has 1 to 128 visible characters"));
        }
        let compared = Compared {
            tenant_id: tenant,
            alert_id,
            action_type,
            host: &body.host,
            approved_by: &body.approved_by,
        };
        let compared =
            serde_json::to_vec(&compared).map_err(|_never| Problem::new(Code::Internal))?;
        Ok(Self {
            body_sha256: Digest::of(&compared),
            alert_id,
            action_type,
            approved_at: Timestamp::from_s(body.approved_at),
            request_id: body.request_id,
            host: body.host,
            approved_by: body.approved_by,
        })
    }

    /// How the request is remembered.
    pub(super) fn claim(&self, direction: Direction) -> ClaimMade {
        ClaimMade {
            request_id: self.request_id.clone(),
            rollback: direction == Direction::Rollback,
            body_sha256: self.body_sha256,
        }
    }
}

/// The actions that a service may ask for; the others take a person.
fn action_type(text: &str) -> Answer<ActionType> {
    let known = [
        ActionType::HostIsolation,
        ActionType::ProcessKill,
        ActionType::NetworkQuarantine,
    ];
    let meant = known.into_iter().find(|one| one.as_str() == text);
    meant
        .ok_or_else(|| invalid("action_type is HOST_ISOLATION, PROCESS_KILL or NETWORK_QUARANTINE"))
}

fn is_request_id(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-');
    (1..=REQUEST_ID_MAX).contains(&text.len()) && text.bytes().all(plain)
}

/// Whether a text can be shown to people as it is.
fn is_plain(text: &str) -> bool {
    shown_host(text).is_some_and(|shown| shown == text)
}

fn invalid(detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(Code::InvalidPayload).detail(detail)
}
