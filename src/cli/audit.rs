//! `vyrox audit`: proof of what happened.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{
    chain_name::ChainName,
    client::Client,
    export::{self, ExportArgs},
    failure::Failure,
    model::{Head, view},
    out::{Line, Out},
    settings::Settings,
    verify::{self, Target},
};

/// What can be asked about a tenant's chain.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check that every entry follows from the one before
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
    /// Write a tenant's chain to standard output or a file
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(ExportArgs),
    /// Show the last entry's number and hash
    Head {
        /// The tenant, or _host
        #[arg(value_name = "TENANT")]
        tenant: ChainName,
    },
}

const VERIFY_EXAMPLES: &str = "\
Examples:
  vyrox audit verify acme                     the server checks its own chain of tenant acme
  vyrox audit verify ./acme.jsonl             this machine checks a copy; no server is asked
  vyrox audit verify exports/*.jsonl          many copies; exit code 1 if one of them is not whole

An argument that names an existing file is that file; any other is a tenant, or
_host for the chain of the host itself: tenants added, secrets rotated, rules changed.";

const EXPORT_EXAMPLES: &str = "\
Examples:
  vyrox audit export acme --output acme.jsonl && vyrox audit verify acme.jsonl
  vyrox audit export acme --format csv --from 100 --to 199";

/// Arguments of `audit verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Files of audit entries, or tenants of the server
    #[arg(value_name = "FILE|TENANT", required = true)]
    pub targets: Vec<PathBuf>,
}

/// Does what was asked.
pub async fn run(command: AuditCommand, settings: &Settings, out: &mut Out) -> Result<(), Failure> {
    match command {
        AuditCommand::Verify(args) => {
            let targets: Vec<Target> = args
                .targets
                .into_iter()
                .map(Target::new)
                .collect::<Result<_, _>>()?;
            verify::run(&targets, settings, out).await
        }
        AuditCommand::Export(args) => export::run(&settings.client()?, &args, out).await,
        AuditCommand::Head { tenant } => head(&settings.client()?, &tenant, out).await,
    }
}

async fn head(client: &Client, tenant: &ChainName, out: &mut Out) -> Result<(), Failure> {
    let query = [("tenant_id", tenant.as_str())];
    let answer: Value = client.get(&["audit", "head"], &query).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    let head: Head = view(&answer);
    out.line(Line::item("tenant", tenant))?;
    out.line(Line::item("seq", head.seq))?;
    Ok(out.line(Line::item("hash", head.hash))?)
}
