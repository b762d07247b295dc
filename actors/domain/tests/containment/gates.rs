//! One gate after the other, in earnest and in rehearsal.

use vyrox_domain::{
    action::{ActionManifest, ActionType, Release},
    containment::{Gate, Manner, Order, OutcomeKind, Stage, Withheld},
    protocol::{Command, Event, Refusal},
    vendor::Vendor,
};

use crate::house::{
    HOUR_MS, House, LIMITS, OPEN, action_id, block, claim, isolate, order, undo, whose_share_is,
};

const HALTED: Gate = Gate {
    halted: true,
    ..OPEN
};
const UNPROVEN: Gate = Gate {
    unproven: true,
    ..OPEN
};
const REHEARSAL: Gate = Gate {
    manner: Manner::DryRun,
    ..OPEN
};

/// Why an order is withheld: the same in earnest, in a rehearsal, and for a caller, who leaves no entry behind.
fn why(house: &mut House, of: &Order) -> Option<Withheld> {
    let before = house.state.clone();
    let mut claimed = of.clone();
    claimed.ordered.claim = Some(claim("gate", "body"));
    claimed.gate.limits = whose_share_is(of.gate.limits);
    let refused = house.run(Command::Order(Box::new(claimed)));
    let why = match refused {
        Err(Refusal::Withheld(why)) => Some(why),
        Err(other) => panic!("{other:?}"),
        Ok(_) => None,
    };
    assert_eq!(why.is_some(), house.state == before);
    if let Some(why) = why {
        for manner in [Manner::DryRun, Manner::Live] {
            let mut again = of.clone();
            again.gate.manner = manner;
            again.ordered.manifest.action_id = action_id(900 + house.state.next_seq);
            let events = house.run(Command::Order(Box::new(again))).expect("written");
            let [Event::ActOrdered(_), Event::ActWithheld(withheld)] = events.as_slice() else {
                panic!("{events:?}");
            };
            assert_eq!(withheld.facts.why, why);
        }
    }
    why
}

#[test]
fn a_live_action_is_begun_and_waits_for_its_outcome() {
    let mut house = House::default();
    house.begun(&isolate(1, 1));
    assert_eq!(
        house.act(1).stage,
        Stage::Begun {
            manner: Manner::Live
        }
    );
    assert_eq!(house.act(1).drives, 1);
}

#[test]
fn a_rehearsal_is_over_in_the_breath_in_which_it_begins() {
    let mut house = House::default();
    for (n, manner) in [(1, Manner::DryRun), (2, Manner::NoCredentials)] {
        let gate = Gate { manner, ..OPEN };
        let names = house.order(Order {
            gate,
            ..order(isolate(n, n), "person:ada")
        });
        let all = vec!["action.ordered", "action.intent", "action.dry_run"];
        assert_eq!(names, Ok(all));
        assert_eq!(house.act(n).stage.outcome(), Some(OutcomeKind::DryRun));
        assert!(!house.act(n).is_in_force());
        assert!(house.act(n).jws.is_empty());
    }
}

#[test]
fn a_halt_stops_all_but_what_a_person_takes_back() {
    let mut house = House::default();
    house.in_force(&isolate(1, 1));
    let halted = |manifest, by: &str| Order {
        gate: HALTED,
        ..order(manifest, by)
    };
    let new = halted(isolate(2, 2), "person:ada");
    assert_eq!(why(&mut house, &new), Some(Withheld::Halted));
    for by in ["system", "external:soar"] {
        let lift = halted(undo(3, &isolate(1, 1)), by);
        assert_eq!(why(&mut house, &lift), Some(Withheld::Halted), "{by}");
    }
    let person = halted(undo(4, &isolate(1, 1)), "person:ada");
    let names = house.order(person);
    assert_eq!(names, Ok(vec!["action.ordered", "action.intent"]));
}

#[test]
fn chains_that_prove_nothing_stop_all_but_what_a_person_takes_back() {
    let mut house = House::default();
    house.in_force(&isolate(1, 1));
    let unproven = |manifest, by: &str| Order {
        gate: UNPROVEN,
        ..order(manifest, by)
    };
    let new = unproven(isolate(2, 2), "person:ada");
    assert_eq!(why(&mut house, &new), Some(Withheld::Unproven));
    let timer = unproven(undo(3, &isolate(1, 1)), "system");
    assert_eq!(why(&mut house, &timer), Some(Withheld::Unproven));
    let person = unproven(undo(4, &isolate(1, 1)), "person:ada");
    let names = house.order(person);
    assert_eq!(names, Ok(vec!["action.ordered", "action.intent"]));
}

#[test]
fn what_was_signed_has_to_hold() {
    let mut house = House::default();
    let flawed = Order {
        flaw: Some("the signature does not verify".into()),
        ..order(isolate(1, 1), "external:soar")
    };
    assert_eq!(why(&mut house, &flawed), Some(Withheld::Manifest));
    house.approve(&isolate(2, 2));
    let events = house.run(Command::Begin(Box::new(vyrox_domain::containment::Begin {
        action_id: action_id(2),
        flaw: Some("the action has expired".into()),
        gate: OPEN,
    })));
    let events = events.expect("written down");
    let [rejected @ Event::ActWithheld(facts)] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(rejected.entry(house.now).event, "manifest.rejected");
    assert_eq!(
        facts.facts.detail.as_deref(),
        Some("the action has expired")
    );
}

#[test]
fn what_the_vendor_cannot_do_is_not_begun_nor_rehearsed() {
    let mut house = House::default();
    let quarantine = ActionManifest {
        action_type: ActionType::NetworkQuarantine,
        ..isolate(1, 1)
    };
    let unsupported = order(quarantine, "external:soar");
    assert_eq!(why(&mut house, &unsupported), Some(Withheld::Unsupported));

    let kill = ActionManifest {
        action_type: ActionType::ProcessKill,
        ..isolate(2, 2)
    };
    house.in_force(&kill);
    let undone = order(undo(3, &kill), "person:ada");
    assert_eq!(why(&mut house, &undone), Some(Withheld::Unsupported));
}

#[test]
fn the_same_is_not_done_twice_while_it_lasts() {
    let mut house = House::default();
    house.begun(&isolate(1, 1));
    let again = order(isolate(2, 1), "external:soar");
    assert_eq!(why(&mut house, &again), Some(Withheld::InForce));
    house.report(1, OutcomeKind::Executed).expect("kept");
    assert_eq!(why(&mut house, &again), Some(Withheld::InForce));
    // A file is blocked everywhere, from whichever machine that was proposed.
    house.in_force(&block(3, 7));
    let again = order(block(4, 7), "external:soar");
    assert_eq!(why(&mut house, &again), Some(Withheld::InForce));
    // Once it was taken back, or was found released, it may be done again.
    house.drift(1).expect("noted");
    house.begun(&isolate(5, 1));
}

/// A process that was killed may run again later under the same id, so one kill must not keep the next one
/// from being sent for good.
#[test]
fn a_kill_may_be_repeated_another_day() {
    let mut house = House::default();
    let kill = |n| ActionManifest {
        action_type: ActionType::ProcessKill,
        hold_minutes: 0,
        ..isolate(n, 1)
    };
    house.in_force(&kill(1));
    let again = order(kill(2), "external:soar");
    assert_eq!(why(&mut house, &again), Some(Withheld::InForce));
    house.wait(24 * HOUR_MS);
    house.begun(&kill(3));
}

#[test]
fn the_budget_of_an_hour_and_of_a_day() {
    let mut house = House::default();
    let mut begun = 0;
    for hour in 0..3_u64 {
        for _ in 0..LIMITS.per_hour {
            if begun == LIMITS.per_day {
                break;
            }
            begun += 1;
            // Rehearsals count like the real thing.
            let rehearsed = Order {
                gate: REHEARSAL,
                ..order(isolate(u64::from(begun), 1), "external:soar")
            };
            house.order(rehearsed).expect("begun");
            house.wait(1);
        }
        let over = order(isolate(800 + hour, 1), "external:soar");
        let expected = if begun == LIMITS.per_day {
            Withheld::DayBudget
        } else {
            Withheld::HourBudget
        };
        assert_eq!(why(&mut house, &over), Some(expected));
        let again = house.state.acts.room_again(house.now, &LIMITS);
        let again = again.expect("some time");
        assert!(again > house.now);
        house.now = again;
    }
    assert_eq!(begun, LIMITS.per_day);
    house.begun(&isolate(700, 2));
}

#[test]
fn no_budget_at_all_never_has_room() {
    let mut house = House::default();
    let mut none = order(isolate(1, 1), "person:ada");
    none.gate.limits.per_day = 0;
    assert_eq!(why(&mut house, &none), Some(Withheld::DayBudget));
    assert_eq!(
        house.state.acts.room_again(house.now, &none.gate.limits),
        None
    );
}

#[test]
fn so_many_at_once_undoings_among_them() {
    let mut house = House::default();
    house.in_force(&isolate(1, 1));
    (2..=4).for_each(|n| house.begun(&block(n, n)));
    let one_more = order(block(5, 5), "external:soar");
    assert_eq!(why(&mut house, &one_more), Some(Withheld::Concurrent));
    let undone = order(undo(6, &isolate(1, 1)), "external:soar");
    assert_eq!(why(&mut house, &undone), Some(Withheld::Concurrent));
    house.report(2, OutcomeKind::Unknown).expect("kept");
    assert_eq!(why(&mut house, &undone), None);
}

/// An order that a caller waits for, under limits that are the house's own.
fn called_for(manifest: ActionManifest) -> Order {
    let mut order = order(manifest, "external:soar");
    let request = order.ordered.manifest.action_id.0.to_string();
    order.ordered.claim = Some(claim(&request, &request));
    order
}

/// A service in a loop, or whoever stole its key, had every slot, every budget and every host: what people approved
/// in that hour was withheld, for good and without a word.
#[test]
fn callers_leave_room_for_what_people_approved() {
    let mut house = House::default();
    let refused = |why| Err(Refusal::Withheld(why));
    // 4 of 5 an hour, of which 3 of 4 hosts.
    for n in 1..=3 {
        house.order(called_for(isolate(n, n))).expect("begun");
        house.report(n, OutcomeKind::Executed).expect("kept");
    }
    let fourth = house.order(called_for(isolate(4, 4)));
    assert_eq!(fourth, refused(Withheld::ContainedHosts));
    house.order(called_for(block(5, 5))).expect("begun");
    house.report(5, OutcomeKind::Executed).expect("kept");
    let sixth = house.order(called_for(block(6, 6)));
    assert_eq!(sixth, refused(Withheld::HourBudget));
    house.approve(&isolate(7, 7));
    assert_eq!(house.begin(7, OPEN), Ok(vec!["action.intent"]));
}

/// What people approved while too much was under way was withheld for good, and nobody was told.
#[test]
fn what_was_approved_waits_while_too_much_is_under_way() {
    let mut house = House::default();
    (1..=3).for_each(|n| house.begun(&block(n, n)));
    let waits = Err(Refusal::Withheld(Withheld::Concurrent));
    let approved = ActionManifest {
        expires_at_ms: house.now.plus_ms(HOUR_MS),
        ..isolate(4, 4)
    };
    house.approve(&approved);
    house.approve(&ActionManifest {
        action_id: action_id(5),
        ..approved
    });
    assert_eq!(house.begin(4, OPEN), waits);
    assert_eq!(house.act(4).stage, Stage::Approved);
    house.restart();
    assert_eq!(house.begin(4, OPEN), waits);
    house.report(1, OutcomeKind::Executed).expect("kept");
    assert_eq!(house.begin(4, OPEN), Ok(vec!["action.intent"]));
    // The other one waits for as long as its manifest holds.
    assert_eq!(house.begin(5, OPEN), Ok(vec!["action.withheld"]));
}

/// A caller could lift without end what it and others had contained.
#[test]
fn undoings_of_callers_have_budgets_of_their_own() {
    let mut house = House::default();
    let lift = |n| ActionManifest {
        release: Some(Release { of: None }),
        ..isolate(n, n)
    };
    for n in 1..=4 {
        house.order(called_for(lift(n))).expect("begun");
        house.report(n, OutcomeKind::Executed).expect("kept");
    }
    let fifth = house.order(called_for(lift(5)));
    assert_eq!(fifth, Err(Refusal::Withheld(Withheld::HourBudget)));
    let share = LIMITS.callers_share();
    let again = house.state.acts.room_to_undo_again(house.now, &share);
    assert_eq!(again, Some(house.now.plus_ms(HOUR_MS)));
    // Neither containments nor what people take back are the less for it.
    house.begun(&isolate(6, 6));
    house.report(6, OutcomeKind::Executed).expect("kept");
    house.begun(&undo(7, &isolate(6, 6)));
    house.wait(HOUR_MS);
    house.order(called_for(lift(8))).expect("begun");
}

#[test]
fn so_many_hosts_are_cut_off_and_no_more() {
    let mut house = House::default();
    for n in 1..=4 {
        house.in_force(&isolate(n, n));
    }
    let fifth = order(isolate(5, 5), "external:soar");
    assert_eq!(why(&mut house, &fifth), Some(Withheld::ContainedHosts));
    // What cuts no host off is another matter.
    house.begun(&block(6, 6));
    house.report(6, OutcomeKind::Executed).expect("kept");
    house.begun(&undo(7, &isolate(1, 1)));
    house.wait(HOUR_MS);
    let fifth = order(isolate(8, 5), "external:soar");
    assert_eq!(why(&mut house, &fifth), Some(Withheld::ContainedHosts));
    house.report(7, OutcomeKind::Executed).expect("kept");
    house.begun(&isolate(9, 5));
}

#[test]
fn so_many_protected_hosts_are_cut_off_and_no_more() {
    let mut house = House::default();
    let tier0 = |n| ActionManifest {
        protected: Some("tier0".into()),
        ..isolate(n, n)
    };
    // Already while the first is under way.
    house.begun(&tier0(1));
    let second = order(tier0(2), "external:soar");
    assert_eq!(why(&mut house, &second), Some(Withheld::ProtectedHosts));
    house.begun(&isolate(3, 3));
}

#[test]
fn what_was_approved_passes_the_same_gates() {
    let mut house = House::default();
    house.approve(&isolate(1, 1));
    assert_eq!(house.begin(1, HALTED), Ok(vec!["action.withheld"]));
    assert_eq!(house.begin(1, OPEN), Err(Refusal::WrongStage));
    assert_eq!(house.redrive(1, OPEN), Ok(vec!["action.intent"]));
    assert_eq!(house.redrive(1, OPEN), Err(Refusal::WrongStage));
    assert_eq!(house.begin(2, OPEN), Err(Refusal::UnknownAction));
    let act = house.act(1);
    assert_eq!(act.approved_by.as_deref(), Some("person:ada"));
    assert_eq!(house.begin(1, OPEN), Err(Refusal::WrongStage));
}

#[test]
fn only_what_the_vendor_has_is_asked_of_it() {
    let mut house = House::default();
    let generic = ActionManifest {
        vendor: Vendor::Generic,
        ..isolate(1, 1)
    };
    let unsupported = order(generic, "person:ada");
    assert_eq!(why(&mut house, &unsupported), Some(Withheld::Unsupported));
}
