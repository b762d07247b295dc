//! Stage 2 of one tenant: asks a language model about the alerts that stage 1 left undecided.
//!
//! Every [`Review`] that its lane accepts is answered with exactly one [`Reviewed`], whatever becomes of
//! the call, of the actor, or of the thread under it. What an answer may change is decided by
//! [`conclude`] alone; every failure leaves the alert with people.

mod open;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix::{Actor, ActorFutureExt as _, AsyncContext as _, Handler, Message, WrapFuture as _};
use futures_util::future::BoxFuture;
use vyrox_domain::{
    alert::{Alert, Severity},
    breaker::{Breaker, BreakerLimits, Open, Pass},
    ids::AlertId,
    review::{
        DailyBudget, Failure, INSTRUCTION, Opinion, ReviewOutcome, SCHEMA, conclude, facts, read,
    },
    triage::Assessment,
};
use vyrox_supervision::{Class, Classified, DeadLetter, SupervisedContext};

use self::open::{OpenReviews, Ticket};
use crate::{
    outbound::{Llm, LlmError, LlmQuestion},
    ports::Clock,
};

/// Review one alert. Only what stage 1 left undecided, and only for a tenant that wants it, is sent here:
/// the actor does not ask whether it may.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Review {
    /// Which.
    pub alert_id: AlertId,
    /// Its normal form.
    pub alert: Arc<Alert>,
    /// What stage 1 said.
    pub assessment: Assessment,
    /// Told once what came of it; `None` once that has happened. Called on the actor's thread; must not
    /// block or panic.
    pub reply: Option<Reply>,
}

/// Who is told what a review came to.
pub type Reply = Arc<dyn Fn(Reviewed) + Send + Sync>;

/// What a review came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reviewed {
    /// Of which alert.
    pub alert_id: AlertId,
    /// The verdict, and on whose word.
    pub outcome: ReviewOutcome,
    /// The model's own words where it gave an opinion: evidence, hostile, never for the chain.
    pub reasons: Vec<String>,
    /// The model that was asked, where one was.
    pub model: Option<String>,
    /// Whether a call was made: it counts against the tenant's day, whatever came of it.
    pub called: bool,
}

/// What a reviewer is made of; the factory keeps it over all generations.
pub struct ReviewerParts {
    llm: Arc<dyn Llm>,
    clock: Arc<dyn Clock>,
    limits: ReviewLimits,
    budget: Mutex<DailyBudget>,
    open: OpenReviews,
}

/// The bounds of one tenant's reviewer.
#[derive(Clone, Copy, Debug)]
pub struct ReviewLimits {
    /// Calls at once; at least 1.
    pub concurrency: usize,
    /// Reviews that wait for a call.
    pub queue: usize,
    /// The longest a call takes by the port's own promise, in milliseconds. One second later it is given
    /// up here.
    pub timeout_ms: u64,
    /// When the endpoint is left alone.
    pub breaker: BreakerLimits,
}

impl ReviewLimits {
    /// The usual bounds around a time-out and a number of calls at once.
    pub const fn new(concurrency: usize, timeout_ms: u64) -> Self {
        Self {
            concurrency,
            queue: 256,
            timeout_ms,
            breaker: BreakerLimits {
                failures: 5,
                pause_ms: 30_000,
                pause_max_ms: 600_000,
            },
        }
    }
}

impl ReviewerParts {
    /// Parts of one tenant's reviewer. `budget` says what is left of the tenant's day.
    pub fn new(
        llm: Arc<dyn Llm>,
        clock: Arc<dyn Clock>,
        limits: ReviewLimits,
        budget: DailyBudget,
    ) -> Self {
        Self {
            llm,
            clock,
            limits,
            budget: Mutex::new(budget),
            open: OpenReviews::default(),
        }
    }

    /// How many reviews are not answered yet.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    fn budget(&self) -> MutexGuard<'_, DailyBudget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The actor.
pub struct Reviewer {
    parts: Arc<ReviewerParts>,
    breaker: Breaker,
    waiting: VecDeque<Case>,
    calls: usize,
}

/// A review that has been accepted.
struct Case {
    ticket: Ticket,
    alert: Arc<Alert>,
    assessment: Assessment,
}

/// An answer of the endpoint, or why there is none.
type Answer = Result<String, LlmError>;

impl Reviewer {
    /// A reviewer that has nothing under way.
    pub fn new(parts: Arc<ReviewerParts>) -> Self {
        Self {
            breaker: Breaker::new(parts.limits.breaker),
            parts,
            waiting: VecDeque::new(),
            calls: 0,
        }
    }

    fn take(&mut self, case: Case, ctx: &mut SupervisedContext<Self>) {
        if self.calls < self.parts.limits.concurrency.max(1) {
            self.call(case, ctx);
        } else if self.waiting.len() < self.parts.limits.queue {
            self.waiting.push_back(case);
        } else {
            self.fall_back(case, Failure::OverBudget);
        }
    }

    fn call(&mut self, case: Case, ctx: &mut SupervisedContext<Self>) {
        let pass = match self.leave() {
            Ok(pass) => pass,
            Err(failure) => return self.fall_back(case, failure),
        };
        self.calls = self.calls.saturating_add(1);
        self.parts.open.called(case.ticket);
        let question = LlmQuestion {
            instruction: INSTRUCTION,
            facts: facts(&case.alert, &case.assessment),
            schema: SCHEMA,
        };
        let longest = Duration::from_millis(self.parts.limits.timeout_ms.saturating_add(1_000));
        let answer = answered_within(longest, self.parts.llm.ask(&question));
        let done = answer
            .into_actor(self)
            .map(move |answer, reviewer, ctx| reviewer.answered(case, &pass, answer, ctx));
        ctx.spawn(done);
    }

    /// Leave for one call, taken from the day's budget.
    fn leave(&mut self) -> Result<Pass, Failure> {
        let now = self.parts.clock.now();
        let mut budget = self.parts.budget();
        if budget.left(now) == 0 {
            return Err(Failure::OverBudget);
        }
        let pass = self
            .breaker
            .admit(now)
            .map_err(|Open| Failure::BreakerOpen)?;
        budget.take(now);
        Ok(pass)
    }

    fn answered(
        &mut self,
        case: Case,
        pass: &Pass,
        answer: Answer,
        ctx: &mut SupervisedContext<Self>,
    ) {
        self.calls = self.calls.saturating_sub(1);
        // Whoever can be made to write nonsense by the text of an alert must not be able to open the
        // breaker for all others: an endpoint that answers is well, whatever it says.
        match &answer {
            Ok(_) | Err(LlmError::Unusable(_)) => self.breaker.succeeded(pass),
            Err(LlmError::BreakerOpen) => self.breaker.gave_up(pass),
            Err(LlmError::TimedOut | LlmError::Unreachable(_) | LlmError::Refused(_)) => {
                self.breaker.failed(pass, self.parts.clock.now());
            }
        }
        let alert_id = self.parts.open.alert_of(case.ticket);
        let opinion = answer
            .map_err(|error| told(alert_id, &error, failure_of(&error)))
            .and_then(|text| {
                read(&text).map_err(|error| told(alert_id, &error, Failure::ParseError))
            });
        self.finish(case, opinion);
        while self.calls < self.parts.limits.concurrency.max(1) {
            let Some(next) = self.waiting.pop_front() else {
                break;
            };
            self.call(next, ctx);
        }
    }

    fn fall_back(&self, case: Case, failure: Failure) {
        self.finish(case, Err(failure));
    }

    fn finish(&self, case: Case, opinion: Result<Opinion, Failure>) {
        let Case {
            ticket,
            alert,
            assessment,
        } = case;
        let failure = opinion.as_ref().map_err(|failure| *failure);
        let outcome = conclude(alert.severity, &assessment, failure);
        let reasons = opinion.map_or_else(|_| Vec::new(), |opinion| opinion.reasons);
        self.parts
            .open
            .answer(ticket, outcome, reasons, self.parts.llm.model());
    }
}

impl Actor for Reviewer {
    type Context = SupervisedContext<Self>;

    /// What an earlier generation had accepted and not answered went with it: its callers are told so.
    fn started(&mut self, _: &mut Self::Context) {
        self.parts.open.lose_all(self.parts.llm.model());
    }
}

impl Handler<Review> for Reviewer {
    type Result = ();

    fn handle(&mut self, mut review: Review, ctx: &mut Self::Context) {
        let Some(reply) = review.reply.take() else {
            return; // answered already; a dead letter that is tried again owes nobody anything
        };
        let ticket = self.parts.open.enter(&review, reply);
        let Review {
            alert, assessment, ..
        } = review;
        let case = Case {
            ticket,
            alert,
            assessment,
        };
        self.take(case, ctx);
    }
}

impl Classified for Review {
    const CLASS: Class = Class::Bulk;

    fn digest(&self) -> u64 {
        self.alert_id.0.as_u64_pair().1 | 1
    }

    fn quarantined(&mut self, _: &DeadLetter) {
        if let Some(reply) = self.reply.take() {
            let severity = self.alert.severity;
            reply(lost(self.alert_id, severity, &self.assessment, None));
        }
    }

    fn again(&self) -> Option<Self> {
        Some(Self {
            alert_id: self.alert_id,
            alert: Arc::clone(&self.alert),
            assessment: self.assessment.clone(),
            reply: None,
        })
    }
}

/// The answer for a review whose call, if it was made to `model`, is lost.
fn lost(
    alert_id: AlertId,
    severity: Severity,
    assessment: &Assessment,
    model: Option<&str>,
) -> Reviewed {
    Reviewed {
        alert_id,
        outcome: conclude(severity, assessment, Err(Failure::Lost)),
        reasons: Vec::new(),
        model: model.map(str::to_owned),
        called: model.is_some(),
    }
}

async fn answered_within(longest: Duration, answer: BoxFuture<'static, Answer>) -> Answer {
    match tokio::time::timeout(longest, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(LlmError::TimedOut),
    }
}

const fn failure_of(error: &LlmError) -> Failure {
    match error {
        LlmError::TimedOut => Failure::TimedOut,
        LlmError::Unreachable(_) => Failure::Unreachable,
        LlmError::Refused(_) => Failure::Refused,
        LlmError::Unusable(_) => Failure::ParseError,
        LlmError::BreakerOpen => Failure::BreakerOpen,
    }
}

fn told(alert_id: Option<AlertId>, error: &dyn std::error::Error, failure: Failure) -> Failure {
    let alert_id = alert_id.map(tracing::field::display);
    tracing::warn!(alert_id, %error, %failure, "no opinion of the language model");
    failure
}

#[cfg(test)]
mod tests;
