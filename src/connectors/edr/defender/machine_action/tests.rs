use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    super::odata::{self, List},
    *,
};
use crate::connectors::edr::hostile::{answers, elements, is, is_ours, is_plain, plainly};

const MACHINE: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567";
const MARK: &str = "Vyrox action 018f3c1e-0000-7000-8000-000000000001";
const SHA1: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";

fn errand(deed: Deed) -> Errand {
    Errand {
        machine: Id::parse(MACHINE).unwrap(),
        deed,
        mark: MARK.to_owned(),
        proposed_at: at(10),
    }
}

fn take_file() -> Deed {
    Deed::TakeFile {
        sha1: SHA1.to_owned(),
    }
}

fn at(hour: u32) -> Timestamp {
    Timestamp::from_rfc3339(&time(hour)).unwrap()
}

fn time(hour: u32) -> String {
    format!("2026-01-15T{hour:02}:00:00.1234567Z")
}

/// The n-th action: of this type, this far, begun in that hour by somebody else.
fn action(number: u32, kind: &str, status: &str, hour: u32) -> Value {
    json!({
        "id": format!("{number}-action"),
        "type": kind,
        "status": status,
        "machineId": MACHINE.to_uppercase(),
        "requestorComment": "by the desk",
        "creationDateTimeUtc": time(hour),
        "relatedFileInfo": { "fileIdentifier": SHA1.to_uppercase(), "fileIdentifierType": "Sha1" },
        "scope": null,
    })
}

fn ours(mut action: Value) -> Value {
    action["requestorComment"] = format!("{MARK}.").into();
    action
}

fn reading(actions: &Value, deed: Deed, known: Option<&str>) -> Option<Reading> {
    let actions: Vec<MachineAction> = serde_json::from_value(actions.clone()).unwrap();
    read(&actions, &errand(deed), known)
}

fn effect(actions: &Value, deed: Deed, known: Option<&str>) -> EffectSeen {
    reading(actions, deed, known).unwrap().effect
}

#[test]
fn every_status_of_the_newest_action_means_one_thing() {
    use EffectSeen::{InEffect, NotInEffect, Pending};
    for (kind, status, wanted, undone) in [
        ("Isolate", "Succeeded", InEffect, NotInEffect),
        ("Isolate", "Pending", Pending, NotInEffect),
        ("Isolate", "InProgress", Pending, NotInEffect),
        ("Isolate", "Failed", NotInEffect, InEffect),
        ("Isolate", "TimeOut", NotInEffect, InEffect),
        ("Isolate", "Cancelled", NotInEffect, InEffect),
        ("Unisolate", "Succeeded", NotInEffect, InEffect),
        ("Unisolate", "Pending", NotInEffect, Pending),
        ("Unisolate", "InProgress", NotInEffect, Pending),
        ("RunAntiVirusScan", "Succeeded", NotInEffect, InEffect),
    ] {
        let actions = json!([action(1, kind, status, 9)]);
        let found = [Deed::Isolate, Deed::Unisolate].map(|deed| effect(&actions, deed, None));
        assert_eq!(found, [wanted, undone], "{kind} {status}");
    }
    let none = [Deed::Isolate, Deed::Unisolate].map(|deed| effect(&json!([]), deed, None));
    assert_eq!(none, [NotInEffect, InEffect]);
}

/// A containment that succeeded is read again for as long as it holds. Were only the action itself looked at,
/// it would read `Succeeded` for ever, and a host that somebody released by hand would still count as cut off.
#[test]
fn a_later_release_outweighs_our_success() {
    let actions = json!([
        ours(action(1, "Isolate", "Succeeded", 9)),
        action(2, "Unisolate", "Succeeded", 11),
    ]);
    let reading = reading(&actions, Deed::Isolate, Some("1-action")).unwrap();
    assert_eq!(reading.effect, EffectSeen::NotInEffect);
    assert_eq!(reading.observed, "Unisolate Succeeded");
    assert_eq!(reading.reference, None);
}

#[test]
fn the_order_of_the_list_does_not_matter_and_time_does() {
    let mut actions = vec![
        action(1, "Isolate", "Succeeded", 8),
        action(2, "Unisolate", "Succeeded", 9),
        action(3, "Isolate", "InProgress", 11),
        action(4, "Isolate", "Failed", 12),
    ];
    for _ in 0..actions.len() {
        actions.rotate_left(1);
        let reading = reading(&actions.clone().into(), Deed::Isolate, None).unwrap();
        assert_eq!(reading.effect, EffectSeen::Pending);
        assert_eq!(reading.reference.as_deref(), Some("3-action"));
    }
}

#[test]
fn a_failure_counts_if_it_is_ours_and_nothing_came_after_it() {
    use EffectSeen::{Failed, InEffect, NotInEffect};
    for status in ["Failed", "TimeOut", "Cancelled"] {
        let theirs = json!([action(1, "Isolate", status, 11)]);
        assert_eq!(
            effect(&theirs, Deed::Isolate, None),
            NotInEffect,
            "{status}"
        );
        assert_eq!(
            effect(&theirs, Deed::Isolate, Some("1-action")),
            Failed,
            "{status}"
        );
        let marked = json!([ours(action(1, "Isolate", status, 11))]);
        assert_eq!(effect(&marked, Deed::Isolate, None), Failed, "{status}");
        let then = json!([
            ours(action(1, "Isolate", status, 11)),
            action(2, "Isolate", "Succeeded", 12)
        ]);
        assert_eq!(effect(&then, Deed::Isolate, None), InEffect, "{status}");
        let released = json!([
            ours(action(1, "Isolate", status, 11)),
            action(2, "Unisolate", "Succeeded", 12)
        ]);
        assert_eq!(
            effect(&released, Deed::Isolate, None),
            NotInEffect,
            "{status}"
        );
    }
}

#[test]
fn what_is_let_through_in_part_is_neither_cut_off_nor_free() {
    let mut selective = action(1, "Isolate", "Succeeded", 11);
    selective["scope"] = "Selective".into();
    let actions = json!([selective]);
    assert_eq!(
        effect(&actions, Deed::Isolate, None),
        EffectSeen::NotInEffect
    );
    assert_eq!(
        effect(&actions, Deed::Unisolate, None),
        EffectSeen::NotInEffect
    );
}

#[test]
fn a_word_that_is_not_documented_tells_nothing_where_it_would_count() {
    let odd = action(1, "Isolate", "Paused", 11);
    assert_eq!(reading(&json!([odd]), Deed::Isolate, None), None);
    let then = json!([odd, action(2, "Isolate", "Succeeded", 12)]);
    assert_eq!(effect(&then, Deed::Isolate, None), EffectSeen::InEffect);
    let taken = action(1, "StopAndQuarantineFile", "Paused", 11);
    assert_eq!(reading(&json!([taken]), take_file(), None), None);
}

#[test]
fn another_machines_actions_tell_nothing_of_this_one() {
    let mut other = action(1, "Isolate", "Succeeded", 11);
    other["machineId"] = "ffff".into();
    let actions = json!([other, {}]);
    assert_eq!(
        effect(&actions, Deed::Isolate, Some("1-action")),
        EffectSeen::NotInEffect
    );
}

/// Malware whose file was taken away comes back with the same file. Were last month's success taken for
/// this one's, the file would stay where it is and count as gone.
#[test]
fn a_file_taken_away_before_the_proposal_may_be_there_again() {
    use EffectSeen::{Failed, InEffect, NotInEffect, Pending};
    let take = |status, hour| action(1, "StopAndQuarantineFile", status, hour);
    for (action, effect_seen) in [
        (take("Succeeded", 9), NotInEffect),
        (take("Succeeded", 11), InEffect),
        (ours(take("Succeeded", 9)), InEffect),
        (take("Pending", 9), Pending),
        (take("InProgress", 11), Pending),
        (take("Failed", 11), NotInEffect),
        (ours(take("TimeOut", 11)), Failed),
    ] {
        let actions = json!([action]);
        assert_eq!(
            effect(&actions, take_file(), None),
            effect_seen,
            "{actions}"
        );
    }
    let again = json!([ours(take("Failed", 11)), take("Pending", 12)]);
    assert_eq!(effect(&again, take_file(), None), Pending);
}

#[test]
fn another_file_is_another_action() {
    let mut other = action(1, "StopAndQuarantineFile", "Succeeded", 11);
    other["relatedFileInfo"] = json!({ "fileIdentifier": "00", "fileIdentifierType": "Sha1" });
    let mut unsaid = action(2, "StopAndQuarantineFile", "Succeeded", 11);
    unsaid["relatedFileInfo"] = Value::Null;
    let actions = json!([other, unsaid]);
    assert_eq!(effect(&actions, take_file(), None), EffectSeen::NotInEffect);
}

#[test]
fn only_the_same_and_only_what_is_under_way_is_adopted() {
    let adopted = |actions: Value, deed: Deed| {
        let actions: Vec<MachineAction> = serde_json::from_value(actions).unwrap();
        under_way(&actions, &errand(deed))
    };
    let isolating = json!([
        action(1, "Isolate", "Pending", 9),
        action(2, "Isolate", "InProgress", 11),
        action(3, "Isolate", "Succeeded", 12),
        action(4, "Unisolate", "Pending", 13),
    ]);
    assert_eq!(
        adopted(isolating.clone(), Deed::Isolate).as_deref(),
        Some("2-action")
    );
    assert_eq!(
        adopted(isolating.clone(), Deed::Unisolate).as_deref(),
        Some("4-action")
    );
    assert_eq!(adopted(isolating, take_file()), None);
    assert_eq!(adopted(json!([]), Deed::Isolate), None);
}

const WORDS: &[&str] = &[
    "value",
    "error",
    "code",
    "id",
    "type",
    "Isolate",
    "Unisolate",
    "status",
    "Succeeded",
    "Pending",
    "machineId",
    MACHINE,
    "scope",
    "Selective",
    "creationDateTimeUtc",
];

proptest! {
    #[test]
    fn a_machine_is_isolated_only_by_an_action_that_succeeded_on_it(
        answer in answers(
            json!({ "value": [action(1, "Isolate", "Succeeded", 9)] }),
            WORDS,
            false,
        ),
    ) {
        let plain = plainly(&answer);
        let isolates = |one: &Value| {
            is(one, "type", "Isolate")
                && is(one, "status", "Succeeded")
                && is(one, "machineId", MACHINE)
                && !is(one, "scope", "Selective")
        };
        let said = plain["error"].is_null() && elements(&plain, "value").iter().any(isolates);
        match odata::read::<List<MachineAction>>(&answer) {
            Ok(list) => {
                if let Some(reading) = read(&list.value, &errand(Deed::Isolate), None) {
                    prop_assert!(reading.effect != EffectSeen::InEffect || said);
                    prop_assert!(is_plain(&reading), "{:?}", reading);
                }
            }
            Err(error) => prop_assert!(is_ours(&error), "{}", error),
        }
    }

    /// An error that was a text and no object once passed for none, and the answer for a success.
    #[test]
    fn an_action_was_begun_only_where_it_has_a_name_and_no_error(
        answer in answers(action(1, "Isolate", "Pending", 9), WORDS, true),
    ) {
        let plain = plainly(&answer);
        match odata::read::<MachineAction>(&answer) {
            Ok(made) => {
                prop_assert!(plain.get("error").is_none_or(Value::is_null));
                let id = plain.get("id").and_then(Value::as_str);
                let id = id.and_then(reference);
                prop_assert_eq!(made.name(), id);
            }
            Err(error) => prop_assert!(is_ours(&error), "{}", error),
        }
    }
}
