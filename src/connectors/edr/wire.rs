//! One request to one host and what came of it. Nothing here repeats, waits for a turn or decides.

use std::{error::Error, io, net::IpAddr, time::Duration};

use reqwest::{
    Client, RequestBuilder, StatusCode, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue},
    retry,
};
use tokio::time::{Instant, timeout_at};
use vyrox_actors::edr::{EdrError, EdrSetupError};

use super::{
    call::{Answer, Body, Call, lost, unsendable},
    egress::{self, PublicOnly, is_public},
    not_now,
    pacing::Purpose,
    retry_after,
};
use crate::{
    clock,
    connectors::http::{self, BodyError},
};

/// What is kept of an answer that is longer than is read, where that is an answer.
const KEPT_BYTES: usize = 64 << 10;
/// The longest time for a connection, its name and its TLS.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How EDRs are spoken to.
#[derive(Clone, Copy, Debug)]
pub struct WireSettings {
    /// How long a call of the port may take as a whole.
    pub timeout: Duration,
    /// Whether addresses may be loopback, link-local or private, and `http` to this machine will do.
    pub allow_private: bool,
}

/// The way to one host. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Wire {
    base: Url,
    /// For what changes nothing: connections are kept.
    reading: Client,
    /// For what changes something: each on a connection of its own. One that lay idle may be closed at
    /// the other end in the very moment in which it is used, and nobody could tell what became of that.
    changing: Client,
    connect: Duration,
    timeout: Duration,
}

impl Wire {
    /// A way to `base`, which may have a path. `member` is what the credential calls it.
    ///
    /// # Errors
    /// It is no such address, or one that may not be spoken to.
    pub(crate) fn new(
        base: &str,
        member: &'static str,
        settings: WireSettings,
    ) -> Result<Self, EdrSetupError> {
        let fault = |message: &str| EdrSetupError {
            member,
            message: message.to_owned(),
        };
        let base = address(base, settings.allow_private).map_err(fault)?;
        let connect = CONNECT_MAX.min(settings.timeout.checked_div(3).unwrap_or(CONNECT_MAX));
        let builder = || {
            let builder = http::builder(&base)
                .connect_timeout(connect)
                .retry(retry::never());
            if settings.allow_private {
                builder
            } else {
                builder.dns_resolver(std::sync::Arc::new(PublicOnly))
            }
        };
        let built = |builder: reqwest::ClientBuilder| {
            let client = builder.build();
            client.map_err(|_unfit| fault("TLS cannot be set up"))
        };
        Ok(Self {
            reading: built(builder())?,
            changing: built(builder().pool_max_idle_per_host(0))?,
            base,
            connect,
            timeout: settings.timeout,
        })
    }

    /// When a call of the port that begins now has to be over.
    pub(crate) fn deadline(&self) -> Instant {
        let now = Instant::now();
        now.checked_add(self.timeout).unwrap_or(now)
    }

    /// The last moment at which a call may begin that has to be over at `until`. A change needs time enough
    /// for a connection to fail in: what is over at the deadline is then known to have been sent.
    pub(super) fn latest_start(&self, call: &Call, until: Instant) -> Instant {
        let room = if call.changes {
            self.connect.saturating_mul(2)
        } else {
            Duration::ZERO
        };
        until.checked_sub(room).unwrap_or(until)
    }

    /// Sends it once and reads the answer; ends at `until`. What the vendor took or refused is an answer;
    /// 401, 408, 429, 3xx and 5xx are errors.
    pub(super) async fn send(
        &self,
        call: &Call,
        authorization: Option<&HeaderValue>,
        until: Instant,
    ) -> Result<Answer, EdrError> {
        if Instant::now() > self.latest_start(call, until) {
            return Err(not_now("no time is left"));
        }
        let request = self.request(call, authorization)?;
        call.permitted()?;
        match timeout_at(until, exchange(request, call)).await {
            Ok(answer) => answer,
            Err(_) => Err(lost(call.changes, None, "no answer in time")),
        }
    }

    fn request(
        &self,
        call: &Call,
        authorization: Option<&HeaderValue>,
    ) -> Result<RequestBuilder, EdrError> {
        let client = if call.changes {
            &self.changing
        } else {
            &self.reading
        };
        let url = self.url(call).ok_or_else(unsendable)?;
        let mut request = client
            .request(call.method.clone(), url)
            .header(ACCEPT, "application/json");
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        Ok(match &call.body {
            Body::None => request,
            Body::Json(bytes) => request
                .header(CONTENT_TYPE, "application/json")
                .body(bytes.clone()),
            Body::Form(text) => request
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(text.as_bytes().to_vec()),
            Body::Broken => return Err(unsendable()),
        })
    }

    /// The base and the call's path and query; `None` for a path that would become another.
    fn url(&self, call: &Call) -> Option<Url> {
        let steps = |segment: &String| matches!(segment.as_str(), "" | "." | "..");
        if call.path.iter().any(steps) {
            return None;
        }
        let mut url = self.base.clone();
        let mut segments = url.path_segments_mut().ok()?;
        segments.pop_if_empty().extend(&call.path);
        drop(segments);
        if !call.query.is_empty() {
            let mut pairs = url.query_pairs_mut();
            pairs.extend_pairs(&call.query);
        }
        Some(url)
    }
}

async fn exchange(request: RequestBuilder, call: &Call) -> Result<Answer, EdrError> {
    let changes = call.changes;
    let response = request
        .send()
        .await
        .map_err(|error| failed(&error, changes))?;
    let status = response.status();
    let headers = response.headers().clone();
    judge(status, changes, || {
        retry_after::retry_at(&headers, clock::now())
    })?;
    let read = match call.purpose {
        Purpose::Containing => {
            let body = http::body(response, call.answer_max).await;
            body.map(|body| (body, true))
        }
        Purpose::Looking => http::beginning(response, call.answer_max, KEPT_BYTES).await,
    };
    let (body, is_whole) = read.map_err(|error| {
        let why = match error {
            BodyError::TooLong(_) => "the answer is too long",
            BodyError::BrokenOff(_) => "the answer broke off",
        };
        lost(changes, Some(status.as_u16()), why)
    })?;
    Ok(Answer {
        status: status.as_u16(),
        headers,
        body,
        changes,
        cut: !is_whole,
    })
}

/// What a status means, before anything else of the answer is looked at.
pub(super) fn judge(
    status: StatusCode,
    changes: bool,
    retry_at: impl FnOnce() -> Option<vyrox_domain::time::Timestamp>,
) -> Result<(), EdrError> {
    let code = status.as_u16();
    match code {
        401 => Err(EdrError::NotAuthorised { status: code }),
        // The other place was not asked, and here nothing was done: that is a refusal, not a doubt.
        300..=399 => Err(EdrError::Refused {
            status: code,
            why: "it points elsewhere, and redirects are not followed".to_owned(),
        }),
        408 => Err(lost(
            changes,
            Some(code),
            "the request did not arrive in time",
        )),
        429 | 502..=504 => Err(EdrError::Busy {
            status: code,
            retry_at: retry_at(),
        }),
        200..=299 | 400..=499 => Ok(()),
        _ => Err(lost(changes, Some(code), "the vendor is out of order")),
    }
}

/// A request that got no answer. Before there is a connection nothing can have been sent.
fn failed(error: &reqwest::Error, changes: bool) -> EdrError {
    if egress::was_refused(error) {
        return super::never("its address may not be spoken to");
    }
    if error.is_builder() {
        return unsendable();
    }
    if error.is_connect() {
        return not_now(if is_about_trust(error) {
            "its certificate is not trusted"
        } else {
            "no connection"
        });
    }
    lost(changes, None, "the connection broke")
}

fn is_about_trust(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(one) = cause {
        let wrapped = one.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if one.is::<rustls::Error>()
            || wrapped.is_some_and(<dyn Error + Send + Sync>::is::<rustls::Error>)
        {
            return true;
        }
        cause = one.source();
    }
    false
}

/// An address that requests may go to.
fn address(text: &str, allow_private: bool) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_unparsed| "expected an address like https://host")?;
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !plain || !url.has_host() {
        return Err("expected scheme, host and maybe a path, and nothing else");
    }
    match url.scheme() {
        "https" => {}
        "http" if allow_private && http::is_loopback(&url) => {}
        _ => return Err("must begin with https://, for the credential travels with each request"),
    }
    let host = url.host_str().unwrap_or_default();
    let literal = host.trim_matches(['[', ']']).parse::<IpAddr>();
    if !allow_private && literal.is_ok_and(|ip| !is_public(ip)) {
        return Err("names an address that may not be spoken to (edr.allow_private)");
    }
    Ok(url)
}

#[cfg(test)]
mod tests;
