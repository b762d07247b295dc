//! What is around Defender's answers and in its queries, by OASIS's protocol. Each member may be missing or null;
//! one of another type than documented makes an answer unreadable, and an unreadable answer never counts as
//! done.

use serde::{Deserialize, de::DeserializeOwned};
use vyrox_actors::edr::EdrError;

use super::super::call::{Answer, lost};

/// The code of a request that is refused because the same is under way.
pub(super) const ALREADY_UNDER_WAY: &str = "ActiveRequestAlreadyExists";

/// Codes of errors that may be told.
const KNOWN: [&str; 7] = [
    ALREADY_UNDER_WAY,
    "TooManyRequests",
    "ResourceNotFound",
    "OsPlatformNotSupported",
    "ClientVersionNotSupported",
    "Forbidden",
    "DisabledFeature",
];

/// A list.
#[derive(Deserialize)]
pub(super) struct List<T> {
    /// What is on it.
    pub(super) value: Vec<T>,
    /// Where it goes on. That is an address the vendor chose, so it is never called.
    #[serde(rename = "@odata.nextLink")]
    pub(super) next: Option<serde::de::IgnoredAny>,
}

/// An answer with an error in it.
#[derive(Deserialize)]
struct Marked {
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Failed {
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    code: Option<String>,
}

/// Reads what was asked for.
///
/// # Errors
/// The vendor refuses, be it with a status of success, or the answer is not as documented.
pub(super) fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, EdrError> {
    if !answer.is_success() {
        return Err(refused(answer));
    }
    let marked: Marked = answer.json()?;
    match marked.error {
        // Whatever it is: of another type than documented it is no success either.
        Some(_) => Err(refused(answer)),
        None => answer.json(),
    }
}

/// Why the vendor refuses, as far as its code is one that may be told.
pub(super) fn refused(answer: &Answer) -> EdrError {
    answer.refusal(code(answer).as_deref(), &KNOWN)
}

/// The vendor's code for why it refuses.
pub(super) fn code(answer: &Answer) -> Option<String> {
    let failed: Failed = answer.json().ok()?;
    failed.error?.code
}

/// `name eq 'value'`, whatever stands in the value.
pub(super) fn equals(name: &str, value: &str) -> String {
    format!("{name} eq '{}'", value.replace('\'', "''"))
}

/// The answer has the documented shape and still does not tell what was asked.
pub(super) fn says_nothing(answer: &Answer) -> EdrError {
    lost(
        answer.changes,
        Some(answer.status),
        "the answer does not tell what was asked",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_ends_its_own_quotes() {
        assert_eq!(equals("machineId", "ab12"), "machineId eq 'ab12'");
        assert_eq!(equals("a", "x' or 'a' eq 'a"), "a eq 'x'' or ''a'' eq ''a'");
    }
}
