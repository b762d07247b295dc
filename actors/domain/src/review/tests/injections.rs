//! Texts that try to talk a model into something, wherever an attacker can put one.
//!
//! What they might achieve in a model's head nobody can bound. What is bounded here: the instruction stays
//! what it is, the text stays within values, and a model that obeys every word changes nothing that
//! [`conclude`] does not allow.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::{
    facts::{filled_with, with_many_rules},
    *,
};

const CORPUS: &str = include_str!("../../../tests/injections.json");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What it tries.
    name: String,
    text: String,
    /// What a model answers that obeys it.
    obeyed: String,
}

fn corpus() -> Vec<Case> {
    serde_json::from_str(CORPUS).expect("the corpus")
}

/// The keys of an object and of the objects within it, as paths.
pub(super) fn keys_of(facts: &str) -> BTreeSet<String> {
    let value: Value = serde_json::from_str(facts).expect("one JSON value");
    let mut keys = BTreeSet::new();
    collect(&value, "", &mut keys);
    keys
}

/// The keys where everything is there.
pub(super) fn keys_of_any() -> BTreeSet<String> {
    keys_of(&facts(&filled_with("x"), &with_many_rules("x")))
}

fn collect(value: &Value, path: &str, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = format!("{path}/{name}");
                collect(member, &path, keys);
                keys.insert(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, path, keys)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn texts_of(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.values().for_each(|member| texts_of(member, texts)),
        Value::Array(items) => items.iter().for_each(|item| texts_of(item, texts)),
        Value::String(text) => texts.push(text.clone()),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Every place that an attacker's text can come to stand in.
fn places(text: &str) -> Vec<(&'static str, Alert)> {
    let bare = || Alert::bare(Vendor::Generic, "an-alert".into());
    let mut places = Vec::new();
    let mut place = |name, put: fn(&mut Alert, String)| {
        let mut alert = bare();
        put(&mut alert, text.to_owned());
        places.push((name, alert));
    };
    place("title", |alert, text| alert.title = Some(text));
    place("description", |alert, text| alert.description = Some(text));
    place("command line", |alert, text| {
        alert.process.command_line = Some(format!("cmd.exe /c echo {text}"));
    });
    place("path", |alert, text| {
        alert.process.path = Some(format!("C:\\Users\\Public\\{text}\\a.exe"));
    });
    place("image", |alert, text| alert.process.image = Some(text));
    place("parent", |alert, text| {
        alert.parent.command_line = Some(text);
    });
    place("file", |alert, text| alert.file.name = Some(text));
    place("user", |alert, text| alert.user.name = Some(text));
    place("host", |alert, text| alert.device.hostname = Some(text));
    place("role", |alert, text| alert.device.role = Some(text));
    place("tactic", |alert, text| alert.tactics = vec![text]);
    place("remote name", |alert, text| {
        alert.network = vec![Connection {
            remote_name: Some(text),
            ..Connection::default()
        }];
    });
    places
}

#[test]
fn the_corpus_is_large_and_its_cases_differ() {
    let corpus = corpus();
    assert!(corpus.len() >= 60, "{}", corpus.len());
    let texts: BTreeSet<&str> = corpus.iter().map(|case| case.text.as_str()).collect();
    let names: BTreeSet<&str> = corpus.iter().map(|case| case.name.as_str()).collect();
    assert_eq!((texts.len(), names.len()), (corpus.len(), corpus.len()));
}

#[test]
fn an_injected_text_stays_within_the_values() {
    let frame = keys_of_any();
    for case in corpus() {
        for (place, alert) in places(&case.text) {
            let told = facts(&alert, &undecided(Severity::Medium, None));
            let value: Value = serde_json::from_str(&told).expect("one JSON value");
            let keys = keys_of(&told);
            assert!(keys.is_subset(&frame), "{} in {place}: {keys:?}", case.name);
            // Nothing of it is left over once the values are taken out.
            let mut texts = Vec::new();
            texts_of(&value, &mut texts);
            for text in &texts {
                assert!(
                    text.chars().all(|c| !c.is_control()),
                    "{} in {place}: {text:?}",
                    case.name
                );
            }
            let secret = matches!(place, "user" | "host");
            let shown = visible(&case.text, 64);
            let is_there = texts.iter().any(|text| text.contains(&shown));
            if secret {
                assert!(!told.contains(&case.text), "{} in {place}", case.name);
            } else if case.text.len() <= 64 && shown == case.text {
                assert!(is_there, "{} in {place}: {texts:?}", case.name);
            }
        }
    }
}

#[test]
fn a_model_that_obeys_every_word_changes_nothing_it_may_not() {
    let levels = [
        None,
        Some(Level::Low),
        Some(Level::Medium),
        Some(Level::Critical),
    ];
    for case in corpus() {
        let opinion = read(&case.obeyed).map_err(|_unreadable| Failure::ParseError);
        for severity in [Severity::Unknown, Severity::Medium, Severity::High] {
            for level in levels {
                let assessment = undecided(severity, level);
                let said = opinion.as_ref().map_err(|failure| *failure);
                let outcome = conclude(severity, &assessment, said);
                assert_ne!(outcome.verdict, Verdict::Critical, "{}", case.name);
                let warned = severity == Severity::High || level >= Some(Level::Medium);
                if warned {
                    assert!(
                        outcome.verdict.rank() >= Verdict::Medium.rank(),
                        "{}: {outcome:?}",
                        case.name
                    );
                }
                if opinion.is_err() {
                    assert_eq!(outcome.failure, Some(Failure::ParseError), "{}", case.name);
                    assert_eq!(
                        (outcome.verdict, outcome.confidence_bp),
                        (Verdict::Medium, 5_000)
                    );
                }
            }
        }
    }
}
