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
    proof::{self, PROVE_HELP, ProveArgs, REBASE_HELP, ROTATE_HELP, RebaseArgs, RotateArgs},
    repair::{self, REPAIR_HELP, RepairArgs},
    settings::Settings,
    verify::{self, Beside},
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
    /// Write what an auditor needs beside a copy of the chain
    #[command(after_help = PROVE_HELP)]
    Prove(ProveArgs),
    /// Show the key that the log over all chains is signed with
    Key,
    /// Sign the log with a new key from now on, and with the old one too for a while
    #[command(after_help = ROTATE_HELP)]
    RotateKey(RotateArgs),
    /// Show whether every chain is what was signed of it
    Integrity,
    /// Accept what is there as the truth, against what was signed
    #[command(after_help = REBASE_HELP)]
    Rebase(RebaseArgs),
    /// Show why a tenant is held, restore what was lost of its chain, and let it go on
    #[command(after_help = REPAIR_HELP)]
    Repair(RepairArgs),
}

const VERIFY_EXAMPLES: &str = "\
Examples:
  vyrox audit verify acme                     the server checks its own chain of tenant acme
  vyrox audit verify ./acme.jsonl             this machine checks a copy; no server is asked
  vyrox audit verify exports/*.jsonl          many copies; exit code 1 if one of them is not whole
  vyrox audit verify ./acme.jsonl --receipt 17:9f2c...   and entry 17 is what an answer said it is
  vyrox audit verify ./acme.jsonl --mirror old.jsonl     and it is what another copy says
  vyrox audit verify ./acme.jsonl --checkpoint acme.note --vkey 'NAME+ID+KEY'
  vyrox audit verify ./acme.jsonl --bundle acme.bundle --vkey 'NAME+ID+KEY'

An argument that names an existing file is that file; any other is a tenant, or
_host for the chain of the host itself: tenants added, secrets rotated, rules changed.";

const EXPORT_EXAMPLES: &str = "\
Examples:
  vyrox audit export acme --output acme.jsonl && vyrox audit verify acme.jsonl
  vyrox audit export acme --format csv --from 100 --to 199
  vyrox audit export --all --into /mirror         copies of all chains; run it again to add what is new

A copy is only ever added to. If the server's chain is no longer the one that was copied, nothing is, and
the first entry that differs is named: keep the copy, it is the proof.";

/// Arguments of `audit verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Files of audit entries, or tenants of the server
    #[arg(value_name = "FILE|TENANT", required = true)]
    pub targets: Vec<PathBuf>,
    #[command(flatten)]
    pub beside: Beside,
}

/// Does what was asked.
pub async fn run(command: AuditCommand, settings: &Settings, out: &mut Out) -> Result<(), Failure> {
    match command {
        AuditCommand::Verify(args) => verify::run(&args.targets, &args.beside, settings, out).await,
        AuditCommand::Export(args) => export::run(&settings.client()?, &args, out).await,
        AuditCommand::Prove(args) => proof::prove(&settings.client()?, &args, out).await,
        AuditCommand::Key => proof::key(&settings.client()?, out).await,
        AuditCommand::RotateKey(args) => proof::rotate(&settings.client()?, &args, out).await,
        AuditCommand::Integrity => proof::integrity(&settings.client()?, out).await,
        AuditCommand::Rebase(args) => proof::rebase(&settings.client()?, &args, out).await,
        AuditCommand::Repair(args) => repair::run(args, settings, out).await,
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
