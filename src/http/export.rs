//! A chain as a download: streamed, in the exact bytes of its lines (`json`, `jsonl`) or as a table
//! (`csv`).

use std::{borrow::Cow, collections::BTreeMap, sync::Arc, time::Duration};

use actix_web::{HttpRequest, HttpResponse, http::header, web::Bytes};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::{
    runtime::Handle,
    sync::mpsc::{self, error::SendTimeoutError},
    task::spawn_blocking,
};
use vyrox_actors::journal::{JournalError, Lines};

use super::{
    Shared,
    audit::{Place, admitted, journal_problem},
    problem::{Answer, Code, Problem},
};

/// Bytes that are sent at a time, about.
const CHUNK_BYTES: usize = 64 * 1024;
/// Room for the entry that fills a chunk; a longer one takes more.
const ROOM_BYTES: usize = 8 * 1024;
/// Chunks that wait for a slow reader.
const CHUNKS: usize = 2;
/// How long a thread waits for a reader; one who takes longer is waited for without it.
const BRIEFLY: Duration = Duration::from_millis(250);
/// How long a reader may take nothing at all before the download is broken off.
const PATIENCE: Duration = Duration::from_mins(1);
/// How many entries an export has, so that a reader can say how far it is.
const ENTRIES_HEADER: &str = "X-Vyrox-Entries";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Export {
    #[serde(rename = "tenant_id")]
    _tenant_id: String,
    from_seq: Option<u64>,
    to_seq: Option<u64>,
    #[serde(default)]
    format: Format,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Jsonl,
    Csv,
}

/// `GET /audit/export`
pub(super) async fn export(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    let (chain, query) = admitted(&request, &edge)?;
    let Export {
        from_seq,
        to_seq,
        format,
        ..
    } = query;
    let from = from_seq.unwrap_or(0);
    if to_seq.is_some_and(|to| to < from) {
        return Err(Problem::new(Code::InvalidQuery).detail("to_seq lies before from_seq"));
    }
    let place = edge.places.export(&chain).ok_or_else(|| {
        Problem::new(Code::RateLimited).detail("Too many exports of this chain are under way.")
    })?;
    let journal = Arc::clone(&edge.world.journal);
    let name = chain.clone();
    let head = journal.head(&chain).map(|head| head.seq);
    let range = to_seq.into_iter().chain(head).min();
    let range = range
        .zip(head)
        .and_then(|(to, head)| (from <= head).then_some((from, to)));
    // Opened before the answer begins, so that what fails at once is an error and no cut download.
    let lines = spawn_blocking(move || match range {
        Some((from, to)) => journal.read(&name, from, Some(to)),
        None => Ok(Box::new(std::iter::empty()) as Lines),
    });
    let lines = lines.await.map_err(|_fell| Problem::new(Code::Internal))?;
    let lines = lines.map_err(|error| journal_problem(&error))?;
    let entries = range.map_or(0, |(from, to)| to - from + 1);
    let (send, receive) = mpsc::channel(CHUNKS);
    actix_web::rt::spawn(pour(Pouring::new(lines, format, place), send, PATIENCE));
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, format.media_type()))
        .insert_header((
            header::CONTENT_DISPOSITION,
            format!(
                "attachment; filename=\"{chain}-audit.{}\"",
                format.extension()
            ),
        ))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((ENTRIES_HEADER, entries))
        .streaming(stream(receive)))
}

/// A chain on its way out, between two chunks.
struct Pouring {
    lines: Lines,
    format: Format,
    /// Nothing was read yet.
    first: bool,
    /// Given back when this is dropped, be it on the thread that reads.
    _place: Place,
}

impl Pouring {
    fn new(lines: Lines, format: Format, place: Place) -> Self {
        Self {
            lines,
            format,
            first: true,
            _place: place,
        }
    }

    /// Reads chunks for as long as the reader takes them in good time.
    fn run(mut self, send: &mpsc::Sender<Piece>, runtime: &Handle) -> Result<Pause, JournalError> {
        loop {
            let (chunk, over) = self.next_chunk()?;
            let taken = send.send_timeout(Piece::Chunk(chunk), BRIEFLY);
            match runtime.block_on(taken) {
                Ok(()) if over => return Ok(Pause::Over),
                Ok(()) => {}
                Err(SendTimeoutError::Closed(_)) => return Ok(Pause::Left),
                Err(SendTimeoutError::Timeout(piece)) => {
                    return Ok(Pause::Full(piece, (!over).then_some(self)));
                }
            }
        }
    }

    /// The next chunk, and whether it is the last one.
    fn next_chunk(&mut self) -> Result<(Bytes, bool), JournalError> {
        let mut chunk = self.format.opening();
        if !self.first {
            chunk.clear();
        }
        chunk.reserve(CHUNK_BYTES + ROOM_BYTES);
        for line in self.lines.by_ref() {
            self.format.entry(&mut chunk, &line?.bytes, self.first);
            self.first = false;
            if chunk.len() >= CHUNK_BYTES {
                return Ok((chunk.into(), false));
            }
        }
        chunk.extend_from_slice(self.format.closing());
        Ok((chunk.into(), true))
    }
}

/// Why a thread reads on no more.
enum Pause {
    /// All is sent.
    Over,
    /// Nobody takes it any more.
    Left,
    /// The reader takes his time: this is to be sent next, and then what is left, if anything is.
    Full(Piece, Option<Pouring>),
}

/// A piece of the download, or its proper end.
enum Piece {
    Chunk(Bytes),
    End,
}

/// The download broke off; the connection is closed without its proper end, so that no reader takes
/// a part for the whole.
#[derive(Debug, thiserror::Error)]
#[error("the chain could not be read to its end")]
struct Cut;

/// Reads a little ahead of the reader. A thread is taken only while chunks go out, and a reader who
/// goes away, or takes nothing for too long, holds neither the chain's file nor its place any more.
async fn pour(pouring: Pouring, send: mpsc::Sender<Piece>, patience: Duration) {
    let mut next = Some(pouring);
    while let Some(pouring) = next {
        match run(pouring, send.clone()).await {
            Some(Pause::Over) => break,
            Some(Pause::Full(piece, more)) => {
                if send.send_timeout(piece, patience).await.is_err() {
                    tracing::warn!("an export was broken off: its reader took nothing any more");
                    return;
                }
                next = more;
            }
            Some(Pause::Left) | None => return,
        }
    }
    // Whoever went away needs no end.
    send.send_timeout(Piece::End, patience).await.ok();
}

/// Sends chunks until a pause; `None` if the chain cannot be read on.
async fn run(pouring: Pouring, send: mpsc::Sender<Piece>) -> Option<Pause> {
    let runtime = Handle::current();
    let error = match spawn_blocking(move || pouring.run(&send, &runtime)).await {
        Ok(Ok(pause)) => return Some(pause),
        Ok(Err(error)) => error.to_string(),
        Err(fell) => fell.to_string(),
    };
    tracing::error!(error, "an export broke off");
    None
}

/// The pieces as they are taken. One who pours and stops without saying that this was the end has
/// broken off.
fn stream(receive: mpsc::Receiver<Piece>) -> impl futures_util::Stream<Item = Result<Bytes, Cut>> {
    futures_util::stream::unfold(Some(receive), |receive| async move {
        let mut receive = receive?;
        match receive.recv().await {
            Some(Piece::Chunk(chunk)) => Some((Ok(chunk), Some(receive))),
            Some(Piece::End) => None,
            None => Some((Err(Cut), None)),
        }
    })
}

const COLUMNS: [&str; 15] = [
    "seq",
    "timestamp",
    "timestamp_ms",
    "tenant_id",
    "event",
    "event_version",
    "actor",
    "alert_id",
    "action_type",
    "host",
    "approved_by",
    "dry_run",
    "payload",
    "previous_hash",
    "hash",
];

impl Format {
    const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Jsonl => "application/jsonl",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }

    const fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
        }
    }

    fn opening(self) -> Vec<u8> {
        match self {
            Self::Json => b"[".to_vec(),
            Self::Jsonl => Vec::new(),
            Self::Csv => format!("{}\r\n", COLUMNS.join(",")).into_bytes(),
        }
    }

    const fn closing(self) -> &'static [u8] {
        match self {
            Self::Json => b"]\n",
            Self::Jsonl | Self::Csv => b"",
        }
    }

    fn entry(self, chunk: &mut Vec<u8>, line: &[u8], first: bool) {
        match self {
            Self::Json => {
                chunk.extend_from_slice(if first { b"\n" } else { b",\n" });
                chunk.extend_from_slice(line);
            }
            Self::Jsonl => {
                chunk.extend_from_slice(line);
                chunk.push(b'\n');
            }
            Self::Csv => row(chunk, line),
        }
    }
}

/// One entry as a row by RFC 4180. A cell that a spreadsheet would take for a formula is preceded by
/// an apostrophe. What is no text stands there as it does in the line.
fn row(chunk: &mut Vec<u8>, line: &[u8]) {
    let line = std::str::from_utf8(line).unwrap_or_default();
    // No name of a member has anything in it that would have to be escaped.
    let entry: BTreeMap<&str, &RawValue> = serde_json::from_str(line).unwrap_or_default();
    for (index, column) in COLUMNS.iter().enumerate() {
        if index > 0 {
            chunk.push(b',');
        }
        match entry.get(column).map(|value| value.get()) {
            None | Some("null") => {}
            Some(value) => cell(chunk, &text_of(value)),
        }
    }
    chunk.extend_from_slice(b"\r\n");
}

/// What a JSON text says, or the JSON of anything else.
fn text_of(value: &str) -> Cow<'_, str> {
    let quoted = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    match quoted {
        None => Cow::Borrowed(value),
        Some(plain) if !plain.contains('\\') => Cow::Borrowed(plain),
        Some(_) => Cow::Owned(serde_json::from_str(value).unwrap_or_default()),
    }
}

fn cell(chunk: &mut Vec<u8>, text: &str) {
    chunk.push(b'"');
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        chunk.push(b'\'');
    }
    for (index, part) in text.split('"').enumerate() {
        if index > 0 {
            chunk.extend_from_slice(b"\"\"");
        }
        chunk.extend_from_slice(part.as_bytes());
    }
    chunk.push(b'"');
}

#[cfg(test)]
mod tests;
