//! Signed notes: a text, an empty line, and a line for each signature (C2SP `signed-note`).
//!
//! A note that was read is written out again byte for byte, so it can be kept and passed on as text.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

mod key;

pub use key::{
    Algorithm, KeyError, KeyName, Signer, Verified, VerifierKey, VerifyEd25519, cosignature_message,
};

/// Longest note that is read, in bytes.
pub const MAX_NOTE_BYTES: usize = 1_000_000;
/// Most signatures of a note that is read.
pub const MAX_SIGNATURES: usize = 100;

const KEY_ID: usize = 4;
const DASH: &str = "\u{2014} ";

/// A text and the signatures under it. Nothing is known of them before [`Note::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One line under a note: a key's name and id, and what the key is said to have signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    name: KeyName,
    key_id: [u8; KEY_ID],
    bytes: Vec<u8>,
}

/// Why bytes are no note, or a note is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Longer than [`MAX_NOTE_BYTES`], or more than [`MAX_SIGNATURES`].
    #[error("the note is too long")]
    TooLong,
    /// Not UTF-8, or a control character other than the newline.
    #[error("the note is not plain text")]
    NotText,
    /// No empty line between text and signatures, or a line that is no signature.
    #[error("the note is malformed: {0}")]
    Malformed(&'static str),
    /// A known key's signature is not that key's.
    #[error("the signature of {0} is not of that key")]
    Forged(KeyName),
    /// No key that is known has signed it.
    #[error("no known key has signed the note")]
    Unsigned,
}

impl Note {
    /// A note without signatures. The text ends with a newline and has no other control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, NoteError> {
        let text = text.into();
        if text.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong);
        }
        if !is_plain(&text) {
            return Err(NoteError::NotText);
        }
        if !text.ends_with('\n') {
            return Err(NoteError::Malformed("the text does not end with a newline"));
        }
        Ok(Self {
            text,
            signatures: Vec::new(),
        })
    }

    /// Reads a note with at least one signature.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong);
        }
        let whole = str::from_utf8(bytes).map_err(|_not_utf8| NoteError::NotText)?;
        let (text, signatures) = whole
            .rsplit_once("\n\n")
            .ok_or(NoteError::Malformed("there is no empty line"))?;
        let mut note = Self::new(format!("{text}\n"))?;
        note.signatures = NoteSignature::parse_lines(signatures)?;
        Ok(note)
    }

    /// The signed text, with its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, in the order of the note.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Signs the text. A signature of the same key that is already there is replaced.
    pub fn sign(&mut self, name: &KeyName, signer: &dyn Signer) -> Result<(), NoteError> {
        let key = signer.verifier_key(name);
        let bytes = signer.sign(self.text.as_bytes());
        self.add(NoteSignature::new(&key, bytes.to_vec()))
    }

    /// Adds a signature, in place of one of the same key. It is not checked.
    pub fn add(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        let (name, id) = (&signature.name, signature.key_id);
        let kept = |there: &NoteSignature| there.key_id != id || there.name != *name;
        self.signatures.retain(kept);
        if self.signatures.len() >= MAX_SIGNATURES {
            return Err(NoteError::TooLong);
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// The keys out of `known` that have signed the note, each once, in the order of the note.
    ///
    /// Signatures of other keys are ignored. One bad signature under a known key's name and id makes
    /// the whole note bad, and so does the absence of any good one.
    pub fn verify(
        &self,
        known: &[VerifierKey],
        check: VerifyEd25519,
    ) -> Result<Vec<Verified>, NoteError> {
        let mut found: Vec<Verified> = Vec::new();
        for signature in &self.signatures {
            let Some(key) = known.iter().find(|key| key.has_made(signature)) else {
                continue;
            };
            let verified = key
                .verify(&self.text, &signature.bytes, check)
                .ok_or_else(|| NoteError::Forged(key.name().clone()))?;
            match found.iter_mut().find(|other| other.key == *key) {
                Some(other) => other.time = other.time.max(verified.time),
                None => found.push(verified),
            }
        }
        if found.is_empty() {
            return Err(NoteError::Unsigned);
        }
        Ok(found)
    }
}

/// The note as it is passed on.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|line| write!(f, "{line}"))
    }
}

impl NoteSignature {
    /// What `key` has signed, with whatever the algorithm puts before the signature proper.
    pub fn new(key: &VerifierKey, bytes: Vec<u8>) -> Self {
        Self {
            name: key.name().clone(),
            key_id: key.id(),
            bytes,
        }
    }

    /// Reads signature lines, at least one and each with its newline, as they stand under a note.
    pub fn parse_lines(lines: &str) -> Result<Vec<Self>, NoteError> {
        if lines.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong);
        }
        let unfinished = NoteError::Malformed("the last line does not end with a newline");
        let lines = lines.strip_suffix('\n').ok_or(unfinished)?;
        if lines.split('\n').count() > MAX_SIGNATURES {
            return Err(NoteError::TooLong);
        }
        let signatures = lines
            .split('\n')
            .map(|line| Self::parse(line).ok_or(NoteError::Malformed("a line is not a signature")));
        signatures.collect()
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(DASH)?.split_once(' ')?;
        let decoded = BASE64.decode(encoded).ok()?;
        let (key_id, bytes) = decoded.split_first_chunk::<KEY_ID>()?;
        if bytes.is_empty() {
            return None;
        }
        Some(Self {
            name: KeyName::parse(name).ok()?,
            key_id: *key_id,
            bytes: bytes.to_vec(),
        })
    }

    /// The name of the key.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id of the key.
    pub fn key_id(&self) -> [u8; KEY_ID] {
        self.key_id
    }

    /// What stands after the key's id.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The line, with its newline.
impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = BASE64.encode([&self.key_id, self.bytes.as_slice()].concat());
        writeln!(f, "{DASH}{} {encoded}", self.name)
    }
}

/// The only control character of a note is the newline.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte >= b' ' || byte == b'\n')
}

#[cfg(test)]
mod tests;
