//! The server under load, beside what this machine gives at best: alerts, the same from few tenants
//! and from many, orders of trusted services, the audit log as a download.
//!
//! Vyrox as it is released and its baselines on the same web framework answer the very same
//! requests. Each is a process of its own; the load comes from this one. All take their turns
//! within each round, so that whatever else the machine does hits them alike, and ratios are those
//! of one round.
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

mod execute;
mod export;
mod rounds;
mod tenants;

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

/// What can be measured by itself.
const PARTS: [&str; 4] = ["alerts", "tenants", "execute", "export"];

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
    if !has(arguments, "--bench") {
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
    let entries = number("--entries", 100_000)?;
    let tenants = number("--tenants", 10_000)?;
    let named = PARTS.iter().any(|part| has(arguments, part));
    for part in PARTS {
        if named && !has(arguments, part) {
            continue;
        }
        match part {
            "alerts" => report::print(&plan, &plan.run()?),
            "tenants" => tenants::measure(&plan, tenants)?,
            "execute" => execute::measure(&plan)?,
            _ => export::measure(&plan, entries)?,
        }
    }
    Ok(())
}

fn has(arguments: &[String], name: &str) -> bool {
    arguments.iter().any(|argument| argument == name)
}

/// The argument that follows `name`.
fn value_of<'a>(arguments: &'a [String], name: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at.checked_add(1)?).map(String::as_str)
}
