//! What an adapter says counts once, for the drive that is under way, as far as it can be believed.

use vyrox_domain::{
    action::{ActionManifest, ActionType},
    containment::{Gate, Manner, Order, OutcomeKind, Stage, Withheld},
    protocol::{Command, Effect, Event, Refusal},
    tenant::{is_at_rest, outstanding_effects},
};

use crate::house::{HOUR_MS, House, MINUTE_MS, OPEN, action_id, isolate, order, report, undo};

fn tell(house: &mut House, drive: u32, outcome: OutcomeKind) -> Result<Vec<&'static str>, Refusal> {
    let report = report(action_id(1), drive, outcome);
    house.names(Command::RecordAct(Box::new(report)))
}

#[test]
fn an_outcome_counts_once_and_an_open_one_until_it_is_final() {
    let mut house = House::default();
    let unknown = report(action_id(9), 1, OutcomeKind::Executed);
    let unknown = house.names(Command::RecordAct(Box::new(unknown)));
    assert_eq!(unknown, Err(Refusal::UnknownAction));
    house.begun(&isolate(1, 1));
    let nothing = Err(Refusal::NothingNew);
    assert_eq!(tell(&mut house, 0, OutcomeKind::Executed), nothing);
    assert_eq!(tell(&mut house, 2, OutcomeKind::Executed), nothing);
    assert_eq!(tell(&mut house, 1, OutcomeKind::DryRun), nothing);
    let accepted = Ok(vec!["action.accepted"]);
    assert_eq!(tell(&mut house, 1, OutcomeKind::Accepted), accepted);
    assert_eq!(tell(&mut house, 1, OutcomeKind::Accepted), nothing);
    assert_eq!(tell(&mut house, 1, OutcomeKind::AlreadySo), nothing);
    let since = house.now;
    house.wait(HOUR_MS);
    let executed = Ok(vec!["action.executed"]);
    assert_eq!(tell(&mut house, 1, OutcomeKind::Executed), executed);
    assert_eq!(tell(&mut house, 1, OutcomeKind::Refused), nothing);
    // Its time counts from the moment at which the vendor took it.
    assert_eq!(house.act(1).in_force_since, Some(since));
}

#[test]
fn a_name_that_comes_late_is_kept() {
    let mut house = House::default();
    house.begun(&isolate(1, 1));
    tell(&mut house, 1, OutcomeKind::Accepted).expect("kept");
    let mut named = report(action_id(1), 1, OutcomeKind::Accepted);
    named.reference = Some("4d5e:6f".into());
    let again = Command::RecordAct(Box::new(named));
    assert_eq!(house.names(again.clone()), Ok(vec!["action.accepted"]));
    assert_eq!(house.names(again), Err(Refusal::NothingNew));
    tell(&mut house, 1, OutcomeKind::Executed).expect("kept");
    assert_eq!(house.act(1).reference.as_deref(), Some("4d5e:6f"));
}

#[test]
fn texts_of_an_adapter_are_cut_and_cleaned() {
    let mut house = House::default();
    house.begun(&isolate(1, 1));
    let mut hostile = report(action_id(1), 1, OutcomeKind::Accepted);
    hostile.observed = Some(format!(" con\u{202e}tained\n{}", "x".repeat(100)));
    hostile.reference = Some("../../etc".into());
    hostile.why = Some("w\u{0}\u{feff}".repeat(300));
    hostile.status = Some(7);
    let events = house.run(Command::RecordAct(Box::new(hostile)));
    let events = events.expect("kept");
    let [Event::ActOutcome(outcome)] = events.as_slice() else {
        panic!("{events:?}");
    };
    let facts = &outcome.facts;
    let observed = facts.observed.as_deref().expect("a word");
    assert!(observed.starts_with("con?tained?xx"), "{observed}");
    assert_eq!(observed.len(), 64);
    assert_eq!((&facts.reference, facts.status), (&None, None));
    assert_eq!(facts.why.as_deref(), Some("w".repeat(200).as_str()));
    assert_eq!(outcome.action.approved_by.as_deref(), Some("person:ada"));
    assert_eq!(outcome.action.host, "ws-1");
}

#[test]
fn what_came_to_nothing_may_be_driven_again_and_nothing_else() {
    for outcome in OutcomeKind::ALL {
        let mut house = House::default();
        if outcome == OutcomeKind::DryRun {
            let gate = Gate {
                manner: Manner::DryRun,
                ..OPEN
            };
            let rehearsed = Order {
                gate,
                ..order(isolate(1, 1), "person:ada")
            };
            house.order(rehearsed).expect("rehearsed");
        } else {
            house.begun(&isolate(1, 1));
            assert_eq!(house.redrive(1, OPEN), Err(Refusal::WrongStage));
            tell(&mut house, 1, outcome).expect("kept");
        }
        let again = matches!(
            outcome,
            OutcomeKind::Refused | OutcomeKind::Unreachable | OutcomeKind::Unknown
        );
        let redriven = house.redrive(1, OPEN);
        assert_eq!(redriven.is_ok(), again, "{outcome:?}");
        if again {
            assert_eq!(house.act(1).drives, 2);
            // The last word about the first drive comes too late.
            let late = tell(&mut house, 1, OutcomeKind::Executed);
            assert_eq!(late, Err(Refusal::NothingNew));
            assert_eq!(house.act(1).stage.outcome(), None);
        }
        let needed = again || outcome.is_open();
        assert_eq!(house.act(1).jws.is_empty(), !needed, "{outcome:?}");
    }
}

/// A request whose answer was lost had worked. Driven again, the adapter reads that the host is contained. Kept as
/// "already so", nobody would ever have taken that containment back.
#[test]
fn what_is_found_after_a_doubtful_drive_is_ours() {
    let mut house = House::default();
    house.begun(&isolate(1, 1));
    tell(&mut house, 1, OutcomeKind::Unknown).expect("kept");
    house.redrive(1, OPEN).expect("begun");
    let found = tell(&mut house, 2, OutcomeKind::AlreadySo);
    assert_eq!(found, Ok(vec!["action.executed"]));
    assert!(house.act(1).hold_ends_at().is_some());
}

#[test]
fn an_undoing_ends_what_it_undoes_and_runs_once_at_a_time() {
    let mut house = House::default();
    let host = isolate(1, 1);
    let undone = |n| order(undo(n, &host), "person:ada");
    assert_eq!(house.order(undone(2)), Err(Refusal::UnknownAction));
    house.begun(&host);
    assert_eq!(house.order(undone(2)), Err(Refusal::WrongStage));
    house.report(1, OutcomeKind::Executed).expect("kept");
    house.begun(&undo(2, &host));
    assert_eq!(house.order(undone(3)), Err(Refusal::WrongStage));
    house.report(2, OutcomeKind::Accepted).expect("kept");
    assert_eq!(house.order(undone(3)), Err(Refusal::WrongStage));
    assert!(house.act(1).is_in_force());
    house.report(2, OutcomeKind::Refused).expect("kept");
    house.begun(&undo(3, &host));
    // The first one can't be driven again beside it.
    assert_eq!(house.redrive(2, OPEN), Err(Refusal::WrongStage));
    house.report(3, OutcomeKind::AlreadySo).expect("kept");
    let by = action_id(3);
    assert_eq!(house.act(1).stage, Stage::Undone { by });
    assert_eq!(house.order(undone(4)), Err(Refusal::WrongStage));
    assert_eq!(house.redrive(2, OPEN), Err(Refusal::WrongStage));
    assert!(is_at_rest(&house.state));
}

/// Nobody knew whether a host was contained. One person had that taken back and another had it driven again; the
/// vendor lifted first and contained then. The outcome of the lifting made the containment count as undone, the
/// containment's own outcome was not taken any more, and a host was cut off of which nobody knew.
#[test]
fn what_is_being_undone_is_not_driven_again_and_gets_an_outcome_of_its_own() {
    let mut house = House::default();
    let host = isolate(1, 1);
    house.begun(&host);
    house.report(1, OutcomeKind::Unknown).expect("kept");
    house.begun(&undo(2, &host));
    assert_eq!(house.redrive(1, OPEN), Err(Refusal::WrongStage));
    house.report(2, OutcomeKind::Unknown).expect("kept");
    house.redrive(1, OPEN).expect("begun");
    // Only now it is seen that the undoing had an effect, before all this.
    house.report(2, OutcomeKind::Executed).expect("kept");
    assert!(matches!(house.act(1).stage, Stage::Begun { .. }));
    house.report(1, OutcomeKind::Executed).expect("kept");
    assert!(house.act(1).is_in_force());
}

#[test]
fn an_undoing_names_the_deed_that_it_undoes() {
    let mut house = House::default();
    house.in_force(&isolate(1, 1));
    let mut other = undo(2, &isolate(1, 1));
    other.target_urn = isolate(5, 5).target_urn;
    let refused = house.order(order(other, "person:ada"));
    assert_eq!(refused, Err(Refusal::WrongStage));
    // What was there before may be taken back by a person, if never by time.
    house.begun(&isolate(3, 3));
    house.report(3, OutcomeKind::AlreadySo).expect("kept");
    house.begun(&undo(4, &isolate(3, 3)));
}

#[test]
fn a_rehearsal_is_undone_in_a_rehearsal_and_what_is_in_force_is_not() {
    let mut house = House::default();
    let rehearsed = |manifest| Order {
        gate: Gate {
            manner: Manner::DryRun,
            ..OPEN
        },
        ..order(manifest, "external:soar")
    };
    house.order(rehearsed(isolate(1, 1))).expect("rehearsed");
    let live = order(undo(2, &isolate(1, 1)), "external:soar");
    assert_eq!(house.order(live), Err(Refusal::WrongStage));
    let names = house.order(rehearsed(undo(2, &isolate(1, 1))));
    let all = vec!["action.ordered", "action.intent", "action.dry_run"];
    assert_eq!(names, Ok(all.clone()));
    house.in_force(&isolate(3, 3));
    assert_eq!(house.order(rehearsed(undo(4, &isolate(3, 3)))), Ok(all));
    assert!(house.act(3).is_in_force());
}

#[test]
fn after_a_fall_what_was_approved_begins_and_what_was_begun_is_looked_after() {
    let mut house = House::default();
    assert!(is_at_rest(&house.state));
    house.approve(&isolate(2, 2));
    house.begun(&isolate(1, 1));
    house.restart();
    let (begin, carry) = (action_id(2), action_id(1));
    let owed = [
        Effect::Carry { action_id: carry },
        Effect::Begin { action_id: begin },
    ];
    assert_eq!(outstanding_effects(&house.state), owed);
    assert!(!is_at_rest(&house.state));
    house.begin(2, OPEN).expect("begun");
    house.report(1, OutcomeKind::Refused).expect("kept");
    let owed = [Effect::Carry { action_id: begin }];
    assert_eq!(outstanding_effects(&house.state), owed);
    house.report(2, OutcomeKind::Unreachable).expect("kept");
    assert_eq!(outstanding_effects(&house.state), []);
    assert!(is_at_rest(&house.state));
}

/// The process died between the entries of one breath: the order of a caller was durable, its intent was not. The
/// caller was told of an error, so it must not be begun after all.
#[test]
fn an_order_whose_caller_was_told_of_an_error_is_not_begun() {
    let mut house = House::default();
    let mut asked = order(isolate(1, 1), "external:soar");
    asked.ordered.claim = Some(crate::house::claim("r", "a"));
    house.record(&Event::ActOrdered(Box::new(asked.ordered.clone())));
    assert_eq!(outstanding_effects(&house.state), []);
    assert_eq!(house.begin(1, OPEN), Err(Refusal::WrongStage));
    assert_eq!(house.tick(), Ok(vec!["manifest.rejected"]));
    asked.ordered.manifest.action_id = action_id(2);
    let again = house.order(asked);
    assert_eq!(again, Ok(vec!["action.ordered", "action.intent"]));
}

#[test]
fn an_approval_that_nothing_came_of_runs_out() {
    let mut house = House::default();
    let mut manifest = isolate(1, 1);
    manifest.expires_at_ms = house.now.plus_ms(HOUR_MS);
    house.approve(&manifest);
    house.wait(HOUR_MS);
    assert_eq!(house.tick(), Err(Refusal::NothingNew));
    house.wait(1);
    assert_eq!(house.tick(), Ok(vec!["manifest.rejected"]));
    assert_eq!(house.begin(1, OPEN), Err(Refusal::WrongStage));
    assert_eq!(outstanding_effects(&house.state), []);
}

/// A person had an action driven again of which nobody knew what it did, while containment was halted. That it was
/// withheld took the place of the open outcome: nobody looked at the host any more, and it could not be released.
#[test]
fn a_redrive_that_is_withheld_leaves_an_unknown_outcome_as_it_is() {
    let mut house = House::default();
    house.begun(&isolate(1, 1));
    tell(&mut house, 1, OutcomeKind::Unknown).expect("kept");
    let before = house.state.clone();
    let halted = Gate {
        halted: true,
        ..OPEN
    };
    let refused = house.redrive(1, halted);
    assert_eq!(refused, Err(Refusal::Withheld(Withheld::Halted)));
    assert_eq!(house.state, before);
    house.begun(&undo(2, &isolate(1, 1)));
}

/// The answer to the first request was lost, and the second was refused while the host read as free. When somebody
/// else isolated the host later, a third drive took that for its own doing, and it was lifted by our clock.
#[test]
fn a_drive_whose_outcome_is_known_leaves_no_doubt() {
    let mut house = House::default();
    house.begun(&isolate(1, 1));
    tell(&mut house, 1, OutcomeKind::Unknown).expect("kept");
    house.redrive(1, OPEN).expect("begun");
    assert!(house.act(1).doubtful);
    tell(&mut house, 2, OutcomeKind::Refused).expect("kept");
    house.redrive(1, OPEN).expect("begun");
    let found = tell(&mut house, 3, OutcomeKind::AlreadySo);
    assert_eq!(found, Ok(vec!["action.already_so"]));
}

/// A vendor took the release of a host that never came back to its network. The release was under way for good, so
/// nobody could ask for another one.
#[test]
fn a_person_passes_an_undoing_that_hangs() {
    let mut house = House::default();
    let host = isolate(1, 1);
    house.in_force(&host);
    house.begun(&undo(2, &host));
    house.report(2, OutcomeKind::Accepted).expect("kept");
    house.wait(2 * MINUTE_MS - 1);
    let by = |n, by: &str| order(undo(n, &host), by);
    assert_eq!(house.order(by(3, "person:ada")), Err(Refusal::WrongStage));
    house.wait(1);
    assert_eq!(house.order(by(4, "system")), Err(Refusal::WrongStage));
    house.begun(&undo(5, &host));
    assert_eq!(house.order(by(6, "person:ada")), Err(Refusal::WrongStage));
    house.report(5, OutcomeKind::Executed).expect("kept");
    let by = action_id(5);
    assert_eq!(house.act(1).stage, Stage::Undone { by });
}

/// An action of which nobody knew what it did was looked for until the end of days, and kept its tenant awake.
#[test]
fn what_is_looked_for_in_vain_is_given_up_in_the_end() {
    let kill = ActionManifest {
        action_type: ActionType::ProcessKill,
        hold_minutes: 0,
        ..isolate(2, 2)
    };
    let host = ActionManifest {
        hold_minutes: 0,
        ..isolate(1, 1)
    };
    for (n, manifest, ms) in [(1, host, 7 * 24 * HOUR_MS), (2, kill, HOUR_MS)] {
        for open in [OutcomeKind::Unknown, OutcomeKind::Accepted] {
            let mut house = House::default();
            house.begun(&manifest);
            house.report(n, open).expect("kept");
            house.wait(ms - 1);
            assert_eq!(house.tick(), Err(Refusal::NothingNew));
            assert!(!is_at_rest(&house.state));
            house.wait(1);
            let since = house.act(n).since;
            assert_eq!(house.tick(), Ok(vec!["action.unknown"]), "{open:?}");
            assert_eq!(house.tick(), Err(Refusal::NothingNew));
            let act = house.act(n);
            assert!(!act.is_open() && !act.is_in_force() && act.came_to_nothing());
            // People were called for an unknown outcome, and for one that was accepted they are now.
            assert_eq!(act.since == since, open == OutcomeKind::Unknown);
            assert!(is_at_rest(&house.state));
            house.redrive(n, OPEN).expect("begun");
            assert!(!house.act(n).given_up);
        }
    }
}
