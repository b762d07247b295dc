//! `vyrox demo`: everything once, from nothing, leaving nothing. What is approved is done, at stand-ins
//! of the EDRs in this process.

use std::{
    fs::{self, DirBuilder},
    io,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread,
};

use clap::Args;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use uuid::Uuid;

use super::{
    failure::Failure,
    out::Out,
    serve::{play_once, say_listening, serve, warn},
    settings::{Settings, url_of},
};
use crate::mock_edr::{MockEdr, MockSettings};

const EXAMPLES: &str = "\
Examples:
  vyrox demo             play, show, end
  vyrox demo --keep      play, show, and go on serving until Ctrl-C
  vyrox demo --json      what happened, as one JSON object

What a person approves in it is carried out: at stand-ins of the EDRs that listen on this machine and
end with it. No real EDR is spoken to.";

/// Arguments of `demo`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DemoArgs {
    /// Go on serving after the play, until interrupted
    #[arg(long)]
    pub keep: bool,
    /// Where to listen; any free port of this machine if left out
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
}

/// Serves from a new directory, plays into it, and ends as well as the play did.
pub fn run(args: &DemoArgs, settings: &Settings) -> Result<(), Failure> {
    let dir = ThrowAway::new(&std::env::temp_dir())
        .map_err(|error| Failure::unreachable(format!("cannot make a directory: {error}")))?;
    let edr = MockEdr::start(MockSettings::default())
        .map_err(|error| Failure::unreachable(format!("cannot start the stand-ins: {error}")))?;
    let edr = Arc::new(edr);
    // The only credentials that this server gets are those of the stand-ins, so it may be live.
    let overrides = [
        ("server.listen", args.listen.to_string()),
        ("storage.data_dir", dir.path.display().to_string()),
        ("log.level", "warn".to_owned()),
        ("actions.dry_run", "false".to_owned()),
        ("edr.allow_private", "true".to_owned()),
    ];
    let (config, warnings) = settings.config(&overrides)?;
    warn(&warnings);
    let tls = config.server.tls();
    let (data_dir, keep) = (dir.path.clone(), args.keep);
    let (json, no_color) = (settings.json(), settings.no_color());
    let (verdict, ended) = mpsc::channel();
    let players = Arc::clone(&edr);
    let on_listening = move |address| {
        if !json {
            say_listening(address, tls);
        }
        let play = move || {
            let mut out = Out::stdout(json, no_color);
            let base = url_of(address, tls);
            let played = play_once(&base, (data_dir, keep), Some(&players), &mut out);
            // The receiver outlives the server, and the server outlives this.
            verdict.send(played).ok();
            if !keep && let Err(failure) = end_server() {
                failure.report();
            }
        };
        if let Err(error) = thread::Builder::new().name("demo".into()).spawn(play) {
            Failure::unreachable(format!("cannot start the demonstration: {error}")).report();
        }
    };
    serve(config, Box::new(on_listening))?;
    drop(edr);
    ended
        .try_recv()
        .unwrap_or_else(|_| Err(Failure::not_so("interrupted before the end")))
}

/// Ends the server of this process the way an operator would.
fn end_server() -> Result<(), Failure> {
    kill(Pid::this(), Signal::SIGTERM)
        .map_err(|error| Failure::unreachable(format!("cannot end the server: {error}")))
}

/// A directory that is gone when this value is.
struct ThrowAway {
    path: PathBuf,
}

impl ThrowAway {
    /// A new directory below `parent` that only this user can enter.
    fn new(parent: &Path) -> io::Result<Self> {
        let path = parent.join(format!("vyrox-demo-{}", Uuid::new_v4()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path })
    }
}

impl Drop for ThrowAway {
    fn drop(&mut self) {
        // What cannot be removed lies in the temporary directory, where it is nobody's loss.
        fs::remove_dir_all(&self.path).ok();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_directory_is_private_new_and_gone_afterwards() {
        let parent = tempfile::tempdir().unwrap();
        let dir = ThrowAway::new(parent.path()).unwrap();
        let path = dir.path.clone();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o700
        );
        fs::write(path.join("x"), "x").unwrap();
        drop(dir);
        assert!(!path.exists());
    }
}
