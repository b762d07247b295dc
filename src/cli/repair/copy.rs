//! The copy that a held chain is repaired from: the whole of it is read, and held against what is known,
//! before anything is ordered. What it has is put back a portion at a time, so a fault that is found on
//! the way would be found too late.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    path::Path,
};

use vyrox_actors::journal::{Strayed, Stretch};

use super::{
    super::{chain_name::ChainName, failure::Failure},
    End,
};

/// The longest line that is read; a longer one is no entry.
const LINE_BYTES: u64 = 64 << 20;

/// What the server says of the chain.
pub(super) struct Known<'a> {
    pub(super) chain: &'a ChainName,
    /// The first seq in doubt.
    pub(super) from_seq: u64,
    /// Where the chain ends that can be proven now; it may lie behind entries in doubt that were
    /// restored before.
    pub(super) proven: Option<&'a End>,
}

/// A good copy, and where in it the lines are that the server is to have.
pub(super) struct Checked {
    file: File,
    /// Where the first of them begins, in bytes.
    offset: u64,
    /// How many there are.
    pub(super) lines: u64,
}

/// A copy as far as it was read.
struct Reading<'a> {
    path: &'a Path,
    known: &'a Known<'a>,
    stretch: Stretch,
    /// Lines so far.
    lines: u64,
    bytes: u64,
    /// The first line that the server is to have: how many lie before it, and where it begins.
    first: Option<(u64, u64)>,
}

/// Reads all of it. Every failure says why nothing was ordered.
pub(super) fn check(path: &Path, known: &Known<'_>) -> Result<Checked, Failure> {
    let cannot = |error: io::Error| cannot_read(path, &error);
    let file = File::open(path).map_err(cannot)?;
    // It is read twice.
    if !file.metadata().map_err(cannot)?.is_file() {
        return Err(refused(&format!("{} is no file", path.display()))
            .hint("save what comes from elsewhere to a file first"));
    }
    let mut reader = BufReader::new(&file);
    let mut reading = Reading {
        path,
        known,
        stretch: Stretch::of(known.chain.as_str()),
        lines: 0,
        bytes: 0,
        first: None,
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = reader.by_ref().take(LINE_BYTES);
        if limited.read_until(b'\n', &mut line).map_err(cannot)? == 0 {
            break;
        }
        reading.line(&line)?;
        reading.bytes += line.len() as u64;
    }
    reading.ended()?;
    let (before, offset) = reading.first.unwrap_or((reading.lines, reading.bytes));
    let lines = reading.lines - before;
    Ok(Checked {
        file,
        offset,
        lines,
    })
}

impl Reading<'_> {
    fn line(&mut self, line: &[u8]) -> Result<(), Failure> {
        self.lines += 1;
        // A last line without its newline is whole if its hash is.
        let entry = self.stretch.add(line.strip_suffix(b"\n").unwrap_or(line));
        let entry = entry.map_err(|strayed| self.strayed(&strayed))?;
        let proven = self.known.proven.filter(|proven| proven.seq == entry.seq);
        if proven.is_some_and(|proven| proven.hash != entry.hash_hex()) {
            return Err(self.disagrees(entry.seq));
        }
        // What was restored since it is held is in doubt too: an earlier copy may have been a forged one.
        if entry.seq >= self.known.from_seq.saturating_sub(1) && self.first.is_none() {
            self.first = Some((self.lines - 1, self.bytes));
        }
        Ok(())
    }

    fn strayed(&self, strayed: &Strayed) -> Failure {
        let (line, chain) = (self.lines, self.known.chain);
        let why = match (strayed.kind, strayed.expected_seq) {
            ("tenant", _) => format!("it is of another chain than {chain}"),
            ("seq", Some(seq)) => {
                format!("it is not entry {seq}, which follows the line before it")
            }
            ("chain", _) => {
                "it was changed, or does not follow the line before it: its hash is another"
                    .to_owned()
            }
            _ => "it is no entry, or only a part of one".to_owned(),
        };
        refused(&format!("line {line} of {}: {why}", self.path.display()))
            .hint("give a copy in the form jsonl, one entry a line, as it was exported")
    }

    fn disagrees(&self, seq: u64) -> Failure {
        let (line, path) = (self.lines, self.path.display());
        let chain = self.known.chain;
        refused(&format!(
            "line {line} of {path}: {chain} has another entry {seq}, and that one is proven"
        ))
        .hint("take a copy that was made of this server's chain; audit repair alone says what is proven")
    }

    /// Whether it reaches from what is in doubt to what is proven, at the least.
    fn ended(&self) -> Result<(), Failure> {
        let (path, from_seq) = (self.path.display(), self.known.from_seq);
        let (Some(first), Some(last)) = (self.stretch.first_seq(), self.stretch.head()) else {
            return Err(refused(&format!("there is no entry in {path}")));
        };
        if first > from_seq {
            let late = format!(
                "{path} begins with entry {first}: entries from {from_seq} on are in doubt"
            );
            return Err(refused(&late).hint("give a copy that reaches back to there"));
        }
        let Some(proven) = self.known.proven else {
            return Ok(());
        };
        if self
            .stretch
            .after()
            .is_some_and(|after| after.seq == proven.seq && after.hash_hex() != proven.hash)
        {
            return Err(self.disagrees(proven.seq));
        }
        if last.seq < proven.seq {
            let (last, proven) = (last.seq, proven.seq);
            let early =
                format!("{path} ends with entry {last}, and up to entry {proven} all is proven");
            return Err(
                refused(&early).hint("it has nothing to put back: give a newer copy, or none")
            );
        }
        Ok(())
    }
}

impl Checked {
    /// The lines that the server is to have, to `each`, without their newlines.
    pub(super) fn read(
        self,
        path: &Path,
    ) -> Result<impl Iterator<Item = Result<String, Failure>>, Failure> {
        let mut file = self.file;
        let seek = file.seek(SeekFrom::Start(self.offset));
        seek.map_err(|error| cannot_read(path, &error))?;
        let lines = usize::try_from(self.lines).unwrap_or(usize::MAX);
        let path = path.to_owned();
        let lines = BufReader::new(file).lines().take(lines);
        Ok(lines.map(move |line| line.map_err(|error| cannot_read(&path, &error))))
    }
}

fn refused(what: &str) -> Failure {
    Failure::not_so(format!("{what}; nothing was ordered"))
}

fn cannot_read(path: &Path, error: &io::Error) -> Failure {
    Failure::unreachable(format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use vyrox_domain::digest::Digest;

    use super::{super::super::failure::Exit, *};

    /// So many good entries, as any writer of the documented format would make them.
    fn chain(tenant: &str, entries: u64) -> Vec<String> {
        let mut previous = "0".repeat(64);
        let line = |seq| {
            let entry = json!({
                "actor": "system", "event": "alert.received", "event_version": 1, "payload": {},
                "previous_hash": previous, "seq": seq, "tenant_id": tenant,
                "timestamp": 1_768_473_000, "timestamp_ms": 1_768_473_000_000_u64,
            });
            let entry = entry.to_string();
            previous = Digest::of(format!("{previous}|{entry}").as_bytes()).to_hex();
            let hash = format!("\"hash\":\"{previous}\",\"payload\"");
            entry.replacen("\"payload\"", &hash, 1)
        };
        (0..entries).map(line).collect()
    }

    fn end(lines: &[String], seq: u64) -> End {
        let line: Value = serde_json::from_str(&lines[usize::try_from(seq).unwrap()]).unwrap();
        let hash = line["hash"].as_str().unwrap().to_owned();
        End { seq, hash }
    }

    /// What of a copy goes to a server whose chain of acme is proven up to `proven` and in doubt from 4 on.
    fn checked(copy: &str, proven: Option<&End>) -> Result<Vec<String>, Failure> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), copy).unwrap();
        let known = Known {
            chain: &"acme".parse().unwrap(),
            from_seq: 4,
            proven,
        };
        check(file.path(), &known)?.read(file.path())?.collect()
    }

    #[test]
    fn a_good_copy_gives_what_is_in_doubt_and_the_entry_before_it() {
        let lines = chain("acme", 8);
        let (proven, later) = (end(&lines, 3), end(&lines, 5));
        let whole = lines.join("\n");
        assert_eq!(checked(&whole, Some(&proven)).unwrap(), lines[3..]);
        assert_eq!(checked(&whole, Some(&later)).unwrap(), lines[3..]);
        // A part of it will do, if it reaches back far enough.
        let part = format!("{}\n", lines[4..7].join("\n"));
        assert_eq!(checked(&part, Some(&proven)).unwrap(), lines[4..7]);
        // One that ends with what is proven is good, and only a loss can be accepted with it.
        let short = format!("{}\n", lines[..4].join("\n"));
        assert_eq!(checked(&short, Some(&proven)).unwrap(), lines[3..4]);
    }

    /// Whatever was found on the way was found when the portions before it were restored, or not at all: with
    /// `--accept-loss` a wrong file gave up what a right one would have brought back.
    #[test]
    fn a_copy_with_anything_wrong_in_it_is_refused_before_anything_is_ordered() {
        let lines = chain("acme", 8);
        let (proven, later) = (end(&lines, 3), end(&lines, 6));
        let all = |lines: &[String]| format!("{}\n", lines.join("\n"));
        let mut changed = lines.clone();
        changed[6] = changed[6].replacen("1768473000000", "1768473000001", 1);
        let mut gap = lines.clone();
        gap.remove(6);
        let mut half = lines.clone();
        half[7].truncate(40);
        let mut other = end(&lines, 3);
        other.hash = "ab".repeat(32);
        for (copy, proven, says) in [
            (all(&chain("globex", 8)), &proven, "line 1 of"),
            (all(&changed), &proven, "line 7 of"),
            (all(&gap), &proven, "it is not entry 6"),
            (all(&half), &proven, "only a part of one"),
            (all(&lines), &other, "acme has another entry 3"),
            (all(&lines[4..]), &other, "acme has another entry 3"),
            (all(&lines[5..]), &proven, "begins with entry 5"),
            (all(&lines[..5]), &later, "ends with entry 4"),
            (String::new(), &proven, "there is no entry"),
            ("seq,event\n1,x\n".to_owned(), &proven, "it is no entry"),
        ] {
            let failure = checked(&copy, Some(proven)).unwrap_err();
            assert_eq!(failure.exit(), Exit::NotSo, "{failure}");
            assert!(failure.what().contains(says), "{says}: {failure}");
            assert!(failure.what().contains("nothing was ordered"), "{failure}");
        }
        let folder = tempfile::tempdir().unwrap();
        let known = Known {
            chain: &"acme".parse().unwrap(),
            from_seq: 4,
            proven: None,
        };
        let failure = check(folder.path(), &known).err().unwrap();
        assert!(failure.what().contains("is no file"), "{failure}");
    }
}
