//! `vyrox audit verify`: chains of the server, and files without one.

use std::{fmt, path::PathBuf};

use serde_json::Value;

use super::{
    chain_name::ChainName,
    failure::{Exit, Failure},
    model::{Verification, view},
    out::{Line, Out, Tone},
    settings::Settings,
};

pub use self::copy::Beside;
use self::copy::EMPTY;

mod copy;

/// What to verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A file of entries on this machine.
    File(PathBuf),
    /// A chain of the server.
    Chain(ChainName),
}

impl Target {
    /// An existing file is that file; any other name is a tenant's, if it can be one.
    pub fn new(name: PathBuf) -> Result<Self, Failure> {
        if name.exists() && !name.is_dir() {
            return Ok(Self::File(name));
        }
        let chain = name.to_str().and_then(|name| name.parse().ok());
        chain.map(Self::Chain).ok_or_else(|| {
            Failure::unreachable(format!("there is no file {}", name.display()))
                .hint("name a file of audit entries, or a tenant of the server")
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Chain(chain) => write!(f, "{chain}"),
        }
    }
}

/// Verifies all targets and says of each how it is; the failure says only that one was not whole.
/// What is held beside a file is for one file alone.
pub async fn run(
    targets: &[Target],
    beside: &Beside,
    settings: &Settings,
    out: &mut Out,
) -> Result<(), Failure> {
    if !(beside.is_nothing() || matches!(targets, [Target::File(_)])) {
        return Err(Failure::usage(
            "--receipt, --mirror, --checkpoint and --bundle need one file to be held against",
        ));
    }
    let mut all_whole = true;
    for target in targets {
        let answer = match target {
            Target::File(path) => copy::verified(path, beside)?,
            Target::Chain(chain) => {
                let query = [("tenant_id", chain.as_str())];
                settings.client()?.get(&["audit", "verify"], &query).await?
            }
        };
        let found: Verification = view(&answer);
        let mirror = answer.get("mirror").map(view::<Verification>);
        all_whole &= found.ok && mirror.as_ref().is_none_or(|mirror| mirror.ok);
        let signed = answer.pointer("/checkpoint/size").and_then(Value::as_u64);
        if out.is_json() {
            out.json(&named(answer, target, targets.len() > 1))?;
            continue;
        }
        show(&target.to_string(), &found, out)?;
        if let Some(size) = signed.filter(|_| found.ok) {
            out.line(Line::item("signed", format!("the first {size} entries")))?;
        }
        if let (Some(path), Some(mirror)) = (&beside.mirror, &mirror) {
            show(&format!("mirror {}", path.display()), mirror, out)?;
        }
    }
    if all_whole {
        Ok(())
    } else {
        Err(Failure::said(Exit::NotSo))
    }
}

/// With several targets each answer has to say whose it is.
fn named(mut answer: Value, target: &Target, several: bool) -> Value {
    if let Some(members) = answer.as_object_mut().filter(|_| several) {
        members.insert("target".into(), target.to_string().into());
    }
    answer
}

/// One chain's verdict in a line or four.
pub(super) fn show(name: &str, found: &Verification, out: &mut Out) -> Result<(), Failure> {
    if found.ok {
        let entries = found.entries.unwrap_or_default();
        out.line(
            Line::new()
                .tone(Tone::Good, "ok")
                .text(format!("        {name}: {entries} entries")),
        )?;
        if let Some(head) = &found.head {
            out.line(Line::item(
                "head",
                format!("seq {}  {}", head.seq, head.hash),
            ))?;
        }
        return Ok(());
    }
    let kind = found.kind.as_deref().unwrap_or("unknown");
    let place = match found.divergent_seq {
        _ if kind == EMPTY => "there is not one entry in it".to_owned(),
        // The forgery may begin earlier: this is the first place at which anything was known.
        Some(seq) if found.not_before_seq.is_some_and(|from| from < seq) => {
            let from = found.not_before_seq.unwrap_or_default();
            format!("first bad seq from {from} to {seq}")
        }
        Some(seq) => format!("first bad seq {seq}"),
        None => "no seq can be named".to_owned(),
    };
    out.line(
        Line::new()
            .tone(Tone::Bad, "NOT OK")
            .text(format!("    {name}: {place} ({kind})")),
    )?;
    for (label, hash) in [
        ("expected", &found.expected_hash),
        ("observed", &found.observed_hash),
    ] {
        if let Some(hash) = hash {
            out.line(Line::item(label, hash))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
