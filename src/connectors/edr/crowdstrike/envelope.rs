//! What every answer of Falcon comes in. An answer of success may hold errors, and then it is none.

use reqwest::StatusCode;
use serde::{Deserialize, de::DeserializeOwned};
use vyrox_actors::edr::EdrError;

use crate::connectors::edr::{
    Answer,
    call::{lost, why_of},
    wire::judge,
};

/// An answer without errors. What is missing is empty.
#[derive(Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
pub(super) struct Envelope<T> {
    #[serde(default)]
    meta: Option<Meta>,
    #[serde(default)]
    errors: Option<Vec<Fault>>,
    #[serde(default = "none")]
    resources: Option<Vec<Option<T>>>,
}

const fn none<T>() -> Option<T> {
    None
}

#[derive(Deserialize)]
struct Meta {
    pagination: Option<Pagination>,
}

#[derive(Deserialize)]
struct Pagination {
    total: Option<u64>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    code: i64,
}

impl<T> Envelope<T> {
    /// What was asked for.
    pub(super) fn resources(self) -> impl Iterator<Item = T> {
        self.resources.unwrap_or_default().into_iter().flatten()
    }

    /// How many there are in all, where it says so.
    pub(super) fn total(&self) -> Option<u64> {
        self.meta.as_ref()?.pagination.as_ref()?.total
    }
}

/// Opens an answer.
///
/// # Errors
/// The vendor refused it: by its status, or by an error inside an answer of success.
pub(super) fn opened<T: DeserializeOwned>(answer: &Answer) -> Result<Envelope<T>, EdrError> {
    if !answer.is_success() {
        return Err(answer.refusal(None, &[]));
    }
    let envelope: Envelope<T> = answer.json()?;
    // Any list or object would pass for an envelope without members.
    if envelope.errors.is_none() && envelope.resources.is_none() {
        return Err(lost(
            answer.changes,
            Some(answer.status),
            "the answer is none",
        ));
    }
    match envelope.errors.as_deref() {
        None | Some([]) => Ok(envelope),
        Some([fault, ..]) => Err(fault.as_error(answer)),
    }
}

impl Fault {
    /// The code is an HTTP status, which means here what it means there.
    fn as_error(&self, answer: &Answer) -> EdrError {
        let status = u16::try_from(self.code).ok();
        let status = status.filter(|code| (400..600).contains(code));
        let Some(status) = status.and_then(|code| StatusCode::from_u16(code).ok()) else {
            return EdrError::Refused {
                status: answer.status,
                why: "an answer of success with an error in it".to_owned(),
            };
        };
        if status == StatusCode::UNAUTHORIZED {
            // Behind an answer of success it is not the token that is in question.
            return lost(
                answer.changes,
                Some(answer.status),
                "a refusal inside a success",
            );
        }
        match judge(status, answer.changes, || None) {
            Err(error) => error,
            Ok(()) => EdrError::Refused {
                status: status.as_u16(),
                why: why_of(status.as_u16()).to_owned(),
            },
        }
    }
}
