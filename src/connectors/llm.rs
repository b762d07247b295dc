//! A language model behind an OpenAI-compatible endpoint: `POST {base}/chat/completions`.
//!
//! What comes back is judged here only by its frame: is it an answer, and is it whole. What the answer says
//! is read in `vyrox_domain::review`. No error holds text of the endpoint: it could repeat the key, or what
//! it was asked.

mod completion;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use reqwest::{Client, Response, StatusCode, Url, header};
use serde_json::{Value, json};
use vyrox_actors::outbound::{Llm, LlmError, LlmQuestion};

use super::http::{self, BodyError};
use crate::config::{LlmConfig, Secret};

/// The longest body that is read, of an answer as of an error.
const BODY_LIMIT_BYTES: usize = 256 * 1024;
/// The most that a model may write: the answer is a verdict and three short sentences.
const MAX_TOKENS: u32 = 300;

/// The configured endpoint. Cheap to clone; all clones share connections and what they have learnt.
#[derive(Clone)]
pub struct LlmEndpoint(Arc<Inner>);

struct Inner {
    http: Client,
    url: Url,
    model: String,
    api_key: Option<Secret>,
    timeout: Duration,
    /// The endpoint does not know schemas: it is asked for some JSON object instead.
    no_schemas: AtomicBool,
}

/// Why there is no [`LlmEndpoint`].
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The base is no address, which the configuration should have said.
    #[error("llm.base_url is no address")]
    Address,
    /// TLS cannot be set up.
    #[error("cannot set up HTTP for the language model: {0}")]
    Http(String),
}

impl LlmEndpoint {
    /// The endpoint of the configuration; `None` where no address is set, and stage 2 is off.
    ///
    /// # Errors
    /// The address is none, or TLS cannot be set up.
    pub fn new(config: &LlmConfig) -> Result<Option<Self>, SetupError> {
        let Some(base) = &config.base_url else {
            return Ok(None);
        };
        let url = Url::parse(&format!("{base}/chat/completions"));
        let url = url.map_err(|_unparsed| SetupError::Address)?;
        let http =
            http::client(&url).map_err(|error| SetupError::Http(http::root_cause(&error)))?;
        Ok(Some(Self(Arc::new(Inner {
            http,
            url,
            model: config.model.clone(),
            api_key: config.api_key.clone(),
            timeout: Duration::from_millis(config.timeout_ms),
            no_schemas: AtomicBool::new(false),
        }))))
    }
}

impl Llm for LlmEndpoint {
    fn ask(&self, question: &LlmQuestion) -> BoxFuture<'static, Result<String, LlmError>> {
        let (inner, question) = (Arc::clone(&self.0), question.clone());
        Box::pin(async move {
            match tokio::time::timeout(inner.timeout, inner.ask(&question)).await {
                Ok(answer) => answer,
                Err(_) => Err(LlmError::TimedOut),
            }
        })
    }

    fn model(&self) -> &str {
        &self.0.model
    }
}

/// What the endpoint is told of the answer's shape.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Schema,
    SomeObject,
}

/// How one request ended.
enum Ended {
    Answered(Result<String, LlmError>),
    /// The endpoint does not know this shape of answers.
    UnknownShape,
}

impl Inner {
    async fn ask(&self, question: &LlmQuestion) -> Result<String, LlmError> {
        if self.no_schemas.load(Ordering::Acquire) {
            return match self.request(question, Shape::SomeObject).await? {
                Ended::Answered(answer) => answer,
                Ended::UnknownShape => Err(refused_shape()),
            };
        }
        if let Ended::Answered(answer) = self.request(question, Shape::Schema).await? {
            return answer;
        }
        match self.request(question, Shape::SomeObject).await? {
            Ended::Answered(answer) => {
                if !self.no_schemas.swap(true, Ordering::AcqRel) {
                    tracing::warn!(model = %self.model, "the endpoint takes no JSON schema; asking without");
                }
                answer
            }
            Ended::UnknownShape => Err(refused_shape()),
        }
    }

    async fn request(&self, question: &LlmQuestion, shape: Shape) -> Result<Ended, LlmError> {
        let mut request = self
            .http
            .post(self.url.clone())
            .header(header::ACCEPT, "application/json")
            .json(&self.body(question, shape)?);
        if let Some(key) = &self.api_key {
            request = request.bearer_auth(key.expose());
        }
        let response = request.send().await.map_err(|error| no_answer(&error))?;
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(Ended::Answered(answer(response).await));
        }
        let body = whole(response).await.unwrap_or_default();
        if status == StatusCode::BAD_REQUEST && is_about_the_shape(&body) {
            return Ok(Ended::UnknownShape);
        }
        Ok(Ended::Answered(Err(completion::error_of(
            status.as_u16(),
            &body,
        ))))
    }

    fn body(&self, question: &LlmQuestion, shape: Shape) -> Result<Value, LlmError> {
        let format = match shape {
            Shape::Schema => {
                let schema: Value = serde_json::from_str(question.schema)
                    .map_err(|_invalid| LlmError::Unusable("our own schema is no JSON".into()))?;
                json!({
                    "type": "json_schema",
                    "json_schema": {"name": "review", "strict": true, "schema": schema},
                })
            }
            Shape::SomeObject => json!({"type": "json_object"}),
        };
        Ok(json!({
            "model": self.model,
            "messages": [
                {"role": "system", "content": question.instruction},
                {"role": "user", "content": question.facts},
            ],
            "temperature": 0,
            "max_tokens": MAX_TOKENS,
            "response_format": format,
        }))
    }
}

/// Reads an answer of status 200, which may yet be an error.
async fn answer(response: Response) -> Result<String, LlmError> {
    let headers = response.headers();
    let word = |name| {
        let value: Option<&header::HeaderValue> = headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    };
    let media_type = word(header::CONTENT_TYPE).split(';').next().unwrap_or("");
    if !media_type.trim().eq_ignore_ascii_case("application/json") {
        return Err(LlmError::Unusable(
            "its type is not application/json".into(),
        ));
    }
    if !matches!(word(header::CONTENT_ENCODING), "" | "identity") {
        return Err(LlmError::Unusable("it is compressed, unasked".into()));
    }
    completion::text_of(&whole(response).await?)
}

async fn whole(response: Response) -> Result<Vec<u8>, LlmError> {
    http::body(response, BODY_LIMIT_BYTES)
        .await
        .map_err(|error| match error {
            BodyError::TooLong(_) => LlmError::Unusable(error.to_string()),
            BodyError::BrokenOff(why) => LlmError::Unreachable(why),
        })
}

/// Whether a refusal speaks of the answer's shape, in whatever words the endpoint has.
fn is_about_the_shape(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body).to_ascii_lowercase();
    ["response_format", "json_schema", "json_object"]
        .iter()
        .any(|word| text.contains(word))
}

fn refused_shape() -> LlmError {
    LlmError::Refused("400, it knows neither JSON schemas nor JSON objects".into())
}

fn no_answer(error: &reqwest::Error) -> LlmError {
    if error.is_timeout() {
        LlmError::TimedOut
    } else {
        LlmError::Unreachable(http::root_cause(error))
    }
}
