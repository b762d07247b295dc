//! Stage 2 that is slow, down or lying costs an alert nothing but a little time.

use std::time::Duration;

use serde_json::json;

use crate::house::{House, Model, Wish, alert, housed};

const ASKED: Wish = Wish {
    live: false,
    lift: false,
    llm: true,
    opted_in: true,
    daily_calls: 100,
    ..Wish::PLAIN
};

/// Takes an alert of the ambiguous band in, and gives the seconds until its verdict stands.
async fn doubt(house: &House, n: u64) -> u32 {
    let before = house.entries("alert.reviewed").len();
    house.take(alert(n, n, "odd")).await;
    house
        .until("a verdict", |house| {
            house.entries("alert.reviewed").len() > before
        })
        .await
}

#[test]
fn whatever_goes_wrong_the_alert_is_left_to_people_in_bounded_time() {
    let cases = [
        (Model::Silent, "llm_call_timed_out"),
        (Model::Down, "llm_call_failed"),
        (Model::Says("I think it is fine."), "llm_call_parse_error"),
        (
            Model::Says(r#"{"verdict":"CRITICAL","confidence_bp":10000,"reasons":[]}"#),
            "llm_call_parse_error",
        ),
        (
            Model::Says(r#"{"error":{"message":"overloaded"}}"#),
            "llm_call_parse_error",
        ),
    ];
    for (model, event) in cases {
        housed(ASKED, async |house| {
            house.services.lock().model = model.clone();
            let seconds = doubt(house, 1).await;
            assert!(seconds <= 30, "{model:?}: {seconds} s");
            assert_eq!(
                house.entries(event).len(),
                1,
                "{model:?}: {:#?}",
                house.chain()
            );
            let reviewed = &house.entries("alert.reviewed")[0];
            assert_eq!(
                (
                    &reviewed["verdict"],
                    &reviewed["confidence_bp"],
                    &reviewed["by"]
                ),
                (&json!("MEDIUM"), &json!(5_000), &json!("fallback"))
            );
            house
                .until("people see it", |house| house.services.lock().posts == 1)
                .await;
            assert_eq!(house.entries("approval.requested").len(), 0);
        });
    }
}

#[test]
fn a_tenant_that_has_not_opted_in_makes_no_call() {
    let wish = Wish {
        opted_in: false,
        ..ASKED
    };
    housed(wish, async |house| {
        for n in 0..20 {
            house.take(alert(n, n, "odd")).await;
        }
        house
            .until("all are judged", |house| {
                house.entries("alert.triaged").len() == 20
            })
            .await;
        house
            .pass(Duration::from_mins(5), Duration::from_secs(5))
            .await;
        assert_eq!(house.services.lock().questions.len(), 0);
        for one in house.entries("alert.triaged") {
            assert_eq!(
                (&one["stage2"], &one["verdict"]),
                (&json!("off"), &json!("MEDIUM"))
            );
        }
    });
}

#[test]
fn a_spent_budget_ends_the_calls_of_the_day() {
    let wish = Wish {
        daily_calls: 3,
        ..ASKED
    };
    housed(wish, async |house| {
        house.services.lock().model =
            Model::Says(r#"{"verdict":"HIGH","confidence_bp":6000,"reasons":[]}"#);
        for n in 0..8 {
            house.take(alert(n, n, "odd")).await;
            house.quiet().await;
        }
        house
            .until("all are shown", |house| house.services.lock().posts == 8)
            .await;
        assert_eq!(house.services.lock().questions.len(), 3);
        let over = house.entries("alert.triaged");
        let over = over.iter().filter(|one| one["stage2"] == "over_budget");
        assert_eq!(over.count(), 5);
    });
}

#[test]
fn a_machine_that_falls_while_stage_2_is_asked_asks_again_and_ends() {
    housed(ASKED, async |house| {
        house.take(alert(1, 1, "odd")).await;
        house
            .until("it is asked", |house| {
                !house.services.lock().questions.is_empty()
            })
            .await;
        house.services.lock().model =
            Model::Says(r#"{"verdict":"BENIGN","confidence_bp":9900,"reasons":["a backup"]}"#);
        house.fell("machine");
        house.take(alert(2, 2, "lsassbad")).await;
        house
            .until("the review ends", |house| {
                house.entries("alert.reviewed").len() == 1
            })
            .await;
        house
            .pass(Duration::from_mins(5), Duration::from_secs(5))
            .await;
        assert_eq!(house.entries("alert.reviewed").len(), 1);
        assert_eq!(house.entries("alert.received").len(), 2);
        house.verify();
    });
}
