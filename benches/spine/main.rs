//! The spine under load: what a durable 202 costs, beside what this machine gives at best.
//!
//! One run compares three servers that answer the very same requests: Vyrox as it is released, a
//! bare echo on the same web framework, and that echo with one `fdatasync` a request. Each is a
//! process of its own; the load comes from this one. All take their turns within each round, so
//! that whatever else the machine does hits them alike, and ratios are those of one round.
//!
//! `docs/benchmarks.md` says what each figure means. No figure fails the run.
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock, and waits for a server to come to rest"
)]
#![expect(
    clippy::cast_precision_loss,
    reason = "figures for people have a few digits"
)]

mod rounds;

mod alerts;
mod load;

mod baseline;
mod child;
mod floor;
mod vyrox;

mod report;

use std::{env, process::ExitCode};

use anyhow::Context as _;

use self::{baseline::Baseline, rounds::Plan};

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::line(&format!("spine: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> anyhow::Result<()> {
    if let Some(name) = value_of(arguments, baseline::ARGUMENT) {
        let file = value_of(arguments, baseline::FILE_ARGUMENT);
        return Baseline::parse(name, file)?.serve();
    }
    if !arguments.iter().any(|argument| argument == "--bench") {
        report::line("spine: measures only under `cargo bench`, where code is optimised");
        return Ok(());
    }
    let number = |name, default| match value_of(arguments, name) {
        Some(text) => text.parse().with_context(|| format!("{name} {text}")),
        None => Ok(default),
    };
    let plan = Plan {
        rounds: number("--rounds", 5)?,
        alerts: number("--alerts", 20_000)?,
    };
    report::print(&plan, &plan.run()?);
    Ok(())
}

/// The argument that follows `name`.
fn value_of<'a>(arguments: &'a [String], name: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at.checked_add(1)?).map(String::as_str)
}
