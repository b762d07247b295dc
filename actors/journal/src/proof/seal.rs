//! The seal: one signature over all that the store says is signed.
//!
//! Checkpoints and statements bear signatures of their own. Which of them are there, which chains there
//! are, what was published of each and which key is in force are rows alone: whoever can write the file
//! and has no key could take some away or put older ones back. So with every change of these rows goes a
//! note over all of them, by the key in force.
//!
//! Witnesses' words bear signatures of their own and are not among it. What witnesses accuse the log of
//! bears none, so it is.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use sha2::{Digest as _, Sha256};

use super::checkpoint::Checkpoint;
use super::merkle::Hash;
use super::note::{Note, NoteError, Signer, VerifierKey, VerifyEd25519};
use super::store::{Accusation, ChainRecord, KeyInForce, Overlap};
use crate::bytes::wide;

/// The first line. No checkpoint and no statement begins with it, so neither can be taken for a seal.
const KIND: &str = "vyrox proof state v1";
/// What is hashed begins with one of these, so no hash of one kind is one of another.
const CHAIN: &str = "vyrox proof chain v1";
const CHAINS: &str = "vyrox proof chains v1";
const KEYS: &str = "vyrox proof keys v1";
const ACCUSATIONS: &str = "vyrox proof accusations v1";

/// What is wrong with a seal that differs in a line, line by line.
const LINES: [&str; 7] = [
    "the seal is of another kind",
    "the log's name",
    "the newest checkpoint",
    "the rows of the chains",
    "the rows of the keys",
    "until when the key before signs too",
    "what witnesses accuse the log of",
];

/// The hash of each chain's row, so that what has not changed is not hashed again.
#[derive(Default)]
pub(super) struct ChainRows(BTreeMap<Arc<str>, Hash>);

impl ChainRows {
    /// A chain as it is signed from now on.
    pub(super) fn put(&mut self, chain: &Arc<str>, record: &ChainRecord) {
        self.0.insert(Arc::clone(chain), row_hash(chain, record));
    }

    /// In the order of the names.
    fn digest(&self) -> Rows {
        let mut hasher = hasher(CHAINS);
        for hash in self.0.values() {
            hasher.update(hash);
        }
        Rows {
            count: self.0.len(),
            hash: hasher.finalize().into(),
        }
    }
}

impl<'a> FromIterator<(&'a Arc<str>, &'a ChainRecord)> for ChainRows {
    fn from_iter<I: IntoIterator<Item = (&'a Arc<str>, &'a ChainRecord)>>(chains: I) -> Self {
        let mut rows = Self::default();
        for (chain, record) in chains {
            rows.put(chain, record);
        }
        rows
    }
}

/// Rows of one kind: how many, and a hash over them.
struct Rows {
    count: usize,
    hash: Hash,
}

/// What a seal is over.
pub(super) struct State {
    checkpoint: Checkpoint,
    chains: Rows,
    keys: Rows,
    overlap: Option<Overlap>,
    /// None for a seal of before they were part of it.
    accusations: Option<Rows>,
}

impl State {
    /// The newest checkpoint, the chains, the keys from the oldest to the one in force, until when the one
    /// before it signs too, and the accusations in any order.
    pub(super) fn new<'a>(
        checkpoint: Checkpoint,
        chains: &ChainRows,
        keys: impl IntoIterator<Item = &'a KeyInForce>,
        overlap: Option<Overlap>,
        accusations: &[Accusation],
    ) -> Self {
        Self {
            checkpoint,
            chains: chains.digest(),
            keys: digest_of_keys(keys),
            overlap,
            accusations: Some(digest_of_accusations(accusations)),
        }
    }

    /// The same as a seal of before accusations were part of it has it.
    pub(super) fn without_accusations(self) -> Self {
        Self {
            accusations: None,
            ..self
        }
    }

    /// The seal, as it is kept.
    pub(super) fn seal(&self, in_force: &dyn Signer) -> Result<String, NoteError> {
        let mut note = Note::new(self.to_string())?;
        note.sign(&self.checkpoint.origin.key_name(), in_force)?;
        Ok(note.to_string())
    }

    /// Whether a seal is over this very state and of the key in force; if not, what is wrong.
    pub(super) fn holds(
        &self,
        seal: Option<&str>,
        in_force: &VerifierKey,
        check: VerifyEd25519,
    ) -> Result<(), &'static str> {
        let seal = seal.ok_or("there is no seal")?;
        let note =
            Note::parse(seal.as_bytes()).map_err(|_unreadable| "the seal is not readable")?;
        note.verify(std::slice::from_ref(in_force), check)
            .map_err(|_not_signed| "the seal is not of the key in force")?;
        let state = self.to_string();
        if note.text() == state {
            return Ok(());
        }
        let mut sealed = note.text().lines();
        let mut lines = LINES.iter().zip(state.lines());
        let differs = lines.find(|(_, is)| sealed.next() != Some(is));
        Err(differs.map_or("the seal has more lines than a seal", |(what, _)| what))
    }
}

/// The text that is signed.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Checkpoint { origin, size, root } = &self.checkpoint;
        let root = BASE64.encode(root);
        write!(f, "{KIND}\norigin {origin}\ncheckpoint {size} {root}\n")?;
        for (what, rows) in [("chains", &self.chains), ("keys", &self.keys)] {
            writeln!(f, "{what} {} {}", rows.count, BASE64.encode(rows.hash))?;
        }
        match self.overlap {
            None => f.write_str("overlap none\n")?,
            Some(Overlap {
                public_key,
                until_ms,
            }) => writeln!(f, "overlap {until_ms} {}", BASE64.encode(public_key))?,
        }
        let Some(rows) = &self.accusations else {
            return Ok(());
        };
        writeln!(f, "accusations {} {}", rows.count, BASE64.encode(rows.hash))
    }
}

fn row_hash(chain: &str, record: &ChainRecord) -> Hash {
    let mut hasher = hasher(CHAIN);
    frame(&mut hasher, chain.as_bytes());
    frame(&mut hasher, record.opaque_id.as_bytes());
    match record.leaf {
        Some(leaf) => frame(&mut hasher, &leaf.to_le_bytes()),
        None => frame(&mut hasher, &[]),
    }
    frame(&mut hasher, &record.last_line);
    frame(&mut hasher, &record.frontier.encode());
    hasher.finalize().into()
}

fn digest_of_keys<'a>(keys: impl IntoIterator<Item = &'a KeyInForce>) -> Rows {
    let mut hasher = hasher(KEYS);
    let mut count = 0;
    for key in keys {
        count += 1;
        frame(&mut hasher, &key.since_ms.to_le_bytes());
        frame(&mut hasher, key.key.to_string().as_bytes());
        frame(
            &mut hasher,
            key.statement.as_deref().unwrap_or("").as_bytes(),
        );
    }
    Rows {
        count,
        hash: hasher.finalize().into(),
    }
}

/// In the order of the witnesses' keys, as rows have it.
fn digest_of_accusations(accusations: &[Accusation]) -> Rows {
    let mut sorted: Vec<_> = accusations.iter().map(Accusation::row).collect();
    sorted.sort_unstable();
    let mut hasher = hasher(ACCUSATIONS);
    for (key, (size, seen, time_ms)) in &sorted {
        frame(&mut hasher, key.as_bytes());
        for number in [size, seen, time_ms] {
            frame(&mut hasher, &number.to_le_bytes());
        }
    }
    Rows {
        count: sorted.len(),
        hash: hasher.finalize().into(),
    }
}

fn hasher(domain: &str) -> Sha256 {
    let mut hasher = Sha256::new();
    frame(&mut hasher, domain.as_bytes());
    hasher
}

/// Length first, so that no bytes go from one field into the next.
fn frame(hasher: &mut Sha256, field: &[u8]) {
    hasher.update(wide(field.len()).to_le_bytes());
    hasher.update(field);
}

#[cfg(test)]
mod tests;
