//! `vyrox backup`: by the server while it runs, or by this command while it does not.

use std::{cell::RefCell, collections::BTreeMap, ops::ControlFlow, path::PathBuf};

use clap::Args;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    backtest::follow,
    failure::{Exit, Failure},
    out::{Line, Out, Tone},
    settings::Settings,
    wait_for,
};
use crate::app::{
    offline::{self, InUse},
    stores::summary,
};

const EXAMPLES: &str = "\
Examples:
  vyrox backup                                     the running server writes one below storage.backup_dir
  vyrox backup /backup/today --data-dir /var/lib/vyrox       with no server running
  vyrox restore /backup/today --data-dir /var/lib/vyrox-2    and back

What was acknowledged before it began is in it. The host key and admin.token never are: keep the key
elsewhere.";

/// Arguments of `backup`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct BackupArgs {
    /// The directory that the backup becomes, with no server running; left out, the server is asked
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Takes a backup, or has it taken.
pub fn run(args: &BackupArgs, settings: &Settings, out: &mut Out) -> Result<(), Failure> {
    let done = match &args.dir {
        Some(dir) => here(dir, settings)?,
        None => wait_for(there(settings))?,
    };
    report(&done, out)
}

/// By this process.
fn here(dir: &std::path::Path, settings: &Settings) -> Result<Value, Failure> {
    let (config, _) = settings.config(&[])?;
    let bar = bytes_bar("saved");
    let report = |progress: vyrox_actors::journal::backup::Progress| {
        bar.set_length(progress.bytes.max(progress.bytes_done));
        bar.set_position(progress.bytes_done);
        ControlFlow::Continue(())
    };
    let taken = offline::back_up(&config, dir, &report);
    bar.finish_and_clear();
    match taken {
        Ok(manifest) => Ok(summary(&dir.display().to_string(), &manifest)),
        Err(error) => Err(not_done(
            &error,
            "leave DIR out: the server writes the backup itself, below storage.backup_dir",
        )),
    }
}

/// Why something could not be done to a data directory; `hint` is for one that a server runs on.
pub(super) fn not_done(error: &anyhow::Error, hint: &str) -> Failure {
    let failure = Failure::unreachable(format!("{error:#}"));
    match error.downcast_ref::<InUse>() {
        Some(_) => failure.hint(hint),
        None => failure,
    }
}

/// By the server.
async fn there(settings: &Settings) -> Result<Value, Failure> {
    let client = settings.client()?;
    let response = client
        .open_post(&["api", "v1", "backups"], &json!({}))
        .await?;
    let (bar, last) = (bytes_bar("saved"), RefCell::new(Value::Null));
    let take = |line: &Value| {
        if let Some(progress) = line.get("progress") {
            let number = |name| progress.get(name).and_then(Value::as_u64);
            let (done, of) = (number("bytes_done"), number("bytes"));
            bar.set_length(of.max(done).unwrap_or_default());
            bar.set_position(done.unwrap_or_default());
        } else {
            last.replace(line.clone());
        }
        Ok(())
    };
    let followed = follow(&client, response, take).await;
    bar.finish_and_clear();
    followed?;
    let last = last.into_inner();
    if let Some(done) = last.get("done") {
        return Ok(done.clone());
    }
    let detail = last.pointer("/failed/detail").and_then(Value::as_str);
    Err(match detail {
        Some(detail) => Failure::unreachable(format!("there is no backup: {detail}")),
        None => Failure::unreachable("the server broke off before the end; there is no backup"),
    })
}

/// Shown on standard error, and only if that is a terminal.
pub(super) fn bytes_bar(what: &str) -> ProgressBar {
    let template = format!("{{wide_bar}} {{bytes}} of {{total_bytes}} {what}, {{bytes_per_sec}}");
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template(&template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Done {
    name: String,
    bytes: u64,
    chains: u64,
    entries: u64,
    #[serde(flatten)]
    faults: Faults,
}

/// What is not as it should be in a backup.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Faults {
    left_out: BTreeMap<String, u64>,
    held: BTreeMap<String, u64>,
    damaged: BTreeMap<String, u64>,
    evidence_damaged: Vec<String>,
}

impl Faults {
    /// A line each; none if all is well. What was held before is known already.
    pub(super) fn lines(&self) -> Vec<String> {
        let left_out = self.left_out.iter().map(|(chain, seq)| {
            format!("{chain}: entries from {seq} on could not be read and are not in it; the chain is held in it")
        });
        let held = self.held.iter().map(|(chain, seq)| {
            format!("{chain}: held since a damage, from {seq} on; it is held in the backup as well")
        });
        let damaged = self.damaged.iter().map(|(chain, seq)| {
            format!("{chain}: does not verify from {seq} on; it is in the backup as it is")
        });
        let stores = self.evidence_damaged.iter().map(|chain| {
            format!("{chain}: some of its evidence is damaged; it is in the backup as it is")
        });
        left_out.chain(held).chain(damaged).chain(stores).collect()
    }

    /// Whether something is wrong that was not known to be.
    fn is_news(&self) -> bool {
        !(self.left_out.is_empty() && self.damaged.is_empty() && self.evidence_damaged.is_empty())
    }
}

fn report(done: &Value, out: &mut Out) -> Result<(), Failure> {
    let shown = Done::deserialize(done)
        .map_err(|error| Failure::unreachable(format!("an answer that is not ours: {error}")))?;
    if out.is_json() {
        out.json(done)?;
    } else {
        out.line(Line::item("backup", &shown.name))?;
        let Done {
            chains, entries, ..
        } = shown;
        let bytes = HumanBytes(shown.bytes);
        out.line(Line::item(
            "holds",
            format!("{chains} chains, {entries} entries, {bytes}"),
        ))?;
        for fault in shown.faults.lines() {
            out.line(Line::named("but").tone(Tone::Bad, fault))?;
        }
        out.line(Line::item(
            "without",
            "the host key, the log's key (checkpoint.key) and admin.token; keep the keys elsewhere",
        ))?;
    }
    if shown.faults.is_news() {
        return Err(Failure::said(Exit::NotSo));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{super::out::tests::Paper, *};

    #[test]
    fn commands_about_what_lasts_parse() {
        let parsed = |line: &str| crate::cli::Cli::try_parse_from(line.split(' '));
        for line in [
            "vyrox backup",
            "vyrox backup d --data-dir e --json",
            "vyrox restore b --data-dir d",
            "vyrox rebuild --dry-run",
            "vyrox audit export --all --into d",
        ] {
            assert!(parsed(line).is_ok(), "{line}: {:?}", parsed(line).err());
        }
        for line in [
            "vyrox backup a b",
            "vyrox restore",
            "vyrox rebuild acme",
            "vyrox audit export",
            "vyrox audit export --all",
            "vyrox audit export acme --into d",
            "vyrox audit export acme --all --into d",
            "vyrox audit export --all --into d --from 3",
        ] {
            let code = parsed(line).map_err(|error| error.exit_code()).err();
            assert_eq!(code, Some(Exit::Usage as i32), "{line}");
        }
    }

    #[test]
    fn a_whole_backup_is_told_in_three_lines() {
        let paper = Paper::default();
        let done = json!({"name": "vyrox-1", "bytes": 2048, "chains": 3, "entries": 60});
        report(&done, &mut paper.out(false)).unwrap();
        let text = paper.text();
        assert!(text.starts_with("backup    vyrox-1\nholds     3 chains, 60 entries, 2.00 KiB\n"));
        assert_eq!(text.lines().count(), 3, "{text}");
    }

    #[test]
    fn what_is_missing_or_damaged_is_named_and_is_no_success() {
        let paper = Paper::default();
        let held = json!({"name": "b", "held": {"initech": 4}});
        report(&held, &mut paper.out(false)).unwrap();
        for fault in [
            json!({"left_out": {"acme": 7}}),
            json!({"damaged": {"acme": 7}}),
            json!({"evidence_damaged": ["acme"]}),
        ] {
            let paper = Paper::default();
            let failure = report(&fault, &mut paper.out(false)).unwrap_err();
            assert_eq!(failure.exit(), Exit::NotSo);
            assert!(
                paper.text().contains("but       acme: "),
                "{}",
                paper.text()
            );
        }
    }
}
