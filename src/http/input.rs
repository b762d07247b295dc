//! What an API call says, read once it is known who calls: a handler authenticates first and asks for
//! its input then, so that a stranger's body is never read and never talked about.

use std::time::Duration;

use actix_web::{
    HttpRequest,
    http::header::HeaderName,
    web::{Payload, Query},
};
use serde::de::DeserializeOwned;

use super::{
    body,
    problem::{Answer, Code, Problem},
};

/// The largest body of the API's own routes.
const BODY_BYTES: usize = 64 * 1024;

/// Reads a body of JSON, of at most 64 KiB, that arrives within `patience`.
///
/// # Errors
/// 413, 415, 408, or 400 `invalid_json` with what is wrong with it.
pub(crate) async fn json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
    patience: Duration,
) -> Answer<T> {
    json_up_to(BODY_BYTES, request, payload, patience).await
}

/// The same for the few routes whose bodies are longer.
///
/// # Errors
/// As [`json`].
pub(crate) async fn json_up_to<T: DeserializeOwned>(
    limit_bytes: usize,
    request: &HttpRequest,
    payload: Payload,
    patience: Duration,
) -> Answer<T> {
    body::acceptable(request, limit_bytes)?;
    let bytes = body::read(payload, limit_bytes, patience).await?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Problem::new(Code::InvalidJson).detail(error.to_string()))
}

/// Reads the query parameters.
///
/// # Errors
/// 400 `invalid_query` with what is wrong with them.
pub(crate) fn query<T: DeserializeOwned>(request: &HttpRequest) -> Answer<T> {
    Query::from_query(request.query_string())
        .map(Query::into_inner)
        .map_err(|error| Problem::new(Code::InvalidQuery).detail(error.to_string()))
}

/// The value of a header that was sent exactly once.
pub(crate) fn sole_header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a [u8]> {
    let name: HeaderName = name.parse().ok()?;
    let mut values = request.headers().get_all(name);
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.as_bytes()),
        _ => None,
    }
}

/// A listing's length: as asked for, else the usual one.
///
/// # Errors
/// 400 `invalid_query` for none at all and for more than `most`.
pub(crate) fn length(asked: Option<usize>, usual: usize, most: usize) -> Answer<usize> {
    let length = asked.unwrap_or(usual);
    if (1..=most).contains(&length) {
        return Ok(length);
    }
    Err(Problem::new(Code::InvalidQuery).detail(format!("limit is 1 to {most}")))
}

#[cfg(test)]
mod tests {
    use actix_web::{FromRequest as _, http::header, test::TestRequest};
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Input {
        n: u32,
    }

    async fn read(kind: &str, body: &str) -> Answer<Input> {
        let request = TestRequest::post()
            .insert_header((header::CONTENT_TYPE, kind))
            .set_payload(body.to_owned());
        let (request, mut payload) = request.to_http_parts();
        let payload = Payload::from_request(&request, &mut payload).await;
        json(
            &request,
            payload.expect("a payload"),
            Duration::from_mins(1),
        )
        .await
    }

    #[actix_web::test]
    async fn a_body_is_json_of_the_right_kind_and_size() {
        let kind = "application/json";
        assert_eq!(read(kind, "{\"n\":7}").await.expect("good"), Input { n: 7 });
        let long = format!("{{\"n\":7{}}}", " ".repeat(BODY_BYTES));
        for (kind, body, code) in [
            (kind, "{\"n\":", Code::InvalidJson),
            (kind, "{\"n\":-1}", Code::InvalidJson),
            (kind, "{\"n\":1,\"<b>\":1}", Code::InvalidJson),
            (kind, "{\"n\":1} {}", Code::InvalidJson),
            ("text/plain", "{\"n\":1}", Code::UnsupportedMediaType),
            (kind, &long, Code::PayloadTooLarge),
        ] {
            let problem = read(kind, body).await.expect_err("refused");
            assert_eq!(problem.code(), code, "{body:.40}");
        }
    }

    #[test]
    fn a_query_has_what_is_asked_for_and_nothing_else() {
        let read = |uri: &str| query::<Input>(&TestRequest::get().uri(uri).to_http_request());
        assert_eq!(read("/?n=7").expect("good"), Input { n: 7 });
        for uri in ["/", "/?n=x", "/?n=1&n=2", "/?n=1&%3Cb%3E=1", "/?m=1"] {
            let problem = read(uri).expect_err("refused");
            assert_eq!(problem.code(), Code::InvalidQuery, "{uri}");
        }
    }
}
