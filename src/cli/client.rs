//! The one HTTP client of all commands.

use std::{fmt, path::Path, time::Duration};

use reqwest::{Method, Response, Url, header, redirect::Policy};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use vyrox_domain::{
    vendor::Vendor,
    webhook::{SIGNATURE_HEADER, Secret, signature_of},
};

use super::failure::Failure;

mod problem;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the server may be silent, within an answer as before it.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Answers that are read whole are at most this long.
const ANSWER_LIMIT_BYTES: usize = 64 * 1024 * 1024;

/// A connection to one server with one token.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    credentials: Credentials,
}

/// The token to show, or where one was looked for in vain.
#[derive(Clone, Debug)]
pub struct Credentials {
    token: Option<SecretString>,
    missing_file: Option<String>,
}

/// What a webhook was answered.
#[derive(Clone, Debug)]
pub struct WebhookReply {
    /// The HTTP status.
    pub status: u16,
    /// The body, `null` where it was not JSON.
    pub body: Value,
}

impl Client {
    /// A client of the server at `base`, such as `http://127.0.0.1:8001`; a path in it is kept.
    pub fn new(base: &str, credentials: Credentials) -> Result<Self, Failure> {
        let base = parse_base(base)?;
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .redirect(Policy::none())
            .user_agent(concat!("vyrox/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let http = builder
            .build()
            .map_err(|error| Failure::unreachable(format!("cannot set up HTTP: {error}")))?;
        Ok(Self {
            http,
            base,
            credentials,
        })
    }

    /// The server's address without a slash at its end.
    pub fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Asks for a resource.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, Failure> {
        let response = self.open(path, query).await?;
        self.read(response).await
    }

    /// Asks for a resource whose body the caller reads piece by piece with [`Self::next_chunk`].
    pub async fn open(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Response, Failure> {
        let request = self.request(Method::GET, path, query)?;
        self.answered(request).await
    }

    /// The next piece of such a body; `None` at its end.
    pub async fn next_chunk(&self, response: &mut Response) -> Result<Option<Vec<u8>>, Failure> {
        match response.chunk().await {
            Ok(chunk) => Ok(chunk.map(|bytes| bytes.to_vec())),
            Err(error) => Err(self.broken_off(&error)),
        }
    }

    /// Creates something.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let request = self.request(Method::POST, path, &[])?.json(body);
        let response = self.answered(request).await?;
        self.read(response).await
    }

    /// Asks with a body for an answer that the caller reads piece by piece, as with [`Self::open`].
    pub async fn open_post(
        &self,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<Response, Failure> {
        let request = self.request(Method::POST, path, &[])?.json(body);
        self.answered(request).await
    }

    /// Puts something in place of what was there.
    pub async fn put<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let request = self.request(Method::PUT, path, &[])?.json(body);
        let response = self.answered(request).await?;
        self.read(response).await
    }

    /// Changes something.
    pub async fn patch<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let request = self.request(Method::PATCH, path, &[])?.json(body);
        let response = self.answered(request).await?;
        self.read(response).await
    }

    /// Removes something.
    pub async fn delete<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, Failure> {
        let request = self.request(Method::DELETE, path, &[])?;
        let response = self.answered(request).await?;
        self.read(response).await
    }

    /// Removes what the query says.
    pub async fn delete_where<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, Failure> {
        let request = self.request(Method::DELETE, path, query)?;
        let response = self.answered(request).await?;
        self.read(response).await
    }

    /// Posts an alert as its vendor would: signed over the very bytes sent, and without our token.
    ///
    /// # Errors
    /// Only when there is no answer at all; a refusal is a [`WebhookReply`].
    pub async fn post_webhook(
        &self,
        tenant: &str,
        vendor: Vendor,
        secret: &SecretString,
        body: Vec<u8>,
    ) -> Result<WebhookReply, Failure> {
        let url = self.url(&["t", tenant, "webhook", vendor.as_str()], &[])?;
        let secret = Secret::new(secret.expose_secret().as_bytes().to_vec());
        let response = self
            .http
            .post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(SIGNATURE_HEADER, signature_of(&secret, &body))
            .body(body)
            .send()
            .await
            .map_err(|error| self.no_answer(&error))?;
        let status = response.status().as_u16();
        let body = self.whole(response).await?;
        Ok(WebhookReply {
            status,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        })
    }

    fn request(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<reqwest::RequestBuilder, Failure> {
        let request = self.http.request(method, self.url(path, query)?);
        Ok(match &self.credentials.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        })
    }

    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Url, Failure> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| Failure::usage(format!("{} can have no path", self.base)))?
            .pop_if_empty()
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn answered(&self, request: reqwest::RequestBuilder) -> Result<Response, Failure> {
        let response = request
            .send()
            .await
            .map_err(|error| self.no_answer(&error))?;
        let status = response.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(response);
        }
        let body = self.whole(response).await?;
        Err(problem::failure(status, &body, &self.credentials))
    }

    /// Reads the whole body of an answer that [`Self::open`] gave.
    pub async fn read<T: DeserializeOwned>(&self, response: Response) -> Result<T, Failure> {
        let body = self.whole(response).await?;
        serde_json::from_slice(&body).map_err(|error| {
            Failure::unreachable(format!(
                "{} gave an answer that is not ours: {error}",
                self.base()
            ))
            .hint("is that address a Vyrox server, and of this version?")
        })
    }

    async fn whole(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = self.next_chunk(&mut response).await? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_LIMIT_BYTES {
                return Err(Failure::unreachable(format!(
                    "{} does not end its answer",
                    self.base()
                )));
            }
        }
        Ok(body)
    }

    fn no_answer(&self, error: &reqwest::Error) -> Failure {
        Failure::unreachable(format!(
            "no answer from {}: {}",
            self.base(),
            root_cause(error)
        ))
        .hint("is the server running there? start one with `vyrox serve`, or give its --url")
    }

    fn broken_off(&self, error: &reqwest::Error) -> Failure {
        let cause = root_cause(error);
        Failure::unreachable(format!("{} broke off its answer: {cause}", self.base()))
    }
}

impl Credentials {
    /// This token.
    pub fn given(token: SecretString) -> Self {
        Self {
            token: Some(token),
            missing_file: None,
        }
    }

    /// No token: the file that would hold one is not there.
    pub fn missing(file: &Path) -> Self {
        Self {
            token: None,
            missing_file: Some(file.display().to_string()),
        }
    }

    /// Whether there is a token.
    pub fn is_given(&self) -> bool {
        self.token.is_some()
    }

    /// The token's text.
    pub fn expose(&self) -> Option<&str> {
        self.token.as_ref().map(SecretString::expose_secret)
    }
}

impl WebhookReply {
    /// The text member `name` of the body.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name).and_then(Value::as_str)
    }

    /// Whether the alert was taken: queued, held, or known already.
    pub fn is_taken(&self) -> bool {
        matches!(self.status, 200 | 202)
    }
}

fn parse_base(text: &str) -> Result<Url, Failure> {
    let full = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let url = Url::parse(&full)
        .map_err(|error| Failure::usage(format!("{text} is no address of a server: {error}")))?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        Ok(url)
    } else {
        Err(Failure::usage(format!(
            "{text} is no http or https address"
        )))
    }
}

/// A proxy of the environment must not come between us and our own machine.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|ip| ip.is_loopback())
}

/// The innermost error: "connection refused" says more than "error sending request".
fn root_cause(error: &dyn std::error::Error) -> impl fmt::Display {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests;
