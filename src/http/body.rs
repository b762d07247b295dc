//! A request's body: whole, bounded in bytes and time, never decoded.

use std::time::Duration;

use actix_web::{
    HttpRequest,
    http::header,
    web::{BytesMut, Payload},
};
use futures_util::StreamExt as _;

use super::problem::{Answer, Code, Problem};

/// Room that is made before a byte came, whatever the sender announces.
const FIRST_BYTES: usize = 8 * 1024;

/// Refuses, before a byte of it is read, a body that is announced as too long or as something else
/// than plain JSON.
pub(super) fn acceptable(request: &HttpRequest, limit_bytes: usize) -> Answer<()> {
    let headers = request.headers();
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit_bytes as u64) {
        return Err(Code::PayloadTooLarge.into());
    }
    let encoded = headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
    let kind = headers
        .get(header::CONTENT_TYPE)
        .map(header::HeaderValue::as_bytes);
    let essence = kind.and_then(|kind| kind.split(|byte| *byte == b';').next());
    let is_json = essence.is_some_and(is_json);
    if encoded || !is_json {
        Err(Code::UnsupportedMediaType.into())
    } else {
        Ok(())
    }
}

/// `application/json` and its relatives (`application/cloudevents+json`).
fn is_json(essence: &[u8]) -> bool {
    let essence = essence.trim_ascii().to_ascii_lowercase();
    essence == b"application/json"
        || (essence.starts_with(b"application/") && essence.ends_with(b"+json"))
}

/// Reads the body.
pub(super) async fn read(
    mut payload: Payload,
    limit_bytes: usize,
    patience: Duration,
) -> Answer<Vec<u8>> {
    let collect = async {
        let mut body = BytesMut::with_capacity(FIRST_BYTES.min(limit_bytes));
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(Problem::from)?;
            if body.len().saturating_add(chunk.len()) > limit_bytes {
                return Err(Problem::new(Code::PayloadTooLarge));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.into())
    };
    let slow = || Problem::new(Code::RequestTimeout);
    tokio::time::timeout(patience, collect)
        .await
        .map_err(|_elapsed| slow())?
}
