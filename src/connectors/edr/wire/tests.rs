//! Every way in which an exchange can end, for a request that reads and for one that changes something.

use serde_json::{Value, json};

use super::{
    super::stub::{Act, Stub, answer, closed_port},
    *,
};

/// What a hostile vendor might say; it must be in no error.
const HOSTILE: &str = "<script>hostile-text</script>";
const TOKEN: &str = "Bearer s3cr3t-token";

fn settings(timeout_ms: u64) -> WireSettings {
    WireSettings {
        timeout: Duration::from_millis(timeout_ms),
        allow_private: true,
    }
}

fn call(changes: bool) -> Call {
    let call = Call::post("one/two")
        .query("q", "a b&c")
        .json(&json!({"a": 1}));
    if changes {
        call.changing(&crate::connectors::edr::unguarded())
    } else {
        call
    }
}

/// One exchange, its body read as JSON.
async fn outcome(base: &str, changes: bool, timeout_ms: u64) -> Result<Value, EdrError> {
    let wire = Wire::new(base, "base_url", settings(timeout_ms)).unwrap();
    let token = HeaderValue::from_static(TOKEN);
    let sent = wire
        .send(&call(changes), Some(&token), wire.deadline())
        .await;
    sent.and_then(|answer| answer.json())
}

/// A word for an outcome.
fn word(outcome: &Result<Value, EdrError>) -> String {
    match outcome {
        Ok(value) => format!("ok {value}"),
        Err(EdrError::Unsent { transient, .. }) => format!("unsent {transient}"),
        Err(EdrError::Busy { status, retry_at }) => {
            format!("busy {status} {}", retry_at.is_some())
        }
        Err(EdrError::Refused { status, .. }) => format!("refused {status}"),
        Err(EdrError::NotAuthorised { status }) => format!("not authorised {status}"),
        Err(EdrError::Ambiguous { status, .. }) => format!("ambiguous {status:?}"),
    }
}

fn nothing_leaks(outcome: &Result<Value, EdrError>) {
    let Err(error) = outcome else {
        return;
    };
    let said = format!("{error} {error:?}");
    for hidden in ["hostile", "s3cr3t", "127.0.0.1", "one/two"] {
        assert!(!said.contains(hidden), "{said}");
    }
}

const PLAIN: &str = "content-type: application/json";
const PARTS: &str = "Content-Type: Application/JSON; charset=utf-8";
const PAGE: &str = "content-type: text/html";
const ZIPPED: &str = "content-encoding: gzip";
const LATER: &str = "retry-after: 7";
const EPOCH: &str = "x-ratelimit-retryafter: 99999999999";
const ODD: &str = "retry-after: hostile";

/// Status, header lines and body of answers that mean the same for a reading and for a change.
const PLAIN_ANSWERS: [(u16, &[&str], &str, &str); 12] = [
    (200, &[PLAIN], "{\"a\":1}", "ok {\"a\":1}"),
    (202, &[PARTS], "{}", "ok {}"),
    (204, &[], "", "ok null"),
    (400, &[PLAIN], "{}", "ok {}"),
    (403, &[PLAIN], "{}", "ok {}"),
    (409, &[PLAIN], "{}", "ok {}"),
    (401, &[PLAIN], HOSTILE, "not authorised 401"),
    (429, &[LATER], HOSTILE, "busy 429 true"),
    (429, &[EPOCH], "", "busy 429 true"),
    (503, &[ODD], HOSTILE, "busy 503 false"),
    (502, &[], HOSTILE, "busy 502 false"),
    (504, &[], "", "busy 504 false"),
];

/// Those that leave a doubt where something may have been changed.
const DOUBTFUL_ANSWERS: [(u16, &[&str], &str); 8] = [
    (200, &[PLAIN], "[1]"),
    (408, &[PLAIN], HOSTILE),
    (500, &[PLAIN], "[1]"),
    (599, &[PLAIN], "[1]"),
    (200, &[PAGE], HOSTILE),
    (200, &[], "{}"),
    (200, &[PLAIN], HOSTILE),
    (200, &[PLAIN, ZIPPED], "{}"),
];

/// A server that says this is asked for something and for a change of something, once each.
async fn both_outcomes(said: String, reading: &str, change: &str) {
    let shown: String = said.chars().take(200).collect();
    let stub = Stub::start(move |_| Act::Say(said.clone())).await;
    for (changes, expected) in [(false, reading), (true, change)] {
        let outcome = outcome(&stub.base, changes, 20_000).await;
        assert_eq!(word(&outcome), expected, "{shown}, changes: {changes}");
        nothing_leaks(&outcome);
    }
    assert_eq!(stub.seen().len(), 2, "{shown}: each was sent once");
}

#[tokio::test]
async fn an_answer_means_what_it_means_for_a_reading_and_for_a_change() {
    for (status, headers, body, expected) in PLAIN_ANSWERS {
        both_outcomes(answer(status, headers, body), expected, expected).await;
    }
    for (status, headers, body) in DOUBTFUL_ANSWERS {
        let doubt = format!("ambiguous Some({status})");
        both_outcomes(answer(status, headers, body), "unsent true", &doubt).await;
    }
}

#[tokio::test]
async fn an_answer_that_is_not_whole_leaves_a_doubt() {
    let head = format!("HTTP/1.1 200 OK\r\n{PLAIN}\r\n");
    let deep = answer(200, &[PLAIN], &"[".repeat(100_000));
    let cut = format!("{head}content-length: 99\r\n\r\n[1]");
    let huge = format!("{head}content-length: 1073741824\r\n\r\n[1]");
    for said in [deep, cut, huge] {
        both_outcomes(said, "unsent true", "ambiguous Some(200)").await;
    }
    both_outcomes(
        "hostile\r\n\r\n".to_owned(),
        "unsent true",
        "ambiguous None",
    )
    .await;
}

#[tokio::test]
async fn a_redirect_is_refused_and_nobody_else_is_asked() {
    let other = Stub::start(|_| Act::Say(answer(200, &[], ""))).await;
    let elsewhere = format!("location: {}/hostile", other.base);
    for status in [301, 302, 303, 307, 308] {
        let said = answer(status, &[&elsewhere], "");
        let stub = Stub::start(move |_| Act::Say(said.clone())).await;
        for changes in [false, true] {
            let outcome = outcome(&stub.base, changes, 20_000).await;
            assert_eq!(word(&outcome), format!("refused {status}"));
            nothing_leaks(&outcome);
        }
    }
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn what_happens_to_a_connection_decides_whether_something_was_sent() {
    let closing = Stub::start(|_| Act::Close).await;
    let hanging = Stub::start(|_| Act::Hang).await;
    let endless = Stub::start(|_| {
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        Act::SayForEver(chunked.to_owned())
    })
    .await;
    let nobody = closed_port().await;
    for (base, timeout_ms, reading, change) in [
        (&nobody, 20_000, "unsent true", "unsent true"),
        (&closing.base, 20_000, "unsent true", "ambiguous None"),
        (&hanging.base, 900, "unsent true", "ambiguous None"),
        (&endless.base, 20_000, "unsent true", "ambiguous Some(200)"),
    ] {
        for (changes, expected) in [(false, reading), (true, change)] {
            let outcome = outcome(base, changes, timeout_ms).await;
            assert_eq!(word(&outcome), expected, "{base}, changes: {changes}");
            nothing_leaks(&outcome);
        }
    }
    for stub in [&closing, &hanging, &endless] {
        assert_eq!(stub.seen().len(), 2, "each was sent once");
    }
}

#[tokio::test]
async fn a_change_is_not_begun_without_time_to_hear_of_it() {
    let stub = Stub::start(|_| Act::Say(answer(204, &[], ""))).await;
    let wire = Wire::new(&stub.base, "base_url", settings(9_000)).unwrap();
    let soon = Instant::now() + Duration::from_secs(5);
    let sent = wire.send(&call(true), None, soon).await;
    let outcome = sent.and_then(|answer| answer.json());
    assert_eq!(word(&outcome), "unsent true");
    assert!(stub.seen().is_empty());
    assert!(wire.send(&call(false), None, soon).await.is_ok());
}

#[tokio::test]
async fn a_request_is_what_was_asked_for_below_the_base() {
    let stub = Stub::start(|_| Act::Say(answer(204, &[], ""))).await;
    let base = format!("{}/falcon/", stub.base);
    let wire = Wire::new(&base, "base_url", settings(20_000)).unwrap();
    let token = HeaderValue::from_static(TOKEN);
    let until = wire.deadline();
    assert!(wire.send(&call(true), Some(&token), until).await.is_ok());
    let odd = Call::get("machines").segment("a/../b?c#d%2f\u{e4}");
    assert!(wire.send(&odd, None, until).await.is_ok());
    let seen = stub.seen().clone();
    assert_eq!(seen[0].line, "POST /falcon/one/two?q=a+b%26c");
    assert_eq!(seen[0].body, r#"{"a":1}"#);
    assert!(seen[0].head.contains("authorization: bearer s3cr3t-token"));
    assert!(seen[0].head.contains("content-type: application/json"));
    assert_eq!(
        seen[1].line,
        "GET /falcon/machines/a%2F..%2Fb%3Fc%23d%252f%C3%A4"
    );
    assert!(!seen[1].head.contains("authorization"));
    for step in ["", ".", ".."] {
        let sent = wire
            .send(&Call::get("machines").segment(step), None, until)
            .await;
        let outcome = sent.and_then(|answer| answer.json());
        assert_eq!(word(&outcome), "unsent false", "{step:?}");
    }
    assert_eq!(stub.seen().len(), 2);
}

#[test]
fn only_an_address_that_may_be_spoken_to_makes_a_wire() {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let fits = |base: &str, allow_private| {
        let settings = WireSettings {
            timeout: Duration::from_secs(30),
            allow_private,
        };
        Wire::new(base, "base_url", settings).map(|_| ())
    };
    for (base, public, private) in [
        ("https://api.crowdstrike.com", true, true),
        ("https://api.crowdstrike.com:8443/base", true, true),
        ("https://8.8.8.8", true, true),
        ("https://127.0.0.1", false, true),
        ("https://2130706433", false, true),
        ("https://0x7f.1", false, true),
        ("https://[::1]", false, true),
        ("https://[::ffff:10.0.0.1]", false, true),
        ("https://169.254.169.254/latest", false, true),
        ("https://10.1.2.3", false, true),
        ("http://127.0.0.1:9000/falcon", false, true),
        ("http://localhost:9000", false, true),
        ("http://10.1.2.3", false, false),
        ("http://api.crowdstrike.com", false, false),
        ("https://user@api.crowdstrike.com", false, false),
        ("https://user:word@api.crowdstrike.com", false, false),
        ("https://api.crowdstrike.com?a=b", false, false),
        ("https://api.crowdstrike.com#a", false, false),
        ("ftp://api.crowdstrike.com", false, false),
        ("https://", false, false),
        ("api.crowdstrike.com", false, false),
        ("file:///etc/passwd", false, false),
        ("", false, false),
    ] {
        for (allow_private, expected) in [(false, public), (true, private)] {
            let made = fits(base, allow_private);
            assert_eq!(made.is_ok(), expected, "{base} {allow_private} {made:?}");
            let told = made
                .map_err(|fault| fault.to_string())
                .err()
                .unwrap_or_default();
            assert!(!told.contains("word"), "{told}");
        }
    }
}

#[tokio::test]
async fn a_name_that_leads_into_the_house_is_not_spoken_to() {
    let stub = Stub::start(|_| Act::Say(answer(204, &[], ""))).await;
    let port = stub.base.rsplit(':').next().unwrap();
    let outside = WireSettings {
        timeout: Duration::from_secs(20),
        allow_private: false,
    };
    let base = format!("https://localhost:{port}");
    let wire = Wire::new(&base, "base_url", outside).unwrap();
    for changes in [false, true] {
        let sent = wire.send(&call(changes), None, wire.deadline()).await;
        let error = sent.map(|answer| answer.status).unwrap_err();
        let why = "its address may not be spoken to".to_owned();
        let transient = false;
        assert_eq!(error, EdrError::Unsent { why, transient });
    }
    assert!(stub.seen().is_empty());
}

#[tokio::test]
async fn a_server_without_a_certificate_that_we_trust_gets_nothing() {
    let stub = Stub::start(|_| Act::Say(answer(204, &[], ""))).await;
    let base = stub.base.replace("http://", "https://");
    for changes in [false, true] {
        let outcome = outcome(&base, changes, 20_000).await;
        assert_eq!(word(&outcome), "unsent true");
        nothing_leaks(&outcome);
    }
    assert!(stub.seen().is_empty());
}
