//! What a request is answered.

use std::time::Duration;

use actix_web::{HttpResponse, http::header};
use serde_json::json;
use vyrox_actors::messages::{ExecuteAnswer, NoTarget};
use vyrox_domain::containment::{OutcomeKind, Withheld};

use super::Direction;
use crate::{
    desk::NoAnswer,
    http::{
        decisions::no_answer,
        problem::{Answer, Code, Problem},
    },
};

/// When to come back if too much is under way: one drive takes 50 s at the most.
const CONCURRENT_RETRY_AFTER: Duration = Duration::from_secs(5);
/// When to come back if a budget was used up by another request at the same moment.
const BUDGET_RETRY_AFTER: Duration = Duration::from_mins(1);

/// `Ok(None)` stands for a machine that took the request and did not answer.
pub(super) fn answered(
    direction: Direction,
    answer: Result<Option<ExecuteAnswer>, NoAnswer>,
) -> Answer<HttpResponse> {
    let answer = match answer {
        Ok(Some(answer)) => answer,
        Ok(None) => return Err(Code::OutcomeUnknown.into()),
        Err(NoAnswer::NotDurable(_)) => return Err(Code::NotDurable.into()),
        Err(why) => return Err(no_answer(&why)),
    };
    match answer {
        ExecuteAnswer::Done { outcome, rehearsal } => {
            Ok(status(done(direction, outcome)?, rehearsal))
        }
        ExecuteAnswer::Replayed(outcome) => {
            done(direction, outcome)?;
            Ok(status("replayed", outcome == OutcomeKind::DryRun))
        }
        ExecuteAnswer::InFlight => Err(Code::InFlight.into()),
        ExecuteAnswer::Mismatch => Err(Code::IdempotencyMismatch.into()),
        ExecuteAnswer::OverBudget { retry_after_s } => {
            let wait = Duration::from_secs(retry_after_s);
            Err(Problem::new(Code::ContainmentBudget).retry_after(wait))
        }
        ExecuteAnswer::Stale => Err(Code::ApprovalStale.into()),
        ExecuteAnswer::NoTarget(why) => Err(no_target(why)),
        ExecuteAnswer::Denied { why } => Err(Problem::new(Code::PolicyDenied).detail(why)),
        ExecuteAnswer::Withheld(why) => Err(withheld(why)),
        ExecuteAnswer::Unsupported => Err(Code::UnsupportedAction.into()),
    }
}

fn no_target(why: NoTarget) -> Problem {
    match why {
        NoTarget::Missing(what) => Problem::new(Code::NoTarget).detail(what),
        NoTarget::Erased { .. } => Problem::new(Code::NoTarget)
            .detail("The alert's evidence was erased, so nothing says which machine it means."),
        NoTarget::OtherHost => Code::HostMismatch.into(),
        NoTarget::Unreadable { .. } => Problem::new(Code::Unavailable)
            .detail("The alert's evidence cannot be read, so nothing is done to its machine."),
    }
}

fn status(status: &str, dry_run: bool) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(json!({ "status": status, "dry_run": dry_run }))
}

/// The word for an outcome; an error where it is none that a caller asked for.
fn done(direction: Direction, outcome: OutcomeKind) -> Answer<&'static str> {
    match outcome {
        OutcomeKind::Executed | OutcomeKind::AlreadySo => Ok(match direction {
            Direction::Execute => "executed",
            Direction::Rollback => "rolled_back",
        }),
        OutcomeKind::Accepted => Ok("accepted"),
        OutcomeKind::DryRun => Ok("dry_run"),
        OutcomeKind::Refused => Err(Code::VendorRefused.into()),
        OutcomeKind::Unreachable => Err(Code::VendorUnreachable.into()),
        OutcomeKind::Unknown => Err(Code::OutcomeUnknown.into()),
    }
}

/// Why an action is held back, for whoever asked for it.
pub(in crate::http) fn withheld(why: Withheld) -> Problem {
    let (code, wait) = match why {
        Withheld::Halted => (Code::ContainmentHalted, None),
        Withheld::Unproven => (Code::AuditIntegrityFailed, None),
        Withheld::HourBudget | Withheld::DayBudget => {
            (Code::ContainmentBudget, Some(BUDGET_RETRY_AFTER))
        }
        Withheld::Concurrent => (Code::ContainmentBudget, Some(CONCURRENT_RETRY_AFTER)),
        Withheld::Unsupported => (Code::UnsupportedAction, None),
        Withheld::ContainedHosts
        | Withheld::ProtectedHosts
        | Withheld::Manifest
        | Withheld::InForce => (Code::ContainmentWithheld, None),
    };
    let problem = Problem::new(code).detail(sentence(&why.to_string()));
    match wait {
        Some(wait) => problem.retry_after(wait),
        None => problem,
    }
}

/// A message as a sentence.
fn sentence(message: &str) -> String {
    let mut chars = message.chars();
    let first = chars.next().map(|c| c.to_uppercase().collect::<String>());
    format!("{}{}.", first.unwrap_or_default(), chars.as_str())
}
