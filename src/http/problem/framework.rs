//! The web framework's own errors, in the same shape as ours.

use actix_web::{
    Route,
    body::{BoxBody, MessageBody},
    dev::ServiceResponse,
    error::PayloadError,
    http::{StatusCode, header},
    middleware::ErrorHandlerResponse,
    web::{self, PathConfig},
};

use super::{Code, PROBLEM_JSON, Problem};

/// For routes that read path segments.
pub fn path_errors() -> PathConfig {
    PathConfig::default().error_handler(|_, _| Problem::new(Code::InvalidPath).into())
}

/// The answer where no route is.
pub async fn not_found() -> Problem {
    Code::NotFound.into()
}

/// The answer of a resource to all methods but `allowed` (`"GET, POST"`), as its default service.
pub fn method_not_allowed(allowed: &'static str) -> Route {
    web::to(move || async move { Problem::new(Code::MethodNotAllowed).with_allow(allowed) })
}

/// Puts a problem in the place of an error that was made by none of ours; a default handler for
/// `actix_web::middleware::ErrorHandlers`. Its headers are kept, its body is not.
pub fn as_problem<B: MessageBody + 'static>(
    response: ServiceResponse<B>,
) -> actix_web::Result<ErrorHandlerResponse<B>> {
    let ours = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(PROBLEM_JSON.as_bytes()));
    if ours {
        return Ok(ErrorHandlerResponse::Response(
            response.map_into_left_body(),
        ));
    }
    let (request, response) = response.into_parts();
    let mut answer = Problem::new(code_of(response.status())).response();
    for (name, value) in response.headers() {
        if *name == header::ALLOW || *name == header::CONNECTION {
            answer.headers_mut().insert(name.clone(), value.clone());
        }
    }
    let answer = ServiceResponse::<BoxBody>::new(request, answer);
    Ok(ErrorHandlerResponse::Response(answer.map_into_right_body()))
}

impl From<PayloadError> for Problem {
    fn from(error: PayloadError) -> Self {
        match error {
            PayloadError::Overflow => Code::PayloadTooLarge.into(),
            PayloadError::EncodingCorrupted => Code::UnsupportedMediaType.into(),
            _ => Code::InvalidRequest.into(),
        }
    }
}

fn code_of(status: StatusCode) -> Code {
    match status {
        StatusCode::UNAUTHORIZED => Code::InvalidSignature,
        StatusCode::FORBIDDEN => Code::InsufficientScope,
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
        StatusCode::REQUEST_TIMEOUT => Code::RequestTimeout,
        StatusCode::PAYLOAD_TOO_LARGE => Code::PayloadTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
        StatusCode::TOO_MANY_REQUESTS => Code::RateLimited,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        status if status.is_client_error() => Code::InvalidRequest,
        _ => Code::Internal,
    }
}
