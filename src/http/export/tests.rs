use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use futures_util::StreamExt as _;
use vyrox_actors::journal::Line;

use super::{super::audit::Places, *};

#[test]
fn a_cell_is_quoted_and_never_a_formula() {
    let mut out = Vec::new();
    row(
        &mut out,
        br#"{"seq":3,"host":"=cmd()","actor":"a\"b,c","payload":{"k":1}}"#,
    );
    let text = String::from_utf8(out).expect("text");
    assert_eq!(
        text,
        "\"3\",,,,,,\"a\"\"b,c\",,,\"'=cmd()\",,,\"{\"\"k\"\":1}\",,\r\n"
    );
}

#[test]
fn texts_are_unescaped_and_everything_else_is_as_it_stands_in_the_line() {
    let mut out = Vec::new();
    row(
        &mut out,
        br#"{"seq":9007199254740991,"host":"a\tb\u00e9\\","actor":"\u003d1","dry_run":true,"alert_id":null,"approved_by":"","payload":{"k":["\"",-1,null]}}"#,
    );
    let text = String::from_utf8(out).expect("text");
    assert_eq!(
        text,
        "\"9007199254740991\",,,,,,\"'=1\",,,\"a\tb\u{e9}\\\",\"\",\"true\",\"{\"\"k\"\":[\"\"\\\"\"\"\",-1,null]}\",,\r\n"
    );
}

/// Entries of a thousand bytes, counted as they are read; after the last one comes what `end` is.
fn lines(count: u64, read: &Arc<AtomicU64>, end: Option<JournalError>) -> Lines {
    let read = Arc::clone(read);
    let line = move |seq| {
        read.fetch_add(1, Ordering::Relaxed);
        Ok(Line {
            seq,
            hash: [0; 32],
            bytes: format!("{{\"text\":\"{}\"}}", "x".repeat(1000)).into_bytes(),
        })
    };
    Box::new((0..count).map(line).chain(end.map(Err)))
}

fn pouring(lines: Lines, places: &Places) -> Pouring {
    let place = places.export("acme").expect("a place");
    Pouring::new(lines, Format::Jsonl, place)
}

fn free(places: &Places) -> usize {
    let taken: Vec<_> = std::iter::from_fn(|| places.export("acme")).collect();
    taken.len()
}

#[actix_web::test]
async fn all_of_it_is_poured_and_ends_properly() {
    let (read, places) = (Arc::default(), Places::default());
    let (send, receive) = mpsc::channel(CHUNKS);
    let poured = actix_web::rt::spawn(pour(
        pouring(lines(500, &read, None), &places),
        send,
        PATIENCE,
    ));
    let pieces: Vec<_> = stream(receive).collect().await;
    poured.await.expect("it ended");
    assert!(pieces.len() > 5, "in chunks: {}", pieces.len());
    let bytes: Vec<u8> = pieces
        .into_iter()
        .flat_map(|piece| piece.expect("a chunk"))
        .collect();
    assert_eq!(bytes.split_inclusive(|byte| *byte == b'\n').count(), 500);
    assert_eq!(free(&places), 4);
}

#[actix_web::test]
async fn a_chain_that_cannot_be_read_on_is_cut_and_not_ended() {
    let (read, places) = (Arc::default(), Places::default());
    let (send, receive) = mpsc::channel(CHUNKS);
    let end = Some(JournalError::Io("a sector".into()));
    actix_web::rt::spawn(pour(
        pouring(lines(500, &read, end), &places),
        send,
        PATIENCE,
    ));
    let pieces: Vec<_> = stream(receive).collect().await;
    assert!(pieces.last().is_some_and(Result::is_err));
    assert_eq!(free(&places), 4);
}

/// A reader who takes nothing gets so much ahead and no more, and is given up after a while: then
/// neither file nor place is held, and what was read so far does not look like the whole.
#[actix_web::test]
async fn a_reader_who_takes_nothing_is_given_up() {
    let (read, places) = (Arc::default(), Places::default());
    let (send, receive) = mpsc::channel(CHUNKS);
    let poured = actix_web::rt::spawn(pour(
        pouring(lines(100_000, &read, None), &places),
        send,
        Duration::from_millis(50),
    ));
    poured.await.expect("it ended by itself");
    let most = (CHUNKS as u64 + 1) * (CHUNK_BYTES as u64 / 1000 + 1);
    assert!(read.load(Ordering::Relaxed) <= most, "read ahead: {read:?}");
    assert_eq!(free(&places), 4);
    let pieces: Vec<_> = stream(receive).collect().await;
    assert_eq!(pieces.len(), CHUNKS + 1);
    assert!(pieces.last().is_some_and(Result::is_err));
}

#[actix_web::test]
async fn a_reader_who_goes_away_holds_nothing() {
    let (read, places) = (Arc::default(), Places::default());
    let (send, receive) = mpsc::channel(CHUNKS);
    let poured = actix_web::rt::spawn(pour(
        pouring(lines(100_000, &read, None), &places),
        send,
        PATIENCE,
    ));
    let mut pieces = Box::pin(stream(receive));
    assert!(pieces.next().await.is_some());
    drop(pieces);
    poured.await.expect("it ended by itself");
    assert!(read.load(Ordering::Relaxed) < 1000);
    assert_eq!(free(&places), 4);
}
