//! Another key signs from now on.

use std::{io, sync::Arc};

use vyrox_domain::host_protocol::KeyRotated;
use vyrox_journal::proof::{NotaryError, Signer};

use super::office::{Office, log_of};

/// Where the log's private keys are kept.
pub trait LogKeys: Send + Sync {
    /// All that there are, the one that was last in force first; made where there is none.
    ///
    /// # Errors
    /// One cannot be read, made or believed.
    fn load(&self) -> io::Result<Vec<Arc<dyn Signer>>>;

    /// Makes another, durable beside those that there are. [`load`](Self::load) has it as well.
    ///
    /// # Errors
    /// It cannot be written.
    fn make(&self) -> io::Result<Arc<dyn Signer>>;

    /// This key is in force: if it is the one that was made, it takes the place of the one before it,
    /// which is kept.
    ///
    /// # Errors
    /// Something cannot be written; it can be tried again.
    fn settle(&self, in_force: &[u8; 32]) -> io::Result<()>;
}

/// Why the key stays.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The log is not open, or not to be believed.
    #[error("the log is not as it should be; see `vyrox audit integrity`")]
    NotNow,
    /// No key could be made.
    #[error("no key could be written: {0}")]
    Key(#[from] io::Error),
    /// The log.
    #[error(transparent)]
    Log(#[from] NotaryError),
}

impl Office {
    /// Puts a new key in force; the old one signs too for `overlap_ms`. What comes out belongs on the
    /// host's chain; if it does not get there, the next start puts it there. Blocks.
    ///
    /// # Errors
    /// [`RotateError`]; the key stays as it was.
    pub fn rotate_key(&self, overlap_ms: u64, by: String) -> Result<KeyRotated, RotateError> {
        let mut desk = self.desk();
        let doubtful = self.parts.integrity.findings().host.is_some();
        let rebasing = desk.rebasing;
        let notary = desk.notary.as_mut().filter(|_| !doubtful && !rebasing);
        let notary = notary.ok_or(RotateError::NotNow)?;
        let before = log_of(notary);
        let new = self.parts.keys.make()?;
        let now = self.now_ms();
        let until_ms = now.saturating_add(overlap_ms);
        let statement = match notary.rotate(Arc::clone(&new), until_ms, now) {
            Ok(statement) => statement.to_string(),
            Err(error) => {
                // Opened anew, with whichever key its files say.
                desk.notary = None;
                return Err(error.into());
            }
        };
        let after = log_of(notary);
        if let Err(error) = self.parts.keys.settle(&new.public_key()) {
            tracing::error!(%error, "the log's new key lies beside its place; the next start tries again");
        }
        desk.known = Some(after.clone());
        Ok(KeyRotated {
            before,
            after,
            statement: Some(statement),
            until_ms: Some(until_ms),
            by,
        })
    }
}
