//! `vyrox incident`: alerts that belong together, and what is proposed about them.

use clap::{Args, Subcommand};
use serde_json::Value;
use vyrox_domain::{
    ids::{IncidentId, TenantId},
    time::Timestamp,
};

use super::{
    alert::verdict_tone,
    decide::show_proposal,
    failure::Failure,
    members::{items, number, text, texts},
    out::{Line, Out, Tone},
    settings::Settings,
};

/// What can be asked about incidents.
#[derive(Debug, Subcommand)]
pub enum IncidentCommand {
    /// List a tenant's open incidents, the newest first
    #[command(after_help = LIST_HELP)]
    List(ListArgs),
    /// Show one incident: what ties it together, how far the attack is, what is proposed
    #[command(after_help = SHOW_HELP)]
    Show(ShowArgs),
}

/// Arguments of `incident list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Whose incidents
    #[arg(long, value_name = "ID")]
    pub tenant: TenantId,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub limit: u32,
}

/// Arguments of `incident show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The incident
    #[arg(value_name = "INCIDENT")]
    pub incident: IncidentId,
    /// Whose
    #[arg(long, value_name = "ID")]
    pub tenant: TenantId,
}

const LIST_HELP: &str = "\
Alerts belong together where they share a machine, a process tree, an account, a file or the vendor's
own id within half an hour. Quiet ones (LOW) are followed too, and show up once they get worse.

Examples:
  vyrox incident list --tenant acme
  vyrox incident list --tenant acme --json | jq '.incidents[] | {level, hosts, alerts}'";

const SHOW_HELP: &str = "\
Examples:
  vyrox incident show 0198c5a1-55c2-7d11-9c70-aa0b10a7c001 --tenant acme";

/// Does what was asked.
pub async fn run(
    command: IncidentCommand,
    settings: &Settings,
    out: &mut Out,
) -> Result<(), Failure> {
    let client = settings.client()?;
    match command {
        IncidentCommand::List(args) => {
            let limit = args.limit.to_string();
            let query = [("tenant_id", args.tenant.as_str()), ("limit", &limit)];
            let answer: Value = client.get(&["api", "v1", "incidents"], &query).await?;
            list(&answer, out)
        }
        IncidentCommand::Show(args) => {
            let query = [("tenant_id", args.tenant.as_str())];
            let id = args.incident.to_string();
            let answer: Value = client.get(&["api", "v1", "incidents", &id], &query).await?;
            show(&answer, out)
        }
    }
}

fn list(answer: &Value, out: &mut Out) -> Result<(), Failure> {
    if out.is_json() {
        return Ok(out.json(answer)?);
    }
    let incidents = items(answer, "incidents");
    if incidents.is_empty() {
        return Ok(out.line("no open incidents")?);
    }
    let row = |one: &Value| {
        let waiting = items(one, "proposals");
        let waiting = waiting
            .iter()
            .filter(|it| text(it, "standing") == "waiting")
            .count();
        vec![
            (Tone::Plain, text(one, "incident_id").to_owned()),
            (
                verdict_tone(text(one, "level")),
                text(one, "level").to_owned(),
            ),
            (Tone::Plain, number(one, "alerts").to_string()),
            (Tone::Plain, texts(one, "hosts").join(", ")),
            (Tone::Plain, waiting.to_string()),
            (Tone::Plain, text(one, "title").to_owned()),
        ]
    };
    let rows: Vec<_> = incidents.iter().map(row).collect();
    Ok(out.table(
        &["INCIDENT", "LEVEL", "ALERTS", "HOSTS", "WAITING", "TITLE"],
        &rows,
    )?)
}

fn show(one: &Value, out: &mut Out) -> Result<(), Failure> {
    if out.is_json() {
        return Ok(out.json(one)?);
    }
    let level = text(one, "level");
    out.line(Line::named("incident").tone(Tone::Strong, text(one, "incident_id")))?;
    out.line(Line::named("level").tone(verdict_tone(level), level))?;
    out.line(Line::item("title", text(one, "title")))?;
    out.line(Line::item("hosts", texts(one, "hosts").join(", ")))?;
    let (alerts, folded) = (number(one, "alerts"), number(one, "folded"));
    let counts = format!("{alerts}, {folded} of them without a message of their own");
    out.line(Line::item("alerts", counts))?;
    for (name, member) in [
        ("linked by", "linked_by"),
        ("because", "reasons"),
        ("tactics", "tactics"),
        ("ATT&CK", "techniques"),
    ] {
        let items = texts(one, member).join(", ");
        if !items.is_empty() {
            out.line(Line::item(name, items))?;
        }
    }
    let opened = Timestamp::from_ms(number(one, "opened_at_ms")).to_string();
    out.line(Line::item("since", opened))?;
    if let Some(closed) = one.get("closed").and_then(Value::as_str) {
        out.line(Line::item("closed", closed))?;
    }
    for proposal in items(one, "proposals") {
        out.gap()?;
        show_proposal(proposal, out)?;
        out.line(Line::item("alert", text(proposal, "alert_id")))?;
    }
    Ok(())
}
