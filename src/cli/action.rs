//! `vyrox action`, `vyrox rollback` and `vyrox timers`: what became of actions, and the ways to try one again,
//! to take it back, and to let timers run again that were held.

mod shown;
mod waited;

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use vyrox_domain::ids::{ActionId, TenantId};

pub(super) use self::{shown::Act, waited::ended};
use super::{
    client::Client,
    decide::own_tenant,
    failure::{Exit, Failure},
    members::{items, text},
    out::{Line, Out, Tone},
    settings::Settings,
};

/// What can be asked about actions.
#[derive(Debug, Subcommand)]
pub enum ActionCommand {
    /// List a tenant's actions, the newest first
    #[command(after_help = LIST_HELP)]
    List(ListArgs),
    /// Show one: what it is, how far it is, what its EDR said last
    #[command(after_help = SHOW_HELP)]
    Show(ShowArgs),
    /// Have one tried again that came to nothing, with a token of your own
    #[command(after_help = RETRY_HELP)]
    Retry(StepArgs),
}

/// What can be done about timers.
#[derive(Debug, Subcommand)]
pub enum TimersCommand {
    /// Let a tenant's timers run again, with a token of your own
    #[command(after_help = RELEASE_HELP)]
    Release {
        /// Whose
        #[arg(value_name = "TENANT")]
        tenant: TenantId,
    },
}

/// Arguments of `action list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Whose actions
    #[arg(long, value_name = "ID")]
    pub tenant: TenantId,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub limit: u32,
}

/// Arguments of `action show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The action, as `action list` and `alert show` name it
    #[arg(value_name = "ACTION")]
    pub action: ActionId,
    /// Whose; found by itself if left out and there is but one
    #[arg(long, value_name = "ID")]
    pub tenant: Option<TenantId>,
}

/// Arguments of `action retry` and `rollback`.
#[derive(Debug, Args)]
#[command(after_help = ROLLBACK_HELP)]
pub struct StepArgs {
    /// The action, as `action list` and `alert show` name it
    #[arg(value_name = "ACTION")]
    pub action: ActionId,
    /// Whose; found by itself if left out and there is but one
    #[arg(long, value_name = "ID")]
    pub tenant: Option<TenantId>,
    /// How long to wait for the outcome
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(..=600))]
    pub wait: u64,
}

const LIST_HELP: &str = "\
An action is listed once it was approved; what still waits for a yes is shown by `vyrox incident list`.

Examples:
  vyrox action list --tenant acme
  vyrox action list --tenant acme --json | jq '.actions[] | select(.in_force) | {host, hold_ends_at_ms}'";

const SHOW_HELP: &str = "\
Examples:
  vyrox action show 0198c5a3-7f10-7d02-8b3e-5d2f8a94c310
  vyrox action show 0198c5a3-7f10-7d02-8b3e-5d2f8a94c310 --tenant acme --json";

const RETRY_HELP: &str = "\
For an action that was withheld, refused, or did not reach its EDR, and for one of which nobody can tell
whether it happened: the EDR is read first, and only what it says is not in effect is sent. The approval
has to be good still. Takes a token of a person (`vyrox person token`), in VYROX_TOKEN or with --token.

Examples:
  vyrox action retry 0198c5a3-7f10-7d02-8b3e-5d2f8a94c310";

const ROLLBACK_HELP: &str = "\
Takes a token of a person who may do that (`vyrox person token`), in VYROX_TOKEN or with --token. Taking
an action back is an action of its own; it is carried out once, and seen to have happened.

Examples:
  vyrox rollback 0198c5a3-7f10-7d02-8b3e-5d2f8a94c310
  vyrox rollback 0198c5a3-7f10-7d02-8b3e-5d2f8a94c310 --wait 60";

const RELEASE_HELP: &str = "\
When the clock of the host was set by more than five minutes, no containment is lifted by time until a
person has looked. This says that the clock is right.

Examples:
  vyrox timers release acme";

/// Does what was asked.
pub async fn run(
    command: ActionCommand,
    settings: &Settings,
    out: &mut Out,
) -> Result<(), Failure> {
    let client = settings.client()?;
    match command {
        ActionCommand::List(args) => {
            let limit = args.limit.to_string();
            let query = [("tenant_id", args.tenant.as_str()), ("limit", &limit)];
            let answer: Value = client.get(&["api", "v1", "actions"], &query).await?;
            list(&answer, out)
        }
        ActionCommand::Show(args) => {
            let tenant = tenant(&client, args.tenant.as_ref()).await?;
            let answer = found(&client, &args.action, &tenant).await?;
            if out.is_json() {
                return Ok(out.json(&answer)?);
            }
            Act(&answer).show(out)
        }
        ActionCommand::Retry(args) => step(&client, &args, "redrive", out).await,
    }
}

/// Takes an action back.
pub async fn roll_back(args: StepArgs, settings: &Settings, out: &mut Out) -> Result<(), Failure> {
    step(&settings.client()?, &args, "rollback", out).await
}

/// Lets timers run again.
pub async fn timers(
    command: TimersCommand,
    settings: &Settings,
    out: &mut Out,
) -> Result<(), Failure> {
    let TimersCommand::Release { tenant } = command;
    let path = ["api", "v1", "tenants", tenant.as_str(), "timers", "release"];
    let answer: Value = settings.client()?.post(&path, &json!({})).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    let released = text(&answer, "status") == "released";
    Ok(out.line(if released {
        Line::new()
            .tone(Tone::Good, "released")
            .text("; timers run again")
    } else {
        Line::new().text("no timers were held")
    })?)
}

async fn found(client: &Client, action: &ActionId, tenant: &str) -> Result<Value, Failure> {
    let id = action.to_string();
    let query = [("tenant_id", tenant)];
    client.get(&["api", "v1", "actions", &id], &query).await
}

/// The tenant that was named, else the only one that whoever asks has to do with.
async fn tenant(client: &Client, named: Option<&TenantId>) -> Result<String, Failure> {
    if let Some(tenant) = named {
        return Ok(tenant.to_string());
    }
    if let Some(own) = own_tenant(client).await {
        return Ok(own);
    }
    let all: Option<Value> = client.get(&["api", "v1", "tenants"], &[]).await.ok();
    let all = all.as_ref().and_then(|all| all.get("tenants")?.as_array());
    let only = match all.map(Vec::as_slice) {
        Some([only]) => only.get("tenant_id").and_then(Value::as_str),
        _ => None,
    };
    let which = || Failure::usage("there is more than one tenant it could be").hint("--tenant ID");
    only.map(str::to_owned).ok_or_else(which)
}

/// Has something done about an action, and waits for what becomes of it.
async fn step(client: &Client, args: &StepArgs, verb: &str, out: &mut Out) -> Result<(), Failure> {
    let tenant = tenant(client, args.tenant.as_ref()).await?;
    let path = ["api", "v1", "actions", &args.action.to_string(), verb];
    let answer: Value = client.post(&path, &json!({ "tenant_id": tenant })).await?;
    let Ok(id) = text(&answer, "action_id").parse::<ActionId>() else {
        return Err(Failure::unreachable("the server names no action"));
    };
    let wait = Duration::from_secs(args.wait);
    let last = ended(client, &id, &tenant, wait).await?;
    let act = Act(&last);
    if out.is_json() {
        out.json(&last)?;
    } else {
        act.show(out)?;
        if act.is_under_way() {
            out.line(Line::new().tone(
                Tone::Dim,
                format!("it goes on; to look again: vyrox action show {id} --tenant {tenant}"),
            ))?;
        }
    }
    if act.came_to_nothing() {
        return Err(Failure::said(Exit::NotSo));
    }
    Ok(())
}

fn list(answer: &Value, out: &mut Out) -> Result<(), Failure> {
    if out.is_json() {
        return Ok(out.json(answer)?);
    }
    let actions = items(answer, "actions");
    if actions.is_empty() {
        return Ok(out.line("no actions; `vyrox incident list` shows what is proposed")?);
    }
    let rows: Vec<_> = actions.iter().map(|one| Act(one).row()).collect();
    Ok(out.table(
        &["ACTION", "WHAT", "HOST", "STATE", "SINCE", "HOLDS UNTIL"],
        &rows,
    )?)
}

#[cfg(test)]
mod tests;
