//! Statements by which one key of the log puts another in its place.
//!
//! Whoever trusts the old key can follow a statement to the new one. Both keys sign it: the old one
//! says who comes after it, the new one that it is held by the same people.

use std::fmt;

use super::checkpoint::Trust;
use super::note::{Algorithm, Note, NoteError, Signer, VerifierKey};

const ROTATION: &str = "vyrox key rotation v1";
const REBASE: &str = "vyrox log rebase v1";

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Succession {
    /// The log goes on under another key.
    Rotation,
    /// The log was rolled back and begins anew, under another name.
    Rebase {
        /// The size of the log that was left behind.
        size: u64,
        /// The size that a witness had seen.
        seen: u64,
    },
}

/// One key comes after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Why.
    pub succession: Succession,
    /// The key that was in force.
    pub old: VerifierKey,
    /// The key that is.
    pub new: VerifierKey,
    /// Since when, in unix seconds.
    pub time: u64,
}

impl Statement {
    /// The statement as a note, signed by both keys.
    pub(super) fn sign(&self, old: &dyn Signer, new: &dyn Signer) -> Result<Note, NoteError> {
        let mut note = Note::new(self.to_string())?;
        note.sign(self.old.name(), old)?;
        note.sign(self.new.name(), new)?;
        Ok(note)
    }

    /// Reads a statement's text.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let head = lines.next()?;
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let old = VerifierKey::parse(field("old")?).ok()?;
        let new = VerifierKey::parse(field("new")?).ok()?;
        let time = field("time")?.parse().ok()?;
        let succession = match head {
            ROTATION => Succession::Rotation,
            REBASE => Succession::Rebase {
                size: field("size")?.parse().ok()?,
                seen: field("seen")?.parse().ok()?,
            },
            _ => return None,
        };
        let read = Self {
            succession,
            old,
            new,
            time,
        };
        (read.to_string() == text).then_some(read)
    }
}

/// The text that is signed.
impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { old, new, time, .. } = self;
        let head = match self.succession {
            Succession::Rotation => ROTATION,
            Succession::Rebase { .. } => REBASE,
        };
        write!(f, "{head}\nold {old}\nnew {new}\ntime {time}\n")?;
        match self.succession {
            Succession::Rotation => Ok(()),
            Succession::Rebase { size, seen } => write!(f, "size {size}\nseen {seen}\n"),
        }
    }
}

impl Trust {
    /// Follows a signed statement: if a key that is trusted made it, the key that it names is trusted
    /// from now on too.
    ///
    /// A key speaks for the log of its name alone, so it hands on that name or, to begin anew, one
    /// that no trusted key has: nobody makes a key for another deployment.
    pub fn follow(&mut self, statement: &str) -> Result<Statement, NoteError> {
        let note = Note::parse(statement.as_bytes())?;
        let read = Statement::parse(note.text());
        let read = read.ok_or(NoteError::Malformed(
            "the text is no statement of succession",
        ))?;
        if !self.log.contains(&read.old) {
            return Err(NoteError::Unsigned);
        }
        for key in [&read.old, &read.new] {
            note.verify(std::slice::from_ref(key), self.check)?;
        }
        self.check_name(&read)?;
        if !self.log.contains(&read.new) {
            self.log.push(read.new.clone());
        }
        Ok(read)
    }

    /// Whether the statement's new key may have the name that it has, and signs as a log does.
    fn check_name(&self, read: &Statement) -> Result<(), NoteError> {
        let Statement { old, new, .. } = read;
        if new.algorithm() != Algorithm::Ed25519 {
            return Err(NoteError::Malformed("the new key is not one of a log"));
        }
        let may = match read.succession {
            Succession::Rotation => new.name() == old.name(),
            // A statement that was followed before is no news.
            Succession::Rebase { .. } => {
                self.log.contains(new) || self.log.iter().all(|key| key.name() != new.name())
            }
        };
        let refused =
            NoteError::Malformed("the new key has a name that is not the old key's to give");
        may.then_some(()).ok_or(refused)
    }
}
