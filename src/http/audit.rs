//! Audit out: the head of a chain and its verification, and who may ask.

use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use vyrox_actors::{
    held::owner,
    journal::{JournalError, VerifyReport},
};
use vyrox_domain::{
    ids::{HOST_CHAIN, TenantId},
    signature::signs,
    time::Timestamp,
};

use super::{
    Edge, Shared,
    admission::Class,
    input,
    problem::{Answer, Code, Problem},
    proof::checkpoints_of,
    tokens::{Scope, bearer},
};

mod places;

pub(crate) use places::{Place, Places};

/// How far the signed timestamp may be from now, either way.
const WINDOW_MS: u64 = 30_000;

/// A query that names a chain and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Alone {
    #[serde(rename = "tenant_id")]
    _tenant_id: String,
}

/// The chain that a query names, whatever else stands in it.
#[derive(Deserialize)]
struct Whose {
    tenant_id: String,
}

/// A query in which nothing stands.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Empty {}

/// `GET /audit/chains`: the name of every chain that has an entry, also of those that stood in for a
/// held one or whose tenant was removed. For tokens alone.
pub(super) async fn chains(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    edge.let_in(&request, Scope::AuditRead)?;
    let Empty {} = input::query(&request)?;
    let subject = HOST_CHAIN.into();
    edge.admission.spend(Class::Audit, &subject).into_result()?;
    let chains = edge.world.journal.chains();
    Ok(HttpResponse::Ok().json(json!({ "chains": chains })))
}

/// `GET /audit/head`
pub(super) async fn head(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    let (chain, Alone { .. }) = admitted(&request, &edge)?;
    let head = edge.world.journal.head(&chain);
    let (seq, hash) = (head.map(|head| head.seq), head.map(|head| head.hash_hex()));
    let (checkpoint, host) = checkpoints_of(&edge, chain).await?;
    let answer = json!({
        "seq": seq,
        "hash": hash,
        "checkpoint": checkpoint,
        "host_checkpoint": host,
    });
    Ok(HttpResponse::Ok().json(answer))
}

/// `GET /audit/verify`: always 200; what it found is in the answer. A chain is verified once at a
/// time, and few chains at once: whoever comes too soon is told to come again.
pub(super) async fn verify(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    let (chain, Alone { .. }) = admitted(&request, &edge)?;
    let place = edge.places.verification(&chain).ok_or_else(|| {
        Problem::new(Code::RateLimited).detail("This chain is being verified; ask again.")
    })?;
    let verifier = tokio::time::timeout(edge.patience(), edge.places.verifier());
    let verifier = verifier
        .await
        .map_err(|_late| Problem::new(Code::Overloaded))?;
    let journal = std::sync::Arc::clone(&edge.world.journal);
    let doubtful_from = journal.hold(&chain).map(|hold| hold.from_seq);
    let head = journal.head(&chain);
    // Whoever asked may go away meanwhile; the places are taken as long as the work goes on.
    let verify = tokio::task::spawn_blocking(move || {
        let report = journal.verify(&chain);
        drop((verifier, place));
        report
    });
    let report = match verify.await.map_err(|_fell| Problem::new(Code::Internal))? {
        Ok(report) => report,
        Err(JournalError::Damaged { seq, .. }) => unreadable(seq),
        Err(error) => return Err(journal_problem(&error)),
    };
    let report = match doubtful_from {
        Some(from_seq) if report.ok => VerifyReport {
            ok: false,
            kind: Some("held"),
            divergent_seq: Some(from_seq),
            ..report
        },
        _ => report,
    };
    // The journal knows its own durable head: a file that ends before it was cut.
    let report = match head {
        Some(head) => report.expecting(&head),
        None => report,
    };
    Ok(HttpResponse::Ok().json(report.to_json()))
}

fn unreadable(seq: u64) -> VerifyReport {
    VerifyReport {
        ok: false,
        entries: seq,
        head: None,
        kind: Some("chain"),
        divergent_seq: Some(seq),
        expected_hash: None,
        observed_hash: None,
    }
}

/// Lets in whoever holds a token, or signed `"T:N"` with the service key at about now. Gives the
/// chain's name and the whole query, of which nobody else learns what is wrong with it. A tenant that
/// does not exist looks like a wrong signature, except to a token.
pub(super) fn admitted<Q: DeserializeOwned>(
    request: &HttpRequest,
    edge: &Edge,
) -> Answer<(String, Q)> {
    let whose: Option<Whose> = input::query(request).ok();
    let tenant = whose.map(|whose| whose.tenant_id).unwrap_or_default();
    let mut is_chain = tenant == HOST_CHAIN || is_tenants(edge, &tenant);
    if bearer(request).is_some() {
        edge.let_in(request, Scope::AuditRead)?;
        // The chain of a tenant that was removed stays, for tokens alone.
        is_chain |= was_removed(edge, &tenant);
    } else {
        let signed = is_signed(request, edge, &tenant);
        // The host's own chain is for tokens: no tenant's key speaks for it.
        if !(signed && is_chain && owner(&tenant).parse::<TenantId>().is_ok()) {
            return Err(Problem::unauthenticated());
        }
    }
    let query = input::query(request)?;
    if !is_chain {
        return Err(Code::TenantNotFound.into());
    }
    let subject = tenant.as_str().into();
    edge.admission.spend(Class::Audit, &subject).into_result()?;
    Ok((tenant, query))
}

/// Whether a chain is a tenant's own, or one that stood in for it while it was held.
fn is_tenants(edge: &Edge, chain: &str) -> bool {
    let tenant = owner(chain);
    edge.world.keyring.load().tenant(tenant).is_some()
        && (tenant == chain || edge.world.journal.head(chain).is_some())
}

/// Whether a chain is one that [`is_tenants`] would take, of a tenant that was removed.
fn was_removed(edge: &Edge, chain: &str) -> bool {
    let tenant = owner(chain);
    let id = tenant.parse::<TenantId>();
    id.is_ok_and(|id| edge.view.load().removed.contains_key(&id))
        && (tenant == chain || edge.world.journal.head(chain).is_some())
}

fn is_signed(request: &HttpRequest, edge: &Edge, tenant: &str) -> bool {
    let header = |name| std::str::from_utf8(input::sole_header(request, name)?).ok();
    let (Some(stamp), Some(signature)) = (header("X-Vyrox-Timestamp"), header("X-Vyrox-Signature"))
    else {
        return false;
    };
    let Some(key) = &edge.service_key else {
        return false;
    };
    let authentic = signs(key, format!("{tenant}:{stamp}").as_bytes(), signature);
    let fresh = stamp
        .parse()
        .is_ok_and(|seconds| Timestamp::from_s(seconds).distance_ms(edge.world.now()) <= WINDOW_MS);
    authentic && fresh
}

pub(super) fn journal_problem(error: &JournalError) -> Problem {
    tracing::error!(%error, "a chain could not be read");
    match error {
        JournalError::NoEntry { .. } => Code::InvalidQuery.into(),
        _ => Problem::new(Code::JournalUnavailable)
            .detail("The chain could not be read; see the log."),
    }
}
