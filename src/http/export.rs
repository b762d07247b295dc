//! A chain as a download: streamed, in the exact bytes of its lines (`json`, `jsonl`) or as a table
//! (`csv`).

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, http::header, web::Bytes};
use serde::Deserialize;
use tokio::sync::mpsc;
use vyrox_actors::journal::JournalError;

use super::{
    Shared,
    audit::{admitted, journal_problem},
    problem::{Answer, Code, Problem},
};

/// Bytes that are sent at a time, about.
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks that wait for a slow reader.
const CHUNKS: usize = 8;

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
    let journal = Arc::clone(&edge.world.journal);
    let name = chain.clone();
    let head = journal.head(&chain).map(|head| head.seq);
    let to = to_seq.into_iter().chain(head).min();
    let (send, receive) = mpsc::channel(CHUNKS);
    // Opened before the answer begins, so that what fails at once is an error and no cut download.
    let (opened, open) = tokio::sync::oneshot::channel();
    tokio::task::spawn_blocking(move || {
        let lines = match (head, to) {
            (Some(head), Some(to)) if from <= head => journal.read(&name, from, Some(to)),
            _ => Ok(Box::new(std::iter::empty()) as _),
        };
        match lines {
            Ok(lines) => {
                opened.send(Ok(())).ok();
                pour(lines, format, &send);
            }
            Err(error) => drop(opened.send(Err(error))),
        }
    });
    let begun = open.await.map_err(|_fell| Problem::new(Code::Internal))?;
    begun.map_err(|error: JournalError| journal_problem(&error))?;
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
        .streaming(stream(receive)))
}

type Chunk = Result<Bytes, Cut>;

/// The download broke off; the connection is closed without its proper end, so that no reader takes
/// a part for the whole.
#[derive(Debug, thiserror::Error)]
#[error("the chain could not be read to its end")]
struct Cut;

fn stream(receive: mpsc::Receiver<Chunk>) -> impl futures_util::Stream<Item = Result<Bytes, Cut>> {
    futures_util::stream::unfold(receive, |mut receive| async move {
        receive.recv().await.map(|chunk| (chunk, receive))
    })
}

fn pour(lines: vyrox_actors::journal::Lines, format: Format, send: &mpsc::Sender<Chunk>) {
    let mut chunk = format.opening();
    let mut first = true;
    for line in lines {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                tracing::error!(%error, "an export broke off");
                drop(send.blocking_send(Err(Cut)));
                return;
            }
        };
        format.entry(&mut chunk, &line.bytes, first);
        first = false;
        if chunk.len() >= CHUNK_BYTES {
            let full = Bytes::from(std::mem::take(&mut chunk));
            if send.blocking_send(Ok(full)).is_err() {
                return;
            }
        }
    }
    chunk.extend_from_slice(format.closing());
    drop(send.blocking_send(Ok(chunk.into())));
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
/// an apostrophe.
fn row(chunk: &mut Vec<u8>, line: &[u8]) {
    let entry: serde_json::Map<_, _> = serde_json::from_slice(line).unwrap_or_default();
    for (index, column) in COLUMNS.iter().enumerate() {
        if index > 0 {
            chunk.push(b',');
        }
        let cell = match entry.get(*column) {
            None | Some(serde_json::Value::Null) => continue,
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
        chunk.push(b'"');
        if formula {
            chunk.push(b'\'');
        }
        chunk.extend_from_slice(cell.replace('"', "\"\"").as_bytes());
        chunk.push(b'"');
    }
    chunk.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
