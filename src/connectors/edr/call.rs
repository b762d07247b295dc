//! A request to an EDR, and its answer, as values.

use std::sync::Arc;

use reqwest::{
    Method,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use vyrox_actors::edr::{EdrError, Guard};
use zeroize::Zeroizing;

use super::{never, not_now, pacing::Purpose};

/// What is read of an answer: an action's, a device's, an indicator's are a few KiB long.
const ANSWER_MAX_BYTES: usize = 256 << 10;
/// The same of a list: of alerts, or of all that was ever done on a machine.
pub(super) const LIST_MAX_BYTES: usize = 8 << 20;

/// What is sent. Not `Debug`: a form may hold a secret.
pub(crate) struct Call {
    pub(super) method: Method,
    /// The path's segments below the base.
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Body,
    /// It may change something at the vendor, so an answer that is lost leaves a doubt.
    pub(super) changes: bool,
    /// Asked right before it leaves.
    guard: Option<Guard>,
    pub(super) purpose: Purpose,
    /// What is read of its answer, in bytes.
    pub(super) answer_max: usize,
}

/// A body with its type.
pub(super) enum Body {
    None,
    Json(Vec<u8>),
    Form(Zeroizing<String>),
    /// It could not be written.
    Broken,
}

impl Call {
    /// A request that reads; `path` is below the base.
    pub(crate) fn get(path: &'static str) -> Self {
        Self::new(Method::GET, path)
    }

    /// A request that reads, though it has a body; see [`Call::changing`].
    pub(crate) fn post(path: &'static str) -> Self {
        Self::new(Method::POST, path)
    }

    /// A request that takes something away; see [`Call::changing`].
    pub(crate) fn delete(path: &'static str) -> Self {
        Self::new(Method::DELETE, path)
    }

    fn new(method: Method, path: &'static str) -> Self {
        let segments = path.split('/').filter(|segment| !segment.is_empty());
        Self {
            method,
            path: segments.map(str::to_owned).collect(),
            query: Vec::new(),
            body: Body::None,
            changes: false,
            guard: None,
            purpose: Purpose::Containing,
            answer_max: ANSWER_MAX_BYTES,
        }
    }

    /// One more segment of the path. It stays one, whatever stands in it.
    #[must_use]
    pub(crate) fn segment(mut self, text: &str) -> Self {
        self.path.push(text.to_owned());
        self
    }

    /// One more pair of the query.
    #[must_use]
    pub(crate) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// With a JSON body.
    #[must_use]
    pub(crate) fn json(mut self, body: &impl Serialize) -> Self {
        self.body = serde_json::to_vec(body).map_or(Body::Broken, Body::Json);
        self
    }

    /// With a form; the text is wiped when it has been sent.
    #[must_use]
    pub(super) fn form(mut self, encoded: Zeroizing<String>) -> Self {
        self.body = Body::Form(encoded);
        self
    }

    /// It changes something at the vendor: it goes over a connection of its own, and an answer that is lost
    /// is [`EdrError::Ambiguous`]. It leaves only if `guard` permits it then, after all waiting for a turn and
    /// a token: a halt, or an approval that ran out, comes into force in between.
    #[must_use]
    pub(crate) fn changing(mut self, guard: &Guard) -> Self {
        self.changes = true;
        self.guard = Some(Arc::clone(guard));
        self
    }

    /// Whether it may leave now.
    ///
    /// # Errors
    /// It may not, and will not.
    pub(super) fn permitted(&self) -> Result<(), EdrError> {
        let guard = self.guard.as_ref();
        guard.map_or(Ok(()), |guard| guard().map_err(|why| never(&why)))
    }

    /// Nobody can tell what this call came to, though it was answered with success.
    pub(crate) fn lost(&self, why: &str) -> EdrError {
        lost(self.changes, None, why)
    }

    /// It looks for alerts, and leaves room for what contains. Look at [`Answer::is_cut`].
    #[must_use]
    pub(crate) fn looking(mut self) -> Self {
        self.purpose = Purpose::Looking;
        self.long()
    }

    /// It is answered with a list that nobody can ask for in pieces.
    #[must_use]
    pub(crate) fn long(mut self) -> Self {
        self.answer_max = LIST_MAX_BYTES;
        self
    }
}

/// What came of a request that was answered with success, or with a refusal that may have a known code.
pub(crate) struct Answer {
    /// 200 to 299, or 400 to 499 without 401, 408 and 429.
    pub(crate) status: u16,
    pub(super) headers: HeaderMap,
    /// At most what its call allows; of a longer answer to what looks for alerts, its beginning.
    pub(super) body: Vec<u8>,
    pub(super) changes: bool,
    /// It goes on where its body ends.
    pub(super) cut: bool,
}

impl Answer {
    /// Whether the vendor took it.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether it is longer than is read of an answer, so that no more than its beginning is here. That is
    /// an answer for what looks for alerts alone: less can be asked for.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }

    /// The body, of whatever status. An empty one is `null`.
    ///
    /// # Errors
    /// It is no JSON of this shape: after a change nobody can tell what became of that.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, EdrError> {
        let parsed = match self.body.as_slice() {
            _ if self.cut => None,
            [] => serde_json::from_value(Value::Null).ok(),
            // A list would pass for an object whose members it has in their order.
            body if self.is_json() && !is_list(body) => serde_json::from_slice(body).ok(),
            _ => None,
        };
        parsed.ok_or_else(|| lost(self.changes, Some(self.status), "the answer is none"))
    }

    /// The vendor will not do it. Its own word for why is told only where it stands in `known`.
    pub(crate) fn refusal(&self, code: Option<&str>, known: &[&str]) -> EdrError {
        let code = code.filter(|code| known.contains(code) && is_code(code));
        let why = code.unwrap_or_else(|| why_of(self.status));
        EdrError::Refused {
            status: self.status,
            why: why.to_owned(),
        }
    }

    fn is_json(&self) -> bool {
        let word = |name| {
            let value: Option<&reqwest::header::HeaderValue> = self.headers.get(name);
            value.and_then(|value| value.to_str().ok()).unwrap_or("")
        };
        let media_type = word(CONTENT_TYPE).split(';').next().unwrap_or("").trim();
        let lower = media_type.to_ascii_lowercase();
        let json = lower == "application/json"
            || (lower.starts_with("application/") && lower.ends_with("+json"));
        // Nothing is decompressed, for nothing compressed was asked for.
        json && matches!(word(CONTENT_ENCODING), "" | "identity")
    }
}

fn is_list(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"[")
}

/// Nobody can tell what a request came to. One that changes nothing may be made again.
pub(super) fn lost(changes: bool, status: Option<u16>, why: &str) -> EdrError {
    if changes {
        EdrError::Ambiguous {
            status,
            why: why.to_owned(),
        }
    } else {
        not_now(why)
    }
}

/// What cannot be sent as it is.
pub(super) fn unsendable() -> EdrError {
    never("the request cannot be written")
}

/// Our words for what a status means where the vendor's code says nothing to us.
pub(super) const fn why_of(status: u16) -> &'static str {
    match status {
        400 | 422 => "it does not take the request",
        402 => "it is not paid for",
        403 => "the credential lacks the right to do it",
        404 | 410 => "it knows no such thing",
        405 | 406 | 415 => "it has no such call",
        409 => "it conflicts with the present state",
        413 => "the request is too long",
        423 => "it is locked",
        _ => "for no reason that is known",
    }
}

fn is_code(code: &str) -> bool {
    (1..=40).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric())
}
