//! What a backtest found, as it comes in and at the end.

use std::collections::BTreeMap;

use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::cli::{
    alert::verdict_tone,
    failure::{Exit, Failure},
    out::{Line, Out, Tone},
};

/// The lines of an answer that were taken so far.
pub(super) struct Report {
    bar: ProgressBar,
    json: bool,
    rows: Vec<Vec<(Tone, String)>>,
    unread: Vec<Unread>,
    done: Option<Done>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Progress {
    tenant: String,
    done: u64,
    of: u64,
    alerts: u64,
    chains_left: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Differs {
    tenant_id: String,
    alert_id: String,
    host: Option<String>,
    before: Judgement,
    after: Judgement,
    rules_gained: Vec<String>,
    rules_lost: Vec<String>,
    proposal_before: Vec<String>,
    proposal_after: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Judgement {
    verdict: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Unread {
    tenant_id: String,
    reason: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Done {
    alerts: u64,
    unreadable: u64,
    undecided: u64,
    differs: u64,
    shifted: u64,
    by_change: BTreeMap<String, u64>,
    proposals_added: u64,
    proposals_removed: u64,
    rules_sha256: String,
}

impl Report {
    /// An empty one; `json` hands every line but the progress through as it comes.
    pub(super) fn new(json: bool) -> Self {
        Self {
            bar: progress_bar(),
            json,
            rows: Vec::new(),
            unread: Vec::new(),
            done: None,
        }
    }

    /// Takes one line of the answer; one that is not known is passed over.
    pub(super) fn take(&mut self, line: &Value, out: &mut Out) -> Result<(), Failure> {
        if let Some(progress) = member::<Progress>(line, "progress") {
            self.show(&progress);
            return Ok(());
        }
        if self.json {
            out.json(line)?;
        } else if let Some(differs) = member::<Differs>(line, "differs") {
            self.rows.push(row(&differs));
        }
        self.unread.extend(member(line, "unread"));
        self.done = self.done.take().or_else(|| member(line, "done"));
        Ok(())
    }

    /// Shown on standard error, and only if that is a terminal.
    fn show(&self, progress: &Progress) {
        self.bar.set_length(progress.of);
        self.bar.set_position(progress.done);
        let (tenant, alerts) = (&progress.tenant, progress.alerts);
        let left = progress.chains_left;
        self.bar.set_message(format!(
            "{tenant}, {alerts} alerts so far, {left} tenants to come"
        ));
    }

    /// Says what it came to. An answer without an end is none.
    pub(super) fn end(self, fail_on_diff: bool, out: &mut Out) -> Result<(), Failure> {
        self.bar.finish_and_clear();
        let Some(done) = &self.done else {
            return Err(Failure::unreachable("the server broke off before the end")
                .hint("its log says why"));
        };
        if !self.json {
            self.summary(done, out)?;
        }
        if !self.unread.is_empty() {
            let told = self.unread.iter();
            let told = told.map(|one| format!("{}: {}", one.tenant_id, one.reason));
            return Err(
                Failure::unreachable("not every chain could be read to its end").details(told),
            );
        }
        if fail_on_diff && done.differs > 0 {
            return Err(Failure::said(Exit::NotSo));
        }
        Ok(())
    }

    fn summary(&self, done: &Done, out: &mut Out) -> Result<(), Failure> {
        if !self.rows.is_empty() {
            let headings = [
                "TENANT", "ALERT", "HOST", "BEFORE", "AFTER", "RULES", "PROPOSAL",
            ];
            out.table(&headings, &self.rows)?;
            let shown = u64::try_from(self.rows.len()).unwrap_or(u64::MAX);
            let more = done.differs.saturating_sub(shown);
            if more > 0 {
                let told = format!("{more} more differ; --limit-diffs lists more of them");
                out.line(Line::new().tone(Tone::Dim, told))?;
            }
            out.gap()?;
        }
        out.line(Line::item("alerts", counted(done)))?;
        let tone = if done.differs > 0 {
            Tone::Warn
        } else {
            Tone::Good
        };
        let shifted = format!(", and {} in reasons or confidence alone", done.shifted);
        let shifted = if done.shifted > 0 {
            shifted
        } else {
            String::new()
        };
        out.line(Line::named("differ").tone(tone, done.differs).text(shifted))?;
        for (change, times) in &done.by_change {
            out.line(Line::item("", format!("{times:>6}  {change}")))?;
        }
        let (added, removed) = (done.proposals_added, done.proposals_removed);
        out.line(Line::item(
            "proposals",
            format!("{added} added, {removed} removed"),
        ))?;
        Ok(out.line(Line::item("rules", format!("sha256 {}", done.rules_sha256)))?)
    }
}

/// `30, 2 without readable evidence, 1 that stage 1 had not judged`
fn counted(done: &Done) -> String {
    let apart = [
        (done.unreadable, "without readable evidence"),
        (done.undecided, "that stage 1 had not judged"),
    ];
    let apart = apart.into_iter().filter(|(count, _)| *count > 0);
    let apart = apart.map(|(count, what)| format!("{count} {what}"));
    let parts: Vec<_> = [done.alerts.to_string()].into_iter().chain(apart).collect();
    parts.join(", ")
}

fn row(one: &Differs) -> Vec<(Tone, String)> {
    let verdict = |judgement: &Judgement| {
        let verdict = &judgement.verdict;
        (verdict_tone(verdict), verdict.clone())
    };
    vec![
        (Tone::Plain, one.tenant_id.clone()),
        (Tone::Plain, one.alert_id.clone()),
        (Tone::Plain, one.host.clone().unwrap_or_default()),
        verdict(&one.before),
        verdict(&one.after),
        (Tone::Plain, signed(&one.rules_lost, &one.rules_gained)),
        (Tone::Plain, proposal(one)),
    ]
}

/// `-lost +gained`
fn signed(lost: &[String], gained: &[String]) -> String {
    let lost = lost.iter().map(|one| format!("-{one}"));
    let all: Vec<_> = lost
        .chain(gained.iter().map(|one| format!("+{one}")))
        .collect();
    all.join(" ")
}

fn proposal(one: &Differs) -> String {
    if one.proposal_before == one.proposal_after {
        return one.proposal_after.join(" ");
    }
    signed(&one.proposal_before, &one.proposal_after)
}

fn member<T: DeserializeOwned>(line: &Value, name: &str) -> Option<T> {
    T::deserialize(line.get(name)?).ok()
}

fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template("{bar:30} {pos}/{len} entries of {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
