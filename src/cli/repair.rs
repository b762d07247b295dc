//! `vyrox audit repair`: lets a tenant's held chain go on.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    chain_name::ChainName,
    client::Client,
    failure::Failure,
    model::view,
    out::{Line, Out, Tone},
    settings::Settings,
};

mod copy;

/// What to do about a held tenant.
pub const REPAIR_HELP: &str = "\
A tenant is held when its chain was damaged and the end of it can't be proven any more. Its alerts are
kept on another chain meanwhile and nothing is decided for it. Without an option this command changes
nothing: it says from which entry on something may be missing, and what waits.

  --from FILE     a mirror or an export (jsonl) that goes beyond the proven end. All of it is read first:
                  with one line that is not of this chain, was changed or leaves a gap, or with an
                  entry that is not the proven one, nothing is ordered. What follows the proven end
                  is put back as it was.
  --accept-loss   there is no copy of what is missing. It is given up for good: receipts of those
                  entries match no longer, and their numbers are given to others.

Either way the chain's next entry says who did this and what was restored, the alerts that were kept
follow with their own ids and times, and the tenant is served again at once.

Examples:
  vyrox audit repair acme
  vyrox audit repair acme --from /mnt/mirror/acme.jsonl
  vyrox audit repair acme --from acme-monday.jsonl --accept-loss
  vyrox audit repair acme --accept-loss";

/// Lines that are sent with one request, in bytes; the server takes four times as much.
const PORTION_BYTES: usize = 1 << 20;

/// Arguments of `audit repair`.
#[derive(Debug, Args)]
pub struct RepairArgs {
    /// The tenant, or _host
    #[arg(value_name = "TENANT")]
    pub tenant: ChainName,
    /// Put back what this copy of the chain has (jsonl)
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Give up what is still missing
    #[arg(long)]
    pub accept_loss: bool,
}

/// What the server knows of a chain.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Shown {
    status: String,
    from_seq: Option<u64>,
    proven: Option<End>,
    known_to_seq: Option<u64>,
    stood_in: Vec<StandIn>,
    waiting: u64,
    ordered: Option<Ordered>,
    next: Option<String>,
}

/// The last order that lets the chain go on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Ordered {
    repair_id: String,
    from_seq: u64,
    loss_accepted: bool,
    by: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct End {
    seq: u64,
    hash: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StandIn {
    chain: String,
    waiting: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Repaired {
    restored: u64,
    head: Option<End>,
}

/// Does what was asked.
pub async fn run(args: RepairArgs, settings: &Settings, out: &mut Out) -> Result<(), Failure> {
    let client = settings.client()?;
    let path = ["api", "v1", "tenants", args.tenant.as_str(), "repair"];
    let answer: Value = client.get(&path, &[]).await?;
    if args.from.is_none() && !args.accept_loss {
        if out.is_json() {
            return Ok(out.json(&answer)?);
        }
        return show(&args, &view(&answer), out);
    }
    let known: Shown = view(&answer);
    let Some(from_seq) = known.from_seq else {
        let tenant = &args.tenant;
        return Err(Failure::not_so(format!(
            "the chain of {tenant} is not held"
        )));
    };
    let tail = match &args.from {
        Some(file) => {
            let chain = copy::Known {
                chain: &args.tenant,
                from_seq,
                proven: known.proven.as_ref(),
            };
            let checked = copy::check(file, &chain)?;
            send(&client, &path, file, checked).await?
        }
        None => Vec::new(),
    };
    let order = json!({ "tail": tail, "accept_loss": args.accept_loss });
    let answer: Value = client.post(&path, &order).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    let repaired: Repaired = view(&answer);
    let restored = format!("{} entries restored", repaired.restored);
    out.line(
        Line::new()
            .tone(Tone::Good, "repaired")
            .text(format!(": {restored}")),
    )?;
    if let Some(head) = repaired.head {
        out.line(Line::item(
            "goes on",
            format!("behind entry {} {}", head.seq, head.hash),
        ))?;
    }
    Ok(out.line(Line::item(
        "taken over",
        format!("{} entries are taken over", known.waiting),
    ))?)
}

/// Sends a copy's lines in portions; gives the last one, which decides.
async fn send(
    client: &Client,
    path: &[&str],
    file: &Path,
    checked: copy::Checked,
) -> Result<Vec<String>, Failure> {
    let (mut portion, mut bytes, mut missing) = (Vec::new(), 0, checked.lines);
    for line in checked.read(file)? {
        let line = line?;
        if bytes + line.len() > PORTION_BYTES && !portion.is_empty() {
            let order = json!({ "tail": std::mem::take(&mut portion), "more": true });
            let _restoring: Value = client.post(path, &order).await?;
            bytes = 0;
        }
        bytes += line.len();
        portion.push(line);
        missing -= 1;
    }
    if missing > 0 {
        let shorter = format!("{} became shorter while it was read", file.display());
        return Err(
            Failure::not_so(shorter).hint("the chain is held still: give a copy that rests")
        );
    }
    Ok(portion)
}

fn show(args: &RepairArgs, known: &Shown, out: &mut Out) -> Result<(), Failure> {
    let tenant = &args.tenant;
    let Some(from_seq) = known.from_seq else {
        let well = format!("the chain of {tenant} is not held: there is nothing to repair");
        out.line(Line::new().tone(Tone::Good, well))?;
        return match &known.ordered {
            Some(ordered) => Ok(out.line(Line::item("last repair", ordered.told()))?),
            None => Ok(()),
        };
    };
    out.line(Line::named("status").tone(Tone::Bad, &known.status))?;
    out.line(Line::item("in doubt", format!("from entry {from_seq} on")))?;
    let proven = match &known.proven {
        Some(end) => format!("up to entry {} {}", end.seq, end.hash),
        None => "nothing".to_owned(),
    };
    out.line(Line::item("proven", proven))?;
    let spoken = known.known_to_seq.filter(|seq| *seq >= from_seq);
    if let Some(seq) = spoken {
        out.line(Line::item("once had", format!("entry {seq}, perhaps more")))?;
    }
    for one in &known.stood_in {
        let kept = format!("{} entries wait on {}", one.waiting, one.chain);
        out.line(Line::item("kept", kept))?;
    }
    match &known.next {
        Some(next) => {
            out.gap()?;
            Ok(out.line(Line::from(next.replace("TENANT", tenant.as_str())))?)
        }
        None => Ok(()),
    }
}

impl Ordered {
    fn told(&self) -> String {
        let Self {
            repair_id,
            from_seq,
            by,
            ..
        } = self;
        let loss = if self.loss_accepted {
            "a loss was accepted"
        } else {
            "no loss was accepted"
        };
        format!("of entry {from_seq} on, by {by}; {loss} ({repair_id})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request that ended without an answer left nobody a way to learn what had become of it.
    #[test]
    fn a_chain_that_goes_on_names_its_last_repair() {
        let answer = json!({
            "status": "not_held",
            "ordered": {"repair_id": "r-1", "from_seq": 7, "loss_accepted": true, "by": "api_token:b"},
        });
        let known: Shown = view(&answer);
        let told = known.ordered.map(|ordered| ordered.told());
        let expected = "of entry 7 on, by api_token:b; a loss was accepted (r-1)";
        assert_eq!(told.as_deref(), Some(expected));
    }
}
