//! The policies that come with Vyrox say what they promise.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::{collections::BTreeSet, fs, path::Path};

use vyrox_policy::{BUILTIN_CASES, Effect, Policies, hard_rules, parse_cases};

fn sources() -> Vec<(String, String)> {
    Policies::builtin()
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

fn defaults() -> Policies {
    Policies::compile(&sources())
        .map_err(|errors| {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            lines.join("\n")
        })
        .unwrap()
}

#[test]
fn every_file_is_compiled_in() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/policies");
    let on_disk: BTreeSet<(String, String)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "cedar"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    let (name, text) = hard_rules();
    let mut compiled_in: BTreeSet<_> = sources().into_iter().collect();
    compiled_in.insert((name.to_owned(), text.to_owned()));
    assert_eq!(compiled_in, on_disk);
}

#[test]
fn the_table_holds() {
    let policies = defaults();
    let cases = parse_cases(BUILTIN_CASES.1).unwrap();
    assert!(cases.len() >= 40, "{} cases", cases.len());
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let failure = case.run(&policies).unwrap().failure?;
            Some(format!("{}: {failure}", case.name))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let names: BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), cases.len(), "a name stands twice");
}

#[test]
fn every_policy_decides_a_case() {
    let policies = defaults();
    let mut deciding = BTreeSet::new();
    for case in parse_cases(BUILTIN_CASES.1).unwrap() {
        deciding.extend(case.run(&policies).unwrap().ruling.policies);
    }
    let idle: Vec<_> = policies
        .list()
        .iter()
        .filter(|policy| !deciding.contains(&policy.id))
        .collect();
    assert!(idle.is_empty(), "no case shows what these do: {idle:?}");
}

#[test]
fn people_are_told_what_each_policy_is_for() {
    let policies = defaults();
    for policy in policies.list() {
        assert!(!policy.text.is_empty(), "{} has no @text", policy.id);
        let hard = policy.id.starts_with("hard.");
        assert_eq!(hard, policy.source == "hard.cedar", "{}", policy.id);
        assert!(!hard || policy.effect == Effect::Forbid, "{}", policy.id);
    }
    assert_eq!(policies.get("two-persons").unwrap().effect, Effect::Forbid);
    assert!(policies.get("two-person").is_none());
}

/// The page's example, pasted below a copy of the defaults, does what the page's table says.
#[test]
fn the_example_on_the_page_works() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policies.md");
    let page = fs::read_to_string(page).unwrap();
    let block = |kind: &str| {
        let (_, rest) = page.split_once(&format!("```{kind}\n")).unwrap();
        rest.split_once("```").unwrap().0.to_owned()
    };
    let mut sources = sources();
    sources.push(("page".to_owned(), block("cedar")));
    let policies = Policies::compile(&sources).unwrap();
    for case in parse_cases(&block("toml")).unwrap() {
        assert_eq!(case.run(&policies).unwrap().failure, None, "{}", case.name);
    }
}

#[test]
fn a_set_can_be_shared_between_threads() {
    const fn shared<T: Send + Sync>() {}
    shared::<Policies>();
}
