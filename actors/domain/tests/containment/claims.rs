//! A caller's request is carried out once, and its answer is remembered.

use vyrox_domain::{
    action::Release,
    containment::{ClaimKey, Gate, Manner, Order, OutcomeKind},
    protocol::Refusal,
};

use crate::house::{CLAIM_MS, House, OPEN, action_id, claim, isolate, order};

const BEGUN: [&str; 2] = ["action.ordered", "action.intent"];

/// A caller's order to isolate a machine, under the n-th action.
fn asked(n: u64, request: &str, body: &str) -> Order {
    let mut order = order(isolate(n, n), "external:soar");
    order.ordered.claim = Some(claim(request, body));
    order
}

fn key(request: &str) -> ClaimKey {
    ClaimKey::of(&claim(request, ""))
}

#[test]
fn a_request_is_carried_out_once_and_its_first_answer_stays() {
    let mut house = House::default();
    assert_eq!(house.order(asked(1, "r", "a")), Ok(BEGUN.to_vec()));
    assert_eq!(house.order(asked(2, "r", "a")), Err(Refusal::ClaimInFlight));
    assert_eq!(house.order(asked(2, "r", "b")), Err(Refusal::ClaimMismatch));
    house.report(1, OutcomeKind::Accepted).expect("kept");
    house.report(1, OutcomeKind::Executed).expect("kept");
    house.restart();
    let answered = Err(Refusal::ClaimAnswered(OutcomeKind::Accepted));
    assert_eq!(house.order(asked(2, "r", "a")), answered);
    assert_eq!(house.order(asked(2, "r", "b")), Err(Refusal::ClaimMismatch));
    assert!(house.state.acts.get(action_id(2)).is_none());
}

/// A caller's order to take something of nobody's back.
fn asked_back(n: u64, request: &str, body: &str) -> Order {
    let mut order = asked(n, request, body);
    order.ordered.manifest.release = Some(Release { of: None });
    if let Some(claim) = &mut order.ordered.claim {
        claim.rollback = true;
    }
    order
}

#[test]
fn the_two_directions_have_ids_of_their_own() {
    let mut house = House::default();
    assert_eq!(house.order(asked(1, "r", "a")), Ok(BEGUN.to_vec()));
    assert_eq!(house.order(asked_back(2, "r", "a")), Ok(BEGUN.to_vec()));
}

#[test]
fn a_request_is_remembered_for_so_long_after_its_answer() {
    let mut house = House::default();
    house.order(asked(1, "r", "a")).expect("begun");
    house.wait(10 * CLAIM_MS);
    assert_eq!(house.order(asked(2, "r", "a")), Err(Refusal::ClaimInFlight));
    house.report(1, OutcomeKind::Refused).expect("kept");
    house.wait(CLAIM_MS - 1);
    let answered = Err(Refusal::ClaimAnswered(OutcomeKind::Refused));
    assert_eq!(house.order(asked(2, "r", "a")), answered);
    house.wait(1);
    assert_eq!(house.order(asked(2, "r", "b")), Ok(BEGUN.to_vec()));
}

#[test]
fn where_nothing_was_done_the_caller_may_ask_again() {
    let mut house = House::default();
    let mut held = asked(1, "r", "a");
    held.gate.halted = true;
    assert!(matches!(house.order(held), Err(Refusal::Withheld(_))));
    assert_eq!(house.order(asked(1, "r", "b")), Ok(BEGUN.to_vec()));
    house.report(1, OutcomeKind::Unreachable).expect("kept");
    assert_eq!(house.state.acts.claim(&key("r")), None);
    assert_eq!(house.order(asked(2, "r", "c")), Ok(BEGUN.to_vec()));
    // What nobody knows may have been done.
    house.report(2, OutcomeKind::Unknown).expect("kept");
    let answered = Err(Refusal::ClaimAnswered(OutcomeKind::Unknown));
    assert_eq!(house.order(asked(3, "r", "c")), answered);
    house.report(2, OutcomeKind::Unreachable).expect("kept");
    assert_eq!(house.order(asked(3, "r", "c")), answered);
}

/// A clock that is set must not make an answer old: the request would be carried out a second time.
#[test]
fn setting_the_clock_forgets_no_answer() {
    let month = 30 * 24 * 60 * 60_000;
    for (forwards, now) in [(true, 0), (false, 0), (true, 1), (false, 1)] {
        let mut house = House::default();
        house.wait(2 * month);
        house.order(asked(1, "r", "a")).expect("begun");
        // It was answered before the jump, or after it.
        if now == 0 {
            house.report(1, OutcomeKind::Executed).expect("kept");
        }
        let to = if forwards {
            house.now.plus_ms(month)
        } else {
            crate::house::T0.plus_ms(month)
        };
        house.jump(to).expect("noted");
        if now == 1 {
            house.report(1, OutcomeKind::Executed).expect("kept");
        }
        let answered = Err(Refusal::ClaimAnswered(OutcomeKind::Executed));
        assert_eq!(house.order(asked(2, "r", "a")), answered);
        house.release_timers().expect("released");
        assert_eq!(house.order(asked(2, "r", "a")), answered);
        house.wait(CLAIM_MS);
        assert_eq!(house.order(asked(2, "r", "a")), Ok(BEGUN.to_vec()));
    }
}

/// Thousands of rehearsals within the time that answers are remembered push out each other, and nothing that
/// was sent.
#[test]
fn rehearsals_push_out_no_answer_of_what_was_sent() {
    let mut house = House::default();
    let wide = |manner| {
        let mut gate = Gate { manner, ..OPEN };
        gate.limits.per_hour = 100_000;
        gate.limits.per_day = 100_000;
        gate
    };
    let ask = |n: u64, manner| Order {
        gate: wide(manner),
        ..asked(n, &format!("r{n}"), "a")
    };
    house.order(ask(0, Manner::Live)).expect("begun");
    house.report(0, OutcomeKind::Executed).expect("kept");
    let apply_only = |house: &mut House, order| {
        let command = vyrox_domain::protocol::Command::Order(Box::new(order));
        let events = vyrox_domain::tenant::decide(&house.state, command, house.now);
        for event in events.expect("begun") {
            vyrox_domain::tenant::apply(&mut house.state, &event, house.now);
        }
    };
    for n in 1..=4200 {
        apply_only(&mut house, ask(n, Manner::DryRun));
    }
    assert!(house.state.acts.claim(&key("r1")).is_none());
    assert!(house.state.acts.claim(&key("r4200")).is_some());
    let sent = house.state.acts.claim(&key("r0")).expect("remembered");
    assert_eq!(sent.action_id, action_id(0));
    assert!(house.state.acts.iter().count() <= 2048);
    assert!(house.state.acts.get(action_id(0)).is_some(), "in force");
}
