//! `vyrox audit prove`, `key`, `rotate-key`, `integrity` and `rebase`: what is signed of the chains, and what to do
//! when they are not what was signed.

use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use vyrox_actors::journal::proof::Bundle;

use super::{
    chain_name::ChainName,
    client::Client,
    draft::Draft,
    failure::{Exit, Failure},
    model::view,
    out::{Line, Out, Tone},
};

/// In the answer about integrity: nothing is wrong.
const WHOLE: &str = "whole";

/// What a bundle is for.
pub const PROVE_HELP: &str = "\
The bundle is what an auditor needs beside a copy of the chain: the tenant's signed checkpoint, the proof
that it is in the host's log, and that log's own checkpoint. It proves nothing to whoever has the key from
the same place: get the key (`vyrox audit key`) on another way, once, and keep it.

Examples:
  vyrox audit prove acme --output acme.bundle
  vyrox audit export acme --output acme.jsonl
  vyrox audit verify acme.jsonl --bundle acme.bundle --vkey 'NAME+ID+KEY'";

/// What a rebase means.
pub const REBASE_HELP: &str = "\
While a chain is not what was signed of it, nothing is done to the hosts of its tenant; while the log itself
is gone or another one, to nobody's. `vyrox audit integrity` says what is wrong.

Find out why first. Whoever restored an old backup knows; otherwise somebody has turned the chains back or
written them anew, and what is missing may be a halt, a right that was taken, or the traces of both. A copy
of the chain from elsewhere (`vyrox audit export --all`) shows what it was.

This command accepts what is there as the truth: a new log begins under a new name and a new key name, the
host's chain says who ordered it and what was signed before, and containment goes on.

Examples:
  vyrox audit integrity
  vyrox audit rebase --reason 'restored the backup of Monday'";

/// Arguments of `audit prove`.
#[derive(Debug, Args)]
pub struct ProveArgs {
    /// The tenant, or _host
    #[arg(value_name = "TENANT")]
    pub tenant: ChainName,
    /// Write it to this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What a rotation means.
pub const ROTATE_HELP: &str = "\
Both keys sign until the overlap is over, so auditors and witnesses who know the old one have that long to
be told of the new one. The host's chain and every bundle say which key came after which, signed by both.

The new key lies where the old one was; the old one lies beside it as FILE.previous. Back the new one up
apart from the data.

Examples:
  vyrox audit rotate-key
  vyrox audit rotate-key --overlap-s 604800     a week";

/// Arguments of `audit rotate-key`.
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// How long the old key signs too, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
    pub overlap_s: u64,
}

/// Arguments of `audit rebase`.
#[derive(Debug, Args)]
pub struct RebaseArgs {
    /// Why, 1 to 500 characters
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// What is not as it was signed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Shown {
    status: String,
    host: Option<Fault>,
    chains: Vec<Fault>,
    witnesses: Vec<Witness>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Witness {
    name: String,
    state: String,
    detail: String,
    size: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rotated {
    rotated: Log,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fault {
    chain: Option<String>,
    kind: String,
    detail: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rebased {
    rebased: Log,
    integrity: Shown,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Log {
    vkey: String,
}

/// Writes a tenant's bundle.
pub async fn prove(client: &Client, args: &ProveArgs, out: &mut Out) -> Result<(), Failure> {
    let query = [("tenant_id", args.tenant.as_str())];
    let mut response = client.open(&["audit", "prove"], &query).await?;
    let mut bundle = Vec::new();
    while let Some(chunk) = client.next_chunk(&mut response).await? {
        bundle.extend_from_slice(&chunk);
    }
    Bundle::parse(&bundle).map_err(|error| {
        Failure::unreachable(format!("what came is no proof of Vyrox: {error}"))
            .hint("see whether something else answers at this address, a proxy for instance")
    })?;
    let Some(path) = &args.output else {
        out.bytes(&bundle)?;
        return Ok(out.flush()?);
    };
    let mut draft = Draft::of(path)?;
    draft.write(&bundle)?;
    draft.complete()
}

/// Shows the key that the log is signed with.
pub async fn key(client: &Client, out: &mut Out) -> Result<(), Failure> {
    let answer: Value = client.get(&["audit", "key"], &[]).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    let log: Log = view(&answer);
    Ok(out.line(Line::from(log.vkey))?)
}

/// Shows whether the chains are what was signed of them.
pub async fn integrity(client: &Client, out: &mut Out) -> Result<(), Failure> {
    let answer: Value = client
        .get(&["api", "v1", "audit", "integrity"], &[])
        .await?;
    let shown: Shown = view(&answer);
    if out.is_json() {
        out.json(&answer)?;
    } else {
        show(&shown, out)?;
    }
    if shown.status == WHOLE {
        Ok(())
    } else {
        Err(Failure::said(Exit::NotSo))
    }
}

/// Accepts what is there.
pub async fn rebase(client: &Client, args: &RebaseArgs, out: &mut Out) -> Result<(), Failure> {
    let order = json!({ "reason": args.reason });
    let answer: Value = client
        .post(&["api", "v1", "audit", "rebase"], &order)
        .await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    let rebased: Rebased = view(&answer);
    out.line(Line::item("new key", rebased.rebased.vkey))?;
    show(&rebased.integrity, out)
}

/// Puts another key in force.
pub async fn rotate(client: &Client, args: &RotateArgs, out: &mut Out) -> Result<(), Failure> {
    let order = json!({ "overlap_s": args.overlap_s });
    let answer: Value = client
        .post(&["api", "v1", "audit", "rotate"], &order)
        .await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    let rotated: Rotated = view(&answer);
    Ok(out.line(Line::item("new key", rotated.rotated.vkey))?)
}

/// A line each, and none is cut: what is wrong is what somebody has to act on.
fn show(shown: &Shown, out: &mut Out) -> Result<(), Failure> {
    if shown.status == WHOLE {
        let well = "every chain is what was signed of it";
        out.line(Line::new().tone(Tone::Good, well))?;
    }
    for fault in shown.host.iter().chain(&shown.chains) {
        let whose = fault.chain.as_deref().unwrap_or("all chains");
        let line = Line::new().tone(Tone::Bad, whose);
        out.line(line.text(format!(": {}: {}", fault.kind, fault.detail)))?;
    }
    for witness in &shown.witnesses {
        let tone = match witness.state.as_str() {
            "cosigned" | "unasked" => Tone::Good,
            _ => Tone::Bad,
        };
        let line = Line::named("witness").text(format!("{}: ", witness.name));
        let line = line.tone(tone, &witness.state);
        out.line(line.text(format!(" up to {}: {}", witness.size, witness.detail)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{
        super::{fake_server::FakeServer, out::tests::Paper},
        *,
    };

    #[tokio::test]
    async fn what_is_wrong_is_shown_by_chain() {
        let answer = json!({
            "status": "failed",
            "chains": [{ "chain": "acme", "kind": "audit_truncated", "detail": "9 entries were signed, and there are 3" }],
            "witnesses": [{ "name": "w.example", "state": "failing", "detail": "no answer within 10 s", "size": 71 }],
        });
        let server = FakeServer::new(move |_| (200, answer.to_string()));
        let paper = Paper::default();
        let ended = integrity(&server.client(), &mut paper.out(false)).await;
        assert_eq!(ended.unwrap_err(), Failure::said(Exit::NotSo));
        let shown = paper.text();
        for part in [
            "acme",
            "audit_truncated",
            "there are 3",
            "w.example",
            "failing",
            "71",
            "no answer",
        ] {
            assert!(shown.contains(part), "{shown}");
        }
    }
    #[tokio::test]
    async fn what_is_no_bundle_is_not_written() {
        let server = FakeServer::new(|_| (200, "<html>".into()));
        let dir = tempfile::tempdir().unwrap();
        let output = Some(dir.path().join("acme.bundle"));
        let tenant = "acme".parse().unwrap();
        let args = ProveArgs { tenant, output };
        let mut out = Paper::default().out(false);
        let failure = prove(&server.client(), &args, &mut out).await.unwrap_err();
        assert!(failure.what().contains("no proof"), "{failure}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
