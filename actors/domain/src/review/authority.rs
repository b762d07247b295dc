//! How far a model's word goes.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Opinion;
use crate::{
    alert::Severity,
    triage::{Assessment, Band, Leaning, Level, Reason, Verdict},
};

/// How sure a model must be to close an alert, in basis points.
const CLOSES_FROM_BP: u16 = 8_500;
/// How sure it must be to call it HIGH, in basis points.
const RAISES_FROM_BP: u16 = 7_000;
/// What is worth no more than the toss of a coin, in basis points.
const UNDECIDED_BP: u16 = 5_000;

/// What stage 2 comes to.
///
/// An opinion closes an alert, as LOW even where it says BENIGN, only from a confidence of 8500, where no malicious rule of
/// level medium or above spoke and the vendor calls it neither high nor critical. It raises an alert to
/// HIGH, the most it can, from 7000. Everything else, every failure included, leaves it with people, as
/// MEDIUM. Where stage 1 has decided there is nothing to review: its verdict stands.
pub fn conclude(
    severity: Severity,
    assessment: &Assessment,
    opinion: Result<&Opinion, Failure>,
) -> ReviewOutcome {
    let stands = ReviewOutcome {
        verdict: assessment.verdict,
        confidence_bp: assessment.confidence_bp,
        by: ReviewedBy::Rules,
        failure: None,
    };
    match (assessment.band, opinion) {
        (Band::Closed | Band::Classified, _) => stands,
        (Band::Stage2, Err(failure)) => ReviewOutcome {
            by: ReviewedBy::Fallback,
            failure: Some(failure),
            ..undecided()
        },
        (Band::Stage2, Ok(opinion)) => weigh(opinion, may_close(severity, assessment)),
    }
}

/// A verdict, and on whose word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewOutcome {
    /// What the alert is held to be; never CRITICAL unless stage 1 had decided so.
    pub verdict: Verdict,
    /// How sure that is, in basis points.
    pub confidence_bp: u16,
    /// On whose word.
    pub by: ReviewedBy,
    /// Why there was no opinion, where there was none.
    pub failure: Option<Failure>,
}

/// On whose word a review ended as it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewedBy {
    /// Stage 1 had decided already.
    Rules,
    /// A model's opinion was weighed.
    Model,
    /// There was no opinion.
    Fallback,
}

/// Why there is no opinion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// An answer came that says nothing.
    ParseError,
    /// No answer came in time.
    TimedOut,
    /// The endpoint could not be reached, or broke off.
    Unreachable,
    /// The endpoint answered with an error.
    Refused,
    /// Too many calls failed lately, so none was made.
    BreakerOpen,
    /// The tenant has used up its calls of the day, or too many of its alerts wait already.
    OverBudget,
    /// Whoever was asking fell, and its call with it.
    Lost,
}

impl Failure {
    /// The name in the journal and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ParseError => "llm_call_parse_error",
            Self::TimedOut => "llm_call_timed_out",
            Self::Unreachable | Self::Refused => "llm_call_failed",
            Self::BreakerOpen => "llm_breaker_open",
            Self::OverBudget => "llm_budget_exhausted",
            Self::Lost => "llm_call_lost",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn weigh(opinion: &Opinion, may_close: bool) -> ReviewOutcome {
    let sure = opinion.confidence_bp.min(10_000);
    let heard = match opinion.verdict {
        Verdict::Benign | Verdict::Low => may_close && sure >= CLOSES_FROM_BP,
        Verdict::Medium => true,
        Verdict::High => sure >= RAISES_FROM_BP,
        // No answer is read that way, and if one were it would have no say.
        Verdict::Critical => false,
    };
    if heard {
        ReviewOutcome {
            verdict: no_less_than_low(opinion.verdict),
            confidence_bp: sure,
            ..undecided()
        }
    } else {
        undecided()
    }
}

/// Only rules call an alert benign. What a model finds harmless is placed among the incidents all the same,
/// so that a chain of tactics that runs through it is seen.
const fn no_less_than_low(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Benign | Verdict::Low => Verdict::Low,
        Verdict::Medium | Verdict::High | Verdict::Critical => verdict,
    }
}

const fn undecided() -> ReviewOutcome {
    ReviewOutcome {
        verdict: Verdict::Medium,
        confidence_bp: UNDECIDED_BP,
        by: ReviewedBy::Model,
        failure: None,
    }
}

fn may_close(severity: Severity, assessment: &Assessment) -> bool {
    let speaks_against =
        |reason: &Reason| reason.leaning == Leaning::Malicious && reason.level >= Level::Medium;
    let vendor_warns = match severity {
        Severity::High | Severity::Critical => true,
        Severity::Unknown | Severity::Informational | Severity::Low | Severity::Medium => false,
    };
    !vendor_warns && !assessment.reasons.iter().any(speaks_against)
}
