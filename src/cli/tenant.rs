//! `vyrox tenant`: who is served, and with which secrets alerts come in.

use clap::{Args, Subcommand};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use vyrox_domain::{ids::TenantId, time::Timestamp, vendor::Vendor};

mod chat;
mod removal;
mod show;
pub mod spec;

use self::{
    show::{show_issued, show_tenant, state_tone},
    spec::{AccountSpec, WebhookSpec, secret_from_stdin},
};
use super::{
    client::Client,
    failure::Failure,
    model::{Tenant, view},
    out::{Line, Out, Tone},
    settings::Settings,
};

/// What can be done about tenants.
#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// Add a tenant and show its webhook secrets, this once
    #[command(after_help = ADD_EXAMPLES)]
    Add(AddArgs),
    /// List all tenants
    List,
    /// Show one tenant: webhooks, accounts, head of its chain
    Show {
        /// The tenant
        #[arg(value_name = "ID")]
        tenant: TenantId,
    },
    /// Add webhooks, add or remove accounts, change settings
    #[command(after_help = UPDATE_EXAMPLES)]
    Update(UpdateArgs),
    /// Replace a webhook's secret; the old one stays valid for an overlap
    #[command(after_help = ROTATE_EXAMPLES)]
    RotateSecret(RotateArgs),
    /// Serve a tenant no more; its chain stays
    #[command(after_help = removal::EXAMPLES)]
    Remove(removal::RemoveArgs),
    /// Make a one-time code that ties a Discord channel to a tenant
    #[command(after_help = CHAT_CODE_HELP)]
    ChatCode {
        /// The tenant
        #[arg(value_name = "ID")]
        tenant: TenantId,
    },
    /// Untie a tenant from its Discord channel
    ChatRelease {
        /// The tenant
        #[arg(value_name = "ID")]
        tenant: TenantId,
    },
}

const CHAT_CODE_HELP: &str = "\
Whoever says the code within 15 minutes, in a channel of a Discord server that has the bot, ties that
channel to the tenant. It works once; a new code replaces the one before. A Discord server belongs to
one tenant, and a tenant has one.

Example:
  vyrox tenant chat-code acme";

const ADD_EXAMPLES: &str = "\
Examples:
  vyrox tenant add acme
        webhooks for all four vendors, each signed with HMAC-SHA256
  vyrox tenant add acme --vendor crowdstrike:falcon-hmac --account crowdstrike:0123ABCD
        as Falcon signs, and its customer id
  printf %s \"$SECRET\" | vyrox tenant add acme --vendor generic:bearer --secret-stdin
        with a secret of your own

AUTH is one of vyrox-hmac, falcon-hmac[=HEADER], bearer, header-secret[=HEADER].";

const UPDATE_EXAMPLES: &str = "\
Examples:
  vyrox tenant update acme --vendor defender:bearer
  vyrox tenant update acme --account sentinelone:225494730938493804 --remove-account sentinelone:1
  vyrox tenant update acme --llm on
        alerts of the middle band may be shown to the configured language model; off until somebody says so";

const ROTATE_EXAMPLES: &str = "\
Examples:
  vyrox tenant rotate-secret acme --vendor crowdstrike
  vyrox tenant rotate-secret acme --vendor crowdstrike --overlap 0      the old one ends now";

/// Arguments of `tenant add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// 2 to 32 characters of a-z, 0-9, '-' and '_'
    #[arg(value_name = "ID")]
    pub tenant: TenantId,
    /// A vendor that may post alerts, and how it proves itself; may be repeated
    #[arg(long = "vendor", value_name = "VENDOR:AUTH")]
    pub vendors: Vec<WebhookSpec>,
    /// A vendor's own id of this tenant, such as a Falcon customer id; may be repeated
    #[arg(long = "account", value_name = "VENDOR:ID")]
    pub accounts: Vec<AccountSpec>,
    /// Read the webhooks' secret from standard input instead of having one made
    #[arg(long)]
    pub secret_stdin: bool,
}

/// Arguments of `tenant update`.
#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// The tenant
    #[arg(value_name = "ID")]
    pub tenant: TenantId,
    /// A webhook to add or to authenticate in another way; may be repeated
    #[arg(long = "vendor", value_name = "VENDOR:AUTH")]
    pub vendors: Vec<WebhookSpec>,
    /// A vendor's own id to add; may be repeated
    #[arg(long = "account", value_name = "VENDOR:ID")]
    pub add_accounts: Vec<AccountSpec>,
    /// A vendor's own id to remove; may be repeated
    #[arg(long = "remove-account", value_name = "VENDOR:ID")]
    pub remove_accounts: Vec<AccountSpec>,
    /// Whether a language model may be asked about its alerts
    #[arg(long)]
    pub llm: Option<Switch>,
    /// The Discord role that may give orders in its channel; `none` for the server's administrators alone
    #[arg(long, value_name = "ROLE_ID|none")]
    pub chat_admin_role: Option<String>,
    /// Read the webhooks' secret from standard input instead of having one made
    #[arg(long, requires = "vendors")]
    pub secret_stdin: bool,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Switch {
    /// Yes.
    On,
    /// No.
    Off,
}

/// Arguments of `tenant rotate-secret`.
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// The tenant
    #[arg(value_name = "ID")]
    pub tenant: TenantId,
    /// Whose secret; may be left out where the tenant has one webhook
    #[arg(long)]
    pub vendor: Option<Vendor>,
    /// For how long the old secret stays valid
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
    pub overlap: u64,
    /// Read the new secret from standard input instead of having one made
    #[arg(long)]
    pub secret_stdin: bool,
}

/// Does what was asked.
pub async fn run(
    command: TenantCommand,
    settings: &Settings,
    out: &mut Out,
) -> Result<(), Failure> {
    let client = settings.client()?;
    match command {
        TenantCommand::Add(args) => add(&client, args, out).await,
        TenantCommand::List => list(&client, out).await,
        TenantCommand::Show { tenant } => show(&client, &tenant, out).await,
        TenantCommand::Update(args) => update(&client, args, out).await,
        TenantCommand::RotateSecret(args) => rotate(&client, args, out).await,
        TenantCommand::Remove(args) => removal::run(&client, &args, out).await,
        TenantCommand::ChatCode { tenant } => chat::code(&client, &tenant, out).await,
        TenantCommand::ChatRelease { tenant } => chat::release(&client, &tenant, out).await,
    }
}

async fn add(client: &Client, args: AddArgs, out: &mut Out) -> Result<(), Failure> {
    let secret = secret_from_stdin(args.secret_stdin)?;
    let webhooks = if args.vendors.is_empty() {
        every_vendor()
    } else {
        args.vendors
    };
    let request = json!({
        "tenant_id": args.tenant,
        "webhooks": webhook_members(&webhooks, secret.as_ref()),
        "accounts": account_members(&args.accounts),
    });
    let answer: Value = client.post(&["onboard"], &request).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    out.line(Line::named("tenant").tone(Tone::Strong, &args.tenant))?;
    show_issued(&answer, "webhooks", out)
}

async fn list(client: &Client, out: &mut Out) -> Result<(), Failure> {
    let answer: Value = client.get(&["api", "v1", "tenants"], &[]).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    let tenants: Vec<Tenant> = answer.get("tenants").map(view).unwrap_or_default();
    if tenants.is_empty() {
        return Ok(out.line("no tenants yet; add one with `vyrox tenant add ID`")?);
    }
    let row = |tenant: &Tenant| {
        let vendors: Vec<&str> = tenant
            .webhooks
            .iter()
            .map(|hook| hook.vendor.as_str())
            .collect();
        vec![
            (Tone::Strong, tenant.tenant_id.clone()),
            (state_tone(&tenant.state), tenant.state.clone()),
            (
                Tone::Plain,
                tenant
                    .head
                    .as_ref()
                    .map_or_else(String::new, |head| head.seq.to_string()),
            ),
            (
                Tone::Plain,
                Timestamp::from_ms(tenant.created_at_ms).to_string(),
            ),
            (Tone::Plain, vendors.join(" ")),
        ]
    };
    let rows: Vec<_> = tenants.iter().map(row).collect();
    Ok(out.table(&["TENANT", "STATE", "SEQ", "SINCE", "WEBHOOKS"], &rows)?)
}

async fn show(client: &Client, tenant: &TenantId, out: &mut Out) -> Result<(), Failure> {
    let answer: Value = client
        .get(&["api", "v1", "tenants", tenant.as_str()], &[])
        .await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    show_tenant(&view(&answer), out)
}

async fn update(client: &Client, args: UpdateArgs, out: &mut Out) -> Result<(), Failure> {
    let lists = [
        args.vendors.len(),
        args.add_accounts.len(),
        args.remove_accounts.len(),
    ];
    let settings = args.llm.is_some() || args.chat_admin_role.is_some();
    if lists.iter().all(|length| *length == 0) && !settings {
        return Err(Failure::usage("nothing to change")
            .hint("give --vendor, --account, --remove-account, --llm or --chat-admin-role"));
    }
    let secret = secret_from_stdin(args.secret_stdin)?;
    let mut request = json!({
        "webhooks": webhook_members(&args.vendors, secret.as_ref()),
        "add_accounts": account_members(&args.add_accounts),
        "remove_accounts": account_members(&args.remove_accounts),
    });
    if let (Some(llm), Some(request)) = (args.llm, request.as_object_mut()) {
        request.insert("llm".into(), json!(llm == Switch::On));
    }
    if let (Some(role), Some(request)) = (args.chat_admin_role, request.as_object_mut()) {
        let role = if role == "none" { String::new() } else { role };
        request.insert("chat_admin_role".into(), json!(role));
    }
    let path = ["api", "v1", "tenants", args.tenant.as_str()];
    let answer: Value = client.patch(&path, &request).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    show_tenant(&view(&answer), out)?;
    show_issued(&answer, "issued", out)
}

async fn rotate(client: &Client, args: RotateArgs, out: &mut Out) -> Result<(), Failure> {
    let vendor = match args.vendor {
        Some(vendor) => vendor,
        None => only_vendor(client, &args.tenant).await?,
    };
    let secret = secret_from_stdin(args.secret_stdin)?;
    let answer = rotate_secret(client, &args.tenant, vendor, args.overlap, secret.as_ref()).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    show_issued(&answer, "webhooks", out)?;
    let old = match args.overlap {
        0 => "the old secret is taken no more".to_owned(),
        seconds => format!("the old secret is taken for {seconds} s more"),
    };
    Ok(out.line(Line::item("overlap", old))?)
}

/// Has a webhook's secret replaced; the answer holds the new one.
pub(super) async fn rotate_secret(
    client: &Client,
    tenant: &TenantId,
    vendor: Vendor,
    overlap_s: u64,
    secret: Option<&SecretString>,
) -> Result<Value, Failure> {
    let mut request = Map::new();
    request.insert("vendor".into(), json!(vendor));
    request.insert("overlap_s".into(), json!(overlap_s));
    if let Some(secret) = secret {
        request.insert("secret".into(), json!(secret.expose_secret()));
    }
    let path = ["api", "v1", "tenants", tenant.as_str(), "rotate-secret"];
    client.post(&path, &request).await
}

async fn only_vendor(client: &Client, tenant: &TenantId) -> Result<Vendor, Failure> {
    let answer: Value = client
        .get(&["api", "v1", "tenants", tenant.as_str()], &[])
        .await?;
    let tenant: Tenant = view(&answer);
    match tenant.webhooks.as_slice() {
        [one] => one
            .vendor
            .parse()
            .map_err(|error| Failure::unreachable(format!("{error}"))),
        _ => Err(
            Failure::usage("the tenant does not have exactly one webhook")
                .hint("say whose secret with --vendor"),
        ),
    }
}

fn every_vendor() -> Vec<WebhookSpec> {
    Vendor::ALL
        .map(|vendor| WebhookSpec {
            vendor,
            auth: "vyrox-hmac".into(),
        })
        .into()
}

pub(super) fn webhook_members(specs: &[WebhookSpec], secret: Option<&SecretString>) -> Value {
    let member = |spec: &WebhookSpec| {
        let mut member = Map::new();
        member.insert("vendor".into(), json!(spec.vendor));
        member.insert("auth".into(), json!(spec.auth));
        if let Some(secret) = secret {
            member.insert("secret".into(), json!(secret.expose_secret()));
        }
        Value::Object(member)
    };
    specs.iter().map(member).collect()
}

fn account_members(specs: &[AccountSpec]) -> Value {
    specs
        .iter()
        .map(|spec| json!({ "vendor": spec.vendor, "id": spec.id }))
        .collect()
}

#[cfg(test)]
mod tests;
