//! A vendor's API as its connector sees it: give a call, get an answer. Underneath are the turn, the breaker
//! and the token.

use std::sync::Arc;

use reqwest::header::HeaderValue;
use tokio::time::Instant;
use vyrox_actors::edr::{EdrError, EdrSetupError, LineState};
use vyrox_domain::webhook::Secret;
use zeroize::Zeroizing;

use super::{
    call::{Answer, Call},
    line::{Health, Line},
    never, not_now, retry_after,
    token::{TokenCache, TokenSource},
    wire::Wire,
};

/// One tenant's API at one vendor.
pub(crate) struct Api {
    wire: Wire,
    line: Arc<Line>,
    key: Key,
}

/// What a request shows of itself.
pub(crate) enum Credentials<'a> {
    /// A token that does not change, behind this word (`ApiToken`).
    Fixed(&'static str, &'a Secret),
    /// Tokens that are fetched.
    Fetched(TokenSource),
}

enum Key {
    Fixed(HeaderValue),
    Fetched(Box<TokenCache>),
}

impl Api {
    /// # Errors
    /// The token can stand in no header.
    pub(crate) fn new(
        wire: Wire,
        line: Arc<Line>,
        credentials: Credentials<'_>,
    ) -> Result<Self, EdrSetupError> {
        let key = match credentials {
            Credentials::Fixed(scheme, token) => Key::Fixed(fixed(scheme, token)?),
            Credentials::Fetched(source) => Key::Fetched(Box::new(TokenCache::new(source))),
        };
        Ok(Self { wire, line, key })
    }

    /// When a call of the port that begins now has to be over; all its requests share this.
    pub(crate) fn deadline(&self) -> Instant {
        self.wire.deadline()
    }

    /// How the line is.
    pub(crate) fn line(&self) -> LineState {
        self.line.state()
    }

    /// One request, in its turn. What the vendor took or refused is an answer: look at
    /// [`Answer::is_success`].
    ///
    /// # Errors
    /// As [`EdrError`] has it: [`EdrError::Ambiguous`] only for what may change something.
    pub(crate) async fn exchange(&self, call: &Call, until: Instant) -> Result<Answer, EdrError> {
        let latest = self.wire.latest_start(call, until);
        let mut under_way = self.line.turn(call.purpose, latest).await?;
        let answer = self.authorised(call, until).await;
        under_way.say(health(&answer));
        match &answer {
            Ok(answer) if retry_after::remaining(&answer.headers) == Some(0) => {
                self.line.silence(call.purpose, None);
            }
            Err(EdrError::Busy { retry_at, status }) if *status == 429 || retry_at.is_some() => {
                self.line.silence(call.purpose, *retry_at);
            }
            Ok(_) | Err(_) => {}
        }
        answer
    }

    /// With the token in force. A 401 proves that nothing was done, so one request more, with a fresh token,
    /// is no repetition.
    async fn authorised(&self, call: &Call, until: Instant) -> Result<Answer, EdrError> {
        let cache = match &self.key {
            Key::Fixed(header) => return self.wire.send(call, Some(header), until).await,
            Key::Fetched(cache) => cache,
        };
        let token = cache
            .token(until)
            .await
            .map_err(|error| untold(call, error))?;
        let first = self.wire.send(call, Some(&token.header), until).await;
        if !matches!(first, Err(EdrError::NotAuthorised { .. })) {
            return first;
        }
        cache.drop_token(&token).await;
        let fresh = cache
            .token(until)
            .await
            .map_err(|error| untold(call, error))?;
        let second = self.wire.send(call, Some(&fresh.header), until).await;
        if matches!(second, Err(EdrError::NotAuthorised { .. })) {
            cache.drop_token(&fresh).await;
        }
        second
    }
}

/// What the host of the tokens says is no answer to a request that was not sent.
fn untold(call: &Call, error: EdrError) -> EdrError {
    match error {
        EdrError::Busy { .. } | EdrError::Ambiguous { .. } if call.changes => {
            not_now("no token was to be had")
        }
        EdrError::Refused { .. } if call.changes => never("no token was to be had"),
        error => error,
    }
}

/// What an outcome says about the vendor.
fn health(answer: &Result<Answer, EdrError>) -> Health {
    match answer {
        Err(EdrError::Busy { status, .. }) if *status == 429 => Health::Well,
        Ok(_) | Err(EdrError::Refused { .. } | EdrError::NotAuthorised { .. }) => Health::Well,
        Err(
            EdrError::Busy { .. }
            | EdrError::Ambiguous { .. }
            | EdrError::Unsent {
                transient: true, ..
            },
        ) => Health::Ill,
        Err(EdrError::Unsent {
            transient: false, ..
        }) => Health::Unknown,
    }
}

fn fixed(scheme: &str, token: &Secret) -> Result<HeaderValue, EdrSetupError> {
    let fault = || EdrSetupError {
        member: "secret",
        message: "cannot stand in a header; is there a line break at its end?".to_owned(),
    };
    let token = std::str::from_utf8(token.expose()).map_err(|_unfit| fault())?;
    let text = Zeroizing::new(format!("{scheme} {token}"));
    let mut header = HeaderValue::from_str(&text).map_err(|_unfit| fault())?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests;
