//! The answer to what was taken in.

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

#[derive(Serialize, Clone, Copy)]
struct Receipt {
    seq: u64,
    hash: Digest,
}

#[derive(Serialize)]
struct One {
    status: &'static str,
    alert_id: AlertId,
    receipt: Receipt,
}

/// `202 queued` if anything in the body is new, else `200 duplicate`; a body with several alerts
/// lists them all.
pub(super) fn answered(accepted: &[Accepted]) -> Answer<HttpResponse> {
    let all: Vec<_> = accepted.iter().map(One::of).collect();
    let leading = all
        .iter()
        .find(|one| one.status == QUEUED)
        .or_else(|| all.first());
    let leading = leading.ok_or_else(|| Problem::new(Code::Internal))?;
    let answered = Answered {
        status: leading.status,
        alert_id: leading.alert_id,
        receipt: leading.receipt,
        alerts: (all.len() > 1).then_some(&all),
    };
    let mut response = match leading.status {
        QUEUED => HttpResponse::Accepted(),
        _ => HttpResponse::Ok(),
    };
    Ok(response.json(answered))
}

const QUEUED: &str = "queued";

impl One {
    fn of(accepted: &Accepted) -> Self {
        Self {
            status: if accepted.duplicate {
                "duplicate"
            } else {
                QUEUED
            },
            alert_id: accepted.alert_id,
            receipt: Receipt {
                seq: accepted.seq,
                hash: accepted.hash,
            },
        }
    }
}
