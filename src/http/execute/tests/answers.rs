//! What a request is answered.

use actix_web::body::MessageBody as _;
use serde_json::{Value, json};
use vyrox_actors::messages::{ExecuteAnswer, NoTarget};
use vyrox_domain::containment::{OutcomeKind, Withheld};

use super::super::{
    Direction::{self, Execute, Rollback},
    answer::answered,
};
use crate::desk::NoAnswer;

fn told(direction: Direction, answer: Result<Option<ExecuteAnswer>, NoAnswer>) -> (u16, String) {
    match answered(direction, answer) {
        Ok(response) => {
            let status = response.status().as_u16();
            let bytes = response.into_body().try_into_bytes().unwrap();
            (status, String::from_utf8(bytes.to_vec()).unwrap())
        }
        Err(problem) => (
            problem.code().status().as_u16(),
            problem.code().as_str().to_owned(),
        ),
    }
}

fn words(status: &str, dry_run: bool) -> (u16, String) {
    let text = json!({ "status": status, "dry_run": dry_run }).to_string();
    (200, text)
}

#[test]
fn every_outcome_has_its_answer_and_its_replay() {
    use OutcomeKind::{Accepted, AlreadySo, DryRun, Executed, Refused, Unknown, Unreachable};
    for (outcome, word) in [
        (Executed, "executed"),
        (AlreadySo, "executed"),
        (Accepted, "accepted"),
        (DryRun, "dry_run"),
    ] {
        let rehearsal = outcome == DryRun;
        let done = ExecuteAnswer::Done { outcome, rehearsal };
        assert_eq!(told(Execute, Ok(Some(done))), words(word, rehearsal));
        let again = ExecuteAnswer::Replayed(outcome);
        let replay = told(Execute, Ok(Some(again)));
        assert_eq!(replay, words("replayed", rehearsal), "{outcome:?}");
    }
    for (outcome, status, code) in [
        (Refused, 502, "vendor_refused"),
        (Unreachable, 502, "vendor_unreachable"),
        (Unknown, 504, "outcome_unknown"),
    ] {
        let rehearsal = false;
        let done = ExecuteAnswer::Done { outcome, rehearsal };
        for answer in [done, ExecuteAnswer::Replayed(outcome)] {
            let wanted = (status, code.to_owned());
            assert_eq!(told(Execute, Ok(Some(answer))), wanted, "{outcome:?}");
        }
    }
}

#[test]
fn the_other_way_has_its_own_word() {
    for (outcome, word) in [
        (OutcomeKind::Executed, "rolled_back"),
        (OutcomeKind::AlreadySo, "rolled_back"),
        (OutcomeKind::Accepted, "accepted"),
    ] {
        let rehearsal = false;
        let done = ExecuteAnswer::Done { outcome, rehearsal };
        assert_eq!(told(Rollback, Ok(Some(done))), words(word, false));
    }
}

#[test]
fn who_means_nobody_hears_why() {
    let host = || "WS-1".to_owned();
    let unreadable = NoTarget::Unreadable { host: host() };
    for (why, status, code) in [
        (NoTarget::Missing("No pid.".into()), 400, "no_target"),
        (NoTarget::Erased { host: host() }, 400, "no_target"),
        (NoTarget::OtherHost, 400, "host_mismatch"),
        (unreadable, 503, "unavailable"),
    ] {
        let said = told(Execute, Ok(Some(ExecuteAnswer::NoTarget(why))));
        assert_eq!(said, (status, code.to_owned()));
    }
}

#[test]
fn every_refusal_has_its_code() {
    let withheld = ExecuteAnswer::Withheld;
    for (answer, status, code) in [
        (ExecuteAnswer::InFlight, 409, "in_flight"),
        (ExecuteAnswer::Mismatch, 409, "idempotency_mismatch"),
        (
            ExecuteAnswer::OverBudget { retry_after_s: 7 },
            429,
            "containment_budget",
        ),
        (ExecuteAnswer::Stale, 410, "approval_stale"),
        (
            ExecuteAnswer::Denied { why: "No.".into() },
            403,
            "policy_denied",
        ),
        (ExecuteAnswer::Unsupported, 501, "unsupported_action"),
        (withheld(Withheld::Halted), 403, "containment_halted"),
        (withheld(Withheld::Unproven), 503, "audit_integrity_failed"),
        (
            withheld(Withheld::ContainedHosts),
            403,
            "containment_withheld",
        ),
        (
            withheld(Withheld::ProtectedHosts),
            403,
            "containment_withheld",
        ),
        (withheld(Withheld::InForce), 403, "containment_withheld"),
        (withheld(Withheld::Manifest), 403, "containment_withheld"),
        (withheld(Withheld::Unsupported), 501, "unsupported_action"),
        (withheld(Withheld::HourBudget), 429, "containment_budget"),
        (withheld(Withheld::DayBudget), 429, "containment_budget"),
        (withheld(Withheld::Concurrent), 429, "containment_budget"),
    ] {
        let text = format!("{answer:?}");
        let wanted = (status, code.to_owned());
        assert_eq!(told(Execute, Ok(Some(answer))), wanted, "{text}");
    }
    for (why, status, code) in [
        (NoAnswer::NotDurable("disk".into()), 500, "not_durable"),
        (NoAnswer::Suspended, 503, "unavailable"),
        (NoAnswer::Held, 503, "chain_held"),
        (NoAnswer::TimedOut, 503, "timed_out"),
    ] {
        assert_eq!(told(Execute, Err(why)), (status, code.to_owned()));
    }
    let nothing = (504, "outcome_unknown".to_owned());
    assert_eq!(told(Execute, Ok(None)), nothing);
}

#[test]
fn a_budget_says_when_there_is_room_again() {
    let answer = ExecuteAnswer::OverBudget {
        retry_after_s: 1800,
    };
    let problem = answered(Execute, Ok(Some(answer))).unwrap_err();
    let body: Value = serde_json::from_str(&problem.body()).unwrap();
    assert_eq!(body["retry_after"], 1800);
}
