//! The rules that come with Vyrox keep what they promise.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::{collections::BTreeSet, fs, hint::black_box, path::Path, time::Instant};

use vyrox_domain::{alert::Alert, triage::Leaning};
use vyrox_rules::{RuleSet, builtin_sources};

fn builtin() -> RuleSet {
    match RuleSet::builtin() {
        Ok(rules) => rules,
        Err(errors) => {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            assert!(lines.is_empty(), "{}", lines.join("\n"));
            RuleSet::compile(&[]).unwrap()
        }
    }
}

#[test]
fn every_file_is_compiled_in() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/rules");
    let on_disk: BTreeSet<(String, String)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    assert_eq!(
        builtin_sources().into_iter().collect::<BTreeSet<_>>(),
        on_disk
    );
}

#[test]
fn every_rule_passes_its_own_tests() {
    let failures: Vec<String> = builtin()
        .run_examples()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_rule_has_tests_tags_and_a_verdict() {
    let rules = builtin();
    assert!(rules.len() >= 40);
    for rule in rules.rules() {
        let id = &rule.id;
        assert!(
            !rule.positive.is_empty() && !rule.negative.is_empty(),
            "{id} lacks test alerts"
        );
        assert!(!rule.tactics.is_empty(), "{id} lacks ATT&CK tags");
        assert!(
            rule.positive
                .iter()
                .any(|example| example.verdict.is_some()),
            "{id} lacks a verdict"
        );
        let file = rule.source.strip_suffix(".yml").unwrap();
        assert!(id.starts_with(&format!("{file}.")), "{id} is in {file}");
    }
    assert!(
        rules
            .rules()
            .iter()
            .any(|rule| rule.leaning == Leaning::Benign)
    );
}

/// An override closes what nobody has decided, so it must not be carried along by what stands beside it:
/// whatever is put before or behind its command line, or in the place of its folder, silences it.
#[test]
fn an_override_speaks_for_its_own_command_line_alone() {
    let rules = builtin();
    let overrides = rules.rules().iter().filter(|rule| rule.overrides);
    let mut tried = 0;
    for rule in overrides {
        let spoke = |alert: &Alert| {
            let hits = rules.evaluate(alert);
            hits.iter().any(|hit| hit.rule_id == rule.id)
        };
        for example in &rule.positive {
            let alert = example.build().unwrap();
            let line = alert.process.command_line.clone().unwrap();
            let path = alert.process.path.clone().unwrap();
            let lines = [
                format!("{line} & calc.exe"),
                format!("{line}; id"),
                format!("{line} -x"),
                format!("{line}\n/bin/id"),
                format!("cmd /c {line}"),
                format!("\n{line}"),
                String::new(),
            ];
            let with_lines = lines.into_iter().map(|line| {
                let mut other = alert.clone();
                other.process.command_line = Some(line);
                other
            });
            let paths = ["C:\\Users\\Public\\", "/tmp/", "\\\\host\\share\\"];
            let with_paths = paths.into_iter().map(|folder| {
                let mut other = alert.clone();
                other.process.path = Some(format!("{folder}{path}"));
                other
            });
            let mut without_path = alert.clone();
            without_path.process.path = None;
            for other in with_lines.chain(with_paths).chain([without_path]) {
                assert!(!spoke(&other), "{} speaks for {:?}", rule.id, other.process);
                tried += 1;
            }
        }
    }
    assert!(tried >= 8 * 11, "{tried}");
}

/// Information only: how long stage 1 takes for one alert, in whichever build runs the test.
#[test]
fn prints_the_time_of_an_evaluation() {
    let rules = builtin();
    let alerts: Vec<Alert> = rules
        .rules()
        .iter()
        .flat_map(|rule| rule.positive.iter().chain(&rule.negative))
        .map(|example| example.build().unwrap())
        .collect();
    #[expect(
        clippy::disallowed_methods,
        reason = "a figure on the terminal, not a decision"
    )]
    let started = Instant::now();
    let mut hits = 0;
    for _ in 0..20 {
        hits += alerts
            .iter()
            .map(|alert| black_box(rules.evaluate(alert)).len())
            .sum::<usize>();
    }
    let runs = 20 * alerts.len();
    println!(
        "{} rules, {:.1} us an alert, {hits} hits",
        rules.len(),
        started.elapsed().as_secs_f64() * 1e6 / f64::from(u32::try_from(runs).unwrap())
    );
    assert!(hits > 0);
}
