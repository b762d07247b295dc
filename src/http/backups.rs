//! `POST /api/v1/backups`: a copy of everything that lasts, while everything goes on.
//!
//! It goes below `storage.backup_dir` and nowhere else, under a name that the server chooses: whoever
//! holds a token must not be able to say where a server writes. The answer is a stream of lines, each a
//! JSON object; a client that goes away ends the backup, of which nothing is left then.

use std::{convert::Infallible, future::ready, ops::ControlFlow, path::PathBuf, sync::Arc};

use actix_web::{HttpRequest, HttpResponse, http::header, web::Bytes};
use futures_util::{Stream, StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
    task::spawn_blocking,
};
use vyrox_actors::journal::backup::{BackupError, Progress};

use super::{
    Shared,
    admin::caller,
    problem::{Answer, Code, Problem},
    tokens::Scope,
};
use crate::app::stores::{Stores, backup_name, summary};

/// Lines that wait for a slow reader; progress that finds no room is left out.
const LINES: usize = 16;

/// `POST /api/v1/backups`
pub(super) async fn take(request: HttpRequest, edge: Shared) -> Answer<HttpResponse> {
    let caller = caller(&request, &edge, Scope::BackupTake)?;
    let Some(directory) = &edge.config.storage.backup_dir else {
        return Err(Code::BackupNotProvisioned.into());
    };
    let permit = Arc::clone(&edge.backups)
        .try_acquire_owned()
        .map_err(|_taken| Problem::new(Code::BackupRunning))?;
    let now = edge.world.now();
    let name = backup_name(now);
    let into = directory.join(&name);
    tracing::info!(actor = caller.actor, name, "a backup begins");
    let stores = edge.stores.clone();
    let lines = told(permit, move |send| {
        Taking { stores, name, into }.take(now, send)
    });
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/x-ndjson"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(lines.map(Ok::<_, Infallible>)))
}

/// Does the work on a thread of its own and gives the place for the next one back right after it, whether
/// or not anybody reads. The lines that it sends, and its answer as the last one.
fn told(
    permit: OwnedSemaphorePermit,
    work: impl FnOnce(&mpsc::Sender<Bytes>) -> Value + Send + 'static,
) -> impl Stream<Item = Bytes> {
    let (send, receive) = mpsc::channel(LINES);
    // It has a way of its own, on which it never waits for room.
    let (tell, last) = oneshot::channel();
    spawn_blocking(move || {
        let _one = permit;
        // Whoever asked may have gone; the log has it as well.
        tell.send(line(&work(&send))).ok();
    });
    let lines = stream::unfold(receive, |mut receive| async move {
        Some((receive.recv().await?, receive))
    });
    lines.chain(stream::once(last).filter_map(|last| ready(last.ok())))
}

/// A backup that is being taken.
struct Taking {
    stores: Stores,
    name: String,
    into: PathBuf,
}

impl Taking {
    /// The last line of the answer.
    fn take(&self, now: vyrox_domain::time::Timestamp, send: &mpsc::Sender<Bytes>) -> Value {
        let report = |progress: Progress| {
            if send.is_closed() {
                return ControlFlow::Break(());
            }
            send.try_send(line(&shown(progress))).ok();
            ControlFlow::Continue(())
        };
        let name = &self.name;
        match self.stores.back_up(&self.into, now, &report) {
            Ok(manifest) => {
                tracing::info!(name, bytes = manifest.bytes(), "backup taken");
                json!({ "done": summary(name, &manifest) })
            }
            Err(error) => {
                tracing::error!(name, %error, "the backup came to nothing");
                json!({ "failed": { "detail": detail(&error) } })
            }
        }
    }
}

/// How far a backup is, as programs read it.
fn shown(progress: Progress) -> Value {
    let Progress {
        chains_done,
        chains,
        bytes_done,
        bytes,
    } = progress;
    json!({ "progress": {
        "chains_done": chains_done, "chains": chains, "bytes_done": bytes_done, "bytes": bytes,
    }})
}

/// Why it came to nothing, without the server's own paths.
fn detail(error: &BackupError) -> String {
    match error {
        BackupError::Target { source, .. } => {
            format!("the directory for backups cannot be written: {source}")
        }
        BackupError::Exists(_) | BackupError::Strange(_) | BackupError::UnderWay(_) => {
            "a backup of that name is there already; ask again".to_owned()
        }
        BackupError::Stopped
        | BackupError::Journal(_)
        | BackupError::Vault(_)
        | BackupError::Heads(_)
        | BackupError::Beside { .. } => "the log says why".to_owned(),
    }
}

fn line(value: &Value) -> Bytes {
    Bytes::from(format!("{value}\n"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{sync::Semaphore, time::timeout};

    use super::*;

    const DEADLINE: Duration = Duration::from_mins(1);

    /// The last line waited for room, with the place for backups in its hand: a client that never read its
    /// answer kept everybody else from taking one.
    #[tokio::test]
    async fn whoever_does_not_read_keeps_nobody_from_the_next_backup() {
        let place = Arc::new(Semaphore::new(1));
        let permit = Arc::clone(&place).try_acquire_owned().expect("the place");
        let lines = told(permit, |send| {
            while send.try_send(line(&json!({ "progress": {} }))).is_ok() {}
            json!({ "done": {} })
        });
        let next = timeout(DEADLINE, place.acquire()).await;
        drop(next.expect("in time").expect("the place"));
        let lines: Vec<Bytes> = timeout(DEADLINE, lines.collect()).await.expect("in time");
        assert_eq!(lines.len(), LINES + 1);
        assert_eq!(lines[LINES], "{\"done\":{}}\n");
    }
}
