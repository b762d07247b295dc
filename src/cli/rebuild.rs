//! `vyrox rebuild`: the projections anew, from the journal alone.

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use vyrox_actors::journal::projection::Difference;

use super::{
    backup::not_done,
    failure::{Exit, Failure},
    out::{Line, Out, Tone},
    settings::Settings,
};
use crate::app::offline::{Found, Outcome, rebuild_projections};

const EXAMPLES: &str = "\
Examples:
  vyrox rebuild --data-dir /var/lib/vyrox              with no server running
  vyrox rebuild --data-dir /var/lib/vyrox --dry-run    compare, and change nothing

A server that finds its projections lost or damaged rebuilds them by itself when it starts.";

/// Arguments of `rebuild`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RebuildArgs {
    /// Compare, and leave those in use where they are; exit with 1 if they differ
    #[arg(long)]
    pub dry_run: bool,
}

/// Reads every chain from its beginning, compares, and replaces.
pub fn run(args: &RebuildArgs, settings: &Settings, out: &mut Out) -> Result<(), Failure> {
    let (config, _) = settings.config(&[])?;
    let bar = entries_bar();
    let watch = |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    };
    let rebuilt = rebuild_projections(&config, args.dry_run, &watch);
    bar.finish_and_clear();
    let outcome = rebuilt.map_err(|error| not_done(&error, "stop it first, then rebuild"))?;
    report(&outcome, args.dry_run, out)
}

/// Shown on standard error, and only if that is a terminal.
fn entries_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template("{wide_bar} {pos} of {len} entries, {per_sec}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn report(outcome: &Outcome, dry_run: bool, out: &mut Out) -> Result<(), Failure> {
    if out.is_json() {
        out.json(&as_json(outcome))?;
    } else {
        tell(outcome, out)?;
    }
    let rebuilt = &outcome.rebuilt;
    if !rebuilt.unread.is_empty() {
        let told = rebuilt
            .unread
            .iter()
            .map(|(chain, why)| format!("{chain}: {why}"));
        return Err(
            Failure::unreachable("not every chain could be read, so nothing was replaced")
                .details(told)
                .hint("without projections.redb the next start builds what can be read"),
        );
    }
    if dry_run && !rebuilt.agrees() {
        return Err(Failure::said(Exit::NotSo));
    }
    Ok(())
}

fn as_json(outcome: &Outcome) -> Value {
    let rebuilt = &outcome.rebuilt;
    let table = |d: &Difference| {
        json!({
            "table": d.table, "same": d.same, "missing": d.missing, "strange": d.strange,
            "other": d.other, "first": d.first,
        })
    };
    let tables = rebuilt.differences.as_ref();
    let tables: Option<Vec<Value>> = tables.map(|tables| tables.iter().map(table).collect());
    let unread: Vec<Value> = rebuilt
        .unread
        .iter()
        .map(|(chain, reason)| json!({ "chain": chain, "reason": reason }))
        .collect();
    json!({
        "found": match outcome.found {
            Found::Whole => "whole",
            Found::Missing => "missing",
            Found::Damaged(_) => "damaged",
        },
        "agrees": rebuilt.agrees(),
        "replaced": outcome.replaced,
        "chains": rebuilt.chains,
        "entries": rebuilt.entries,
        "tables": tables,
        "unread": unread,
    })
}

fn tell(outcome: &Outcome, out: &mut Out) -> Result<(), Failure> {
    let rebuilt = &outcome.rebuilt;
    let (chains, entries) = (rebuilt.chains, rebuilt.entries);
    out.line(Line::item(
        "read",
        format!("{chains} chains, {entries} entries"),
    ))?;
    let in_use = Line::named("in use");
    out.line(match &outcome.found {
        Found::Missing => in_use.tone(Tone::Warn, "there were none"),
        Found::Damaged(why) => in_use.tone(Tone::Bad, format!("damaged: {why}")),
        Found::Whole if rebuilt.agrees() => in_use.tone(Tone::Good, "as the chains say"),
        Found::Whole => in_use.tone(Tone::Bad, "not as the chains say"),
    })?;
    let differing = rebuilt
        .differences
        .iter()
        .flatten()
        .filter(|d| !d.is_none());
    let differing: Vec<&Difference> = differing.collect();
    if !differing.is_empty() {
        out.gap()?;
        let rows: Vec<_> = differing.iter().map(|difference| row(difference)).collect();
        out.table(
            &["TABLE", "SAME", "MISSING", "STRANGE", "OTHER", "FIRST"],
            &rows,
        )?;
        out.gap()?;
    }
    let new = if outcome.replaced {
        "in their place"
    } else {
        "not put in their place"
    };
    Ok(out.line(Line::item("new", new))?)
}

fn row(difference: &Difference) -> Vec<(Tone, String)> {
    let count = |count: u64| (Tone::Plain, count.to_string());
    let first = difference.first.first().cloned().unwrap_or_default();
    vec![
        (Tone::Strong, difference.table.to_owned()),
        count(difference.same),
        count(difference.missing),
        count(difference.strange),
        count(difference.other),
        (Tone::Dim, first),
    ]
}

#[cfg(test)]
mod tests {
    use vyrox_actors::projector::Rebuilt;

    use super::{super::out::tests::Paper, *};

    fn outcome(found: Found, missing: u64, unread: &[(&str, &str)]) -> Outcome {
        let difference = Difference {
            table: "alerts",
            same: 4,
            missing,
            first: vec!["acme 01".into(); usize::from(missing > 0)],
            ..Difference::default()
        };
        let unread = unread.iter();
        let unread = unread.map(|(chain, why)| ((*chain).to_owned(), (*why).to_owned()));
        Outcome {
            rebuilt: Rebuilt {
                chains: 2,
                entries: 9,
                differences: (found == Found::Whole).then(|| vec![difference]),
                unread: unread.collect(),
            },
            found,
            replaced: false,
        }
    }

    #[test]
    fn the_exit_code_says_whether_they_agree() {
        let told = |outcome: &Outcome, dry_run| {
            let paper = Paper::default();
            let failure = report(outcome, dry_run, &mut paper.out(false)).err();
            (failure.map(|failure| failure.exit()), paper.text())
        };
        let (exit, text) = told(&outcome(Found::Whole, 0, &[]), true);
        assert_eq!(exit, None);
        assert!(
            text.contains("as the chains say") && !text.contains("TABLE"),
            "{text}"
        );
        let differs = outcome(Found::Whole, 3, &[]);
        let (exit, text) = told(&differs, true);
        assert_eq!(exit, Some(Exit::NotSo));
        assert!(
            text.contains("alerts  4     3        0        0      acme 01"),
            "{text}"
        );
        assert_eq!(told(&differs, false).0, None);
        for found in [Found::Missing, Found::Damaged("garbage".into())] {
            assert_eq!(told(&outcome(found, 0, &[]), true).0, Some(Exit::NotSo));
        }
        let unread = outcome(Found::Whole, 0, &[("acme", "held")]);
        assert_eq!(told(&unread, true).0, Some(Exit::Unreachable));
    }

    #[test]
    fn programs_get_every_table() {
        let told = as_json(&outcome(Found::Whole, 0, &[("acme", "held")]));
        assert_eq!(told["tables"][0]["same"], 4);
        assert_eq!(told["found"], "whole");
        assert_eq!(
            told["unread"][0],
            json!({"chain": "acme", "reason": "held"})
        );
        assert_eq!(
            as_json(&outcome(Found::Missing, 0, &[]))["tables"],
            Value::Null
        );
    }
}
