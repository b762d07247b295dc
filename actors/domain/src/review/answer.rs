//! A model's answer, read to the letter.

use serde::Deserialize;

use super::visible::visible;
use crate::triage::Verdict;

/// The longest answer that is read, in bytes.
pub const MAX_ANSWER_BYTES: usize = 16 * 1024;
/// The most reasons that an answer may have.
pub const MAX_REASONS: usize = 3;
/// The longest reason that is kept, in bytes.
const REASON: usize = 160;

/// What a model thinks of an alert. It is worth nothing until [`super::conclude`] has weighed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// BENIGN, LOW, MEDIUM or HIGH; never CRITICAL.
    pub verdict: Verdict,
    /// How sure it claims to be, in basis points, at most 10000.
    pub confidence_bp: u16,
    /// Its words, at most three, each cut to 160 bytes and made [`visible`]: evidence, to be shown as a
    /// quotation and kept out of the chain.
    pub reasons: Vec<String>,
}

/// Why an answer says nothing. It holds no part of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// More bytes than [`MAX_ANSWER_BYTES`].
    #[error("the answer is too long")]
    TooLong,
    /// Not one JSON object.
    #[error("the answer is not one JSON object")]
    NotAnObject,
    /// A member is missing, unknown, there twice, or of another type.
    #[error("the answer has other members than it should")]
    Members,
    /// No verdict that a model may give.
    #[error("the answer's verdict is none that a model may give")]
    Verdict,
    /// Not within 0..=10000.
    #[error("the answer's confidence is out of range")]
    Confidence,
    /// More than [`MAX_REASONS`].
    #[error("the answer has too many reasons")]
    Reasons,
}

/// Reads an answer: one JSON object with exactly the members of [`super::SCHEMA`], alone or within one
/// fence of three backticks, as models are wont to write it.
///
/// # Errors
/// Everything else. Nothing is guessed, repaired or read in part.
pub fn read(answer: &str) -> Result<Opinion, Unreadable> {
    if answer.len() > MAX_ANSWER_BYTES {
        return Err(Unreadable::TooLong);
    }
    let object = unfenced(answer.trim());
    // A list of the right values would pass for the object otherwise.
    if !object.starts_with('{') || !object.ends_with('}') {
        return Err(Unreadable::NotAnObject);
    }
    let members: Members = serde_json::from_str(object).map_err(|error| {
        if error.is_data() {
            Unreadable::Members
        } else {
            Unreadable::NotAnObject
        }
    })?;
    members.checked()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    verdict: String,
    confidence_bp: i64,
    reasons: Vec<String>,
}

impl Members {
    fn checked(self) -> Result<Opinion, Unreadable> {
        let confidence_bp = u16::try_from(self.confidence_bp).ok();
        if self.reasons.len() > MAX_REASONS {
            return Err(Unreadable::Reasons);
        }
        Ok(Opinion {
            verdict: match self.verdict.as_str() {
                "BENIGN" => Verdict::Benign,
                "LOW" => Verdict::Low,
                "MEDIUM" => Verdict::Medium,
                "HIGH" => Verdict::High,
                _ => return Err(Unreadable::Verdict),
            },
            confidence_bp: confidence_bp
                .filter(|confidence_bp| *confidence_bp <= 10_000)
                .ok_or(Unreadable::Confidence)?,
            reasons: self
                .reasons
                .iter()
                .map(|reason| visible(reason, REASON))
                .collect(),
        })
    }
}

fn unfenced(text: &str) -> &str {
    let within = text
        .strip_prefix("```")
        .and_then(|rest| rest.strip_suffix("```"));
    within.map_or(text, |within| {
        within.strip_prefix("json").unwrap_or(within).trim()
    })
}
