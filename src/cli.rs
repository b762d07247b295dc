//! The command line: a thin client of the server's own HTTP, and the two ways to start it.
//!
//! Nothing here knows more than any other client could: what a command shows, it asked the server
//! for, except `audit verify FILE` and `policy`, which need no server at all, and `rebuild`, `backup DIR`
//! and `restore`, which work on a directory that no server runs on.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use secrecy::SecretString;
use vyrox_actors::supervision::{install_panic_hook, withhold_panic_texts};

pub mod action;
pub mod alert;
pub mod audit;
pub mod backtest;
pub mod backup;
pub mod chain_name;
pub mod chat;
pub mod check;
pub mod client;
pub mod completions;
pub mod dead_letter;
pub mod decide;
pub mod demo;
mod draft;
pub mod export;
pub mod export_all;
pub mod failure;
#[cfg(test)]
mod fake_server;
pub mod halt;
pub mod incident;
pub mod load;
mod members;
pub mod mock_edr;
pub mod model;
pub mod out;
pub mod person;
pub mod play;
pub mod policy;
pub mod proof;
pub mod rebuild;
pub mod repair;
pub mod restore;
pub mod secret;
pub mod serve;
pub mod settings;
pub mod simulate;
pub mod tenant;
pub mod token;
pub mod top;
pub mod tree;
pub mod vendor;
pub mod verify;

use self::{failure::Failure, out::Out, settings::Settings};
use crate::app::hardening::withhold_memory;

/// Reads the arguments, does what they say, and gives the exit code.
pub fn main() -> ExitCode {
    // Commands read secrets too, from standard input and from files.
    install_panic_hook();
    withhold_panic_texts();
    if let Err(unguarded) = withhold_memory() {
        return Failure::unreachable(unguarded.to_string()).report();
    }
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        return Failure::unreachable("another TLS provider was installed before ours").report();
    }
    let cli = Cli::parse();
    let settings = Settings::new(cli.global);
    let mut out = Out::stdout(settings.json(), settings.no_color());
    match run(cli.command, &settings, &mut out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

const EXAMPLES: &str = "\
Examples:
  vyrox demo                                    see everything happen once, on a throw-away directory
  vyrox serve --data-dir /var/lib/vyrox         run the server
  vyrox tenant add acme --vendor crowdstrike:vyrox-hmac
  vyrox alert list --tenant acme
  vyrox top                                     the supervision tree, live
  vyrox audit verify acme                       ask the server
  vyrox audit verify ./acme.jsonl               or check a copy yourself, without one

Exit codes:
  0  done
  1  it is not so: a chain does not verify, a check found errors, the server refused
  2  the command line makes no sense
  3  something could not be reached, read or written";

const ABOUT: &str = "\
Answers EDR alerts for many organisations at once.

Takes signed alerts from CrowdStrike Falcon, SentinelOne, Microsoft Defender and others, makes them
durable before it answers, says what they are worth and why, and can prove every step afterwards.";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "vyrox",
    version,
    about = "Answers EDR alerts for many organisations at once",
    long_about = ABOUT,
    arg_required_else_help = true,
    after_help = EXAMPLES
)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Configuration file, over the built-in defaults
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the server keeps everything; clients read `admin.token` there
    #[arg(long, global = true, value_name = "DIR", env = "VYROX_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address of the server, if not the configured one
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,
    /// API token; better given in the environment, where other users cannot see it
    #[arg(
        long,
        global = true,
        value_name = "TOKEN",
        env = "VYROX_TOKEN",
        hide_env_values = true,
        value_parser = secret
    )]
    pub token: Option<SecretString>,
    /// Print JSON for programs instead of text for people
    #[arg(long, global = true)]
    pub json: bool,
}

/// What `vyrox` can be asked to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    Serve(serve::ServeArgs),
    /// Serve from a throw-away directory, play attacks into it, and show what happened
    Demo(demo::DemoArgs),
    /// Validate configuration, rules, playbooks and policies, and name every error in them
    Check,
    /// Add, look at and change tenants
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    /// Add people, say what each may decide, link their accounts, make their tokens
    #[command(subcommand)]
    Person(person::PersonCommand),
    /// List and revoke the tokens that people decide with
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Set what the host speaks in chat with
    #[command(subcommand)]
    Chat(chat::ChatCommand),
    /// Set what EDRs know a tenant by, and what trusted services sign its actions with
    #[command(subcommand)]
    Secret(secret::SecretCommand),
    /// See whether a tenant's EDRs can be spoken to
    #[command(subcommand)]
    Vendor(vendor::VendorCommand),
    /// Stop all containment, of one tenant or of all, and let it go on
    #[command(after_help = halt::HALT_HELP)]
    Halt(halt::HaltArgs),
    /// Send signed alerts of a made-up attack to a running server
    Simulate(simulate::SimulateArgs),
    /// Look at alerts and their verdicts
    #[command(subcommand)]
    Alert(alert::AlertCommand),
    /// Look at incidents: alerts that belong together, and what is proposed about them
    #[command(subcommand)]
    Incident(incident::IncidentCommand),
    /// Say yes to a proposed action, with a token of your own
    Approve(decide::ApproveArgs),
    /// Say no to a proposed action, with a token of your own
    Deny(decide::DenyArgs),
    /// Look at actions and what became of them, or have one tried again
    #[command(subcommand)]
    Action(action::ActionCommand),
    /// Take an action back: lift a containment, with a token of your own
    Rollback(action::StepArgs),
    /// Let timers run again that were held because the clock was set
    #[command(subcommand)]
    Timers(action::TimersCommand),
    /// Verify, export and look at the audit chain
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Hold changed rules against the alerts that are there, before they come in force
    Backtest(backtest::BacktestArgs),
    /// Copy everything that lasts, while the server runs or while it does not
    Backup(backup::BackupArgs),
    /// Put a backup into an empty data directory
    Restore(restore::RestoreArgs),
    /// Build anew what is derived from the journal, and say what was different
    Rebuild(rebuild::RebuildArgs),
    /// Check, look at and test the policies: who may do what
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Look at messages that were set aside, have them handled again, or drop them
    #[command(subcommand)]
    DeadLetter(dead_letter::DeadLetterCommand),
    /// Watch the supervision tree: every actor, its queue, its restarts and its last crash
    Top(top::TopArgs),
    /// Stand in for the EDRs on this machine, to try containment without one
    MockEdr(mock_edr::MockEdrArgs),
    /// Print a completion script for your shell
    Completions(completions::CompletionsArgs),
}

fn run(command: Command, settings: &Settings, out: &mut Out) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => serve::run(&args, settings),
        Command::Demo(args) => demo::run(&args, settings),
        Command::Check => check::run(settings, out),
        Command::Policy(command) => policy::run(command, settings, out),
        Command::MockEdr(args) => mock_edr::run(args, out),
        Command::Backup(args) => backup::run(&args, settings, out),
        Command::Restore(args) => restore::run(&args, settings, out),
        Command::Rebuild(args) => rebuild::run(&args, settings, out),
        Command::Completions(args) => completions::run(&args, Cli::command(), out),
        Command::Tenant(command) => wait_for(tenant::run(command, settings, out)),
        Command::Person(command) => wait_for(person::run(command, settings, out)),
        Command::Token(command) => wait_for(token::run(command, settings, out)),
        Command::Chat(command) => wait_for(chat::run(command, settings, out)),
        Command::Secret(command) => wait_for(secret::run(command, settings, out)),
        Command::Vendor(command) => wait_for(vendor::run(command, settings, out)),
        Command::Halt(args) => wait_for(halt::run(args, settings, out)),
        Command::Simulate(args) => wait_for(simulate::run(args, settings, out)),
        Command::Alert(command) => wait_for(alert::run(command, settings, out)),
        Command::Incident(command) => wait_for(incident::run(command, settings, out)),
        Command::Approve(args) => wait_for(decide::approve(args, settings, out)),
        Command::Deny(args) => wait_for(decide::deny(args, settings, out)),
        Command::Action(command) => wait_for(action::run(command, settings, out)),
        Command::Rollback(args) => wait_for(action::roll_back(args, settings, out)),
        Command::Timers(command) => wait_for(action::timers(command, settings, out)),
        Command::Audit(command) => wait_for(audit::run(command, settings, out)),
        Command::Backtest(args) => wait_for(backtest::run(args, settings, out)),
        Command::DeadLetter(command) => wait_for(dead_letter::run(command, settings, out)),
        Command::Top(args) => wait_for(top::run(args, settings, out)),
    }
}

/// Runs one command's conversation with the server to its end on this thread.
pub(crate) fn wait_for<T>(
    conversation: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unreachable(format!("cannot start a runtime: {error}")))?;
    runtime.block_on(conversation)
}

/// Reads a secret argument. It never fails; the type keeps the value out of logs and `Debug`.
#[expect(clippy::unnecessary_wraps, reason = "the signature is clap's")]
fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests;
