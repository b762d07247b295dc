//! A session of Real Time Response: commands run on the host itself, one after the other. It is closed
//! whatever happens in it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, sleep};
use vyrox_actors::edr::{EdrError, Guard};

use super::{Falcon, OURSELVES};
use crate::connectors::edr::{Call, not_now};

/// How long Falcon may try to reach the host.
const REACH_S: &str = "10";
/// Between two questions whether a command is done.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// What is left of the time for closing the session.
const CLOSING: Duration = Duration::from_secs(2);
/// The longest output of a command, errors included; one that is longer is not read at all.
const OUTPUT_MAX_BYTES: usize = 4 << 20;
/// The most pieces that it may come in.
const CHUNKS_MAX: u32 = 64;

/// Commands that look.
const READ_ONLY: &str = "real-time-response/entities/command/v1";
/// Commands that do something.
const ACTIVE: &str = "real-time-response/entities/active-responder-command/v1";
const SESSIONS: &str = "real-time-response/entities/sessions/v1";

/// An open session.
pub(super) struct Session<'a> {
    falcon: &'a Falcon,
    device: &'a str,
    id: String,
    /// When what happens in it has to be over.
    until: Instant,
}

/// What a command wrote.
pub(super) struct Output {
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// A command that was taken.
pub(super) struct Running {
    /// What Falcon calls it.
    pub(super) id: String,
    path: &'static str,
}

#[derive(Deserialize)]
struct Opened {
    session_id: String,
    #[serde(default)]
    offline_queued: bool,
}

#[derive(Deserialize)]
struct Taken {
    cloud_request_id: String,
    #[serde(default)]
    queued_command_offline: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Chunk {
    complete: bool,
    stdout: Option<String>,
    stderr: Option<String>,
}

impl<'a> Session<'a> {
    /// Opens one. Nothing is ever queued for a host that is away: it would happen at a time that nobody
    /// approved.
    pub(super) async fn open(
        falcon: &'a Falcon,
        device: &'a str,
        until: Instant,
    ) -> Result<Self, EdrError> {
        let call = Call::post(SESSIONS).query("timeout", REACH_S).json(&json!({
            "device_id": device,
            "origin": OURSELVES,
            "queue_offline": false,
        }));
        let opened = falcon.ask::<Opened>(&call, until).await.map_err(away)?;
        let opened = opened.resources().next();
        let opened = opened.ok_or_else(|| not_now("the answer has no session in it"))?;
        let session = Self {
            falcon,
            device,
            id: opened.session_id,
            until: until.checked_sub(CLOSING).unwrap_or(until),
        };
        if opened.offline_queued {
            session.close(until).await;
            return Err(offline(200));
        }
        Ok(session)
    }

    /// Runs a command that changes nothing, to its end.
    pub(super) async fn look(&self, command: &str) -> Result<Output, EdrError> {
        let call = Call::post(READ_ONLY).json(&self.command(command, command));
        let running = self.taken(&call, READ_ONLY).await?;
        self.output(&running).await
    }

    /// Has a command taken that changes something; [`Session::output`] tells what became of it.
    pub(super) async fn act(
        &self,
        base: &str,
        command: &str,
        guard: &Guard,
    ) -> Result<Running, EdrError> {
        let call = Call::post(ACTIVE)
            .json(&self.command(base, command))
            .changing(guard);
        self.taken(&call, ACTIVE).await
    }

    /// Waits for the end of a command.
    pub(super) async fn output(&self, running: &Running) -> Result<Output, EdrError> {
        let mut output = Output {
            stdout: String::new(),
            stderr: String::new(),
        };
        let (mut sequence, mut pause) = (0_u32, PAUSE);
        loop {
            let call = Call::get(running.path)
                .query("cloud_request_id", running.id.as_str())
                .query("sequence_id", sequence.to_string());
            let chunk = self.falcon.ask::<Chunk>(&call, self.until).await?;
            let chunk = chunk.resources().next().unwrap_or_default();
            let more = output.takes(&chunk)?;
            if chunk.complete {
                return Ok(output);
            }
            if more {
                sequence = sequence.saturating_add(1);
                if sequence >= CHUNKS_MAX {
                    return Err(too_long());
                }
                pause = PAUSE;
                continue;
            }
            let left = self.until.saturating_duration_since(Instant::now());
            if left <= pause {
                return Err(not_now("the host did not finish a command in time"));
            }
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(PAUSE_MAX);
        }
    }

    /// Closes it. One that is left open ends by itself after ten minutes, so a failure is no harm.
    pub(super) async fn close(&self, until: Instant) {
        let call = Call::delete(SESSIONS).query("session_id", self.id.as_str());
        if let Err(error) = self.falcon.exchange(&call, until).await {
            tracing::debug!(%error, "a session on a host was not closed");
        }
    }

    fn command(&self, base: &str, command: &str) -> serde_json::Value {
        json!({
            "session_id": self.id,
            "device_id": self.device,
            "base_command": base,
            "command_string": command,
            "persist": false,
            "id": 0,
        })
    }

    async fn taken(&self, call: &Call, path: &'static str) -> Result<Running, EdrError> {
        let taken = self.falcon.ask::<Taken>(call, self.until).await?;
        match taken.resources().next() {
            Some(taken) if !taken.queued_command_offline => Ok(Running {
                id: taken.cloud_request_id,
                path,
            }),
            Some(_) => Err(call.lost("the command waits for the host to come back")),
            None => Err(call.lost("the answer has no command in it")),
        }
    }
}

impl Output {
    /// Whether there was something in it.
    ///
    /// # Errors
    /// All of it together is too long.
    fn takes(&mut self, chunk: &Chunk) -> Result<bool, EdrError> {
        let stdout = chunk.stdout.as_deref().unwrap_or_default();
        let stderr = chunk.stderr.as_deref().unwrap_or_default();
        let lengths = [self.stdout.as_str(), &self.stderr, stdout, stderr].map(str::len);
        let length = lengths.into_iter().fold(0, usize::saturating_add);
        if length > OUTPUT_MAX_BYTES {
            return Err(too_long());
        }
        self.stdout.push_str(stdout);
        self.stderr.push_str(stderr);
        Ok(!stdout.is_empty() || !stderr.is_empty())
    }
}

fn too_long() -> EdrError {
    not_now("the output of a command is too long")
}

/// Falcon refuses a session with a host that it cannot reach.
fn away(error: EdrError) -> EdrError {
    match error {
        EdrError::Refused { status, .. } if status != 403 => offline(status),
        other => other,
    }
}

fn offline(status: u16) -> EdrError {
    EdrError::Refused {
        status,
        why: "host offline".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Errors were once added up without an end, and the last piece was taken however long it was.
    #[test]
    fn what_a_host_writes_is_kept_up_to_a_limit_be_it_output_or_errors() {
        let piece = |bytes: usize, is_error: bool| {
            let text = Some("x".repeat(bytes));
            let (stdout, stderr) = if is_error { (None, text) } else { (text, None) };
            Chunk {
                complete: true,
                stdout,
                stderr,
            }
        };
        for is_error in [false, true] {
            let mut output = Output {
                stdout: String::new(),
                stderr: String::new(),
            };
            let half = OUTPUT_MAX_BYTES / 2;
            assert_eq!(output.takes(&piece(half, is_error)), Ok(true));
            assert_eq!(output.takes(&piece(half, !is_error)), Ok(true));
            assert_eq!(output.takes(&piece(0, is_error)), Ok(false));
            assert_eq!(output.takes(&piece(1, is_error)), Err(too_long()));
            assert_eq!(output.stdout.len() + output.stderr.len(), OUTPUT_MAX_BYTES);
        }
    }
}
