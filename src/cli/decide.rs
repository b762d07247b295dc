//! `vyrox approve` and `vyrox deny`: a person's decision about a proposed action, without chat.

use clap::Args;
use serde_json::{Value, json};
use vyrox_domain::{
    action::ActionType,
    ids::{AlertId, IncidentId, TenantId},
};

use super::{
    action::Act,
    client::Client,
    failure::Failure,
    members::{text, texts},
    out::{Line, Out, Tone},
    settings::Settings,
};

/// Arguments of `approve`.
#[derive(Debug, Args)]
#[command(after_help = APPROVE_HELP)]
pub struct ApproveArgs {
    #[command(flatten)]
    about: About,
    /// Skip the second person: name the incident that this is about
    #[arg(long, value_name = "INCIDENT", requires = "reason")]
    pub break_glass: Option<IncidentId>,
    /// Why the second person is skipped, 16 to 1024 characters; kept as evidence
    #[arg(long, value_name = "TEXT", requires = "break_glass")]
    pub reason: Option<String>,
}

/// Arguments of `deny`.
#[derive(Debug, Args)]
#[command(after_help = DENY_HELP)]
pub struct DenyArgs {
    #[command(flatten)]
    about: About,
    /// Why not, at most 1024 characters; kept as evidence
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// What is decided about.
#[derive(Debug, Args)]
pub struct About {
    /// The alert that led to the action
    #[arg(value_name = "ALERT")]
    pub alert: AlertId,
    /// Whose alert it is; found by itself if left out
    #[arg(long, value_name = "ID")]
    pub tenant: Option<TenantId>,
    /// The whole digest of the action's manifest; without it the action is shown and nothing is decided
    #[arg(long, value_name = "SHA256")]
    pub digest: Option<String>,
}

const APPROVE_HELP: &str = "\
Takes a token of a person (`vyrox person token`), in VYROX_TOKEN or with --token: the bootstrap token
cannot approve. What is approved is the manifest with that digest and nothing else; if the proposal has
changed since, the answer is `digest_mismatch`.

Examples:
  vyrox approve 0198c5a0-9b1e-7c40-8a53-0f5cf1f6c9aa
        shows what is proposed, with its digest
  vyrox approve 0198c5a0-9b1e-7c40-8a53-0f5cf1f6c9aa --digest 5f0e…
  vyrox approve 0198c5a0-… --digest 5f0e… --break-glass 0198c5a1-… --reason 'second approver unreachable'";

const DENY_HELP: &str = "\
Examples:
  vyrox deny 0198c5a0-9b1e-7c40-8a53-0f5cf1f6c9aa --digest 5f0e… --reason 'planned test of the red team'";

/// Says yes.
pub async fn approve(args: ApproveArgs, settings: &Settings, out: &mut Out) -> Result<(), Failure> {
    let client = settings.client()?;
    let found = found(&client, &args.about, "approve", out).await?;
    let Some(Found { tenant, digest }) = found else {
        return Ok(());
    };
    let (verb, body) = match (args.break_glass, args.reason) {
        (Some(incident), Some(reason)) => (
            "break-glass",
            json!({ "tenant_id": tenant, "manifest_sha256": digest, "incident_id": incident, "reason": reason }),
        ),
        _ => (
            "approve",
            json!({ "tenant_id": tenant, "manifest_sha256": digest }),
        ),
    };
    tell(&client, (&args.about.alert, verb), &body, out).await
}

/// Says no.
pub async fn deny(args: DenyArgs, settings: &Settings, out: &mut Out) -> Result<(), Failure> {
    let client = settings.client()?;
    let found = found(&client, &args.about, "deny", out).await?;
    let Some(Found { tenant, digest }) = found else {
        return Ok(());
    };
    let body = json!({ "tenant_id": tenant, "manifest_sha256": digest, "reason": args.reason });
    tell(&client, (&args.about.alert, "deny"), &body, out).await
}

struct Found {
    tenant: String,
    digest: String,
}

/// The tenant and the digest; `None` once the action was only shown.
async fn found(
    client: &Client,
    about: &About,
    verb: &str,
    out: &mut Out,
) -> Result<Option<Found>, Failure> {
    if let (Some(tenant), Some(digest)) = (&about.tenant, &about.digest) {
        return Ok(Some(Found {
            tenant: tenant.to_string(),
            digest: digest.clone(),
        }));
    }
    let alert = about.alert.to_string();
    let tenant = match &about.tenant {
        Some(tenant) => Some(tenant.to_string()),
        None => own_tenant(client).await,
    };
    let mut query = Vec::new();
    query.extend(tenant.as_deref().map(|tenant| ("tenant_id", tenant)));
    let shown: Value = client.get(&["api", "v1", "alerts", &alert], &query).await?;
    let tenant = text(&shown, "tenant_id").to_owned();
    if let Some(digest) = &about.digest {
        let digest = digest.clone();
        return Ok(Some(Found { tenant, digest }));
    }
    let Some(proposal) = shown.get("proposal").filter(|it| it.is_object()) else {
        return Err(Failure::not_so(format!(
            "nothing is proposed for alert {alert}"
        )));
    };
    if out.is_json() {
        out.json(proposal)?;
        return Ok(None);
    }
    show_proposal(proposal, out)?;
    let digest = text(proposal, "manifest_sha256");
    out.line(Line::new().tone(
        Tone::Dim,
        format!("nothing was decided; to do so: vyrox {verb} {alert} --tenant {tenant} --digest {digest}"),
    ))?;
    Ok(None)
}

/// The tenant of whoever shows a personal token, where that is one alone.
pub(super) async fn own_tenant(client: &Client) -> Option<String> {
    let me: Value = client.get(&["api", "v1", "me"], &[]).await.ok()?;
    let mut tenants = me.get("roles")?.as_object()?.keys();
    let only = tenants.next()?.clone();
    tenants.next().is_none().then_some(only)
}

/// What is proposed, as somebody must see it who decides.
pub(super) fn show_proposal(proposal: &Value, out: &mut Out) -> Result<(), Failure> {
    let rehearsal = proposal.get("dry_run").and_then(Value::as_bool);
    let mode = if rehearsal == Some(false) {
        "LIVE: the EDR will be told"
    } else {
        "dry run: nothing is sent to the EDR"
    };
    out.line(
        Line::named("proposal")
            .tone(Tone::Strong, text(proposal, "action_type"))
            .text(format!("  {}", text(proposal, "standing"))),
    )?;
    out.line(Line::item("target", text(proposal, "target_urn")))?;
    for (name, value) in object(proposal) {
        out.line(Line::item(name, value))?;
    }
    if is_everywhere(proposal) {
        out.line(Line::named("reach").tone(Tone::Warn, "on every machine of the tenant"))?;
    }
    out.line(Line::item("mode", mode))?;
    if let Some(protected) = proposal.get("protected").and_then(Value::as_str) {
        out.line(Line::named("protected").tone(Tone::Bad, protected))?;
    }
    out.line(Line::item("playbook", text(proposal, "playbook")))?;
    out.line(Line::item("digest", text(proposal, "manifest_sha256")))?;
    let Some(act) = proposal.get("act").filter(|it| it.is_object()) else {
        return Ok(());
    };
    out.line(Line::item("action", text(proposal, "action_id")))?;
    Act(act).show_state(out)
}

/// What of the target is meant: a process, a file's digest.
fn object(proposal: &Value) -> impl Iterator<Item = (&str, &str)> {
    let parameters = proposal.get("parameters").and_then(Value::as_object);
    let parameters = parameters.into_iter().flatten();
    parameters.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()))
}

fn is_everywhere(proposal: &Value) -> bool {
    let action = text(proposal, "action_type").parse::<ActionType>();
    action.is_ok_and(ActionType::is_everywhere)
}

async fn tell(
    client: &Client,
    (alert, verb): (&AlertId, &str),
    body: &Value,
    out: &mut Out,
) -> Result<(), Failure> {
    let path = ["api", "v1", "alerts", &alert.to_string(), verb];
    let answer: Value = client.post(&path, body).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    let line = match text(&answer, "status") {
        "approved" => Line::new().tone(Tone::Good, "approved").text(by(&answer)),
        "denied" => Line::new().tone(Tone::Good, "denied").text(by(&answer)),
        "second_person_needed" => Line::new()
            .tone(Tone::Warn, "counted")
            .text("; a second person has to approve as well"),
        other => Line::new().text(other),
    };
    out.line(line)?;
    let tenant = text(body, "tenant_id");
    let next = match text(&answer, "status") {
        "approved" => format!("what becomes of it: vyrox alert show {alert} --tenant {tenant}"),
        "second_person_needed" => "when it takes two: vyrox policy show".to_owned(),
        _ => return Ok(()),
    };
    Ok(out.line(Line::new().tone(Tone::Dim, next))?)
}

fn by(answer: &Value) -> String {
    format!(" by {}", texts(answer, "by").join(" and "))
}
