//! The journal at the disk's limit: appends beside a raw group commit, their CPU beside the hashing
//! that they need, the same with few chains and with many, a start with a long tail, verification.
//!
//! Every figure has its baseline in the same round, so that whatever else the machine does hits both
//! alike. `docs/benchmarks.md` says what each figure means. No figure fails the run.
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock, and waits for a journal to come to rest"
)]
#![expect(
    clippy::cast_precision_loss,
    reason = "figures for people have a few digits"
)]

mod append;
mod chains;
mod start;
mod verifying;

mod appenders;
mod entries;
mod ground;
mod raw;

mod cpu;
mod report;

use std::{env, error::Error, process::ExitCode};

use mimalloc::MiMalloc;

/// The server's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// What a measurement ends with.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Rounds that count; one more goes before them to warm up.
    pub(crate) rounds: usize,
    /// Entries of one window.
    pub(crate) entries: usize,
    /// Bytes of a log's tail and of a chain's file.
    pub(crate) tail_bytes: u64,
}

impl Plan {
    const WHOLE: Self = Self {
        rounds: 5,
        entries: 30_000,
        tail_bytes: 64 << 20,
    };
    /// So little that it only shows that everything works.
    const QUICK: Self = Self {
        rounds: 1,
        entries: 3_000,
        tail_bytes: 8 << 20,
    };
}

/// A part by its name.
type Part = (&'static str, fn(&Plan) -> Outcome<()>);

const PARTS: [Part; 4] = [
    ("append", append::measure),
    ("chains", chains::measure),
    ("start", start::measure),
    ("verify", verifying::measure),
];

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::line(&format!("limits: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Outcome<()> {
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    if !has("--bench") {
        report::line("limits: measures only under `cargo bench`, where code is optimised");
        return Ok(());
    }
    let plan = if has("--quick") {
        Plan::QUICK
    } else {
        Plan::WHOLE
    };
    let named = PARTS.iter().any(|(name, _)| has(name));
    for (name, measure) in PARTS {
        if has(name) || !named {
            measure(&plan)?;
        }
    }
    Ok(())
}
