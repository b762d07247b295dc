//! `vyrox serve`: the server, and with `--demo` something to look at in it.

use std::{net::SocketAddr, path::PathBuf, thread};

use clap::Args;

use super::{
    client::Client,
    failure::{Exit, Failure},
    out::Out,
    play::{self, Afterwards, Stage},
    settings::{ADMIN_TOKEN_FILE, Settings, read_token, url_of},
    wait_for,
};
use crate::{
    app::{self, EndedAtOnce, RunOptions},
    config::{Config, Warning},
    mock_edr::MockEdr,
};

const EXAMPLES: &str = "\
Examples:
  vyrox serve                                            on 127.0.0.1:8001, data in ./vyrox-data
  vyrox serve --listen 127.0.0.1:0 --data-dir /tmp/v     on any free port
  vyrox --config /etc/vyrox/vyrox.toml serve
  vyrox serve --demo                                     with a tenant and a few attacks to look at

Standard output says `listening on http://ADDR` once connections are taken; logs go to standard
error. SIGTERM ends it in order, SIGHUP reloads the rules.";

/// Arguments of `serve`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ServeArgs {
    /// Where to listen; port 0 takes any free one
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Create tenant `demo`, play attacks into it, show what happened, and keep serving
    #[arg(long)]
    pub demo: bool,
}

/// Serves until it is told to end.
pub fn run(args: &ServeArgs, settings: &Settings) -> Result<(), Failure> {
    let listen = args
        .listen
        .map(|address| ("server.listen", address.to_string()));
    let overrides: Vec<_> = listen.into_iter().collect();
    let (config, warnings) = settings.config(&overrides)?;
    warn(&warnings);
    let tls = config.server.tls();
    let data_dir = config.storage.data_dir.clone();
    let (demo, json, no_color) = (args.demo, settings.json(), settings.no_color());
    let on_listening = move |address: SocketAddr| {
        say_listening(address, tls);
        if demo {
            let mut out = Out::stdout(json, no_color);
            let base = url_of(address, tls);
            play_beside(move || play_once(&base, (data_dir, true), None, &mut out));
        }
    };
    serve(config, Box::new(on_listening))
}

/// Runs the server of `config` and calls `on_listening` once it takes connections.
pub(super) fn serve(
    config: Config,
    on_listening: Box<dyn FnOnce(SocketAddr) + Send>,
) -> Result<(), Failure> {
    let options = RunOptions {
        on_listening: Some(on_listening),
    };
    app::run(config, options).map_err(|error| match error.downcast_ref::<EndedAtOnce>() {
        Some(EndedAtOnce { code: 130 }) => Failure::said(Exit::Interrupted),
        Some(EndedAtOnce { .. }) => Failure::said(Exit::Terminated),
        None => did_not_serve(&format!("{error:#}")),
    })
}

/// Faults may be listed on lines of their own below the first.
fn did_not_serve(error: &str) -> Failure {
    let mut lines = error.lines().map(str::trim);
    Failure::not_so(lines.next().unwrap_or("the server did not start")).details(lines)
}

/// Plays the demonstration against the server at `base`, with the token that it has written, and
/// with the stand-ins of the EDRs that it may speak to.
pub(super) fn play_once(
    base: &str,
    (data_dir, stays): (PathBuf, bool),
    edr: Option<&MockEdr>,
    out: &mut Out,
) -> Result<(), Failure> {
    let client = Client::new(base, read_token(&data_dir.join(ADMIN_TOKEN_FILE))?)?;
    let after = if stays {
        Afterwards::Serving(data_dir)
    } else {
        Afterwards::Gone
    };
    wait_for(play::play(&client, &Stage { after, edr }, out))
}

/// Plays on a thread of its own, for the server needs this one. A failure is reported and harms the
/// server as little as any other client's would.
fn play_beside(play: impl FnOnce() -> Result<(), Failure> + Send + 'static) {
    let report = move || {
        if let Err(failure) = play() {
            failure.report();
        }
    };
    if let Err(error) = thread::Builder::new().name("demo".into()).spawn(report) {
        Failure::unreachable(format!("cannot start the demonstration: {error}")).report();
    }
}

/// The one line on standard output that scripts wait for. Nobody may be reading it.
pub(super) fn say_listening(address: SocketAddr, tls: bool) {
    let scheme = if tls { "https" } else { "http" };
    Out::stdout(false, true)
        .line(format!("listening on {scheme}://{address}"))
        .ok();
}

/// Warnings about the settings, on standard error like the log.
pub(super) fn warn(warnings: &[Warning]) {
    let mut out = Out::to(Box::new(std::io::stderr()), false);
    for warning in warnings {
        out.line(format!("warning: {warning}")).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_of_a_start_has_its_line() {
        let failure = did_not_serve("the vault is not fit:\n  row 1\n  row 2");
        let expected = "error: the vault is not fit:\n       row 1\n       row 2\n";
        assert_eq!(failure.to_string(), expected);
    }
}
