//! Audit out: the head of a chain and its verification, and who may ask.

use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use vyrox_actors::journal::{JournalError, VerifyReport};
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
    tokens::{Scope, bearer},
};

/// How far the signed timestamp may be from now, either way.
const WINDOW_MS: u64 = 30_000;

/// A query that names a chain and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Alone {
    #[serde(rename = "tenant_id")]
    _tenant_id: String,
}

/// The chain that a query names, whatever else stands in it.
#[derive(Deserialize)]
struct Whose {
    tenant_id: String,
}

/// `GET /audit/head`
pub(super) async fn head(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    let (chain, Alone { .. }) = admitted(&request, &edge)?;
    let head = edge.world.journal.head(&chain);
    let (seq, hash) = (head.map(|head| head.seq), head.map(|head| head.hash_hex()));
    Ok(HttpResponse::Ok().json(json!({ "seq": seq, "hash": hash, "checkpoint": null })))
}

/// `GET /audit/verify`: always 200; what it found is in the answer.
pub(super) async fn verify(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    let (chain, Alone { .. }) = admitted(&request, &edge)?;
    let doubtful_from = edge.world.held.get(&chain).copied();
    let journal = std::sync::Arc::clone(&edge.world.journal);
    let head = journal.head(&chain);
    let verify = tokio::task::spawn_blocking(move || journal.verify(&chain));
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
    let is_chain = tenant == HOST_CHAIN || edge.world.keyring.load().tenant(&tenant).is_some();
    if bearer(request).is_some() {
        edge.let_in(request, Scope::AuditRead)?;
    } else {
        let signed = is_signed(request, edge, &tenant);
        // The host's own chain is for tokens: no tenant's key speaks for it.
        if !(signed && is_chain && tenant.parse::<TenantId>().is_ok()) {
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

fn is_signed(request: &HttpRequest, edge: &Edge, tenant: &str) -> bool {
    let header = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
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
