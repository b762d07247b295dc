//! What keeps a set of policies from coming to be.

use std::fmt;

/// What is wrong with a source or one of its policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// The source, as the loader named it.
    pub source: String,
    /// The line in it, from 1, where one can be named.
    pub line: Option<usize>,
    /// The policy's `@id`, where it has one.
    pub policy: Option<String>,
    /// What is wrong.
    pub message: String,
}

impl PolicyError {
    /// An error of a source as a whole.
    pub(crate) fn of_source(source: &str, message: impl Into<String>) -> Self {
        Self {
            source: source.to_owned(),
            line: None,
            policy: None,
            message: message.into(),
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(policy) = &self.policy {
            write!(f, ": policy {policy}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for PolicyError {}
