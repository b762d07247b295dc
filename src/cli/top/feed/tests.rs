use std::sync::mpsc::channel;

use super::{super::super::fake_server::FakeServer, *};

#[tokio::test]
async fn only_one_question_is_on_its_way() {
    let (release, held) = channel::<()>();
    let server = FakeServer::new(move |_| {
        held.recv().unwrap();
        (200, r#"{"host":{"id":"host"}}"#.into())
    });
    let mut feed = Feed::start(server.client()).unwrap();
    for _ in 0..10 {
        feed.ask();
    }
    release.send(()).unwrap();
    let answer = feed.answer().await.unwrap();
    assert_eq!(answer.tree.unwrap().host.id, "host");
    assert_eq!(server.asked().len(), 1);
    release.send(()).unwrap();
    feed.ask();
    assert!(feed.answer().await.unwrap().tree.is_ok());
    assert_eq!(server.asked().len(), 2);
}

/// Whoever stops waiting, because a key came first, must get the answer later.
#[tokio::test]
async fn an_answer_outlives_a_wait_that_is_given_up() {
    let (release, held) = channel::<()>();
    let server = FakeServer::new(move |_| {
        held.recv().unwrap();
        (200, r#"{"host":{"id":"host"}}"#.into())
    });
    let mut feed = Feed::start(server.client()).unwrap();
    feed.ask();
    tokio::select! {
        biased;
        _ = feed.answer() => panic!("the server holds its answer back"),
        () = std::future::ready(()) => {}
    }
    feed.ask();
    release.send(()).unwrap();
    assert!(feed.answer().await.unwrap().tree.is_ok());
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_the_next_question_is_asked() {
    let server = FakeServer::new(|_| (403, r#"{"title":"Forbidden"}"#.into()));
    let mut feed = Feed::start(server.client()).unwrap();
    for _ in 0..2 {
        feed.ask();
        let failure = feed.answer().await.unwrap().tree.unwrap_err();
        assert!(failure.way_on().unwrap().contains("scope"), "{failure}");
    }
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn the_servers_clock_is_believed_where_it_is_another() {
    let dated = |date: &'static str| {
        let value = header::HeaderValue::from_static(date);
        dated_ms(&[(header::DATE, value)].into_iter().collect())
    };
    assert_eq!(
        dated("Thu, 01 Jan 2026 00:00:00 GMT"),
        Some(1_767_225_600_000)
    );
    assert_eq!(dated("yesterday"), None);
}
