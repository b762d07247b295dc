//! How playbooks are written, and that everything wrong with them is told.

use std::collections::BTreeSet;

use proptest::prelude::*;
use vyrox_domain::playbook::{PLAYBOOK_MAX_BYTES, PLAYBOOKS_MAX, Playbooks, builtin};

const GOOD: &str = "id = 'one'\ntitle = 'One'\npriority = 1\n\
                    when = { min_verdict = 'HIGH' }\n\
                    steps = [{ action = 'HOST_ISOLATION', on_expiry = 'lift', hold_minutes = 60 }]\n";

fn compile(texts: &[&str]) -> Result<Playbooks, Vec<String>> {
    let named = |(at, text): (usize, &&str)| (format!("{at}.toml"), (*text).to_owned());
    let sources: Vec<_> = texts.iter().enumerate().map(named).collect();
    Playbooks::compile(&sources).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

/// Every fault of a text, one a line.
fn faults(text: &str) -> String {
    compile(&[text]).err().unwrap_or_default().join("\n")
}

#[test]
fn every_file_is_compiled_in_and_sound() {
    let files = [
        "contain_ransomware.toml",
        "contain_credential_theft.toml",
        "contain_lateral_movement.toml",
        "block_malware_hash.toml",
        "stop_process.toml",
    ];
    let known: BTreeSet<&str> = builtin().iter().map(|(name, _)| *name).collect();
    assert_eq!(known, BTreeSet::from(files));
    let texts: Vec<&str> = builtin().iter().map(|(_, text)| *text).collect();
    let playbooks = compile(&texts).unwrap();
    for playbook in playbooks.iter() {
        let file = format!("{}.toml", playbook.id());
        assert!(
            known.contains(file.as_str()),
            "a file has the name of its playbook"
        );
        assert!(!playbook.title().is_empty() && playbook.priority() > 0);
    }
}

#[test]
fn all_faults_are_told_with_their_keys() {
    let text = "id = 'One'\npriority = -1\nowner = 'x'\n\
                [when]\nmin_verdict = 'MEDIUM'\ntactics = ['execusion']\n\
                techniques = []\nvendors = ['generic']\nplatforms = ['amiga']\nuser = 'x'\n\
                [[steps]]\naction = 'REBOOT'\nhold_minutes = 10081\n\
                [[steps]]\naction = 'PROCESS_KILL'\ninstead = 'PROCESS_KILL'\non_expiry = 'lift'\ntarget = 'x'";
    insta::assert_snapshot!(faults(text), @r#"
    0.toml: "owner" is unknown; there are id, title, priority, when, steps
    0.toml: id: expected an id, [a-z][a-z0-9_]{2,63}
    0.toml: title: expected a title of one line, 1 to 120 bytes
    0.toml: priority: expected a whole number, 0 to 1000
    0.toml: "when.user" is unknown; there are min_verdict, tactics, techniques, vendors, platforms
    0.toml: when.min_verdict: expected HIGH or CRITICAL
    0.toml: when.tactics: expected a list of 1 to 64, each a tactic of ATT&CK, like lateral-movement
    0.toml: when.techniques: expected a list of 1 to 64, each a technique id of ATT&CK, like T1486 or T1003.001
    0.toml: when.vendors: expected a list of 1 to 64, each crowdstrike, sentinelone or defender
    0.toml: when.platforms: expected a list of 1 to 64, each windows, linux or macos
    0.toml: steps[1].action: expected HOST_ISOLATION, PROCESS_KILL, NETWORK_QUARANTINE, HASH_BLOCK or FILE_QUARANTINE
    0.toml: steps[1].hold_minutes: expected a whole number, 0 to 10080
    0.toml: "steps[2].target" is unknown; there are action, instead, on_expiry, hold_minutes
    0.toml: steps[2]: instead: the same action
    0.toml: steps[2]: hold_minutes: more than 0 is needed to lift
    0.toml: steps[2]: hold_minutes: PROCESS_KILL cannot be taken back
    "#);
}

/// The good text with one passage changed, and what is said of it.
fn refuses(cases: &[(&str, &str, &str)]) {
    assert_eq!(faults(GOOD), "");
    for (passage, other, fault) in cases {
        assert!(GOOD.contains(passage), "{passage}");
        let told = faults(&GOOD.replace(passage, other));
        assert!(
            told.contains(fault),
            "{other}: {fault:?} expected, but: {told}"
        );
    }
}

#[test]
fn conditions_that_cannot_be_are_refused() {
    refuses(&[
        (
            "'HIGH'",
            "'LOW'",
            "when.min_verdict: expected HIGH or CRITICAL",
        ),
        (
            "min_verdict = 'HIGH'",
            "platforms = ['linux']",
            "when: needs",
        ),
        ("min_verdict = 'HIGH'", "", "when: needs"),
        ("when = {", "when = 1 #", "when: expected a table"),
        (
            "'HIGH'",
            "'HIGH', techniques = ['TA0001']",
            "when.techniques: expected",
        ),
        (
            "'HIGH'",
            "'HIGH', techniques = ['T1003.1']",
            "when.techniques: expected",
        ),
        (
            "'HIGH'",
            "'HIGH', tactics = 'impact'",
            "when.tactics: expected",
        ),
        ("'one'", "'On'", "id: expected"),
        ("'one'", "'on e'", "id: expected"),
        ("'one'", "'1one'", "id: expected"),
        ("'One'", "\"a\\u0007b\"", "title: expected"),
        ("'One'", "''", "title: expected"),
        ("= 1\n", "= 1001\n", "priority: expected"),
        ("= 1\n", "= 1.0\n", "priority: expected"),
    ]);
}

#[test]
fn steps_that_cannot_be_are_refused() {
    let (head, _) = GOOD.split_once("steps").unwrap();
    let step = "[[steps]]\naction = 'HOST_ISOLATION'\n";
    refuses(&[
        ("60", "0", "steps[1]: hold_minutes: more than 0"),
        ("60", "10081", "steps[1].hold_minutes: expected"),
        (
            "'lift'",
            "'forget'",
            "steps[1].on_expiry: expected ask or lift",
        ),
        ("HOST_ISOLATION", "FILE_QUARANTINE", "cannot be taken back"),
        (
            "on_expiry",
            "instead = 'FILE_QUARANTINE', on_expiry",
            "cannot be taken back",
        ),
        (
            "steps = ",
            "steps = 3 # ",
            "steps: expected a list of tables",
        ),
        ("[{", "[1, {", "steps: expected a list of tables"),
    ]);
    let nowhere = GOOD
        .replace("'HIGH'", "'HIGH', vendors = ['defender']")
        .replace("HOST_ISOLATION", "NETWORK_QUARANTINE");
    let cases = [
        (nowhere, "NETWORK_QUARANTINE is possible at none"),
        (format!("{head}steps = []"), "steps: 1 to 3"),
        (
            format!("{head}{}", step.repeat(2)),
            "an action of an earlier step again",
        ),
        (format!("{head}{}", step.repeat(4)), "steps: 1 to 3"),
    ];
    for (text, fault) in cases {
        let told = faults(&text);
        assert!(
            told.contains(fault),
            "{text}: {fault:?} expected, but: {told}"
        );
    }
}

#[test]
fn what_is_not_toml_is_told_by_its_line() {
    let long = format!("{GOOD}#{}", " ".repeat(PLAYBOOK_MAX_BYTES));
    for (text, fault) in [
        ("", "0.toml: id: expected"),
        ("id = ", "0.toml: line 1: not valid TOML"),
        ("a = 1\na = 2", "0.toml: line 2: not valid TOML"),
        (&long, "0.toml: longer than 65536 bytes"),
    ] {
        let told = faults(text);
        assert!(told.contains(fault), "{fault:?} expected, but: {told}");
    }
}

#[test]
fn two_cannot_have_one_id_and_there_are_not_too_many() {
    let told = compile(&[GOOD, GOOD, "id = 1"]).unwrap_err();
    assert!(
        told.contains(&"1.toml: id: one is taken by 0.toml".to_owned()),
        "{told:?}"
    );
    assert!(
        told.iter().any(|fault| fault.starts_with("2.toml: ")),
        "{told:?}"
    );

    let texts: Vec<String> = (0..=PLAYBOOKS_MAX)
        .map(|n| GOOD.replace("'one'", &format!("'one_{n}'")))
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let (_, fitting) = texts.split_first().unwrap();
    assert_eq!(compile(fitting).unwrap().iter().len(), PLAYBOOKS_MAX);
    assert_eq!(compile(&texts).unwrap_err(), ["playbooks: more than 64"]);
}

#[test]
fn a_digest_changes_with_any_text_and_not_with_the_order_of_files() {
    let other = GOOD.replace("'one'", "'other'");
    let both = compile(&[GOOD, &other]).unwrap();
    assert_eq!(both.digest(), compile(&[&other, GOOD]).unwrap().digest());
    assert_ne!(both.digest(), compile(&[GOOD]).unwrap().digest());
    let changed = other.replace("60", "61");
    assert_ne!(both.digest(), compile(&[GOOD, &changed]).unwrap().digest());
    assert_eq!(compile(&[]).unwrap().iter().len(), 0);
}

proptest! {
    #[test]
    fn no_text_makes_it_fall(text in any::<String>(), lines in prop::collection::vec(
        prop::sample::select(vec![
            "id = 'one'", "title = 'One'", "priority = 1", "priority = 9223372036854775807",
            "[when]", "min_verdict = 'HIGH'", "tactics = [1, ['a']]", "techniques = ['T1']",
            "[[steps]]", "action = 'HASH_BLOCK'", "instead = 3", "hold_minutes = -1", "[[when]]",
            "on_expiry = 'lift'", "steps = {}", "x.y.z = 1", "]", "'",
        ]), 0..16)) {
        let told = |text: &str| compile(&[text]).err().unwrap_or_default();
        prop_assert!(told(&text).iter().all(|fault| fault.starts_with("0.toml: ")));
        prop_assert!(told(&lines.join("\n")).iter().all(|fault| fault.starts_with("0.toml: ")));
    }
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    let deep = format!("id = {}{}", "[".repeat(30_000), "]".repeat(30_000));
    assert!(faults(&deep).contains("not valid TOML"));
    let keys = format!("{}x = 1", "a.".repeat(20_000));
    assert!(faults(&keys).contains("0.toml: "));
}
