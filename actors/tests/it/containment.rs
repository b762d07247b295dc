//! Containment from the approval to the outcome, with a cloud that answers as it is told.

mod held_back;

use std::time::Duration;

use tokio::sync::oneshot;
use vyrox_actors::{
    edr::EffectSeen,
    integrity::{Findings, HostFault},
    journal::AppendError,
    messages::{ExecuteAnswer, ListActs, Outcome, StepAnswer},
};
use vyrox_domain::{
    containment::{ClaimMade, OutcomeKind, Stage, Withheld},
    digest::Digest,
    ids::ActionId,
    protocol::NotDecided,
};

use crate::house::{Answers, HOST, House, Wish, alert, housed};

const STEP: Duration = Duration::from_secs(1);
const LIVE: Wish = Wish {
    live: true,
    ..Wish::PLAIN
};

/// An alert for which isolating its host is proposed, approved by Ann.
async fn approved(house: &House) {
    let alert_id = house.take(alert(1, 1, "lsassworst")).await.alert_id;
    house
        .until("it is proposed", |house| {
            !house.entries("approval.requested").is_empty()
        })
        .await;
    let outcome = house.approve(alert_id).await;
    assert!(matches!(outcome, Outcome::Granted { .. }), "{outcome:?}");
}

async fn until_entry(house: &House, event: &str, count: usize) -> u32 {
    house
        .until(event, |house| house.entries(event).len() >= count)
        .await
}

/// The events about actions, in their order.
fn story(house: &House) -> Vec<String> {
    let lines = house.chain();
    let events = lines.iter().filter_map(|line| line["event"].as_str());
    let own = |event: &&str| event.starts_with("action.") || event.starts_with("approval.granted");
    events.filter(own).map(str::to_owned).collect()
}

/// What somebody was called for.
fn called(house: &House) -> Vec<String> {
    let calls = house.entries("notify.fallback");
    let reasons = calls.iter().filter_map(|call| call["reason"].as_str());
    reasons.map(str::to_owned).collect()
}

async fn only(house: &House) -> (ActionId, Stage) {
    let acts = house.acts().await;
    let first = acts.iter().find(|(_, act)| !act.is_release());
    let (id, act) = first.expect("an action");
    (*id, act.stage)
}

#[test]
fn what_is_approved_is_done_once_and_taken_back_once() {
    housed(LIVE, async |house| {
        approved(house).await;
        until_entry(house, "action.executed", 1).await;
        assert_eq!(house.cloud.sent(), 1);
        let (id, _) = only(house).await;
        let answer = house.roll_back(id).await;
        assert!(matches!(answer, StepAnswer::Begun(_)), "{answer:?}");
        until_entry(house, "action.executed", 2).await;
        let again = house.roll_back(id).await;
        assert!(matches!(again, StepAnswer::NotNow(_)), "{again:?}");
        assert_eq!(
            house.cloud.lock().sent,
            [(HOST.to_owned(), false), (HOST.to_owned(), true)]
        );
        assert_eq!(
            story(house),
            [
                "approval.granted",
                "action.intent",
                "action.executed",
                "action.ordered",
                "action.intent",
                "action.executed"
            ]
        );
        assert!(matches!(only(house).await.1, Stage::Undone { .. }));
        house.verify();
    });
}

#[test]
fn without_credentials_nothing_is_sent_nor_read() {
    housed(
        Wish {
            live: false,
            ..LIVE
        },
        async |house| {
            let answer = house.execute("r-1", "body").await;
            house.quiet().await;
            let done = ExecuteAnswer::Done {
                outcome: OutcomeKind::DryRun,
                rehearsal: true,
            };
            assert_eq!(answer.await.expect("an answer"), Ok(done));
            let sky = house.cloud.lock();
            assert_eq!((sky.sent.len(), sky.reads), (0, 0));
        },
    );
}

#[test]
fn of_64_racing_requests_one_is_carried_out() {
    housed(LIVE, async |house| {
        let mut all = Vec::new();
        for _ in 0..64 {
            all.push(house.execute("r-1", "body").await);
        }
        let other = house.execute("r-1", "another body").await;
        until_entry(house, "action.executed", 1).await;
        house.quiet().await;
        let done = ExecuteAnswer::Done {
            outcome: OutcomeKind::Executed,
            rehearsal: false,
        };
        let mut answers = Vec::new();
        for one in all {
            answers.push(one.await.expect("an answer").expect("durable"));
        }
        assert_eq!(answers.iter().filter(|one| **one == done).count(), 1);
        let busy = answers
            .iter()
            .filter(|one| **one == ExecuteAnswer::InFlight);
        assert_eq!(busy.count(), 63, "{answers:?}");
        assert_eq!(other.await.expect("an answer"), Ok(ExecuteAnswer::Mismatch));
        let replayed = house.execute("r-1", "body").await;
        house.quiet().await;
        assert_eq!(
            replayed.await.expect("an answer"),
            Ok(ExecuteAnswer::Replayed(OutcomeKind::Executed))
        );
        assert_eq!(house.cloud.sent(), 1);
        house.verify();
    });
}

#[test]
fn what_is_refused_is_refused_and_what_is_taken_is_followed() {
    housed(LIVE, async |house| {
        house
            .cloud
            .lock()
            .answers
            .extend([Answers::Refuses, Answers::Waits]);
        let refused = house.execute("r-1", "body").await;
        until_entry(house, "action.refused", 1).await;
        let done = |outcome| {
            let rehearsal = false;
            Ok(Ok(ExecuteAnswer::Done { outcome, rehearsal }))
        };
        assert_eq!(refused.await, done(OutcomeKind::Refused));
        let taken = house.execute("r-2", "body").await;
        until_entry(house, "action.accepted", 1).await;
        assert_eq!(taken.await, done(OutcomeKind::Accepted));
        house.pass(Duration::from_mins(10), 5 * STEP).await;
        assert_eq!(house.entries("action.executed").len(), 0);
        let host = HOST.to_owned();
        house.cloud.lock().hosts.insert(host, EffectSeen::InEffect);
        until_entry(house, "action.executed", 1).await;
        assert_eq!(house.cloud.sent(), 2);
    });
}

#[test]
fn a_lost_answer_is_unknown_until_the_vendor_shows_what_became_of_it() {
    housed(LIVE, async |house| {
        house.cloud.lock().answers.push_back(Answers::Loses);
        let unknown = house.execute("r-1", "body").await;
        until_entry(house, "action.unknown", 1).await;
        let done = ExecuteAnswer::Done {
            outcome: OutcomeKind::Unknown,
            rehearsal: false,
        };
        assert_eq!(unknown.await.expect("an answer"), Ok(done));
        let host = HOST.to_owned();
        house.cloud.lock().hosts.insert(host, EffectSeen::InEffect);
        let waited = until_entry(house, "action.executed", 1).await;
        assert!(waited <= 15, "{waited} s");
        assert_eq!(house.cloud.sent(), 1);
    });
}

#[test]
fn a_lost_answer_is_no_secret_where_the_state_can_be_read() {
    housed(LIVE, async |house| {
        house.cloud.lock().answers.push_back(Answers::DoesAndLoses);
        approved(house).await;
        until_entry(house, "action.executed", 1).await;
        assert_eq!(house.cloud.sent(), 1);
    });
}

#[test]
fn a_hung_vendor_is_shown_and_is_given_up_within_a_minute() {
    housed(LIVE, async |house| {
        house.cloud.lock().answers.push_back(Answers::Hangs);
        approved(house).await;
        house.pass(Duration::from_secs(5), STEP).await;
        let tree = format!("{:?}", house.host.tree.snapshot());
        assert!(tree.contains("1 actions in hand, the oldest for"), "{tree}");
        let waited = until_entry(house, "action.unknown", 1).await;
        assert!(waited <= 50, "{waited} s");
        house.pass(5 * STEP, STEP).await;
        assert_eq!(called(house), ["outcome_unknown"]);
        house.pass(Duration::from_mins(10), 5 * STEP).await;
        assert_eq!(called(house), ["outcome_unknown"], "once");
        assert_eq!(house.services.lock().pages.len(), 1);
        house.verify();
    });
}

#[test]
fn an_adapter_that_falls_goes_on_by_reading() {
    housed(LIVE, async |house| {
        house.cloud.lock().answers.push_back(Answers::Hangs);
        approved(house).await;
        house.pass(2 * STEP, STEP).await;
        assert_eq!(house.cloud.sent(), 1);
        let host = HOST.to_owned();
        house.cloud.lock().hosts.insert(host, EffectSeen::InEffect);
        // The next message fells it, and goes with it.
        house.fell("edr/crowdstrike");
        let second = house.take(alert(2, 2, "lsassworst")).await.alert_id;
        until_entry(house, "approval.requested", 2).await;
        let outcome = house.approve(second).await;
        assert!(matches!(outcome, Outcome::Granted { .. }), "{outcome:?}");
        let waited = until_entry(house, "action.executed", 2).await;
        assert!(waited <= 30, "{waited} s");
        assert_eq!(house.cloud.sent(), 2, "one request a host");
        house.verify();
    });
}

#[test]
fn a_machine_that_falls_learns_the_outcome_all_the_same() {
    for at in ["before", "meanwhile"] {
        housed(LIVE, async |house| {
            house.cloud.lock().answers.push_back(Answers::Waits);
            approved(house).await;
            if at == "meanwhile" {
                house.pass(2 * STEP, STEP).await;
            }
            // What the adapter reports fells it.
            house.fell("machine");
            until_entry(house, "action.accepted", 1).await;
            assert_eq!(house.cloud.sent(), 1, "{at}");
            house.verify();
        });
    }
}

#[test]
fn a_callers_request_is_not_carried_out_after_a_fall() {
    housed(LIVE, async |house| {
        house.cloud.lock().answers.push_back(Answers::Hangs);
        let lost = house.execute("r-1", "body").await;
        house.pass(2 * STEP, STEP).await;
        house.fell("machine");
        house.fell("edr/crowdstrike");
        house.take(alert(7, 7, "nothing")).await;
        lost.await.expect_err("whoever waited is told nothing");
        house.pass(Duration::from_mins(2), 5 * STEP).await;
        assert_eq!(house.cloud.sent(), 1);
        let (_, stage) = only(house).await;
        assert!(matches!(stage, Stage::Done { .. }), "{stage:?}");
    });
}

#[test]
fn a_containment_released_behind_our_back_is_noticed() {
    housed(LIVE, async |house| {
        approved(house).await;
        until_entry(house, "action.executed", 1).await;
        house.pass(Duration::from_mins(16), 5 * STEP).await;
        assert_eq!(house.entries("action.drifted").len(), 0);
        house.cloud.lock().hosts.clear();
        until_entry(house, "action.drifted", 1).await;
        house.pass(Duration::from_mins(40), 10 * STEP).await;
        assert_eq!(house.entries("action.drifted").len(), 1);
        assert_eq!(called(house), ["drifted"]);
    });
}

#[test]
fn a_containment_that_is_over_is_lifted_where_that_was_approved() {
    housed(Wish { lift: true, ..LIVE }, async |house| {
        approved(house).await;
        until_entry(house, "action.executed", 1).await;
        house.with_credential(true);
        house.pass(Duration::from_hours(4), 60 * STEP).await;
        house.pass(10 * STEP, STEP).await;
        assert_eq!(house.entries("action.hold_ended").len(), 1);
        assert_eq!(house.cloud.sent(), 1, "halted: nothing is lifted");
        house.with_credential(false);
        until_entry(house, "action.executed", 2).await;
        assert!(house.cloud.lock().sent[1].1);
        assert!(matches!(only(house).await.1, Stage::Undone { .. }));
        house.verify();
    });
}

#[test]
fn a_clock_that_is_set_holds_the_timers() {
    housed(Wish { lift: true, ..LIVE }, async |house| {
        approved(house).await;
        until_entry(house, "action.executed", 1).await;
        house.cloud.lock().clock_ahead_ms = 30 * 24 * 3_600_000;
        house.pass(10 * STEP, STEP).await;
        let told: Vec<_> = house
            .chain()
            .iter()
            .map(|line| line["event"].to_string())
            .collect();
        assert_eq!(house.entries("clock.jumped").len(), 1, "{told:?}");
        house.pass(Duration::from_mins(5), 5 * STEP).await;
        assert_eq!(house.entries("action.hold_ended").len(), 0);
        assert_eq!(house.cloud.sent(), 1);
        assert_eq!(called(house), ["clock_jumped"]);
    });
}

/// A service that had every slot got what people approved withheld for good, and nobody was told of it.
#[test]
fn what_was_approved_waits_for_its_turn() {
    let narrow = Wish {
        concurrent: 1,
        ..LIVE
    };
    housed(narrow, async |house| {
        house.cloud.lock().answers.push_back(Answers::Hangs);
        let claim = ClaimMade {
            request_id: "r-1".into(),
            rollback: false,
            body_sha256: Digest::of(b"body"),
        };
        let other = "urn:edr:crowdstrike:00000000000000000000000000000002";
        let answer = house.request(claim, other).await;
        until_entry(house, "action.intent", 1).await;
        approved(house).await;
        house.quiet().await;
        assert_eq!(house.entries("action.intent").len(), 1);
        until_entry(house, "action.executed", 1).await;
        assert!(house.entries("action.withheld").is_empty());
        let sent = house.cloud.lock().sent.last().cloned();
        assert_eq!(sent, Some((HOST.to_owned(), false)));
        drop(answer);
    });
}
