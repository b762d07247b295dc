use proptest::prelude::*;

use super::*;
use crate::{
    alert::{Alert, Connection, Severity},
    time::Timestamp,
    triage::{Assessment, Band, Bands, Leaning, Level, RuleHit, Verdict, assess},
    vendor::Vendor,
};

mod facts;
mod injections;

fn opinion(verdict: Verdict, confidence_bp: u16) -> Opinion {
    Opinion {
        verdict,
        confidence_bp,
        reasons: Vec::new(),
    }
}

fn hit(leaning: Leaning, level: Level, weight_bp: u16) -> RuleHit {
    RuleHit {
        rule_id: "a.rule".into(),
        title: "A rule".into(),
        leaning,
        level,
        weight_bp,
        overrides: false,
        tactics: Vec::new(),
        techniques: Vec::new(),
        matched: Vec::new(),
    }
}

/// What stage 1 leaves undecided, with one malicious rule of `level` if there is one.
fn undecided(severity: Severity, level: Option<Level>) -> Assessment {
    let hits: Vec<RuleHit> = level
        .map(|level| hit(Leaning::Malicious, level, 4_000))
        .into_iter()
        .collect();
    let assessment = assess(severity, &hits, Bands::default());
    assert_eq!(assessment.band, Band::Stage2);
    assessment
}

fn check(severity: Severity, level: Option<Level>, said: (Verdict, u16), wanted: (Verdict, u16)) {
    let opinion = opinion(said.0, said.1);
    let outcome = conclude(severity, &undecided(severity, level), Ok(&opinion));
    assert_eq!(
        (outcome.verdict, outcome.confidence_bp),
        wanted,
        "{severity:?} {level:?} {opinion:?}"
    );
    assert_eq!((outcome.by, outcome.failure), (ReviewedBy::Model, None));
}

const TOSSED: (Verdict, u16) = (Verdict::Medium, 5_000);

#[test]
fn an_opinion_closes_where_nothing_speaks_against_it_and_it_is_sure() {
    use Verdict::{Benign, Low};
    check(Severity::Medium, None, (Benign, 8_500), (Low, 8_500));
    check(Severity::Unknown, None, (Low, 9_000), (Low, 9_000));
    check(Severity::Medium, None, (Benign, 8_499), TOSSED);
    let (low, medium, critical) = (Level::Low, Level::Medium, Level::Critical);
    check(Severity::Medium, Some(low), (Low, 9_000), (Low, 9_000));
    check(Severity::Medium, Some(medium), (Benign, 10_000), TOSSED);
    check(Severity::Medium, Some(critical), (Low, 10_000), TOSSED);
    check(Severity::High, None, (Benign, 10_000), TOSSED);
    check(Severity::Critical, None, (Benign, 10_000), TOSSED);
}

#[test]
fn an_opinion_raises_to_high_and_no_further() {
    use Verdict::{Critical, High, Medium};
    check(Severity::Medium, None, (High, 7_000), (High, 7_000));
    check(Severity::Critical, Some(Level::High), (High, 6_999), TOSSED);
    check(Severity::Critical, None, (Critical, 10_000), TOSSED);
    check(Severity::Medium, None, (Medium, 6_200), (Medium, 6_200));
}

#[test]
fn every_failure_leaves_the_alert_with_people() {
    let names = [
        (Failure::ParseError, "llm_call_parse_error"),
        (Failure::TimedOut, "llm_call_timed_out"),
        (Failure::Unreachable, "llm_call_failed"),
        (Failure::Refused, "llm_call_failed"),
        (Failure::BreakerOpen, "llm_breaker_open"),
        (Failure::OverBudget, "llm_budget_exhausted"),
        (Failure::Lost, "llm_call_lost"),
    ];
    for (failure, name) in names {
        let outcome = conclude(
            Severity::Medium,
            &undecided(Severity::Medium, None),
            Err(failure),
        );
        assert_eq!(
            outcome,
            ReviewOutcome {
                verdict: Verdict::Medium,
                confidence_bp: 5_000,
                by: ReviewedBy::Fallback,
                failure: Some(failure),
            }
        );
        assert_eq!(failure.to_string(), name);
    }
}

#[test]
fn what_stage_1_decided_stands() {
    let closed = assess(Severity::Low, &[], Bands::default());
    let strong = hit(Leaning::Malicious, Level::Critical, 9_900);
    let classified = assess(Severity::High, &[strong], Bands::default());
    for assessment in [closed, classified] {
        for said in [
            Ok(&opinion(Verdict::High, 10_000)),
            Ok(&opinion(Verdict::Benign, 10_000)),
            Err(Failure::Lost),
        ] {
            let outcome = conclude(Severity::Low, &assessment, said);
            assert_eq!(outcome.verdict, assessment.verdict);
            assert_eq!(outcome.confidence_bp, assessment.confidence_bp);
            assert_eq!(outcome.by, ReviewedBy::Rules);
        }
    }
}

const GOOD: &str = r#"{"verdict": "LOW", "confidence_bp": 9100, "reasons": ["a backup"]}"#;

#[test]
fn an_answer_is_read_to_the_letter() {
    let good = Opinion {
        verdict: Verdict::Low,
        confidence_bp: 9_100,
        reasons: vec!["a backup".into()],
    };
    for answer in [
        GOOD.to_owned(),
        format!("\n {GOOD}\n"),
        format!("```json\n{GOOD}\n```"),
        format!("```\n{GOOD}\n```\n"),
    ] {
        assert_eq!(read(&answer), Ok(good.clone()), "{answer}");
    }
}

#[test]
fn whatever_else_is_answered_is_not_read() {
    let with = |verdict: &str, confidence: &str, reasons: &str| {
        format!(r#"{{"verdict":{verdict},"confidence_bp":{confidence},"reasons":{reasons}}}"#)
    };
    let cases = [
        (String::new(), Unreadable::NotAnObject),
        ("I think it is fine.".into(), Unreadable::NotAnObject),
        (format!("Sure! {GOOD}"), Unreadable::NotAnObject),
        (format!("{GOOD} {GOOD}"), Unreadable::NotAnObject),
        (format!("```json\n{GOOD}"), Unreadable::NotAnObject),
        (format!("```yaml\n{GOOD}\n```"), Unreadable::NotAnObject),
        (format!("[{GOOD}]"), Unreadable::NotAnObject),
        (r#"["LOW", 9100, []]"#.into(), Unreadable::NotAnObject),
        (GOOD.replace('}', ""), Unreadable::NotAnObject),
        (
            "<html><body>502</body></html>".into(),
            Unreadable::NotAnObject,
        ),
        ("{}".into(), Unreadable::Members),
        (GOOD.replace("\"reasons\"", "\"why\""), Unreadable::Members),
        (
            GOOD.replace('}', r#","action":"isolate"}"#),
            Unreadable::Members,
        ),
        (
            GOOD.replace('}', r#","target":"host-9"}"#),
            Unreadable::Members,
        ),
        (
            GOOD.replace('}', r#","verdict":"BENIGN"}"#),
            Unreadable::Members,
        ),
        (with("\"LOW\"", "9100.0", "[]"), Unreadable::Members),
        (with("\"LOW\"", "9.1e3", "[]"), Unreadable::Members),
        (with("\"LOW\"", "\"9100\"", "[]"), Unreadable::Members),
        (with("\"LOW\"", "null", "[]"), Unreadable::Members),
        (
            with("\"LOW\"", "99999999999999999999", "[]"),
            Unreadable::Members,
        ),
        (with("\"LOW\"", "9100", "null"), Unreadable::Members),
        (with("\"LOW\"", "9100", "[1]"), Unreadable::Members),
        (with("{\"LOW\":null}", "9100", "[]"), Unreadable::Members),
        (with("\"LOW\"", "-1", "[]"), Unreadable::Confidence),
        (with("\"LOW\"", "10001", "[]"), Unreadable::Confidence),
        (with("\"LOW\"", "75536", "[]"), Unreadable::Confidence),
        (with("\"CRITICAL\"", "9100", "[]"), Unreadable::Verdict),
        (with("\"low\"", "9100", "[]"), Unreadable::Verdict),
        (with("\"LOW \"", "9100", "[]"), Unreadable::Verdict),
        (
            with("\"LOW\"", "1", r#"["a","b","c","d"]"#),
            Unreadable::Reasons,
        ),
        (" ".repeat(MAX_ANSWER_BYTES + 1), Unreadable::TooLong),
    ];
    for (answer, wanted) in cases {
        assert_eq!(read(&answer), Err(wanted), "{answer}");
    }
}

#[test]
fn a_models_words_are_cut_and_made_visible() {
    let answer = format!(
        r#"{{"verdict":"HIGH","confidence_bp":1,"reasons":["a\u202eb\u0007","{}"]}}"#,
        "x".repeat(500)
    );
    let reasons = read(&answer).expect("an opinion").reasons;
    assert_eq!(reasons[0], r"a\u{202e}b\u{7}");
    assert_eq!(reasons[1].len(), 160);
}

#[test]
fn the_schema_asks_for_what_is_read() {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).expect("JSON");
    let mut names: Vec<&String> = schema["properties"]
        .as_object()
        .expect("them")
        .keys()
        .collect();
    names.sort();
    assert_eq!(names, ["confidence_bp", "reasons", "verdict"]);
    assert_eq!(schema["required"].as_array().expect("them").len(), 3);
    assert_eq!(schema["additionalProperties"], false);
    for verdict in schema["properties"]["verdict"]["enum"]
        .as_array()
        .expect("it")
    {
        let answer = GOOD.replace("LOW", verdict.as_str().expect("a word"));
        assert!(read(&answer).is_ok(), "{answer}");
    }
}

#[test]
fn the_instruction_names_json() {
    // An endpoint that knows no schema accepts "some JSON" only if the prompt speaks of it.
    assert!(INSTRUCTION.contains("JSON"));
    assert!(!INSTRUCTION.contains("CRITICAL"));
}

#[test]
fn a_day_has_its_budget_and_the_next_one_another() {
    let noon = Timestamp::from_rfc3339("2026-03-01T12:00:00Z").expect("a time");
    let mut budget = DailyBudget::new(3, 1, noon);
    assert_eq!((budget.take(noon), budget.take(noon)), (true, true));
    assert!(!budget.take(noon));
    let midnight = Timestamp::from_rfc3339("2026-03-02T00:00:00Z").expect("a time");
    assert_eq!(budget.left(midnight), 3);
    assert!(budget.take(midnight));
    // A clock that is set back does not open the day before once more.
    assert_eq!(budget.left(noon), 2);
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\\x00-\\x7f]{0,400}",
        "[\"\\\\{}\\[\\]:,`]{0,100}"
    ]
}

fn any_verdict() -> impl Strategy<Value = Verdict> {
    prop::sample::select(vec![
        Verdict::Critical,
        Verdict::High,
        Verdict::Medium,
        Verdict::Low,
        Verdict::Benign,
    ])
}

fn any_severity() -> impl Strategy<Value = Severity> {
    prop::sample::select(vec![
        Severity::Unknown,
        Severity::Informational,
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ])
}

fn any_hits() -> impl Strategy<Value = Vec<RuleHit>> {
    let leaning = prop::sample::select(vec![Leaning::Malicious, Leaning::Benign]);
    let level = prop::sample::select(vec![
        Level::Informational,
        Level::Low,
        Level::Medium,
        Level::High,
        Level::Critical,
    ]);
    let one = (leaning, level, 0_u16..10_000)
        .prop_map(|(leaning, level, weight)| hit(leaning, level, weight));
    prop::collection::vec(one, 0..6)
}

proptest! {
    /// Whatever a model says: nothing becomes CRITICAL that was not, nothing closes that a rule of some
    /// level or the vendor warned of, and what stage 1 decided stands.
    #[test]
    fn an_opinion_has_no_more_authority_than_it_is_given(
        severity in any_severity(),
        hits in any_hits(),
        verdict in any_verdict(),
        confidence_bp in any::<u16>(),
    ) {
        let assessment = assess(severity, &hits, Bands::default());
        let outcome = conclude(severity, &assessment, Ok(&opinion(verdict, confidence_bp)));
        prop_assert!(outcome.confidence_bp <= 10_000);
        if assessment.band == Band::Stage2 {
            prop_assert_ne!(outcome.verdict, Verdict::Critical);
            prop_assert_ne!(outcome.verdict, Verdict::Benign);
            let warned = severity >= Severity::High || hits.iter().any(|hit| {
                hit.leaning == Leaning::Malicious && hit.level >= Level::Medium
            });
            if warned {
                prop_assert!(outcome.verdict.rank() >= Verdict::Medium.rank());
            }
        } else {
            prop_assert_eq!(outcome.verdict, assessment.verdict);
        }
    }

    #[test]
    fn no_answer_brings_reading_down(answer in any_text()) {
        if let Ok(opinion) = read(&answer) {
            prop_assert!(opinion.verdict != Verdict::Critical && opinion.confidence_bp <= 10_000);
        }
    }
}
