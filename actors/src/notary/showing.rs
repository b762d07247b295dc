//! What is signed, for whoever asks.

use std::{io, path::Path};

use vyrox_journal::proof::{Bundle, NotaryError};

use super::office::Office;

/// The log, for people.
pub struct LogView {
    /// Its newest checkpoint with the words of witnesses that there are for it.
    pub checkpoint: Option<String>,
    /// Its keys, from the oldest to the one in force.
    pub keys: Vec<String>,
    /// Until when the key before signs too.
    pub overlap_until_ms: Option<u64>,
}

impl Office {
    /// A chain's newest checkpoint as a signed note. Blocks.
    pub fn checkpoint(&self, chain: &str) -> Option<String> {
        let desk = self.desk();
        let point = desk.notary.as_ref()?.tenant_checkpoint(chain);
        Some(point.ok()?.to_string())
    }

    /// All that an auditor needs beside the chain's file; none while nothing of it is signed. Blocks.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn bundle(&self, chain: &str) -> Result<Option<Bundle>, NotaryError> {
        let desk = self.desk();
        let Some(notary) = &desk.notary else {
            return Ok(None);
        };
        match notary.bundle(chain) {
            Ok(bundle) => Ok(Some(bundle)),
            Err(NotaryError::NoChain(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The log's checkpoint, and its keys. Blocks.
    pub fn log(&self) -> Option<LogView> {
        let desk = self.desk();
        let notary = desk.notary.as_ref()?;
        let keys = notary.keys().iter().map(|key| key.key.to_string());
        Some(LogView {
            checkpoint: notary.checkpoint().map(|point| point.to_string()),
            keys: keys.collect(),
            overlap_until_ms: notary.overlap_until_ms(),
        })
    }

    /// Copies all that is signed into a directory. Blocks.
    ///
    /// # Errors
    /// Something could not be read or written.
    pub fn back_up(&self, into: &Path) -> io::Result<()> {
        let desk = self.desk();
        match &desk.notary {
            Some(notary) => notary.back_up(into).map_err(io::Error::other),
            None => vyrox_journal::proof::copy_files(&self.parts.folder, into),
        }
    }
}
