//! The demonstration: a tenant, attacks over real HTTP with real signatures, what is done about one of
//! them where stand-ins of the EDRs are at hand, and the proof of it all.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use secrecy::SecretString;
use serde_json::{Value, json};
use vyrox_domain::{ids::TenantId, vendor::Vendor};

use super::{
    client::Client,
    failure::Failure,
    model::{Tree, view},
    out::{Line, Out, Tone},
    simulate::{Cast, Told, tell},
    tree,
};
use crate::{mock_edr::MockEdr, scenario::Scenario};

mod containment;
mod proof;
mod provision;

/// To whom it all happens.
pub const TENANT: &str = "demo";

/// What is played, and whose EDR reports it.
const PROGRAMME: [(Scenario, Vendor); 6] = [
    (Scenario::Mimikatz, Vendor::Crowdstrike),
    (Scenario::Ransomware, Vendor::Crowdstrike),
    (Scenario::PowershellEncoded, Vendor::Defender),
    (Scenario::SentineloneLateral, Vendor::Sentinelone),
    (Scenario::Benign, Vendor::Generic),
    (Scenario::LateralChain, Vendor::Crowdstrike),
];

/// Whose proposal is approved, where there is an EDR to carry it out.
const CONTAINED: Scenario = Scenario::Mimikatz;

/// How long a verdict may take.
const VERDICT_WAIT: Duration = Duration::from_secs(20);

/// What the watcher can do when it is over.
#[derive(Clone, Debug)]
pub enum Afterwards {
    /// The server stays; its tokens and data are in this directory.
    Serving(PathBuf),
    /// The server ends and its data are gone.
    Gone,
}

/// Where it is played.
#[derive(Debug)]
pub struct Stage<'a> {
    /// What is left of it afterwards.
    pub after: Afterwards,
    /// The stand-ins that the server may speak to; without them nothing is approved.
    pub edr: Option<&'a MockEdr>,
}

/// Plays the whole programme against the server of `client` and prints what happened.
///
/// # Errors
/// The first alert that is refused, answer that is missing, step of the containment that does not
/// happen, or proof that does not hold.
pub async fn play(client: &Client, stage: &Stage<'_>, out: &mut Out) -> Result<(), Failure> {
    let tenant: TenantId = TENANT
        .parse()
        .map_err(|error| Failure::usage(format!("tenant {TENANT}: {error}")))?;
    let vendors: BTreeSet<Vendor> = PROGRAMME.iter().map(|(_, vendor)| *vendor).collect();
    let secrets = provision::secrets(client, &tenant, vendors.into_iter(), out).await?;
    if let Some(edr) = stage.edr {
        containment::seal(client, &tenant, edr, out).await?;
    }
    let mut told = Vec::new();
    let mut subject = None;
    for (scenario, vendor) in PROGRAMME {
        let secret = secrets
            .get(&vendor)
            .ok_or_else(|| Failure::unreachable(format!("no secret was issued for {vendor}")))?;
        if scenario == CONTAINED {
            subject = Some(told.len());
        }
        told.extend(scene(client, &tenant, (scenario, vendor, secret), out).await?);
    }
    let mut containment = Value::Null;
    let subject = subject.and_then(|index| told.get(index));
    if let (Some(edr), Some(subject)) = (stage.edr, subject) {
        heading("A person approves, and then takes it back", out)?;
        containment = containment::show(client, (&tenant, subject), edr, out).await?;
    }
    heading("The proof", out)?;
    let proof = proof::show(client, &tenant, &told, out).await?;
    heading("The supervision tree", out)?;
    let health: Value = client.get(&["health", "actors"], &[]).await?;
    let found: Tree = view(&health);
    tree::show(&found.host, out)?;
    where_next(client, stage, out)?;
    if out.is_json() {
        let alerts: Vec<Value> = told.into_iter().map(|told| told.view).collect();
        out.json(&json!({
            "tenant_id": TENANT, "alerts": alerts, "containment": containment, "proof": proof,
            "health": health,
        }))?;
    }
    Ok(())
}

async fn scene(
    client: &Client,
    tenant: &TenantId,
    (scenario, vendor, secret): (Scenario, Vendor, &SecretString),
    out: &mut Out,
) -> Result<Vec<Told>, Failure> {
    let cast = Cast {
        scenario,
        vendor,
        tenant: tenant.clone(),
        secret: secret.clone(),
        wait: VERDICT_WAIT,
    };
    heading(&format!("{scenario}: {}", scenario.about()), out)?;
    let mut told = Vec::new();
    for (index, alert) in cast.alerts().iter().enumerate() {
        if index > 0 {
            out.gap()?;
        }
        told.push(tell(client, &cast, alert, out).await?);
    }
    Ok(told)
}

fn where_next(client: &Client, stage: &Stage<'_>, out: &mut Out) -> Result<(), Failure> {
    heading("Where to look next", out)?;
    let Afterwards::Serving(data_dir) = &stage.after else {
        out.line("vyrox demo --keep     the same, and server and stand-ins stay")?;
        out.line("docs/tutorial.md      an alert of your own, with curl and openssl")?;
        return Ok(out.line("docs/mock-edr.md      the stand-ins by hand, and what can go wrong")?);
    };
    let options = format!("--url {} --data-dir {}", client.base(), data_dir.display());
    for (command, why) in [
        ("alert list --tenant demo", "every alert with its verdict"),
        ("action list --tenant demo", "what was done, and taken back"),
        ("audit verify demo", "check the chain"),
        ("audit export demo --output demo.jsonl", "take it with you"),
        (
            "audit verify ./demo.jsonl",
            "and check it without the server",
        ),
    ] {
        let options = if command.contains("./") {
            ""
        } else {
            options.as_str()
        };
        out.line(
            Line::new()
                .text(format!("vyrox {command} {options}"))
                .tone(Tone::Dim, format!("  # {why}")),
        )?;
    }
    out.line(format!("curl {}/health/actors", client.base()))?;
    if let Some(edr) = stage.edr {
        out.line(
            Line::new()
                .text(format!("curl http://{}/", edr.address()))
                .tone(Tone::Dim, "  # how every host is at the stand-ins"),
        )?;
    }
    Ok(out.line("docs/tutorial.md: an alert of your own, with curl and openssl")?)
}

fn heading(text: &str, out: &mut Out) -> Result<(), Failure> {
    out.gap()?;
    Ok(out.line(Line::new().tone(Tone::Strong, format!("== {text}")))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_and_every_vendor_is_in_the_programme() {
        for scenario in Scenario::ALL {
            assert!(
                PROGRAMME.iter().any(|(played, _)| *played == scenario),
                "{scenario}"
            );
        }
        for vendor in Vendor::ALL {
            assert!(
                PROGRAMME.iter().any(|(_, played)| *played == vendor),
                "{vendor}"
            );
        }
    }

    #[test]
    fn what_is_contained_is_played() {
        assert!(PROGRAMME.iter().any(|(played, _)| *played == CONTAINED));
    }

    #[test]
    fn the_tenants_name_is_one() {
        assert!(TENANT.parse::<TenantId>().is_ok());
    }
}
