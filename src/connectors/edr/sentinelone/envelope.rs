//! What is around every answer of SentinelOne. Each member may be missing or null; one of another type than
//! documented makes an answer unreadable, and an unreadable answer never counts as done.

use serde::{Deserialize, de::DeserializeOwned, de::IgnoredAny};
use vyrox_actors::edr::EdrError;

use super::super::call::{Answer, lost};

/// An answer that the vendor gave with a status of success.
#[derive(Deserialize)]
pub(super) struct Envelope<T> {
    /// What was asked for.
    pub(super) data: T,
    /// How it goes on.
    #[serde(default)]
    pub(super) pagination: Option<Pagination>,
}

/// Where a list goes on.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pagination {
    next_cursor: Option<String>,
    pub(super) total_items: Option<u64>,
}

impl Pagination {
    /// Where the list goes on; `None` at its end.
    pub(super) fn next(self) -> Option<String> {
        self.next_cursor.filter(|next| !next.is_empty())
    }
}

/// How much a request changed.
#[derive(Deserialize)]
pub(super) struct Affected {
    pub(super) affected: u64,
}

#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Option<Vec<IgnoredAny>>,
}

/// Opens an answer.
///
/// # Errors
/// The vendor refuses, be it with a status of success, or the answer is not as documented.
pub(super) fn open<T: DeserializeOwned>(answer: &Answer) -> Result<Envelope<T>, EdrError> {
    // Its error codes say no more than the status.
    if !answer.is_success() {
        return Err(answer.refusal(None, &[]));
    }
    let errors: Errors = answer.json()?;
    if errors.errors.is_some_and(|errors| !errors.is_empty()) {
        return Err(EdrError::Refused {
            status: answer.status,
            why: "there are errors in its answer".to_owned(),
        });
    }
    answer.json()
}

/// The same where nothing but the data matters.
///
/// # Errors
/// As [`open`].
pub(super) fn data<T: DeserializeOwned>(answer: &Answer) -> Result<T, EdrError> {
    open(answer).map(|envelope| envelope.data)
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
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::connectors::edr::hostile::{answers, elements, is_ours, plainly};

    const WORDS: &[&str] = &["data", "errors", "affected", "success", "pagination"];

    proptest! {
        #[test]
        fn nothing_was_changed_but_what_is_counted(
            answer in answers(json!({ "data": { "affected": 1 }, "errors": [] }), WORDS, true),
        ) {
            let plain = plainly(&answer);
            match data::<Affected>(&answer) {
                Ok(Affected { affected }) => {
                    // A list of as many values is as good as an object with a member.
                    let count = plain["data"].get("affected").or_else(|| plain["data"].get(0));
                    prop_assert_eq!(count.and_then(serde_json::Value::as_u64), Some(affected));
                    prop_assert!(elements(&plain, "errors").is_empty());
                }
                Err(error) => prop_assert!(is_ours(&error), "{}", error),
            }
        }
    }
}
