//! Verification of a chain from its file alone, with no trust in whoever wrote it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::GENESIS;
use crate::draft::check_object;
use crate::entry::chain_hash;
use crate::journal::Head;

/// Longest line that is read; a longer one is no entry.
const MAX_LINE: u64 = 64 << 20;
/// Deepest nesting of an entry.
const MAX_DEPTH: usize = 64;

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// Whether every line is a good entry that follows the one before it.
    pub ok: bool,
    /// How many good entries the file begins with.
    pub entries: u64,
    /// The last good entry.
    pub head: Option<Head>,
    /// What is wrong: `half_line`, `canonical`, `tenant`, `seq`, `chain`, and `truncated` after
    /// [`expecting`](Self::expecting).
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

/// Verifies the chain in a file.
pub fn verify_file(path: &Path) -> io::Result<VerifyReport> {
    verify_lines(BufReader::new(File::open(path)?))
}

/// Verifies a chain, line by line, until its end or its first fault. Errors are the reader's own.
pub fn verify_lines(mut lines: impl BufRead) -> io::Result<VerifyReport> {
    let mut verifier = Verifier::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = lines.by_ref().take(MAX_LINE);
        if limited.read_until(b'\n', &mut line)? == 0 {
            return Ok(verifier.report(None));
        }
        if let Err(fault) = verifier.add(&line) {
            return Ok(verifier.report(Some(fault)));
        }
    }
}

#[derive(Default)]
struct Verifier {
    head: Option<Head>,
    tenant: Option<String>,
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
}

impl Verifier {
    fn next(&self) -> u64 {
        self.head.map_or(0, |head| head.seq + 1)
    }

    fn add(&mut self, line: &[u8]) -> Result<(), Fault> {
        let line = line
            .strip_suffix(b"\n")
            .ok_or_else(|| Fault::new("half_line"))?;
        let mut entry = canonical_object(line).ok_or_else(|| Fault::new("canonical"))?;
        let tenant = text(&entry, "tenant_id")
            .ok_or_else(|| Fault::new("canonical"))?
            .to_owned();
        if *self.tenant.get_or_insert_with(|| tenant.clone()) != tenant {
            return Err(Fault::new("tenant"));
        }
        let observed = entry.remove("hash");
        let observed = observed
            .as_ref()
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let claimed = text(&entry, "previous_hash").unwrap_or_default().to_owned();
        let hash = hash_of(&entry, &claimed)?;
        let seq = entry.get("seq").and_then(Value::as_u64);
        if seq != Some(self.next()) {
            return Err(Fault {
                observed: Some(observed),
                ..Fault::new("seq")
            });
        }
        let previous = hex::encode(self.head.map_or(GENESIS, |head| head.hash));
        if claimed != previous {
            let (expected, observed) = (Some(previous), Some(claimed));
            return Err(Fault {
                kind: "chain",
                expected,
                observed,
            });
        }
        let expected = hex::encode(hash);
        if observed != expected {
            let (expected, observed) = (Some(expected), Some(observed));
            return Err(Fault {
                kind: "chain",
                expected,
                observed,
            });
        }
        self.head = Some(Head {
            seq: self.next(),
            hash,
        });
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

/// The entry, if the line is its one canonical form and keeps the rules of all our entries.
fn canonical_object(line: &[u8]) -> Option<Map<String, Value>> {
    let entry: Value = serde_json::from_slice(line).ok()?;
    let Value::Object(members) = entry else {
        return None;
    };
    check_object(&members, MAX_DEPTH).ok()?;
    let canonical = serde_json_canonicalizer::to_vec(&members).ok()?;
    (canonical == line).then_some(members)
}

fn hash_of(entry: &Map<String, Value>, previous_hex: &str) -> Result<[u8; 32], Fault> {
    let canonical = serde_json_canonicalizer::to_vec(entry);
    let canonical = canonical.map_err(|_unprintable| Fault::new("canonical"))?;
    Ok(chain_hash(previous_hex.as_bytes(), &[&canonical]))
}

fn text<'a>(entry: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    entry.get(key).and_then(Value::as_str)
}
