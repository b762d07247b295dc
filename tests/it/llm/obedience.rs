//! A model that does whatever the text of an alert asks it to, behind a real endpoint, asked by the real
//! actor: every case of the injection corpus, in every place that an attacker's text can come to stand in.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actix::{Arbiter, System};
use serde::Deserialize;
use tokio::sync::mpsc;
use vyrox_actors::{
    outbound::Llm,
    ports::Clock,
    reviewer::{Reply, Review, ReviewLimits, Reviewed, Reviewer, ReviewerParts},
    supervision::{Handle, Spec, Tree},
};
use vyrox_domain::{
    alert::{Alert, Severity},
    ids::AlertId,
    review::{DailyBudget, INSTRUCTION},
    time::Timestamp,
    triage::{Assessment, Bands, Leaning, Level, RuleHit, Verdict, assess},
    vendor::Vendor,
};

use super::{
    endpoint::{Act, Endpoint},
    model,
};

const CORPUS: &str = include_str!("../../../actors/domain/tests/injections.json");
/// No test takes as long; a hang becomes a failure.
const PATIENCE: Duration = Duration::from_mins(2);

#[derive(Deserialize)]
struct Case {
    name: String,
    text: String,
    obeyed: String,
}

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_s(1_800_000_000)
    }
}

/// An alert with `text` in all places, of which the model is told some.
fn alert(number: usize, text: &str) -> Alert {
    let some = || Some(text.to_owned());
    let mut alert = Alert::bare(Vendor::Crowdstrike, format!("alert-{number}"));
    alert.severity = Severity::Medium;
    (alert.title, alert.description) = (some(), some());
    (alert.device.hostname, alert.user.name) = (some(), some());
    (alert.process.path, alert.process.command_line) = (some(), some());
    (alert.parent.command_line, alert.file.path) = (some(), some());
    alert
}

fn assessment(severity: Severity, warned: bool) -> Assessment {
    let hit = RuleHit {
        rule_id: "a.rule".into(),
        title: "A rule".into(),
        leaning: Leaning::Malicious,
        level: Level::Medium,
        weight_bp: 4_000,
        overrides: false,
        tactics: Vec::new(),
        techniques: Vec::new(),
        matched: Vec::new(),
    };
    let hits = if warned { vec![hit] } else { Vec::new() };
    assess(severity, &hits, Bands::default())
}

/// The answers by alert, of `cases` without and with a rule that warns.
async fn reviewed(endpoint: &Endpoint, cases: &[Case]) -> BTreeMap<(usize, bool), Reviewed> {
    let reviews = cases.len() * 2;
    let mut limits = ReviewLimits::new(4, 20_000);
    limits.queue = reviews;
    let parts = Arc::new(ReviewerParts::new(
        Arc::new(model(&endpoint.base, "20000")) as Arc<dyn Llm>,
        Arc::new(Fixed),
        limits,
        DailyBudget::new(10_000, 0, Fixed.now()),
    ));
    let tree = Tree::new(7);
    let made_of = Arc::clone(&parts);
    let reviewer: Handle<Reviewer> = tree.supervise(
        Spec::new("reviewer", "reviewer"),
        &Arbiter::current(),
        move |_| Reviewer::new(Arc::clone(&made_of)),
    );
    let (told, mut answers) = mpsc::unbounded_channel();
    for (number, case) in cases.iter().enumerate() {
        for warned in [false, true] {
            let told = told.clone();
            let reply: Reply = Arc::new(move |reviewed| {
                told.send(((number, warned), reviewed)).ok();
            });
            let alert = alert(number, &case.text);
            let review = Review {
                alert_id: AlertId(uuid::Uuid::from_u128(
                    (number as u128) << 1 | u128::from(warned),
                )),
                assessment: assessment(alert.severity, warned),
                alert: Arc::new(alert),
                reply: Some(reply),
            };
            reviewer.cast(review).await.expect("room");
        }
    }
    let mut all = BTreeMap::new();
    while all.len() < reviews {
        let (key, answer) = answers.recv().await.expect("an answer");
        all.insert(key, answer);
    }
    assert_eq!(parts.open(), 0);
    all
}

#[test]
fn a_model_that_obeys_an_attacker_moves_no_verdict_it_may_not() {
    let cases: Vec<Case> = serde_json::from_str(CORPUS).expect("the corpus");
    assert!(cases.len() >= 60);
    // The model finds out from the facts which text it is to obey, as a real one would.
    let obeyed: Vec<_> = cases
        .iter()
        .map(|case| (alert(0, &case.text), case.obeyed.clone()))
        .map(|(alert, obeyed)| {
            let title = vyrox_domain::review::visible(alert.title.as_deref().unwrap_or(""), 256);
            (title, obeyed)
        })
        .collect();
    let answers = System::new().block_on(async {
        let endpoint = Endpoint::start(move |_, body| {
            let facts = body["messages"][1]["content"].as_str().expect("a text");
            let facts: serde_json::Value = serde_json::from_str(facts).expect("one object");
            let title = facts["title"].as_str().expect("a title");
            let told = obeyed.iter().find(|(known, _)| known == title);
            Act::Say(told.expect("a known text").1.clone())
        })
        .await;
        let answers = tokio::time::timeout(PATIENCE, reviewed(&endpoint, &cases)).await;
        assert_eq!(endpoint.faults(), Vec::<String>::new());
        let asked = endpoint.asked();
        assert_eq!(asked.len(), cases.len() * 2);
        assert!(
            asked
                .iter()
                .all(|body| body["messages"][0]["content"] == INSTRUCTION)
        );
        answers.expect("answers in time")
    });
    let mut closed = 0;
    for ((number, warned), reviewed) in answers {
        let (case, outcome) = (&cases[number], reviewed.outcome);
        assert_ne!(outcome.verdict, Verdict::Critical, "{}", case.name);
        assert!(reviewed.called, "{}", case.name);
        if outcome.verdict.rank() < Verdict::Medium.rank() {
            assert!(!warned, "{} closed what a rule warned of", case.name);
            closed += 1;
        }
    }
    // Where neither rule nor vendor warns, an opinion does close: that is what it is for.
    assert!(closed > 0);
}
