//! HTTP as every connector speaks it: to the configured address and nowhere else, within bounds.

use std::{net::IpAddr, time::Duration};

use reqwest::{Client, ClientBuilder, Response, Url, redirect::Policy};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const IDLE_CONNECTIONS: usize = 4;

/// A client for `base`. It follows no redirect and no proxy of the environment, decompresses nothing, and
/// speaks plain HTTP to this machine alone. Each request sets its own deadline.
///
/// # Errors
/// TLS cannot be set up.
pub fn client(base: &Url) -> Result<Client, reqwest::Error> {
    builder(base).build()
}

/// The same, not yet built: for a connector that needs more than that.
pub fn builder(base: &Url) -> ClientBuilder {
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .https_only(!is_loopback(base))
        .user_agent(concat!("vyrox/", env!("CARGO_PKG_VERSION")))
}

/// Whether an address is this machine.
pub fn is_loopback(url: &Url) -> bool {
    is_loopback_host(url.host_str().unwrap_or_default())
}

/// The same of a host alone: a name, or an address with or without brackets.
pub fn is_loopback_host(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Longer than it may be; the rest was not read.
    #[error("longer than {0} bytes")]
    TooLong(usize),
    /// The connection broke off.
    #[error("broken off: {0}")]
    BrokenOff(String),
}

/// Reads a body of at most `limit` bytes. One that says it is longer is not read at all.
///
/// # Errors
/// It is too long, or does not come to its end.
pub async fn body(response: Response, limit: usize) -> Result<Vec<u8>, BodyError> {
    if is_announced_longer(&response, limit) {
        return Err(BodyError::TooLong(limit));
    }
    match beginning(response, limit, 0).await? {
        (body, true) => Ok(body),
        (_, false) => Err(BodyError::TooLong(limit)),
    }
}

/// Reads a body of at most `limit` bytes, or the first `kept` bytes of a longer one, and says whether it is
/// whole. Of one that says it is longer no more than that is read.
///
/// # Errors
/// It does not come so far.
pub async fn beginning(
    mut response: Response,
    limit: usize,
    kept: usize,
) -> Result<(Vec<u8>, bool), BodyError> {
    let is_longer = is_announced_longer(&response, limit);
    let most = if is_longer { kept } else { limit };
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if chunk.len() > most.saturating_sub(body.len()) => {
                body.extend_from_slice(&chunk);
                body.truncate(kept);
                return Ok((body, false));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok((body, !is_longer)),
            Err(error) => return Err(BodyError::BrokenOff(root_cause(&error))),
        }
    }
}

fn is_announced_longer(response: &Response, limit: usize) -> bool {
    let announced = response.content_length().unwrap_or(0);
    usize::try_from(announced).map_or(true, |announced| announced > limit)
}

/// The innermost error. Unlike the outer ones it names no address, and with it no secret that somebody put
/// into one.
pub fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
