//! Every error of the server as RFC 9457 `application/problem+json`, from one table.
//!
//! A handler returns [`Problem`]; [`not_found`] and its neighbours answer where no handler is, and
//! [`as_problem`] catches what is left. A failed authentication is one value: same
//! bytes and headers whichever check failed, whatever the handler tried to add.

use std::{borrow::Cow, fmt, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, Responder, ResponseError,
    body::BoxBody,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
};
use serde_json::{Map, Value};

mod code;
mod framework;

pub use self::{
    code::Code,
    framework::{as_problem, method_not_allowed, not_found, path_errors},
};

/// Media type of every error.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Longest detail, in characters; more is cut.
const DETAIL_MAX_CHARS: usize = 1000;

/// How long a client waits after 429 or 503 if nobody knows better.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);

/// An error as the client sees it.
#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    detail: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
    allow: Option<&'static str>,
    members: Box<Map<String, Value>>,
}

/// What a handler returns.
pub type Answer<T> = Result<T, Problem>;

impl Problem {
    /// The error with what the table says about it.
    pub fn new(code: Code) -> Self {
        Self {
            code,
            detail: None,
            retry_after: None,
            allow: None,
            members: Box::default(),
        }
    }

    /// The one answer to a request that can't prove where it comes from.
    pub fn unauthenticated() -> Self {
        Self::new(Code::InvalidSignature)
    }

    /// Says what is wrong this time, in place of the table's general sentence. Text from the request
    /// may stand in it: it is escaped and cut. Without effect on a failed authentication.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// When to try again; rounded up to whole seconds, at least one. Every 429 and 503 says so, and
    /// without this call it is one second.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Adds a member to the body. The standard ones can't be replaced, a failed authentication takes
    /// none.
    #[must_use]
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// What kind of error this is.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The body: JSON in ASCII, without `<`, `>` and `&`, so that it is inert wherever it is shown.
    pub fn body(&self) -> String {
        let (mut members, detail) = if self.code.is_authentication() {
            (Map::new(), self.code.detail())
        } else {
            (
                self.members.as_ref().clone(),
                self.detail.as_deref().unwrap_or_else(|| self.code.detail()),
            )
        };
        let detail: String = detail.chars().take(DETAIL_MAX_CHARS).collect();
        members.insert(
            "type".into(),
            format!("urn:vyrox:problem:{}", self.code).into(),
        );
        members.insert("title".into(), self.code.title().into());
        members.insert("status".into(), self.code.status().as_u16().into());
        members.insert("code".into(), self.code.as_str().into());
        members.insert("detail".into(), detail.into());
        if let Some(seconds) = self.retry_after_s() {
            members.insert("retry_after".into(), seconds.into());
        }
        inert(&Value::Object(members).to_string())
    }

    /// Whole seconds to wait, rounded up; only on answers that invite a second try.
    fn retry_after_s(&self) -> Option<u64> {
        self.code.can_be_retried().then(|| {
            let wait = self.retry_after.unwrap_or(RETRY_AFTER_DEFAULT);
            let more = u64::from(wait.subsec_nanos() > 0);
            wait.as_secs().saturating_add(more).max(1)
        })
    }

    fn with_allow(mut self, methods: &'static str) -> Self {
        self.allow = Some(methods);
        self
    }

    fn response(&self) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.code.status());
        response
            .insert_header((header::CONTENT_TYPE, PROBLEM_JSON))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
        if let Some(seconds) = self.retry_after_s() {
            response.insert_header((header::RETRY_AFTER, HeaderValue::from(seconds)));
        }
        if let Some(challenge) = self.code.challenge() {
            response.insert_header((header::WWW_AUTHENTICATE, challenge));
        }
        if let Some(methods) = self.allow {
            response.insert_header((header::ALLOW, methods));
        }
        response.body(self.body())
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = self.detail.as_deref().unwrap_or_else(|| self.code.detail());
        write!(f, "{}: {detail}", self.code)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        self.response()
    }
}

impl Responder for Problem {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.response()
    }
}

/// Writes JSON in ASCII without the characters that mean something to HTML. All of them can stand
/// inside strings only, so escaping them keeps the value.
fn inert(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && !matches!(c, '<' | '>' | '&' | '\u{7f}') {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str("\\u");
                let digit = |shift| char::from_digit(u32::from(*unit >> shift) & 0xf, 16);
                out.extend([12, 8, 4, 0].into_iter().filter_map(digit));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
