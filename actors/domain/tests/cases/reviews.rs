//! Stage 2: asked within a day's budget, waited for, and done without when it says nothing.

use vyrox_domain::{
    protocol::{Command, Effect, Event, Refusal, Stage2},
    review::Failure,
    tenant::outstanding_effects,
    triage::Verdict::{Benign, High, Low, Medium},
};

use crate::house::{Alarm, Tenant, action_id, alarm, alert_id, isolate, names, received};

const DAY_MS: u64 = 86_400_000;

fn doubtful(n: u64, daily_calls: Option<u32>) -> Alarm {
    Alarm {
        daily_calls,
        ..alarm(n, Medium, n)
    }
}

fn stage2(tenant: &mut Tenant, alarm: &Alarm) -> Option<Stage2> {
    tenant.run(received(alarm.n)).expect("taken in");
    let events = tenant.run(alarm.judged()).expect("judged");
    match &events[0] {
        Event::AlertTriaged { triaged, .. } => triaged.stage2,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_alert_that_is_asked_about_is_owed_until_the_answer() {
    let mut tenant = Tenant::default();
    let doubtful = doubtful(1, Some(5));
    assert_eq!(stage2(&mut tenant, &doubtful), Some(Stage2::Asked));
    assert_eq!(
        outstanding_effects(&tenant.state),
        [Effect::Triage {
            alert_id: alert_id(1),
            seq: 0
        }]
    );
    assert_eq!(tenant.state.incidents.len(), 0, "it has no verdict yet");
    let answered = tenant.run(doubtful.reviewed(High, None)).expect("counts");
    assert_eq!(names(&answered), ["alert.reviewed", "incident.opened"]);
    assert!(tenant.state.in_review.is_empty() && tenant.state.untriaged.is_empty());
    let again = tenant.run(doubtful.reviewed(High, None));
    assert_eq!(again, Err(Refusal::NotAwaitingVerdict));
}

#[test]
fn every_failure_leaves_the_alert_to_people_and_says_which_it_was() {
    let failures = [
        (Failure::ParseError, "llm_call_parse_error"),
        (Failure::TimedOut, "llm_call_timed_out"),
        (Failure::Unreachable, "llm_call_failed"),
        (Failure::Refused, "llm_call_failed"),
        (Failure::BreakerOpen, "llm_breaker_open"),
        (Failure::OverBudget, "llm_budget_exhausted"),
        (Failure::Lost, "llm_call_lost"),
    ];
    let mut tenant = Tenant::default();
    for (n, (failure, name)) in (1..).zip(failures) {
        let doubtful = doubtful(n, Some(100));
        stage2(&mut tenant, &doubtful);
        let events = tenant
            .run(doubtful.reviewed(Medium, Some(failure)))
            .expect("counts");
        assert_eq!(names(&events), [name, "alert.reviewed", "incident.opened"]);
    }
    assert!(tenant.state.in_review.is_empty());
}

#[test]
fn what_a_review_finds_harmless_is_closed() {
    let mut tenant = Tenant::default();
    for (n, verdict) in [(1, Benign), (2, Low)] {
        let doubtful = doubtful(n, Some(5));
        stage2(&mut tenant, &doubtful);
        let events = tenant
            .run(doubtful.reviewed(verdict, None))
            .expect("counts");
        assert_eq!(names(&events), ["alert.reviewed", "alert.closed"]);
    }
}

#[test]
fn the_days_calls_are_counted_and_begin_anew_with_the_day() {
    let mut tenant = Tenant::default();
    let asked = |tenant: &mut Tenant, n| stage2(tenant, &doubtful(n, Some(2)));
    assert_eq!(asked(&mut tenant, 1), Some(Stage2::Asked));
    assert_eq!(asked(&mut tenant, 2), Some(Stage2::Asked));
    assert_eq!(asked(&mut tenant, 3), Some(Stage2::OverBudget));
    assert!(tenant.notice(3).is_some(), "people see it at once");
    tenant.wait(DAY_MS);
    assert_eq!(asked(&mut tenant, 4), Some(Stage2::Asked));
}

#[test]
fn whoever_has_not_opted_in_is_never_asked_about() {
    let mut tenant = Tenant::default();
    assert_eq!(stage2(&mut tenant, &doubtful(1, None)), Some(Stage2::Off));
    assert_eq!(
        stage2(&mut tenant, &doubtful(2, Some(0))),
        Some(Stage2::OverBudget)
    );
    assert_eq!(tenant.state.reviews.calls, 0);
}

/// A clock that was set back over midnight and forward again gave the day's calls anew each time.
#[test]
fn a_clock_that_is_set_back_gives_no_calls() {
    let mut tenant = Tenant::default();
    assert_eq!(
        stage2(&mut tenant, &doubtful(1, Some(1))),
        Some(Stage2::Asked)
    );
    let today = tenant.now;
    tenant.now = vyrox_domain::time::Timestamp::from_ms(today.ms() - DAY_MS);
    assert_eq!(
        stage2(&mut tenant, &doubtful(2, Some(1))),
        Some(Stage2::OverBudget)
    );
    tenant.now = today;
    assert_eq!(
        stage2(&mut tenant, &doubtful(3, Some(1))),
        Some(Stage2::OverBudget)
    );
}

/// A text that an attacker wrote can talk a model into HIGH, and one tired person into a click.
#[test]
fn what_a_model_alone_calls_for_needs_two_people() {
    let mut tenant = Tenant::default();
    let doubtful = doubtful(1, Some(5)).proposing([isolate(1)]);
    stage2(&mut tenant, &doubtful);
    tenant.run(doubtful.reviewed(High, None)).expect("counts");
    assert_eq!(tenant.proposed(action_id(1, 0)).verdict, Medium);
    assert_eq!(tenant.notice(1).expect("shown").level, High);
}

#[test]
fn a_review_that_ends_medium_proposes_nothing() {
    let mut tenant = Tenant::default();
    let doubtful = doubtful(1, Some(5)).proposing([isolate(1)]);
    stage2(&mut tenant, &doubtful);
    let events = tenant.run(doubtful.reviewed(Medium, Some(Failure::TimedOut)));
    let events = events.expect("counts");
    assert!(!names(&events).contains(&"approval.requested"));
    let lost: Result<_, _> = tenant.run(Command::Tick(vyrox_domain::incident::Window::default()));
    assert_eq!(lost, Err(Refusal::NothingNew));
}
