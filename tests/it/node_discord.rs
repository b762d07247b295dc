//! Discord's own JavaScript package and we take each other's signatures. Skipped, and it says so, where
//! node, npm or the package cannot be had.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::json;
use tempfile::tempdir;

use crate::{
    discord::clicker::Clicker,
    server::{Server, unix_s, write},
};

const SCRIPT: &str = include_str!("node_discord/cross_check.mjs");

#[test]
fn the_javascript_package_and_we_take_each_others_signatures() {
    let there = tempdir().unwrap();
    if let Err(why) = install(there.path()) {
        println!("SKIPPED: no cross-check with the npm package discord-interactions: {why}");
        return;
    }
    let dir = tempdir().unwrap();
    let discord = Clicker::new(3);
    let server = Server::start(dir.path(), &discord.settings());
    let script = there.path().join("cross_check.mjs");
    write(&script, SCRIPT.as_bytes());
    let stamp = unix_s().to_string();
    let body = json!({ "type": 1, "note": "ä \u{1f600} \\ \"" }).to_string();
    let signed = json!({
        "base": server.base(),
        "seed": discord.seed_hex(),
        "public_key": discord.public_key(),
        "application_id": discord.application_id,
        "body": body,
        "timestamp": stamp,
        "signature": discord.sign(&stamp, body.as_bytes()),
    });
    let input = there.path().join("signed.json");
    write(&input, signed.to_string().as_bytes());
    let output = run(Command::new("node").arg(&script).arg(&input)).expect("node was there");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    // The script counts what it checked, so that one that stopped half way is no success.
    assert_eq!(said.trim(), "12 checks held", "{errors}");
}

fn install(there: &Path) -> Result<(), String> {
    run(Command::new("node").arg("--version"))?;
    let flags = [
        "install",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--fetch-retries=1",
        "--fetch-timeout=20000",
        "discord-interactions@4",
    ];
    write(&there.join("package.json"), b"{\"private\":true}");
    run(Command::new("npm").args(flags).current_dir(there)).map(drop)
}

/// Runs a command to its end; what it said where it failed is the error.
fn run(command: &mut Command) -> Result<Output, String> {
    let output = command
        .output()
        .map_err(|why| format!("{command:?}: {why}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&said)))
}
