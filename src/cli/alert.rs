//! `vyrox alert`: what came in, and what it is worth.

mod erase;

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};
use vyrox_domain::{
    ids::{AlertId, TenantId},
    time::Timestamp,
};

use super::{
    client::Client,
    decide::{own_tenant, show_proposal},
    failure::Failure,
    model::{AlertPage, AlertView, Reason, view},
    out::{Line, Out, Tone},
    settings::Settings,
};

/// What can be asked about alerts.
#[derive(Debug, Subcommand)]
pub enum AlertCommand {
    /// List a tenant's alerts, newest first
    #[command(after_help = LIST_EXAMPLES)]
    List(ListArgs),
    /// Show one alert: verdict, reasons, history
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowArgs),
    /// Erase an alert's evidence for ever; the chain stays and verifies
    #[command(after_help = erase::EXAMPLES)]
    Erase(erase::EraseArgs),
}

const LIST_EXAMPLES: &str = "\
Examples:
  vyrox alert list --tenant acme
  vyrox alert list --tenant acme --limit 500 --json | jq '.alerts[] | select(.verdict == \"CRITICAL\")'";

const SHOW_EXAMPLES: &str = "\
Examples:
  vyrox alert show 0198c5a0-9b1e-7c40-8a53-0f5cf1f6c9aa
  vyrox alert show 0198c5a0-9b1e-7c40-8a53-0f5cf1f6c9aa --tenant acme --json";

/// Arguments of `alert list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Whose alerts
    #[arg(long, value_name = "ID")]
    pub tenant: TenantId,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Go on where an earlier list ended, at its `next`
    #[arg(long, value_name = "CURSOR")]
    pub before: Option<String>,
}

/// Arguments of `alert show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The alert's id, as its receipt gave it
    #[arg(value_name = "ALERT")]
    pub alert: AlertId,
    /// Whose alert it is; found by itself if left out
    #[arg(long, value_name = "ID")]
    pub tenant: Option<TenantId>,
    /// How long to wait for a verdict
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(..=600))]
    pub wait: u64,
}

/// The most alerts asked for at once.
const PAGE: u32 = 500;
/// The longest that the server is asked to hold one answer back.
const WAIT_AT_ONCE: Duration = Duration::from_secs(5);
/// The shortest time between two questions about the same alert.
const PAUSE: Duration = Duration::from_millis(50);

/// Does what was asked.
pub async fn run(command: AlertCommand, settings: &Settings, out: &mut Out) -> Result<(), Failure> {
    let client = settings.client()?;
    match command {
        AlertCommand::List(args) => list(&client, &args, out).await,
        AlertCommand::Show(args) => show(&client, &args, out).await,
        AlertCommand::Erase(args) => erase::run(&client, &args, out).await,
    }
}

async fn list(client: &Client, args: &ListArgs, out: &mut Out) -> Result<(), Failure> {
    let page = pages(client, args).await?;
    if out.is_json() {
        return Ok(out.json(&page)?);
    }
    if page.alerts.is_empty() {
        return Ok(out.line("no alerts; `vyrox simulate mimikatz --tenant ID` sends one")?);
    }
    let alerts: Vec<AlertView> = page.alerts.iter().map(view).collect();
    let rows: Vec<_> = alerts.iter().map(list_row).collect();
    out.table(
        &[
            "ALERT", "VENDOR", "HOST", "STATUS", "VERDICT", "SURE", "WHY",
        ],
        &rows,
    )?;
    match page.next {
        Some(cursor) => {
            Ok(out.line(Line::new().tone(Tone::Dim, format!("more: --before {cursor}")))?)
        }
        None => Ok(()),
    }
}

/// Follows the server's pages until the limit is reached or there are no more.
async fn pages(client: &Client, args: &ListArgs) -> Result<AlertPage, Failure> {
    let mut all = AlertPage {
        alerts: Vec::new(),
        next: args.before.clone(),
    };
    loop {
        let missing = args
            .limit
            .saturating_sub(u32::try_from(all.alerts.len()).unwrap_or(u32::MAX));
        let limit = missing.min(PAGE).to_string();
        let mut query = vec![
            ("tenant_id", args.tenant.as_str()),
            ("limit", limit.as_str()),
        ];
        if let Some(cursor) = &all.next {
            query.push(("before", cursor));
        }
        let page: AlertPage = client.get(&["api", "v1", "alerts"], &query).await?;
        let came = page.alerts.len();
        all.alerts.extend(page.alerts);
        all.next = page.next;
        if all.next.is_none() || came == 0 || all.alerts.len() >= args.limit as usize {
            return Ok(all);
        }
    }
}

async fn show(client: &Client, args: &ShowArgs, out: &mut Out) -> Result<(), Failure> {
    let wait = Duration::from_secs(args.wait);
    // A personal token is answered only about a tenant that is named.
    let tenant = match &args.tenant {
        Some(tenant) => Some(tenant.to_string()),
        None => own_tenant(client).await,
    };
    let answer = judged(client, tenant.as_deref(), &args.alert.to_string(), wait).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    show_alert(&view(&answer), out)
}

/// The alert as soon as it has a verdict, or as it is after `wait`.
pub(super) async fn judged(
    client: &Client,
    tenant: Option<&str>,
    alert: &str,
    wait: Duration,
) -> Result<Value, Failure> {
    let until = Instant::now() + wait;
    loop {
        let asked = Instant::now();
        let left = until.saturating_duration_since(asked).min(WAIT_AT_ONCE);
        let wait_ms = left.as_millis().to_string();
        let mut query = vec![("wait_ms", wait_ms.as_str()), ("evidence", "true")];
        query.extend(tenant.map(|tenant| ("tenant_id", tenant)));
        let answer: Value = client.get(&["api", "v1", "alerts", alert], &query).await?;
        if answer.get("verdict").is_some_and(Value::is_string) || Instant::now() >= until {
            return Ok(answer);
        }
        sleep_until(asked + PAUSE).await;
    }
}

/// An alert with everything that is known about it.
pub(super) fn show_alert(alert: &AlertView, out: &mut Out) -> Result<(), Failure> {
    out.line(Line::named("alert").tone(Tone::Strong, &alert.alert_id))?;
    out.line(Line::item("tenant", &alert.tenant_id))?;
    out.line(Line::item(
        "from",
        format!("{}  {}", alert.vendor, alert.vendor_alert_id),
    ))?;
    if let Some(host) = &alert.host {
        out.line(Line::item("host", host))?;
    }
    out.line(Line::item("status", &alert.status))?;
    out.line(verdict_line(alert))?;
    if let Some(said) = alert.evidence.as_deref().and_then(evidence_said) {
        out.line(Line::named("evidence").tone(Tone::Bad, said))?;
    }
    if let Some(incident) = &alert.incident_id {
        out.line(Line::item("incident", incident))?;
    }
    for (index, reason) in alert.reasons.iter().enumerate() {
        out.line(reason_line(if index == 0 { "because" } else { "" }, reason))?;
    }
    if let Some(proposal) = alert.proposal.as_ref().filter(|it| it.is_object()) {
        show_proposal(proposal, out)?;
    }
    for (index, step) in alert.history.iter().enumerate() {
        let seq = step
            .seq
            .map_or_else(String::new, |seq| format!("seq {seq:<6} "));
        let when = step
            .timestamp_ms
            .map_or_else(String::new, |ms| Timestamp::from_ms(ms).to_string());
        let line = Line::named(if index == 0 { "history" } else { "" });
        out.line(
            line.text(format!("{seq}{:<18} ", step.event))
                .tone(Tone::Dim, when),
        )?;
    }
    Ok(())
}

/// What is worth a line about what is left of it.
fn evidence_said(left: &str) -> Option<&'static str> {
    match left {
        "damaged" => Some("damaged: it had some, and what is left does not prove itself"),
        "erased" => Some("erased"),
        _ => None,
    }
}

/// `verdict   CRITICAL  93.40 % sure`
pub(super) fn verdict_line(alert: &AlertView) -> Line {
    match &alert.verdict {
        Some(verdict) => Line::named("verdict")
            .tone(verdict_tone(verdict), format!("{verdict:<8}"))
            .text(format!("  {} sure", percent(alert.confidence_bp))),
        None => Line::named("verdict").tone(Tone::Warn, "not yet"),
    }
}

/// One rule, what it weighs and what it looked at.
pub(super) fn reason_line(name: &str, reason: &Reason) -> Line {
    let benign = reason.leaning == "benign";
    let (tone, sign) = if benign {
        (Tone::Good, '-')
    } else {
        (Tone::Bad, '+')
    };
    let mut line = Line::named(name)
        .tone(tone, format!("{sign}{:<5} ", reason.weight_bp))
        .text(&reason.title);
    for (open, list, close) in [
        ("  ", &reason.techniques, ""),
        ("  (", &reason.matched, ")"),
    ] {
        if !list.is_empty() {
            line = line.tone(Tone::Dim, format!("{open}{}{close}", list.join(", ")));
        }
    }
    line
}

/// How loud a verdict is.
pub(super) fn verdict_tone(verdict: &str) -> Tone {
    match verdict {
        "CRITICAL" | "HIGH" => Tone::Bad,
        "MEDIUM" => Tone::Warn,
        "LOW" | "BENIGN" => Tone::Good,
        _ => Tone::Plain,
    }
}

fn list_row(alert: &AlertView) -> Vec<(Tone, String)> {
    let verdict = alert.verdict.clone().unwrap_or_default();
    let why = alert
        .reasons
        .first()
        .map(|reason| reason.title.clone())
        .unwrap_or_default();
    let sure = if alert.verdict.is_some() {
        percent(alert.confidence_bp)
    } else {
        String::new()
    };
    vec![
        (Tone::Plain, alert.alert_id.clone()),
        (Tone::Plain, alert.vendor.clone()),
        (Tone::Plain, alert.host.clone().unwrap_or_default()),
        (Tone::Plain, alert.status.clone()),
        (verdict_tone(&verdict), verdict),
        (Tone::Plain, sure),
        (Tone::Plain, why),
    ]
}

/// Basis points as people read them.
fn percent(basis_points: Option<u32>) -> String {
    let bp = basis_points.unwrap_or_default();
    format!("{}.{:02} %", bp / 100, bp % 100)
}

#[cfg(test)]
mod tests;
