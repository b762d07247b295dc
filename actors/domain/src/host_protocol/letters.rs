//! What the host's chain has of dead letters.

use serde::{Deserialize, Serialize};

/// An operator ordered what becomes of a message that had made its actor fall. Written before it is
/// done: an actor that then had no room for the message leaves the letter where it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterSettled {
    /// What is to become of it.
    pub fate: LetterFate,
    /// The actor that had fallen over it.
    pub actor: String,
    /// The type of the message.
    pub message: String,
    /// What identifies its content, 16 hex digits.
    pub digest: String,
    /// The letter's number; good for one run of the server.
    pub number: u64,
    /// Who asked for it.
    pub by: String,
}

/// What becomes of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LetterFate {
    /// Its message goes to the actor once more.
    Redriven,
    /// It is dropped.
    Discarded,
}

impl LetterFate {
    pub(super) const fn event(self) -> &'static str {
        match self {
            Self::Redriven => "dead_letter.redriven",
            Self::Discarded => "dead_letter.discarded",
        }
    }
}
