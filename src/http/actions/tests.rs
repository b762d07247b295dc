use actix_web::body::MessageBody as _;
use serde_json::{Value, json};
use vyrox_domain::containment::Withheld;

use super::*;

fn told(step: Result<StepAnswer, NoAnswer>) -> (u16, Value) {
    match begun(step) {
        Ok(response) => {
            let status = response.status().as_u16();
            let bytes = response.into_body().try_into_bytes().unwrap();
            (status, serde_json::from_slice(&bytes).unwrap())
        }
        Err(problem) => {
            let body: Value = serde_json::from_str(&problem.body()).unwrap();
            (problem.code().status().as_u16(), body)
        }
    }
}

#[test]
fn a_step_is_begun_or_says_what_is_in_its_way() {
    let id: ActionId = "0190a2d4-0000-7000-8000-000000000001".parse().unwrap();
    let (status, body) = told(Ok(StepAnswer::Begun(id)));
    assert_eq!(status, 202);
    assert_eq!(body, json!({ "status": "begun", "action_id": id }));
    for (step, status, code) in [
        (StepAnswer::Unknown, 404, "action_not_found"),
        (
            StepAnswer::NotNow("It was taken back.".into()),
            409,
            "action_not_ready",
        ),
        (
            StepAnswer::Denied(vec!["hard.x".into()]),
            403,
            "policy_denied",
        ),
        (
            StepAnswer::Withheld(Withheld::Halted),
            403,
            "containment_halted",
        ),
    ] {
        let text = format!("{step:?}");
        let (found, body) = told(Ok(step));
        assert_eq!((found, &body["code"]), (status, &json!(code)), "{text}");
    }
    let (_, body) = told(Ok(StepAnswer::Denied(vec!["hard.x".into()])));
    assert_eq!(body["policies"], json!(["hard.x"]));
    let (status, _) = told(Err(NoAnswer::TimedOut));
    assert_eq!(status, 503);
}
