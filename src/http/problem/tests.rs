use std::{collections::HashSet, prelude::v1::test as plain_test};

use actix_web::{
    App, body::to_bytes, dev::ServiceResponse, http::Method, middleware::ErrorHandlers, test, web,
};

use super::*;

fn json(problem: &Problem) -> Value {
    serde_json::from_str(&problem.body()).expect("JSON")
}

#[plain_test]
fn the_table_is_sound() {
    let mut codes = HashSet::new();
    for code in Code::ALL {
        assert!(codes.insert(code.as_str()), "{code} stands twice");
        assert!(
            code.as_str()
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b == b'_'),
            "{code}"
        );
        assert!(
            code.status().is_client_error() || code.status().is_server_error(),
            "{code}"
        );
        let body = json(&Problem::new(*code));
        assert_eq!(body["type"], format!("urn:vyrox:problem:{code}"));
        assert_eq!(body["status"], code.status().as_u16());
        assert_eq!(body["code"], code.as_str());
        assert!(body["title"].is_string() && body["detail"].is_string());
    }
}

#[plain_test]
fn a_failed_authentication_is_one_value() {
    let plain = Problem::unauthenticated();
    let chatty = Problem::unauthenticated()
        .detail("unknown tenant acme")
        .member("tenant", "acme")
        .retry_after(Duration::from_secs(9));
    assert_eq!(plain.body(), chatty.body());
    let headers = |problem: &Problem| format!("{:?}", problem.error_response().headers());
    assert_eq!(headers(&plain), headers(&chatty));
    assert_eq!(json(&plain)["detail"], "invalid signature");
}

#[plain_test]
fn waiting_times_are_rounded_up_and_always_there() {
    for (wait_ms, seconds) in [(0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (59_500, 60)] {
        for code in [
            Code::RateLimited,
            Code::Overloaded,
            Code::JournalUnavailable,
        ] {
            let problem = Problem::new(code).retry_after(Duration::from_millis(wait_ms));
            assert_eq!(json(&problem)["retry_after"], seconds);
            let response = problem.error_response();
            let header = response
                .headers()
                .get(header::RETRY_AFTER)
                .expect("a header");
            assert_eq!(header, seconds.to_string().as_str());
        }
    }
    assert_eq!(json(&Problem::new(Code::Overloaded))["retry_after"], 1);
    let other = Problem::new(Code::NotFound).retry_after(Duration::from_secs(1));
    assert!(json(&other).get("retry_after").is_none());
}

#[plain_test]
fn what_comes_from_outside_is_inert_and_bounded() {
    let nasty = "<script>\u{1b}[2J\r\n\"&\u{2028}\u{202e}é😀";
    let problem = Problem::new(Code::InvalidPayload)
        .detail(nasty)
        .member("found", nasty);
    let body = problem.body();
    assert!(
        body.bytes()
            .all(|b| (0x20..0x7f).contains(&b) && !b"<>&".contains(&b)),
        "{body}"
    );
    assert_eq!(json(&problem)["detail"], nasty);
    let long = Problem::new(Code::InvalidPayload).detail("x".repeat(100_000));
    assert!(long.body().len() < 2000);
    let replaced = Problem::new(Code::NotFound)
        .member("status", 200)
        .member("code", "fine");
    assert_eq!(json(&replaced)["status"], 404);
    assert_eq!(json(&replaced)["code"], "not_found");
}

proptest::proptest! {
    #[plain_test]
    fn the_detail_survives_its_escaping(detail in ".{0,300}") {
        let problem = Problem::new(Code::InvalidPayload).detail(detail.clone());
        proptest::prop_assert!(problem.body().is_ascii());
        proptest::prop_assert_eq!(&json(&problem)["detail"], &Value::from(detail));
    }
}

async fn takes_path(_: web::Path<u32>) -> HttpResponse {
    HttpResponse::Ok().finish()
}

async fn answer(request: test::TestRequest) -> ServiceResponse {
    let app = App::new()
        .wrap(ErrorHandlers::new().default_handler(as_problem))
        .app_data(path_errors())
        .service(
            web::resource("/post")
                .route(web::post().to(async || HttpResponse::Ok().finish()))
                .default_service(method_not_allowed("POST")),
        )
        .route("/path/{n}", web::get().to(takes_path))
        .route(
            "/bare",
            web::get().to(async || HttpResponse::PayloadTooLarge().body("no")),
        )
        .default_service(web::to(not_found));
    let app = test::init_service(app).await;
    let response = test::call_service(&app, request.to_request()).await;
    response.map_into_boxed_body()
}

#[actix_web::test]
async fn the_frameworks_own_errors_are_problems_too() {
    let get = |uri: &str| test::TestRequest::get().uri(uri);
    for (request, code) in [
        (get("/post"), Code::MethodNotAllowed),
        (get("/path/x"), Code::InvalidPath),
        (get("/bare"), Code::PayloadTooLarge),
        (get("/nowhere"), Code::NotFound),
        (get("/bare").method(Method::DELETE), Code::NotFound),
    ] {
        let response = answer(request).await;
        assert_eq!(response.status(), code.status(), "{code}");
        let kind = response
            .headers()
            .get(header::CONTENT_TYPE)
            .expect("a media type");
        assert_eq!(kind, PROBLEM_JSON, "{code}");
        if code == Code::MethodNotAllowed {
            assert_eq!(
                response.headers().get(header::ALLOW).expect("methods"),
                "POST"
            );
        }
        let body = to_bytes(response.into_body()).await.expect("a body");
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(body["code"], code.as_str());
    }
}
