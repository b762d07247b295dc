//! `vyrox halt`: stops all containment, and lets it go on.

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use vyrox_domain::{ids::TenantId, time::Timestamp};

use super::{
    client::Client,
    failure::Failure,
    model::view,
    out::{Line, Out, Tone},
    settings::Settings,
};

/// What to do after `halt`.
pub const HALT_HELP: &str = "\
From now on nothing new is sent to any EDR, in approvals, in rollbacks, by your own services or by a
timer. What was sent already is followed to its end, and what is contained stays so: a halt lifts
nothing. Alerts are taken, judged and shown as ever. It holds over restarts until somebody lifts it, and
the host's chain says who threw it and why.

The halt of all tenants and that of one are two switches: lifting one leaves the other where it is.

Examples:
  vyrox halt --reason 'a wrong rule contains file servers'
  vyrox halt acme --reason 'their maintenance window'
  vyrox halt --show
  vyrox halt --lift acme
  vyrox halt --lift";

/// Arguments of `halt`.
#[derive(Debug, Args)]
pub struct HaltArgs {
    /// One tenant; all of them if left out
    #[arg(value_name = "TENANT")]
    pub tenant: Option<TenantId>,
    /// Why, 1 to 500 characters
    #[arg(long, value_name = "TEXT", required_unless_present_any = ["lift", "show"])]
    pub reason: Option<String>,
    /// Let it go on
    #[arg(long)]
    pub lift: bool,
    /// Show what is halted, and change nothing
    #[arg(long, conflicts_with_all = ["lift", "reason", "tenant"])]
    pub show: bool,
}

/// Does what was asked.
pub async fn run(args: HaltArgs, settings: &Settings, out: &mut Out) -> Result<(), Failure> {
    let client = settings.client()?;
    let answer = asked(&client, &args).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    show(&view(&answer), out)
}

async fn asked(client: &Client, args: &HaltArgs) -> Result<Value, Failure> {
    let path = ["api", "v1", "halt"];
    let tenant = args.tenant.as_ref().map(TenantId::as_str);
    if args.show {
        return client.get(&path, &[]).await;
    }
    if args.lift {
        let members = [("tenant_id", tenant), ("reason", args.reason.as_deref())];
        let query: Vec<_> = members
            .into_iter()
            .filter_map(|(name, text)| Some((name, text?)))
            .collect();
        return client.delete_where(&path, &query).await;
    }
    let request = json!({ "tenant_id": tenant, "reason": args.reason });
    client.post(&path, &request).await
}

/// What is halted.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Standing {
    halted: bool,
    halt: Option<Halt>,
    tenants: Vec<Halt>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Halt {
    tenant_id: Option<String>,
    since_ms: u64,
    reason: String,
    by: String,
}

fn show(standing: &Standing, out: &mut Out) -> Result<(), Failure> {
    if !standing.halted && standing.tenants.is_empty() {
        return Ok(out.line(Line::new().tone(Tone::Good, "containment goes on everywhere"))?);
    }
    let halts = standing.halt.iter().chain(&standing.tenants);
    let row = |halt: &Halt| {
        let whom = halt.tenant_id.clone();
        vec![
            (Tone::Bad, whom.unwrap_or_else(|| "all tenants".into())),
            (Tone::Plain, Timestamp::from_ms(halt.since_ms).to_string()),
            (Tone::Plain, halt.by.clone()),
            (Tone::Plain, halt.reason.clone()),
        ]
    };
    let rows: Vec<_> = halts.map(row).collect();
    Ok(out.table(&["HALTED", "SINCE", "BY", "WHY"], &rows)?)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{
        super::{Cli, Command, fake_server::FakeServer, out::tests::Paper},
        *,
    };

    fn args(rest: &[&str]) -> HaltArgs {
        let line = ["vyrox", "halt"].iter().chain(rest);
        match Cli::try_parse_from(line).unwrap().command {
            Command::Halt(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn each_way_of_the_switch_is_one_request() {
        let server = FakeServer::new(|_| (200, "{}".into()));
        let client = server.client();
        for (rest, line, body) in [
            (
                &["--reason", "a wrong rule"][..],
                "POST /api/v1/halt",
                json!({ "tenant_id": null, "reason": "a wrong rule" }),
            ),
            (
                &["acme", "--reason", "why"],
                "POST /api/v1/halt",
                json!({ "tenant_id": "acme", "reason": "why" }),
            ),
            (&["--show"], "GET /api/v1/halt", Value::Null),
            (&["--lift"], "DELETE /api/v1/halt", Value::Null),
            (
                &["--lift", "acme"],
                "DELETE /api/v1/halt?tenant_id=acme",
                Value::Null,
            ),
            (
                &["acme", "--lift", "--reason", "all is well"],
                "DELETE /api/v1/halt?tenant_id=acme&reason=all+is+well",
                Value::Null,
            ),
        ] {
            asked(&client, &args(rest)).await.unwrap();
            let asked = server.asked().pop().unwrap();
            assert_eq!(asked.line, line);
            let sent: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
            assert_eq!(sent, body);
        }
    }

    #[test]
    fn what_is_halted_is_shown_with_who_and_why() {
        let standing = json!({
            "halted": true,
            "halt": { "since_ms": 1_768_473_000_000_u64, "reason": "a wrong rule", "by": "api_token:bootstrap" },
            "tenants": [
                { "tenant_id": "acme", "since_ms": 1_768_473_000_000_u64, "reason": "why", "by": "x" },
            ],
        });
        let paper = Paper::default();
        show(&view(&standing), &mut paper.out(false)).unwrap();
        let expected = "\
HALTED       SINCE                     BY                   WHY
all tenants  2026-01-15T10:30:00.000Z  api_token:bootstrap  a wrong rule
acme         2026-01-15T10:30:00.000Z  x                    why
";
        assert_eq!(paper.text(), expected);
        let paper = Paper::default();
        show(&Standing::default(), &mut paper.out(false)).unwrap();
        assert_eq!(paper.text(), "containment goes on everywhere\n");
    }
}
