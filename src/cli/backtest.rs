//! `vyrox backtest`: changed rules, held against the alerts that are there before they come in force.

mod moment;
mod report;

use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::Response;
use serde_json::{Value, json};
use vyrox_actors::rules::{RuleSet, builtin_sources};
use vyrox_domain::{ids::TenantId, playbook::Playbooks};

use self::{moment::Moment, report::Report};
use super::{client::Client, failure::Failure, out::Out, settings::Settings};
use crate::{app::sources::read_dir, clock};

/// The longest line of the server's answer, in bytes.
const LINE_MAX: usize = 1024 * 1024;

const EXAMPLES: &str = "\
Examples:
  vyrox backtest --rules ./rules                          the last 30 days of all tenants
  vyrox backtest --rules ./rules --tenant acme --since 12h
  vyrox backtest --rules ./rules --replace --since 2026-01-01T00:00:00Z --until 2026-02-01T00:00:00Z
  vyrox backtest --rules ./rules --fail-on-diff --json    in a pipeline

The server does the work, beside its own: it has the evidence and the keys to it. Nothing is changed and
nothing is written. What stage 1 said at the time is held against what it would say.";

/// Arguments of `backtest`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct BacktestArgs {
    /// Directory of *.yml files: the changed rules, beside those of the binary
    #[arg(long, value_name = "DIR")]
    pub rules: PathBuf,
    /// These rules alone, without those of the binary
    #[arg(long)]
    pub replace: bool,
    /// Directory of *.toml files: changed playbooks, in place of all those in force
    #[arg(long, value_name = "DIR")]
    pub playbooks: Option<PathBuf>,
    /// One tenant's alerts alone
    #[arg(long, value_name = "ID")]
    pub tenant: Option<TenantId>,
    /// From when: so long ago (30d, 12h, 90m), or a time (RFC 3339)
    #[arg(long, value_name = "TIME", default_value = "30d")]
    pub since: Moment,
    /// Until when
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
    /// List at most so many differences; all are counted
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    pub limit_diffs: u64,
    /// Exit with 1 if anything would differ
    #[arg(long)]
    pub fail_on_diff: bool,
}

/// Has the server do it, and shows what it finds.
pub async fn run(args: BacktestArgs, settings: &Settings, out: &mut Out) -> Result<(), Failure> {
    let request = request(&args)?;
    let client = settings.client()?;
    let response = client
        .open_post(&["api", "v1", "backtest"], &request)
        .await?;
    let mut report = Report::new(out.is_json());
    follow(&client, response, |line| report.take(line, out)).await?;
    report.end(args.fail_on_diff, out)
}

/// What the server is asked; everything that is wrong with the rules is found before it is.
fn request(args: &BacktestArgs) -> Result<Value, Failure> {
    let now = clock::now();
    let rules = sources(&args.rules, &["yml", "yaml"])?;
    let mut all = if args.replace {
        Vec::new()
    } else {
        builtin_sources()
    };
    all.extend(rules.iter().cloned());
    RuleSet::compile(&all)
        .map_err(|errors| Failure::not_so("the rules are not sound").details(errors))?;
    let playbooks = args.playbooks.as_deref();
    let playbooks = playbooks.map(|dir| sources(dir, &["toml"])).transpose()?;
    if let Some(texts) = &playbooks {
        Playbooks::compile(texts)
            .map_err(|errors| Failure::not_so("the playbooks are not sound").details(errors))?;
    }
    Ok(json!({
        "rules": named(&rules),
        "builtin": !args.replace,
        "playbooks": playbooks.as_deref().map(named),
        "since_ms": args.since.before(now),
        "until_ms": args.until.map(|until| until.before(now)),
        "tenant_id": args.tenant,
        "limit_diffs": args.limit_diffs,
    }))
}

/// The files of a directory; one without any is a slip of the pen.
fn sources(dir: &Path, endings: &[&str]) -> Result<Vec<(String, String)>, Failure> {
    let shown = dir.display();
    let texts = read_dir(dir, endings)
        .map_err(|errors| Failure::unreachable(format!("cannot read {shown}")).details(errors))?;
    if texts.is_empty() {
        let wanted = endings.join(" or .");
        return Err(Failure::not_so(format!(
            "no file in {shown} ends in .{wanted}"
        )));
    }
    Ok(texts)
}

fn named(sources: &[(String, String)]) -> Vec<Value> {
    let object = |(name, text): &(String, String)| json!({ "name": name, "text": text });
    sources.iter().map(object).collect()
}

/// Hands over the answer's lines as they come. None is ever held but the one that is coming in.
pub(super) async fn follow(
    client: &Client,
    mut response: Response,
    mut take: impl FnMut(&Value) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut line = Vec::new();
    while let Some(chunk) = client.next_chunk(&mut response).await? {
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(part);
            if line.len() > LINE_MAX {
                return Err(not_ours(client, "a line without end"));
            }
            if line.last() == Some(&b'\n') {
                let said = serde_json::from_slice(&line);
                take(&said.map_err(|error| not_ours(client, &error.to_string()))?)?;
                line.clear();
            }
        }
    }
    Ok(())
}

fn not_ours(client: &Client, why: &str) -> Failure {
    let base = client.base();
    Failure::unreachable(format!("{base} gave an answer that is not ours: {why}"))
}

#[cfg(test)]
mod tests;
