//! Verification of a chain from its file alone, with no trust in whoever wrote it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use serde_json::{Value, json};

use self::line::{EntryLine, between_quotes, text};
use crate::GENESIS;
use crate::journal::Head;

pub use self::{
    checkpointed::Checkpointed,
    comparison::{Comparison, Parting, compare, compare_files},
    known::Known,
    stretch::{Strayed, Stretch},
};

mod checkpointed;
mod comparison;
mod known;
mod line;
mod stretch;

/// Longest line that is read; a longer one is no entry.
const MAX_LINE: u64 = 64 << 20;
/// What is read of a file at a time.
const READ_BYTES: usize = 256 << 10;

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// Whether every line is a good entry that follows the one before it.
    pub ok: bool,
    /// How many good entries the file begins with.
    pub entries: u64,
    /// The last good entry.
    pub head: Option<Head>,
    /// What is wrong: `half_line`, `canonical`, `tenant`, `seq`, `chain`; `truncated` after
    /// [`expecting`](Self::expecting), `receipt` beside [`Known`] entries, `mirror` beside
    /// another copy, `checkpoint` and `another_chain` beside a [`Checkpointed`] tree.
    pub kind: Option<&'static str>,
    /// The first seq at which the file is not what it must be.
    pub divergent_seq: Option<u64>,
    /// The hash that was to be found there, in hex, if that can be said.
    pub expected_hash: Option<String>,
    /// The hash that was found there, in hex.
    pub observed_hash: Option<String>,
}

impl VerifyReport {
    /// The report as programs read it: `ok`, `entries`, `head`, and what is wrong if something is.
    pub fn to_json(&self) -> Value {
        let head = self.head;
        let head = head.map(|head| json!({ "seq": head.seq, "hash": head.hash_hex() }));
        if self.ok {
            return json!({ "ok": true, "entries": self.entries, "head": head });
        }
        json!({
            "ok": false,
            "entries": self.entries,
            "head": head,
            "kind": self.kind,
            "divergent_seq": self.divergent_seq,
            "expected_hash": self.expected_hash,
            "observed_hash": self.observed_hash,
        })
    }

    /// Compares with a head known from elsewhere, such as a receipt: a good chain that ends before
    /// it is `truncated`. That a longer chain contains it is for whoever reads the entry there.
    #[must_use]
    pub fn expecting(mut self, known: &Head) -> Self {
        let end = self.head.map_or(0, |head| head.seq + 1);
        let forked = self
            .head
            .is_some_and(|head| head.seq == known.seq && head.hash != known.hash);
        if self.ok && (end <= known.seq || forked) {
            self.ok = false;
            self.kind = Some(if forked { "chain" } else { "truncated" });
            self.divergent_seq = Some(if forked { known.seq } else { end });
            self.expected_hash = Some(known.hash_hex());
            self.observed_hash = self.head.filter(|_| forked).map(|head| head.hash_hex());
        }
        self
    }
}

/// A good entry, as a verification passes it.
#[derive(Debug, Clone, Copy)]
pub struct Passed<'a> {
    /// The entry's place and hash.
    pub entry: Head,
    /// The exact bytes of the line, without its newline.
    pub line: &'a [u8],
}

/// Verifies the chain in a file.
pub fn verify_file(path: &Path) -> io::Result<VerifyReport> {
    verify_lines(open(path)?)
}

/// The same, and shows each good entry to `each`, in order.
pub fn verify_file_each(path: &Path, each: impl FnMut(Passed<'_>)) -> io::Result<VerifyReport> {
    verify_each(open(path)?, each)
}

fn open(path: &Path) -> io::Result<impl BufRead> {
    Ok(BufReader::with_capacity(READ_BYTES, File::open(path)?))
}

/// Verifies a chain, line by line, until its end or its first fault. Errors are the reader's own.
pub fn verify_lines(lines: impl BufRead) -> io::Result<VerifyReport> {
    verify_each(lines, |_passed| {})
}

/// The same, and shows each good entry to `each`, in order.
pub fn verify_each(
    lines: impl BufRead,
    mut each: impl FnMut(Passed<'_>),
) -> io::Result<VerifyReport> {
    let mut walk = Walk::new(lines);
    while let Some(passed) = walk.step()? {
        each(passed);
    }
    Ok(walk.report())
}

/// A chain on its way through verification.
struct Walk<R> {
    lines: R,
    line: Vec<u8>,
    verifier: Verifier,
    fault: Option<Fault>,
}

impl<R: BufRead> Walk<R> {
    fn new(lines: R) -> Self {
        Self {
            lines,
            line: Vec::new(),
            verifier: Verifier::default(),
            fault: None,
        }
    }

    /// The next good entry; `None` at the end, and from the first fault on.
    fn step(&mut self) -> io::Result<Option<Passed<'_>>> {
        if self.fault.is_some() {
            return Ok(None);
        }
        self.line.clear();
        let mut limited = self.lines.by_ref().take(MAX_LINE);
        if limited.read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        match self.verifier.add(&self.line) {
            Ok(passed) => Ok(Some(passed)),
            Err(fault) => {
                self.fault = Some(fault);
                Ok(None)
            }
        }
    }

    fn report(self) -> VerifyReport {
        self.verifier.report(self.fault)
    }
}

/// What the next line has to follow.
struct Verifier {
    head: Option<Head>,
    /// The last hash in hex; zeros before the first entry.
    head_hex: [u8; 64],
    /// The first entry's `tenant_id` as it stands there, with its quotes; empty before it.
    tenant_id: Vec<u8>,
}

struct Fault {
    kind: &'static str,
    expected: Option<String>,
    observed: Option<String>,
}

impl Fault {
    fn new(kind: &'static str) -> Self {
        Self {
            kind,
            expected: None,
            observed: None,
        }
    }

    /// A hash that is not the one that belongs there.
    fn chain(expected_hex: &[u8], observed: &[u8]) -> Self {
        Self {
            kind: "chain",
            expected: Some(String::from_utf8_lossy(expected_hex).into_owned()),
            observed: Some(text(observed)),
        }
    }
}

impl Default for Verifier {
    fn default() -> Self {
        Self {
            head: None,
            head_hex: hex_of(&GENESIS),
            tenant_id: Vec::new(),
        }
    }
}

impl Verifier {
    fn next(&self) -> u64 {
        self.head.map_or(0, |head| head.seq + 1)
    }

    fn add<'a>(&mut self, line: &'a [u8]) -> Result<Passed<'a>, Fault> {
        let line = line
            .strip_suffix(b"\n")
            .ok_or_else(|| Fault::new("half_line"))?;
        let entry = EntryLine::read(line).ok_or_else(|| Fault::new("canonical"))?;
        self.follow(line, &entry)
    }

    fn follow<'a>(&mut self, line: &'a [u8], entry: &EntryLine<'_>) -> Result<Passed<'a>, Fault> {
        self.check_tenant(entry.tenant_id)?;
        if integer(entry.seq) != Some(self.next()) {
            return Err(Fault {
                observed: Some(text(entry.hash)),
                ..Fault::new("seq")
            });
        }
        if between_quotes(entry.previous_hash) != Some(&self.head_hex) {
            return Err(Fault::chain(&self.head_hex, entry.previous_hash));
        }
        let hash = entry.hash_after(&self.head_hex);
        let hash_hex = hex_of(&hash);
        if between_quotes(entry.hash) != Some(&hash_hex) {
            return Err(Fault::chain(&hash_hex, entry.hash));
        }
        let entry = Head {
            seq: self.next(),
            hash,
        };
        self.head = Some(entry);
        self.head_hex = hash_hex;
        Ok(Passed { entry, line })
    }

    /// A canonical text has one way to be written, so what is written tells whether it is the same.
    fn check_tenant(&mut self, tenant_id: &[u8]) -> Result<(), Fault> {
        if between_quotes(tenant_id).is_none() {
            return Err(Fault::new("canonical"));
        }
        if self.tenant_id.is_empty() {
            self.tenant_id.extend_from_slice(tenant_id);
        }
        if self.tenant_id != tenant_id {
            return Err(Fault::new("tenant"));
        }
        Ok(())
    }

    fn report(&self, fault: Option<Fault>) -> VerifyReport {
        let divergent_seq = fault.as_ref().map(|_| self.next());
        let (kind, expected_hash, observed_hash) = match fault {
            Some(fault) => (Some(fault.kind), fault.expected, fault.observed),
            None => (None, None, None),
        };
        VerifyReport {
            ok: kind.is_none(),
            entries: self.next(),
            head: self.head,
            kind,
            divergent_seq,
            expected_hash,
            observed_hash,
        }
    }
}

fn integer(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn hex_of(hash: &[u8; 32]) -> [u8; 64] {
    let mut text = [0; 64];
    // The one error is a wrong length, and both lengths are constants.
    let encoded = hex::encode_to_slice(hash, &mut text);
    debug_assert!(encoded.is_ok());
    text
}

#[cfg(test)]
mod tests;
