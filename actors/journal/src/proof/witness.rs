//! What is said to a witness and what it says (C2SP `tlog-witness`): bytes alone, somebody else
//! carries them.
//!
//! A witness keeps the newest checkpoint of the log that it has cosigned. It is told one that is not
//! older, with the proof that the log only grew in between, and answers with its cosignature; or it
//! says which size it knows. Its word for a checkpoint counts with its signature alone; a size that
//! it names carries none, so a lying witness can stop the log, and cannot vouch for another.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::checkpoint::{Origin, SignedCheckpoint, parse_size};
use super::merkle::Hash;
use super::note::{NoteSignature, VerifierKey, VerifyEd25519};

/// Longest answer that is looked at, in bytes.
pub const MAX_ANSWER_BYTES: usize = 64 << 10;

/// A request of a witness to cosign a checkpoint: `POST <prefix>/add-checkpoint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessRequest {
    /// The size up to which the witness is believed to know the log.
    pub old: u64,
    /// What it is asked to cosign.
    pub checkpoint: SignedCheckpoint,
    /// The body.
    pub body: String,
}

/// A witness's word for a checkpoint, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    pub(super) size: u64,
    pub(super) key: VerifierKey,
    pub(super) time: u64,
    pub(super) line: NoteSignature,
}

impl Cosignature {
    /// The size of the checkpoint that it is of.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// When the witness saw it, in unix seconds.
    pub fn time(&self) -> u64 {
        self.time
    }
}

/// What a witness answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WitnessAnswer {
    /// It has cosigned the checkpoint.
    Cosigned(Cosignature),
    /// It knows the log up to another size than the request said.
    Knows {
        /// Which.
        size: u64,
    },
    /// It knows another log of this name: of the same size with another root, or one that this log
    /// does not continue.
    Forked,
    /// It does not know the log's name.
    UnknownLog,
    /// It does not know the key that signed.
    UnknownKey,
    /// A success without a good cosignature of the witness's own key, or an answer out of the order of
    /// the protocol.
    Unusable {
        /// The status.
        status: u16,
    },
}

impl WitnessRequest {
    pub(super) fn new(old: u64, proof: &[Hash], checkpoint: SignedCheckpoint) -> Self {
        let mut body = format!("old {old}\n");
        for hash in proof {
            body.push_str(&BASE64.encode(hash));
            body.push('\n');
        }
        // Writing into a text cannot fail.
        let written = write!(body, "\n{checkpoint}");
        debug_assert!(written.is_ok());
        Self {
            old,
            checkpoint,
            body,
        }
    }

    /// The log that it is about.
    pub fn origin(&self) -> Origin {
        self.checkpoint.checkpoint().origin
    }

    /// Reads the answer of the witness that has this key.
    pub fn read_answer(
        &self,
        witness: &VerifierKey,
        check: VerifyEd25519,
        status: u16,
        body: &[u8],
    ) -> WitnessAnswer {
        let unusable = WitnessAnswer::Unusable { status };
        match status {
            200 => self
                .cosignature(witness, check, body)
                .map_or(unusable, WitnessAnswer::Cosigned),
            403 => WitnessAnswer::UnknownKey,
            404 => WitnessAnswer::UnknownLog,
            409 => self.conflict(body).unwrap_or(unusable),
            // Nothing is another log than the one without leaves.
            422 if self.checkpoint.checkpoint().size > 0 => WitnessAnswer::Forked,
            _ => unusable,
        }
    }

    fn cosignature(
        &self,
        witness: &VerifierKey,
        check: VerifyEd25519,
        body: &[u8],
    ) -> Option<Cosignature> {
        let lines = body.get(..MAX_ANSWER_BYTES.min(body.len()))?;
        let lines = NoteSignature::parse_lines(str::from_utf8(lines).ok()?).ok()?;
        let made = lines.into_iter().filter(|line| witness.has_made(line));
        let text = self.checkpoint.note().text();
        let timed = made.filter_map(|line| {
            let time = witness.verify(text, line.bytes(), check)?.time?;
            Some(Cosignature {
                size: self.checkpoint.checkpoint().size,
                key: witness.clone(),
                time,
                line,
            })
        });
        timed.max_by_key(Cosignature::time)
    }

    /// A witness that has another size in mind says which. If sizes agree, then the roots do not, and
    /// it has nothing to add; without leaves they cannot differ.
    fn conflict(&self, body: &[u8]) -> Option<WitnessAnswer> {
        let same = self.old > 0 && self.old == self.checkpoint.checkpoint().size;
        if body.is_empty() {
            return same.then_some(WitnessAnswer::Forked);
        }
        let size = parse_size(str::from_utf8(body).ok()?.strip_suffix('\n')?)?;
        if size == self.old {
            return same.then_some(WitnessAnswer::Forked);
        }
        Some(WitnessAnswer::Knows { size })
    }
}

/// How the log stands to what a witness knows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// The witness knows no more than is here. Whether it knows the same, its next answer shows.
    Known,
    /// The witness has seen more than there is: the log was rolled back.
    RolledBack {
        /// How much there is.
        local: u64,
        /// How much there was.
        seen: u64,
    },
}

impl Memory {
    /// Compares the size of the log here with the size that a witness knows.
    pub fn compare(local: u64, seen: u64) -> Self {
        if local < seen {
            Self::RolledBack { local, seen }
        } else {
            Self::Known
        }
    }
}
