//! `vyrox top`: the supervision tree on a screen, or once as text or JSON.
//!
//! What is shown is decided without a terminal, a clock or a socket: answers become a
//! `picture`, keys and pictures move a `view`, and `draw` paints that on any
//! surface. Only `live` and what it holds (terminal, feed) touch the world.

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use clap::Args;
use serde_json::value::RawValue;

mod feed;
mod live;
mod terminal;

mod picture;
mod rows;
mod state;
mod view;

mod columns;
mod detail;
mod draw;
mod head;
mod once;
mod text;
mod threads;
mod wrap;

use self::{
    feed::ACTORS,
    picture::Picture,
    rows::Sort,
    state::State,
    view::{Listing, View},
};
use super::{client::Client, failure::Failure, out::Out, settings::Settings};

/// Shortest time between two questions to the server, in seconds.
const INTERVAL_MIN_S: f64 = 0.2;
/// Longest such time, in seconds.
const INTERVAL_MAX_S: f64 = 3_600.0;

const EXAMPLES: &str = "\
Examples:
  vyrox top                                 the tree, live; `?` shows the keys
  vyrox top --sort queue                    the fullest queues first
  vyrox top --once                          one picture as text
  vyrox top --once --state suspended        which tenants are suspended?
  vyrox top --once --json                   the tree for programs

Without a terminal, or with --json, it prints one picture as with --once.";

/// Arguments of `top`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TopArgs {
    /// Print one picture and end
    #[arg(long)]
    pub once: bool,
    /// How often to ask the server, 0.2 to 3600
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = interval)]
    pub interval: Duration,
    /// Show only what is in this state
    #[arg(long, value_name = "STATE")]
    pub state: Option<State>,
    /// What comes first
    #[arg(long, value_name = "COLUMN", default_value = "tree")]
    pub sort: Sort,
    /// Show only what has this text in its id
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub filter: String,
}

/// Shows the tree until the user ends it, or once.
pub async fn run(args: TopArgs, settings: &Settings, out: &mut Out) -> Result<(), Failure> {
    let client = settings.client()?;
    if out.is_json() {
        return pass_on(&client, args.state, out).await;
    }
    let listing = Listing {
        sort: args.sort,
        filter: args.filter,
        state: args.state,
        only_trouble: false,
    };
    if args.once || !io::stdout().is_terminal() {
        let answer = feed::fetch(&client).await;
        let picture = Picture::new(answer.tree?, answer.at, None);
        let view = View::new(client.base(), listing, picture).matches_only();
        return once::print(&view, out);
    }
    let colors = !settings.no_color();
    live::show(client, listing, args.interval, colors).await
}

/// Prints the answer with the very bytes that the server sent.
async fn pass_on(client: &Client, state: Option<State>, out: &mut Out) -> Result<(), Failure> {
    let query: Vec<_> = state
        .iter()
        .map(|state| ("state", state.as_str()))
        .collect();
    let tree: Box<RawValue> = client.get(&ACTORS, &query).await?;
    Ok(out.json(&tree)?)
}

/// Reads a number of seconds within the limits.
fn interval(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_not_a_number| format!("{text} is no number of seconds"))?;
    if (INTERVAL_MIN_S..=INTERVAL_MAX_S).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(format!(
            "must be between {INTERVAL_MIN_S} and {INTERVAL_MAX_S} seconds"
        ))
    }
}

#[cfg(test)]
mod scenes;
#[cfg(test)]
mod tests;
