//! Alerts in: bytes -> the tenant's own keys -> `VerifiedWebhook` -> alerts -> machine -> durable
//! -> answer. Nothing is parsed before it is verified but the one member that names the account.

mod answer;
mod delivery;

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Path, Payload},
};
use vyrox_actors::{
    keyring::TenantKeys,
    messages::{Intake, ParsedAlert},
};
use vyrox_domain::{
    alert::{Alert, InvalidPayload},
    digest::Digest,
    prescan::account_of,
    vendor::Vendor,
    webhook::{Headers, RawWebhook, VerifiedWebhook, verify},
};

use self::delivery::{keep, take_in};
use super::{
    Edge, Shared,
    admission::{Admission, Class, Decision, Source},
    body, input,
    problem::{Answer, Code, Problem},
};

/// `POST /webhook/{vendor}`: the payload names the tenant.
pub(super) async fn by_payload(
    request: HttpRequest,
    vendor: Path<String>,
    payload: Payload,
    edge: Shared,
) -> Answer<HttpResponse> {
    receive(&request, &vendor, None, payload, &edge).await
}

/// `POST /t/{tenant}/webhook/{vendor}`: the path names the tenant.
pub(super) async fn by_path(
    request: HttpRequest,
    path: Path<(String, String)>,
    payload: Payload,
    edge: Shared,
) -> Answer<HttpResponse> {
    let (tenant, vendor) = path.into_inner();
    receive(&request, &vendor, Some(&tenant), payload, &edge).await
}

async fn receive(
    request: &HttpRequest,
    vendor: &str,
    path_tenant: Option<&str>,
    payload: Payload,
    edge: &Edge,
) -> Answer<HttpResponse> {
    let vendor: Vendor = vendor
        .parse()
        .map_err(|_unknown| Problem::new(Code::NotFound))?;
    let source = Source::of_peer(request.peer_addr().map(|address| address.ip()));
    let place = edge.admission.enter(source).map_err(refused)?;
    let server = &edge.config.server;
    body::acceptable(request, server.body_limit_bytes)?;
    let bytes = body::read(payload, server.body_limit_bytes, edge.body_patience()).await?;

    let claim = claim(edge, vendor, path_tenant, &bytes);
    let now = edge.world.now();
    let headers = RequestHeaders(request);
    let raw = RawWebhook {
        vendor,
        body: &bytes,
        headers: &headers,
        now,
    };
    let keys = claim.as_ref().map(|claim| claim.keys.as_ref());
    let proven = authenticate(raw, edge, keys);
    let Some((sender, claim)) = proven.zip(claim.as_ref()) else {
        return Err(turned_away(&edge.admission, source));
    };
    let keys = Arc::clone(&claim.keys);
    let place = place.speaks_for(&keys.tenant).map_err(refused)?;
    edge.admission
        .spend(Class::Webhook, &keys.tenant.shared())
        .into_result()?;
    // Its alerts are kept on another chain, where one may begin.
    let held = edge.world.is_held(keys.tenant.as_str());
    if held && edge.world.stand_ins(keys.tenant.as_str()).is_none() {
        return Err(Code::ChainHeld.into());
    }

    let parsed = parse(&sender.webhook, claim);
    let fallback = sender.fallback;
    let body_sha256 = Digest::of(&bytes);
    let intake = Arc::new(Intake {
        vendor,
        body_sha256,
        received_at: now,
        fallback,
        polled: false,
        body: bytes,
    });
    let answer = async {
        match parsed {
            Ok(alerts) => take_in(edge, &keys, intake, alerts).await,
            Err(invalid) => keep(edge, &keys, intake, &invalid).await,
        }
    };
    // Should this caller go away or time out meanwhile, nothing changes but that nobody reads the answer.
    let answer = tokio::time::timeout(edge.patience(), answer).await;
    drop(place);
    answer.unwrap_or_else(|_elapsed| Err(Code::TimedOut.into()))
}

/// A refusal at the gate as a problem.
pub(super) fn refused(decision: Decision) -> Problem {
    match decision.into_result() {
        Err(problem) => problem,
        Ok(()) => Code::Overloaded.into(),
    }
}

/// The answer to a request that proves nothing: the one 401 while its source's ration of failures
/// lasts, 429 beyond. It depends on the source alone, never on what was wrong or who was named.
pub(super) fn turned_away(admission: &Admission, source: Source) -> Problem {
    match admission.failed(source).into_result() {
        Ok(()) => Problem::unauthenticated(),
        Err(limited) => limited,
    }
}

/// Whom a request claims to speak for.
struct Claim {
    keys: Arc<TenantKeys>,
    /// The account that led to the tenant; none where its path did.
    account: Option<String>,
}

/// The tenant of the request's path, else of its payload's account. Whatever is wrong with the claim
/// looks like no claim at all.
fn claim(edge: &Edge, vendor: Vendor, path_tenant: Option<&str>, body: &[u8]) -> Option<Claim> {
    let account = account_of(vendor, body);
    let keyring = edge.world.keyring.load();
    let (keys, account) = match (path_tenant, account.ok()?) {
        (Some(tenant), _) => (keyring.tenant(tenant), None),
        (None, Some(account)) => (keyring.tenant_of(vendor, &account), Some(account)),
        (None, None) => (None, None),
    };
    let keys = Arc::clone(keys?);
    Some(Claim { keys, account })
}

struct Sender<'a> {
    webhook: VerifiedWebhook<'a>,
    fallback: bool,
}

/// The same work and the same answer whatever is missing or wrong.
fn authenticate<'a>(
    raw: RawWebhook<'a>,
    edge: &Edge,
    named: Option<&TenantKeys>,
) -> Option<Sender<'a>> {
    let vendor = raw.vendor;
    let own = named.and_then(|keys| keys.webhook(vendor, raw.now));
    let stand_in = edge
        .fallback
        .as_ref()
        .filter(|_| named.is_some() && own.is_none());
    let verification = verify(raw, own.or(stand_in));
    edge.metrics.verified(&verification);
    let webhook = verification.outcome.ok()?;
    let fallback = stand_in.is_some();
    if let (true, Some(keys)) = (fallback, named) {
        tracing::warn!(tenant = %keys.tenant, %vendor, "the host-wide secret stood in for the tenant's own");
    }
    Some(Sender { webhook, fallback })
}

struct RequestHeaders<'a>(&'a HttpRequest);

impl Headers for RequestHeaders<'_> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        input::sole_header(self.0, name)
    }
}

/// Reads the alerts. Where an account led to the tenant, they must be that account's. Where the path
/// did, the account in them is data like any other: senders put their vendor's own ids there, and to
/// refuse some of them would tell which are another tenant's.
fn parse(webhook: &VerifiedWebhook<'_>, claim: &Claim) -> Result<Vec<ParsedAlert>, InvalidPayload> {
    let alerts = Alert::parse(webhook)?;
    let invalid = |detail: &str| InvalidPayload {
        looked_for: &[],
        detail: detail.to_owned(),
    };
    let of_another = |alert: &Alert| claim.account.is_some() && alert.account != claim.account;
    if alerts.iter().any(of_another) {
        return Err(invalid(
            "the payload names another account than the one whose secret vouches for it",
        ));
    }
    let parsed: Result<_, _> = alerts.into_iter().map(ParsedAlert::new).collect();
    parsed.map_err(|_never| invalid("the alert has no normal form"))
}
