//! Turns, tokens and the breaker, over real sockets.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use futures_util::future::join_all;

use super::{
    super::{
        pacing::Pace,
        stub::{Act, Request, Stub, answer, closed_port, json},
        wire::WireSettings,
    },
    *,
};

const UNHURRIED: Pace = Pace {
    per_s: 1_000,
    burst: 1_000,
};

fn api(base: &str, pace: Pace) -> Api {
    let settings = WireSettings {
        timeout: std::time::Duration::from_secs(20),
        allow_private: true,
    };
    let wire = Wire::new(base, "base_url", settings).unwrap();
    let source = TokenSource {
        wire: wire.clone(),
        path: vec!["oauth2".to_owned(), "token".to_owned()],
        form: vec![("client_id", "us&them".to_owned())],
        secret: Secret::new(b"the secret".to_vec()),
    };
    Api::new(
        wire,
        Arc::new(Line::new(pace)),
        Credentials::Fetched(source),
    )
    .unwrap()
}

async fn change(api: &Api) -> Result<u16, EdrError> {
    let call = Call::post("change").changing(&crate::connectors::edr::unguarded());
    let answer = api.exchange(&call, api.deadline()).await;
    answer.map(|answer| answer.status)
}

/// Gives tokens `t0`, `t1`, ... and takes what `accepts` accepts.
async fn house(accepts: impl Fn(&str) -> Act + Send + Sync + 'static) -> Stub {
    let given = AtomicU64::new(0);
    Stub::start(move |request: &Request| {
        if request.line == "POST /oauth2/token" {
            let number = given.fetch_add(1, Ordering::AcqRel);
            let token = format!(r#"{{"access_token":"t{number}","expires_in":1799}}"#);
            return json(201, &token);
        }
        let head = request.head.lines();
        let mut shown = head.filter_map(|line| line.strip_prefix("authorization: bearer "));
        accepts(shown.next().unwrap_or_default())
    })
    .await
}

#[tokio::test]
async fn many_calls_at_once_fetch_one_token() {
    let stub = house(|_| json(202, "{}")).await;
    let api = api(&stub.base, UNHURRIED);
    let outcomes = join_all((0..20).map(|_| change(&api))).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Ok(202)));
    assert_eq!(stub.count("POST /oauth2/token"), 1);
    let seen = stub.seen();
    assert_eq!(
        seen[0].body,
        "client_id=us%26them&client_secret=the%20secret"
    );
    let form = "content-type: application/x-www-form-urlencoded";
    assert!(seen[0].head.contains(form));
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_and_the_call_made_once_more() {
    let stub = house(|token| json(if token == "t0" { 401 } else { 202 }, "{}")).await;
    let api = api(&stub.base, UNHURRIED);
    assert_eq!(change(&api).await, Ok(202));
    assert_eq!(change(&api).await, Ok(202));
    assert_eq!(stub.count("POST /oauth2/token"), 2);
    assert_eq!(stub.count("POST /change"), 3);

    let never = house(|_| json(401, "{}")).await;
    let api = self::api(&never.base, UNHURRIED);
    let refused = Err(EdrError::NotAuthorised { status: 401 });
    assert_eq!(change(&api).await, refused);
    assert_eq!(never.count("POST /oauth2/token"), 2);
    assert_eq!(never.count("POST /change"), 2);
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    for (said, expected) in [
        (json(403, "{}"), "NotAuthorised { status: 403 }"),
        (json(400, "{}"), "NotAuthorised { status: 400 }"),
        (json(401, "{}"), "NotAuthorised { status: 401 }"),
        (json(503, "{}"), "transient: true"),
        (json(500, "{}"), "transient: true"),
        (json(201, "{}"), "transient: true"),
        (json(201, r#"{"access_token":"a\nb"}"#), "transient: false"),
        (Act::Close, "transient: true"),
    ] {
        let said = Mutex::new(Some(said));
        let stub = Stub::start(move |_| {
            let mut said = said.lock().unwrap();
            said.take().unwrap_or_else(|| json(500, "{}"))
        })
        .await;
        let error = change(&api(&stub.base, UNHURRIED)).await.unwrap_err();
        assert!(format!("{error:?}").contains(expected), "{error:?}");
        assert_eq!(stub.count("POST /change"), 0);
    }
}

#[tokio::test]
async fn a_token_of_a_minute_is_not_used_twice() {
    let stub = Stub::start(|request: &Request| {
        if request.line.ends_with("token") {
            json(201, r#"{"access_token":"t","expires_in":60}"#)
        } else {
            json(202, "{}")
        }
    })
    .await;
    let api = api(&stub.base, UNHURRIED);
    assert_eq!(change(&api).await, Ok(202));
    assert_eq!(change(&api).await, Ok(202));
    assert_eq!(stub.count("POST /oauth2/token"), 2);
}

#[tokio::test]
async fn five_failures_open_the_breaker_and_then_nobody_is_called() {
    let api = api(&closed_port().await, UNHURRIED);
    for _ in 0..5 {
        assert!(!api.line().breaker_open);
        let error = change(&api).await.unwrap_err();
        assert!(format!("{error}").contains("no connection"), "{error}");
    }
    assert!(api.line().breaker_open);
    let error = change(&api).await.unwrap_err();
    assert!(format!("{error}").contains("breaker"), "{error}");
    assert_eq!(api.line().in_flight, 0);
}

#[tokio::test]
async fn refusals_and_a_full_ration_do_not_open_the_breaker() {
    for (status, expected) in [(400, true), (403, true), (429, false)] {
        let stub = house(move |_| json(status, "{}")).await;
        let api = api(&stub.base, UNHURRIED);
        assert_eq!(change(&api).await.is_ok(), expected, "{status}");
        for _ in 0..7 {
            let call = Call::get("look");
            let looked = api.wire.send(&call, None, api.deadline()).await;
            assert_eq!(health(&looked), Health::Well, "{status}");
        }
        assert!(!api.line().breaker_open);
    }
}

#[tokio::test]
async fn what_the_vendor_says_of_its_ration_is_kept() {
    let stub = house(|_| Act::Say(answer(429, &["retry-after: 3000"], ""))).await;
    let api = api(&stub.base, UNHURRIED);
    let busy = change(&api).await.unwrap_err();
    assert!(matches!(
        busy,
        EdrError::Busy {
            status: 429,
            retry_at: Some(_)
        }
    ));
    let waits = change(&api).await.unwrap_err();
    assert!(format!("{waits}").contains("no turn in time"), "{waits}");
    assert_eq!(stub.count("POST /change"), 1);
}

#[tokio::test]
async fn a_call_under_way_is_seen_and_one_that_is_given_up_is_not() {
    let stub = house(|_| Act::Hang).await;
    let api = api(&stub.base, UNHURRIED);
    {
        let mut call = Box::pin(change(&api));
        while stub.count("POST /change") == 0 {
            tokio::select! {
                ended = &mut call => panic!("{ended:?}"),
                () = tokio::task::yield_now() => {}
            }
        }
        let line = api.line();
        assert_eq!(line.in_flight, 1);
        assert!(line.oldest_since.is_some());
    }
    assert_eq!(api.line(), LineState::default());
}

#[tokio::test]
async fn a_token_that_does_not_change_stands_in_each_request_and_in_no_text() {
    let stub = Stub::start(|_| json(401, "{}")).await;
    let fetched = api(&stub.base, UNHURRIED);
    let secret = Secret::new(b"Abc123".to_vec());
    let line = Arc::new(Line::new(UNHURRIED));
    let key = Credentials::Fixed("ApiToken", &secret);
    let api = Api::new(fetched.wire.clone(), line, key).unwrap();
    let refused = Err(EdrError::NotAuthorised { status: 401 });
    assert_eq!(change(&api).await, refused);
    assert_eq!(stub.seen().len(), 1);
    assert!(
        stub.seen()[0]
            .head
            .contains("authorization: apitoken abc123")
    );

    let broken = Secret::new(b"Abc123\n".to_vec());
    let key = Credentials::Fixed("ApiToken", &broken);
    let line = Arc::new(Line::new(UNHURRIED));
    let fault = Api::new(fetched.wire.clone(), line, key)
        .map(|_| ())
        .unwrap_err();
    assert!(!fault.to_string().contains("Abc"), "{fault}");
}
