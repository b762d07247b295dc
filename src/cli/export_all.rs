//! `vyrox audit export --all --into DIR`: copies of all chains that are only ever added to.
//!
//! A copy elsewhere is what shows that a chain was rewritten. So nothing of it is ever replaced: what
//! the server has is compared with it first, new entries are verified behind it, and if the server's
//! chain is another one now, the copy stays as it is and the first entry that differs is named.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::json;
use vyrox_domain::ids::HOST_CHAIN;

use super::{
    chain_name::ChainName,
    client::Client,
    failure::{Exit, Failure},
    out::{Line, Out, Tone},
};

mod mirror;
mod tail;

use mirror::{Mirror, is_file};
use tail::{Behind, Tail};

/// The longest line that is fetched by itself; a longer one is no entry.
const LINE_BYTES: usize = 64 << 20;

/// The server's answer to which chains there are.
#[derive(Deserialize)]
struct Chains {
    chains: Vec<String>,
}

/// What became of one chain's copy.
enum Kept {
    /// So many entries were added, and it ends at this seq.
    Extended { added: u64, seq: u64 },
    /// The server's chain is not the copied one from this seq on.
    Forked { seq: u64, why: &'static str },
}

/// Brings every copy up to the server's chains.
pub(super) async fn run(client: &Client, into: &Path, out: &mut Out) -> Result<(), Failure> {
    let mirror = Mirror::open(into)?;
    let Chains { chains: mut names } = client.get(&["audit", "chains"], &[]).await?;
    names.push(HOST_CHAIN.to_owned());
    names.extend(mirror.chains()?);
    names.sort_unstable();
    names.dedup();
    // One chain's trouble is not the others': all are tried before the command says how it went.
    let mut exit = Exit::Done;
    for name in names {
        let kept = keep(client, into, &name).await;
        exit = match (&kept, exit) {
            (Ok(Kept::Forked { .. }), _) => Exit::NotSo,
            (Err(failure), Exit::Done) => failure.exit(),
            (Ok(Kept::Extended { .. }) | Err(_), so_far) => so_far,
        };
        tell(&name, &kept, out)?;
    }
    if exit != Exit::Done {
        return Err(Failure::said(exit));
    }
    Ok(())
}

/// Brings one chain's copy up to the server's chain.
async fn keep(client: &Client, into: &Path, name: &str) -> Result<Kept, Failure> {
    // From the server or from the directory: neither may lead out of it.
    let chain: ChainName = name
        .parse()
        .map_err(|_not_one| Failure::unreachable("that is no chain's name"))?;
    let path = into.join(format!("{chain}.jsonl"));
    Copy { chain, path }.extend(client).await
}

fn tell(chain: &str, kept: &Result<Kept, Failure>, out: &mut Out) -> Result<(), Failure> {
    if out.is_json() {
        return Ok(out.json(&match kept {
            Ok(Kept::Extended { added, seq }) => {
                json!({ "chain": chain, "ok": true, "added": added, "seq": seq })
            }
            Ok(Kept::Forked { seq, why }) => {
                json!({ "chain": chain, "ok": false, "divergent_seq": seq, "reason": why })
            }
            Err(failure) => json!({ "chain": chain, "ok": false, "reason": failure.what() }),
        })?);
    }
    let line = Line::new().tone(Tone::Strong, chain);
    Ok(out.line(match kept {
        Ok(Kept::Extended { added: 0, seq }) => line.text(format!("  ends at {seq}, nothing new")),
        Ok(Kept::Extended { added, seq }) => line.text(format!("  ends at {seq}, {added} new")),
        Ok(Kept::Forked { seq, why }) => line.tone(
            Tone::Bad,
            format!("  seq {seq}: {why}; the copy was left as it is"),
        ),
        Err(failure) => line.tone(Tone::Bad, format!("  {}", failure.what())),
    })?)
}

/// A chain's copy on this machine.
struct Copy {
    chain: ChainName,
    path: PathBuf,
}

/// An entry as far as it tells its place.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Place {
    seq: u64,
    hash: String,
}

/// How a copy ends.
#[derive(Default)]
struct Ending {
    /// The last whole line's entry.
    last: Option<Place>,
    /// Where that line ends, in bytes.
    length: u64,
    /// What stands behind it without a newline.
    rest: Vec<u8>,
}

impl Copy {
    async fn extend(&self, client: &Client) -> Result<Kept, Failure> {
        let Ending { last, length, rest } = self.ending()?;
        if let Some(last) = &last {
            let why = match self.theirs(client, last.seq).await? {
                Some(theirs) if theirs == *last => None,
                Some(_other) => Some("the server has another entry there than the copy"),
                None => Some("the server's chain ends before it, and the copy goes on"),
            };
            if let Some(why) = why {
                let seq = self.first_difference(client, last.seq).await?;
                return Ok(Kept::Forked { seq, why });
            }
        }
        // A whole entry that lacks its newline alone is no rest of anything: it is held against theirs.
        if let Ok(Place { seq, .. }) = serde_json::from_slice(&rest) {
            if self.their_line(client, seq).await? != rest {
                let why = "the server has another line there than the copy, whose last one has no newline";
                return Ok(Kept::Forked { seq, why });
            }
        } else if !rest.is_empty() {
            self.mended(rest.len());
        }
        self.add(client, last.as_ref(), length).await
    }

    /// Where the copy's whole lines end. What stands behind them is the rest of a line that was being
    /// added when this command was interrupted, or found the disk full.
    fn ending(&self) -> Result<Ending, Failure> {
        let failed = |error: io::Error| cannot("read", &self.path, &error);
        if !is_file(&self.path)? {
            return Ok(Ending::default());
        }
        let file = File::open(&self.path).map_err(failed)?;
        let (mut reader, mut ending, mut last) =
            (BufReader::new(file), Ending::default(), Vec::new());
        loop {
            let mut line = Vec::new();
            let read = reader.read_until(b'\n', &mut line).map_err(failed)?;
            if line.last() != Some(&b'\n') {
                ending.rest = line;
                break;
            }
            ending.length += read as u64;
            last = line;
        }
        if !last.is_empty() {
            let place = serde_json::from_slice(&last).map_err(|error| {
                let path = self.path.display();
                Failure::not_so(format!("{path} is no copy of a chain: {error}"))
            })?;
            ending.last = Some(place);
        }
        Ok(ending)
    }

    /// Tells whoever looks that the copy did not end with a whole line.
    fn mended(&self, bytes: usize) {
        let note = format!(
            "{}: its last {bytes} bytes were no whole line, as a run leaves it that was cut off or found the disk \
             full; what the server has there comes in their place\n",
            self.path.display()
        );
        io::stderr().lock().write_all(note.as_bytes()).ok();
    }

    /// The server's line of that number; nothing if it has none.
    async fn their_line(&self, client: &Client, seq: u64) -> Result<Vec<u8>, Failure> {
        let seq = seq.to_string();
        let query = [
            ("tenant_id", self.chain.as_str()),
            ("format", "jsonl"),
            ("from_seq", &seq),
            ("to_seq", &seq),
        ];
        let mut response = client.open(&["audit", "export"], &query).await?;
        let mut line = Vec::new();
        while let Some(piece) = client.next_chunk(&mut response).await? {
            line.extend(piece);
            if line.len() > LINE_BYTES {
                return Err(Failure::unreachable("the server's entry has no end"));
            }
        }
        line.pop_if(|last| *last == b'\n');
        Ok(line)
    }

    /// The server's entry of that number, if it has one.
    async fn theirs(&self, client: &Client, seq: u64) -> Result<Option<Place>, Failure> {
        let seq = seq.to_string();
        let query = [
            ("tenant_id", self.chain.as_str()),
            ("format", "json"),
            ("from_seq", &seq),
            ("to_seq", &seq),
        ];
        let entries: Vec<Place> = client.get(&["audit", "export"], &query).await?;
        Ok(entries.into_iter().next())
    }

    /// The first entry of the copy that the server lacks or has otherwise; where one is, all after it are.
    async fn first_difference(&self, client: &Client, last: u64) -> Result<u64, Failure> {
        let (mut same_below, mut differs) = (0, last);
        while same_below < differs {
            let middle = same_below + (differs - same_below) / 2;
            if self.theirs(client, middle).await? == self.ours(middle)? {
                same_below = middle + 1;
            } else {
                differs = middle;
            }
        }
        Ok(differs)
    }

    fn ours(&self, seq: u64) -> Result<Option<Place>, Failure> {
        let failed = |error: io::Error| cannot("read", &self.path, &error);
        let mut lines = BufReader::new(File::open(&self.path).map_err(failed)?).split(b'\n');
        let skip = usize::try_from(seq).unwrap_or(usize::MAX);
        let line = lines.nth(skip).transpose().map_err(failed)?;
        Ok(line.and_then(|line| serde_json::from_slice(&line).ok()))
    }

    /// Takes what comes after `last`, verifies the copy with it, and adds it.
    async fn add(
        &self,
        client: &Client,
        last: Option<&Place>,
        length: u64,
    ) -> Result<Kept, Failure> {
        let from = last.map_or(0, |last| last.seq + 1);
        let behind = Behind {
            chain: self.chain.clone(),
            copy: (length > 0).then(|| self.path.clone()),
            length,
            from,
        };
        let tail = Tail::beside(&self.path)?;
        let received = tail.receive(client, behind).await?;
        let forked = |seq, why| Ok(Kept::Forked { seq, why });
        if received.is_anothers {
            return forked(0, "the entries are another chain's");
        }
        let report = received.report;
        if !report.ok {
            let seq = report.divergent_seq.unwrap_or(from);
            let why = if seq < from {
                "the copy itself does not verify there"
            } else {
                "what the server has there does not follow"
            };
            return forked(seq, why);
        }
        let Some(head) = report.head else {
            return forked(0, "the server names the chain and gives no entry of it");
        };
        self.append(&tail, length)?;
        let added = (head.seq + 1).saturating_sub(from);
        Ok(Kept::Extended {
            added,
            seq: head.seq,
        })
    }

    /// Adds the tail behind the copy's last whole line, durably.
    fn append(&self, tail: &Tail, length: u64) -> Result<(), Failure> {
        let write = || -> io::Result<()> {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false).mode(0o600);
            let mut copy = options.open(&self.path)?;
            copy.set_len(length)?;
            copy.seek(SeekFrom::Start(length))?;
            io::copy(&mut File::open(&tail.path)?, &mut copy)?;
            copy.sync_all()
        };
        write().map_err(|error| cannot("write", &self.path, &error))
    }
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::unreachable(format!("cannot {what} {}: {error}", path.display()))
}
