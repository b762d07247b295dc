//! Containments come to their end by the clock, unless the clock was set; and some end behind our back.

use vyrox_domain::{
    action::{ActionManifest, OnExpiry, Release},
    containment::{Gate, Order, OutcomeKind, Stage},
    protocol::{Effect, Refusal},
    tenant::{is_at_rest, outstanding_effects},
};

use crate::house::{
    HOLD_MS, HOUR_MS, House, LIMITS, OPEN, T0, action_id, block, claim, isolate, order, undo,
};

const DAY_MS: u64 = 24 * HOUR_MS;

fn lifting(n: u64) -> ActionManifest {
    ActionManifest {
        on_expiry: OnExpiry::Lift,
        ..isolate(n, n)
    }
}

#[test]
fn the_time_of_a_containment_is_over_once_also_after_a_fall() {
    let mut house = House::default();
    house.in_force(&isolate(1, 1));
    let ends_at = house.now.plus_ms(HOLD_MS);
    assert_eq!(house.act(1).hold_ends_at(), Some(ends_at));
    assert!(!is_at_rest(&house.state));
    house.wait(HOLD_MS - 1);
    house.restart();
    assert_eq!(house.tick(), Err(Refusal::NothingNew));
    house.wait(1);
    assert_eq!(house.tick(), Ok(vec!["action.hold_ended"]));
    assert_eq!(house.tick(), Err(Refusal::NothingNew));
    // People are asked; nothing is lifted.
    assert_eq!(outstanding_effects(&house.state), []);
    assert!(house.act(1).is_in_force());
    assert!(is_at_rest(&house.state));
}

#[test]
fn what_was_approved_to_be_lifted_is_lifted_once_at_a_time() {
    let mut house = House::default();
    house.in_force(&lifting(1));
    house.wait(HOLD_MS);
    house.tick().expect("over");
    house.restart();
    let lift = [Effect::Lift {
        action_id: action_id(1),
    }];
    assert_eq!(outstanding_effects(&house.state), lift);
    assert!(!is_at_rest(&house.state));
    let names = house.order(order(undo(2, &lifting(1)), "system"));
    assert_eq!(names, Ok(vec!["action.ordered", "action.intent"]));
    let carry = [Effect::Carry {
        action_id: action_id(2),
    }];
    assert_eq!(outstanding_effects(&house.state), carry);
    house.report(2, OutcomeKind::Refused).expect("kept");
    assert_eq!(outstanding_effects(&house.state), lift);
    house.begun(&undo(3, &lifting(1)));
    house.report(3, OutcomeKind::Executed).expect("kept");
    assert_eq!(outstanding_effects(&house.state), []);
    assert!(is_at_rest(&house.state));
}

#[test]
fn the_next_lift_is_that_of_what_is_lifted_without_a_question() {
    let mut house = House::default();
    house.in_force(&isolate(1, 1));
    assert_eq!(house.state.acts.next_lift(), None);
    house.wait(1_000);
    house.in_force(&lifting(2));
    let ends_at = house.act(2).hold_ends_at();
    assert!(ends_at.is_some());
    assert_eq!(house.state.acts.next_lift(), ends_at);
    house.restart();
    assert_eq!(house.state.acts.next_lift(), ends_at);
    house.wait(HOLD_MS);
    house.tick().expect("both are over");
    assert_eq!(house.state.acts.next_lift(), None);
}

#[test]
fn what_was_so_before_and_what_has_no_end_is_never_over() {
    let mut house = House::default();
    house.begun(&lifting(1));
    house.report(1, OutcomeKind::AlreadySo).expect("kept");
    house.in_force(&block(2, 2));
    house.wait(3650 * DAY_MS);
    assert_eq!(house.tick(), Err(Refusal::NothingNew));
    assert_eq!(outstanding_effects(&house.state), []);
    assert!(is_at_rest(&house.state));
}

#[test]
fn no_time_is_over_while_an_undoing_is_under_way() {
    let mut house = House::default();
    house.in_force(&isolate(1, 1));
    house.begun(&undo(2, &isolate(1, 1)));
    house.wait(HOLD_MS);
    assert_eq!(house.tick(), Err(Refusal::NothingNew));
    house.report(2, OutcomeKind::Unreachable).expect("kept");
    assert_eq!(house.tick(), Ok(vec!["action.hold_ended"]));
}

/// A host's clock went forward by thirty days. Every timed lift would have run at once.
#[test]
fn a_jump_of_thirty_days_lifts_nothing_before_somebody_has_looked() {
    let mut house = House::default();
    house.in_force(&lifting(1));
    house.wait(HOLD_MS);
    house.in_force(&lifting(2));
    house.tick().expect("the first one is over");
    let to = house.now.plus_ms(30 * DAY_MS);
    assert_eq!(house.jump(to), Ok(vec!["clock.jumped"]));
    assert_eq!(house.jump(to.plus_ms(DAY_MS)), Err(Refusal::NothingNew));
    house.restart();
    assert_eq!(house.tick(), Err(Refusal::NothingNew));
    assert_eq!(outstanding_effects(&house.state), []);
    assert_eq!(house.release_timers(), Ok(vec!["timers.released"]));
    assert_eq!(house.release_timers(), Err(Refusal::NothingNew));
    assert_eq!(house.tick(), Ok(vec!["action.hold_ended"]));
    let lift = |n| Effect::Lift {
        action_id: action_id(n),
    };
    assert_eq!(outstanding_effects(&house.state), [lift(1), lift(2)]);
}

#[test]
fn after_a_clock_that_was_ahead_the_time_counts_from_when_somebody_looked() {
    let mut house = House::default();
    house.wait(30 * DAY_MS);
    house.in_force(&isolate(1, 1));
    house.jump(T0).expect("noted");
    house.release_timers().expect("released");
    assert_eq!(house.act(1).hold_ends_at(), Some(T0.plus_ms(HOLD_MS)));
    house.wait(HOLD_MS);
    assert_eq!(house.tick(), Ok(vec!["action.hold_ended"]));
}

/// While the process was down somebody set right a clock that had been a year ahead. The budget would have been
/// used up for a year, and nobody had anything to release.
#[test]
fn what_lies_ahead_of_the_clock_can_be_released_too() {
    let mut house = House::default();
    house.wait(365 * DAY_MS);
    for n in 1..=5 {
        house.in_force(&block(n, n));
    }
    house.now = T0;
    let one_more = || order(block(6, 6), "person:ada");
    let names = house.order(one_more());
    assert_eq!(names, Ok(vec!["action.ordered", "action.withheld"]));
    assert_eq!(house.release_timers(), Ok(vec!["timers.released"]));
    house.wait(HOUR_MS);
    house.begun(&block(7, 6));
}

/// Setting the clock forward, and letting timers run again, must not be a way to contain more hosts within an hour
/// than may be.
#[test]
fn setting_the_clock_gives_no_budget_anew() {
    for forwards in [true, false] {
        let mut house = House::default();
        house.wait(60 * DAY_MS);
        for n in 1..=5 {
            house.in_force(&block(n, n));
        }
        let over = |n| order(block(n, 6), "person:ada");
        let withheld = Ok(vec!["action.ordered", "action.withheld"]);
        let to = if forwards {
            house.now.plus_ms(30 * DAY_MS)
        } else {
            T0
        };
        house.jump(to).expect("noted");
        assert_eq!(house.order(over(6)), withheld);
        house.wait(2 * HOUR_MS);
        assert_eq!(house.order(over(7)), withheld);
        assert_eq!(house.state.acts.room_again(house.now, &LIMITS), None);
        house.release_timers().expect("released");
        house.wait(HOUR_MS - 1);
        assert_eq!(house.order(over(8)), withheld);
        house.wait(1);
        house.begun(&block(9, 6));
    }
}

#[test]
fn a_containment_that_was_released_behind_our_back_is_noted_once() {
    let mut house = House::default();
    house.begun(&isolate(1, 1));
    assert_eq!(house.drift(1), Err(Refusal::NothingNew));
    house.report(1, OutcomeKind::Accepted).expect("kept");
    assert_eq!(house.drift(1), Err(Refusal::NothingNew));
    house.report(1, OutcomeKind::Executed).expect("kept");
    assert_eq!(house.drift(1), Ok(vec!["action.drifted"]));
    assert_eq!(house.drift(1), Err(Refusal::NothingNew));
    assert_eq!(house.act(1).observed.as_deref(), Some("normal"));
    house.wait(HOLD_MS);
    assert_eq!(house.tick(), Err(Refusal::NothingNew), "nothing to lift");
    assert_eq!(house.drift(9), Err(Refusal::UnknownAction));

    house.in_force(&isolate(2, 2));
    house.begun(&undo(3, &isolate(2, 2)));
    assert_eq!(
        house.drift(2),
        Err(Refusal::NothingNew),
        "that is our doing"
    );
    house.report(3, OutcomeKind::Executed).expect("kept");
    let by = action_id(3);
    assert_eq!(house.act(2).stage, Stage::Undone { by });
    assert_eq!(house.drift(2), Err(Refusal::NothingNew));
}

/// The lift of a containment was refused. Its tenant was put to rest with that, so nobody tried again, and the host
/// stayed cut off for good.
#[test]
fn a_lift_that_came_to_nothing_is_still_to_come() {
    let mut house = House::default();
    house.in_force(&lifting(1));
    house.wait(HOLD_MS);
    house.tick().expect("over");
    house.begun(&undo(2, &lifting(1)));
    house.report(2, OutcomeKind::Refused).expect("kept");
    assert!(!is_at_rest(&house.state));
    let halted = Order {
        gate: Gate {
            halted: true,
            ..OPEN
        },
        ..order(undo(3, &lifting(1)), "system")
    };
    let withheld = house.order(halted);
    assert_eq!(withheld, Ok(vec!["action.ordered", "action.withheld"]));
    assert!(!is_at_rest(&house.state));
    house.begun(&undo(4, &lifting(1)));
    house.report(4, OutcomeKind::Executed).expect("kept");
    assert!(is_at_rest(&house.state));
}

#[test]
fn what_cuts_a_host_off_is_watched_while_it_lasts() {
    let mut house = House::default();
    house.in_force(&isolate(1, 1));
    house.in_force(&block(2, 2));
    assert_eq!(house.state.acts.watched(), 1);
    house.begun(&undo(3, &isolate(1, 1)));
    assert_eq!(house.state.acts.watched(), 0);
    house.report(3, OutcomeKind::Refused).expect("kept");
    assert_eq!(house.state.acts.watched(), 1);
    house.drift(1).expect("noted");
    assert_eq!(house.state.acts.watched(), 0);
}

/// A vendor's view lagged behind for a moment. The containment counted as released from then on, and was never lifted.
#[test]
fn a_containment_that_is_in_force_again_is_over_in_time() {
    let mut house = House::default();
    house.in_force(&isolate(1, 1));
    assert_eq!(house.back(1), Err(Refusal::NothingNew));
    house.drift(1).expect("noted");
    assert_eq!(house.act(1).hold_ends_at(), None);
    assert_eq!(house.back(1), Ok(vec!["action.drifted"]));
    assert_eq!(house.back(1), Err(Refusal::NothingNew));
    assert_eq!(house.act(1).observed.as_deref(), Some("contained"));
    house.wait(HOLD_MS);
    assert_eq!(house.tick(), Ok(vec!["action.hold_ended"]));
    // What another action did does not bring the first one back.
    house.drift(1).expect("noted");
    house.in_force(&isolate(2, 1));
    assert_eq!(house.back(1), Err(Refusal::NothingNew));
}

/// Both would have been sent at once, and the host have stayed as whichever came last left it.
#[test]
fn nothing_is_undone_while_it_is_on_its_way() {
    let mut house = House::default();
    let isolation = isolate(1, 1);
    house.begun(&isolation);
    let unnamed = ActionManifest {
        release: Some(Release { of: None }),
        ..undo(2, &isolation)
    };
    let undoing = order(unnamed, "external:soar");
    assert_eq!(house.order(undoing), Err(Refusal::WrongStage));

    // A caller means whatever is done to the host, also where something older is named.
    let mut house = House::default();
    house.begun(&isolation);
    assert!(house.report(1, OutcomeKind::AlreadySo).is_ok());
    house.begun(&isolate(2, 1));
    let mut undoing = order(undo(3, &isolation), "external:soar");
    undoing.ordered.claim = Some(claim("undo", "body"));
    assert_eq!(house.order(undoing), Err(Refusal::WrongStage));
}
