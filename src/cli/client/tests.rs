use super::{
    super::{failure::Exit, fake_server::FakeServer},
    *,
};

fn client(base: &str) -> Client {
    // A second installation in the same process fails, which is as good as the first.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    Client::new(base, Credentials::missing(Path::new("nowhere"))).unwrap()
}

#[test]
fn paths_are_escaped_and_kept_below_the_base() {
    let url = client("https://soc.example/vyrox/")
        .url(&["api", "v1", "tenants", "a/b c"], &[("q", "x&y")])
        .unwrap();
    assert_eq!(
        url.as_str(),
        "https://soc.example/vyrox/api/v1/tenants/a%2Fb%20c?q=x%26y"
    );
}

#[test]
fn a_bare_address_is_http() {
    assert_eq!(client("127.0.0.1:8001").base(), "http://127.0.0.1:8001");
}

#[test]
fn only_http_can_be_a_base() {
    for bad in ["ftp://a", "http://", "unix:///x", "::::"] {
        assert!(parse_base(bad).is_err(), "{bad}");
    }
}

#[test]
fn our_own_machine_needs_no_proxy() {
    for (text, expected) in [
        ("http://[::1]:1", true),
        ("http://127.1.2.3", true),
        ("http://10.0.0.1", false),
    ] {
        assert_eq!(is_loopback(&Url::parse(text).unwrap()), expected, "{text}");
    }
}

#[tokio::test]
async fn the_token_goes_to_the_api_and_never_with_an_alert() {
    let server = FakeServer::new(|_| (202, r#"{"alert_id":"a","status":"queued"}"#.into()));
    let client = server.client();
    client
        .get::<Value>(&["api", "v1", "tenants"], &[])
        .await
        .unwrap();
    let secret = SecretString::from("s3cret");
    let reply = client
        .post_webhook("acme", Vendor::Generic, &secret, b"{}".to_vec())
        .await
        .unwrap();
    assert!(reply.is_taken());
    assert_eq!(reply.text("alert_id"), Some("a"));
    let [api, webhook] = server.asked().try_into().unwrap();
    assert!(api.has_header("authorization: Bearer t0ken"));
    assert_eq!(webhook.line, "POST /t/acme/webhook/generic");
    assert_eq!(webhook.body, b"{}");
    assert!(
        !webhook
            .headers
            .iter()
            .any(|header| header.starts_with("authorization"))
    );
    let signed = signature_of(&Secret::new(b"s3cret".to_vec()), b"{}");
    assert!(webhook.has_header(&format!("x-vyrox-signature: {signed}")));
}

#[tokio::test]
async fn without_a_token_none_is_sent_and_a_401_says_where_one_would_be() {
    let server = FakeServer::new(|_| (401, r#"{"title":"No"}"#.into()));
    let failure = server
        .stranger()
        .get::<Value>(&["x"], &[])
        .await
        .unwrap_err();
    assert!(failure.to_string().contains("admin.token"), "{failure}");
    let [asked] = server.asked().try_into().unwrap();
    assert!(
        !asked
            .headers
            .iter()
            .any(|header| header.starts_with("authorization"))
    );
}

#[tokio::test]
async fn an_answer_of_something_else_is_not_taken_for_ours() {
    let server = FakeServer::new(|_| (200, "<html>".into()));
    let failure = server.client().get::<Value>(&["x"], &[]).await.unwrap_err();
    assert_eq!(failure.exit(), Exit::Unreachable);
}

#[tokio::test]
async fn a_closed_port_is_unreachable_and_says_what_to_do() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let failure = client(&base)
        .get::<Value>(&["health"], &[])
        .await
        .unwrap_err();
    assert_eq!(failure.exit(), Exit::Unreachable);
    assert!(failure.to_string().contains("vyrox serve"));
}
