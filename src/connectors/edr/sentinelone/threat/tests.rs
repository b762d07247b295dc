use proptest::prelude::*;
use serde_json::{Value, json};

use super::{super::envelope::data, *};
use crate::connectors::edr::hostile::{answers, elements, is, is_ours, is_plain, plainly};

const WORDS: &[&str] = &[
    "data",
    "errors",
    "id",
    "77",
    "agentRealtimeInfo",
    "agentId",
    "11",
    "mitigationStatus",
    "action",
    "kill",
    "status",
    "success",
    "pending",
    "failed",
    "lastUpdate",
    LATE,
];

fn killed() -> Value {
    json!({
        "data": [{
            "id": "77",
            "agentRealtimeInfo": { "agentId": "11" },
            "mitigationStatus": [attempt("kill", "success", LATE)],
        }],
        "errors": null,
    })
}

proptest! {
    #[test]
    fn nothing_was_done_about_a_threat_but_what_is_said_of_it_and_its_agent(
        answer in answers(killed(), WORDS, false),
    ) {
        let plain = plainly(&answer);
        let done = |threat: &Value| {
            threat["agentRealtimeInfo"]["agentId"] == "11"
                && elements(threat, "mitigationStatus")
                    .iter()
                    .any(|one| is(one, "action", "kill") && is(one, "status", "success"))
        };
        let said = elements(&plain, "errors").is_empty()
            && elements(&plain, "data").iter().any(done);
        match data::<Vec<Threat>>(&answer) {
            Ok(threats) => {
                if let Some(Found::Here(done)) = find(&threats, &wanted(Measure::Kill)) {
                    let reading = done.read(false, Some(done.last_heard()));
                    prop_assert!(reading.effect != EffectSeen::InEffect || said);
                    prop_assert!(is_plain(&reading), "{:?}", reading);
                }
            }
            Err(error) => prop_assert!(is_ours(&error), "{}", error),
        }
    }
}

const EARLY: &str = "2026-01-15T10:00:00.000000Z";
const LATE: &str = "2026-01-15T11:00:00.000000Z";

fn wanted(measure: Measure) -> Mitigation {
    Mitigation {
        agent: Id::parse("11").unwrap(),
        threat: Id::parse("77").unwrap(),
        measure,
    }
}

fn threats(attempts: &Value) -> Vec<Threat> {
    let data = json!([{
        "id": "77",
        "agentRealtimeInfo": { "agentId": "11" },
        "threatInfo": { "threatId": "77", "createdAt": EARLY },
        "mitigationStatus": attempts,
    }]);
    serde_json::from_value(data).unwrap()
}

fn attempt(action: &str, status: &str, at: &str) -> Value {
    json!({ "action": action, "status": status, "lastUpdate": at })
}

fn read(measure: Measure, undo: bool, since: Option<&str>, attempts: &Value) -> EffectSeen {
    let since = since.and_then(Timestamp::from_rfc3339);
    match find(&threats(attempts), &wanted(measure)) {
        Some(Found::Here(mitigations)) => mitigations.read(undo, since).effect,
        _ => panic!("the threat is there: {attempts}"),
    }
}

#[test]
fn every_status_of_an_attempt_means_one_thing() {
    use EffectSeen::{Failed, InEffect, NotInEffect, Pending};
    for measure in [
        Measure::Kill,
        Measure::Quarantine,
        Measure::NetworkQuarantine,
    ] {
        for (status, since, effect) in [
            ("success", None, InEffect),
            ("success", Some(EARLY), InEffect),
            ("pending", None, Pending),
            ("failed", None, NotInEffect),
            ("failed", Some(LATE), NotInEffect),
            ("failed", Some(EARLY), Failed),
            ("sent", None, NotInEffect),
            ("sent", Some(EARLY), Pending),
            ("", None, NotInEffect),
        ] {
            let attempts = json!([attempt(measure.path(), status, LATE)]);
            let found = read(measure, false, since, &attempts);
            assert_eq!(found, effect, "{measure:?} {status} {since:?}");
        }
    }
}

#[test]
fn what_was_done_by_another_measure_does_not_count() {
    let attempts = json!([attempt("quarantine", "success", LATE), { "status": "success" }, {}]);
    let killed = read(Measure::Kill, false, None, &attempts);
    assert_eq!(killed, EffectSeen::NotInEffect);
    let none = read(Measure::Kill, false, None, &Value::Null);
    assert_eq!(none, EffectSeen::NotInEffect);
}

#[test]
fn of_a_file_taken_away_and_given_back_the_later_counts() {
    use EffectSeen::{Failed, InEffect, NotInEffect, Pending};
    let away = |at| attempt("quarantine", "success", at);
    let back = |status, at| attempt("unquarantine", status, at);
    for (attempts, wanted, undone) in [
        (json!([]), NotInEffect, InEffect),
        (json!([away(EARLY)]), InEffect, NotInEffect),
        (
            json!([away(EARLY), back("success", LATE)]),
            NotInEffect,
            InEffect,
        ),
        (
            json!([back("success", EARLY), away(LATE)]),
            InEffect,
            NotInEffect,
        ),
        (
            json!([away(EARLY), back("pending", LATE)]),
            InEffect,
            Pending,
        ),
        (json!([away(EARLY), back("failed", LATE)]), InEffect, Failed),
    ] {
        let found =
            [false, true].map(|undo| read(Measure::Quarantine, undo, Some(EARLY), &attempts));
        assert_eq!(found, [wanted, undone], "{attempts}");
    }
}

/// An alert names its threat and its host, and it is not proven that they belong together. Were the
/// threat taken as it comes, one forged alert would have a threat of another host acted upon than the
/// one that was approved.
#[test]
fn a_threat_of_another_host_is_not_the_one() {
    let found = |data: Value| {
        let threats: Vec<Threat> = serde_json::from_value(data).unwrap();
        match find(&threats, &wanted(Measure::Kill)) {
            Some(Found::Here(_)) => "here",
            Some(Found::Elsewhere) => "elsewhere",
            Some(Found::Nowhere) => "nowhere",
            None => "unreadable",
        }
    };
    let info = |agent: &str| json!({ "agentId": agent });
    assert_eq!(
        found(json!([{ "id": "77", "agentRealtimeInfo": info("11") }])),
        "here"
    );
    assert_eq!(
        found(json!([{ "id": "77", "agentRealtimeInfo": info("12") }])),
        "elsewhere"
    );
    assert_eq!(found(json!([])), "nowhere");
    assert_eq!(
        found(json!([{ "id": "78", "agentRealtimeInfo": info("11") }])),
        "unreadable"
    );
    assert_eq!(found(json!([{ "id": "77" }])), "unreadable");
}

#[test]
fn what_is_kept_of_a_request_is_read_as_it_was_written() {
    let attempts = json!([
        attempt("quarantine", "success", EARLY),
        attempt("un-quarantine", "failed", LATE)
    ]);
    let threats = threats(&attempts);
    let Some(Found::Here(mitigations)) = find(&threats, &wanted(Measure::Quarantine)) else {
        panic!("the threat is there");
    };
    let heard = mitigations.last_heard();
    assert_eq!(Some(heard), Timestamp::from_rfc3339(LATE));
    assert_eq!(since(Some(&since_text(heard))), Some(heard));
    for other in [None, Some("since:"), Some("since:x"), Some("77")] {
        assert_eq!(since(other), None);
    }
}
