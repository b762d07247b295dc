//! `vyrox audit verify`: chains of the server, and files without one.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{
    chain_name::ChainName,
    failure::{Exit, Failure},
    model::{Signed, Verification, view},
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
    pub fn new(name: &Path) -> Result<Self, Failure> {
        let shown = name.display();
        match fs::metadata(name) {
            Ok(there) if there.is_dir() => {
                Err(Failure::unreachable(format!("{shown} is a directory"))
                    .hint("name the files in it: DIR/*.jsonl"))
            }
            Ok(_) => Ok(Self::File(name.to_owned())),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::unreachable(
                format!("cannot read {shown}: {error}"),
            )),
            Err(_) => {
                let chain = name.to_str().and_then(|name| name.parse().ok());
                chain.map(Self::Chain).ok_or_else(|| {
                    Failure::unreachable(format!("there is no file {shown}"))
                        .hint("name a file of audit entries, or a tenant of the server")
                })
            }
        }
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

/// Verifies all targets and says of each how it is; the failure says only that one was not whole. One that
/// cannot be read keeps the others from nothing. What is held beside a file is for one file alone.
pub async fn run(
    names: &[PathBuf],
    beside: &Beside,
    settings: &Settings,
    out: &mut Out,
) -> Result<(), Failure> {
    let several = names.len() > 1;
    let targets: Vec<_> = names.iter().map(|name| Target::new(name)).collect();
    if !beside.is_nothing() && (several || matches!(targets[..], [Ok(Target::Chain(_))])) {
        return Err(Failure::usage(
            "--receipt, --mirror, --checkpoint, --bundle and the keys need one file to be held against",
        ));
    }
    let mut worst = Exit::Done;
    for (name, target) in names.iter().zip(targets) {
        let told = match target {
            Ok(target) => tell(&target, several, beside, settings, out).await,
            Err(failure) => Err(failure),
        };
        match told {
            Ok(true) => {}
            Ok(false) => worst = Exit::NotSo,
            // Our own output is gone, or this is all there is to say.
            Err(failure) if !several || failure.exit() == Exit::Done => return Err(failure),
            Err(failure) => {
                if worst == Exit::Done || failure.exit() == Exit::NotSo {
                    worst = failure.exit();
                }
                unread(&name.display().to_string(), &failure, out)?;
            }
        }
    }
    if worst == Exit::Done {
        Ok(())
    } else {
        Err(Failure::said(worst))
    }
}

/// Says how one target is, and whether that is whole.
async fn tell(
    target: &Target,
    several: bool,
    beside: &Beside,
    settings: &Settings,
    out: &mut Out,
) -> Result<bool, Failure> {
    let answer = match target {
        Target::File(path) => copy::verified(path, beside)?,
        Target::Chain(chain) => {
            let query = [("tenant_id", chain.as_str())];
            settings.client()?.get(&["audit", "verify"], &query).await?
        }
    };
    let found: Verification = view(&answer);
    let mirror = answer.get("mirror").map(view::<Verification>);
    let whole = found.ok && mirror.as_ref().is_none_or(|mirror| mirror.ok);
    if out.is_json() {
        out.json(&named(answer, target, several))?;
        return Ok(whole);
    }
    show(&target.to_string(), &found, out)?;
    if let Some(signed) = answer.get("checkpoint").filter(|_| found.ok) {
        show_signed(&view(signed), out)?;
    }
    if let (Some(path), Some(mirror)) = (&beside.mirror, &mirror) {
        show(&format!("mirror {}", path.display()), mirror, out)?;
    }
    Ok(whole)
}

/// How much was signed, and when witnesses saw the log that it is in.
fn show_signed(signed: &Signed, out: &mut Out) -> Result<(), Failure> {
    let size = signed.size;
    out.line(Line::item("signed", format!("the first {size} entries")))?;
    for witness in &signed.witnesses {
        let seen = i64::try_from(witness.seen_at).ok();
        let seen = seen.and_then(|second| jiff::Timestamp::from_second(second).ok());
        let seen = seen.unwrap_or(jiff::Timestamp::MAX);
        out.line(Line::item(
            "witness",
            format!("{} saw that at {seen}", witness.name),
        ))?;
    }
    Ok(())
}

/// Says of one among several why nothing can be said of it.
fn unread(name: &str, failure: &Failure, out: &mut Out) -> Result<(), Failure> {
    if out.is_json() {
        let answer = json!({ "target": name, "ok": false, "error": failure.what() });
        return Ok(out.json(&answer)?);
    }
    let line = Line::new()
        .tone(Tone::Bad, "NOT READ")
        .text(format!("  {name}: "));
    out.line(line.text(failure.what()))?;
    if let Some(hint) = failure.way_on() {
        out.line(Line::item("hint", hint))?;
    }
    Ok(())
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
