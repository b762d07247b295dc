//! What goes wrong, and whether it has an effect all the same.

use std::{future::poll_fn, pin::pin, task::Poll};

use serde_json::json;

use super::*;

const CS: Vendor = Vendor::Crowdstrike;

fn contain(bench: &Bench) -> RequestBuilder {
    let path = "/devices/entities/devices-actions/v2?action_name=contain";
    bench
        .request(Method::POST, path)
        .json(&json!({ "ids": [workstation(CS)] }))
}

fn network(bench: &Bench) -> Network {
    bench.mock.host(CS, &workstation(CS)).unwrap().network
}

/// Answers `contain` so, with and without effect, and gives the answers to `look`.
async fn each_way(answer: Answer, look: impl AsyncFn(reqwest::Result<reqwest::Response>)) {
    let bench = Bench::new(CS).await;
    let fault = Fault::once(CS, Route::Contain, answer);
    bench.mock.fault(fault.clone());
    look(contain(&bench).send().await).await;
    assert_eq!(network(&bench), Network::Normal, "{fault}");
    bench.mock.fault(fault.clone().applied());
    look(contain(&bench).send().await).await;
    assert_eq!(network(&bench), Network::ContainPending, "{fault}");
    let applied: Vec<_> = bench
        .mock
        .changes(CS, &workstation(CS))
        .iter()
        .map(|call| call.applied)
        .collect();
    assert_eq!(applied, [false, true], "{fault}");
    assert_eq!(
        contain(&bench).send().await.unwrap().status(),
        409,
        "the script is at its end"
    );
    bench.is_sound();
}

#[tokio::test]
async fn statuses_are_worded_as_the_vendor_does() {
    for status in [400, 401, 403, 404, 409, 500, 502, 503, 504] {
        each_way(Answer::Status(status), async |answer| {
            let answer = answer.unwrap();
            assert_eq!(answer.status(), status);
            let body: Value = answer.json().await.unwrap();
            assert_eq!(body["errors"][0]["code"], status);
        })
        .await;
    }
}

#[tokio::test]
async fn each_form_of_come_again_is_there() {
    let now_s = crate::clock::now().s();
    for (when, name) in [
        (ComeAgain::Unsaid, None),
        (ComeAgain::Seconds(7), Some("retry-after")),
        (ComeAgain::Date(7), Some("retry-after")),
        (ComeAgain::Epoch(7), Some("x-ratelimit-retryafter")),
    ] {
        each_way(Answer::TooMany(when.clone()), async |answer| {
            let answer = answer.unwrap();
            assert_eq!(answer.status(), 429);
            let value = name.map(|name| answer.headers()[name].to_str().unwrap().to_owned());
            match &when {
                ComeAgain::Unsaid => assert!(!answer.headers().contains_key("retry-after")),
                ComeAgain::Seconds(_) => assert_eq!(value.as_deref(), Some("7")),
                ComeAgain::Date(_) => assert!(value.unwrap().ends_with(" GMT")),
                ComeAgain::Epoch(_) => assert!(value.unwrap().parse::<u64>().unwrap() >= now_s + 7),
            }
        })
        .await;
    }
}

#[tokio::test]
async fn answers_that_are_none() {
    each_way(Answer::Reset, async |answer| assert!(answer.is_err())).await;
    each_way(Answer::BrokenOff, async |answer| {
        assert!(answer.unwrap().bytes().await.is_err());
    })
    .await;
    each_way(Answer::Garbled, async |answer| {
        assert!(answer.unwrap().json::<Value>().await.is_err());
    })
    .await;
    each_way(Answer::WrongType, async |answer| {
        let answer = answer.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/html");
    })
    .await;
    each_way(Answer::ErrorsInside, async |answer| {
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 202);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["errors"].as_array().unwrap().len(), 1);
    })
    .await;
    let canned = Reply::text(418, "no").header("x-more", "1");
    each_way(Answer::Canned(canned), async |answer| {
        let answer = answer.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["x-more"]),
            (418, &"1".parse().unwrap())
        );
    })
    .await;
    each_way(
        Answer::Redirect("http://192.0.2.1/x".to_owned()),
        async |answer| {
            let answer = answer.unwrap();
            assert_eq!(answer.status(), 307);
            assert_eq!(answer.headers()["location"], "http://192.0.2.1/x");
        },
    )
    .await;
}

#[tokio::test]
async fn a_gibibyte_is_announced_or_just_comes() {
    each_way(Answer::Huge(true), async |answer| {
        assert_eq!(answer.unwrap().content_length(), Some(1 << 30));
    })
    .await;
    each_way(Answer::Huge(false), async |answer| {
        let mut answer = answer.unwrap();
        assert_eq!(answer.content_length(), None);
        let mut seen = 0;
        while seen < 1 << 20 {
            seen += answer.chunk().await.unwrap().unwrap().len();
        }
    })
    .await;
}

#[tokio::test]
async fn what_hangs_has_its_effect_and_answers_when_it_is_let_go() {
    let bench = Bench::new(CS).await;
    let hang = Fault::once(CS, Route::Contain, Answer::Hang).applied();
    bench.mock.fault(hang);
    let mut waiting = pin!(contain(&bench).send());
    // The request is on its way and in effect while no answer has come.
    poll_fn(|cx| {
        let polled = waiting.as_mut().poll(cx);
        assert!(polled.is_pending());
        if network(&bench) == Network::ContainPending {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    bench.mock.let_go();
    assert_eq!(waiting.await.unwrap().status(), 202);
}

#[tokio::test]
async fn a_vendor_that_hangs_hangs_alone_and_ends_with_its_client() {
    let bench = Bench::new(CS).await;
    bench
        .mock
        .fault(Fault::once(CS, Route::Contain, Answer::Hang).always());
    let short = contain(&bench).timeout(Duration::from_millis(50));
    assert!(short.send().await.unwrap_err().is_timeout());
    assert_eq!(bench.get("/devices/queries/devices/v1").await.0, 200);
    assert_eq!(network(&bench), Network::Normal);
    bench.mock.mend();
    assert_eq!(contain(&bench).send().await.unwrap().status(), 202);
}

#[tokio::test]
async fn faults_wait_for_their_request_in_order() {
    let bench = Bench::new(CS).await;
    bench
        .mock
        .fault(Fault::once(CS, Route::Contain, Answer::Status(503)).times(2));
    bench
        .mock
        .fault(Fault::once(CS, Route::Contain, Answer::Status(500)));
    bench.mock.fault(Fault::once(
        Vendor::Defender,
        Route::Contain,
        Answer::Status(404),
    ));
    assert_eq!(bench.get("/devices/queries/devices/v1").await.0, 200);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(contain(&bench).send().await.unwrap().status().as_u16());
    }
    assert_eq!(seen, [503, 503, 500, 202]);
    let statuses: Vec<_> = bench
        .mock
        .changes(CS, &workstation(CS))
        .iter()
        .map(|call| call.status)
        .collect();
    assert_eq!(statuses, [Some(503), Some(503), Some(500), Some(202)]);
}

#[test]
fn a_fault_is_read_as_it_is_written() {
    for text in [
        "crowdstrike:contain:503:applied:times=2",
        "sentinelone:any:429=date/30",
        "defender:token:429=epoch/90:always",
        "defender:contain:hang:applied",
        "crowdstrike:read_host:usual:slow=3:times=4",
        "crowdstrike:release:redirect=https://example.com:8443/x?y=z",
        "crowdstrike:release:huge_announced",
    ] {
        let fault: Fault = text.parse().unwrap();
        assert_eq!(fault.to_string(), text);
    }
    for text in [
        "",
        "crowdstrike",
        "nobody:contain:503",
        "crowdstrike:explode:503",
        "crowdstrike:contain:maybe",
        "crowdstrike:contain:99",
        "crowdstrike:contain:503:often",
        "crowdstrike:contain:503:times=x",
        "crowdstrike:contain:429=weeks/2",
    ] {
        assert!(text.parse::<Fault>().is_err(), "{text}");
    }
}
