//! Ending one process on a host. Its id may have gone to another process since, so nothing is ended before
//! the host itself has said that the id still belongs to the image that was reported.

use tokio::time::Instant;
use vyrox_actors::edr::{EdrError, EffectSeen, Guard, Reading, Sent};
use vyrox_domain::action::ActionManifest;

use super::{
    Falcon,
    process_list::{Seen, file_name, look_for},
    session::Session,
};
use crate::connectors::edr::{never, not_now, reference};

/// Which process.
pub(super) struct Target<'a> {
    device: &'a str,
    pid: u32,
    /// The name of its file, in lower case.
    file: String,
}

impl<'a> Target<'a> {
    pub(super) fn of(manifest: &'a ActionManifest, device: &'a str) -> Result<Self, EdrError> {
        if manifest.release.is_some() {
            return Err(never("a process that was ended cannot be brought back"));
        }
        let parameter = |name| manifest.parameters.get(name).map(String::as_str);
        let pid = parameter("pid").and_then(|pid| pid.parse().ok());
        match (pid, parameter("image").and_then(file_name)) {
            (Some(pid), Some(file)) => Ok(Self { device, pid, file }),
            _ => Err(never("the action names no process")),
        }
    }
}

/// Whether the process is gone.
pub(super) async fn read(
    falcon: &Falcon,
    target: &Target<'_>,
    until: Instant,
) -> Result<Reading, EdrError> {
    let session = Session::open(falcon, target.device, until).await?;
    let seen = seen(&session, target).await;
    session.close(until).await;
    let (effect, observed) = match seen? {
        Seen::Running | Seen::Vital => (EffectSeen::NotInEffect, "running"),
        Seen::Gone => (EffectSeen::InEffect, "gone"),
        // A process can call itself something else, so this is no proof that the one that was meant ended.
        Seen::Reused => (EffectSeen::NoSuchTarget, "pid_reused"),
    };
    Ok(Reading {
        effect,
        observed: observed.to_owned(),
        reference: None,
        device: None,
    })
}

/// Ends it, if it is still the one.
pub(super) async fn send(
    falcon: &Falcon,
    target: &Target<'_>,
    guard: &Guard,
    until: Instant,
) -> Result<Sent, EdrError> {
    let session = Session::open(falcon, target.device, until).await?;
    let sent = end(&session, target, guard).await;
    session.close(until).await;
    sent
}

async fn end(session: &Session<'_>, target: &Target<'_>, guard: &Guard) -> Result<Sent, EdrError> {
    match seen(session, target).await? {
        Seen::Running => {}
        // Whoever reads the state again learns that there is nothing left to do.
        Seen::Gone => return Err(not_now("the process is no longer there")),
        Seen::Reused => return Err(refused("the process id has another image now")),
        Seen::Vital => return Err(refused("the host needs the process to run")),
    }
    let running = session
        .act("kill", &format!("kill {}", target.pid), guard)
        .await?;
    let output = session
        .output(&running)
        .await
        .map_err(|error| in_doubt(&error))?;
    if !output.stderr.trim().is_empty() {
        return Err(refused("the host did not end the process"));
    }
    Ok(Sent {
        status: 201,
        reference: reference(&running.id),
    })
}

async fn seen(session: &Session<'_>, target: &Target<'_>) -> Result<Seen, EdrError> {
    let output = session.look("ps").await?;
    look_for(&output.stdout, target.pid, &target.file)
        .ok_or_else(|| not_now("the host's list of processes cannot be read"))
}

/// What the host says stands against it; Falcon itself had no objection.
fn refused(why: &str) -> EdrError {
    EdrError::Refused {
        status: 200,
        why: why.to_owned(),
    }
}

/// The command is with the host; that its end cannot be heard does not take it back.
fn in_doubt(error: &EdrError) -> EdrError {
    let status = match error {
        EdrError::Busy { status, .. }
        | EdrError::Refused { status, .. }
        | EdrError::NotAuthorised { status } => Some(*status),
        EdrError::Ambiguous { status, .. } => *status,
        EdrError::Unsent { .. } => None,
    };
    EdrError::Ambiguous {
        status,
        why: "the host has the command and did not say what became of it".to_owned(),
    }
}
