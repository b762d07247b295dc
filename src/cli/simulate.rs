//! `vyrox simulate`: signed alerts of a made-up attack, for drills and for load.

use std::time::Duration;

use clap::Args;
use secrecy::SecretString;
use serde_json::{Value, json};
use uuid::Uuid;
use vyrox_domain::{ids::TenantId, vendor::Vendor};

use super::{
    alert::{judged, reason_line, verdict_line},
    client::{Client, WebhookReply},
    failure::Failure,
    load::{self, Plan},
    model::{AlertView, view},
    out::{Line, Out, Tone},
    settings::Settings,
    tenant::spec::secret_from_stdin,
};
use crate::{
    clock,
    scenario::{Occasion, Scenario, StagedAlert},
};

/// Which environment variable holds the webhook's secret.
pub const SECRET_VARIABLE: &str = "VYROX_SIMULATE_SECRET";

/// More playings than this are a load test: counted, not told one by one.
const TOLD_ONE_BY_ONE: u64 = 20;

const EXAMPLES: &str = "\
Examples:
  vyrox simulate --list
  printf %s \"$SECRET\" | vyrox simulate mimikatz --tenant acme --secret-stdin
  VYROX_SIMULATE_SECRET=$SECRET vyrox simulate lateral_chain --tenant acme
  VYROX_SIMULATE_SECRET=$SECRET vyrox simulate benign --tenant acme --count 2000 --rate 40

The webhook must take vyrox-hmac. Its secret was shown by `vyrox tenant add` or `rotate-secret`.";

/// Arguments of `simulate`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SimulateArgs {
    /// What to play
    #[arg(value_enum, required_unless_present = "list")]
    pub scenario: Option<Scenario>,
    /// Show what can be played
    #[arg(long)]
    pub list: bool,
    /// Whom it happens to
    #[arg(long, value_name = "ID", required_unless_present = "list")]
    pub tenant: Option<TenantId>,
    /// Whose EDR reports it, if not the scenario's own
    #[arg(long)]
    pub vendor: Option<Vendor>,
    /// Read the webhook's secret from standard input
    #[arg(long)]
    pub secret_stdin: bool,
    /// How often to play it
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub count: u64,
    /// Alerts a second; as fast as the answers come if left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: Option<u32>,
    /// How long to wait for each verdict
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(..=600))]
    pub wait: u64,
}

/// Plays it.
pub async fn run(args: SimulateArgs, settings: &Settings, out: &mut Out) -> Result<(), Failure> {
    let (Some(scenario), Some(tenant), false) = (args.scenario, &args.tenant, args.list) else {
        return list(out);
    };
    let cast = Cast {
        scenario,
        vendor: args.vendor.unwrap_or_else(|| scenario.vendor()),
        tenant: tenant.clone(),
        secret: secret(args.secret_stdin, settings)?,
        wait: Duration::from_secs(args.wait),
    };
    let client = settings.client()?;
    if args.count > TOLD_ONE_BY_ONE {
        let plan = Plan {
            count: args.count,
            rate: args.rate,
        };
        return load::run(&client, &cast, plan, out).await;
    }
    let mut views = Vec::new();
    for _ in 0..args.count {
        for alert in cast.alerts() {
            let told = tell(&client, &cast, &alert, out).await?;
            views.push(told.view);
            out.gap()?;
        }
    }
    if out.is_json() {
        out.json(&json!({
            "tenant_id": cast.tenant, "scenario": scenario.as_str(), "alerts": views,
        }))?;
    }
    Ok(())
}

/// Who plays what to whom.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) scenario: Scenario,
    pub(super) vendor: Vendor,
    pub(super) tenant: TenantId,
    pub(super) secret: SecretString,
    pub(super) wait: Duration,
}

/// An alert that was sent, taken and judged.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) seq: u64,
    pub(super) hash: String,
    pub(super) view: Value,
}

impl Cast {
    /// The alerts of one new playing.
    pub(super) fn alerts(&self) -> Vec<StagedAlert> {
        let id = Uuid::now_v7().to_string();
        let occasion = Occasion {
            id: &id,
            now: clock::now(),
            tenant: self.tenant.as_str(),
        };
        self.scenario.alerts(self.vendor, occasion)
    }

    /// Sends one alert, signed.
    pub(super) async fn send(
        &self,
        client: &Client,
        alert: &StagedAlert,
    ) -> Result<WebhookReply, Failure> {
        let body = alert.body.to_string().into_bytes();
        client
            .post_webhook(self.tenant.as_str(), alert.vendor, &self.secret, body)
            .await
    }
}

/// Sends one alert, and says what was answered and what it was found to be worth.
pub(super) async fn tell(
    client: &Client,
    cast: &Cast,
    alert: &StagedAlert,
    out: &mut Out,
) -> Result<Told, Failure> {
    out.line(
        Line::named("alert")
            .tone(Tone::Strong, alert.title)
            .tone(Tone::Dim, format!("  ({}, signed)", alert.vendor)),
    )?;
    let reply = cast.send(client, alert).await?;
    let Some(id) = reply.text("alert_id").filter(|_| reply.is_taken()) else {
        return Err(refusal(&reply));
    };
    let seq = reply
        .body
        .pointer("/receipt/seq")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    let hash = reply
        .body
        .pointer("/receipt/hash")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let status = format!("{} {}", reply.status, reply.text("status").unwrap_or("?"));
    out.line(Line::item("answer", status).tone(Tone::Dim, format!("  {id}")))?;
    out.line(Line::item("receipt", format!("seq {seq}")).tone(Tone::Dim, format!("  {hash}")))?;
    let view = judged(client, Some(cast.tenant.as_str()), id, cast.wait).await?;
    show_verdict(&view, out)?;
    Ok(Told {
        seq,
        hash: hash.to_owned(),
        view,
    })
}

fn show_verdict(answer: &Value, out: &mut Out) -> Result<(), Failure> {
    const REASONS: usize = 3;
    let alert: AlertView = view(answer);
    out.line(verdict_line(&alert))?;
    for (index, reason) in alert.reasons.iter().take(REASONS).enumerate() {
        out.line(reason_line(if index == 0 { "because" } else { "" }, reason))?;
    }
    let more = alert.reasons.len().saturating_sub(REASONS);
    if more > 0 {
        out.line(Line::named("").tone(Tone::Dim, format!("and {more} more")))?;
    }
    Ok(())
}

/// What a webhook's refusal means to somebody who plays a sender.
fn refusal(reply: &WebhookReply) -> Failure {
    let code = reply.text("code").unwrap_or("no code");
    if reply.is_taken() && reply.text("status") == Some("quarantined") {
        return Failure::not_so("the server falls over this alert and kept it as evidence alone")
            .hint("`vyrox dead-letter list` says where it fell");
    }
    let failure = Failure::not_so(format!("the alert was refused ({} {code})", reply.status));
    match reply.status {
        401 => failure.hint(
            "is this the webhook's secret, does the tenant have that vendor, and does it take vyrox-hmac?",
        ),
        429 => failure.hint("the tenant's budget is used up; give a lower --rate"),
        _ => match reply.text("detail") {
            Some(detail) => failure.details([detail]),
            None => failure,
        },
    }
}

fn secret(from_stdin: bool, settings: &Settings) -> Result<SecretString, Failure> {
    if let Some(secret) = secret_from_stdin(from_stdin)? {
        return Ok(secret);
    }
    settings
        .variable(SECRET_VARIABLE)
        .map(SecretString::from)
        .ok_or_else(|| {
            Failure::usage("no webhook secret to sign with").hint(format!(
                "give it on standard input with --secret-stdin, or in {SECRET_VARIABLE}; \
             `vyrox tenant rotate-secret` makes a new one"
            ))
        })
}

fn list(out: &mut Out) -> Result<(), Failure> {
    if out.is_json() {
        let known = |scenario: Scenario| {
            json!({
                "scenario": scenario.as_str(),
                "about": scenario.about(),
                "vendor": scenario.vendor(),
                "alerts": scenario.sightings().len(),
            })
        };
        return Ok(out.json(&Scenario::ALL.map(known))?);
    }
    let row = |scenario: Scenario| {
        vec![
            (Tone::Strong, scenario.to_string()),
            (Tone::Plain, scenario.vendor().to_string()),
            (Tone::Plain, scenario.sightings().len().to_string()),
            (Tone::Plain, scenario.about().to_owned()),
        ]
    };
    Ok(out.table(
        &["SCENARIO", "VENDOR", "ALERTS", "WHAT HAPPENS"],
        &Scenario::ALL.map(row),
    )?)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::{
        super::{failure::Exit, fake_server::FakeServer, out::tests::Paper},
        *,
    };

    fn cast() -> Cast {
        Cast {
            scenario: Scenario::Mimikatz,
            vendor: Vendor::Crowdstrike,
            tenant: "acme".parse().unwrap(),
            secret: "s3cret".into(),
            wait: Duration::from_mins(1),
        }
    }

    #[tokio::test]
    async fn an_alert_is_told_with_its_receipt_and_verdict() {
        let server = FakeServer::new(|asked| match asked.line.as_str() {
            "POST /t/acme/webhook/crowdstrike" => {
                let receipt = json!({"seq": 17, "hash": "abcd"});
                (
                    202,
                    json!({"status": "queued", "alert_id": "x", "receipt": receipt}).to_string(),
                )
            }
            _ => (
                200,
                json!({"verdict": "CRITICAL", "confidence_bp": 9000}).to_string(),
            ),
        });
        let (cast, paper) = (cast(), Paper::default());
        let alert = cast.alerts().remove(0);
        let told = tell(&server.client(), &cast, &alert, &mut paper.out(false))
            .await
            .unwrap();
        assert_eq!((told.seq, told.hash.as_str()), (17, "abcd"));
        let expected = "\
alert     Credential dumping from LSASS  (crowdstrike, signed)
answer    202 queued  x
receipt   seq 17  abcd
verdict   CRITICAL  90.00 % sure
";
        assert_eq!(paper.text(), expected);
    }

    #[tokio::test]
    async fn a_refused_alert_ends_the_story() {
        let server = FakeServer::new(|_| (401, json!({"code": "invalid_signature"}).to_string()));
        let (cast, mut out) = (cast(), Paper::default().out(false));
        let alert = cast.alerts().remove(0);
        let failure = tell(&server.client(), &cast, &alert, &mut out)
            .await
            .unwrap_err();
        assert_eq!(failure.exit(), Exit::NotSo);
        assert_eq!(server.asked().len(), 1);
    }

    #[tokio::test]
    async fn a_load_counts_its_answers() {
        let count = AtomicU64::new(0);
        let server = FakeServer::new(move |_| match count.fetch_add(1, Ordering::Relaxed) % 3 {
            0 => (429, json!({"code": "rate_limited"}).to_string()),
            _ => (202, json!({"status": "queued"}).to_string()),
        });
        let (plan, paper) = (
            Plan {
                count: 30,
                rate: Some(10_000),
            },
            Paper::default(),
        );
        load::run(&server.client(), &cast(), plan, &mut paper.out(true))
            .await
            .unwrap();
        let summary: Value = serde_json::from_str(&paper.text()).unwrap();
        assert_eq!(summary["accepted"], 20);
        assert_eq!(summary["refused"], json!({"429 rate_limited": 10}));
        let mut bodies: Vec<_> = server.asked().into_iter().map(|asked| asked.body).collect();
        bodies.sort();
        bodies.dedup();
        assert_eq!(bodies.len(), 30, "every playing has an id of its own");
    }

    #[test]
    fn the_list_names_every_scenario() {
        let paper = Paper::default();
        list(&mut paper.out(false)).unwrap();
        for scenario in Scenario::ALL {
            assert!(paper.text().contains(scenario.about()), "{scenario}");
        }
        assert_eq!(paper.text().lines().count(), 1 + Scenario::ALL.len());
    }

    #[test]
    fn a_refused_signature_says_what_to_look_at() {
        let reply = WebhookReply {
            status: 401,
            body: json!({"code": "invalid_signature"}),
        };
        let text = refusal(&reply).to_string();
        assert!(text.contains("401 invalid_signature"), "{text}");
        assert!(text.contains("secret"), "{text}");
    }
}
