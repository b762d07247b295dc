//! `vyrox alert erase`: people, command lines and the body as it came, gone for ever.

use clap::Args;
use serde::Deserialize;
use serde_json::Value;
use vyrox_domain::ids::{AlertId, TenantId};

use crate::cli::{
    client::Client,
    failure::Failure,
    model::view,
    out::{Line, Out, Tone},
};

pub(super) const EXAMPLES: &str = "\
What is erased: the alert as it was read, the body as it came, what the EDR's API added, and the reasons
that people gave when they decided about it. What stays: the chain, in which each of these stands with
its digest and length, the host, techniques, verdict and decisions. Backups and mirrors keep what they
have, and so do the EDR and chat.

Examples:
  vyrox alert erase 0198c5a0-9b1e-7c40-8a53-0f5cf1f6c9aa --tenant acme --reason 'request 2026-14' --yes
  vyrox alert erase 0198c5a0-9b1e-7c40-8a53-0f5cf1f6c9aa --tenant acme --reason 'request 2026-14' --shared --yes";

/// Arguments of `alert erase`.
#[derive(Debug, Args)]
pub struct EraseArgs {
    /// The alert's id
    #[arg(value_name = "ALERT")]
    pub alert: AlertId,
    /// Whose alert it is; found by itself if left out
    #[arg(long, value_name = "ID")]
    pub tenant: Option<TenantId>,
    /// Why, 1 to 500 characters; it stands on the chain
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Erase the evidence of the alerts that came in the same body as well
    #[arg(long)]
    pub shared: bool,
    /// Say that it is meant: nothing brings the evidence back
    #[arg(long)]
    pub yes: bool,
}

/// Does it.
pub(super) async fn run(client: &Client, args: &EraseArgs, out: &mut Out) -> Result<(), Failure> {
    if !args.yes {
        return Err(Failure::usage(
            "nothing brings erased evidence back; say --yes if it is meant",
        ));
    }
    let answer = asked(client, args).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    show(&view(&answer), out)
}

async fn asked(client: &Client, args: &EraseArgs) -> Result<Value, Failure> {
    let alert = args.alert.to_string();
    let tenant = match &args.tenant {
        Some(tenant) => tenant.to_string(),
        None => owner(client, &alert).await?,
    };
    let path = [
        "api", "v1", "tenants", &tenant, "alerts", &alert, "evidence",
    ];
    let mut query = vec![("reason", args.reason.as_str())];
    query.extend(args.shared.then_some(("shared", "true")));
    client.delete_where(&path, &query).await
}

async fn owner(client: &Client, alert: &str) -> Result<String, Failure> {
    #[derive(Deserialize)]
    struct Owned {
        tenant_id: String,
    }
    let owned: Owned = client.get(&["api", "v1", "alerts", alert], &[]).await?;
    Ok(owned.tenant_id)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Erased {
    status: String,
    alerts: Vec<String>,
    bytes: u64,
    copies: Vec<String>,
}

fn show(erased: &Erased, out: &mut Out) -> Result<(), Failure> {
    match erased.status.as_str() {
        "erased_before" => {
            return Ok(out.line(Line::new().tone(Tone::Good, "it was erased before"))?);
        }
        "under_way" => {
            let text = "it is written down and under way; nobody can read the evidence any more";
            return Ok(out.line(Line::new().tone(Tone::Warn, text))?);
        }
        _ => out.line(Line::named("erased").tone(Tone::Good, format!("{} bytes", erased.bytes)))?,
    }
    for alert in &erased.alerts {
        out.line(Line::item("of alert", alert))?;
    }
    for copy in &erased.copies {
        out.line(Line::item("may hold a copy", copy))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::{fake_server::FakeServer, out::tests::Paper};

    const ALERT: &str = "0198c5a0-9b1e-7c40-8a53-0f5cf1f6c9aa";

    fn args(tenant: Option<&str>, shared: bool, yes: bool) -> EraseArgs {
        EraseArgs {
            alert: ALERT.parse().unwrap(),
            tenant: tenant.map(|id| id.parse().unwrap()),
            reason: "a request".into(),
            shared,
            yes,
        }
    }

    #[tokio::test]
    async fn it_is_one_request_and_only_if_it_is_meant() {
        let server = FakeServer::new(|_| (200, json!({ "tenant_id": "globex" }).to_string()));
        let client = server.client();
        let paper = Paper::default();
        let unmeant = args(Some("acme"), false, false);
        run(&client, &unmeant, &mut paper.out(false))
            .await
            .unwrap_err();
        assert!(
            server.asked().is_empty(),
            "nothing is sent that is not meant"
        );
        for (args, line) in [
            (
                args(Some("acme"), false, true),
                "acme/alerts/A/evidence?reason=a+request",
            ),
            (
                args(None, true, true),
                "globex/alerts/A/evidence?reason=a+request&shared=true",
            ),
        ] {
            asked(&client, &args).await.unwrap();
            let line = format!("DELETE /api/v1/tenants/{}", line.replace('A', ALERT));
            assert_eq!(server.asked().pop().unwrap().line, line);
        }
    }

    #[test]
    fn what_is_gone_is_told_with_what_may_be_left() {
        let erased = json!({
            "status": "erased", "alerts": [ALERT], "bytes": 812, "copies": ["damaged-7"],
        });
        let paper = Paper::default();
        show(&view(&erased), &mut paper.out(false)).unwrap();
        let text = paper.text();
        for part in ["812 bytes", ALERT, "damaged-7"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
