//! A copy of a chain, checked with nothing but files and what was kept of earlier answers.

use std::{
    io,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use vyrox_actors::journal::{
    Checkpointed, Head, Known, Passed, VerifyReport, compare_files, verify_file_each,
};

use super::super::failure::Failure;

mod signed;

/// What is said of a file in which there is no entry: that nothing is wrong in it shows nothing.
pub(super) const EMPTY: &str = "empty";

/// After so many bytes the progress is shown anew.
const SHOWN_EVERY_BYTES: u64 = 1 << 20;

/// What to hold against a file, so that it shows more than that it agrees with itself.
#[derive(Args, Clone, Debug, Default)]
pub struct Beside {
    /// An entry known from an answer to an alert or from `audit head`; may be given many times
    #[arg(long = "receipt", value_name = "SEQ:HASH")]
    pub receipts: Vec<Receipt>,
    /// Another copy of the same chain, older or newer
    #[arg(long, value_name = "FILE")]
    pub mirror: Option<PathBuf>,
    /// A signed checkpoint of the tenant's
    #[arg(long, value_name = "FILE", requires = "vkeys")]
    pub checkpoint: Option<PathBuf>,
    /// What `audit prove` wrote: a checkpoint, and the proof that the host's log has it
    #[arg(
        long,
        value_name = "FILE",
        requires = "vkeys",
        conflicts_with = "checkpoint"
    )]
    pub bundle: Option<PathBuf>,
    /// A witness that must have seen the host's log of the bundle; several, and one is enough
    #[arg(long = "witness-vkey", value_name = "KEY", requires = "bundle")]
    pub witness_vkeys: Vec<String>,
    /// A key that the checkpoint must be signed with: name+id+key; several while keys change
    #[arg(long = "vkey", value_name = "KEY")]
    pub vkeys: Vec<String>,
}

/// A seq and the hash that its entry has for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt(Head);

impl FromStr for Receipt {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "a receipt is SEQ:HASH, such as 17:9f2c... with all 64 hex digits";
        let (seq, hex_digits) = text.split_once(':').ok_or(FORM)?;
        let mut hash = [0; 32];
        hex::decode_to_slice(hex_digits, &mut hash).map_err(|_not_hex| FORM)?;
        let seq = seq.parse().map_err(|_no_number| FORM)?;
        Ok(Self(Head { seq, hash }))
    }
}

impl Beside {
    /// Whether there is nothing to hold against a file.
    pub fn is_nothing(&self) -> bool {
        self.receipts.is_empty()
            && self.mirror.is_none()
            && self.checkpoint.is_none()
            && self.bundle.is_none()
            && self.vkeys.is_empty()
            && self.witness_vkeys.is_empty()
    }
}

/// What the file is, as `GET /audit/verify` would say it; with a mirror, also what that one is.
pub(super) fn verified(file: &Path, beside: &Beside) -> Result<Value, Failure> {
    let mut known = Known::new(beside.receipts.iter().map(|receipt| receipt.0));
    let signed = signed::read(beside)?;
    let mut tree = signed
        .as_ref()
        .map(|signed| Checkpointed::new(signed.checkpoint));
    let mut progress = Progress::of(file);
    let each = |passed: Passed<'_>| {
        known.compare(&passed);
        if let Some(tree) = &mut tree {
            tree.compare(&passed);
        }
        progress.passed(passed.line.len());
    };
    let (report, mirror) = match &beside.mirror {
        None => (
            verify_file_each(file, each).map_err(|error| cannot_read(file, &error))?,
            None,
        ),
        Some(other) => {
            let both = compare_files(file, other, each);
            let both = both.map_err(|error| {
                Failure::unreachable(format!(
                    "cannot read {} or {}: {error}",
                    file.display(),
                    other.display()
                ))
            })?;
            (both.verdict(), Some(both))
        }
    };
    progress.ended();
    let report = known.conclude(report);
    let report = match &tree {
        Some(tree) => tree.conclude(report),
        None => report,
    };
    let report = or_empty(report);
    let mut answer = report.to_json();
    if let Some(members) = answer.as_object_mut() {
        if report.kind == Some("receipt") {
            members.insert("not_before_seq".into(), known.open_from().into());
        }
        if let Some(both) = mirror {
            members.insert("mirror".into(), or_empty(both.mirror).to_json());
        }
        if let Some(signed) = signed {
            members.insert("checkpoint".into(), signed.to_json());
        }
    }
    Ok(answer)
}

/// A file without entries is not whole: a chain has at least its first entry, and an export that came
/// to nothing must not pass for one that was checked.
fn or_empty(report: VerifyReport) -> VerifyReport {
    if report.ok && report.entries == 0 {
        return VerifyReport {
            ok: false,
            kind: Some(EMPTY),
            divergent_seq: Some(0),
            ..report
        };
    }
    report
}

fn cannot_read(file: &Path, error: &io::Error) -> Failure {
    Failure::unreachable(format!("cannot read {}: {error}", file.display()))
}

/// How far a long verification is; shown on standard error, and only if that is a terminal.
struct Progress {
    bar: ProgressBar,
    /// What was passed since it was last shown.
    unseen: u64,
}

impl Progress {
    fn of(file: &Path) -> Self {
        let length = std::fs::metadata(file).map_or(0, |metadata| metadata.len());
        let bar = ProgressBar::new(length);
        let style = ProgressStyle::with_template(
            "{bar:30} {bytes} of {total_bytes} verified, {bytes_per_sec}, {eta} left",
        );
        Self {
            bar: match style {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            },
            unseen: 0,
        }
    }

    fn passed(&mut self, line_length: usize) {
        // With its newline.
        self.unseen += line_length as u64 + 1;
        if self.unseen >= SHOWN_EVERY_BYTES {
            self.bar.inc(std::mem::take(&mut self.unseen));
        }
    }

    fn ended(&self) {
        self.bar.finish_and_clear();
    }
}
