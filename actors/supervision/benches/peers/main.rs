//! What this layer costs, beside stock actix, `ractor` and `kameo` in the same run.
//!
//! In each round every contestant has its turn, and who goes first changes from round to round, so that
//! whatever else the machine does hits them alike; ratios are those of one round. Each peer is written
//! the way its users write it and runs on the runtime that it is made for. Figures are the median of the
//! rounds with the lowest and the highest. No figure fails the run.
//!
//! `--quick` measures so little that it only shows that everything works.
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock, starts stock actix's actors as their users do, and waits"
)]
#![expect(
    clippy::cast_precision_loss,
    reason = "figures for people have a few digits"
)]

mod contest;

mod asks;
mod casts;
mod falls;
mod flood;
mod memory;
mod overtaking;
mod snapshots;

mod kameos;
mod messages;
mod ours;
mod ractors;
mod runtimes;
mod stock;

use contest::line;
use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

/// What can go wrong in a benchmark ends it, with this as its last words.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// How much is measured.
struct Plan {
    /// Rounds that count; one more goes before them to warm up.
    rounds: usize,
    asks: u32,
    casts: u32,
    falls: u32,
    /// Actors whose memory is measured and whose tree is drawn.
    actors: u32,
    /// Messages in the queue that others overtake.
    backlog: u32,
    /// How long a neighbour's pings are timed.
    window: Duration,
}

impl Plan {
    const FULL: Self = Self {
        rounds: 7,
        asks: 50_000,
        casts: 300_000,
        falls: 2_000,
        actors: 10_000,
        backlog: 100_000,
        window: Duration::from_millis(1500),
    };
    const QUICK: Self = Self {
        rounds: 1,
        asks: 500,
        casts: 3_000,
        falls: 20,
        actors: 200,
        backlog: 1_000,
        window: Duration::from_millis(100),
    };
}

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            line(&format!("peers: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Outcome<()> {
    if let [kind, count] = after(arguments, memory::ARGUMENT) {
        line(&memory::measure(kind, count.parse()?)?.to_string());
        return Ok(());
    }
    if !arguments.iter().any(|argument| argument == "--bench") {
        line("peers: measures only under `cargo bench`, where code is optimised");
        return Ok(());
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let plan = if quick { Plan::QUICK } else { Plan::FULL };
    let wanted = arguments.iter().find(|argument| !argument.starts_with('-'));
    falls::silence_panics();
    contest::head();
    for (name, section) in SECTIONS {
        if wanted.is_none_or(|wanted| wanted == name) {
            section(&plan)?;
        }
    }
    Ok(())
}

type Section = fn(&Plan) -> Outcome<()>;

/// By name: a name as argument measures that section alone.
const SECTIONS: [(&str, Section); 9] = [
    ("asks", asks::on_one_thread),
    ("asks-among-tasks", asks::among_tasks),
    ("asks-across", asks::across_threads),
    ("casts", casts::run),
    ("falls", falls::run),
    ("memory", memory::run),
    ("flood", flood::run),
    ("overtaking", overtaking::run),
    ("snapshots", snapshots::run),
];

/// The arguments that follow `name`; none without it.
fn after<'a>(arguments: &'a [String], name: &str) -> &'a [String] {
    let at = arguments.iter().position(|argument| argument == name);
    at.and_then(|at| arguments.get(at + 1..))
        .unwrap_or_default()
}
