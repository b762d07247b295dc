//! `vyrox secret`: what EDRs know a tenant by, and what trusted services sign its actions with.

use std::{
    fmt,
    io::{self, IsTerminal as _},
    str::FromStr,
};

use clap::{Args, Subcommand};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use vyrox_domain::{ids::TenantId, time::Timestamp, vendor::Vendor};

use super::{
    client::Client,
    failure::Failure,
    model::view,
    out::{Line, Out, Tone},
    settings::Settings,
    tenant::spec::secret_from_stdin,
};

/// What can be done about secrets.
#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Seal a credential, read from standard input, in place of the one before
    #[command(after_help = SET_HELP)]
    Set(SetArgs),
    /// List what is in force for a tenant, never its text
    List {
        /// The tenant
        #[arg(value_name = "TENANT")]
        tenant: TenantId,
    },
    /// Put a credential out of force, at once
    #[command(after_help = REMOVE_HELP)]
    Remove {
        /// The tenant
        #[arg(value_name = "TENANT")]
        tenant: TenantId,
        /// Which: crowdstrike, sentinelone, defender, or action
        #[arg(value_name = "WHAT")]
        what: What,
    },
}

const SET_HELP: &str = "\
The secret is one line of standard input, never an argument, as other users can see those. It is sealed
in the vault and never shown again. The EDR is asked first, by a call that changes nothing, and what it
does not accept is not put in force. What was in force may be used for 24 hours more.

  crowdstrike   --base-url of your cloud, --client-id; --realm is a member CID, for Flight Control
  sentinelone   --base-url of your console; the secret is an API token of a service user; --realm is a
                site id, for blocklists
  defender      --base-url, --client-id, and --realm with the Entra tenant id; --login-url for
                sovereign clouds
  action        what your own services sign POST /execute with, in place of VYROX_HMAC_SECRET; with
                --generate one is made and shown this once. The one before ends at once

Examples:
  vyrox secret set acme crowdstrike --base-url https://api.eu-1.crowdstrike.com --client-id 0f3c < falcon.secret
  systemd-ask-password 'API token:' | vyrox secret set acme sentinelone --base-url https://acme.sentinelone.net
  vyrox secret set acme action --generate

The Discord bot's token: vyrox chat set-token";

const REMOVE_HELP: &str = "\
Without its credential nothing is sent to an EDR: what is approved is rehearsed. What was contained
stays so. Without one of its own, the secret of the host counts for a tenant's actions.

Example:
  vyrox secret remove acme crowdstrike";

/// Arguments of `secret set`.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// The tenant
    #[arg(value_name = "TENANT")]
    pub tenant: TenantId,
    /// Which: crowdstrike, sentinelone, defender, or action
    #[arg(value_name = "WHAT")]
    pub what: What,
    /// Where the EDR's API is, with https://
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// Where its tokens come from, if that is another place
    #[arg(long, value_name = "URL")]
    pub login_url: Option<String>,
    /// The client's id
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,
    /// The vendor's own name of the tenant
    #[arg(long, value_name = "ID")]
    pub realm: Option<String>,
    /// Put it in force without asking the EDR
    #[arg(long)]
    pub unchecked: bool,
    /// For how long the one before may still be used
    #[arg(long, value_name = "HOURS")]
    pub overlap_hours: Option<u64>,
    /// Have an action secret made
    #[arg(long)]
    pub generate: bool,
}

/// Which credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Of an EDR.
    Edr(Vendor),
    /// What trusted services sign with.
    Action,
}

/// No such credential.
#[derive(Debug, thiserror::Error)]
#[error("it is crowdstrike, sentinelone, defender or action{0}")]
pub struct UnknownWhat(&'static str);

impl FromStr for What {
    type Err = UnknownWhat;

    fn from_str(text: &str) -> Result<Self, UnknownWhat> {
        match text {
            "action" => Ok(Self::Action),
            "discord" => Err(UnknownWhat(
                "; the bot's token is the host's: vyrox chat set-token",
            )),
            _ => match text.parse() {
                Ok(vendor) if vendor != Vendor::Generic => Ok(Self::Edr(vendor)),
                Ok(_) | Err(_) => Err(UnknownWhat("")),
            },
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edr(vendor) => write!(f, "{vendor}"),
            Self::Action => f.write_str("action"),
        }
    }
}

/// Does what was asked.
pub async fn run(
    command: SecretCommand,
    settings: &Settings,
    out: &mut Out,
) -> Result<(), Failure> {
    let client = settings.client()?;
    match command {
        SecretCommand::Set(args) => {
            makes_sense(&args)?;
            let secret = if args.generate { None } else { Some(typed()?) };
            set(&client, &args, secret.as_ref(), out).await
        }
        SecretCommand::List { tenant } => list(&client, &tenant, out).await,
        SecretCommand::Remove { tenant, what } => remove(&client, &tenant, what, out).await,
    }
}

/// A terminal would show what is typed, and keep it in its scroll-back.
fn typed() -> Result<SecretString, Failure> {
    if io::stdin().is_terminal() {
        return Err(
            Failure::usage("standard input is a terminal, which would show the secret")
                .hint("pipe it in: `systemd-ask-password | vyrox secret set ...`, or `... < FILE`"),
        );
    }
    let secret = secret_from_stdin(true)?;
    secret.ok_or_else(|| Failure::usage("standard input holds no secret"))
}

fn makes_sense(args: &SetArgs) -> Result<(), Failure> {
    let of_an_edr = args.base_url.is_some()
        || args.login_url.is_some()
        || args.client_id.is_some()
        || args.realm.is_some()
        || args.unchecked
        || args.overlap_hours.is_some();
    match args.what {
        What::Action if of_an_edr => Err(Failure::usage(
            "an action secret has no address, no client, and no overlap",
        )),
        What::Edr(_) if args.generate => Err(Failure::usage(
            "an EDR's credential is made in its console, not here",
        )),
        What::Edr(vendor) if args.base_url.is_none() => Err(Failure::usage(format!(
            "--base-url is missing: where the API of {vendor} is"
        ))),
        What::Edr(_) | What::Action => Ok(()),
    }
}

async fn set(
    client: &Client,
    args: &SetArgs,
    secret: Option<&SecretString>,
    out: &mut Out,
) -> Result<(), Failure> {
    let answer: Value = match args.what {
        What::Edr(vendor) => {
            let path = edr_path(&args.tenant, vendor);
            client.put(&path, &edr_members(args, secret)).await?
        }
        What::Action => {
            let secret = secret.map(SecretString::expose_secret);
            let request = json!({ "secret": secret });
            client.put(&action_path(&args.tenant), &request).await?
        }
    };
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    let what = format!("{} of {}", args.what, args.tenant);
    let version = answer.get("secret_version").and_then(Value::as_u64);
    let version = version.map_or_else(String::new, |version| format!("  version {version}"));
    out.line(Line::named("sealed").tone(Tone::Strong, what).text(version))?;
    if let Some(made) = answer.get("secret").and_then(Value::as_str) {
        out.line(Line::named("secret").tone(Tone::Strong, made))?;
        out.line(Line::new().tone(Tone::Warn, "It is shown this once."))?;
    }
    match answer.get("checked").and_then(Value::as_bool) {
        Some(true) => {
            let note = answer.get("note").and_then(Value::as_str);
            let note = note.unwrap_or_default();
            out.line(Line::named("accepted").tone(Tone::Good, note))?;
        }
        Some(false) => {
            let how = format!(
                "nobody asked the EDR; do: vyrox vendor check {} {}",
                args.tenant, args.what
            );
            out.line(Line::named("unchecked").tone(Tone::Warn, how))?;
        }
        None => {}
    }
    Ok(())
}

fn edr_members(args: &SetArgs, secret: Option<&SecretString>) -> Value {
    let mut members = Map::new();
    let texts = [
        ("base_url", args.base_url.as_deref()),
        ("login_url", args.login_url.as_deref()),
        ("client_id", args.client_id.as_deref()),
        ("realm", args.realm.as_deref()),
        ("secret", secret.map(SecretString::expose_secret)),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            members.insert(name.into(), json!(text));
        }
    }
    members.insert("unchecked".into(), json!(args.unchecked));
    if let Some(hours) = args.overlap_hours {
        members.insert("overlap_h".into(), json!(hours));
    }
    Value::Object(members)
}

/// What is in force, as the server tells of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listed {
    edr: Vec<Edr>,
    action_secret: Option<Action>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Edr {
    vendor: String,
    secret_version: u64,
    since_ms: u64,
    host: String,
    opens: bool,
    checked: bool,
    previous_until_ms: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Action {
    secret_version: u64,
    since_ms: u64,
}

async fn list(client: &Client, tenant: &TenantId, out: &mut Out) -> Result<(), Failure> {
    let path = ["api", "v1", "tenants", tenant.as_str(), "edr"];
    let answer: Value = client.get(&path, &[]).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    let Listed { edr, action_secret } = view(&answer);
    let mut rows: Vec<_> = edr.iter().map(edr_row).collect();
    rows.extend(action_secret.iter().map(|action| {
        vec![
            (Tone::Strong, "action".to_owned()),
            (Tone::Plain, action.secret_version.to_string()),
            (Tone::Plain, moment(action.since_ms)),
            (Tone::Plain, String::new()),
            (Tone::Plain, String::new()),
        ]
    }));
    if rows.is_empty() {
        return Ok(out.line(
            "no credentials: what is approved is rehearsed; set one with `vyrox secret set`",
        )?);
    }
    Ok(out.table(&["WHAT", "VERSION", "SINCE", "HOST", ""], &rows)?)
}

fn edr_row(edr: &Edr) -> Vec<(Tone, String)> {
    let (tone, note) = match edr.previous_until_ms {
        _ if !edr.opens => (Tone::Bad, "does not open: nothing is sent".to_owned()),
        _ if !edr.checked => (Tone::Warn, "was not checked".to_owned()),
        Some(until) => (
            Tone::Plain,
            format!("the one before until {}", moment(until)),
        ),
        None => (Tone::Plain, String::new()),
    };
    vec![
        (Tone::Strong, edr.vendor.clone()),
        (Tone::Plain, edr.secret_version.to_string()),
        (Tone::Plain, moment(edr.since_ms)),
        (Tone::Plain, edr.host.clone()),
        (tone, note),
    ]
}

fn moment(ms: u64) -> String {
    Timestamp::from_ms(ms).to_string()
}

async fn remove(
    client: &Client,
    tenant: &TenantId,
    what: What,
    out: &mut Out,
) -> Result<(), Failure> {
    let answer: Value = match what {
        What::Edr(vendor) => client.delete(&edr_path(tenant, vendor)).await?,
        What::Action => client.delete(&action_path(tenant)).await?,
    };
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    Ok(out.line(Line::named("removed").tone(Tone::Strong, format!("{what} of {tenant}")))?)
}

fn edr_path(tenant: &TenantId, vendor: Vendor) -> [&str; 6] {
    [
        "api",
        "v1",
        "tenants",
        tenant.as_str(),
        "edr",
        vendor.as_str(),
    ]
}

fn action_path(tenant: &TenantId) -> [&str; 5] {
    ["api", "v1", "tenants", tenant.as_str(), "action-secret"]
}

#[cfg(test)]
mod tests;
