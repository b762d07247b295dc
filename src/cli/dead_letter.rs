//! `vyrox dead-letter`: messages that made their actors fall more than once, and what becomes of them.

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};
use vyrox_domain::{ids::TenantId, time::Timestamp};

use super::{
    client::Client,
    failure::{Exit, Failure},
    model::{DeadLetter, view},
    out::{Line, Out, Tone},
    settings::Settings,
};

/// What can be done about dead letters.
#[derive(Debug, Subcommand)]
pub enum DeadLetterCommand {
    /// List them, the newest last
    #[command(after_help = LIST_HELP)]
    List {
        /// Those of this tenant's actors alone
        #[arg(long, value_name = "ID")]
        tenant: Option<TenantId>,
    },
    /// Give their messages to their actors once more
    #[command(after_help = REDRIVE_HELP)]
    Redrive(RedriveArgs),
    /// Drop them and their messages
    #[command(after_help = DISCARD_HELP)]
    Discard {
        /// Their numbers, as `list` shows them
        #[arg(value_name = "NUMBER", required = true)]
        numbers: Vec<u64>,
    },
}

/// Arguments of `dead-letter redrive`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true))]
pub struct RedriveArgs {
    /// Their numbers, as `list` shows them
    #[arg(value_name = "NUMBER", group = "which")]
    pub numbers: Vec<u64>,
    /// All that were kept
    #[arg(long, group = "which")]
    pub all: bool,
    /// With --all: those of this tenant's actors alone
    #[arg(long, value_name = "ID", requires = "all", conflicts_with = "numbers")]
    pub tenant: Option<TenantId>,
}

const LIST_HELP: &str = "\
A message that made its actor fall twice is not handled a third time but set aside here. What an EDR
posted is in the tenant's chain all the same: `intake.rejected`, with the bytes as evidence.
Dead letters are kept in memory, a bounded number for each actor, until the server ends.

Examples:
  vyrox dead-letter list
  vyrox dead-letter list --tenant acme --json | jq '.dead_letters[].location'";

const REDRIVE_HELP: &str = "\
For when the reason is gone: other rules, a tenant that is well again. An alert is then taken in and
judged as any other. A message that makes its actor fall again is back here, under the same number.
The order is written to the host's own chain.

Examples:
  vyrox dead-letter redrive 3
  vyrox dead-letter redrive --all --tenant acme";

const DISCARD_HELP: &str = "\
The evidence in the tenant's chain stays. The order is written to the host's own chain.

Examples:
  vyrox dead-letter discard 3 4";

/// Does what was asked.
pub async fn run(
    command: DeadLetterCommand,
    settings: &Settings,
    out: &mut Out,
) -> Result<(), Failure> {
    let client = settings.client()?;
    match command {
        DeadLetterCommand::List { tenant } => list(&client, tenant.as_ref(), out).await,
        DeadLetterCommand::Redrive(args) => redrive(&client, args, out).await,
        DeadLetterCommand::Discard { numbers } => {
            settle_each(&client, Fate::Discarded, &numbers, out).await
        }
    }
}

async fn list(client: &Client, tenant: Option<&TenantId>, out: &mut Out) -> Result<(), Failure> {
    let answer = fetch(client, tenant).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    let letters = letters_in(&answer);
    if letters.is_empty() {
        return Ok(out.line("no dead letters: no message was set aside")?);
    }
    let row = |letter: &DeadLetter| {
        let at = Timestamp::from_ms(letter.at_ms).to_string();
        let tone = if letter.kept { Tone::Strong } else { Tone::Dim };
        vec![
            (tone, letter.number.to_string()),
            (Tone::Plain, letter.actor.clone()),
            (Tone::Plain, short(&letter.message).to_owned()),
            (Tone::Plain, at),
            (Tone::Plain, yes_or_no(letter.kept)),
            (Tone::Bad, letter.panic.clone()),
            (Tone::Plain, letter.location.clone().unwrap_or_default()),
        ]
    };
    let rows: Vec<_> = letters.iter().map(row).collect();
    let headings = [
        "NUMBER",
        "ACTOR",
        "MESSAGE",
        "SET ASIDE",
        "KEPT",
        "PANIC",
        "PLACE",
    ];
    Ok(out.table(&headings, &rows)?)
}

async fn redrive(client: &Client, args: RedriveArgs, out: &mut Out) -> Result<(), Failure> {
    if !args.all {
        return settle_each(client, Fate::Redriven, &args.numbers, out).await;
    }
    let answer = fetch(client, args.tenant.as_ref()).await?;
    let kept = letters_in(&answer).into_iter().filter(|letter| letter.kept);
    let numbers: Vec<_> = kept.map(|letter| letter.number).collect();
    if numbers.is_empty() {
        out.line("no dead letters to redrive")?;
    }
    settle_each(client, Fate::Redriven, &numbers, out).await
}

async fn fetch(client: &Client, tenant: Option<&TenantId>) -> Result<Value, Failure> {
    let query: Vec<_> = tenant
        .map(|tenant| ("tenant_id", tenant.as_str()))
        .into_iter()
        .collect();
    client.get(&PATH, &query).await
}

fn letters_in(answer: &Value) -> Vec<DeadLetter> {
    answer.get("dead_letters").map(view).unwrap_or_default()
}

const PATH: [&str; 3] = ["api", "v1", "dead-letters"];

/// What becomes of a letter.
#[derive(Clone, Copy)]
enum Fate {
    Redriven,
    Discarded,
}

impl Fate {
    const fn name(self) -> &'static str {
        match self {
            Self::Redriven => "redriven",
            Self::Discarded => "discarded",
        }
    }
}

/// One refusal keeps no other letter from being settled.
async fn settle_each(
    client: &Client,
    fate: Fate,
    numbers: &[u64],
    out: &mut Out,
) -> Result<(), Failure> {
    let (mut settled, mut refused) = (Vec::new(), Vec::new());
    for number in numbers {
        match settle(client, fate, *number).await {
            Ok(answer) => {
                let letter: DeadLetter = view(&answer);
                out.line(
                    Line::named(fate.name())
                        .tone(Tone::Strong, number)
                        .text(format!("  {} of {}", short(&letter.message), letter.actor)),
                )?;
                settled.push(answer);
            }
            Err(failure) => refused.push((*number, failure)),
        }
    }
    if out.is_json() {
        out.json(&json!({ fate.name(): settled }))?;
    }
    failure_of(fate, refused)
}

async fn settle(client: &Client, fate: Fate, number: u64) -> Result<Value, Failure> {
    let number = number.to_string();
    let [api, v1, letters] = PATH;
    match fate {
        Fate::Redriven => {
            let path = [api, v1, letters, &number, "redrive"];
            client.post(&path, &json!({})).await
        }
        Fate::Discarded => client.delete(&[api, v1, letters, &number]).await,
    }
}

/// A single refusal as it is; several as one, that names each and could be reached if any could.
fn failure_of(fate: Fate, mut refused: Vec<(u64, Failure)>) -> Result<(), Failure> {
    let Some((_, last)) = refused.pop() else {
        return Ok(());
    };
    if refused.is_empty() {
        return Err(last);
    }
    let told = refused
        .iter()
        .map(|(number, failure)| format!("{number}: {}", failure.what()));
    let mut details: Vec<_> = told.collect();
    details.push(last.what().to_owned());
    let what = format!("{} dead letters were not {}", details.len(), fate.name());
    let reached = refused
        .iter()
        .any(|(_, failure)| failure.exit() == Exit::NotSo);
    let failure = if reached || last.exit() == Exit::NotSo {
        Failure::not_so(what)
    } else {
        Failure::unreachable(what)
    };
    Err(failure.details(details))
}

/// A type without its path.
fn short(message: &str) -> &str {
    message.rsplit("::").next().unwrap_or(message)
}

fn yes_or_no(kept: bool) -> String {
    if kept { "yes" } else { "no" }.to_owned()
}

#[cfg(test)]
mod tests;
