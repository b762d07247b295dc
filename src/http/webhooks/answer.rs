//! The answer to what was taken in.

use std::sync::Arc;

use actix_web::HttpResponse;
use serde::Serialize;
use vyrox_actors::messages::Accepted;
use vyrox_domain::{digest::Digest, ids::AlertId};

use crate::http::problem::{Answer, Code, Problem};

#[derive(Serialize)]
struct Answered<'a> {
    status: &'static str,
    alert_id: AlertId,
    receipt: Receipt,
    #[serde(skip_serializing_if = "Option::is_none")]
    alerts: Option<&'a [One]>,
}

#[derive(Serialize, Clone)]
struct Receipt {
    seq: u64,
    hash: Digest,
    /// Where it is not the tenant's own chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    chain: Option<Arc<str>>,
}

#[derive(Serialize)]
struct One {
    status: &'static str,
    alert_id: AlertId,
    receipt: Receipt,
}

/// `202 queued` if anything in the body is new (`held` where the tenant's chain is), else `200
/// duplicate`; a body with several alerts lists them all.
pub(super) fn answered(accepted: &[Accepted]) -> Answer<HttpResponse> {
    let all: Vec<_> = accepted.iter().map(One::of).collect();
    let leading = all
        .iter()
        .find(|one| one.status != DUPLICATE)
        .or_else(|| all.first());
    let leading = leading.ok_or_else(|| Problem::new(Code::Internal))?;
    let answered = Answered {
        status: leading.status,
        alert_id: leading.alert_id,
        receipt: leading.receipt.clone(),
        alerts: (all.len() > 1).then_some(&all),
    };
    let mut response = match leading.status {
        DUPLICATE => HttpResponse::Ok(),
        _ => HttpResponse::Accepted(),
    };
    Ok(response.json(answered))
}

const QUEUED: &str = "queued";
const HELD: &str = "held";
const DUPLICATE: &str = "duplicate";

impl One {
    fn of(accepted: &Accepted) -> Self {
        Self {
            status: match &accepted.held {
                _ if accepted.duplicate => DUPLICATE,
                Some(_) => HELD,
                None => QUEUED,
            },
            alert_id: accepted.alert_id,
            receipt: Receipt {
                seq: accepted.seq,
                hash: accepted.hash,
                chain: accepted.held.clone(),
            },
        }
    }
}
