use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use actix::Arbiter;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;
use vyrox_domain::{
    review::ReviewedBy,
    time::Timestamp,
    triage::{Bands, Verdict, assess},
    vendor::Vendor,
};
use vyrox_supervision::{
    Backoff, Handle, Policy, Spec, Stop, Tree, install_panic_hook,
    testing::{run, settle},
};

use super::*;

const NOON: u64 = 1_800_014_400_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const BENIGN: &str = r#"{"verdict":"BENIGN","confidence_bp":9500,"reasons":["a backup"]}"#;

/// A clock that the test moves.
struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::Acquire))
    }
}

/// An endpoint that hands every call to the test.
struct Wired {
    calls: mpsc::UnboundedSender<Call>,
    panics: AtomicBool,
}

struct Call {
    question: LlmQuestion,
    answer: oneshot::Sender<Answer>,
}

impl Llm for Wired {
    fn ask(&self, question: &LlmQuestion) -> BoxFuture<'static, Answer> {
        assert!(!self.panics.load(Ordering::Acquire), "the port fell");
        let (answer, answered) = oneshot::channel();
        let question = question.clone();
        let told = self.calls.send(Call { question, answer });
        Box::pin(async move {
            told.map_err(|_closed| LlmError::Unreachable("nobody listens".into()))?;
            match answered.await {
                Ok(answer) => answer,
                Err(_) => std::future::pending().await,
            }
        })
    }

    fn model(&self) -> &'static str {
        "a-model"
    }
}

struct Stage {
    _tree: Tree,
    reviewer: Handle<Reviewer>,
    parts: Arc<ReviewerParts>,
    clock: Arc<Hand>,
    llm: Arc<Wired>,
    calls: mpsc::UnboundedReceiver<Call>,
    answers: mpsc::UnboundedReceiver<Reviewed>,
    reply: Reply,
}

impl Stage {
    fn new(limits: ReviewLimits, daily: u32) -> Self {
        install_panic_hook();
        let clock = Arc::new(Hand(AtomicU64::new(NOON)));
        let (calls_in, calls) = mpsc::unbounded_channel();
        let llm = Arc::new(Wired {
            calls: calls_in,
            panics: AtomicBool::new(false),
        });
        let parts = Arc::new(ReviewerParts::new(
            Arc::clone(&llm) as Arc<dyn Llm>,
            Arc::clone(&clock) as Arc<dyn Clock>,
            limits,
            DailyBudget::new(daily, 0, clock.now()),
        ));
        let tree = Tree::new(7);
        let made_of = Arc::clone(&parts);
        let mut spec = Spec::new("reviewer", "reviewer");
        spec.policy = Policy {
            backoff: Backoff {
                base: Duration::from_millis(1),
                ..spec.policy.backoff
            },
            ..spec.policy
        };
        let reviewer = tree.supervise(spec, &Arbiter::current(), move |_| {
            Reviewer::new(Arc::clone(&made_of))
        });
        let (told, answers) = mpsc::unbounded_channel();
        let reply: Reply = Arc::new(move |reviewed| {
            told.send(reviewed).ok();
        });
        Self {
            _tree: tree,
            reviewer,
            parts,
            clock,
            llm,
            calls,
            answers,
            reply,
        }
    }

    fn review(&self, n: u128) {
        let alert = Alert {
            severity: Severity::Medium,
            ..Alert::bare(Vendor::Generic, format!("alert-{n}"))
        };
        let assessment = assess(alert.severity, &[], Bands::default());
        let review = Review {
            alert_id: AlertId(Uuid::from_u128(n)),
            alert: Arc::new(alert),
            assessment,
            reply: Some(Arc::clone(&self.reply)),
        };
        assert!(self.reviewer.try_cast(review).is_ok());
    }

    async fn call(&mut self) -> Call {
        self.calls.recv().await.expect("a call")
    }

    async fn answer(&mut self) -> Reviewed {
        self.answers.recv().await.expect("an answer")
    }

    /// What the next review comes to when the endpoint answers so.
    async fn outcome_of(&mut self, n: u128, answer: Answer) -> Reviewed {
        self.review(n);
        let call = self.call().await;
        call.answer.send(answer).expect("somebody waits");
        self.answer().await
    }
}

fn limits() -> ReviewLimits {
    ReviewLimits::new(2, 8_000)
}

fn down() -> Answer {
    Err(LlmError::Unreachable("connection refused".into()))
}

#[test]
fn an_opinion_is_weighed_and_answered() {
    run(async {
        let mut stage = Stage::new(limits(), 10);
        stage.review(1);
        let call = stage.call().await;
        assert_eq!(call.question.instruction, INSTRUCTION);
        assert_eq!(call.question.schema, SCHEMA);
        assert!(call.question.facts.starts_with('{'));
        call.answer.send(Ok(BENIGN.into())).expect("somebody waits");
        let reviewed = stage.answer().await;
        assert_eq!(reviewed.alert_id, AlertId(Uuid::from_u128(1)));
        assert_eq!(reviewed.outcome.verdict, Verdict::Low);
        assert_eq!(reviewed.outcome.by, ReviewedBy::Model);
        assert_eq!(reviewed.reasons, ["a backup"]);
        assert_eq!(reviewed.model.as_deref(), Some("a-model"));
        assert!(reviewed.called);
        assert_eq!(stage.parts.open(), 0);
    });
}

#[test]
fn every_failure_of_the_endpoint_leaves_the_alert_with_people() {
    run(async {
        let mut stage = Stage::new(limits(), 10);
        let cases = [
            (Err(LlmError::TimedOut), Failure::TimedOut),
            (down(), Failure::Unreachable),
            (Err(LlmError::Refused("401".into())), Failure::Refused),
            (Err(LlmError::Unusable("cut".into())), Failure::ParseError),
            (Ok("I would say BENIGN".into()), Failure::ParseError),
            (Err(LlmError::BreakerOpen), Failure::BreakerOpen),
        ];
        for (n, (answer, failure)) in cases.into_iter().enumerate() {
            let reviewed = stage.outcome_of(n as u128, answer).await;
            assert_eq!(reviewed.outcome.failure, Some(failure));
            assert_eq!(reviewed.outcome.verdict, Verdict::Medium);
            assert_eq!(reviewed.outcome.confidence_bp, 5_000);
            assert!(reviewed.called && reviewed.reasons.is_empty());
        }
    });
}

#[test]
fn a_call_that_never_ends_is_given_up() {
    run(async {
        let mut stage = Stage::new(limits(), 10);
        stage.review(1);
        let _call = stage.call().await;
        let reviewed = stage.answer().await;
        assert_eq!(reviewed.outcome.failure, Some(Failure::TimedOut));
    });
}

#[test]
fn no_more_calls_at_once_than_allowed_and_the_rest_waits_in_order() {
    run(async {
        let mut stage = Stage::new(limits(), 100);
        (0..5).for_each(|n| stage.review(n));
        let (first, second) = (stage.call().await, stage.call().await);
        settle().await;
        assert!(stage.calls.try_recv().is_err(), "a third call at once");
        second.answer.send(Ok(BENIGN.into())).expect("waits");
        let reviewed = stage.answer().await;
        assert_eq!(reviewed.alert_id, AlertId(Uuid::from_u128(1)));
        let third = stage.call().await;
        settle().await;
        assert!(stage.calls.try_recv().is_err(), "a third call at once");
        first.answer.send(Ok(BENIGN.into())).expect("waits");
        third.answer.send(Ok(BENIGN.into())).expect("waits");
        for _ in 0..2 {
            let call = stage.call().await;
            call.answer.send(Ok(BENIGN.into())).expect("waits");
        }
        let mut order = Vec::new();
        for _ in 0..4 {
            order.push(stage.answer().await.alert_id.0.as_u128());
        }
        assert_eq!(order, [0, 2, 3, 4]);
    });
}

#[test]
fn beyond_its_queue_a_review_is_answered_at_once() {
    run(async {
        let mut stage = Stage::new(
            ReviewLimits {
                queue: 3,
                ..limits()
            },
            100,
        );
        (0..7).for_each(|n| stage.review(n));
        for n in [5_u128, 6] {
            let reviewed = stage.answer().await;
            assert_eq!(reviewed.alert_id.0.as_u128(), n);
            assert_eq!(reviewed.outcome.failure, Some(Failure::OverBudget));
            assert!(!reviewed.called && reviewed.model.is_none());
        }
        assert_eq!(stage.parts.open(), 5);
    });
}

#[test]
fn a_day_has_so_many_calls() {
    run(async {
        let mut stage = Stage::new(limits(), 2);
        for n in 0..2 {
            let reviewed = stage.outcome_of(n, Ok(BENIGN.into())).await;
            assert_eq!(reviewed.outcome.failure, None);
        }
        stage.review(2);
        let reviewed = stage.answer().await;
        assert_eq!(reviewed.outcome.failure, Some(Failure::OverBudget));
        assert!(!reviewed.called);
        stage.clock.0.fetch_add(DAY_MS, Ordering::AcqRel);
        let reviewed = stage.outcome_of(3, Ok(BENIGN.into())).await;
        assert_eq!(reviewed.outcome.failure, None);
    });
}

#[test]
fn an_endpoint_that_is_down_is_left_alone_for_a_while() {
    run(async {
        let mut stage = Stage::new(limits(), 100);
        for n in 0..5 {
            stage.outcome_of(n, down()).await;
        }
        stage.review(5);
        let reviewed = stage.answer().await;
        assert_eq!(reviewed.outcome.failure, Some(Failure::BreakerOpen));
        assert!(!reviewed.called);
        stage.clock.0.fetch_add(30_000, Ordering::AcqRel);
        let reviewed = stage.outcome_of(6, Ok(BENIGN.into())).await;
        assert_eq!(reviewed.outcome.verdict, Verdict::Low);
        let reviewed = stage.outcome_of(7, Ok(BENIGN.into())).await;
        assert_eq!(reviewed.outcome.verdict, Verdict::Low);
    });
}

/// The text of an alert can make a model write nonsense. If that counted as a failure of the endpoint, five
/// such alerts would keep all others from being reviewed.
#[test]
fn nonsense_does_not_open_the_breaker() {
    run(async {
        let mut stage = Stage::new(limits(), 100);
        for n in 0..10 {
            stage.outcome_of(n, Ok("tra la la".into())).await;
            stage
                .outcome_of(100 + n, Err(LlmError::Unusable("filtered".into())))
                .await;
        }
        let reviewed = stage.outcome_of(1000, Ok(BENIGN.into())).await;
        assert_eq!(reviewed.outcome.failure, None);
    });
}

/// Whoever had been accepted by a generation that fell waited for ever: its calls and its queue went with
/// it. The next generation tells them.
#[test]
fn what_a_fall_takes_along_is_answered_as_lost() {
    run(async {
        let mut stage = Stage::new(limits(), 100);
        (0..4).for_each(|n| stage.review(n));
        let late = (stage.call().await, stage.call().await);
        stage.llm.panics.store(true, Ordering::Release);
        late.0.answer.send(Ok(BENIGN.into())).expect("waits");
        // The first answer makes room for the third review, over which the port falls.
        let mut answers = BTreeMap::new();
        for _ in 0..4 {
            let reviewed = stage.answer().await;
            answers.insert(reviewed.alert_id.0.as_u128(), reviewed);
        }
        assert_eq!(answers[&0].outcome.failure, None);
        for n in 1..4 {
            assert_eq!(answers[&n].outcome.failure, Some(Failure::Lost), "{n}");
            assert_eq!(answers[&n].outcome.verdict, Verdict::Medium);
        }
        assert_eq!([1, 2, 3].map(|n| answers[&n].called), [true, true, false]);
        late.1.answer.send(Ok(BENIGN.into())).ok();
        stage.llm.panics.store(false, Ordering::Release);
        let reviewed = stage.outcome_of(9, Ok(BENIGN.into())).await;
        assert_eq!(reviewed.alert_id.0.as_u128(), 9);
        assert_eq!(stage.parts.open(), 0);
        assert!(stage.answers.try_recv().is_err(), "an answer too many");
    });
}

#[test]
fn an_alert_that_fells_it_twice_is_answered_and_put_away() {
    run(async {
        let mut stage = Stage::new(limits(), 100);
        stage.llm.panics.store(true, Ordering::Release);
        for _ in 0..3 {
            stage.review(1);
            let reviewed = stage.answer().await;
            assert_eq!(reviewed.outcome.failure, Some(Failure::Lost));
        }
        assert_eq!(stage.reviewer.dead_letters().len(), 1);
        stage.llm.panics.store(false, Ordering::Release);
        let letter = stage.reviewer.dead_letters()[0].number;
        stage.reviewer.redrive(letter).expect("a letter");
        settle().await;
        assert!(stage.answers.try_recv().is_err(), "answered twice");
        assert!(stage.calls.try_recv().is_err(), "called for nobody");
    });
}

#[test]
fn a_drain_finishes_what_was_accepted() {
    run(async {
        let mut stage = Stage::new(limits(), 100);
        (0..4).for_each(|n| stage.review(n));
        settle().await;
        stage.reviewer.stop(Stop::Drain);
        for _ in 0..4 {
            let call = stage.call().await;
            call.answer.send(Ok(BENIGN.into())).expect("waits");
            assert_eq!(stage.answer().await.outcome.verdict, Verdict::Low);
        }
        stage.reviewer.exited().await;
    });
}
