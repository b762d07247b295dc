//! The demonstration: a tenant, attacks over real HTTP with real signatures, and the proof of them.

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
use crate::scenario::Scenario;

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

/// Plays the whole programme against the server of `client` and prints what happened.
///
/// # Errors
/// The first alert that is refused, answer that is missing, or proof that does not hold.
pub async fn play(client: &Client, after: &Afterwards, out: &mut Out) -> Result<(), Failure> {
    let tenant: TenantId = TENANT
        .parse()
        .map_err(|error| Failure::usage(format!("tenant {TENANT}: {error}")))?;
    let vendors: BTreeSet<Vendor> = PROGRAMME.iter().map(|(_, vendor)| *vendor).collect();
    let secrets = provision::secrets(client, &tenant, vendors.into_iter(), out).await?;
    let mut told = Vec::new();
    for (scenario, vendor) in PROGRAMME {
        let secret = secrets
            .get(&vendor)
            .ok_or_else(|| Failure::unreachable(format!("no secret was issued for {vendor}")))?;
        told.extend(scene(client, &tenant, (scenario, vendor, secret), out).await?);
    }
    heading("The proof", out)?;
    let proof = proof::show(client, &tenant, &told, out).await?;
    heading("The supervision tree", out)?;
    let health: Value = client.get(&["health", "actors"], &[]).await?;
    let found: Tree = view(&health);
    tree::show(&found.host, out)?;
    where_next(client, after, out)?;
    if out.is_json() {
        let alerts: Vec<Value> = told.into_iter().map(|told| told.view).collect();
        out.json(
            &json!({ "tenant_id": TENANT, "alerts": alerts, "proof": proof, "health": health }),
        )?;
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

fn where_next(client: &Client, after: &Afterwards, out: &mut Out) -> Result<(), Failure> {
    heading("Where to look next", out)?;
    let Afterwards::Serving(data_dir) = after else {
        out.line("vyrox serve --demo    the same, and the server stays")?;
        return Ok(out.line("docs/tutorial.md      an alert of your own, with curl and openssl")?);
    };
    let options = format!("--url {} --data-dir {}", client.base(), data_dir.display());
    for (command, why) in [
        ("alert list --tenant demo", "every alert with its verdict"),
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
    fn the_tenants_name_is_one() {
        assert!(TENANT.parse::<TenantId>().is_ok());
    }
}
