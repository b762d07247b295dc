//! `vyrox policy`: who may do what, checked, shown and tested without a server.

use std::{fs, path::PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use vyrox_actors::policy::{BUILTIN_CASES, Case, Effect, Policies, Policy, parse_cases};

use super::{
    failure::{Exit, Failure},
    out::{Line, Out, Tone},
    settings::Settings,
};
use crate::app::{policies, sources::read_dir};

/// What can be done with policies.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Validate policies, and name every error in them
    #[command(after_help = CHECK_EXAMPLES)]
    Check {
        /// Directory of *.cedar files, if not the configured one
        #[arg(value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// List every policy, with what it is for
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowArgs),
    /// Ask the questions of tables, and compare the answers with the expected ones
    #[command(after_help = TEST_EXAMPLES)]
    Test(TestArgs),
}

const CHECK_EXAMPLES: &str = "\
Examples:
  vyrox policy check                     the configured policies
  vyrox policy check ./policies          these, before the configuration points to them";

const SHOW_EXAMPLES: &str = "\
Examples:
  vyrox policy show
  vyrox policy show --cedar > policies/site.cedar     a copy of the defaults, to be edited";

const TEST_EXAMPLES: &str = "\
Examples:
  vyrox policy test                                   the tables beside the configured policies
  vyrox policy test --dir ./policies                  those of another directory
  vyrox policy test --dir ./policies night-shift.toml

A table is TOML:

  [[case]]
  name = \"one yes is not enough for a tier-0 host\"
  act = \"execute\"
  person = \"ann\"
  roles = [\"approver\"]
  tier0 = true
  approvals = 1
  expect = \"deny\"
  by = [\"two-persons\"]";

/// Arguments of `policy show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Directory of *.cedar files, if not the configured one
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Print their Cedar text, without the hard rules
    #[arg(long)]
    pub cedar: bool,
}

/// Arguments of `policy test`.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Directory of *.cedar files, if not the configured one
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Tables of cases; if left out, the *.toml files beside the policies
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Does what was asked.
pub fn run(command: PolicyCommand, settings: &Settings, out: &mut Out) -> Result<(), Failure> {
    match command {
        PolicyCommand::Check { dir } => check(&Place::new(dir, settings)?, out),
        PolicyCommand::Show(args) => {
            let place = Place::new(args.dir, settings)?;
            if args.cedar {
                cedar(&place, out)
            } else {
                show(&place.policies()?, out)
            }
        }
        PolicyCommand::Test(args) => {
            let place = Place::new(args.dir, settings)?;
            test(&place.policies()?, &place.tables(&args.files)?, out)
        }
    }
}

/// Where policies are: a directory, or the binary.
struct Place(Option<PathBuf>);

/// A table of cases, with the name of its file.
struct Table {
    file: String,
    cases: Vec<Case>,
}

impl Place {
    fn new(given: Option<PathBuf>, settings: &Settings) -> Result<Self, Failure> {
        match given {
            Some(dir) => Ok(Self(Some(dir))),
            None => Ok(Self(settings.config(&[])?.0.policy.dir)),
        }
    }

    fn policies(&self) -> Result<Policies, Failure> {
        policies::load(self.0.as_deref())
            .map_err(|errors| Failure::not_so("the policies are not sound").details(errors))
    }

    fn tables(&self, files: &[PathBuf]) -> Result<Vec<Table>, Failure> {
        let texts = match &self.0 {
            _ if !files.is_empty() => files.iter().map(read).collect::<Result<_, _>>()?,
            Some(dir) => read_dir(dir, &["toml"])
                .map_err(|errors| Failure::unreachable("cannot read the tables").details(errors))?,
            None => vec![(BUILTIN_CASES.0.to_owned(), BUILTIN_CASES.1.to_owned())],
        };
        if texts.is_empty() {
            return Err(Failure::not_so("there is no table beside the policies")
                .hint("write one, ending in .toml; `vyrox policy test --help` shows how"));
        }
        texts
            .into_iter()
            .map(|(file, text)| match parse_cases(&text) {
                Ok(cases) => Ok(Table { file, cases }),
                Err(error) => {
                    Err(Failure::not_so(format!("{file} is no table of cases"))
                        .details(error.lines()))
                }
            })
            .collect()
    }
}

fn read(path: &PathBuf) -> Result<(String, String), Failure> {
    let name = path.display().to_string();
    match fs::read_to_string(path) {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(Failure::unreachable(format!("cannot read {name}: {error}"))),
    }
}

fn check(place: &Place, out: &mut Out) -> Result<(), Failure> {
    let (policies, errors) = match policies::load(place.0.as_deref()) {
        Ok(policies) => (Some(policies), Vec::new()),
        Err(errors) => (None, errors),
    };
    let number = policies.as_ref().map(|policies| policies.list().len());
    let digest = policies.as_ref().map(Policies::digest);
    if out.is_json() {
        let ok = errors.is_empty();
        out.json(&json!({
            "ok": ok, "errors": errors, "policies": number, "policy_sha256": digest,
        }))?;
    }
    for error in &errors {
        out.line(Line::new().tone(Tone::Bad, "error    ").text(error))?;
    }
    let (Some(number), Some(digest)) = (number, digest) else {
        return Err(Failure::said(Exit::NotSo));
    };
    let sound = format!("  {number} policies are sound, sha256 {digest}");
    Ok(out.line(Line::new().tone(Tone::Good, "ok").text(sound))?)
}

fn show(policies: &Policies, out: &mut Out) -> Result<(), Failure> {
    if out.is_json() {
        let list = policies.list();
        let digest = policies.digest();
        return Ok(out.json(&json!({ "policy_sha256": digest, "policies": list }))?);
    }
    let ids = policies.list().iter().map(|policy| policy.id.len());
    let width = ids.max().unwrap_or_default();
    for policy in policies.list() {
        out.line(row(policy, width))?;
    }
    out.gap()?;
    Ok(out.line(Line::item("sha256", policies.digest()))?)
}

/// `forbid  two-persons  Tier-0 hosts need two people.`
fn row(policy: &Policy, width: usize) -> Line {
    let tone = match policy.effect {
        Effect::Permit => Tone::Good,
        Effect::Forbid => Tone::Bad,
    };
    Line::new()
        .tone(tone, format!("{:<6}", policy.effect.as_str()))
        .tone(Tone::Strong, format!("  {:<width$}  ", policy.id))
        .text(&policy.text)
}

fn cedar(place: &Place, out: &mut Out) -> Result<(), Failure> {
    let texts = policies::sources(place.0.as_deref())
        .map_err(|errors| Failure::unreachable("cannot read the policies").details(errors))?;
    for (_, text) in texts {
        out.bytes(text.as_bytes())?;
    }
    Ok(out.flush()?)
}

fn test(policies: &Policies, tables: &[Table], out: &mut Out) -> Result<(), Failure> {
    let mut failures: Vec<Value> = Vec::new();
    let mut cases = 0_usize;
    for (file, case) in tables
        .iter()
        .flat_map(|table| table.cases.iter().map(move |case| (&table.file, case)))
    {
        cases += 1;
        let outcome = case.run(policies).map_err(Failure::not_so)?;
        let Some(problem) = outcome.failure else {
            continue;
        };
        let told = format!("{file}: \"{}\" {problem}", case.name);
        out.line(Line::new().tone(Tone::Bad, "failed   ").text(told))?;
        failures.push(json!({
            "file": file, "case": case.name, "problem": problem, "ruling": outcome.ruling,
        }));
    }
    let failed = failures.len();
    if out.is_json() {
        out.json(&json!({
            "ok": failed == 0, "cases": cases, "failures": failures,
            "policy_sha256": policies.digest(),
        }))?;
    }
    if failed > 0 {
        out.line(format!("{failed} of {cases} cases failed"))?;
        return Err(Failure::said(Exit::NotSo));
    }
    let held = format!("  all {cases} cases are as expected");
    Ok(out.line(Line::new().tone(Tone::Good, "ok").text(held))?)
}

#[cfg(test)]
mod tests;
